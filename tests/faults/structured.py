"""Files damaged where they have a meaning: lines of LAS, tags of a TIFF, nodes of JSON, values of
TOML. A random byte hardly ever makes such a file: well formed, and without sense."""

import json
import random
import re
import struct
from collections.abc import Callable
from typing import Any

Damage = Callable[[bytes, random.Random], bytes]

SMALL = 64 * 1024
"""No damaged file is larger, bytes."""

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}
"""Bytes of a value by its TIFF type."""

TAGS: dict[int, tuple[int, ...]] = {
    254: (0, 1, 2, 4, 255),  # NewSubfileType
    256: (0, 1, 7, 9000, 65535, 2**31, 2**32 - 1),  # ImageWidth
    257: (0, 1, 7, 9000, 65535, 2**31, 2**32 - 1),  # ImageLength
    258: (0, 1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 24, 32, 64, 65535),  # BitsPerSample
    259: (0, 1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34712, 34925, 50000, 50001, 65000),
    262: (0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 32803, 34892, 99),  # PhotometricInterpretation
    266: (0, 1, 2, 3),  # FillOrder
    273: (0, 1, 8, 10_000, 2**32 - 1),  # StripOffsets
    274: (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 65535),  # Orientation
    277: (0, 1, 2, 3, 4, 5, 7, 65535),  # SamplesPerPixel
    278: (0, 1, 3, 64, 2**32 - 1),  # RowsPerStrip
    279: (0, 1, 8, 10_000, 2**31, 2**32 - 1),  # StripByteCounts
    284: (0, 1, 2, 3),  # PlanarConfiguration
    292: (0, 1, 4, 7),  # T4Options
    317: (0, 1, 2, 3, 4, 34892),  # Predictor
    320: (0, 1, 255, 256, 65535),  # ColorMap
    322: (0, 1, 16, 17, 256, 65536, 2**31),  # TileWidth
    323: (0, 1, 16, 17, 256, 65536, 2**31),  # TileLength
    324: (0, 8, 2**32 - 1),  # TileOffsets
    325: (0, 8, 2**32 - 1),  # TileByteCounts
    330: (0, 8, 2**32 - 1),  # SubIFDs
    338: (0, 1, 2, 3, 255),  # ExtraSamples
    339: (0, 1, 2, 3, 4, 5, 6),  # SampleFormat
    347: (0, 8),  # JPEGTables
    34665: (8, 0, 2**32 - 1),  # Exif
}

NODES: tuple[Any, ...] = (
    None,
    True,
    "",
    "é\u202e\x1b[31m\0",
    "9" * 5000,
    -1,
    0,
    1e308,
    2**70,
    float("nan"),
    float("-inf"),
    [],
    {},
    [[]],
    [[1, 2], [3]],
    ["a", {"b": None}],
    "../../etc/passwd",
    "C:\\scans\\grey.png",
)

LITERALS = (
    "nan",
    "-inf",
    "1e400",
    "9999999999999999999999",
    "0x7fffffffffffffff",
    "true",
    "1979-05-27T07:32:00Z",
    '"\\u001b[31mred\\u001b[0m"',
    "'''\n'''",
    "[]",
    "[[]]",
    "[[1, 2], [3, 4, 5]]",
    "{}",
    "{a = {b = [1, {c = 2}]}}",
    "-0.0",
    "1e-320",
    '"..\\\\..\\\\etc"',
    "[" * 300 + "]" * 300,
    "[" + "1, " * 4000 + "1]",
)

LAS_WORDS = (
    "-999.25",
    "NULL",
    "(null)",
    "ERR",
    "-",
    "********",
    "#N/A",
    "1D+02",
    "-1.#IND",
    "1,5",
    "1e999",
    "NaN",
    "12:30:05",
    "2001-01-02",
    "é",
    "\t",
    ",",
    ",,",
    ";",
    '"a b"',
    "0x10",
    "1_000",
    "--5",
    "1-2",
    "1.2.3",
    "\x1b[31m",
    "9" * 400,
)

LAS_LINES = (
    "~A",
    "~ASCII LOG DATA",
    "~ascii",
    "~",
    "~~",
    "~W",
    "~Curve",
    "~Log_Definition",
    "~Log_Data | Log_Definition",
    "~Log_Data[2] | Log_Definition[2]",
    "~Core_Definition",
    "~Core_Data | Core_Definition",
    "~Other",
    "~P",
    "VERS. 1.2 :",
    "VERS. 3.0 :",
    "VERS. :",
    "WRAP. YES :",
    "DLM. COMMA :",
    "DLM. TAB :",
    "NULL. 0 :",
    "NULL. :",
    "NULL. none :",
    "STRT.M 1e308 :",
    "STEP. 0 :",
    "DEPT.M : again",
    "GR.API : again",
    ".: nothing",
    ":",
    "." * 400,
    ":" * 400,
    "A" * 2000,
    "GR .API 1 : a : b : c",
    "#",
    "\ufeff~V",
    "{F10.4}",
    "TIME.S : Time",
)


def damaged_las(data: bytes, chance: random.Random) -> bytes:
    """LAS with some of its lines, fields and rows replaced, moved or repeated."""
    lines = data.decode().splitlines()
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        at = chance.randrange(len(lines))
        some = slice(at, at + chance.choice((1, 1, 2, 5)))
        match chance.randrange(11):
            case 0:
                lines[at:at] = [chance.choice(LAS_LINES)]
            case 1:
                lines[some] = [chance.choice(LAS_LINES)]
            case 2:
                lines[at:at] = lines[some] * chance.choice((1, 2, 50, 2000))
            case 3:
                lines[at:at] = [chance.choice(LAS_LINES)] * chance.choice((2, 100, 3000))
            case 4:
                del lines[some]
            case 5:
                to = chance.randrange(len(lines))
                lines[at], lines[to] = lines[to], lines[at]
            case 6:  # one word of a row
                words = lines[at].split() or [""]
                words[chance.randrange(len(words))] = chance.choice(LAS_WORDS)
                lines[at] = " ".join(words)
            case 7:  # one column of all that follows
                column, word = chance.randrange(4), chance.choice(LAS_WORDS)
                rows = [line.split() for line in lines[at:]]
                lines[at:] = [" ".join([*r[:column], word, *r[column + 1 :]]) for r in rows]
            case 8:
                between = chance.choice((",", "\t", ";", ", ", "|", "  "))
                lines[at:] = [between.join(line.split()) for line in lines[at:]]
            case 9:
                lines[some] = [" ".join([line] * 300) for line in lines[some]]
            case _:
                lines[some] = [line[: chance.randrange(len(line) + 1)] for line in lines[some]]
        lines = lines or [""]
        total = 0
        kept = [line for line in lines if (total := total + len(line) + 2) < SMALL]
        lines = kept or [""]
    text = chance.choice(("\n", "\n", "\n", "\r\n", "\r", "\n\r")).join(lines)
    return text.encode(chance.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16")))[:SMALL]


def damaged_tiff(data: bytes, chance: random.Random) -> bytes:
    """A TIFF of the same strips under other tags: values, types, counts and chains of pages."""
    tags, strips = _tiff_tags(data)
    order = chance.choice("<<<>")
    for _ in range(chance.choice((1, 1, 2, 3, 5))):
        tag = chance.choice((chance.choice(tuple(TAGS)), chance.choice(tuple(tags) or (256,))))
        kind, values = tags.get(tag, (3, (1,)))
        match chance.randrange(6):
            case 0:
                tags.pop(tag, None)
            case 1:
                tags[tag] = kind, values * chance.choice((2, 3, 300))
            case 2:
                tags[tag] = chance.choice(tuple(SIZES)), values
            case _:
                few = chance.choice((1, 1, 1, 2, 3, 4))
                known = TAGS.get(tag, (0, 1, 2**32 - 1))
                picked = tuple(chance.choice(known) for _ in range(few))
                tags[tag] = 4 if max(picked) > 65535 else kind, picked
    pages = chance.choice((1, 1, 1, 2, 60, 300))
    return _tiff(tags, strips, order, pages, chance)[:SMALL]


def _tiff_tags(data: bytes) -> tuple[dict[int, tuple[int, tuple[int, ...]]], bytes]:
    """Tags of the first page of a little-endian TIFF, as whole numbers, and its strips."""
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    tags = dict[int, tuple[int, tuple[int, ...]]]()
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, n = struct.unpack_from("<HHI", data, entry)
        form = {1: "B", 3: "H", 4: "I"}.get(kind)
        if form is not None:
            size = n * SIZES[kind]
            place = entry + 8 if size <= 4 else struct.unpack_from("<I", data, entry + 8)[0]
            tags[tag] = kind, struct.unpack_from(f"<{n}{form}", data, place)
    starts, sizes = tags[273][1], tags[279][1]
    return tags, b"".join(data[a : a + n] for a, n in zip(starts, sizes, strict=True))


def _tiff(
    tags: dict[int, tuple[int, tuple[int, ...]]],
    strips: bytes,
    order: str,
    pages: int,
    chance: random.Random,
) -> bytes:
    """A TIFF whose pages all have these tags; the last may lead back to an earlier one."""
    out = bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4) + strips)
    if 273 in tags and 279 in tags and chance.random() < 0.8:
        n = len(tags[279][1])
        sizes = [len(strips) // n] * n
        starts = [8 + i * sizes[0] for i in range(n)]
        tags = tags | {273: (4, tuple(starts)), 279: (4, tuple(sizes))}
    link, where = 4, list[int]()
    for _ in range(pages):
        packed = {tag: _values(kind, values, order) for tag, (kind, values) in tags.items()}
        outside = dict[int, int]()
        for tag, body in packed.items():
            if len(body) > 4:
                outside[tag] = len(out)
                out += body
        out += bytes(len(out) % 2)
        where.append(len(out))
        struct.pack_into(order + "I", out, link, where[-1])
        out += struct.pack(order + "H", len(tags))
        for tag in sorted(packed):
            kind, values = tags[tag]
            head = struct.pack(order + "HHI", tag, kind, len(values))
            at = struct.pack(order + "I", outside[tag]) if tag in outside else packed[tag]
            out += head + at.ljust(4, b"\0")
        link = len(out)
        out += bytes(4)
    after = chance.choice((0, 0, 0, where[0], where[-1], 7, len(out), 2**32 - 1))
    struct.pack_into(order + "I", out, link, after)
    return bytes(out)


def _values(kind: int, values: tuple[int, ...], order: str) -> bytes:
    size = SIZES[kind]
    big = "big" if order == ">" else "little"
    return b"".join((value & (256**size - 1)).to_bytes(size, big) for value in values)


def damaged_json(data: bytes, chance: random.Random) -> bytes:
    """JSON with some of its nodes replaced, dropped, renamed, moved or repeated."""
    tree = json.loads(data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        places = [*_places(tree)]
        if not places:
            break
        holder, key = chance.choice(places)
        match chance.randrange(7):
            case 0 | 1:
                holder[key] = chance.choice(NODES)
            case 2:
                del holder[key]
            case 3 if isinstance(holder, dict):
                holder[f"{key}{chance.choice(('', ' ', '_', 'é', '2'))}"] = holder.pop(key)
            case 4:
                (other, there) = chance.choice(places)
                holder[key] = json.loads(json.dumps(other[there]))
            case 5 if isinstance(holder, list):
                holder[key:key] = [holder[key]] * chance.choice((1, 30, 1000))
            case 6 if isinstance(holder[key], int | float):
                holder[key] *= chance.choice((-1, 0, 2, 0.5, 1e6, 10**12))
            case _:
                holder[key] = [holder[key]]
    text = json.dumps(tree)
    if chance.random() < 0.05:
        text = text.replace("[", "[" * chance.choice((2, 500, 20_000)), 1)
    return text[:SMALL].encode()


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found, open_ = list[tuple[Any, Any]](), [tree]
    while open_:
        node = open_.pop()
        match node:
            case dict():
                keys = list[Any](node)
            case list():
                keys = [*range(min(len(node), 50))]
            case _:
                continue
        found += [(node, key) for key in keys]
        open_ += [node[key] for key in keys]
    return found


def damaged_toml(data: bytes, chance: random.Random) -> bytes:
    """TOML with some of its values, keys and headers replaced, moved or repeated."""
    lines = data.decode().splitlines()
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(lines))
        match chance.randrange(7):
            case 0 | 1:
                lines[at] = re.sub(r"=.*", lambda _: f"= {chance.choice(LITERALS)}", lines[at])
            case 2:
                numbers = [*re.finditer(r"-?\d+(\.\d+)?", lines[at])]
                if numbers:
                    one = chance.choice(numbers)
                    number = chance.choice(("0", "-1", "1e308", "nan", "inf", "1e-320", "1.5"))
                    lines[at] = lines[at][: one.start()] + number + lines[at][one.end() :]
            case 3:
                lines[at:at] = [lines[at]] * chance.choice((1, 40))
            case 4:
                del lines[at]
            case 5:
                key = chance.choice(
                    ("a", "'\x1b[31m'", '"\\\\u001b[31m"', "track.x", "depth.step", "é", "''")
                )
                lines[at] = re.sub(r"^\s*[\w.]+\s*=", f"{key} =", lines[at])
            case _:
                to = chance.randrange(len(lines))
                lines[at], lines[to] = lines[to], lines[at]
        lines = lines or [""]
    return "\n".join(lines).encode()[:SMALL]

"""Directories of TIFF files: finding the pages, and those that Pillow would misread.

Every picture of a TIFF has a directory of tags, which says where the next one lies. Tags are
described in the TIFF 6.0 specification, Adobe 1992.
"""

import math
import os
import re
import struct
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, BinaryIO

from PIL import TiffImagePlugin

Tags = Mapping[int, Any]

BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, PLANAR = 258, 259, 262, 277, 284
COLOUR_MAP, EXTRA_SAMPLES = 320, 338

MOST_PAGES = 2000
"""Most directories read of a file; one may chain tens of thousands, or a cycle."""

_SUBFILE, _OLD_SUBFILE, _FILL_ORDER = 254, 255, 266
_REDUCED = 0b101  # a reduced picture, or a mask
_OLD_REDUCED = 2
_INK_SET, _SAMPLE_FORMAT = 332, 339
_PLACES = (273, 279), (324, 325)  # offsets and lengths of strips, of tiles
_ROWS_OF_STRIP, _TILE_WIDTH, _TILE_HEIGHT = 278, 322, 323
_HEAD = 8  # bytes of the file's head; no picture begins there
_RAW, _CCITT, _SHORT = 1, (2, 3, 4), 3

_stderr = threading.Lock()

# Pillow can unpack these, but its table of modes lacks them. It inverts none of them where white is
# zero, as it does not for 16 bits in Intel's order: see `left_negative`.
_kinds: dict[tuple[Any, ...], tuple[str, str]] = TiffImagePlugin.OPEN_INFO  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]: keys of many types
for _order in (b"II", b"MM"):
    for _photometric in (0, 1):
        _key = (_order, _photometric, (1,), 1, (12,), ())
        _kinds.setdefault(_key, ("I;16", "I;12"))
    for _alpha, _mode in ((0, ("L", "LX")), (2, ("LA", "LA"))):
        _kinds.setdefault((_order, 0, (1,), 1, (8, 8), (_alpha,)), _mode)
_kinds.setdefault((b"MM", 0, (1,), 1, (16,), ()), ("I;16B", "I;16B"))


def pages(file: BinaryIO) -> Iterator[int]:
    """Yield the numbers, from 0, of the directories that are pages, not reduced copies or masks.

    A chain that is damaged, or returns to itself, ends there.
    """
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = 43 in struct.unpack(f"{order}2xH", head[:4])
    count, entry, place = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    length, size = (struct.calcsize(order + each) for each in (count, entry))
    try:
        (at,) = struct.unpack_from(order + place, head, 8 if big else 4)
        seen = set[int]()
        while at and at not in seen and len(seen) < MOST_PAGES:
            file.seek(at)
            (tags,) = struct.unpack(order + count, file.read(length))
            table = file.read(min(tags, 2**16) * size)
            (following,) = struct.unpack(order + place, file.read(struct.calcsize(order + place)))
            if not _reduced(struct.iter_unpack(order + entry, table), order):
                yield len(seen)
            seen.add(at)
            at = following
    except (struct.error, OSError, ValueError, OverflowError):
        return


def _reduced(entries: Iterator[tuple[Any, ...]], order: str) -> bool:
    for tag, kind, _, value in islice(entries, 50):
        (number,) = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), value)
        if (tag == _SUBFILE and number & _REDUCED) or (tag, number) == (_OLD_SUBFILE, _OLD_REDUCED):
            return True
    return False


def parts(file: BinaryIO) -> str | None:
    """Describe sample depth, colour and compression of the first picture; None if unreadable."""
    try:
        file.seek(0)
        head = file.read(16)
        tags = TiffImagePlugin.ImageFileDirectory_v2(head if 43 in head[2:4] else head[:8])
        file.seek(tags.next)
        tags.load(file)
        bits = ", ".join(map(str, tags[BITS]))
        return (
            f"samples of {bits} bits, photometric interpretation {tags[PHOTOMETRIC]}, compression "
            f"{tags.get(COMPRESSION, _RAW)}"
        )
    except Exception:  # a damaged directory may raise anything
        return None


def misread(tags: Tags, length: int) -> str | None:
    """Return why Pillow would silently read wrong levels, or None.

    Args:
        length: size of the file, bytes.
    """
    compression, photometric = tags.get(COMPRESSION, _RAW), tags.get(PHOTOMETRIC)
    bits, samples = tags.get(BITS, (1,)), tags.get(SAMPLES, 1)
    if photometric is None and compression not in _CCITT:
        return "it does not say whether 0 is black or white"
    if {*tags.get(_SAMPLE_FORMAT, (1,))} != {1}:
        return "its samples are signed, or of floating point"
    if max(bits) > 16:
        return f"levels of {max(bits)} bits have no agreed white"
    multiplied = compression == _RAW and 1 in tags.get(EXTRA_SAMPLES, ())
    planes = tags.get(PLANAR, 1) == 2 and samples > 1
    if planes and (samples < 3 or max(bits) != 8 or multiplied):
        return f"its {samples} samples of {max(bits)} bits lie in planes of their own"
    if photometric == 2 and samples > 3 and EXTRA_SAMPLES not in tags:
        return "it does not say what its samples beyond red, green and blue are"
    backwards = tags.get(_FILL_ORDER) == 2
    if backwards and compression not in _CCITT and (compression, bits) != (_RAW, (1,)):
        return "the bits of its bytes run backwards (FillOrder 2)"
    if photometric not in (None, *range(7)):
        return f"its photometric interpretation is {photometric}"
    if photometric == 6 and compression == _RAW:
        return "it is YCbCr without compression"
    if photometric == 5 and tags.get(_INK_SET, 1) != 1:
        return "its inks are others than those of CMYK"
    if photometric == 3 and len(tags.get(COLOUR_MAP, ())) != 3 << bits[0]:
        return f"its palette is not of {1 << bits[0]} colours"
    return _missing(tags, length)


def _missing(tags: Tags, length: int) -> str | None:
    """Return which bytes of a picture are missing from the file, or None."""
    tiled = _PLACES[1][0] in tags
    at, each = (tags.get(tag, ()) for tag in _PLACES[tiled])
    end = max((a + n for a, n in zip(at, each, strict=False)), default=0)
    if end > length:
        return f"it is cut short: {length:,} bytes of {end:,} or more"
    width, height, bits = (tags.get(tag, 0) for tag in (256, 257, BITS))
    block = width, min(tags.get(_ROWS_OF_STRIP, height), height)
    if tiled:
        block = tags[_TILE_WIDTH], tags[_TILE_HEIGHT]
    blocks = math.prod(
        -(-size // max(1, of)) for size, of in zip((width, height), block, strict=True)
    )
    blocks *= tags.get(SAMPLES, 1) if tags.get(PLANAR, 1) == 2 else 1
    if len(at) < blocks or min(at, default=0) < _HEAD or 0 in each:
        return f"some of its {blocks:,} {'tiles' if tiled else 'strips'} are not there"
    if tags.get(COMPRESSION, _RAW) == _RAW and each and bits:
        across, down = block if tiled else (width, height)
        full = -(-across * sum(bits) // 8) * down * (blocks if tiled else 1)
        full //= tags.get(SAMPLES, 1) if tiled and tags.get(PLANAR, 1) == 2 else 1
        if sum(each) < full:
            return f"it holds {sum(each):,} bytes of {full:,}"
    return None


def left_negative(tags: Tags) -> bool:
    """Return whether white is zero in the levels that Pillow returns: it inverts them only for one
    sample of at most 8 bits."""
    bits = tags.get(BITS, (1,))
    return tags.get(PHOTOMETRIC) == 0 and (tags.get(SAMPLES, 1) == 2 or bits[0] > 8)


def palette_of_bytes(tags: Tags) -> bytes | None:
    """Return a palette written with levels up to 255 and not 65,535, as R, G, B triples; else None.

    libtiff distinguishes them in the same way.
    """
    levels = tags.get(COLOUR_MAP, ())
    if tags.get(PHOTOMETRIC) != 3 or not levels or max(levels) > 255:
        return None
    colours = len(levels) // 3
    return bytes(levels[i + band * colours] for i in range(colours) for band in range(3))


@contextmanager
def overheard() -> Generator[list[str]]:
    """Capture libtiff's messages on stderr during the block, its only report of rows that it could
    not decode; the list has the lines after the block."""
    lines = list[str]()
    if sys.stderr is None:  # closed, and its number may be that of the picture's file
        yield lines
        return
    with _stderr, tempfile.TemporaryFile() as caught:
        kept = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            printed = caught.read(2**16).decode(errors="replace").splitlines()
            lines += [line for line in printed if re.search("Decode|JPEG", line)]

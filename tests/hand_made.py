"""TIFF and PDF files made by hand, of kinds that no library here writes."""

import struct
import zlib

import numpy as np


def packed(samples, bits, order):
    """Rows of samples as bytes, the first bit the highest."""
    rows = samples.reshape(len(samples), -1)
    if bits in (8, 16, 32):
        return rows.astype(f"{order}u{bits // 8}").tobytes()
    places = np.arange(bits)[::-1]
    return b"".join(
        np.packbits(((row[:, None].astype(int) >> places) & 1).astype(np.uint8)).tobytes()
        for row in rows
    )


def tiff(samples, bits, photometric, *, order="<", deflate=False, planes=False, tags=None):
    """A TIFF of one strip (or one a plane) of samples (h, w) or (h, w, n).

    Args:
        planes: the samples of a pixel lie apart.
        tags: more of them, or others; those that are None are left out.
    """
    h, w, n = (*samples.shape, 1)[:3]
    parts = np.moveaxis(samples.reshape(h, w, n), 2, 0) if planes else [samples]
    strips = [packed(part, bits, order) for part in parts]
    strips = [zlib.compress(strip) for strip in strips] if deflate else strips
    starts = np.cumsum([8, *map(len, strips)])
    table = {256: w, 257: h, 258: [bits] * n, 259: 8 if deflate else 1, 262: photometric, 277: n}
    table |= {273: starts[:-1], 278: h, 279: [len(strip) for strip in strips], 284: 1 + planes}
    table |= tags or {}
    return _file(table, b"".join(strips), order)


def _file(table, data, order):
    table = {tag: np.atleast_1d(table[tag]) for tag in sorted(table) if table[tag] is not None}
    entries, more, at = b"", b"", 8 + len(data)
    beyond = at + 2 + 12 * len(table) + 4
    for tag, values in table.items():
        long = tag in (256, 257, 273, 278, 279)
        body = struct.pack(f"{order}{len(values)}{'I' if long else 'H'}", *map(int, values))
        if len(body) > 4:
            body, more = struct.pack(f"{order}I", beyond + len(more)), more + body
        entries += struct.pack(f"{order}HHI", tag, 4 if long else 3, len(values))
        entries += body.ljust(4, b"\0")
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(f"{order}HI", 42, at)
    return head + data + struct.pack(f"{order}H", len(table)) + entries + bytes(4) + more


def joined(first, second, order):
    """A TIFF of the pages of two, each of one directory and one strip."""
    whole, shift = bytearray(first + second), len(first)

    def directory(start):
        (at,) = struct.unpack_from(order + "I", whole, start + 4)
        (entries,) = struct.unpack_from(order + "H", whole, start + at)
        return start + at, entries

    (begin, entries), (following, more) = directory(0), directory(shift)
    struct.pack_into(order + "I", whole, begin + 2 + 12 * entries, following)
    for entry in range(following + 2, following + 2 + 12 * more, 12):
        tag, kind, n, value = struct.unpack_from(order + "HHII", whole, entry)
        if tag == 273 or n * (2 if kind == 3 else 4) > 4:
            struct.pack_into(order + "I", whole, entry + 8, value + shift)
    return bytes(whole)


def chained(page, directories):
    """A little-endian TIFF whose only directory is repeated so many times, one after the other."""
    (first,) = struct.unpack("<I", page[4:8])
    (entries,) = struct.unpack("<H", page[first : first + 2])
    one = page[first : first + 2 + 12 * entries]
    size = len(one) + 4
    links = [first + size * (i + 1) for i in range(directories - 1)] + [0]
    return page[:first] + b"".join(one + struct.pack("<I", link) for link in links)


def pdf(*pages):
    """A PDF of pages, each of a dictionary's text, a content stream, and its pictures."""
    parts, kids = [b"<< /Type /Catalog /Pages 2 0 R >>", b""], []
    for about, content, pictures in pages:
        first = len(parts) + 1
        names = b" ".join(b"/P%d %d 0 R" % (i, first + 2 + i) for i in range(len(pictures)))
        kids.append(b"%d 0 R" % first)
        parts.append(
            b"<< /Type /Page /Parent 2 0 R /Contents %d 0 R /Resources << /XObject << %s >> >> "
            b"%s >>" % (first + 1, names, about.encode())
        )
        parts += [_stream(b"", content.encode()), *map(_picture, pictures)]
    parts[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    text, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, start=1):
        places.append(len(text))
        text += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return (
        text
        + b"xref\n0 %d\n0000000000 65535 f \n%strailer << /Size %d /Root 1 0 R >>\n"
        % (
            len(parts) + 1,
            table,
            len(parts) + 1,
        )
        + b"startxref\n%d\n%%%%EOF\n" % len(text)
    )


def _stream(about, data):
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (about, len(data), data)


def _picture(grey):
    """A picture of one bit where it is black and white, of eight where it is grey."""
    bits = 1 if {*np.unique(grey).tolist()} <= {0, 255} else 8
    (h, w), rows = grey.shape, np.packbits(grey > 0, axis=1) if bits == 1 else grey
    about = b"/Subtype /Image /Width %d /Height %d /BitsPerComponent %d" % (w, h, bits)
    about += b" /ColorSpace /DeviceGray /Filter /FlateDecode"
    return _stream(about, zlib.compress(rows.astype(np.uint8).tobytes()))


def scanned(grey, dpi, *, matrix="{w:.2f} 0 0 {h:.2f} 0 0", box="0 0 {w:.2f} {h:.2f}", more=""):
    """A page of `pdf` that shows a picture at a resolution, placed to two decimals."""
    h, w = (pixels * 72 / dpi for pixels in grey.shape)
    content = f"q {matrix.format(h=h, w=w)} cm /P0 Do Q"
    return f"/MediaBox [{box.format(h=h, w=w)}] {more}", content, [grey]

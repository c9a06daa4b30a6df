"""Formats of pictures, recognised by the first bytes of a file."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

SCANS = "PNG", "JPEG", "TIFF", "BMP", "WebP", "PDF"
"""Formats that scans are read from."""

MASKS = "PNG", "JPEG", "TIFF"
"""Formats that masks are read from."""

_STARTS = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "TIFF": rb"II[*+]\x00|MM\x00\*",
    "BMP": rb"BM",
    "WebP": rb"RIFF....WEBP",
    "PDF": rb".{0,1019}%PDF-",
    "big-endian BigTIFF": rb"MM\x00\+",
    "GIF": rb"GIF8",
    "JPEG 2000": rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51",
    "JPEG XL": rb"\xff\x0a|\x00\x00\x00\x0cJXL ",
    "HEIC": rb"....ftyp(hei|hev|mif|msf)",
    "AVIF": rb"....ftypavi",
    "DjVu": rb"AT&TFORM",
    "PostScript": rb"%!PS|\xc5\xd0\xd3\xc6",
    "Photoshop": rb"8BPS",
    "JBIG2": rb"\x97JB2\r\n\x1a\n",
    "PCX": rb"\x0a[\x00\x02-\x05]\x01",
    "Netpbm": rb"P[1-7]\s",
    "SVG": rb"\s*(<\?xml|<svg)",
}


def format_of(file: BinaryIO) -> str | None:
    """Return the name of a file's format, None if no known format begins so."""
    file.seek(0)
    start = file.read(1024)
    file.seek(0)
    found = (name for name, pattern in _STARTS.items() if re.match(pattern, start, re.DOTALL))
    return next(found, None)


def refusal(path: Path, found: str | None, formats: Sequence[str]) -> str:
    """Say that a file is of another format than those that are read."""
    read = f"{', '.join(formats[:-1])} and {formats[-1]} are"
    if found is None:
        return f"{path}: not a picture of a known format; {read} read"
    return f"{path}: {found} is not read, but {read}; {conversion(path)}"


def conversion(path: Path) -> str:
    """Say how a file becomes one that is read."""
    return f"convert it, for example with `magick {path.name} -depth 8 scan.png`"

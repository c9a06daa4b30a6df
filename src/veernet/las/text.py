"""Decoding the bytes of a LAS file into lines."""

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from veernet.errors import LasError

MAX_BYTES = 256 * 2**20
"""Default limit on the size of a file, bytes."""

SHOWN = 40
"""Most characters of the file in one quotation of an error message."""

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


_SECTION = re.compile(rb"^[ \t\0]*~[ \t]*[A-Za-z]", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Text:
    """Bytes of a file, and the encoding of its characters."""

    path: Path
    data: bytes
    encoding: str

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield lines with their numbers from 1; they end in CR, LF or both."""
        stream = io.BytesIO(self.data)
        return enumerate(io.TextIOWrapper(stream, self.encoding, errors="replace"), start=1)


def read_text(path: Path, *, max_bytes: int = MAX_BYTES) -> Text:
    """Read a file of text.

    Args:
        max_bytes: larger files are refused before reading.

    Raises:
        LasError: no such file, too large, or not text.
    """
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise LasError(f"{path}: {size:,} bytes are more than the {max_bytes:,} allowed")
        data = path.read_bytes()
    except FileNotFoundError as missing:
        raise LasError(f"{path}: no such LAS file") from missing
    except OSError as failed:
        raise LasError(f"{path}: cannot be read ({failed.strerror})") from failed
    encoding = _encoding(data)
    if data.startswith(b"LASF"):
        raise LasError(f"{path}: a LAS file of laser points, not of a well log")
    if not encoding.startswith("utf-16"):
        data = data.rstrip(b"\0\x1a").replace(b"\x1a", b" ")  # DOS ended files with Ctrl-Z
        if b"\0" in data and not _SECTION.search(data):
            raise LasError(f"{path}: not a LAS file: bytes that are no text, and no section (~)")
        data = data.replace(b"\0", b" ")
    return Text(path=path, data=data, encoding=encoding)


def quoted(text: str) -> str:
    """Quote a piece of a file for an error message, cut to `SHOWN` characters."""
    text = " ".join(text[: 4 * SHOWN].split())
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")


def _encoding(data: bytes) -> str:
    """Return the encoding of a text, from its byte order mark or from the bytes beyond ASCII."""
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            return name
    start = data[:256]
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(start) > 8 and start[first::2].count(0) > 0.4 * len(start):
            return name
    if data.isascii():
        return "ascii"
    beyond = re.findall(rb"[\x80-\xff]+", data)
    count = sum(map(len, beyond))
    if data.decode(errors="replace").count("\N{REPLACEMENT CHARACTER}") <= count / 4:
        return "utf-8"
    words = [run for run in beyond if len(run) > 1]  # an accent stands alone, Cyrillic in words
    if sum(map(len, words)) < count / 2:
        return "cp1252"
    together = b"".join(words)
    return max(("cp1251", "cp866"), key=lambda name: _cyrillic(together, name))


def _cyrillic(data: bytes, encoding: str) -> int:
    """Count the Russian letters in a decoding of `data`."""
    return len(re.findall("[А-яЁё]", data.decode(encoding, errors="replace")))

"""Reading LAS files as they come from the field."""

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lasio
import numpy as np
from jaxtyping import Float
from lasio.reader import read_header_line
from numpy import ndarray

from veernet.errors import LasError

MAX_BYTES = 256 * 2**20
"""The largest file read unless told otherwise."""

HEADER_LINES, REPEATS = 4000, 100
"""Most lines of the sections that hold no data, and how often one mnemonic may stand there."""

NULLS = (-999.25, -9999.25, -9999.0, -999.0, -99999.0)
"""What stands for no value besides the header's own NULL."""

Unit = Literal["ft", "m"]
"""Of depth."""

FEET: dict[Unit, float] = {"ft": 1.0, "m": 1 / 0.3048}
"""In one of them."""

_UNITS: dict[str, Unit] = {
    **dict.fromkeys(("F", "FT", "FEET", "FOOT"), "ft"),
    **dict.fromkeys(("M", "MT", "MTR", "METER", "METERS", "METRE", "METRES"), "m"),
}


@dataclass(frozen=True, kw_only=True)
class Las:
    """The curves of a well by depth.

    depth:  increasing, in `unit`
    curves: by mnemonic, one value a depth, NaN where there is none; a mnemonic that occurs twice
            has `:1`, `:2`, … behind it
    """

    depth: Float[ndarray, "n"]
    unit: Unit
    curves: dict[str, Float[ndarray, "n"]]

    def at(self, mnemonic: str, depth: Float[ndarray, "m"], *, unit: Unit) -> Float[ndarray, "m"]:
        """A curve at depths in any unit, linear between its own; NaN outside them."""
        own = depth * FEET[unit] / FEET[self.unit]
        return np.interp(own, self.depth, self.curves[mnemonic], left=np.nan, right=np.nan)


def read_las(path: Path, *, max_bytes: int = MAX_BYTES) -> Las:
    """Read a LAS file of version 1.2, 2.0 or 3.0, through the dirt that headers have.

    Args:
        max_bytes: a larger file is refused before it is read.

    Raises:
        LasError: no such file, too large, not LAS, with text where numbers belong, without a
            unit of depth, or with depths that do not run one way.
    """
    _check(path, max_bytes)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file: Any = lasio.read(str(path), ignore_header_errors=True, engine="normal")
            columns: dict[str, ndarray] = {
                one.mnemonic: np.asarray(one.data) for one in file.curves
            }
            units: list[Any] = [
                file.curves[0].unit,
                file.well["STRT"].unit if "STRT" in file.well else "",
            ]
            null = float(file.well["NULL"].value) if "NULL" in file.well else np.nan
    except Exception as broken:  # lasio raises anything from KeyError to AttributeError
        raise LasError(f"{path}: not a readable LAS file ({broken})") from broken
    (name, index), *rest = columns.items()
    depth = _numbers(path, name, index, null)
    if len(depth) < 2 or not np.isfinite(depth).all():
        raise LasError(f"{path}: {len(depth)} depths, some without a value; needs two and more")
    order = slice(None, None, -1) if depth[0] > depth[-1] else slice(None)
    if not (np.diff(depth[order]) > 0).all():
        raise LasError(f"{path}: its depths ({name}) neither increase nor decrease throughout")
    return Las(
        depth=depth[order],
        unit=_unit(path, units),
        curves={name: _numbers(path, name, column, null)[order] for name, column in rest},
    )


@dataclass(frozen=True, kw_only=True)
class Item:
    """A line of a header; all of it as it is written, numbers too."""

    mnemonic: str
    value: str
    unit: str = ""
    description: str = ""


def read_header(path: Path, *, max_bytes: int = MAX_BYTES) -> dict[str, list[Item]]:
    """The lines of the sections ~W (well) and ~P (parameters) of a LAS file, by those letters.

    Lines that are not of the form MNEM.UNIT VALUE : DESCRIPTION are passed over.

    Raises:
        LasError: no such file, too large, or not LAS.
    """
    _check(path, max_bytes)
    found = dict[str, list[Item]](W=[], P=[])
    with path.open("rb") as file:
        for section, line in _header_lines(file):
            item = _item(line) if section in found else None
            if item is not None:
                found[section].append(item)
    return found


def _item(line: bytes) -> Item | None:
    """What a line of a header says; None where it is none."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = line.decode("latin-1")
    try:
        one = read_header_line(text)
    except Exception:  # lasio raises anything for a line that is none
        return None
    name, unit, value, told = (one[key] for key in ("name", "unit", "value", "descr"))
    if not re.fullmatch(r"[^\s.:]+", name) or not (name + unit + value + told).isprintable():
        return None
    return Item(mnemonic=name, value=value, unit=unit, description=told)


def _check(path: Path, max_bytes: int) -> None:
    """Refuse what is no text, or has headers that lasio would not come to an end with: its time
    grows with the third power of how often a mnemonic is repeated."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(4096)
            if size > max_bytes:
                raise LasError(f"{path}: {size:,} bytes are more than the {max_bytes:,} allowed")
            if b"\0" in start or not re.search(rb"^[ \t]*~", start, re.MULTILINE):
                raise LasError(f"{path}: not a LAS file: no section (~) in its first 4,096 bytes")
            file.seek(0)
            lines = (line for _, line in _header_lines(file))
            names = Counter(line.partition(b".")[0].strip().upper() for line in lines)
    except FileNotFoundError as missing:
        raise LasError(f"{path}: no such LAS file") from missing
    ((name, times),) = names.most_common(1) or [(b"", 0)]
    if names.total() > HEADER_LINES or times > REPEATS:
        raise LasError(
            f"{path}: headers of {names.total():,} lines, with "
            f"{name[:40].decode(errors='replace')!r} {times:,} times; {HEADER_LINES:,} and "
            f"{REPEATS} are allowed"
        )


def _header_lines(lines: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """The lines of all sections but those that hold data, each after the letter of its section."""
    section, data = "", False
    for line in lines:
        text = line.strip()
        if text.startswith(b"~"):
            title = text.upper()
            section, data = title[1:2].decode("latin-1"), title[1:2] == b"A" or b"_DATA" in title
        elif text and not data and not text.startswith(b"#"):
            yield section, text


def _numbers(path: Path, name: str, column: ndarray, null: float) -> Float[ndarray, "n"]:
    """A column as numbers, NaN where it says that there is none."""
    try:
        values = np.array(column, dtype=float)
    except (ValueError, TypeError) as text:
        raise LasError(f"{path}: column {name} has text where a number belongs ({text})") from text
    absent = np.isin(values, [*NULLS, null]) | ~np.isfinite(values)
    return np.where(absent, np.nan, values)


def _unit(path: Path, found: list[Any]) -> Unit:
    for unit in found:
        known = _UNITS.get(str(unit).strip().strip(".").upper())
        if known:
            return known
    raise LasError(f"{path}: depth is in {' or '.join(map(repr, found))}; known are ft and m")

"""Reading LAS files as they come from the field."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from veernet.errors import LasError
from veernet.las.depth import FEET, Unit, check_column, depth_column, depth_scale, ordered
from veernet.las.header import OWN, Header, Item, Section, curve_items, number_of, read_sections
from veernet.las.layout import suits
from veernet.las.table import Table, contents, read_table, sample_of
from veernet.las.text import MAX_BYTES, SHOWN, Text, read_text

NULLS = (-999.25, -9999.25, -9999.0, -999.0, -99999.0)
"""Numbers that stand for no value, in addition to the header's own NULL."""

GAP = 10
"""Distance between consecutive depths, in units of the usual one, beyond which rows are missing."""

LISTED = 40
"""Most mnemonics that an error message lists."""


@dataclass(frozen=True, kw_only=True)
class Las:
    """The curves of a well by depth.

    depth:  increasing, in `unit`
    curves: by mnemonic in capitals, one value per depth, NaN where there is none; a mnemonic that
            occurs several times gets `:1`, `:2`, … appended, an empty one becomes UNKNOWN
    texts:  place of the text, by mnemonic, for curves with text in place of a number
    notes:  remarks for the user on how the file was read
    source: name of the file
    """

    depth: Float[ndarray, "n"]
    unit: Unit
    curves: Mapping[str, Float[ndarray, "n"]]
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: tuple[str, ...] = ()
    source: str = "the LAS file"

    def __contains__(self, name: str) -> bool:
        """Return whether any curve has that name: one, several, or one with text."""
        return bool(self._named(name))

    def find(self, name: str) -> str:
        """Return the mnemonic in `curves` of the curve of that name, ignoring case.

        Raises:
            LasError: no curve or several have the name, or the curve has text in it.
        """
        found = self._named(name)
        if not found:
            raise LasError(f"{self.source}: no curve {name}; it has {_listed(self._names)}")
        if len(found) > 1:
            raise LasError(
                f"{self.source}: curve {name} may be {_listed(found)}; say which in the "
                f'calibration, as las = "{found[0]}"'
            )
        if found[0] in self.texts:
            raise LasError(
                f"{self.source}: column {found[0]} has text where a number belongs: "
                f"{self.texts[found[0]]}"
            )
        return found[0]

    def at(self, name: str, depth: Float[ndarray, "m"], *, unit: Unit) -> Float[ndarray, "m"]:
        """Interpolate a curve linearly at depths in any unit; NaN outside its own depths, and
        between two that are more than `GAP` times as far apart as usual.

        Raises:
            LasError: not exactly one curve has that name.
        """
        own = depth * FEET[unit] / FEET[self.unit]
        values = self.curves[self.find(name)]
        found = np.interp(own, self.depth, values, left=np.nan, right=np.nan)
        steps = np.diff(self.depth)
        after = np.searchsorted(self.depth, own).clip(1, len(steps))
        is_gap = steps[after - 1] > GAP * np.median(steps)
        return np.where(is_gap & ~np.isin(own, self.depth), np.nan, found)

    @property
    def _names(self) -> list[str]:
        return [*self.curves, *self.texts]

    def _named(self, name: str) -> list[str]:
        wanted, names = name.strip().upper(), self._names
        if wanted in names:
            return [wanted]
        return [one for one in names if one.upper().rpartition(":")[0] == wanted]


@dataclass(frozen=True, kw_only=True)
class WellHeader:
    """Header of a LAS file: the items on its well, each mnemonic once, and the lines left out."""

    well: tuple[Item, ...]
    parameters: tuple[Item, ...]
    left_out: tuple[str, ...] = ()


def read_las(
    path: str | Path, *, depth_unit: Unit | None = None, max_bytes: int = MAX_BYTES
) -> Las:
    """Read a LAS file of version 1.2, 2.0 or 3.0, tolerating the faults that such files have.

    Time and memory are linear in the size of the file, whatever it contains.

    Args:
        depth_unit: unit of depth, for a file that gives no known one; it does not override one that
            the file gives.
        max_bytes: larger files are refused before reading.

    Raises:
        LasError: no such file, too large, not LAS, lines of different lengths, no unit of depth, or
            depths that neither increase nor decrease throughout.
    """
    path = Path(path)
    text = read_text(path, max_bytes=max_bytes)
    header = read_sections(text)
    data, notes = _data(path, header)
    curves, odd = _curves(text, header, data)
    index, remarks = depth_column(str(path), curves)
    null = header.well("NULL")
    number = number_of(null)
    table = read_table(
        str(path),
        _lines(text, data),
        len(curves),
        wrapped=header.wrapped,
        delimiter=header.delimiter,
        no_value={null.value.upper()} if number is None else set(),
    )
    notes += odd + remarks + _other_order(data, curves) + table.notes
    nulls = [*NULLS, *([] if number is None else [number])]
    for at, values in enumerate(table.columns):
        if at != index:
            values[np.isin(values, nulls) | ~np.isfinite(values)] = np.nan
    las = _las(path, header, curves, index, table, depth_unit)
    return replace(las, notes=(*notes, *las.notes))


def read_header(path: Path, *, max_bytes: int = MAX_BYTES) -> WellHeader:
    """Read the lines of the sections ~W (well) and ~P (parameters) of a LAS file.

    Leaves out lines that are not of the form MNEM.UNIT VALUE : DESCRIPTION, those with unprintable
    characters, and all but the first of each mnemonic.

    Raises:
        LasError: no such file, too large, or not LAS.
    """
    header = read_sections(read_text(path, max_bytes=max_bytes))
    well, well_left = _taken(header, "well")
    parameters, left = _taken(header, "parameters")
    return WellHeader(well=well, parameters=parameters, left_out=(*well_left, *left))


def _taken(
    header: Header, kind: Literal["well", "parameters"]
) -> tuple[tuple[Item, ...], list[str]]:
    """Return the items of a kind that can be written into another file, and why others cannot."""
    taken, left_out = dict[str, Item](), list[str]()
    for number, item in header.numbered(kind):
        if item is None or not _plain(item):
            left_out.append(f"line {number} of ~{kind[0].upper()} names nothing that LAS can hold")
        elif item != taken.setdefault(item.mnemonic.upper(), item) and item.mnemonic not in OWN:
            left_out.append(f"line {number} of ~{kind[0].upper()} has {item.mnemonic} again")
    return tuple(taken.values()), left_out


def _plain(item: Item) -> bool:
    """Return whether an item can be written into another file."""
    name = item.mnemonic
    texts = name + item.unit + item.value + item.description
    return bool(name) and not {*name} & {*" .:"} and texts.isprintable()


def _data(path: Path, header: Header) -> tuple[Section, list[str]]:
    """Return the section of the data, and notes on it."""
    found = header.of("data")
    if not found:
        names = ", ".join(f"~{section.name[:20]}" for section in header.sections[:LISTED])
        raise LasError(f"{path}: no section ~A with data; its sections are {names}")
    if len(found) == 1:
        return found[0], []
    lines = " and ".join(str(section.line) for section in found[:2])
    if header.version < 3:
        raise LasError(f"{path}: several sections with data, at lines {lines}; keep one of them")
    return found[0], [f"the first of {len(found)} sections with data was read, ~{found[0].name}"]


def _curves(text: Text, header: Header, data: Section) -> tuple[list[Item], list[str]]:
    """Return the curves of the data, the depth or time curve among them, and notes on them."""
    found = header.of("curves")
    defined = [one for one in found if data.definition == "".join(one.name.upper().split())]
    before = [one for one in found if one.line < data.line]
    section = next(iter(defined or before[::-1] or found), None)
    lines = [] if section is None else curve_items(section)
    sure, notes = [item for _, item, certain in lines if certain], list[str]()
    if len(sure) < len(lines):
        number = next(number for number, _, certain in lines if not certain)
        content = sample_of(contents(_lines(text, data)), len(lines))
        sample, wrapped = [line for _, line in content], header.wrapped
        if not suits(sample, len(sure), wrapped=wrapped):
            if not suits(sample, len(lines), wrapped=wrapped):
                raise LasError(
                    f"{text.path}: line {number} of ~C is not of the form MNEM.UNIT : DESCRIPTION, "
                    f"and the data have neither {len(sure)} nor {len(lines)} columns"
                )
            sure = [item for _, item, _ in lines]
        else:
            notes = [f"line {number} of ~C names no curve, and was passed over"]
    if not sure:
        raise LasError(f"{text.path}: no section ~C that names its curves")
    return sure, notes


def _other_order(data: Section, curves: list[Item]) -> list[str]:
    """Return a note if the line ~A names all the curves in another order than ~C."""
    names = [item.mnemonic.upper() for item in curves]
    words = [word for word in data.name.upper().replace(",", " ").split() if word in {*names}]
    if words == names or sorted(words) != sorted(names):
        return []
    return [
        f"the line ~A names its columns in another order, {_listed(words)}, than ~C, "
        f"{_listed(names)}; that of ~C was taken"
    ]


def _lines(text: Text, data: Section) -> Iterator[tuple[int, str]]:
    """Yield the lines of a section of data, with their numbers."""
    for number, line in islice(text.lines(), data.line, None):
        if "~" in line and line.lstrip().startswith("~"):
            return
        yield number, line


def _keys(curves: list[Item]) -> list[str]:
    """Return the mnemonics in capitals, numbered where one occurs several times."""
    names = [item.mnemonic.upper() or "UNKNOWN" for item in curves]
    times, seen = Counter(names), Counter[str]()
    keys = list[str]()
    for name in names:
        seen[name] += 1
        keys.append(f"{name}:{seen[name]}" if times[name] > 1 else name)
    return keys


def _las(
    path: Path, header: Header, curves: list[Item], index: int, table: Table, given: Unit | None
) -> Las:
    """Put the columns of a file in order of depth."""
    name, where = curves[index].mnemonic, str(path)
    if index in table.texts or index >= len(table.columns):
        found = table.texts.get(index, "its lines are too short")
        raise LasError(f"{path}: a depth ({name}) is no number: {found}")
    depth = table.columns[index]
    check_column(where, header, curves, index, table.columns)
    order, repeated = ordered(where, name, depth, table.lines)
    kept, notes = _without_repeated(where, name, table, index, repeated)
    ends = float(depth[0]), float(depth[-1])
    scale, remarks = depth_scale(where, header, curves[index], ends, given)
    notes += [*remarks, *_ended_early(header, ends, len(depth))]
    nothing = np.full(len(depth), np.nan)  # shared, as a header may announce any number of curves
    keys, columns = _keys(curves), table.columns
    return Las(
        depth=depth[kept][order] / scale.parts,
        unit=scale.unit,
        curves={
            key: columns[at][kept][order] if at < len(columns) else nothing[kept]
            for at, key in enumerate(keys)
            if at != index and at not in table.texts
        },
        texts={keys[at]: where for at, where in sorted(table.texts.items())},
        notes=tuple(notes),
        source=where,
    )


def _without_repeated(
    path: str, name: str, table: Table, index: int, repeated: Int[ndarray, "r"]
) -> tuple[slice | Bool[ndarray, "n"], list[str]]:
    """Return the rows without those that repeat the row before them, and a note of them.

    Raises:
        LasError: two rows of one depth have different values.
    """
    if not repeated.size:
        return slice(None), []
    for column in table.columns:
        here, before = column[repeated], column[repeated - 1]
        differ = (here != before) & ~(np.isnan(here) & np.isnan(before))
        if differ.any():
            row = int(repeated[differ][0])
            raise LasError(
                f"{path}: depth {table.columns[index][row]:g} ({name}) stands on line "
                f"{table.lines[row - 1]} and on line {table.lines[row]}, with different values; "
                "leave one out"
            )
    kept = np.ones(len(table.lines), dtype=bool)
    kept[repeated] = False
    if kept.sum() < 2:
        raise LasError(f"{path}: one depth ({name}) on all lines; needs two and more")
    count, line = len(repeated), table.lines[repeated[0]]
    rows = f"line {line} repeats the line" if count == 1 else f"{count} lines repeat the lines"
    return kept, [f"{rows} before, from line {line} on, and count{'s'[: count == 1]} once"]


def _ended_early(header: Header, ends: tuple[float, float], n: int) -> list[str]:
    """Return a note if the data begin where the header says, but end long before its other end."""
    start, stop = (number_of(header.well(name)) for name in ("STRT", "STOP"))
    (first, last), step = ends, abs(ends[1] - ends[0]) / (n - 1)
    if start is None or not stop or abs(start - first) > step:
        return []
    if (stop - last) * (1 if last > first else -1) <= 5 * step:
        return []
    return [f"its header promises depths to {stop:g}; its data end at {last:g}"]


def _listed(names: list[str]) -> str:
    more = f", and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(name[:SHOWN] for name in names[:LISTED]) + more

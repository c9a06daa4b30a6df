"""Parsing the data of a LAS file into columns of numbers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from veernet.errors import LasError
from veernet.las.layout import SAMPLE, Layout, layout_of
from veernet.las.text import quoted
from veernet.las.values import NO_VALUE, number_in

BLOCK = 2**16
"""Number of values converted to numbers at a time."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """The columns of the data.

    columns: one for each of the curves that have data, NaN where there is no number
    lines:   number of the line where the values at a depth begin
    texts:   first line with text, and that text, by the index of the column
    notes:   remarks for the user on how the data were read
    """

    columns: list[Float[ndarray, "n"]]
    lines: Int[ndarray, "n"]
    texts: dict[int, str]
    notes: list[str]


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """Data read so far."""

    path: str
    layout: Layout
    no_value: set[str]
    blocks: list[Float[ndarray, "r c"]] = field(default_factory=list[Float[ndarray, "r c"]])
    lines: list[Int[ndarray, "r"]] = field(default_factory=list[Int[ndarray, "r"]])
    texts: dict[int, str] = field(default_factory=dict[int, str])
    merged: list[int] = field(default_factory=list[int])
    """Number of the first line whose numbers cannot be separated, then of the last such line."""


def read_table(
    path: str,
    lines: Iterator[tuple[int, str]],
    n_curves: int,
    *,
    wrapped: bool | None,
    delimiter: str,
    no_value: set[str],
) -> Table:
    """Read the lines of the data of a file.

    Args:
        path: path of the file, for messages.
        lines: lines with their numbers; blank ones and comments are skipped.
        wrapped: value of WRAP in the header.
        delimiter: value of DLM in the header.
        no_value: further words for no value besides `NO_VALUE`, in capitals.

    Raises:
        LasError: there are no data, or a line has a wrong number of values.
    """
    content = contents(lines)
    sample = sample_of(content, n_curves)
    if not sample:
        raise LasError(f"{path}: no values after the line ~A")
    first = [line for _, line in sample]
    try:
        layout = layout_of(first, n_curves, wrapped=wrapped, named_delimiter=delimiter)
    except LasError as unclear:
        raise LasError(f"{path}: line {sample[0][0]}: {unclear}") from unclear
    reading = _Reading(path=path, layout=layout, no_value=NO_VALUE | no_value)
    rows = (_wrapped if layout.wrapped else _plain)(reading, chain(sample, content))
    size = BLOCK // layout.width + 1
    while block := [*islice(rows, size)]:
        _add(reading, block)
    texts = {index: found for index, found in reading.texts.items() if index < n_curves}
    if layout.width > n_curves and texts:
        index, found = min(texts.items())
        raise LasError(
            f"{path}: its lines have {layout.width} values and its header {n_curves} curves, and "
            f"there is text in column {index + 1} ({found}): no one can tell which value is of "
            "which curve. Put text of several words in double quotes, or leave it out"
        )
    columns = [
        np.concatenate([block[:, index] for block in reading.blocks])
        for index in range(min(layout.width, n_curves))
    ]
    return Table(
        columns=columns,
        lines=np.concatenate(reading.lines),
        texts=texts,
        notes=_notes(reading, n_curves, wrapped),
    )


def sample_of(content: Iterator[tuple[int, str]], n_curves: int) -> list[tuple[int, str]]:
    """Return the first lines, enough for three depths if lines are wrapped."""
    sample, count = list[tuple[int, str]](), 0
    for number, line in content:
        sample.append((number, line))
        count += len(line.split())
        if len(sample) >= SAMPLE and count >= 3 * n_curves:
            break
    return sample


def contents(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yield the lines of data that are neither blank nor a comment; tabs at their ends stay."""
    for number, line in lines:
        bare = line.strip()
        if bare and not bare.startswith("#"):
            yield number, line.strip(" \n")


def _plain(
    reading: _Reading, lines: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, list[str], bool]]:
    """Yield number and values of one line per depth, and True if a value may be no plain number."""
    layout, special = reading.layout, reading.layout.special
    for number, line in lines:
        simple = special is not None and not special.search(line)
        fields = line.split() if simple else layout.fields(line)
        if len(fields) != layout.width:
            repaired = layout.repaired(line)
            if repaired is None:
                raise LasError(_of_another_length(reading, number, line, lines))
            if repaired.count("NaN") > fields.count("NaN"):
                reading.merged[:] = [*(reading.merged[:1] or [number]), number]
            fields = repaired
        yield number, fields, "_" in line


def _of_another_length(
    reading: _Reading, number: int, line: str, rest: Iterator[tuple[int, str]]
) -> str:
    found, width = len(reading.layout.fields(line)), reading.layout.width
    values = f"{found} values where {width} belong ({quoted(line)})"
    end = "" if next(rest, None) else "; it is the last line: was the file cut off?"
    return f"{reading.path}: line {number} has {values}{end}"


def _wrapped(
    reading: _Reading, lines: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, list[str], bool]]:
    """Yield rows as `_plain` does, of several lines per depth; each depth begins a line."""
    layout, first, shape = reading.layout, 0, list[int]()
    values, lengths, odd = list[str](), list[int](), False
    special = layout.special
    for number, line in lines:
        simple = special is not None and not special.search(line)
        fields = line.split() if simple else layout.fields(line)
        if not values:
            first, odd, lengths = number, False, []
        values += fields
        lengths.append(len(fields))
        odd = odd or "_" in line
        if len(values) < layout.width:
            continue
        shape = shape or lengths
        if len(values) > layout.width or (layout.alike and lengths != shape):
            raise LasError(
                f"{reading.path}: lines {first} to {number} have {len(values)} values, in lines of "
                f"{_counted(lengths)}, where {layout.width} belong to a depth"
                + (f", as in the first lines, of {_counted(shape)}" if shape != lengths else "")
            )
        yield first, values, odd
        values = []
    if values:
        raise LasError(
            f"{reading.path}: lines {first} to the last have {len(values)} values where "
            f"{layout.width} belong to a depth: was the file cut off?"
        )


def _counted(lengths: list[int]) -> str:
    return ", ".join(map(str, lengths[:9])) + (", …" if len(lengths) > 9 else "")


def _add(reading: _Reading, rows: list[tuple[int, list[str], bool]]) -> None:
    """Convert rows to numbers, and append them to the columns."""
    values = [fields for _, fields, _ in rows]
    odd = any(odd for *_, odd in rows)
    try:
        if odd:
            raise ValueError
        flat = np.array([*chain.from_iterable(values)], dtype=float)
        block = flat.reshape(len(rows), reading.layout.width)
    except ValueError:
        columns = enumerate(zip(*values, strict=True))
        block = np.stack([_column(reading, *column, rows) for column in columns], axis=1)
    reading.blocks.append(block)
    reading.lines.append(np.array([number for number, *_ in rows]))


def _column(
    reading: _Reading,
    index: int,
    column: tuple[str, ...],
    rows: list[tuple[int, list[str], bool]],
) -> Float[ndarray, "r"]:
    if not any("_" in value for value in column):
        try:
            return np.array(column, dtype=float)
        except ValueError:
            pass
    numbers = list[float]()
    for (line, *_), value in zip(rows, column, strict=True):
        number = number_in(value, reading.no_value)
        if number is None:
            reading.texts.setdefault(index, f"line {line} has {quoted(value)}")
        numbers.append(np.nan if number is None else number)
    return np.array(numbers)


def _notes(reading: _Reading, n_curves: int, wrapped: bool | None) -> list[str]:
    layout, notes = reading.layout, list[str]()
    if layout.width > n_curves:
        notes.append(
            f"its lines have {layout.width} values and its header {n_curves} curves; the last "
            f"{layout.width - n_curves} of every line were left out"
        )
    elif layout.width < n_curves:
        notes.append(
            f"its lines have {layout.width} values and its header {n_curves} curves; the last "
            f"{n_curves - layout.width} curves have none"
        )
    if layout.wrapped and not wrapped:
        notes.append("its lines are wrapped, though WRAP does not say so")
    if reading.merged:
        notes.append(
            f"line {reading.merged[0]} and others, to line {reading.merged[-1]}, have numbers with "
            "no space between them, which were left out"
        )
    return notes

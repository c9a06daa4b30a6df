"""Layout of the lines of data: their division into values."""

import csv
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from veernet.errors import LasError
from veernet.las.text import quoted
from veernet.las.values import number_in

SAMPLE = 50
"""Number of first lines of the data from which the layout is found."""

_DELIMITERS = {
    **dict.fromkeys(("SPACE", "SPACES", "WHITESPACE"), " "),
    **dict.fromkeys(("COMMA", ","), ","),
    **dict.fromkeys(("TAB", "TABS"), "\t"),
    **dict.fromkeys(("SEMICOLON", ";"), ";"),
}
"""Delimiters by the value of DLM; a space stands for any run of spaces and tabs."""

_QUOTED = 100_000
"""Length up to which quotes in a line are respected, characters."""

_STARTS, _NUMERIC = "+-0123456789", {*"+-0123456789.,eEdD"}
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_RUN_ON = re.compile(r"(?<=[\d.])-(?=[\d.])")
_RUN_ON_DECIMAL = re.compile(r"(\.\d*)-(?=[\d.])")
_QUOTE, _DIVIDED = re.compile('"'), re.compile(f'"|{_RUN_ON_DECIMAL.pattern}')
_DATE = re.compile(r"\d{1,4}-\d{1,2}-\d{1,4}")
_OVERFLOW = re.compile(r"\*+")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Arrangement of values in the lines of the data.

    width:     number of values per line, or per depth where lines are wrapped
    delimiter: character between values
    commas:    True if values have decimal commas
    wrapped:   True if the values of one depth take several lines
    alike:     True if all depths then have lines of the same lengths, as they must where the header
               does not say that lines are wrapped
    """

    width: int
    delimiter: str = " "
    commas: bool = False
    wrapped: bool = False
    alike: bool = False

    @property
    def special(self) -> re.Pattern[str] | None:
        """Pattern of lines that need more than a split at spaces; None where every line does."""
        if self.delimiter != " " or self.commas:
            return None
        return _DIVIDED if self.wrapped else _QUOTE

    def fields(self, line: str) -> list[str]:
        """Return the values of a line."""
        if self.commas:
            line = line.replace(",", ".")
        if self.wrapped:
            line = _RUN_ON_DECIMAL.sub(r"\1 -", line)
        return fields_of(line, self.delimiter)

    def repaired(self, line: str) -> list[str] | None:
        """Repair a line that does not have `width` values; None if that fails.

        Drops a comment after the values, takes several words as the last value, keeps empty fields
        between tabs, or separates numbers that run together; NaN for those that cannot be.
        """
        if self.commas:
            line = line.replace(",", ".")
        found = fields_of(line, self.delimiter)
        if len(found) == self.width + 1 and not found[-1]:
            return found[:-1]
        if "\t" in line and len(tabbed := fields_of(line, "\t")) == self.width:
            return tabbed
        if len(found) > self.width:
            *values, last = found[: self.width]
            if found[self.width].startswith("#"):
                return [*values, last]
            words = self.delimiter == " " and number_in(last) is None
            return [*values, " ".join(found[self.width - 1 :])] if words else None
        dates = any(_DATE.fullmatch(field) for field in found)
        parted = _OVERFLOW.sub(" * ", line if dates else _RUN_ON.sub(" -", line))
        found = fields_of(parted, self.delimiter)
        if len(found) < self.width:
            found = [one for field in found for one in _unmerged(field)]
        return found if len(found) == self.width else None


def fields_of(line: str, delimiter: str) -> list[str]:
    """Split a line at its delimiter; text in double quotes is one value."""
    if '"' in line and len(line) < _QUOTED:
        line = line.replace("\t", " ") if delimiter == " " else line
        rows = csv.reader([line], delimiter=delimiter, skipinitialspace=True)
        return [one.strip() for one in next(rows)]
    if delimiter == " ":
        return line.split()
    return [one.strip() for one in line.split(delimiter)]


def _unmerged(field: str) -> list[str]:
    """Return one NaN per decimal point of a value that has several: numbers that run together, with
    no way to separate them."""
    points = field.count(".")
    digits = field.replace(".", "").lstrip("+-").isdigit()
    return ["NaN"] * points if points > 1 and digits else [field]


def layout_of(
    sample: list[str], n_curves: int, *, wrapped: bool | None, named_delimiter: str
) -> Layout:
    """Find the layout of data from their first lines.

    Args:
        wrapped: value of WRAP in the header.
        named_delimiter: delimiter that the header names.

    Raises:
        LasError: commas could be delimiters or decimal commas.
    """
    commas = _decimal_commas(sample)
    named = _DELIMITERS.get(named_delimiter)
    order = [*dict.fromkeys([named or " ", " ", ",", "\t", ";"])]
    for delimiter in order:
        layout = Layout(width=n_curves, delimiter=delimiter, commas=commas and delimiter != ",")
        if all(_suits(layout, line) for line in sample):
            return layout
    delimiter = named or (" " if commas or not _comma_delimited(sample) else ",")
    layout = Layout(width=n_curves, delimiter=delimiter, commas=commas and delimiter != ",")
    counts = Counter(len(layout.fields(line)) for line in sample)
    if 2 * counts[n_curves] >= len(sample) or all(layout.repaired(line) for line in sample):
        return layout
    ((width, _),) = counts.most_common(1)
    if len(counts) == 1:
        folds = n_curves % width == 0 and (wrapped or not _one_way(layout, sample))
        if not folds:
            if delimiter == "," and not named and not any("." in line for line in sample):
                raise LasError(
                    f"{quoted(sample[0])} has {width} values between commas, where the header has "
                    f"{n_curves} curves; the commas may be delimiters or decimal commas. Say "
                    "DLM. COMMA in ~Version, or write decimal points"
                )
            return Layout(width=width, delimiter=delimiter, commas=layout.commas)
    return Layout(
        width=n_curves,
        delimiter=delimiter,
        commas=layout.commas,
        wrapped=True,
        alike=not wrapped,
    )


def suits(sample: list[str], n_curves: int, *, wrapped: bool | None) -> bool:
    """Return whether some delimiter divides every line, or every few wrapped lines, into `n_curves`
    values."""
    if wrapped:
        count, counts = 0, set[int]()
        for line in sample:
            count += len(line.split())
            counts.add(count)
            count *= count < n_curves
        return max(counts, default=0) == n_curves
    return any(
        all(_suits(Layout(width=n_curves, delimiter=delimiter), line) for line in sample)
        for delimiter in (" ", ",", "\t", ";")
    )


def _suits(layout: Layout, line: str) -> bool:
    """Return whether a line has as many values as there are curves, and its delimiter is no
    other."""
    found = layout.fields(line)
    if len(found) == layout.width + 1 and not found[-1] and layout.delimiter != " ":
        found = found[:-1]
    if len(found) != layout.width:
        return False
    if layout.delimiter == " ":
        return not any(one[0] in ",;" or one[-1] in ",;" for one in found if one)
    if layout.delimiter == ",":  # and not numbers with decimal commas between spaces
        return not any(";" in one or (one[:1].isdigit() and " " in one) for one in found)
    return True


def _decimal_commas(sample: list[str]) -> bool:
    """Return whether commas in numbers are decimal commas, certainly neither delimiters nor
    thousands separators."""
    words = [one for line in sample for one in _RUN_ON.sub(" -", line).replace(";", " ").split()]
    numbers = [one for one in words if one[:1] in _STARTS and {*one} <= _NUMERIC]
    commas = [one for one in numbers if "," in one]
    if not commas or any("." in one or one.count(",") > 1 or one[-1] == "," for one in commas):
        return False
    return not all(_THOUSANDS.fullmatch(one) for one in commas)


def _comma_delimited(sample: list[str]) -> bool:
    """Return whether commas stand where a decimal comma cannot."""
    words = [one for line in sample for one in line.split() if "," in one]
    return any(one.count(",") > 1 or one[0] == "," or one[-1] == "," or "." in one for one in words)


def _one_way(layout: Layout, sample: list[str]) -> bool:
    """Return whether the first values of the lines increase throughout, or decrease."""
    try:
        firsts = [float(layout.fields(line)[0]) for line in sample]
    except (ValueError, IndexError):
        return False
    pairs = [*pairwise(firsts)]
    return all(a < b for a, b in pairs) or all(a > b for a, b in pairs)

"""Sections of a LAS file, and the lines of its headers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from veernet.errors import LasError
from veernet.las.text import Text

HEADER_LINES = 20_000
"""Most lines of the sections ~V, ~W, ~C and ~P together."""

OWN = ("STRT", "STOP", "STEP", "NULL")
"""Mnemonics of ~W that describe the data; their value stands before the colon in LAS 1.x too."""

Kind = Literal["version", "well", "curves", "parameters", "data", "other"]

_LETTERS: dict[str, Kind] = {
    "V": "version",
    "W": "well",
    "C": "curves",
    "P": "parameters",
    "A": "data",
}

_PARTS: dict[str, Kind] = {
    "DATA": "data",
    "DEFINITION": "curves",
    "PARAMETER": "parameters",
    "PARAMETERS": "parameters",
}
"""Ends of the names of sections in LAS 3.0."""

_OTHERS = ("COMMENT", "CORE", "CALIB", "PERFORATION")
"""Beginnings of section names whose first letter does not give their kind."""

_DESCRIPTIONS = {
    *("COMPANY", "WELL", "FIELD", "LOCATION", "PROVINCE", "COUNTY", "STATE", "COUNTRY"),
    *("SERVICE COMPANY", "DATE", "LOG DATE", "UNIQUE WELL ID", "API NUMBER"),
}
"""Descriptions that the standard gives to the items of ~W."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """A line of a header; all parts as written, numbers too."""

    mnemonic: str
    value: str
    unit: str = ""
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section: its kind and name, the number of its first line, and for a header its lines, each
    with its number."""

    kind: Kind
    name: str
    line: int
    lines: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    @property
    def definition(self) -> str:
        """Name of the section that defines its columns, as LAS 3.0 writes it: DATA | DEFINITION."""
        return "".join(self.name.partition("|")[2].upper().split())


@dataclass(frozen=True, kw_only=True)
class Header:
    """Sections of a file in their order.

    version:   version of LAS, 2.0 where the file gives none
    wrapped:   value of WRAP; None where there is none
    delimiter: value of DLM: SPACE, COMMA or TAB, or empty
    """

    sections: tuple[Section, ...]
    version: float
    wrapped: bool | None
    delimiter: str

    def of(self, kind: Kind) -> list[Section]:
        """Return the sections of a kind."""
        return [section for section in self.sections if section.kind == kind]

    def items(self, kind: Literal["well", "parameters"]) -> Iterator[Item]:
        """Yield the items of all sections of a kind; lines that are no items are skipped."""
        return (item for _, item in self.numbered(kind) if item is not None)

    def numbered(self, kind: Literal["well", "parameters"]) -> Iterator[tuple[int, Item | None]]:
        """Yield number and item of every line in the sections of a kind; None if it is no item."""
        for section in self.of(kind):
            for number, line in section.lines:
                item = item_of(line, kind)
                if item is not None and kind == "well" and self.version < 2:
                    item = _as_of_1(item)
                yield number, item

    def well(self, mnemonic: str) -> Item:
        """Return the first item of ~W with that mnemonic; an empty one where there is none."""
        return self._firsts.get(mnemonic, Item(mnemonic=mnemonic, value=""))

    @cached_property
    def _firsts(self) -> dict[str, Item]:
        firsts = dict[str, Item]()
        for item in self.items("well"):
            firsts.setdefault(item.mnemonic.upper(), item)
        return firsts


def read_sections(text: Text) -> Header:
    """Find the sections of a file, and read ~V.

    Raises:
        LasError: there are no sections, or more than `HEADER_LINES` header lines.
    """
    sections, section, count = list[Section](), None, 0
    for number, line in text.lines():
        if "~" in line and line.lstrip().startswith("~"):
            name = line.strip()[1:].strip()
            section = Section(kind=_kind(name), name=name, line=number)
            sections.append(section)
            count += 1
        elif section is not None and section.kind not in ("data", "other"):
            line = line.strip()
            if line and not line.startswith("#"):
                section.lines.append((number, line))
                count += 1
        if count > HEADER_LINES:
            raise LasError(
                f"{text.path}: headers of more than {HEADER_LINES:,} lines, at line {number:,}"
            )
    if not sections:
        raise LasError(f"{text.path}: not a LAS file: no section (a line that begins with ~)")
    version = _version_values(sections)
    number = re.search(r"\d+(\.\d+)?", version.get("VERS", "")[:99])
    return Header(
        sections=tuple(sections),
        version=float(number[0]) if number else 2.0,
        wrapped=version["WRAP"].upper().startswith("Y") if version.get("WRAP") else None,
        delimiter=version.get("DLM", "").upper(),
    )


def _version_values(sections: list[Section]) -> dict[str, str]:
    """Return the values of ~V by mnemonic, the first of each."""
    values = dict[str, str]()
    for section in sections:
        for _, line in section.lines if section.kind == "version" else ():
            item = item_of(line, "version")
            if item is not None:
                values.setdefault(item.mnemonic.upper(), item.value or item.unit)
    return values


def _kind(name: str) -> Kind:
    """Return the kind of a section from its name: ~A, ~Curve Information, ~LOG_DATA | …"""
    words = [*re.findall(r"\w+", name[:200].upper()), "", ""]
    word = "_".join(words[:2]) if words[0] == "LOG" else words[0]
    of, _, part = word.rpartition("_")
    if part in _PARTS and of in ("LOG", "ASCII", "ASCII_LOG", "A"):
        return _PARTS[part]
    if word.startswith(_OTHERS) or (part in _PARTS and of not in ("", "WELL", "CURVE")):
        return "other"
    return _LETTERS.get(word[:1], "other")


def item_of(line: str, kind: Kind) -> Item | None:
    """Parse a line of a header, MNEM.UNIT VALUE : DESCRIPTION; None if it has another form.

    The unit follows the first period without a space. The last colon ends the value, as a value may
    contain colons; in ~P it is the first colon that is not part of a time or an address.
    """
    line = line.replace("\t", " ").strip()
    colon = line.find(":")
    dot = _dot(line, kind)
    if dot < 0 and colon < 0:
        return None
    if dot < 0 or 0 <= colon < dot:
        name, value = line[:colon], line[colon + 1 :]
        return Item(mnemonic=name.strip(), value=value.strip())
    name, rest = line[:dot].removeprefix("."), line[dot + 1 :]
    unit = _unit(rest)
    after = rest[len(unit) :]
    if ":" in unit and (kind == "curves" or ":" not in after):
        end = unit.find(":") if kind == "curves" else unit.rfind(":")
        unit, after = unit[:end], f"{unit[end:]}{after}"
        end = 0
    elif kind == "parameters":
        end = _colon(after)
    else:
        end = after.rfind(":")
    value, description = (after, "") if end < 0 else (after[:end], after[end + 1 :])
    if unit != ".1IN" and unit.endswith("."):
        unit = unit.strip(".")
    return Item(
        mnemonic=name.strip(),
        value=value.strip(),
        unit=_bare(unit.strip()),
        description=description.strip(),
    )


def _dot(line: str, kind: Kind) -> int:
    """Return the place of the period that ends the mnemonic: the first; the second of two in ~C,
    except before a unit like .1IN; if the line begins with one, the next that follows a word."""
    first = line.find(".")
    if first == 0:
        second = line.find(".", 1)
        return second if 0 < second < len(line.split(" ", 1)[0]) else 0
    twice = line[first : first + 2] == ".." and first > 0 and line[first - 1] != " "
    if kind == "curves" and twice and not line[first + 2 : first + 3].isdigit():
        return first + 1
    return first


def _unit(rest: str) -> str:
    """Return the unit that a text begins with; it may be a number and a word, like 1000 lbf."""
    words = rest[:200].split(" ", 2)
    first = rest.split(" ", 1)[0]
    if first.isdigit() and len(words) > 1 and words[1][:1].isalpha():
        return f"{first} {words[1]}"
    return first


def _colon(text: str) -> int:
    """Return the place of the first colon outside times and addresses (12:30, hh:mm, http://), else
    of the last colon, else -1."""
    at = text.find(":")
    while at >= 0:
        before, after = text[at - 1 : at].lower(), text[at + 1 : at + 2].lower()
        time = (before.isdigit() and after.isdigit()) or (before, after) in (("h", "m"), ("m", "s"))
        if not time and text[at + 1 : at + 3] != "//":
            return at
        at = text.find(":", at + 1)
    return text.rfind(":")


def _bare(unit: str) -> str:
    """Strip brackets from a unit."""
    return unit[1:-1] if unit[:1] + unit[-1:] in ("[]", "()") else unit


def _as_of_1(item: Item) -> Item:
    """Convert an item of ~W from LAS 1.x, whose data follow the colon, unless it was written as in
    2.0, with a description of the standard after the colon."""
    behind, before = item.description, item.value
    as_in_2 = behind.upper() in _DESCRIPTIONS and before and before.upper() not in _DESCRIPTIONS
    if item.mnemonic.upper() in OWN or as_in_2:
        return item
    return Item(mnemonic=item.mnemonic, value=behind, unit=item.unit, description=before)


def number_of(item: Item) -> float | None:
    """Return the number in an item, wherever it stands in the line; None without one."""
    for text in (item.value, item.unit, item.description):
        try:
            return float(text.replace(",", "."))
        except ValueError:
            continue
    return None


def curve_items(section: Section) -> list[tuple[int, Item, bool]]:
    """Return the curves that a section defines: line number, item, True if it surely is a curve.

    A line without a period and a colon may be a curve or a remark.
    """
    found = list[tuple[int, Item, bool]]()
    for number, line in section.lines:
        item = item_of(line, "curves")
        bare = Item(mnemonic=line.split()[0], value="")
        found.append((number, item or bare, item is not None))
    return found

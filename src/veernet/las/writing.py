"""LAS 2.0 out: a header, depth, and curves by depth."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lasio
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from veernet.errors import OptionError
from veernet.files import atomic_write
from veernet.las.depth import Unit
from veernet.las.header import OWN, Item
from veernet.las.reading import read_header

NULL = -999.25
"""Stands for no value in a LAS file that is written."""


@dataclass(frozen=True, kw_only=True)
class LasHeader:
    """The header of a LAS file to write: items of the well."""

    items: Mapping[str, str] = field(default_factory=dict[str, str])
    """Values by mnemonic, like WELL, COMP, FLD, LOC, UWI; they come before those of `well`."""
    well: tuple[Item, ...] = ()
    """Items of the section ~Well; those of `OWN` are not taken."""
    parameters: tuple[Item, ...] = ()
    """Items of the section ~Parameter."""
    left_out: tuple[str, ...] = ()
    """Lines of the file that it was taken from which it does not hold, in words."""

    @staticmethod
    def from_las(path: Path, items: Mapping[str, str] | None = None) -> "LasHeader":
        """Take the header of a LAS file, with some items of one's own.

        Raises:
            LasError: it cannot be read.
            OptionError: an item of one's own is none.
        """
        found = read_header(path)
        return LasHeader(
            items=items or {},
            well=found.well,
            parameters=found.parameters,
            left_out=tuple(f"{path}: {line}; left out" for line in found.left_out),
        )

    def __post_init__(self) -> None:
        for name, value in self.items.items():
            if not re.fullmatch(r"[A-Za-z0-9_]+", name) or name.upper() in OWN:
                raise OptionError(
                    f"a header item is named by letters, digits and _, and is none of "
                    f"{', '.join(OWN)}; got {name!r}"
                )
            if not value.isprintable():
                raise OptionError(f"{name} of the header must be printable, got {value!r}")


@dataclass(frozen=True, kw_only=True)
class LasCurve:
    """A curve to write, by the depths of the file."""

    mnemonic: str
    unit: str = ""
    description: str = ""
    values: Float[ndarray, "n"]
    """NaN where there is none."""


def write_las(
    path: Path,
    depth: Float[ndarray, "n"],
    curves: Sequence[LasCurve],
    *,
    unit: Unit,
    step: float,
    decimals: int,
    header: LasHeader | None = None,
    other: Iterable[str] = (),
) -> None:
    """Write LAS 2.0: depth and one column per curve, `NULL` where there is no value.

    Args:
        decimals: digits behind the point of every number.
        other: lines of the section ~Other.
    """
    las = lasio.LASFile()
    well: Any = las.well
    well["NULL"].value = NULL
    if header is not None:
        _put_header(las, header)
    las.append_curve("DEPT", np.round(depth, decimals), unit=unit.upper(), descr="Depth")
    for curve in curves:
        rounded = np.round(curve.values, decimals)
        las.append_curve(curve.mnemonic, rounded, unit=curve.unit, descr=curve.description)
    las.other = "\n".join(other)
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        las.write(file, version=2.0, fmt=f"%.{decimals}f", STEP=step)


def _put_header(las: lasio.LASFile, header: LasHeader) -> None:
    for section, taken in ((las.well, header.well), (las.params, header.parameters)):
        into: Any = section
        for item in taken:
            if (name := item.mnemonic.upper()) not in OWN:
                value = item.value or " "  # lasio writes 0 for nothing with a unit
                into[name] = lasio.HeaderItem(name, item.unit, value, item.description)
    well: Any = las.well
    for name, value in header.items.items():
        if name.upper() in well:
            well[name.upper()].value = value
        else:
            well[name.upper()] = lasio.HeaderItem(name.upper(), value=value)

"""Curves by depth in the files that petrophysicists use."""

import csv
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lasio
import numpy as np

from veernet.curves.error import resample
from veernet.digitisation.calibration import Calibration
from veernet.digitisation.digitise import Digitisation
from veernet.errors import OptionError
from veernet.files import atomic_write
from veernet.las import OWN, Item, read_header

NULL = -999.25
"""Stands for no value in a LAS file."""

DECIMALS = 5
"""Digits behind the point of every number written; more where a scale or a step is very fine."""


def decimals(calibration: Calibration) -> int:
    """Digits behind the point that tell a ten-thousandth of every scale, and of the step."""
    finest = [calibration.depth.step]
    for curve in calibration.curves:
        edges = abs(curve.left), abs(curve.right)
        finest.append(min(edges) if curve.scale == "log" else abs(curve.right - curve.left))
    return max(DECIMALS, math.ceil(4 - math.log10(min(finest))))


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a LAS file says of its well."""

    items: Mapping[str, str] = field(default_factory=dict)
    """Values by mnemonic, like WELL, COMP, FLD, LOC, UWI; they come before those of `well`."""
    well: tuple[Item, ...] = ()
    """Of the section ~Well; those of `OWN` are not taken."""
    parameters: tuple[Item, ...] = ()
    """Of the section ~Parameter."""
    left_out: tuple[str, ...] = ()
    """Lines of the file that it was taken from which it does not hold, in words."""

    @staticmethod
    def like(path: Path, items: Mapping[str, str] | None = None) -> "Header":
        """That of a LAS file, with some items of one's own.

        Raises:
            LasError: it cannot be read.
            OptionError: an item of one's own is none.
        """
        found = read_header(path)
        return Header(
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

    def put(self, las: lasio.LASFile) -> None:
        """Write it into a file to be."""
        for section, taken in ((las.well, self.well), (las.params, self.parameters)):
            into: Any = section
            for item in taken:
                if (name := item.mnemonic.upper()) not in OWN:
                    value = item.value or " "  # lasio writes 0 for nothing with a unit
                    into[name] = lasio.HeaderItem(name, item.unit, value, item.description)
        well: Any = las.well
        for name, value in self.items.items():
            if name.upper() in well:
                well[name.upper()].value = value
            else:
                well[name.upper()] = lasio.HeaderItem(name.upper(), value=value)


def write_las(
    path: Path,
    digitised: Digitisation,
    *,
    header: Header | None = None,
    confidence: bool = False,
) -> None:
    """Write LAS 2.0: depth and one column a curve, `NULL` where there is no value. Listed under
    ~Other are the depths where curves go round their tracks, and how often they have then, and the
    stretches in which they are off scale.

    Args:
        confidence: add a column a curve that says how sure it is, 0 to 1.
    """
    unit, digits = digitised.calibration.depth.unit.upper(), decimals(digitised.calibration)
    las = lasio.LASFile()
    well: Any = las.well
    well["NULL"].value = NULL
    (header or Header()).put(las)
    las.append_curve("DEPT", np.round(digitised.depth, digits), unit=unit, descr="Depth")
    for curve, values in zip(digitised.calibration.curves, digitised.values, strict=True):
        rounded = np.round(values, digits)
        las.append_curve(curve.mnemonic, rounded, unit=curve.unit, descr=curve.description)
    for curve, sure in zip(digitised.calibration.curves, digitised.confidence, strict=True):
        if confidence:
            name, told = f"{curve.mnemonic}_CONF", f"Confidence of {curve.mnemonic}, 0 to 1"
            las.append_curve(name, np.round(sure, digits), descr=told)
    las.other = "\n".join(_other(digitised, digits))
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        las.write(file, version=2.0, fmt=f"%.{digits}f", STEP=digitised.calibration.depth.step)


def _other(digitised: Digitisation, digits: int) -> Iterator[str]:
    """What is said of the curves in words, a line each."""
    names = [curve.mnemonic for curve in digitised.calibration.curves]
    for name, rounds in zip(names, digitised.wraps, strict=True):
        for depth, lap in rounds:
            yield f"{name} goes round its track: {depth:.{digits}f} {lap:+d}"
    for name, one in zip(names, digitised.readings, strict=True):
        for stretch in one.off_scale:
            ends = f"{stretch.first:.{digits}f} {stretch.last:.{digits}f}"
            yield f"{name} is off scale at the {stretch.edge} edge: {ends}"


def write_csv(path: Path, digitised: Digitisation, *, points: int | None = None) -> None:
    """Write depth, every curve and its confidence as CSV; no value is an empty field.

    Args:
        points: draw the curves out to so many depths, evenly from the first to the last.
    """
    unit, digits = digitised.calibration.depth.unit, decimals(digitised.calibration)
    names = [curve.mnemonic for curve in digitised.calibration.curves]
    columns = np.concatenate([digitised.depth[None], digitised.values, digitised.confidence])
    if points is not None:
        columns = np.stack([resample(column, points) for column in columns])
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([f"DEPT_{unit}", *names, *(f"{name}_confidence" for name in names)])
        for row in columns.T:
            rows.writerow("" if np.isnan(x) else f"{x:.{digits}f}" for x in row)

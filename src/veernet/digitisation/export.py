"""Curves by depth in the files that petrophysicists use: LAS and CSV."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from veernet.curves.error import resample
from veernet.digitisation.calibration import Calibration
from veernet.digitisation.digitise import Digitisation
from veernet.files import atomic_write
from veernet.las import LasCurve, LasHeader, write_las

DECIMALS = 5
"""Digits behind the point of every number written; more where a scale or a step is very fine."""


def decimals(calibration: Calibration) -> int:
    """Digits behind the point that tell a ten-thousandth of every scale, and of the step."""
    finest = [calibration.depth.step]
    for curve in calibration.curves:
        edges = abs(curve.left), abs(curve.right)
        finest.append(min(edges) if curve.scale == "log" else abs(curve.right - curve.left))
    return max(DECIMALS, math.ceil(4 - math.log10(min(finest))))


def export_las(
    path: Path,
    digitised: Digitisation,
    *,
    header: LasHeader | None = None,
    confidence: bool = False,
) -> None:
    """Write LAS 2.0. Listed under ~Other are the depths where curves wrap, with the number of wraps
    from there on, and the stretches in which they are off scale.

    Args:
        confidence: add a column per curve that says how sure it is, 0 to 1.
    """
    settings, digits = digitised.calibration, decimals(digitised.calibration)
    curves = [
        LasCurve(
            mnemonic=curve.mnemonic, unit=curve.unit, description=curve.description, values=values
        )
        for curve, values in zip(settings.curves, digitised.values, strict=True)
    ]
    if confidence:
        curves += [
            LasCurve(
                mnemonic=f"{curve.mnemonic}_CONF",
                description=f"Confidence of {curve.mnemonic}, 0 to 1",
                values=sure,
            )
            for curve, sure in zip(settings.curves, digitised.confidence, strict=True)
        ]
    write_las(
        path,
        digitised.depth,
        curves,
        unit=settings.depth.unit,
        step=settings.depth.step,
        decimals=digits,
        header=header,
        other=_other(digitised, digits),
    )


def _other(digitised: Digitisation, digits: int) -> Iterator[str]:
    """Remarks on the curves in words, one per line."""
    names = [curve.mnemonic for curve in digitised.calibration.curves]
    for name, wraps in zip(names, digitised.wraps, strict=True):
        for depth, count in wraps:
            yield f"{name} wraps (backup scale): {depth:.{digits}f} {count:+d}"
    for name, reading in zip(names, digitised.readings, strict=True):
        for stretch in reading.off_scale:
            ends = f"{stretch.first:.{digits}f} {stretch.last:.{digits}f}"
            yield f"{name} is off scale at the {stretch.edge} edge: {ends}"


def export_csv(path: Path, digitised: Digitisation, *, points: int | None = None) -> None:
    """Write depth, every curve and its confidence as CSV; no value is an empty field.

    Args:
        points: resample the curves to so many depths, evenly from the first to the last.
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

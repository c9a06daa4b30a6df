"""Result of digitising a scan: curves by depth, as arrays, as a table, and as LAS and CSV files."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from veernet.curves.error import resample
from veernet.curves.wraps import printed_rows
from veernet.digitisation.calibration import Calibration
from veernet.digitisation.doubts import DOUBTFUL, Doubt, doubts_of
from veernet.digitisation.origin import Origin
from veernet.errors import OptionError
from veernet.files import atomic_write
from veernet.las import LasCurve, LasHeader, write_las

if TYPE_CHECKING:
    from pandas import DataFrame

DECIMALS = 5
"""Digits behind the point of every number written; more where a scale or a step is very fine."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Depths over which a curve is off scale, on one edge of its track."""

    first: float
    """Shallowest depth, in the unit of the calibration."""
    last: float
    """Deepest depth."""
    edge: Literal["left", "right"]
    """Edge of the track on which the curve lies."""


@dataclass(frozen=True, kw_only=True)
class TrackReading:
    """One curve as read from its track, column by column, with depth to the right.

    grey:       grey levels of the track, 255 = paper
    positions:  position of the curve across the track, 0 at its left edge and 1 at its right one,
                and beyond these where the curve has wrapped; NaN where it was not found
    confidence: probability of the curve along its path, 0 to 1; 0 where it is off scale
    beyond:     1 where the curve lies on the right edge, -1 on the left edge, 0 elsewhere
    depth:      depth of each column
    scale:      scale at which the network saw the track, 1 = as scanned
    reasons:    what puts each column in doubt where its confidence is low, as numbers of `REASONS`
    twins:      curves of the track from which nothing in the calibration tells this one
    """

    grey: UInt8[ndarray, "h w"]
    positions: Float[ndarray, "w"]
    confidence: Float[ndarray, "w"]
    beyond: Int[ndarray, "w"]
    depth: Float[ndarray, "w"]
    scale: float
    reasons: Int[ndarray, "w"]
    twins: tuple[str, ...]

    @property
    def rows(self) -> Float[ndarray, "w"]:
        """Rows of the curve's centre on the track; NaN also where it wraps, to interrupt its
        line."""
        height = len(self.grey) - 1
        return printed_rows(height * (1 - self.positions), (0, height))

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Stretches in doubt on scale, from the shallowest to the deepest."""
        doubtful = (self.confidence < DOUBTFUL) & (self.beyond == 0)
        return doubts_of(self.depth, doubtful, self.reasons)

    @property
    def off_scale(self) -> tuple[Stretch, ...]:
        """Stretches where the curve is off scale, from the shallowest to the deepest."""
        begin = np.flatnonzero(np.diff(self.beyond, prepend=0))
        ends = [*begin[1:].tolist(), len(self.beyond)]
        return tuple(
            Stretch(
                first=float(self.depth[a]),
                last=float(self.depth[b - 1]),
                edge="right" if self.beyond[a] > 0 else "left",
            )
            for a, b in zip(begin.tolist(), ends, strict=False)
            if self.beyond[a] != 0
        )


@dataclass(frozen=True, kw_only=True)
class Digitisation:
    """The curves of one scan, in the order of the calibration.

    depth:      multiples of the calibration's step, over all tracks
    values:     value of each curve at each depth, in the curve's unit; NaN where it was not found
    confidence: probability of the curve along its path, 0 to 1; 0 where it is off scale, NaN
                outside its track
    beyond:     1 where a curve lies on the right edge, -1 on the left edge, 0 elsewhere
    wraps:      for each curve with a backup scale, the depths at which it wraps, each with the wrap
                count from there on: 1 beyond the right edge, -1 beyond the left one
    readings:   reading of each curve from its track
    origin:     weights, scan and calibration from which it comes
    """

    calibration: Calibration
    depth: Float[ndarray, "n"]
    values: Float[ndarray, "K n"]
    confidence: Float[ndarray, "K n"]
    beyond: Int[ndarray, "K n"]
    wraps: tuple[tuple[tuple[float, int], ...], ...]
    readings: tuple[TrackReading, ...]
    origin: Origin

    def to_las(
        self,
        path: str | Path,
        *,
        header: LasHeader | None = None,
        confidence: bool = False,
    ) -> None:
        """Write LAS 2.0. Listed under ~Other are the version, weights, scan and calibration, the
        depths where curves wrap, with the number of wraps from there on, and the stretches in which
        they are in doubt or off scale.

        Args:
            confidence: add a column per curve that says how sure it is, 0 to 1.
        """
        settings, digits = self.calibration, decimals(self.calibration)
        curves = [
            LasCurve(
                mnemonic=curve.mnemonic,
                unit=curve.unit,
                description=curve.description,
                values=values,
            )
            for curve, values in zip(settings.curves, self.values, strict=True)
        ]
        if confidence:
            curves += [
                LasCurve(
                    mnemonic=f"{curve.mnemonic}_CONF",
                    description=f"Confidence of {curve.mnemonic}, 0 to 1",
                    values=sure,
                )
                for curve, sure in zip(settings.curves, self.confidence, strict=True)
            ]
        write_las(
            Path(path),
            self.depth,
            curves,
            unit=settings.depth.unit,
            step=settings.depth.step,
            decimals=digits,
            header=header,
            other=_remarks(self, digits),
        )

    def to_csv(self, path: str | Path, *, points: int | None = None) -> None:
        """Write depth, every curve and its confidence as CSV; no value is an empty field.

        Args:
            points: resample the curves to so many depths, evenly from the first to the last.

        Raises:
            OptionError: fewer than two points are asked for.
        """
        if points is not None and points < 2:
            raise OptionError(f"points must be at least 2, the first and the last; got {points}")
        unit, digits = self.calibration.depth.unit, decimals(self.calibration)
        names = [curve.mnemonic for curve in self.calibration.curves]
        columns = np.concatenate([self.depth[None], self.values, self.confidence])
        if points is not None:
            columns = np.stack([resample(column, points) for column in columns])
        with (
            atomic_write(Path(path)) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            rows = csv.writer(file)
            rows.writerow([f"DEPT_{unit}", *names, *(f"{name}_confidence" for name in names)])
            for row in columns.T:
                rows.writerow("" if np.isnan(x) else f"{x:.{digits}f}" for x in row)

    def to_dataframe(self) -> "DataFrame":
        """Return the curves as a table of pandas: one row per depth, one column per curve, and one
        for its confidence (`GR_confidence`). The index is the depth, named after its unit
        (`DEPT_ft`).

        Raises:
            ModuleNotFoundError: pandas is not installed; VeerNet needs it for this alone.
        """
        from pandas import DataFrame, Index

        names = [curve.mnemonic for curve in self.calibration.curves]
        columns = dict(zip(names, self.values, strict=True))
        sure = zip((f"{name}_confidence" for name in names), self.confidence, strict=True)
        index = Index(self.depth, name=f"DEPT_{self.calibration.depth.unit}")
        return DataFrame({**columns, **dict(sure)}, index=index)


def decimals(calibration: Calibration) -> int:
    """Digits behind the point that tell a ten-thousandth of every scale, and of the step."""
    scales = (edges.finest for curve in calibration.curves for edges in curve.edges)
    finest = min(calibration.depth.step, *scales)
    return max(DECIMALS, math.ceil(4 - math.log10(finest)))


def _remarks(digitised: Digitisation, digits: int) -> Iterator[str]:
    """Remarks on the origin and the curves in words, one per line."""
    yield from digitised.origin.lines()
    if digitised.calibration.section:
        yield f"section {digitised.calibration.section}"
    names = [curve.mnemonic for curve in digitised.calibration.curves]
    for name, wraps in zip(names, digitised.wraps, strict=True):
        for depth, count in wraps:
            yield f"{name} wraps (backup scale): {depth:.{digits}f} {count:+d}"
    for name, reading in zip(names, digitised.readings, strict=True):
        for twin in reading.twins:
            yield f"{name} and {twin}: nothing in the calibration tells one from the other"
        for doubt in reading.doubts:
            ends = f"{doubt.first:.{digits}f} {doubt.last:.{digits}f}"
            yield f"{name} is in doubt, {doubt.why}: {ends}"
        for stretch in reading.off_scale:
            ends = f"{stretch.first:.{digits}f} {stretch.last:.{digits}f}"
            yield f"{name} is off scale at the {stretch.edge} edge: {ends}"

"""What is known of the curves of one strip."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from veernet.data.batch import UNLABELLED
from veernet.data.columns import band, give
from veernet.digitise.strip import Strip


@dataclass(frozen=True, kw_only=True)
class Traced:
    """One curve of a strip, found on its ink.

    positions: across the track, 0 at the lower edge and 1 at the upper one, beyond where the curve
               went round; NaN where there is none
    on_ink:    columns where it was found
    expected:  columns where there should be one
    unknown:   columns where it may be, and was not found
    """

    positions: Float[ndarray, "w"]
    on_ink: Bool[ndarray, "w"]
    expected: Bool[ndarray, "w"]
    unknown: Bool[ndarray, "w"]
    pen: float
    """Width of its line, px."""
    offset: tuple[int, int] = (0, 0)
    """Columns to the right and rows down that the print lies from where it was expected."""

    @property
    def share(self) -> float:
        """Of the columns that should have the curve, those where it was found."""
        return float(self.on_ink[self.expected].mean()) if self.expected.any() else 0.0

    def laps(self) -> Float[ndarray, "w"]:
        """How often it has gone round the track, NaN where there is none."""
        return np.floor(self.positions)

    def printed(self) -> Bool[ndarray, "w"]:
        """Columns where its line is in one piece with the column before."""
        laps = self.laps()
        jumps = np.diff(laps, prepend=laps[:1]) != 0  # NaN differs from everything
        return self.on_ink & np.isfinite(self.positions) & (~jumps | np.isnan(np.roll(laps, 1)))


def rows_of(strip: Strip, traced: Traced) -> Float[ndarray, "w"]:
    """Row of the line's centre in every column where it is printed; NaN elsewhere."""
    heights = traced.positions - traced.laps()
    return np.where(traced.printed(), strip.bottom - heights * strip.height, np.nan)


def paint_labels(strip: Strip, curves: dict[int, Traced]) -> UInt8[ndarray, "h w"]:
    """Class indices: every curve as wide as its pen, as the class that is its key.

    A column in which one of them may be and was not found is not labelled at all: its ink would be
    called background. The first class is on top.
    """
    mask = np.zeros(strip.grey.shape, np.uint8)
    for index, traced in sorted(curves.items(), reverse=True):
        rows = strip.bottom - traced.positions * strip.height
        seen = np.isfinite(traced.positions)
        laps = traced.laps()[seen].astype(int)
        for lap in range(laps.min(initial=0), laps.max(initial=0) + 1):
            edges = {"first": max(0, strip.top - 2), "last": min(strip.bottom + 2, len(mask) - 1)}
            give(mask, band(rows + lap * strip.height, width=traced.pen, **edges), index)
    for traced in curves.values():
        mask[:, traced.unknown] = UNLABELLED
    return mask

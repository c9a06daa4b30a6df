"""What is known of the curves of one strip."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from veernet.data.batch import UNLABELLED
from veernet.data.columns import bands, give
from veernet.digitise.strip import Strip
from veernet.digitise.track import Track


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


Tracer = Callable[[Strip, Track], dict[int, Traced]]
"""Finds the curves of a track, by class, in the strip that was cut out for it."""


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
        laps = traced.laps()
        for covered in bands(
            strip.bottom - traced.positions * strip.height,
            laps[np.isfinite(laps)].astype(np.int64),
            turn=strip.height,
            width=traced.pen,
            first=max(0, strip.top - 2),
            last=min(strip.bottom + 2, len(mask) - 1),
        ):
            give(mask, covered, index)
    for traced in curves.values():
        mask[:, traced.unknown] = UNLABELLED
    return mask

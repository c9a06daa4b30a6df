"""Curves given as one row per column, with gaps: as polylines, and as pixels of a picture."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray


def polylines(rows: Float[ndarray, "w"]) -> list[Float[ndarray, "_ 2"]]:
    """Return the (x, y) points of every unbroken stretch of a curve; NaN breaks it."""
    x = np.flatnonzero(np.isfinite(rows))
    stretches = np.split(x, np.flatnonzero(np.diff(x) > 1) + 1)
    return [np.stack([part, rows[part]], axis=1) for part in stretches if len(part)]


@dataclass(frozen=True, kw_only=True)
class StrokePixels:
    """Pixels covered by a line of some width, each once."""

    y: Int[ndarray, "n"]
    x: Int[ndarray, "n"]
    coverage: Float[ndarray, "n"]
    """Fraction of each pixel's height that the line covers, 0 to 1."""
    arc_length: Float[ndarray, "n"]
    """Length of the line up to each pixel, px."""


def stroke_pixels(
    rows: Float[ndarray, "w"],
    *,
    width: float,
    first: Int[ndarray, "w"] | int,
    last: Int[ndarray, "w"] | int,
) -> StrokePixels:
    """Find the pixels covered by a stroke of `width` px through `rows`, clipped to rows
    `first`..`last` of each column. The width is measured across the stroke's own direction.

    In each column the stroke is as high as its slope makes it, reaches at least half way to its
    neighbours, and ends at most half a width beyond them: it is connected, and spikes stay sharp.
    """
    before, after = _neighbours(rows)
    slope = (after - before) / 2
    half = width / 2 * np.hypot(1, slope)
    lowest, highest = (
        np.stack([before, rows, after]).min(0),
        np.stack([before, rows, after]).max(0),
    )
    top = np.minimum(np.maximum(rows - half, lowest - width / 2), (rows + lowest) / 2)
    bottom = np.maximum(np.minimum(rows + half, highest + width / 2), (rows + highest) / 2)
    length = np.hypot(1, np.diff(rows, prepend=rows[:1]))
    along = np.cumsum(np.nan_to_num(length, nan=1.0))

    x = np.flatnonzero(np.isfinite(rows))
    start = np.maximum(np.floor(top + 0.5), first)[x].astype(np.int64)
    stop = np.minimum(np.ceil(bottom - 0.5), last)[x].astype(np.int64) + 1
    n = np.maximum(stop - start, 0)
    x = np.repeat(x, n)
    y = np.arange(len(x)) - np.repeat(np.cumsum(n) - n - start, n)
    share = np.minimum(y + 0.5, bottom[x]) - np.maximum(y - 0.5, top[x])
    aside = (y - rows[x]) * slope[x] / np.hypot(1, slope[x])
    return StrokePixels(y=y, x=x, coverage=share.clip(0, 1), arc_length=along[x] + aside)


def wrapped_stroke_pixels(
    course: Float[ndarray, "w"],
    wraps: Int[ndarray, "n"],
    *,
    wrap_height: float,
    width: float,
    first: Int[ndarray, "w"] | int,
    last: Int[ndarray, "w"] | int,
) -> Iterator[StrokePixels]:
    """Yield the pixels of a stroke that wraps between rows `first` and `last`: one band per wrap
    count from the least to the greatest of `wraps`, each `wrap_height` rows lower, clipped to these
    rows."""
    for lap in range(wraps.min(initial=0), wraps.max(initial=0) + 1):
        yield stroke_pixels(course + lap * wrap_height, width=width, first=first, last=last)


def draw_mask(
    mask: UInt8[ndarray, "h w"], rows: Float[ndarray, "w"], *, index: int, width: float
) -> None:
    """Draw a curve as pixels of class `index`: those that its stroke covers by half or more."""
    line = stroke_pixels(rows, width=width, first=0, last=len(mask) - 1)
    paint_class(mask, line, index)


def paint_class(mask: UInt8[ndarray, "h w"], line: StrokePixels, index: int) -> None:
    """Assign class `index` to the pixels that a stroke covers by half or more."""
    covered = line.coverage > 0.5 - 1e-6  # two pixels covered by half both count
    mask[line.y[covered], line.x[covered]] = index


def _neighbours(rows: Float[ndarray, "w"]) -> tuple[Float[ndarray, "w"], Float[ndarray, "w"]]:
    """Return the rows one column before and after; a column's own where there is none."""
    before, after = np.roll(rows, 1), np.roll(rows, -1)
    before[:1], after[-1:] = np.nan, np.nan
    return np.where(np.isnan(before), rows, before), np.where(np.isnan(after), rows, after)

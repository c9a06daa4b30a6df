"""Snap a curve that is known by depth to the ink of a scan."""

import cv2
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from veernet.curves.strokes import polylines
from veernet.curves.trace import best_path
from veernet.curves.wraps import count_wraps
from veernet.digitisation.strip import Strip
from veernet.label.labels import TracedCurve

DEPTH_OFFSETS, VALUE_OFFSETS = range(-12, 13), range(-4, 5)
"""Offsets of the print from the LAS file to try, px along depth and across it."""

STEP = 0.5
"""Distance between the places across a line where ink is looked for, px."""

_SAMPLED = 2**22
"""Number of pixels sampled to find the levels of paper and ink."""

_DARKEST = 0.002
"""Share of a track's pixels that one thin curve covers."""

_LEAST_CONTRAST = 64
"""Least difference in grey level between paper and ink; with less, the track counts as blank."""

_ENOUGH = 0.5
"""Ink of a pixel, from 0 to 1, from which a place counts as on a line."""


def snap(
    strip: Strip,
    positions: Float[ndarray, "w"],
    *,
    tolerance: float = 4.0,
    in_place: bool = False,
) -> TracedCurve:
    """Find the printed line of a curve near where it is expected.

    First one offset is found for the whole curve: the one under which most of it lies on ink. Then
    every pixel along the curve moves across its direction, by at most `tolerance` px, onto the ink;
    the moves together are the path of most ink and least change.

    Args:
        positions: position across the track in every column, 0 at its lower edge and 1 at its upper
            one; beyond these where the curve has wrapped; NaN where nothing is known.
        in_place: True if the curve was drawn on the scan itself, and so has no offset.
    """
    nothing = np.zeros(len(positions), bool)
    given = np.isfinite(positions)
    rows = strip.bottom - positions * strip.height
    sharp = _ink_of(strip)
    ink = cv2.GaussianBlur(sharp, (0, 0), 0.8)
    points = [_by_length(line) for line in polylines(rows) if len(line) > 1]
    if not points:
        return TracedCurve(
            positions=positions, on_ink=nothing, given=given, absent=nothing, line_width=1.0
        )
    offset = (0, 0) if in_place else _offset(strip, ink, np.concatenate(points))
    moved = np.full(len(rows), np.nan)
    on_ink = np.zeros(len(rows), bool)
    for line in points:
        _snap_line(strip, ink, line + offset, tolerance, moved, on_ink)
    # A line that lies a fraction of a pixel beyond an edge has not wrapped.
    wraps = count_wraps(np.roll(positions, offset[0]))
    return TracedCurve(
        positions=np.clip((strip.bottom - moved) / strip.height, wraps, wraps + 1 - 1e-6),
        on_ink=on_ink,
        given=given,
        absent=nothing,
        line_width=_pen(strip, sharp, moved, on_ink),
        offset=offset,
    )


def _by_length(line: Float[ndarray, "n 2"]) -> Float[ndarray, "_ 2"]:
    """Return points (x, y) one pixel apart along a line."""
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.arange(0, float(along[-1]) + 1)
    return np.stack([np.interp(at, along, line[:, i]) for i in (0, 1)], axis=1)


def _ink_of(strip: Strip) -> Float[ndarray, "h w"]:
    """Ink of every pixel, from 0 on the paper of this track to 1 in its darkest ink."""
    some = strip.track[:, :: max(1, strip.track.size // _SAMPLED)]
    darkest, paper = np.quantile(some, [_DARKEST, 0.5])
    contrast = max(paper - darkest, _LEAST_CONTRAST)
    return ((np.float32(paper) - strip.grey) / np.float32(contrast)).clip(0, 1)


def _ink_at(
    strip: Strip, ink: Float[ndarray, "h w"], points: Float[ndarray, "*n 2"]
) -> Float[ndarray, "*n"]:
    """Ink at points (x, y), wrapped into the track; 0 beyond its ends."""
    y = strip.bottom - np.mod(strip.bottom - points[..., 1], strip.height)
    x = np.rint(points[..., 0]).astype(np.int64)
    row = np.clip(np.rint(y).astype(np.int64), 0, len(ink) - 1)
    inside = (x >= 0) & (x < ink.shape[1])
    return np.where(inside, ink[row, np.clip(x, 0, ink.shape[1] - 1)], 0)


def _offset(
    strip: Strip, ink: Float[ndarray, "h w"], points: Float[ndarray, "n 2"]
) -> tuple[int, int]:
    """Find the shift (columns, rows) under which the points see most ink; the smallest of
    equals."""
    tried = [(dx, dy) for dx in DEPTH_OFFSETS for dy in VALUE_OFFSETS]
    some = points[:: max(1, len(points) // 20_000)]

    def seen(offset: tuple[int, int]) -> tuple[float, int]:
        mean = float(_ink_at(strip, ink, some + np.array(offset)).mean())
        return round(mean, 3), -abs(offset[0]) - abs(offset[1])

    return max(tried, key=seen)


def _snap_line(
    strip: Strip,
    ink: Float[ndarray, "h w"],
    line: Float[ndarray, "n 2"],
    tolerance: float,
    moved: Float[ndarray, "w"],
    on_ink: ndarray,
) -> None:
    """Snap one stretch; write its rows to `moved`, and whether they are on ink to `on_ink`."""
    along = np.gradient(line, axis=0)
    length = np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    across = along[:, ::-1] * np.array([-1.0, 1.0]) / length
    away = np.arange(-tolerance, tolerance + STEP / 2, STEP)
    places = line[None] + away[:, None, None] * across[None]
    seen = _ink_at(strip, ink, places)
    score = np.log(np.maximum(seen, 0.02)) - 0.02 * np.abs(away)[:, None]
    path = best_path(score, np.full_like(score, 0.4))
    at = np.arange(len(line))
    points, there = places[path, at], seen[path, at] >= _ENOUGH
    columns = np.arange(
        max(0, int(np.ceil(points[:, 0].min()))),
        min(len(moved) - 1, int(np.floor(points[:, 0].max()))) + 1,
    )
    if len(columns) == 0:
        return
    x = np.maximum.accumulate(points[:, 0])  # where a line turns back: its furthest column
    moved[columns] = np.interp(columns, x, points[:, 1])
    share = np.interp(columns, x, np.convolve(np.pad(there, 1), np.full(3, 1 / 3), mode="valid"))
    of_column = np.clip(np.rint(x).astype(np.int64), columns[0], columns[-1]) - columns[0]
    n = np.bincount(of_column, minlength=len(columns))
    inked = np.bincount(of_column, weights=there, minlength=len(columns))
    on_ink[columns] = np.where(n > 0, inked / np.maximum(n, 1), share) >= _ENOUGH


def _pen(
    strip: Strip, ink: Float[ndarray, "h w"], rows: Float[ndarray, "w"], on_ink: ndarray
) -> float:
    """Width of the line, px: the median height of the ink through it where it is nearly level."""
    slope = np.abs(np.gradient(np.nan_to_num(rows)))
    level = np.flatnonzero(on_ink & (slope < 0.3) & np.isfinite(rows))
    if len(level) < 10:
        return 2.0
    y = strip.bottom - np.mod(strip.bottom - rows[level], strip.height)
    reach = np.arange(-8, 9)
    row = np.clip(np.rint(y).astype(np.int64)[:, None] + reach, 0, len(ink) - 1)
    dark = ink[row, level[:, None]] >= _ENOUGH
    below = np.cumprod(dark[:, 8:], axis=1).sum(1)
    above = np.cumprod(dark[:, 8::-1], axis=1).sum(1)
    return float(np.clip(np.median(np.maximum(below + above - 1, 1)), 1, 5))

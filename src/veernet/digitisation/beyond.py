"""Stretches where a curve is off scale: it lies on an edge of its track, and its value is
beyond."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from veernet.curves.trace import THRESHOLD, Trace
from veernet.digitisation.strip import Strip, dark

SLACK = 1.0
"""Greatest distance beyond half a pen from the printed line of an edge at which a curve still
counts as lying on that line, px."""

LONG = 100
"""Consecutive columns on an edge above which a curve on a backup scale is off scale: such a curve
passes the edge briefly, while the line printed along the edge goes on."""

WRAP_JUMP = 0.15
"""Greatest sum of the distances of two neighbouring columns from opposite edges at which a jump
between them is a wrap, in fractions of full scale (the width of the track)."""

_EDGE_REACH = 2
"""Greatest distance from an edge at which the line along it begins, px."""

_WIDEST, _LEAST_WIDEST = 1 / 40, 4
"""Greatest reach of such a line into the track: in fractions of the track's height, and at least so
many px. A line that reaches further is hatching."""

_BESIDE, _DRAWN = 257, 0.8
"""Number of columns in the window in which such a line is looked for, and share of them that must
have its ink."""


def beyond_scale(
    strip: Strip, probability: Float[ndarray, "h w"], trace: Trace, *, wraps: bool
) -> Int[ndarray, "w"]:
    """Find the columns in which a curve is off scale: 1 on the right edge of its track, -1 on the
    left edge, 0 on scale.

    A curve lies on an edge within half a pen and `SLACK` of the line printed along the edge, or of
    the edge itself where none is printed; and where it cannot be seen between two columns whose ink
    leads to an edge. A curve that leaves at one edge and comes in at the other, without ink
    between, has wrapped: it is on scale at the wrap count of most columns, and off scale at the
    others. A curve on a backup scale passes the edges, so it is off scale only where it lies on an
    edge for more than `LONG` columns.

    Args:
        probability: probability of the curve, in the rows and columns of the track.
        trace: trace of the same curve, in the same rows and columns.
    """
    height, rows = strip.height, trace.rows
    inked = probability >= THRESHOLD
    printed = np.mod(rows, height) if wraps else rows
    near = _half_pen(inked, printed) + SLACK
    top, bottom = _line(strip, strip.top, 1) + near, height - _line(strip, strip.bottom, -1) - near
    if not wraps:
        seen = trace.confidence >= THRESHOLD
        return _left(inked, np.where(seen, rows, np.nan), rows, top, bottom)
    rests = _long_runs((printed <= top) | (printed >= bottom), LONG)
    return np.where(rests, np.where(np.rint(1 - rows / height) >= 1, 1, -1), 0)


def _left(
    inked: Bool[ndarray, "h w"],
    seen: Float[ndarray, "w"],
    rows: Float[ndarray, "w"],
    top: Float[ndarray, "w"],
    bottom: Float[ndarray, "w"],
) -> Int[ndarray, "w"]:
    """Find the columns of `beyond_scale` for a curve without a backup scale.

    Args:
        seen: rows of the curve where it has ink.
        rows: rows of the curve along its path.
        top, bottom: rows at and beyond which the curve lies on the right or left edge.
    """
    height = len(inked) - 1
    half = np.where(rows <= height / 2, 1, -1)
    beyond = np.where(np.where(half > 0, rows <= top, rows >= bottom), half, 0)
    known, wrap_counts = np.flatnonzero(np.isfinite(seen)), np.zeros(len(rows), np.int64)
    far = np.abs(np.diff(rows[known])) >= (1 - WRAP_JUMP) * height
    for i in np.flatnonzero((np.diff(known) > 1) | far):
        a, b = ends = known[i : i + 2]
        sides = half[ends]
        if b - a > 1:
            leads = [
                _leads_to(inked[:, x], *(float(one[x]) for one in (rows, top, bottom)))
                for x in ends
            ]
            sides = np.where(beyond[ends], beyond[ends], leads)
            if sides.all():
                middle = (a + 1 + b) // 2
                beyond[a + 1 : middle], beyond[middle:b] = sides
        drawn_across = (inked[:, ends].mean(0) > 0.5).any()  # the side of a step, from edge to edge
        if sides.prod() < 0 and not drawn_across:
            wrap_counts[b:] = np.clip(wrap_counts[a] + sides[0], -1, 1)
    found, times = np.unique(wrap_counts[known], return_counts=True)
    away = wrap_counts - (found[times.argmax()] if len(known) else 0)
    return np.where(away == 0, beyond, np.sign(away))


def _leads_to(inked: Bool[ndarray, "h"], row: float, top: float, bottom: float) -> int:
    """Return the edge to which ink leads from a row of one column without a break: 1 if as far as
    `top`, -1 if as far as `bottom`, else 0."""
    at = round(row)
    if inked[min(int(top), at) : at + 1].all():
        return 1
    return -1 if inked[at : max(int(np.ceil(bottom)), at) + 1].all() else 0


def _line(strip: Strip, edge: int, inward: int) -> Float[ndarray, "w"]:
    """Measure how far the line along an edge reaches into the track, px; 0 where none is
    printed."""
    widest = max(_LEAST_WIDEST, round(_WIDEST * strip.height))
    offsets = np.arange(-_EDGE_REACH, widest + 1)
    offsets = offsets[(edge + inward * offsets >= 0) & (edge + inward * offsets < len(strip.grey))]
    seen = dark(strip.grey)[edge + inward * offsets, strip.first : strip.last + 1]
    share = cv2.blur(seen.astype(np.float32), (_BESIDE, 1), borderType=cv2.BORDER_REPLICATE)
    reach, going = np.zeros(seen.shape[1]), np.zeros(seen.shape[1], bool)
    for offset, drawn in zip(offsets, share >= _DRAWN, strict=True):
        going = drawn & (going | (offset <= _EDGE_REACH))
        reach = np.where(going, np.maximum(offset + 0.5, 0), reach)
    return np.where(going, 0, reach)


def _half_pen(inked: Bool[ndarray, "h w"], rows: Float[ndarray, "w"]) -> float:
    """Measure half the width of the curve's line, px: the median distance of its middle from its
    edge. Ink wider than a fifth of the track is no line."""
    x = np.flatnonzero(np.isfinite(rows))
    if len(x) == 0:
        return 0.0
    deep = cv2.distanceTransform(inked.astype(np.uint8), cv2.DIST_L2, 5)
    y = np.rint(rows[x]).astype(np.int64).clip(0, len(inked) - 1)
    return max(0.0, float(np.median(np.minimum(deep[y, x], len(inked) / 10))) - 0.5)


def runs_of(found: Bool[ndarray, "w"]) -> Int[ndarray, "n 2"]:
    """Find the first index, and the index after the last, of every run of True."""
    return np.flatnonzero(np.diff(found, prepend=False, append=False)).reshape(-1, 2)


def _long_runs(found: Bool[ndarray, "w"], least: int) -> Bool[ndarray, "w"]:
    """Keep the runs of True that are longer than `least`."""
    kept = np.zeros(len(found), bool)
    for begin, end in runs_of(found):
        kept[begin:end] = end - begin > least
    return kept

"""Trace a curve: from its probability in a picture to one row per column."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.interpolate import PchipInterpolator

PAPER_COST = 100.0
"""Cost of moving across paper, in nats per full scale, the width of the track. It is finite, since
part of the side of a spike may be missing."""

INK_GAIN = 15.0
"""Gain from moving along ink, in nats per full scale: the sides of a spike show where the curve
went."""

THRESHOLD = 0.5
"""Probability from which a column counts as showing the curve."""

MAX_GAP = 40
"""Default for the longest run of columns without the curve that is bridged, px."""

MIN_COLUMNS = 100
"""Least number of columns showing the curve in a segment, or a quarter of the picture's width if
that is less; shorter segments are usually print mistaken for the curve."""

WRAPS_UP, WRAPS_DOWN = 2, 1
"""Greatest number of wraps at the upper and at the lower edge of a track."""

WRAP_COST = 0.05
"""Cost per column and wrap, in nats: the on-scale reading is preferred where both fit equally
well."""


_RIDGE = 8
"""Power of the distance from a stroke's edge that weighs its middle most."""

_WIDE = 8
"""Width along the log from which ink is no side of a spike, in columns."""

_DEEPEST = 50.0
"""Greatest half-width of a stroke, px; distances from the edge are capped there."""

_CHUNK = 4096
"""Columns processed at a time."""

FLOOR = 1e-3
"""Least probability of a pixel on the path, so that no column alone forbids it."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Curve as found in a picture.

    rows:       row of the curve's centre in every column, px; NaN where it was not found. A curve
                that wraps goes on beyond the edges: after a wrap at the upper edge its rows are
                those of its print, one full scale higher
    confidence: probability of the curve along its path, 0 to 1, in every column
    """

    rows: Float[ndarray, "w"]
    confidence: Float[ndarray, "w"]


def read_trace(
    probability: Float[ndarray, "h w"],
    *,
    occluders: Iterable[Float[ndarray, "h w"]] = (),
    threshold: float = THRESHOLD,
    max_gap: int = MAX_GAP,
    wrap_edges: tuple[int, int] | None = None,
    laps: tuple[int, int] = (WRAPS_UP, WRAPS_DOWN),
) -> Trace:
    """Follow a curve through a picture of its probability.

    The path maximises the sum over columns of log p, plus `INK_GAIN` per height of ink and minus
    `PAPER_COST` per height of paper that it moves across; it is found over all columns together.
    The row is the middle of the stroke under the path in that column. Columns whose probability is
    below `threshold` are no evidence: a run of up to `max_gap` of them is bridged; a longer run,
    and both ends, stay NaN. A column where another curve adjoins the stroke, and may hide part of
    it, is bridged too if the bridge passes through the stroke or that other curve.

    Args:
        occluders: probabilities of the curves that are drawn over this one.
        wrap_edges: rows of the upper and lower edge of a track with a backup scale, where the
            curve leaves at one edge and comes in at the other. The path is then found on the
            track unrolled: copies of it stacked above one another, one per wrap count.
        laps: greatest number of wraps at the upper and at the lower edge.
    """
    occluding = np.zeros(probability.shape, bool)
    for other in occluders:
        occluding |= other >= threshold
    if wrap_edges is None:
        h = len(probability)
        return _follow(probability, occluding, np.zeros(h), h, threshold, max_gap)
    top, bottom = wrap_edges
    unrolled = _unrolled(probability, occluding, top, bottom, laps)
    found = _follow(*unrolled, bottom - top, threshold, max_gap)
    return Trace(rows=found.rows + top - laps[0] * (bottom - top), confidence=found.confidence)


def _unrolled(
    probability: Float[ndarray, "h w"],
    hidden: Bool[ndarray, "h w"],
    top: int,
    bottom: int,
    laps: tuple[int, int],
) -> tuple[Float[ndarray, "n w"], Bool[ndarray, "n w"], Float[ndarray, "n"]]:
    """Unroll a track: stack one copy per wrap count; return it with the pixels that hide the curve,
    and the cost of each row in every column.

    A seam is the upper edge of one copy and the lower edge of the copy above it: ink at either edge
    counts there, at the cost of the copy whose edge it is.
    """
    up, down = laps
    wraps = np.arange(up, -down - 1, -1)
    cost = WRAP_COST * np.abs(wraps)
    row_cost = np.append(cost.repeat(bottom - top), 0.0)
    unrolled = np.zeros((len(row_cost), probability.shape[1]), probability.dtype)
    unrolled[:-1] = np.tile(probability[top:bottom], (len(wraps), 1))
    seams, share = np.arange(len(wraps) + 1) * (bottom - top), np.exp(-cost)[:, None]
    unrolled[seams[:-1]] = share * probability[top]
    unrolled[seams[1:]] = np.maximum(unrolled[seams[1:]], share * probability[bottom])
    row_cost[seams] = 0
    covered = np.pad(np.tile(hidden[top:bottom], (len(wraps), 1)), ((0, 1), (0, 0)))
    covered[seams[1:]] |= hidden[bottom]
    return unrolled, covered, row_cost


def _follow(
    probability: Float[ndarray, "h w"],
    hidden: Bool[ndarray, "h w"],
    row_cost: Float[ndarray, "h"],
    height: int,
    threshold: float,
    max_gap: int,
) -> Trace:
    """Trace a curve along the best path, where each row adds its cost in every column, and the
    `hidden` pixels are other ink that may cover the curve."""
    score = np.log(np.maximum(probability, FLOOR)) - row_cost.astype(np.float32)[:, None]
    inked = probability >= threshold
    step_cost = PAPER_COST * (1 - probability) - INK_GAIN * _side_of_spike(inked, probability)
    path = best_path(score, step_cost / height)
    confidence = probability[path, np.arange(len(path))]
    middle, first, last = _strokes(inked, hidden, path)
    visible = np.where(confidence >= threshold, middle, np.nan)
    rows = bridge(_uncovered(visible, first, last, max_gap), max_gap)
    rows = np.where(long_enough(visible, max(max_gap, MAX_GAP)), rows, np.nan)
    return Trace(rows=rows, confidence=confidence)


def _uncovered(
    visible: Float[ndarray, "w"],
    first: Float[ndarray, "w"],
    last: Float[ndarray, "w"],
    max_gap: int,
) -> Float[ndarray, "w"]:
    """Replace middles of partly hidden strokes. Where adjoining ink, from row `first` to row
    `last`, may hide part of a stroke, the bridge over such columns is taken if it stays within
    these rows."""
    whole = np.isnan(first)
    rows = bridge(np.where(whole, visible, np.nan), max_gap)
    occluded = (first - 0.5 <= rows) & (rows <= last + 0.5)
    return np.where(whole | occluded, rows, visible)


def _side_of_spike(
    inked: Bool[ndarray, "h w"], probability: Float[ndarray, "h w"]
) -> Float[ndarray, "h w"]:
    """Return the probability where ink may be the side of a spike, narrow along the log; else 0."""
    wide = cv2.morphologyEx(inked.astype(np.uint8), cv2.MORPH_OPEN, np.ones((1, _WIDE), np.uint8))
    return np.where(wide, 0, probability)


def long_enough(
    rows: Float[ndarray, "w"], max_gap: int, *, share: float = 0.5
) -> Bool[ndarray, "w"]:
    """Find the columns of segments, joined over gaps of `max_gap`, that have enough columns showing
    the curve, and show it in more than a share of their columns."""
    known = np.flatnonzero(np.isfinite(rows))
    least = max(1, min(MIN_COLUMNS, len(rows) // 4))
    kept = np.zeros(len(rows), bool)
    for part in np.split(known, np.flatnonzero(np.diff(known) > max_gap + 1) + 1):
        if len(part) >= least and len(part) > share * np.ptp(part):
            kept[part[0] : part[-1] + 1] = True
    return kept


def best_path(
    score: Float[ndarray, "h w"], step_cost: Float[ndarray, "h w"]
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Find the best path of one curve, as `best_paths` does."""
    return best_paths(score[None], step_cost[None])[0]


def best_paths(
    score: Float[ndarray, "K h w"], step_cost: Float[ndarray, "K h w"]
) -> np.ndarray[tuple[int, int], np.dtype[np.intp]]:
    """Find for each of K curves the row in every column that maximises the sum of scores minus the
    cost of the moves, each curve for itself.

    A move from one column to the next passes straight through the rows between, in the latter
    column; from one row to the next it costs the mean of their `step_cost`, which may be negative.

    Exact, in time linear in the pixels: the best predecessor of every row under a cost that adds up
    along a column is a running maximum from above and one from below. All curves go through the
    columns together, which takes little longer than one of them.

    Source: Viterbi 1967, doi:10.1109/TIT.1967.1054010; the running maximum is the distance
    transform of Felzenszwalb & Huttenlocher 2012, doi:10.4086/toc.2012.v008a019.
    """
    k, h, w = score.shape
    best, ramp = np.empty((w, k, h), np.float32), np.zeros((w, k, h), np.float32)
    mean = (step_cost[:, 1:] + step_cost[:, :-1]).transpose(2, 0, 1) / 2
    np.cumsum(mean, axis=2, out=ramp[:, :, 1:])
    best[:] = score.transpose(2, 0, 1)
    for x in range(1, w):
        before = best[x - 1] - best[x - 1].max(1, keepdims=True)  # so that sums stay exact
        from_above = np.maximum.accumulate(before + ramp[x], axis=1) - ramp[x]
        from_below = np.maximum.accumulate((before - ramp[x])[:, ::-1], axis=1)[:, ::-1] + ramp[x]
        best[x] += np.maximum(from_above, from_below)
    path = np.empty((k, w), np.intp)
    curves, rows = np.arange(k, dtype=np.intp), np.arange(h, dtype=np.intp)
    path[:, -1] = best[-1].argmax(1)
    for x in range(w - 1, 0, -1):
        at = path[:, x]
        way = ramp[x] - ramp[x, curves, at][:, None]
        np.negative(way, out=way, where=rows < at[:, None])  # from above
        path[:, x - 1] = (best[x - 1] - way).argmax(1)
    return path


def bridge(rows: Float[ndarray, "w"], max_gap: int) -> Float[ndarray, "w"]:
    """Fill runs of at most `max_gap` NaN between two values, smoothly and never beyond the two.

    Source: Fritsch & Butland 1984, doi:10.1137/0905021 (PCHIP).
    """
    known = np.flatnonzero(np.isfinite(rows))
    if len(known) < 2 or len(known) == len(rows):
        return rows
    filled = PchipInterpolator(known, rows[known], extrapolate=False)(np.arange(len(rows)))
    filled[known] = rows[known]
    for a, b in pairwise(known):
        if b - a - 1 > max_gap:
            filled[a + 1 : b] = np.nan
    return filled


def _strokes(
    inked: Bool[ndarray, "h w"],
    hidden: Bool[ndarray, "h w"],
    path: np.ndarray[tuple[int], np.dtype[np.intp]],
) -> tuple[Float[ndarray, "w"], Float[ndarray, "w"], Float[ndarray, "w"]]:
    """Return per column the centre of the stroke under the path, and the first and last row of the
    stroke with adjoining ink that may hide part of it; these two are NaN where there is none.

    The centre is the centre of mass of the column's run of ink, weighed by a high power of the
    distance from the stroke's edge, so that a steep stroke counts where its middle is here.
    """
    middle, first, last = path.astype(float), np.full(len(path), np.nan), np.full(len(path), np.nan)
    stroke = _close_occlusions(inked, hidden) if hidden.any() else inked
    deep = depth_in(stroke)
    for start in range(0, len(path), _CHUNK):
        part = slice(start, start + _CHUNK)
        own = run_at(stroke[:, part], path[part])
        middle[part] = middle_of_run(own, deep[:, part], otherwise=middle[part])
        if hidden[:, part].any():
            reach = run_at(stroke[:, part] | hidden[:, part], path[part])
            cut = own.any(0) & (reach & ~own).any(0)
            np.copyto(first[part], reach.argmax(0), where=cut)
            np.copyto(last[part], len(reach) - 1 - reach[::-1].argmax(0), where=cut)
    return middle, first, last


def depth_in(ink: Bool[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """Measure the distance of every pixel of ink from the edge of its stroke, px."""
    return np.minimum(cv2.distanceTransform(ink.astype(np.uint8), cv2.DIST_L2, 5), _DEEPEST)


def middle_of_run(
    run: Bool[ndarray, "h w"], deep: Float[ndarray, "h w"], *, otherwise: Float[ndarray, "w"]
) -> Float[ndarray, "w"]:
    """Return the centre of mass of each column's run of ink, weighed by a high power of the
    distance from the stroke's edge (`depth_in`); another row where there is no run."""
    weight = np.where(run, deep**_RIDGE, 0)
    mass, moment = weight.sum(0), np.arange(len(run), dtype=np.intp) @ weight
    return np.divide(moment, mass, out=otherwise.astype(float), where=mass > 0)


def run_at(
    ink: Bool[ndarray, "h w"], path: np.ndarray[tuple[int], np.dtype[np.intp]]
) -> Bool[ndarray, "h w"]:
    """Keep in every column the run of ink that the path passes through."""
    number = np.cumsum(~ink, axis=0, dtype=np.int32)
    return ink & (number == number[path, np.arange(len(path))])


def _close_occlusions(
    inked: Bool[ndarray, "h w"], hidden: Bool[ndarray, "h w"]
) -> Bool[ndarray, "h w"]:
    """Add to ink the pixels that other ink hides between two parts of it in the same column."""
    paper = ~(inked | hidden)
    above = _last_true_row(inked) > _last_true_row(paper)
    below = (_last_true_row(inked[::-1]) > _last_true_row(paper[::-1]))[::-1]
    return inked | (hidden & above & below)


def _last_true_row(where: Bool[ndarray, "h w"]) -> Int[ndarray, "h w"]:
    """Return for every pixel the last row up to it that is True in its column; -1 before the
    first."""
    rows = np.arange(len(where), dtype=np.int32)[:, None]
    return np.maximum.accumulate(np.where(where, rows, np.int32(-1)), axis=0)

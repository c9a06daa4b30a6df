"""From probabilities of a curve to one row in every column."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.interpolate import PchipInterpolator

PAPER_COST = 100.0
"""What moving across paper costs, in nats for the height of a track: part of the side of a spike
may be missing."""

INK_GAIN = 15.0
"""What moving along ink is worth, in nats for the height of a track: sides of a spike tell where it
went."""

THRESHOLD = 0.5
"""Probability from which a column counts as one with the curve."""

MAX_GAP = 40
"""Longest run of columns without a trace that is bridged unless told otherwise, px."""

MIN_COLUMNS = 100
"""Columns with the curve that a stretch of it must have, or a quarter of the page if that is less:
print that is taken for a curve is so in shorter pieces."""

WRAPS_UP, WRAPS_DOWN = 2, 1
"""How often a curve may go round its track, at its upper and at its lower edge."""

WRAP_COST = 0.05
"""What a column costs in which the curve has gone round once, in nats: a curve is on scale where
that explains as much, and comes back to it."""


_RIDGE = 8
"""Power of the distance from the edge of a stroke that leaves its middle."""

_WIDE = 8
"""Columns from which ink along the log is no side of a spike."""

_DEEPEST = 50.0
"""Distance from its edge beyond which ink is no stroke, px."""

_CHUNK = 4096
"""Columns whose ink is looked at together."""

FLOOR = 1e-3
"""Least probability that a pixel counts with: no column alone forbids a path."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A curve as it was found in a picture.

    rows:       row of the trace's centre in every column, px; NaN where there is none. A curve
                that goes round its track goes on beyond the edges: one height of the track above
                the row where it is printed, if it left at the upper edge
    confidence: probability of the curve on the path, 0 to 1, in every column
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
) -> Trace:
    """Follow a curve through a picture of its probability.

    The path is the one of largest sum of log p, with what its moves are worth: `INK_GAIN` for a
    height of ink, less `PAPER_COST` for a height of paper. It is found over all columns together;
    the row is the middle of the stroke that the path passes in that column. Columns whose
    probability is below `threshold` are no evidence: a run of up to `max_gap` of them is bridged, a
    longer one stays NaN, as do both ends. So is a column where another curve lies next to the
    stroke, and may hide more of it, if the bridge passes through either.

    Args:
        over: probabilities of the curves that are drawn over this one.
        turn: rows of the upper and lower edge of a track with a backup scale, where the curve
            leaves at one edge and comes in at the other. The path is then found on the track
            unrolled, as if it were printed above itself again and again.
    """
    occluding = np.zeros(probability.shape, bool)
    for other in occluders:
        occluding |= other >= threshold
    if wrap_edges is None:
        h = len(probability)
        return _follow(probability, occluding, np.zeros(h), h, threshold, max_gap)
    top, bottom = wrap_edges
    unrolled = _unrolled(probability, occluding, top, bottom)
    found = _follow(*unrolled, bottom - top, threshold, max_gap)
    return Trace(rows=found.rows + top - WRAPS_UP * (bottom - top), confidence=found.confidence)


def _unrolled(
    probability: Float[ndarray, "h w"], hidden: Bool[ndarray, "h w"], top: int, bottom: int
) -> tuple[Float[ndarray, "n w"], Bool[ndarray, "n w"], Float[ndarray, "n"]]:
    """A track printed above itself again and again, with what hides it, and what every row costs a
    column.

    A seam is the upper edge of one lap and the lower edge of the one above it: ink at either edge
    counts there, at the cost of the lap that it is an edge of.
    """
    laps = np.arange(WRAPS_UP, -WRAPS_DOWN - 1, -1)
    cost = WRAP_COST * np.abs(laps)
    row_cost = np.append(cost.repeat(bottom - top), 0.0)
    unrolled = np.zeros((len(row_cost), probability.shape[1]), probability.dtype)
    unrolled[:-1] = np.tile(probability[top:bottom], (len(laps), 1))
    seams, share = np.arange(len(laps) + 1) * (bottom - top), np.exp(-cost)[:, None]
    unrolled[seams[:-1]] = share * probability[top]
    unrolled[seams[1:]] = np.maximum(unrolled[seams[1:]], share * probability[bottom])
    row_cost[seams] = 0
    covered = np.pad(np.tile(hidden[top:bottom], (len(laps), 1)), ((0, 1), (0, 0)))
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
    """The trace along the best path, where every row takes its toll of every column, and other ink
    may hide the curve."""
    score = np.log(np.maximum(probability, FLOOR)) - row_cost.astype(np.float32)[:, None]
    inked = probability >= threshold
    step_cost = PAPER_COST * (1 - probability) - INK_GAIN * _side_of_spike(inked, probability)
    path = best_path(score, step_cost / height)
    confidence = probability[path, np.arange(len(path))]
    middle, first, last = _strokes(inked, hidden, path)
    visible = np.where(confidence >= threshold, middle, np.nan)
    rows = bridge(_uncovered(visible, first, last, max_gap), max_gap)
    rows = np.where(_long_enough(visible, max(max_gap, MAX_GAP)), rows, np.nan)
    return Trace(rows=rows, confidence=confidence)


def _uncovered(
    visible: Float[ndarray, "w"],
    first: Float[ndarray, "w"],
    last: Float[ndarray, "w"],
    max_gap: int,
) -> Float[ndarray, "w"]:
    """The middles of what shows of the strokes. Where other ink may hide more, from row `first` to
    row `last`, the bridge over such columns instead, if it stays within these rows."""
    whole = np.isnan(first)
    rows = bridge(np.where(whole, visible, np.nan), max_gap)
    occluded = (first - 0.5 <= rows) & (rows <= last + 0.5)
    return np.where(whole | occluded, rows, visible)


def _side_of_spike(
    inked: Bool[ndarray, "h w"], probability: Float[ndarray, "h w"]
) -> Float[ndarray, "h w"]:
    """The probability of ink that may be the side of a spike: narrow along the log."""
    wide = cv2.morphologyEx(inked.astype(np.uint8), cv2.MORPH_OPEN, np.ones((1, _WIDE), np.uint8))
    return np.where(wide, 0, probability)


def _long_enough(rows: Float[ndarray, "w"], max_gap: int) -> Bool[ndarray, "w"]:
    """Columns of the stretches that are joined over gaps of `max_gap`, and that are long enough,
    and seen in enough of their columns, to be a curve."""
    known = np.flatnonzero(np.isfinite(rows))
    least = max(1, min(MIN_COLUMNS, len(rows) // 4))
    kept = np.zeros(len(rows), bool)
    for part in np.split(known, np.flatnonzero(np.diff(known) > max_gap + 1) + 1):
        if len(part) >= least and 2 * len(part) > np.ptp(part):
            kept[part[0] : part[-1] + 1] = True
    return kept


def best_path(
    score: Float[ndarray, "h w"], step_cost: Float[ndarray, "h w"]
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The row in every column that maximises the sum of scores less what the moves cost.

    A move between two columns goes straight through the rows between in the latter; from one row to
    the next it costs the mean of their `step_cost`, which may be less than nothing.

    Exact, in time linear in the pixels: the best predecessor of every row under a cost that adds up
    along a column is a running maximum from above and one from below.

    Source: Viterbi 1967, doi:10.1109/TIT.1967.1054010; the running maximum is the distance
    transform of Felzenszwalb & Huttenlocher 2012, doi:10.4086/toc.2012.v008a019.
    """
    h, w = score.shape
    best, ramp = np.empty((w, h), np.float32), np.zeros((w, h), np.float32)
    np.cumsum((step_cost[1:] + step_cost[:-1]).T / 2, axis=1, out=ramp[:, 1:])
    best[0] = score[:, 0]
    for x in range(1, w):
        before = best[x - 1] - best[x - 1].max()  # so that sums stay small and exact
        from_above = np.maximum.accumulate(before + ramp[x]) - ramp[x]
        from_below = np.maximum.accumulate((before - ramp[x])[::-1])[::-1] + ramp[x]
        best[x] = score[:, x] + np.maximum(from_above, from_below)
    path = np.empty(w, np.intp)
    path[-1] = best[-1].argmax()
    for x in range(w - 1, 0, -1):
        way = ramp[x] - ramp[x, path[x]]
        way[: path[x]] *= -1  # from above
        path[x - 1] = (best[x - 1] - way).argmax()
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
    """Of the stroke that the path passes in each column its middle, and the first and last row of
    it with the ink next to it that may hide more of it; these are NaN where there is none.

    The middle is the centre of mass of its run of ink, weighed by a high power of the distance from
    the stroke's edge, so that a steep stroke counts where this column is in its middle.
    """
    middle, first, last = path.astype(float), np.full(len(path), np.nan), np.full(len(path), np.nan)
    stroke = _close_occlusions(inked, hidden) if hidden.any() else inked
    deep = np.minimum(cv2.distanceTransform(stroke.astype(np.uint8), cv2.DIST_L2, 5), _DEEPEST)
    for start in range(0, len(path), _CHUNK):
        part = slice(start, start + _CHUNK)
        own = _run_at(stroke[:, part], path[part])
        weight = np.where(own, deep[:, part] ** _RIDGE, 0)
        mass = weight.sum(0)
        np.divide(np.arange(len(own)) @ weight, mass, out=middle[part], where=mass > 0)
        if hidden[:, part].any():
            reach = _run_at(stroke[:, part] | hidden[:, part], path[part])
            cut = own.any(0) & (reach & ~own).any(0)
            np.copyto(first[part], reach.argmax(0), where=cut)
            np.copyto(last[part], len(reach) - 1 - reach[::-1].argmax(0), where=cut)
    return middle, first, last


def _run_at(
    ink: Bool[ndarray, "h w"], path: np.ndarray[tuple[int], np.dtype[np.intp]]
) -> Bool[ndarray, "h w"]:
    """In every column the run of ink that the path passes."""
    number = np.cumsum(~ink, axis=0, dtype=np.int32)
    return ink & (number == number[path, np.arange(len(path))])


def _close_occlusions(
    inked: Bool[ndarray, "h w"], hidden: Bool[ndarray, "h w"]
) -> Bool[ndarray, "h w"]:
    """Ink with what other ink hides between two parts of it in the same column."""
    paper = ~(inked | hidden)
    above = _last_true_row(inked) > _last_true_row(paper)
    below = (_last_true_row(inked[::-1]) > _last_true_row(paper[::-1]))[::-1]
    return inked | (hidden & above & below)


def _last_true_row(where: Bool[ndarray, "h w"]) -> Int[ndarray, "h w"]:
    """The last row so far where something is, in every column; -1 before there is any."""
    rows = np.arange(len(where), dtype=np.int32)[:, None]
    return np.maximum.accumulate(np.where(where, rows, np.int32(-1)), axis=0)

"""Decode a track: all its named curves, followed together through what a network and the paper
show of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from veernet.curves.together import (
    Evidence,
    Paths,
    follow_together,
    rate,
)
from veernet.curves.trace import MAX_GAP, bridge, depth_in, long_enough, middle_of_run
from veernet.digitisation.asked import Asked
from veernet.digitisation.beyond import runs_of
from veernet.digitisation.evidence import evidence_of, own_ink
from veernet.digitisation.identity import SURE, identify
from veernet.digitisation.ink import SEEN, TrackInk, runs_under

_SHOWN = 0.4
"""Fit of ink from which a column shows the curve."""

_STROKE_GAP = 20
"""Longest gap between strokes of one line, columns."""

_STRETCH, _UNDER = 0.4, 0.75
"""Least share of a stretch that shows the curve, and of a long gap that has ink under the path."""

_AROUND, _OFTEN, _KNOWN = 250, 0.15, 0.03
"""Columns to either side in which a curve must show, their least share for it to be covered where
it does not, and the least share in which the network sees it: dark paper alone is no curve."""

_TIP, _TIP_LENGTH = 3, 2.0
"""Columns to either side of the tip of a spike that lie behind it, and length of a run of ink from
which on it may be one, in widths of the pen."""

_LAP_STRAY, _LAP_MOVE = 12, 40.0
"""Farthest that a curve that goes round strays from its printed rows when they have been named
anew, px, and cost of its moves, nats per height."""


@dataclass(frozen=True, kw_only=True)
class Followed:
    """One curve as it was followed, per column.

    rows:    row relative to the upper edge, going on beyond the edges where the curve has gone
             round; NaN where it was not found
    fit:     fit of the ink under the path to the curve, 0 to 1
    shown:   where its own ink is seen
    covered: where it lies under another curve
    left:    1 where it has left the track at the upper edge, -1 at the lower one, else 0
    margin:  nats by which the best other naming of the paths is worse
    twins:   names of curves that nothing tells from this one
    """

    rows: Float[ndarray, "w"]
    fit: Float[ndarray, "w"]
    shown: Bool[ndarray, "w"]
    covered: Bool[ndarray, "w"]
    left: Int[ndarray, "w"]
    margin: Float[ndarray, "w"]
    twins: tuple[str, ...]
    own: Float[ndarray, "h w"]
    """Fit of the ink of every pixel to the curve."""


def decode(ink: TrackInk, curves: tuple[Asked, ...], *, max_gap: int = MAX_GAP) -> list[Followed]:
    """Follow all curves of a track together.

    Each gets the path that fits it best given all others. Columns that show its ink, and those
    where another curve covers it, have its row; runs of up to `max_gap` others between them are
    bridged; a longer run, and both ends, stay NaN, unless there is ink all along the path.
    """
    own = own_ink(ink, curves)
    evidence = evidence_of(ink, own, curves)
    found = follow_together(evidence)
    margin = np.full(found.rows.shape, SURE)
    if len(curves) > 1:
        named = identify(ink, evidence, found.printed.clip(-1, len(ink.dark)), curves)
        found = _laid_again(evidence, found, named.rows)
        margin = named.margin
    return [
        Followed(
            **_drawn(ink, own[k], found, k, max_gap),
            margin=margin[k],
            twins=twins_of(curves, k),
            own=own[k],
        )
        for k in range(len(curves))
    ]


def twins_of(curves: Sequence[Asked], number: int) -> tuple[str, ...]:
    """Return the names of the curves that the calibration does not tell from one."""
    return tuple(
        other.name
        for k, other in enumerate(curves)
        if k != number and not _differ(curves[number], other)
    )


def _differ(a: Asked, b: Asked) -> bool:
    """Return whether the calibration tells two curves apart."""
    told = ((a.kind, b.kind), (a.style, b.style), (a.weight, b.weight), (a.rgb, b.rgb))
    differ = any(x is not None and y is not None and x != y for x, y in told)
    return differ or a.plane != b.plane or bool(a.points or b.points)


def _laid_again(evidence: Evidence, found: Paths, printed: Int[ndarray, "K w"]) -> Paths:
    """Return the paths with other printed rows: a curve that goes round is followed along them
    through its laps."""
    h = evidence.score.shape[1]
    rows = printed.copy()
    for k, laps in enumerate(evidence.laps):
        if laps != (0, 0):
            same = (printed[k] == found.printed[k]).all()
            rows[k] = found.rows[k] if same else _through_laps(printed[k], h, laps)
    return rate(evidence, rows)


def _through_laps(printed: Int[ndarray, "w"], h: int, laps: tuple[int, int]) -> Int[ndarray, "w"]:
    """Unroll printed rows: the path that stays near them with the shortest moves."""
    far = np.abs(np.arange(h, dtype=np.intp)[:, None] - printed).clip(max=_LAP_STRAY)
    along = Evidence(
        score=-far[None].astype(np.float32),
        step_cost=np.full((1, h, len(printed)), _LAP_MOVE / h, np.float32),
        covered=np.full(1, -float(_LAP_STRAY), np.float32),
        reach=0.0,
        laps=(laps,),
    )
    return follow_together(along).rows[0]


def _drawn(
    ink: TrackInk, own: Float[ndarray, "h w"], found: Paths, k: int, max_gap: int
) -> dict[str, Any]:
    """Return where a curve is drawn along its path: `rows`, `fit`, `shown`, `covered`, `left` of
    `Followed`."""
    h, w = ink.shape
    path, columns = found.printed[k].clip(-1, h), np.arange(w, dtype=np.intp)
    left = np.where(path < 0, 1, np.where(path >= h, -1, 0))
    at, others = path.clip(0, h - 1), np.delete(found.printed, k, 0)
    fit = np.maximum(own, 0.9 * np.minimum(1.2 * ink.print, 1))
    middle, on = _middles(fit, at, others, ink.pen)
    known = _share_around(on & (_near(ink.seen, at) > SEEN)) > _KNOWN
    shown = on & known & (left == 0) & ~found.covered[k]
    covered = found.covered[k] & (left == 0) & (_share_around(shown) > _OFTEN)
    rows = np.where(shown, middle, np.where(covered, at, np.nan))
    kept = long_enough(bridge(rows, _STROKE_GAP), MAX_GAP, share=_STRETCH)
    rows = np.where(kept, rows, np.nan)
    dark = cv2.dilate(ink.dark, np.ones((3, 1), np.uint8))[at, columns] > _SHOWN
    rows = bridge(_with_ink_under(rows, at, dark & (left == 0), max_gap), max_gap)
    laps = (found.rows[k] - path) * (left == 0)
    return {
        "rows": np.where(left == 0, rows + laps, np.nan),
        "fit": np.where(left == 0, _near(fit, at), 0),
        "shown": shown & kept,
        "covered": covered & kept,
        "left": left,
    }


def _near(fit: Float[ndarray, "h w"], rows: Int[ndarray, "w"]) -> Float[ndarray, "w"]:
    """Return the best fit within a row of a path."""
    columns, h = np.arange(len(rows), dtype=np.intp), len(fit)
    return np.max([fit[(rows + one).clip(0, h - 1), columns] for one in (-1, 0, 1)], axis=0)


def _middles(
    fit: Float[ndarray, "h w"], path: Int[ndarray, "w"], others: Int[ndarray, "_ w"], pen: float
) -> tuple[Float[ndarray, "w"], Bool[ndarray, "w"]]:
    """Return the middle of the stroke under a path in every column, and where there is one.

    Where no other path is near, it is the middle of the run of ink, weighed by a high power of the
    distance from the stroke's edge, so that a steep stroke counts where its middle is here; and at
    the tip of a spike, whose sides have run into one, half a pen from its end.
    """
    h, w = fit.shape
    columns, reach = np.arange(w, dtype=np.intp), int(np.ceil(pen / 2 + 1))
    mass = moment = np.zeros(w)
    for offset in range(-reach, reach + 1):
        row = (path + offset).clip(0, h - 1)
        weight = np.where(fit[row, columns] > 0.25, fit[row, columns], 0)
        mass, moment = mass + weight, moment + weight * row
    middle = np.divide(moment, mass, out=path.astype(float), where=mass > 0)
    run, at = runs_under(fit >= 0.5, path)
    length = run.sum(0)
    alone = (np.abs(others - path) > np.maximum(length, pen) + 2).all(0) & (length > 0)
    middle = np.where(alone, _middle_of_run(fit >= 0.5, run, at, pen), middle)
    return middle, (mass > 0) & ((fit[path, columns] >= _SHOWN) | (length > 0))


def _middle_of_run(
    ink: Bool[ndarray, "h w"], run: Bool[ndarray, "h w"], at: Int[ndarray, "w"], pen: float
) -> Float[ndarray, "w"]:
    h, w = run.shape
    middle = middle_of_run(run, depth_in(ink), otherwise=at.astype(float))
    first, last = run.argmax(0), h - 1 - run[::-1].argmax(0)
    before = np.pad(at, (_TIP, 0), mode="edge")[:w]
    after = np.pad(at, (0, _TIP), mode="edge")[_TIP:]
    long, half = run.sum(0) > _TIP_LENGTH * pen + 1, (pen - 1) / 2
    top, bottom = long & (at < before) & (at < after), long & (at > before) & (at > after)
    tip = np.where(top, np.maximum(first + half, at), np.minimum(last - half, at))
    centre = (first + last) / 2
    tip = np.where(top, np.minimum(tip, centre), np.maximum(tip, centre))
    return np.where(top | bottom, tip, middle)


def _share_around(here: Bool[ndarray, "w"]) -> Float[ndarray, "w"]:
    """Return the share of the columns around each one in which something holds."""
    return cv2.blur(here.astype(np.float32)[None], (2 * _AROUND + 1, 1))[0]


def _with_ink_under(
    rows: Float[ndarray, "w"], path: Int[ndarray, "w"], dark: Bool[ndarray, "w"], max_gap: int
) -> Float[ndarray, "w"]:
    """Fill long gaps whose path lies on ink nearly throughout: a straight part on the grid."""
    known = np.isfinite(rows)
    filled = rows.copy()
    for first, stop in runs_of(~known):
        inner = first > 0 and stop < len(rows)
        if inner and stop - first > max_gap and dark[first:stop].mean() > _UNDER:
            filled[first:stop] = path[first:stop]
    return filled

"""Wraps of a curve on a backup scale: it leaves its track at one edge and comes in at the other.

Positions count across the track, from 0 at its left or lower edge to 1 at its right or upper one,
and go on beyond them where the curve has wrapped: 1.2 is drawn where 0.2 is, one wrap up.
"""

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy import ndarray

EDGE = 0.005
"""Distance beyond an edge from which a curve that is followed has wrapped, in widths of the
track."""


def count_wraps(positions: Float[ndarray, "*shape"]) -> Float[ndarray, "*shape"]:
    """Count the wraps at every position, negative beyond the left or lower edge; NaN stays. Both
    edges of the track belong to it: at 1 there is none."""
    inside = (positions >= 0) & (positions <= 1)
    return np.where(inside, 0, np.floor(positions))


def track_wraps(positions: Float[ndarray, "w"]) -> Float[ndarray, "w"]:
    """Count the wraps of a curve that was followed, column by column.

    It wraps where it is beyond an edge by `EDGE`, so that one that lies on an edge does not go to
    and fro.
    """
    wraps, current = np.full(len(positions), np.nan), 0.0
    for column in np.flatnonzero(np.isfinite(positions)):
        if not current - EDGE <= positions[column] <= current + 1 + EDGE:
            current = float(np.floor(positions[column]))
        wraps[column] = current
    return wraps


def wrap_breaks(wraps: Shaped[ndarray, "w"]) -> Bool[ndarray, "w"]:
    """Mark the columns in which the number of wraps is another than in the column before; where
    either is NaN none is marked."""
    return np.nan_to_num(np.diff(wraps, prepend=wraps[:1])) != 0


def wrap_columns(wraps: Float[ndarray, "w"]) -> list[tuple[int, int]]:
    """List the columns in which a curve wraps, and the number of wraps from there on; NaN is passed
    over."""
    known = np.flatnonzero(np.isfinite(wraps))
    changed = np.flatnonzero(np.diff(wraps[known], prepend=0) != 0)
    return [(int(known[i]), int(wraps[known[i]])) for i in changed]


def printed_rows(rows: Float[ndarray, "w"], wrap_edges: tuple[int, int]) -> Float[ndarray, "w"]:
    """Rows at which a curve is printed that was followed beyond the edges of its track; NaN in the
    columns in which it wraps, to interrupt its line."""
    top, bottom = wrap_edges
    wraps = track_wraps((bottom - rows) / (bottom - top))
    return np.where(wrap_breaks(wraps), np.nan, rows + wraps * (bottom - top))

"""Wraps of a curve on a backup scale: it leaves its track at one edge and comes in at the other.

Positions count across the track, from 0 at its left or lower edge to 1 at its right or upper one,
and go on beyond them where the curve has wrapped: 1.2 is drawn where 0.2 is, one wrap up.
"""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

EDGE = 0.005
"""Heights of the track by which a curve must leave it to have gone round."""


def track_wraps(positions: Float[ndarray, "w"]) -> Float[ndarray, "w"]:
    """Number of times that a curve has gone round its track, column by column.

    It goes round where it is beyond an edge by `EDGE`, so that one that lies on an edge does not go
    to and fro.

    Args:
        positions: where it is across the track, from 0 at its lower edge to 1 at its upper one.
    """
    laps, lap = np.full(len(positions), np.nan), 0.0
    for column in np.flatnonzero(np.isfinite(positions)):
        if not lap - EDGE <= positions[column] <= lap + 1 + EDGE:
            lap = float(np.floor(positions[column]))
        laps[column] = lap
    return laps


def printed_rows(rows: Float[ndarray, "w"], wrap_edges: tuple[int, int]) -> Float[ndarray, "w"]:
    """Rows at which a curve is printed that was followed beyond the edges of its track; NaN in the
    columns in which it goes round, to interrupt its line."""
    top, bottom = wrap_edges
    laps = track_wraps((bottom - rows) / (bottom - top))
    stays = np.nan_to_num(np.diff(laps, prepend=laps[:1])) == 0
    return np.where(stays, rows + laps * (bottom - top), np.nan)


def wrap_columns(laps: Float[ndarray, "w"]) -> list[tuple[int, int]]:
    """Columns in which a curve goes round its track, and how often it has then, from how often it
    has in every column; NaN is passed over."""
    known = np.flatnonzero(np.isfinite(laps))
    changed = np.flatnonzero(np.diff(laps[known], prepend=0) != 0)
    return [(int(known[i]), int(laps[known[i]])) for i in changed]

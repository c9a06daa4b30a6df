"""Find a curve's course along a strip from the pixels that somebody assigned to it."""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from veernet.digitisation.strip import Strip

REACH = 4
"""Rows beyond the edges of a track in which its curves may be drawn; pixels further off belong to
another track."""

_ROUND = 0.5
"""Jump between neighbouring columns from which a curve has wrapped, in fractions of full scale (the
width of the track)."""

_CHUNK = 4096
"""Columns processed at a time."""

_BREAK = 8
"""Longest gap in columns across which the wrap count is carried on; after a longer one it is
unknown."""


def course_of(
    mine: Bool[ndarray, "h w"], hiding: Bool[ndarray, "h w"], strip: Strip, *, wraps: bool
) -> Float[ndarray, "w"]:
    """Find the position of a curve across its track in every column from its pixels; NaN where it
    has none.

    The position is the middle of the column's pixels. It is NaN where they lie in several places
    or, for a curve that wraps, span more than half the track.

    Args:
        mine: pixels of the curve.
        hiding: pixels of curves that may be drawn over it. Where only such pixels split the curve,
            or fill a gap in it, it goes on behind them.
        wraps: True for a curve on a backup scale, whose positions go on beyond 0 and 1.
    """
    part = slice(max(0, strip.top - REACH), strip.bottom + REACH + 1)
    mine, hiding = mine[part], hiding[part]
    span = _ROUND * strip.height if wraps else np.inf
    parts = range(0, mine.shape[1], _CHUNK)
    rows = np.concatenate(
        [_middles(mine[:, x : x + _CHUNK], hiding[:, x : x + _CHUNK], span) for x in parts]
    )
    rows = np.where(mine.any(0), rows, _behind(rows, hiding))
    positions = ((strip.bottom - part.start - rows) / strip.height).clip(0, 1 - 1e-6)
    return _unrolled(positions) if wraps else positions


def _middles(
    mine: Bool[ndarray, "h w"], hiding: Bool[ndarray, "h w"], span: float
) -> Float[ndarray, "w"]:
    """Return the middle row of each column's pixels; NaN where there are none, or where they lie in
    several places or span more rows than `span`."""
    first, last = mine.argmax(0), len(mine) - 1 - mine[::-1].argmax(0)
    between = np.cumsum(~(mine | hiding), axis=0, dtype=np.int32)
    width: int = mine.shape[1]
    columns = np.arange(width)
    whole = between[first, columns] == between[last, columns]
    return np.where(mine.any(0) & whole & (last - first <= span), (first + last) / 2, np.nan)


def _behind(rows: Float[ndarray, "w"], hiding: Bool[ndarray, "h w"]) -> Float[ndarray, "w"]:
    """Fill every gap in the rows by a straight line if the line lies behind other pixels in all
    columns of the gap."""
    known = np.flatnonzero(np.isfinite(rows))
    if len(known) < 2:
        return rows
    filled, columns = rows.copy(), np.arange(len(rows))
    line = np.interp(columns, known, rows[known])
    seen = ~hiding[np.rint(line).astype(np.int64), columns]
    for gap in np.flatnonzero(np.diff(known) > 1):
        between = slice(known[gap] + 1, known[gap + 1])
        if not seen[between].any():
            filled[between] = line[between]
    return filled


def _unrolled(positions: Float[ndarray, "w"]) -> Float[ndarray, "w"]:
    """Unroll the positions of a curve that wraps: let them go on beyond the edges of the track
    instead of jumping from one edge to the other."""
    known = np.flatnonzero(np.isfinite(positions))
    unrolled = positions.copy()
    for stretch in np.split(known, np.flatnonzero(np.diff(known) > _BREAK) + 1):
        unrolled[stretch] = np.unwrap(positions[stretch], period=1)
    return unrolled

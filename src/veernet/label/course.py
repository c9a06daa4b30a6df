"""From the pixels that somebody gave to a curve to its course along a strip."""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from veernet.digitisation.strip import Strip

REACH = 4
"""Rows beyond the edges of a track in which a curve of it may be drawn; what lies further off is
drawn in another track."""

_ROUND = 0.5
"""Heights of the track by which a curve moves from one column to the next when it goes round."""

_CHUNK = 4096
"""Columns that are looked at together."""

_BREAK = 8
"""Columns without a curve beyond which nothing says whether it has gone round in them."""


def course_of(
    mine: Bool[ndarray, "h w"], hiding: Bool[ndarray, "h w"], strip: Strip, *, wraps: bool
) -> Float[ndarray, "w"]:
    """Position of a curve across its track in every column, from its pixels; NaN where it has none.

    In a column it is the middle of its pixels. There is none where they lie in several places, nor,
    for a curve that goes round, where they span more than half the track.

    Args:
        mine: its pixels.
        hiding: pixels of curves that may be drawn over it. Where they alone part it, or fill a gap
            of it all along, it goes on behind them.
        wraps: whether it goes round the track; positions then go on beyond 0 and 1.
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
    """The middle row of the pixels of every column; NaN where there are none, or in several places,
    or over more rows than `span`."""
    first, last = mine.argmax(0), len(mine) - 1 - mine[::-1].argmax(0)
    between = np.cumsum(~(mine | hiding), axis=0, dtype=np.int32)
    width: int = mine.shape[1]
    columns = np.arange(width)
    whole = between[first, columns] == between[last, columns]
    return np.where(mine.any(0) & whole & (last - first <= span), (first + last) / 2, np.nan)


def _behind(rows: Float[ndarray, "w"], hiding: Bool[ndarray, "h w"]) -> Float[ndarray, "w"]:
    """The rows, with every gap filled by a straight line that lies behind other pixels in all of
    its columns."""
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
    """Positions of a curve that goes round, on and on beyond the edges of the track instead of
    from one to the other."""
    known = np.flatnonzero(np.isfinite(positions))
    unrolled = positions.copy()
    for stretch in np.split(known, np.flatnonzero(np.diff(known) > _BREAK) + 1):
        unrolled[stretch] = np.unwrap(positions[stretch], period=1)
    return unrolled

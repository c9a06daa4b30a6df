"""Edges of tracks: where depth lines begin and end across a scan, and the edges that two share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from scipy.ndimage import uniform_filter1d

from veernet.digitisation.beyond import runs_of
from veernet.digitisation.depth_lines import DepthLines

MIN_TRACK_WIDTH = 60
"""Width of the narrowest track, px."""

MOST_WORN = 4
"""Most columns over which depth lines may be worn away within a track, px."""

MOST_COVERED = 24
"""The same where no line along the log ends the track, px."""

MOST_TICK = 12
"""Length of ticks outside an edge, px."""

MOST_FRAME = 16
"""Width of the widest line along an edge, px."""

_PIECE = 128
"""Rows over which the paper is taken to lie straight."""

_SWAY = 8
"""Greatest sway of the paper from one piece to the next, px."""

_MOST_LINES = 800
"""Most depth lines that are looked at."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Print along the columns of a scan."""

    drawn: Float[ndarray, "w"]
    """Darkness of most depth lines beyond that between them, grey levels."""
    along: Float[ndarray, "w"]
    """Darkness of most of the room between depth lines: lines along the log, and fills."""
    always: Float[ndarray, "w"]
    """Darkness of three quarters of the room between depth lines: lines along the log."""
    usual: float
    """Darkness of depth lines in most columns that have them."""


def paper_sway(page: UInt8[ndarray, "h w"], sections: Sequence[DepthLines]) -> Int[ndarray, "h"]:
    """Return by how many pixels every row of the paper lies to the right of where most rows lie:
    its edges and lines along the log show it."""
    h, paper = len(page), float(np.quantile(page[::8, ::8], 0.7))
    shifts, reference = np.zeros(-(-h // _PIECE), int), None
    for section in sections:
        first, last = (int(section.rows[end]) // _PIECE for end in (0, -1))
        for piece in range(first, last + 1):
            rows = page[piece * _PIECE : (piece + 1) * _PIECE : 3]
            dark = np.minimum(np.maximum(paper - rows.astype(np.float32), 0), 100).mean(0)
            dark -= uniform_filter1d(dark, 15)
            near = int(shifts[max(0, piece - 1)])
            if reference is None:
                reference, near = dark, 0
            else:
                tried = np.arange(near - _SWAY, near + _SWAY + 1)
                alike = np.array([dark @ np.roll(reference, shift) for shift in tried])
                alike = alike / (np.abs(alike).max() + 1e-9) - 0.01 * np.abs(tried - near)
                near = int(tried[alike.argmax()])
                reference = 0.8 * reference + 0.2 * np.roll(dark, -near)
            shifts[piece:] = near
    there = np.zeros(len(shifts), np.bool_)
    for section in sections:
        there[int(section.rows[0]) // _PIECE : int(section.rows[-1]) // _PIECE + 1] = True
    middle = int(np.median(shifts[there])) if there.any() else 0
    at = _PIECE * (np.arange(len(shifts)) + 0.5)
    return np.rint(np.interp(np.arange(h), at, shifts - middle)).astype(int)


def columns_of(
    page: UInt8[ndarray, "h w"],
    sections: Sequence[DepthLines],
    sway: Int[ndarray, "h"],
    roughly: Bool[ndarray, "w"],
) -> Columns:
    """Measure what is printed along every column, on depth lines and between them."""
    on = np.concatenate([one.rows for one in sections])
    pace = np.concatenate([np.full(len(one.rows), one.spacing) for one in sections])
    some = np.unique(np.linspace(0, len(on) - 1, _MOST_LINES).astype(int))
    on, pace = on[some], pace[some]
    reach = 1 if np.median(pace) >= 6 else 0
    between = [on - pace / 2, on + pace / 2]
    lines, before, after = (_levels(page, sway, rows, reach) for rows in (on, *between))
    light = np.maximum(before, after)
    paper = np.quantile(light, 0.7, axis=1, keepdims=True)
    drawn = np.median(light - lines, axis=0)
    dark = paper - np.concatenate([before, after]).reshape(2, *before.shape)
    always, along = np.quantile(dark, (0.25, 0.5), axis=(0, 1))
    usual = float(np.median(drawn[roughly])) if roughly.any() else float(np.quantile(drawn, 0.8))
    return Columns(drawn=drawn, along=along, always=always, usual=max(usual, 1.0))


def _levels(
    page: UInt8[ndarray, "h w"], sway: Int[ndarray, "h"], rows: Float[ndarray, "n"], reach: int
) -> Float[ndarray, "n w"]:
    """Return the grey levels of rows, the darkest within `reach` rows, put straight."""
    h = len(page)
    found = list[ndarray]()
    for row in rows.round().astype(int).clip(reach, h - 1 - reach).tolist():
        level = page[row - reach : row + reach + 1].min(0)
        found.append(np.roll(level, -int(sway[row])))
    return np.array(found, np.float32)


def find_edges(columns: Columns) -> list[tuple[int, int]]:
    """Find the left and right edges of the wide runs of columns with depth lines. An edge lies on
    the middle of the line printed along it."""
    drawn = columns.drawn > 0.4 * columns.usual
    along = columns.along > 0.4 * columns.usual
    found = list[tuple[int, int]]()
    for first, last in runs(_closed(drawn | along, along)):
        there = np.flatnonzero(drawn[first : last + 1]) + first
        if not len(there):
            continue
        left = _onto_line(columns, int(there[0]), first, -1)
        right = _onto_line(columns, int(there[-1]), last, 1)
        if right - left + 1 >= MIN_TRACK_WIDTH and len(there) > 0.3 * (right - left):
            found.append((left, right))
    return found


def runs(found: Bool[ndarray, "n"]) -> list[tuple[int, int]]:
    """Return the first and last place of every run of True."""
    return [(first, stop - 1) for first, stop in runs_of(found).tolist()]


def _closed(found: Bool[ndarray, "w"], along: Bool[ndarray, "w"]) -> Bool[ndarray, "w"]:
    """Close short gaps, from a stamp, a straight curve or a worn line, between columns with depth
    lines; longer ones unless lines along the log at both of their sides end two tracks."""
    closed, reach = found.copy(), MOST_COVERED
    for first, last in runs(~found):
        sides = slice(max(0, first - reach), first), slice(last + 1, last + 1 + reach)
        edges = [along[sides[0]][-4:].any(), along[sides[1]][:4].any()]
        goes_on = not all(edges) and all(found[side].sum() > 0.7 * reach for side in sides)
        most = MOST_COVERED if goes_on else MOST_WORN
        if last - first < most and first > 0 and last < len(found) - 1:
            closed[first : last + 1] = True
    return closed


def _onto_line(columns: Columns, drawn: int, end: int, side: int) -> int:
    """Return the middle of the outermost line along the log, from `MOST_TICK` inside the last
    column with depth lines on a side to 3 px beyond the end of what is printed there; that last
    column if there is no such line."""
    always = columns.always > 0.4 * columns.usual
    near = sorted(
        int(np.clip(at, 0, len(always) - 1)) for at in (drawn - MOST_TICK * side, end + 3 * side)
    )
    lines = [line for line in runs(always) if line[0] <= near[1] and line[1] >= near[0]]
    if not lines:
        return drawn
    first, last = lines[-1] if side > 0 else lines[0]
    if last - first >= MOST_FRAME:  # a fill, up to the edge
        return last - 1 if side > 0 else first + 1
    weight = columns.always[first : last + 1]
    return round(float(np.average(np.arange(first, last + 1), weights=weight)))

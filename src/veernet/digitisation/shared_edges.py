"""Edges that two tracks share, told by the grids on either side of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from scipy.signal import find_peaks, peak_widths

from veernet.digitisation.depth_lines import DepthLines
from veernet.digitisation.track_edges import MIN_TRACK_WIDTH, Columns

MOST_DIVISIONS = 12
"""Most parts into which a linear grid cuts a track."""

MOST_DECADES = 5
"""Most decades across a track."""

_MOST_CANDIDATES = 10

_SPLIT_COST, _SAME_WIDTH = 0.15, 0.25
"""Cost of another track, in shares of the lines that fit a grid, and bonus for tracks that are as
wide as another one."""

_LEAST_LINES, _LEAST_FIT = 2, 0.75
"""Fewest lines of a grid that make a track of their own, and the share of them that fits."""

Edges = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """Lines along the log within two edges."""

    at: Float[ndarray, "n"]
    ink: Float[ndarray, "n"]


def split_shared(
    columns: Columns, tracks: Sequence[Edges], goes_on: Callable[[int], bool]
) -> tuple[list[Edges], list[int]]:
    """Split the tracks that are several with shared edges; returns all tracks, and the columns at
    which a track may be two, but need not be.

    A heavy line is a shared edge if the grids on either side of it, linear or logarithmic, are
    whole ones, and the lines of both together make no grid; or if they do, but each of the two is
    as wide as another track of the scan. Where its edges go on into the header, so must this line.

    Args:
        goes_on: tells whether a column has a line along the log in the header, too.
    """
    found, doubtful = list[Edges](), list[int]()
    for track in tracks:
        widths = [right - left for left, right in tracks if (left, right) != track]
        grid = _grid(columns, track)
        inner = np.mean([goes_on(round(float(at))) for at in grid.at]) if len(grid.at) else 0.0
        headed = all(goes_on(edge) for edge in track) and inner < 0.4
        best, second = _cuts(grid, track, widths, goes_on if headed else None)
        found += pairwise([track[0], *best, track[1]])
        if not best and second:
            doubtful += second
    return found, doubtful


def header_lines(
    page: UInt8[ndarray, "h w"], sections: Sequence[DepthLines], sway: Int[ndarray, "h"]
) -> Callable[[int], bool]:
    """Return the function that tells whether a line along the log goes on above a section or
    below."""
    w = page.shape[1]
    longest = np.zeros(w, np.int64)
    for section in sections:
        first, last = (int(section.rows[end]) for end in (0, -1))
        margin, reach = round(1.5 * section.spacing), round(0.4 * w)
        above, below = max(0, first - margin), last + margin
        for part, row in ((page[max(0, above - reach) : above], first), (page[below:], last)):
            if len(part):
                lines = np.roll(_thin_lines(part[:reach]), -int(sway[row]), axis=1)
                longest = np.maximum(longest, _longest_runs(lines))

    def goes_on(column: int) -> bool:
        near = longest[max(0, column - 2) : column + 3]
        at_border = column < 4 or column > w - 5  # where the scan cuts the line
        return at_border or bool(near.max() > 0.06 * w)

    return goes_on


def _thin_lines(part: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "h w"]:
    """Return ones where a thin line goes along the log, and for a pixel beside it."""
    dark = cv2.morphologyEx(part, cv2.MORPH_BLACKHAT, np.ones((1, 15), np.uint8)) > 40
    across = np.ones((9, 1), np.uint8)  # rules of the header cross it
    closed = cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_CLOSE, across)
    return np.asarray(cv2.dilate(closed, np.ones((3, 3), np.uint8)))


def _longest_runs(dark: UInt8[ndarray, "h w"]) -> Int[ndarray, "w"]:
    """Return the length of the longest run of ones in every column."""
    run = longest = np.zeros(dark.shape[1], np.int64)
    for row in dark:
        run = (run + 1) * row
        longest = np.maximum(longest, run)
    return longest


def _grid(columns: Columns, track: Edges) -> _Grid:
    """Find the lines along the log inside a track."""
    first, last = track[0] + 4, track[1] - 3
    part = columns.along[first:last]
    at, _ = find_peaks(part, prominence=0.25 * columns.usual)
    if not len(at):
        return _Grid(at=np.empty(0), ink=np.empty(0))
    width, _, left, right = peak_widths(part, at, rel_height=0.5)
    return _Grid(at=first + (left + right) / 2, ink=width * part[at])


def _cuts(
    grid: _Grid,
    track: Edges,
    widths: Sequence[int],
    goes_on: Callable[[int], bool] | None,
) -> tuple[list[int], list[int]]:
    """Return where to cut a track, and the best other way to cut it, if it is nearly as good."""
    left, right = track
    heavy = np.flatnonzero(grid.ink >= 0.6 * grid.ink.max(initial=0))
    heavy = heavy[np.argsort(-grid.ink[heavy])][:_MOST_CANDIDATES]
    places = sorted(round(float(grid.at[one])) for one in heavy)
    ways = [(_worth(grid, [left, right], []), list[int]())]
    for n in (1, 2):
        for some in combinations(places, n):
            edges = [left, *some, right]
            if min(b - a for a, b in pairwise(edges)) >= MIN_TRACK_WIDTH:
                worth = _worth(grid, edges, widths)
                if goes_on is None or all(map(goes_on, some)):
                    ways.append((worth, [*some]))
    ways.sort(key=lambda way: -way[0])
    (best, cuts), others = ways[0], ways[1:]
    close = [way for way in others if way[0] > best - _SPLIT_COST - 0.05]
    return cuts, close[0][1] if close else []


def _worth(grid: _Grid, edges: Sequence[int], widths: Sequence[int]) -> float:
    """Value of a way to cut: the share of the lines that fit grids, by width, less the cost of the
    cuts."""
    pieces = [*pairwise(edges)]
    inside = [grid.at[(grid.at > a + 2) & (grid.at < b - 2)] for a, b in pieces]
    fits = [_fit(lines, a, b) for lines, (a, b) in zip(inside, pieces, strict=True)]
    if len(pieces) > 1 and (min(map(len, inside)) < _LEAST_LINES or min(fits) < _LEAST_FIT):
        return 0.0
    total = sum(fit * (b - a) for fit, (a, b) in zip(fits, pieces, strict=True))
    like = widths and all(
        any(abs(b - a - width) <= max(3, 0.015 * width) for width in widths) for a, b in pieces
    )
    at_cuts = [grid.ink[np.abs(grid.at - cut).argmin()] for cut in edges[1:-1]]
    heavy = (
        min(at_cuts, default=0.0) >= 1.4 * float(np.median(grid.ink)) if len(grid.ink) else False
    )
    bonus = _SAME_WIDTH if like and heavy and at_cuts else 0.0
    return total / (edges[-1] - edges[0]) - _SPLIT_COST * (len(pieces) - 1) + bonus


def _fit(lines: Float[ndarray, "n"], left: int, right: int) -> float:
    """Return how well lines make the whole grid of a track: F1 of the lines of the best one."""
    slack = max(2.0, 0.006 * (right - left))
    best = float(len(lines) == 0)
    for grid in _GRIDS:
        places = left + grid * (right - left)
        places = places[np.diff(places, prepend=-9) >= 2]
        if len(lines):
            off = np.abs(lines[:, None] - places)
            matched = min((off.min(1) <= slack).sum(), (off.min(0) <= slack).sum())
            best = max(best, 2 * float(matched) / (len(lines) + len(places)))
    return best


def _grids() -> list[Float[ndarray, "n"]]:
    """Return the places of the lines inside a track, 0 to 1, of every customary grid."""
    linear = [np.arange(1, n) / n for n in range(2, MOST_DIVISIONS + 1)]
    logarithmic = list[ndarray]()
    for decades in range(1, MOST_DECADES + 1):
        for first in range(1, 7):
            digits = np.log10(np.arange(1, 10))
            every = np.concatenate([digits + decade for decade in range(decades + 1)])
            at = (every - np.log10(first)) / decades
            logarithmic.append(at[(at > 1e-6) & (at < 1 - 1e-6)])
    return linear + logarithmic


_GRIDS = _grids()

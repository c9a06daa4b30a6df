"""Spaces beside and between tracks: the depth column, and tracks without depth lines."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int, UInt8
from numpy import ndarray

from veernet.digitisation.depth_lines import DepthLines
from veernet.digitisation.track_edges import MIN_TRACK_WIDTH, runs

LEAST_SPACE = 20
"""Width of the narrowest depth column, px."""

Edges = tuple[int, int]


def find_spaces(
    page: UInt8[ndarray, "h w"],
    sections: Sequence[DepthLines],
    sway: Int[ndarray, "h"],
    tracks: Sequence[Edges],
) -> tuple[Edges | None, tuple[Edges, ...]]:
    """Return the edges of the depth column, None if there is none, and those of spaces with print
    in nearly every row, as a curve has it, though without depth lines.

    The depth column is the space with most blocks of print, as numbers are, one below the other.
    """
    longest = max(sections, key=lambda one: one.rows[-1] - one.rows[0])
    first, last = (int(longest.rows[end]) for end in (0, -1))
    paper = float(np.quantile(page[first:last:8, ::8], 0.7))
    dark = np.array(
        [
            np.roll(row < paper - 50, -int(shift))
            for row, shift in zip(page[first:last], sway[first:last], strict=True)
        ]
    )
    ends = [-1, *(edge for track in tracks for edge in track), page.shape[1]]
    spaces = [(a + 1, b - 1) for a, b in pairwise(ends)][::2]
    column, most, unruled = None, 2, list[Edges]()
    for left, right in spaces:
        inside = dark[:, left + 4 : max(left + 4, right - 3)]
        if right - left < LEAST_SPACE or not inside.shape[1]:
            continue
        rows = _printed_rows(inside)
        if right - left >= MIN_TRACK_WIDTH and rows.mean() > 0.9:
            unruled.append((left, right))
        elif (blocks := sum(b - a >= 4 for a, b in runs(rows))) > most:
            column, most = (left, right), blocks
    return column, tuple(unruled)


def _printed_rows(dark: Bool[ndarray, "n m"]) -> Bool[ndarray, "n"]:
    """Return the rows with print, other than lines along the log."""
    others = dark[:, dark.mean(0) < 0.5]
    return others.sum(1) >= 2

"""What a calibration can find by itself on a scan: depth lines, and the edges of tracks."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from veernet.errors import CalibrationError

WINDOW = 1500
"""Rows that are looked at together: a paper feed that drifts is straight over so many."""

LEAST = 60
"""Width of the narrowest track, px."""

_INK = 128
"""Grey level below which a pixel counts as ink."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What was found on a scan with depth down the page.

    tracks:  columns of the left and right edge of each, from left to right
    lines:   rows of the depth lines, from top to bottom
    heavy:   which of them are thicker than most
    spacing: px from one depth line to the next, on average
    """

    tracks: tuple[tuple[int, int], ...]
    lines: Float[ndarray, "n"]
    heavy: Bool[ndarray, "n"]
    spacing: float


def propose(scan: UInt8[ndarray, "h w"]) -> Proposal:
    """Find depth lines and tracks on a scan (255 = paper) with depth down the page.

    Depth lines are rows of ink across more than half of what the fullest rows have. Tracks are
    where the depth lines are drawn: they leave out the depth column, whatever else is printed
    there. An edge lies on the middle of the line that is printed along it.

    Raises:
        CalibrationError: there are no evenly spaced lines across the scan.
    """
    windows = [*_windows(scan)]
    if not windows:
        raise CalibrationError(
            "no evenly spaced depth lines were found across the scan; is it straight, and does "
            "depth run down the page?"
        )
    tracks = _common([edges for _, edges, _ in windows])
    rows = np.concatenate([lines for lines, _, _ in windows])
    thick = np.concatenate([thickness for _, _, thickness in windows])
    return Proposal(
        tracks=tracks,
        lines=rows,
        heavy=thick > 1.4 * np.median(thick),
        spacing=float(np.median([_spacing(lines) for lines, _, _ in windows])),
    )


def _windows(
    scan: UInt8[ndarray, "h w"],
) -> Iterator[tuple[Float[ndarray, "n"], list[tuple[int, int]], Float[ndarray, "n"]]]:
    """Rows of lines, edges of tracks and thickness of the lines, of every window that has some."""
    for top in range(0, len(scan), WINDOW):
        ink = scan[top : top + WINDOW] < _INK
        full = ink.mean(1)
        rows, thickness = _runs(full > 0.55 * np.quantile(full, 0.995))
        gaps = np.diff(rows)
        if len(rows) < 6 or full.max() < 0.2 or not _is_even(gaps):
            continue
        drawn = ink[np.rint(rows).astype(int)].mean(0)
        yield rows + top, _tracks(drawn > 0.6, ink.mean(0)), thickness


def _runs(found: Bool[ndarray, "n"]) -> tuple[Float[ndarray, "m"], Float[ndarray, "m"]]:
    """Middle and length of every run of True."""
    change = np.flatnonzero(np.diff(found.astype(np.int8), prepend=0, append=0))
    begin, end = change[::2], change[1::2]
    return (begin + end - 1) / 2, (end - begin).astype(float)


def _is_even(gaps: Float[ndarray, "n"]) -> bool:
    """Whether most of them are multiples of the one in the middle."""
    times = gaps / np.median(gaps)
    return bool((np.abs(times - np.rint(times)) < 0.15).mean() > 0.8)


def _tracks(drawn: Bool[ndarray, "w"], full: Float[ndarray, "w"]) -> list[tuple[int, int]]:
    """Edges of the wide runs of columns with depth lines, moved onto the line nearby."""
    closed = drawn.copy()
    middle, length = _runs(~drawn)
    for at, n in zip(middle, length, strict=True):
        first, last = round(at - (n - 1) / 2), round(at + (n - 1) / 2)
        if n <= 4 and first > 0 and last < len(drawn) - 1:  # what a stamp or a worn line left out
            closed[first : last + 1] = True
    edges: list[tuple[int, int]] = []
    for at, n in zip(*_runs(closed), strict=True):
        if n >= LEAST:
            left, right = (_onto_line(full, at + side * (n - 1) / 2) for side in (-1, 1))
            edges.append((left, right))
    return edges


def _onto_line(full: Float[ndarray, "w"], near: float) -> int:
    """The column of most ink within 3 px, in the middle of equals; `near` without a line there."""
    first = max(0, round(near) - 3)
    part = full[first : round(near) + 4]
    if part.max() < 0.3:
        return round(near)
    best = np.flatnonzero(part > part.max() - 0.05)
    return int(first + round(float(best.mean())))


def _common(found: list[list[tuple[int, int]]]) -> tuple[tuple[int, int], ...]:
    """The tracks of most windows, their edges in the middle of those found."""
    n = Counter(map(len, found)).most_common(1)[0][0]
    edges = np.median([one for one in found if len(one) == n], axis=0).reshape(n, 2)
    return tuple((round(left), round(right)) for left, right in edges.tolist())


def _spacing(rows: Float[ndarray, "n"]) -> float:
    """Distance of neighbours, over all stretches in which lines follow each other evenly."""
    gaps = np.diff(rows)
    usual = float(np.median(gaps))
    times = np.rint(gaps / usual)
    good = (times >= 1) & (times <= 20) & (np.abs(gaps / usual - times) < 0.3)
    return float(gaps[good].sum() / times[good].sum())

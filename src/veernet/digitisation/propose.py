"""Find on a scan what a calibration needs: depth lines, and the edges of tracks."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from veernet.digitisation.strip import dark
from veernet.errors import CalibrationError

WINDOW_ROWS = 1500
"""Rows of one window: short enough for a drifting paper feed to keep edges straight within it."""

MIN_TRACK_WIDTH = 60
"""Width of the narrowest track, px."""

MAX_MISSING_LINES = 20
"""Most depth lines that may be missing between two neighbours."""

MAX_SKEW = 0.06
"""Greatest slope of depth lines on a skewed scan: 3.4 degrees."""

Window = tuple[Float[ndarray, "_"], list[tuple[int, int]], Float[ndarray, "_"]]
"""Rows of the lines, edges of the tracks, and thickness of the lines, in one window."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Depth lines and tracks found on a scan with depth down the page.

    tracks:  columns of the left and right edge of each track, from left to right
    lines:   rows of the depth lines, from top to bottom
    thick:   True for lines that are thicker than most
    spacing: mean distance between neighbouring depth lines, px
    skew:    angle by which depth lines fall to the right, radians; the columns and rows above are
             those of the scan rotated back by it about its upper left corner
    """

    tracks: tuple[tuple[int, int], ...]
    lines: Float[ndarray, "n"]
    thick: Bool[ndarray, "n"]
    spacing: float
    skew: float = 0.0

    def to_scan(self, column: float, row: float) -> tuple[float, float]:
        """Convert a column and row, as in `tracks` and `lines`, to a place (x, y) on the skewed
        scan."""
        cos, sin = math.cos(self.skew), math.sin(self.skew)
        return column * cos - row * sin, column * sin + row * cos

    def line_rows(self, track: int = 0) -> Float[ndarray, "n"]:
        """Return the rows at which the depth lines cross the left edge of a track on the skewed
        scan. Ties are read at that of the first track of a calibration."""
        left = self.tracks[track][0]
        return left * math.sin(self.skew) + self.lines * math.cos(self.skew)

    def evenly_spaced_run(self, line: int) -> tuple[slice, Int[ndarray, "m"]]:
        """Return the lines around number `line` that follow one another evenly, and the number of
        steps by which each lies below that line. Rules of a header, or lines of another pass,
        are not among them."""
        steps, even = _steps(np.diff(self.lines) / self.spacing, slack=0.25)
        breaks = np.flatnonzero(~even)
        first = int(breaks[breaks < line].max(initial=-1)) + 1
        last = int(breaks[breaks >= line].min(initial=len(self.lines) - 1))
        counted = np.concatenate([[0], np.cumsum(steps[first:last])])
        return slice(first, last + 1), counted - counted[line - first]


def propose(scan: UInt8[ndarray, "h w"]) -> Proposal:
    """Find depth lines and tracks on a scan (255 = paper) with depth down the page.

    Depth lines are rows with ink in more than half as many columns as the fullest rows. Tracks are
    the columns where depth lines are drawn: the depth column has none, whatever else is printed
    there. An edge lies on the middle of the line printed along it. A skewed scan, up to a slope
    of `MAX_SKEW`, is rotated back first.

    Raises:
        CalibrationError: there are no evenly spaced lines across the scan, or no tracks.
    """
    turned = _angle(scan)
    windows = [*_windows(scan, turned)]
    if turned and windows:  # edges are longer than lines, so more exact
        turned -= _residual_skew(windows)
        windows = [*_windows(scan, turned)]
    if not windows:
        raise CalibrationError(
            "no evenly spaced depth lines were found across the scan; is it straight, and does "
            "depth run down the page?"
        )
    tracks = _median_tracks(windows)
    if not tracks:
        raise CalibrationError(
            f"no track of {MIN_TRACK_WIDTH} px or more was found between the depth lines"
        )
    rows = np.concatenate([lines for lines, _, _ in windows])
    thick = np.concatenate([thickness for _, _, thickness in windows])
    return Proposal(
        tracks=tracks,
        lines=rows,
        thick=thick > 1.4 * np.median(thick),
        spacing=float(np.median([_spacing(lines) for lines, _, _ in windows])),
        skew=turned,
    )


def _angle(scan: UInt8[ndarray, "h w"]) -> float:
    """Find the angle by which depth lines fall to the right: the one along which ink is
    concentrated on the fewest lines. 0 if they fall by less than two pixels across the scan."""
    found = list[float]()
    for part in (0.25, 0.5, 0.75):
        top = round(part * max(0, len(scan) - WINDOW_ROWS))
        y, x = np.nonzero(dark(scan[top : top + WINDOW_ROWS, ::4]))
        if len(y) < 100:
            continue
        slopes, best = np.linspace(-MAX_SKEW, MAX_SKEW, 121), 0.0
        for near in (0.004, 0.0):  # coarse, then fine
            worth = np.array([np.square(_profile(y - 4 * s * x)).sum() for s in slopes])
            top_half = np.maximum(worth - (worth.max() + np.median(worth)) / 2, 0)
            if not top_half.any():  # as much ink along all of them
                break
            best = float((slopes @ top_half) / top_half.sum())
            slopes = best + np.linspace(-near, near, 41)
        found.append(best)
    slope = float(np.median(found)) if found else 0.0
    return math.atan(slope) if abs(slope) * scan.shape[1] >= 2 else 0.0


def _profile(rows: Float[ndarray, "n"]) -> Float[ndarray, "m"]:
    """Count the ink on every row."""
    return np.bincount((rows - rows.min()).round().astype(np.int64)).astype(float)


def _turned_back(
    scan: UInt8[ndarray, "h w"], angle: float
) -> Iterator[tuple[int, int, UInt8[ndarray, "n m"]]]:
    """Yield windows of the scan rotated back by an angle: the row and column of each window's
    corner, and its pixels."""
    h, w = scan.shape
    cos, sin = math.cos(angle), math.sin(angle)
    if angle == 0:
        yield from ((top, 0, scan[top : top + WINDOW_ROWS]) for top in range(0, h, WINDOW_ROWS))
        return
    for top in range(min(0, math.floor(-w * sin)), math.ceil(h * cos + w * abs(sin)), WINDOW_ROWS):
        left = math.floor(min(top * math.tan(angle), (top + WINDOW_ROWS) * math.tan(angle)))
        width = math.ceil(w / cos + WINDOW_ROWS * abs(math.tan(angle))) + 2
        # A place (column, row) of the window lies on the scan at turn @ (column, row, 1).
        x, y = left * cos - top * sin, left * sin + top * cos
        first = max(0, math.floor(y + min(0.0, width * sin)) - 1)
        part = scan[
            first : max(first, math.ceil(y + max(0.0, width * sin) + WINDOW_ROWS * cos) + 2)
        ]
        if len(part):
            turn = np.array([[cos, -sin, x], [sin, cos, y - first]])
            flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
            seen = cv2.warpAffine(
                part, turn, (width, WINDOW_ROWS), None, flags, cv2.BORDER_CONSTANT, (255,)
            )
            yield top, left, seen


def _windows(scan: UInt8[ndarray, "h w"], angle: float) -> Iterator[Window]:
    """Yield the rows of lines, edges of tracks and thickness of lines of every window with
    lines."""
    for top, left, seen in _turned_back(scan, angle):
        ink = dark(seen)
        full = ink.mean(1)
        rows, thickness = _runs(full > 0.55 * np.quantile(full, 0.995))
        gaps = np.diff(rows)
        if len(rows) < 6 or full.max() < 0.2 or not _is_even(gaps):
            continue
        near = cv2.dilate(ink.astype(np.uint8), np.ones((3, 1), np.uint8))
        drawn = near[np.rint(rows).astype(int)].mean(0)
        edges = [(a + left, b + left) for a, b in _tracks(drawn > 0.6, ink.mean(0))]
        yield rows + top, edges, thickness


def _runs(found: Bool[ndarray, "n"]) -> tuple[Float[ndarray, "m"], Float[ndarray, "m"]]:
    """Return the middle and length of every run of True."""
    change = np.flatnonzero(np.diff(found.astype(np.int8), prepend=0, append=0))
    begin, end = change[::2], change[1::2]
    return (begin + end - 1) / 2, (end - begin).astype(float)


def _is_even(gaps: Float[ndarray, "n"]) -> bool:
    """Return whether most gaps are multiples of the median gap."""
    times = gaps / np.median(gaps)
    return bool((np.abs(times - np.rint(times)) < 0.15).mean() > 0.8)


def _tracks(drawn: Bool[ndarray, "w"], full: Float[ndarray, "w"]) -> list[tuple[int, int]]:
    """Find the edges of the wide runs of columns with depth lines, moved onto the line nearby."""
    closed = drawn.copy()
    middle, length = _runs(~drawn)
    for at, n in zip(middle, length, strict=True):
        first, last = round(at - (n - 1) / 2), round(at + (n - 1) / 2)
        if n <= 4 and first > 0 and last < len(drawn) - 1:  # gap from a stamp or a worn line
            closed[first : last + 1] = True
    edges: list[tuple[int, int]] = []
    for at, n in zip(*_runs(closed), strict=True):
        if n >= MIN_TRACK_WIDTH:
            left, right = (_onto_line(full, at + side * (n - 1) / 2) for side in (-1, 1))
            edges.append((left, right))
    return edges


def _onto_line(full: Float[ndarray, "w"], near: float) -> int:
    """Return the column with most ink within 3 px, the middle one of equals; `near` if no line is
    there."""
    first = max(0, round(near) - 3)
    part = full[first : round(near) + 4]
    if part.max() < 0.3:
        return round(near)
    best = np.flatnonzero(part > part.max() - 0.05)
    return int(first + round(float(best.mean())))


def _median_tracks(windows: list[Window]) -> tuple[tuple[int, int], ...]:
    """Return the tracks of most windows, with the median of their edges."""
    edges = np.median([edges for _, edges, _ in _modal_windows(windows)], axis=0).reshape(-1, 2)
    return tuple((round(left), round(right)) for left, right in edges.tolist())


def _residual_skew(windows: list[Window]) -> float:
    """Residual skew: drift of the track edges to the right, px per row."""
    alike = [(rows.mean(), np.ravel(edges)) for rows, edges, _ in _modal_windows(windows) if edges]
    leans = [
        float(np.median(b - a) / (deeper - row)) for (row, a), (deeper, b) in combinations(alike, 2)
    ]
    return float(np.median(leans)) if leans else 0.0


def _modal_windows(windows: list[Window]) -> list[Window]:
    """Keep the windows whose number of tracks is the most frequent one."""
    n = Counter(len(edges) for _, edges, _ in windows).most_common(1)[0][0]
    return [window for window in windows if len(window[1]) == n]


def _spacing(rows: Float[ndarray, "n"]) -> float:
    """Mean distance of neighbouring lines, over all stretches with evenly spaced lines."""
    gaps = np.diff(rows)
    usual = float(np.median(gaps))
    steps, even = _steps(gaps / usual, slack=0.3)
    return float(gaps[even].sum() / steps[even].sum())


def _steps(
    times: Float[ndarray, "n"], *, slack: float
) -> tuple[Int[ndarray, "n"], Bool[ndarray, "n"]]:
    """Round distances, in units of the usual spacing, to numbers of steps, and return whether each
    is a whole number of steps to within `slack`."""
    steps = np.rint(times).astype(int)
    even = (steps >= 1) & (steps <= MAX_MISSING_LINES) & (np.abs(times - steps) < slack)
    return steps, even

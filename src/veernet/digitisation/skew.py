"""Angle of a scan, and the scan rotated back by it."""

import math
from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from veernet.digitisation.strip import dark

WINDOW_ROWS = 1500
"""Rows of one window."""

MAX_SKEW = 0.06
"""Greatest slope of depth lines on a skewed scan: 3.4 degrees."""


def find_angle(scan: UInt8[ndarray, "h w"]) -> float:
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


def turned_back(
    scan: UInt8[ndarray, "h w"], angle: float
) -> tuple[int, int, UInt8[ndarray, "H W"]]:
    """Return the scan rotated back by an angle about its upper left corner, white beyond its edges,
    and the row and column of the first pixel returned."""
    if angle == 0:
        return 0, 0, scan
    h, w = scan.shape
    cos, sin = math.cos(angle), math.sin(angle)
    corners = [(x * cos + y * sin, y * cos - x * sin) for x in (0, w) for y in (0, h)]
    left, top = (math.floor(min(corner[i] for corner in corners)) for i in (0, 1))
    right, bottom = (math.ceil(max(corner[i] for corner in corners)) for i in (0, 1))
    windows = [*_windows(scan, angle, range(top, bottom + 1), range(left, right + 1))]
    return top, left, np.concatenate(windows)


def _windows(
    scan: UInt8[ndarray, "h w"], angle: float, rows: range, columns: range
) -> Iterator[UInt8[ndarray, "n W"]]:
    """Yield the turned scan in windows: OpenCV counts the pixels of a picture in 16 bits."""
    cos, sin, width = math.cos(angle), math.sin(angle), len(columns)
    for top in rows[::WINDOW_ROWS]:
        n = min(WINDOW_ROWS, rows.stop - top)
        # A place (column, row) of the window lies on the scan at turn @ (column, row, 1).
        x, y = columns.start * cos - top * sin, columns.start * sin + top * cos
        first = max(0, math.floor(y + min(0.0, width * sin)) - 1)
        last = math.ceil(y + max(0.0, width * sin) + n * cos) + 2
        part = scan[first : max(first, last)]
        if not len(part):
            yield np.full((n, width), 255, np.uint8)
            continue
        turn = np.array([[cos, -sin, x], [sin, cos, y - first]])
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        turned = cv2.warpAffine(part, turn, (width, n), None, flags, cv2.BORDER_CONSTANT, (255,))
        yield np.asarray(turned)

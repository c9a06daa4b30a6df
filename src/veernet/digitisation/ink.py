"""Ink of a track: what a network sees in it, and what lies on its paper beside the grid.

A network misses some ink: thick pens where they are steep, faint dots, long straight parts. Ink
that is darker than the paper around it, less what runs straight along or across the whole track,
stands beside it as evidence: it is everywhere, but does not say what it belongs to.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from veernet.curves.trace import run_at
from veernet.digitisation.inks import to_lab

INKED = 0.3
"""Darkness above the grid from which a pixel is ink, of 1."""

SEEN = 0.5
"""Probability of all curves from which a pixel is theirs."""

_PAPER = 1 / 12
"""Side of the squares over which paper is judged, in heights of the track."""

_CHROMA = 1.3
"""Weight of chroma beside lightness in the darkness of a colour."""

_FAINTEST = 6.0
"""Distance from the paper below which a colour is paper, CIELAB."""

_ALONG, _ACROSS = 0.8, 0.75
"""Quantile of darkness of a part of a line, along the track and across it: lines may be dashed."""

_LINES = 9
"""Number of parts of a line, half of which show it. A part is a quarter of the height long."""

_FAINT, _PEAK = 0.2, 0.35
"""Least darkness of a spot's pixels, and of its darkest one."""

_NOISY, _SPECK = 15.0, 12
"""Specks of up to 3 px per 10,000 px of a track from which on a spot needs as many pixels as
`_SPECK`."""

_CLUTTER = 2.0
"""Strokes in a row, in a square of a twelfth of the height, from which on ink that the network
does not see is hatching or lettering rather than a curve."""

_FRAME = 0.02
"""Reach of a frame into the track, in fractions of its height."""

_STRAIGHT, _DISCOUNT = 0.5, 0.1
"""Share of a row that is dark from which it is a line of the grid, and what is left there of the
probabilities of curves."""


@dataclass(frozen=True, kw_only=True)
class TrackInk:
    """Ink of one track, as it is read: rows from its upper to its lower edge.

    planes: probability of each curve that the network tells apart
    print:  ink beside the grid, 0 to 1, whether the network sees it or not
    dark:   darkness, 0 on paper and 1 on the darkest ink
    level:  darkness of the lines of the grid, 0 where none runs
    lab:    colours, CIELAB; None on a grey scan
    pen:    width of the pens, px
    """

    planes: Float[ndarray, "C h w"]
    print: Float[ndarray, "h w"]
    dark: Float[ndarray, "h w"]
    level: Float[ndarray, "h w"]
    lab: Float[ndarray, "h w 3"] | None
    pen: float

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, px."""
        h, w = self.dark.shape
        return h, w

    @property
    def lines(self) -> Bool[ndarray, "h w"]:
        """Pixels of the lines of the grid."""
        return self.level > INKED

    @property
    def seen(self) -> Float[ndarray, "h w"]:
        """Probability of all curves."""
        return self.planes.sum(0)

    @property
    def inked(self) -> Bool[ndarray, "h w"]:
        """Pixels with ink of any curve."""
        return (self.print > INKED) | (self.seen > SEEN)


def find_ink(
    grey: UInt8[ndarray, "H w"],
    rgb: UInt8[ndarray, "H w 3"] | None,
    planes: Float[ndarray, "C H w"],
    rows: slice,
) -> TrackInk:
    """Find the ink of a track.

    Args:
        grey: the track with its margins, 255 = paper.
        rgb: its colours, if the scan has any.
        planes: probability of each curve that the network tells apart.
        rows: rows of the track, without its margins.
    """
    dark = _darkness(grey)
    if rgb is not None:
        dark = np.maximum(dark, _distance_from_paper(rgb))
    dark, planes = dark[rows], planes[:, rows].astype(np.float32)
    level = _grid(dark)
    above = np.clip(dark - 1.15 * level, 0, 1) / np.maximum(1 - 0.6 * level, 0.3)
    spots = _spots(above)
    planes, spots = _without_frame(planes, spots, dark)
    pen = _pen(dark, level, planes)
    return TrackInk(
        planes=planes,
        print=spots * _trust(spots, planes.sum(0), pen),
        dark=dark,
        level=level,
        lab=None if rgb is None else to_lab(np.ascontiguousarray(rgb[rows])).astype(np.float32),
        pen=pen,
    )


def _darkness(grey: UInt8[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """Measure how dark each pixel is beside the paper around it, 1 for the darkest hundredth."""
    side = max(5, round(len(grey) * _PAPER) // 4) | 1
    h, w = grey.shape
    quarter = max(1, w // 4), max(1, h // 4)
    small = cv2.resize(grey, quarter, interpolation=cv2.INTER_AREA)
    light = cv2.GaussianBlur(cv2.dilate(small, np.ones((5, 5), np.uint8)), (0, 0), 3)
    paper = np.maximum(cv2.medianBlur(small, min(side, 255)), 0.9 * light).astype(np.float32)
    paper = cv2.resize(paper, (w, h))
    ink = float(np.quantile(grey[::2, ::2], 0.01))
    return np.clip((paper - grey) / np.maximum(paper - ink, 30), 0, 1).astype(np.float32)


def _distance_from_paper(rgb: UInt8[ndarray, "h w 3"]) -> Float[ndarray, "h w"]:
    """Measure how far each colour is from that of the paper, 1 for the most distinct inks."""
    lab = to_lab(rgb).astype(np.float32)
    paper = np.median(lab[::3, ::3].reshape(-1, 3), axis=0)
    far = np.linalg.norm((lab - paper) * np.array([1, _CHROMA, _CHROMA], np.float32), axis=2)
    most = max(0.7 * float(np.quantile(far[::2, ::2], 0.995)), 25.0)
    return np.clip((far - _FAINTEST) / most, 0, 1).astype(np.float32)


def _grid(dark: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """Find the darkness of straight lines along the track and across it; 0 elsewhere."""
    h, _ = dark.shape
    along = cv2.dilate(_level(dark, max(80, h // 4), _ALONG), np.ones((3, 1), np.uint8))
    across = _level(np.ascontiguousarray(dark.T), max(30, h // 8), _ACROSS)
    across = cv2.dilate(np.ascontiguousarray(across.T), np.ones((1, 3), np.uint8))
    return np.maximum(along, across)


def _level(dark: Float[ndarray, "h w"], part: int, quantile: float) -> Float[ndarray, "h w"]:
    """Measure the darkness of the line in each row: in every part of it the quantile, and of the
    parts around the median."""
    w = dark.shape[1]
    n = max(1, w // part)
    edges = np.arange(n + 1, dtype=np.intp) * w // n
    length = int(np.diff(edges).min())
    columns = edges[:-1, None] + np.arange(length, dtype=np.intp)
    parts = (255 * dark).astype(np.uint8)[:, columns]
    at = int(quantile * (length - 1))
    levels = np.partition(parts, at, axis=2)[:, :, at].astype(np.float32) / 255
    if n <= _LINES:
        level = np.median(levels, axis=1, keepdims=True).repeat(n, 1)
    else:
        around = np.pad(levels, ((0, 0), (_LINES // 2, _LINES // 2)), mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(around, _LINES, axis=1)
        level = np.median(windows, axis=2)
    return np.repeat(level, np.diff(edges), axis=1).astype(np.float32)


def _spots(above: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """Keep spots of ink that are dark and large enough, as probabilities."""
    n, label = cv2.connectedComponents((above > _FAINT).astype(np.uint8), connectivity=8)
    label = np.asarray(label, np.intp)
    area, peak = np.bincount(label.ravel(), minlength=n), np.zeros(n, np.float32)
    np.maximum.at(peak, label.ravel(), above.ravel())
    specks = 1e4 * np.count_nonzero((area < 4) & (peak > 0.4)) / above.size
    kept = (area >= (_SPECK if specks > _NOISY else 2)) & (peak > _PEAK)
    kept[0] = False  # paper
    return np.where(kept[label], np.minimum(1.3 * above, 1), 0).astype(np.float32)


def _without_frame(
    planes: Float[ndarray, "C h w"], spots: Float[ndarray, "h w"], dark: Float[ndarray, "h w"]
) -> tuple[Float[ndarray, "C h w"], Float[ndarray, "h w"]]:
    """Erase the frame along both edges, and discount lines of the grid: no curve runs straight
    along the whole track."""
    h, straight = len(dark), (dark > 0.4).mean(1)
    reach = max(3, round(_FRAME * h))
    edge = np.zeros(h, np.bool_)
    edge[:reach] = edge[h - reach :] = True
    frame = edge & ((straight > _STRAIGHT) | ((planes.sum(0) > SEEN).mean(1) > _STRAIGHT))
    grid = straight > _STRAIGHT
    beside = grid | np.roll(grid, 1) | np.roll(grid, -1)
    left = np.where(frame, 0, np.where(beside, _DISCOUNT, 1)).astype(np.float32)
    return planes * left[:, None], np.where(frame[:, None], 0, spots)


def _pen(
    dark: Float[ndarray, "h w"], level: Float[ndarray, "h w"], planes: Float[ndarray, "C h w"]
) -> float:
    """Measure the width of the pens, px: twice the distance of a stroke's ridge from its edge."""
    ink = (dark > 0.45) & (level <= INKED)
    deep = cv2.distanceTransform(ink.astype(np.uint8), cv2.DIST_L2, 5)
    ridge = deep >= cv2.dilate(deep, np.ones((3, 3), np.uint8)) - 1e-6
    on = deep[ink & (planes.sum(0) > 0.4) & ridge]
    return float(np.clip(2 * np.quantile(on, 0.6) - 0.5, 1, 12)) if len(on) > 50 else 2.0


def _trust(
    spots: Float[ndarray, "h w"], seen: Float[ndarray, "h w"], pen: float
) -> Float[ndarray, "h w"]:
    """Trust ink that the network does not see less where many strokes of it lie side by side."""
    side = 2 * round(len(spots) / 24) + 1
    unseen = ((spots > INKED) & (seen < 0.2)).astype(np.float32)
    strokes = cv2.blur(unseen, (side, side)) * side / max(1.5, pen)
    return np.clip(1 - (strokes - _CLUTTER) / 1.5, 0.15, 1).astype(np.float32)


def local_width(inked: Bool[ndarray, "h w"], pen: float) -> Float[ndarray, "h w"]:
    """Measure the width of the stroke around each pixel of ink, px."""
    deep = cv2.distanceTransform(inked.astype(np.uint8), cv2.DIST_L2, 5)
    side = 2 * int(np.ceil(pen)) + 3
    return np.clip(2 * cv2.dilate(deep, np.ones((side, side), np.uint8)) - 1, 1, 20)


def runs_under(
    ink: Bool[ndarray, "h w"], rows: Int[ndarray, "w"]
) -> tuple[Bool[ndarray, "h w"], Int[ndarray, "w"]]:
    """Return per column the run of ink that a path passes through, or comes within 2 px of, and
    the row where it does; no ink where there is none so near."""
    h, w = ink.shape
    at, columns = rows, np.arange(w, dtype=np.intp)
    for offset in (1, -1, 2, -2):
        beside = (rows + offset).clip(0, h - 1)
        at = np.where(~ink[at, columns] & ink[beside, columns], beside, at)
    return run_at(ink, at), at

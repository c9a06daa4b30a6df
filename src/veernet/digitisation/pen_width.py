"""Width of the pens of a track: the strokes that are neither grid nor frame nor specks."""

import math

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from veernet.digitisation.strip import Strip

_MOST_PIXELS = 500_000
"""Most pixels that are measured: blocks of columns, evenly along a longer strip."""

_BLOCKS = 3

_TALLEST = 900
"""Height above which a track is measured at half its size, px: its pens are wide."""

_INK = 0.4
"""Darkness from which a pixel is ink, as a fraction of that of full ink."""

_LEAST_INK = 40
"""Darkness of the faintest ink on clean paper, grey levels."""

_LEAST_STROKE = 0.25
"""Least length of all strokes, lengths of the track: a curve goes along all of it, some broken."""


def pen_width(strip: Strip) -> float:
    """Estimate the typical width of the pens of a track, px; NaN if there are no strokes.

    A straight stroke of width d at an angle a to the rows is d / cos a high and d / sin a wide:
    from both runs of ink through a pixel, u along the row and v along the column,
    d = u v / sqrt(u² + v²). The median is taken over the length of all strokes (every pixel counts
    1 / d). Lines along or across the track are no strokes, nor are dots and specks. Grey pixels
    count in proportion to their ink, so that blur makes a stroke hardly wider.
    """
    size = reduction(strip.height)
    blocks = _blocks(strip.track, size)
    width = np.concatenate([_widths(block) for block in blocks])
    length = 1 / width
    if not len(width) or length.sum() < _LEAST_STROKE * sum(b.shape[1] for b in blocks):
        return float("nan")
    order = np.argsort(width)
    share = np.cumsum(length[order])
    return size * float(width[order][np.searchsorted(share, 0.5 * share[-1])])


def reduction(height: int) -> int:
    """Return by how much to divide the size of a track of this height, px, to measure it: a power
    of 2."""
    return 2 ** max(0, math.ceil(math.log2((height + 1) / _TALLEST)))


def _blocks(track: UInt8[ndarray, "h w"], size: int) -> list[UInt8[ndarray, "_ _"]]:
    """Return a track, or blocks of its columns if it is long, at 1 / `size` of its size."""
    h, w = track.shape
    each = size**2 * _MOST_PIXELS // h // _BLOCKS
    starts = [n * (w - each) // (_BLOCKS - 1) for n in range(_BLOCKS)]
    long = w > _BLOCKS * each
    blocks = [track[:, start : start + each] for start in starts] if long else [track]
    return [reduced(block, size) for block in blocks]


def reduced(picture: UInt8[ndarray, "h w"], size: int) -> UInt8[ndarray, "_ _"]:
    """Return a picture at 1 / `size` of its size."""
    h, w = picture.shape
    return cv2.resize(picture, (-(-w // size), -(-h // size)), interpolation=cv2.INTER_AREA)


def _widths(block: UInt8[ndarray, "h m"]) -> Float[ndarray, "n"]:
    """Return the width of the stroke at every pixel of one."""
    ink = _darkness(block)
    strokes = _without_specks(_without_lines(ink > _INK, len(block)), len(block))
    ink = np.where(strokes, ink, 0).astype(np.float32)
    across = _run_sums(ink.T, strokes.T).T[strokes]
    along = _run_sums(ink, strokes)[strokes]
    return along * across / np.hypot(along, across)


def _darkness(block: UInt8[ndarray, "h m"]) -> Float[ndarray, "h m"]:
    """Return the ink of every pixel: 0 for the paper or the grey fill around it, 1 for full ink."""
    size = max(3, len(block) // 96) | 1  # in every fourth pixel, and wider than any pen
    lightest = np.ascontiguousarray(cv2.dilate(block, np.ones((5, 5), np.uint8))[::4, ::4])
    paper = cv2.morphologyEx(lightest, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    paper = cv2.resize(paper, block.shape[::-1], interpolation=cv2.INTER_LINEAR)
    dark = cv2.subtract(paper, block)
    inked = dark[dark > _LEAST_INK]
    full = max(2.0 * _LEAST_INK, float(np.quantile(inked, 0.8))) if inked.size else 255.0
    return np.minimum(dark.astype(np.float32) / np.float32(full), 1)


def _without_lines(ink: Bool[ndarray, "h m"], height: int) -> Bool[ndarray, "h m"]:
    """Leave out straight lines along rows or columns, longer than a third of the track: also such
    as lean a little, and with gaps as dashed or worn lines have."""
    mask = ink.astype(np.uint8)
    gap, long = max(3, height // 100) | 1, max(9, min(height // 3, min(ink.shape) - 1))
    lines = np.zeros_like(mask)
    for along in (0, 1):  # columns, rows
        closing, opening, beside = (
            np.ones((size, 1) if where == 0 else (1, size), np.uint8)
            for size, where in ((gap, along), (long, along), (3, 1 - along))
        )
        closed = cv2.morphologyEx(cv2.dilate(mask, beside), cv2.MORPH_CLOSE, closing)
        lines |= cv2.morphologyEx(closed, cv2.MORPH_OPEN, opening)
    return _rejoined(ink, (mask & (1 - lines)).astype(np.uint8), height)


def _rejoined(
    ink: Bool[ndarray, "h m"], strokes: UInt8[ndarray, "h m"], height: int
) -> Bool[ndarray, "h m"]:
    """Give strokes back the ink that was taken with the lines that cross them."""
    reach = max(5, height // 80) | 1
    kernels = np.ones((reach, 1), np.uint8), np.ones((1, reach), np.uint8)
    joined = [cv2.morphologyEx(strokes, cv2.MORPH_CLOSE, kernel) for kernel in kernels]
    return ink & ((joined[0] | joined[1]) > 0)


def _without_specks(ink: Bool[ndarray, "h m"], height: int) -> Bool[ndarray, "h m"]:
    """Leave out what is smaller than a fortieth of the track in both directions."""
    least = max(4, height // 40)
    _, label, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    extent = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    keep = extent >= least
    keep[0] = False
    return keep[label]


def _run_sums(ink: Float[ndarray, "n m"], strokes: Bool[ndarray, "n m"]) -> Float[ndarray, "n m"]:
    """Return at every pixel of a stroke the sum of ink along its row, up to where the stroke
    ends."""
    flat = np.pad(strokes, ((0, 0), (1, 1))).ravel()
    change = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if not len(change):
        return np.zeros_like(ink)
    starts, stops = change[::2], change[1::2]
    total = np.concatenate([[0.0], np.cumsum(np.pad(ink, ((0, 0), (1, 1))).ravel(), dtype=float)])
    sums = total[stops] - total[starts]
    result = np.zeros(flat.shape, np.float32)
    result[flat] = np.repeat(sums, stops - starts)
    return result.reshape(strokes.shape[0], -1)[:, 1:-1]

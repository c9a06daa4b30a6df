"""What printing, years and a scanner do to a page."""

from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from numpy.random import Generator

from veernet.synth.paint import Ink

JPEG_LIMIT = 65_535
"""Longest side of a JPEG, px."""


def drift(width: int, *, total: float) -> Int[ndarray, "w"]:
    """Rows by which each column of a skewed page lies lower, `total` from end to end."""
    return np.rint(np.linspace(-total / 2, total / 2, width)).astype(np.int64)


def shift_columns(ink: Ink, rows: Int[ndarray, "w"]) -> Ink:
    """Move every column down by its own whole number of rows, bare paper following."""
    moved = np.zeros_like(ink)
    h = len(ink)
    edges = np.flatnonzero(np.diff(rows, prepend=rows[0] - 1, append=rows[-1] + 1))
    for a, b in pairwise(edges):
        d = int(rows[a])
        moved[max(0, d) : h + min(0, d), a:b] = ink[max(0, -d) : h - max(0, d), a:b]
    return moved


def age(rng: Generator, ink: Ink) -> UInt8[ndarray, "h w"]:
    """Bleed, fade and blur the ink, put it on grainy paper, and scan it: grey, 255 = paper."""
    h, w = ink.shape
    wet = cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.3, 0.65)).astype(np.float32)
    wet *= rng.uniform(1.1, 1.8) * _uneven(rng, w, least=rng.uniform(0.7, 1.0))
    paper = rng.uniform(215, 255) * _uneven(rng, w, least=rng.uniform(0.93, 1.0))
    grey = paper * (1 - np.minimum(wet, 255) / 255)
    grain = rng.uniform(0, 10)
    grey += rng.standard_normal((h, w), dtype=np.float32) * np.float32(grain)
    return _scan(rng, np.clip(grey, 0, 255).astype(np.uint8))


def _scan(rng: Generator, grey: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "h w"]:
    """A third of the scanners compress as JPEG, a quarter see black and white only."""
    kind = rng.random()
    if kind < 0.33 and max(grey.shape) <= JPEG_LIMIT:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))]
        _, file = cv2.imencode(".jpg", grey, quality)
        return np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE))
    if kind < 0.58:
        threshold = float(grey.max()) * rng.uniform(0.5, 0.75)
        return np.where(grey > threshold, 255, 0).astype(np.uint8)
    return grey


def _uneven(rng: Generator, width: int, *, least: float) -> Float[ndarray, "w"]:
    """A factor that varies slowly along the page between `least` and 1."""
    knots = rng.uniform(least, 1.0, size=3 + width // 400)
    x = np.linspace(0, len(knots) - 1, width)
    return np.interp(x, np.arange(len(knots)), knots).astype(np.float32)

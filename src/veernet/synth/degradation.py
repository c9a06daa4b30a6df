"""Degradation of a page by the feed, printing, years and a scanner."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from statistics import NormalDist

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from numpy.random import Generator

from veernet.synth.appearance import Appearance, bernoulli, uniform
from veernet.synth.layout import scale_of
from veernet.synth.text import Ink

JPEG_LIMIT = 65_535
"""Longest side of a JPEG, px."""

_COARSE = 16
"""Step of the coarse grid for patterns that vary slowly over the page, px."""


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """Degradation of one page."""

    skew: float
    """Distance of the right end of the paper below the left, px; negative is above."""
    drift: tuple[float, float, float]
    """Sway of the paper in the feed: amplitude and period, px, and phase."""
    bleed: float
    """Standard deviation of the spread of ink in the paper, px."""
    ink: float
    """Ink that is left after it has spread, as a factor."""
    fading: float
    """Share of the ink that is left where it is least; 1 for none."""
    paper: int
    """Grey level of bare paper."""
    light: float
    """Share of the light in the darkest place; 1 for even light."""
    stains: int
    folds: int
    photocopy: bool
    grain: float
    """Standard deviation of the scanner's noise, grey levels."""
    jpeg: int | None
    """Quality of the JPEG."""
    bilevel: float | None
    """Share of paper white below which a pixel is black."""

    def traits(self) -> Iterator[str]:
        """Yield the visible kinds of degradation, in words."""
        worn = {
            "skew": abs(self.skew) >= 1,
            "drift": self.drift[0] >= 1,
            "faded": self.fading < 1,
            "uneven light": self.light < 1,
            "stains": self.stains > 0,
            "folds": self.folds > 0,
            "photocopy": self.photocopy,
            "grain": self.grain >= 1 and self.bilevel is None,
            "JPEG": self.jpeg is not None,
            "bilevel": self.bilevel is not None,
        }
        yield from (name for name, there in worn.items() if there)


def draw_degradation(
    rng: Generator, appearance: Appearance, *, height: int, width: int, scale: float | None = None
) -> Degradation:
    """Draw the degradation of a page of this size; ink bleeds by `scale`, that of the height if
    None."""
    faded, uneven = bernoulli(rng, appearance.faded), bernoulli(rng, appearance.uneven_light)
    fading, light = uniform(rng, appearance.fading), uniform(rng, appearance.light)
    stained, folded = bernoulli(rng, appearance.stains), bernoulli(rng, appearance.folds)
    stains, folds = int(rng.integers(1, 5)), int(rng.integers(1, 6))
    scanner, quality = rng.random(), int(uniform(rng, appearance.jpeg_quality))
    threshold = uniform(rng, appearance.threshold)
    jpeg = scanner < appearance.jpeg and max(height, width) <= JPEG_LIMIT
    bilevel = appearance.jpeg <= scanner < appearance.jpeg + appearance.bilevel
    return Degradation(
        skew=float(rng.choice([-1, 1])) * uniform(rng, appearance.skew) * height,
        drift=(
            uniform(rng, appearance.drift) * height,
            rng.uniform(1.5, 8) * height,
            rng.uniform(0, 2 * np.pi),
        ),
        bleed=uniform(rng, appearance.bleed) * max(scale or scale_of(height), 0.7),
        ink=uniform(rng, appearance.ink),
        fading=fading if faded else 1.0,
        paper=round(uniform(rng, appearance.paper)),
        light=light if uneven else 1.0,
        stains=stains if stained else 0,
        folds=folds if folded else 0,
        photocopy=bernoulli(rng, appearance.photocopy),
        grain=uniform(rng, appearance.grain),
        jpeg=quality if jpeg else None,
        bilevel=threshold if bilevel else None,
    )


def paper_shift(degradation: Degradation, width: int) -> Float[ndarray, "w"]:
    """Rows by which skew and drift move each column down."""
    amplitude, period, phase = degradation.drift
    x = np.arange(width)
    skewed = degradation.skew * (x / max(1, width - 1) - 0.5)
    return skewed + amplitude * np.sin(2 * np.pi * x / period + phase)


def shift_columns(ink: Ink, rows: Float[ndarray, "w"]) -> Ink:
    """Move every column down by its own number of rows, rounded, and fill with bare paper."""
    whole = np.rint(rows).astype(np.int64)
    moved = np.zeros_like(ink)
    h = len(ink)
    edges = np.flatnonzero(np.diff(whole, prepend=whole[0] - 1, append=whole[-1] + 1))
    for a, b in pairwise(edges):
        d = int(whole[a])
        moved[max(0, d) : h + min(0, d), a:b] = ink[max(0, -d) : h - max(0, d), a:b]
    return moved


def degrade(
    rng: Generator, degradation: Degradation, ink: UInt8[ndarray, "h w *rgb"]
) -> UInt8[ndarray, "h w *rgb"]:
    """Bleed and fade the ink, print it on worn paper, and scan it: 255 = paper. Ink has one plane,
    or one for each of red, green and blue."""
    levels, shape = np.arange(256), ink.shape[:2]
    wet = cv2.GaussianBlur(ink, (0, 0), max(degradation.bleed, 0.05))
    if degradation.fading < 1:
        wet = _times(wet, _cloud(rng, shape, degradation.fading))
    inked = np.minimum(levels * degradation.ink, 255) / 255
    if degradation.photocopy:  # with few levels between black and white
        inked = 1 / (1 + np.exp(-9 * (inked - 0.5)))
    grey = cv2.LUT(wet, np.rint(degradation.paper * (1 - inked)).astype(np.uint8))
    if degradation.light < 1:
        grey = _times(grey, _cloud(rng, shape, degradation.light))
    if degradation.stains:
        grey = _times(grey, _stains(rng, shape, degradation.stains))
    for _ in range(degradation.folds):
        _fold_(rng, grey)
    if degradation.photocopy:
        _photocopy_(rng, grey)
    if degradation.grain >= 0.3:
        grey = _grainy(rng, grey, degradation.grain)
    if degradation.jpeg is not None:
        grey = _compressed(grey, degradation.jpeg)
    if degradation.bilevel is not None:
        _, grey = cv2.threshold(
            grey, degradation.bilevel * degradation.paper, 255, cv2.THRESH_BINARY
        )
    return np.asarray(grey)


def _times(
    picture: UInt8[ndarray, "h w *rgb"], factor: UInt8[ndarray, "h w"]
) -> UInt8[ndarray, "h w *rgb"]:
    """Multiply every plane by a factor that is given times 255."""
    planes = factor if picture.ndim == 2 else cv2.merge([factor] * picture.shape[2])
    return np.asarray(cv2.multiply(picture, planes, scale=1 / 255))


def _compressed(picture: UInt8[ndarray, "h w *rgb"], quality: int) -> UInt8[ndarray, "h w *rgb"]:
    """Compress as JPEG, and back."""
    grey = picture.ndim == 2
    swapped = picture if grey else np.ascontiguousarray(picture[..., ::-1])  # OpenCV takes BGR
    _, file = cv2.imencode(".jpg", swapped, [cv2.IMWRITE_JPEG_QUALITY, quality])
    found = np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR))
    return found if grey else np.ascontiguousarray(found[..., ::-1])


def _cloud(rng: Generator, shape: tuple[int, ...], least: float) -> UInt8[ndarray, "h w"]:
    """Draw a factor that varies slowly over the page from `least` to 1, times 255."""
    h, w = shape
    knots = rng.uniform(least, 1, (3, 3 + w // 400))
    knots.flat[int(rng.integers(0, knots.size))] = least
    coarse = np.rint(255 * knots).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR))


def _stains(rng: Generator, shape: tuple[int, ...], n: int) -> UInt8[ndarray, "h w"]:
    """Draw pale blots, some with a rim, as a factor times 255."""
    h, w = shape
    coarse = np.full((-(-h // _COARSE) + 1, -(-w // _COARSE) + 1), 255, np.uint8)
    for _ in range(n):
        centre = [int(rng.integers(0, side)) for side in coarse.shape[::-1]]
        axes = [max(1, int(rng.uniform(0.05, 0.4) * len(coarse))) for _ in range(2)]
        shade, angle = int(rng.uniform(150, 235)), rng.uniform(0, 180)
        cv2.ellipse(coarse, centre, axes, angle, 0, 360, shade, -1, cv2.LINE_AA)
        if rng.random() < 0.5:
            cv2.ellipse(coarse, centre, axes, angle, 0, 360, shade - 30, 1, cv2.LINE_AA)
    coarse = cv2.GaussianBlur(coarse, (0, 0), 0.8)
    return np.asarray(cv2.resize(coarse, (w, h), interpolation=cv2.INTER_LINEAR))


def _fold_(rng: Generator, grey: UInt8[ndarray, "h w *rgb"]) -> None:
    """Draw a crease across the paper: a grey line with a pale one beside it."""
    h, w = grey.shape[:2]
    x, lean = rng.uniform(0, float(w)), rng.uniform(-0.02, 0.02) * h
    a, b = (round(x - lean), 0), (round(x + lean), h - 1)
    crease = (rng.uniform(120, 215) // 1,) * 3
    cv2.line(grey, a, b, crease, int(rng.integers(1, 4)), cv2.LINE_AA)
    cv2.line(grey, (a[0] + 2, 0), (b[0] + 2, h - 1), (250,) * 3, 1, cv2.LINE_AA)


def _photocopy_(rng: Generator, grey: UInt8[ndarray, "h w *rgb"]) -> None:
    """Draw black, grey and white specks everywhere, and faint streaks along the feed."""
    h, w = grey.shape[:2]
    specks = rng.integers(0, h * w, int(h * w * rng.uniform(2e-5, 6e-4)))
    rows, columns = np.unravel_index(specks, (h, w))
    shades = np.array([20, 90, 255], np.uint8)[rng.integers(0, 3, len(specks))]
    for dy, dx in ((0, 0), (0, 1), (1, 0)):  # a third spread right and down
        some = slice(0, len(specks) // (1 + 2 * (dy + dx)))
        y, x = rows[some] + dy, columns[some] + dx
        there = (y < h) & (x < w)
        marks = shades[some][there]
        grey[y[there], x[there]] = marks if grey.ndim == 2 else marks[:, None]
    for _ in range(int(rng.integers(0, 4))):
        y, strength = int(rng.integers(0, len(grey))), rng.uniform(0.75, 0.95)
        grey[y] = (grey[y] * strength).astype(np.uint8)


def _grainy(
    rng: Generator, grey: UInt8[ndarray, "h w *rgb"], spread: float
) -> UInt8[ndarray, "h w *rgb"]:
    """Add Gaussian noise: random bytes through the quantiles of a normal distribution."""
    words = rng.integers(0, 2**64, -(-grey.size // 8), dtype=np.uint64)
    chance = words.view(np.uint8)[: grey.size].reshape(grey.shape)
    quantiles = np.rint(128 + spread * _quantiles()).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.addWeighted(grey, 1, cv2.LUT(chance, quantiles), 1, -128))


@cache
def _quantiles() -> Float[ndarray, "256"]:
    """Quantiles of the standard normal distribution at (i + 1/2) / 256."""
    return np.array([NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)])

"""What paper, copiers and scanners do to a picture."""

from io import BytesIO

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

Picture = Float[ndarray, "h w c"]
"""Brightness from 0 to 1, of one channel or three."""


def smooth(shape: tuple[int, ...], px: float, rng: np.random.Generator) -> Float[ndarray, "h w"]:
    """Draw smooth noise of mean 0 and deviation 1 that changes over about `px` pixels."""
    h, w = shape[:2]
    small = rng.standard_normal((max(2, round(h / px) + 2), max(2, round(w / px) + 2)))
    wide = cv2.resize(small.astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    return (wide - wide.mean()) / max(float(wide.std()), 1e-6)


def blurred(picture: Picture, sigma: float) -> Picture:
    return cv2.GaussianBlur(picture, (0, 0), sigma).reshape(picture.shape)


def noise(picture: Picture, deviation: float, rng: np.random.Generator) -> Picture:
    grain = rng.standard_normal(picture.shape, dtype=np.float32)
    return picture + np.float32(deviation) * grain


def aged(picture: Picture, dpi: int, rng: np.random.Generator) -> Picture:
    """Fade the ink, tint and stain the paper, and light it unevenly."""
    shape = picture.shape
    fade = 1 - rng.uniform(0.1, 0.5) * (0.6 + 0.4 * np.tanh(smooth(shape, 1.5 * dpi, rng)))
    tint = np.array([1, rng.uniform(0.93, 1), rng.uniform(0.8, 0.95)], np.float32)
    paper = rng.uniform(0.78, 0.97) * (tint if shape[2] == 3 else tint[:1])
    light = 1 + rng.uniform(0.02, 0.08) * smooth(shape, 3 * dpi, rng)
    for _ in range(int(rng.integers(0, 4))):
        light = light * _stain(shape, dpi, rng)
    if rng.random() < 0.4:  # a fold
        row, half = int(rng.integers(0, shape[0])), max(1, dpi // 120)
        light[max(row - half, 0) : row + half] *= rng.uniform(0.75, 0.95)
    ink = (1 - picture) * fade[..., None]
    return noise(paper * light[..., None] * (1 - ink), rng.uniform(0.008, 0.035), rng)


def _stain(shape: tuple[int, ...], dpi: int, rng: np.random.Generator) -> Float[ndarray, "h w"]:
    """Draw the brightness of paper with one blot, or the ring of one."""
    h, w = shape[:2]
    y, x = np.ogrid[:h, :w]
    middle, radius = (rng.uniform(0, h), rng.uniform(0, w)), rng.uniform(0.2, 0.8) * dpi
    away = np.hypot(y - middle[0], x - middle[1]) / radius
    spot = np.exp(-(away**4)) if rng.random() < 0.5 else np.exp(-(((away - 1) / 0.15) ** 2))
    return (1 - rng.uniform(0.1, 0.35) * spot).astype(np.float32)


def thickened(picture: Picture, dpi: int, rng: np.random.Generator) -> Picture:
    """Let the ink bleed into the paper."""
    sigma = max(rng.uniform(0.002, 0.005) * dpi, 0.45)
    ink = blurred(1 - picture, sigma)
    amount = ink.max(2, keepdims=True)  # the colour stays
    return 1 - ink * np.minimum(rng.uniform(1.6, 2.6), 1 / np.maximum(amount, 1e-3))


def photocopied(picture: Picture, dpi: int, rng: np.random.Generator) -> Picture:
    """Copy with a threshold that wanders, with ragged edges, specks and worn spots; scan the copy.

    The copier resolves 300 dpi or more, whatever the scanner does.
    """
    finer, size = -(-300 // dpi), picture.shape[1::-1]
    grey = picture.mean(2, keepdims=True)
    if finer > 1:
        large = (size[0] * finer, size[1] * finer)
        grey = cv2.resize(grey, large, interpolation=cv2.INTER_CUBIC)[..., None]
    dpi *= finer
    grey = blurred(grey, 0.0025 * dpi)[..., 0]
    ragged = smooth(grey.shape, dpi / 150, rng) * rng.uniform(0.04, 0.10)
    level = rng.uniform(0.6, 0.85) + 0.06 * smooth(grey.shape, 1.2 * dpi, rng) + ragged
    copy = _specked((grey > level).astype(np.float32), max(1, round(dpi / 150)), rng)
    if finer > 1:
        copy = cv2.resize(copy, size, interpolation=cv2.INTER_AREA)
    return copy[..., None]


def _specked(
    copy: Float[ndarray, "h w"], size: int, rng: np.random.Generator
) -> Float[ndarray, "h w"]:
    """Strew specks of ink, and of paper over ink, of `size` px."""
    h, w = copy.shape
    for value, rate in ((0.0, rng.uniform(0, 0.0015)), (1.0, rng.uniform(0, 0.004))):
        spots = rng.random((-(-h // size), -(-w // size))) < rate
        copy[np.kron(spots, np.ones((size, size), bool))[:h, :w]] = value
    return copy


def bilevel(picture: Picture, rng: np.random.Generator) -> Picture:
    return (picture.mean(2, keepdims=True) > rng.uniform(0.55, 0.75)).astype(np.float32)


def scanned(picture: Picture, rng: np.random.Generator) -> Picture:
    """See the paper through a lens."""
    return noise(blurred(picture, rng.uniform(0.35, 0.65)), rng.uniform(0.003, 0.015), rng)


def jpeg(image: UInt8[ndarray, "..."], rng: np.random.Generator) -> UInt8[ndarray, "..."]:
    packed = BytesIO()
    Image.fromarray(image).save(packed, "JPEG", quality=int(rng.integers(35, 90)))
    with Image.open(packed) as picture:
        return np.asarray(picture)

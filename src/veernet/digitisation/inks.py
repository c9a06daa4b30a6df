"""Inks of a colour scan: the pens that its curves were drawn with."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from PIL import ImageColor

LEAST_DISTANCE = 20.0
"""Least distance of ink from the paper, CIELAB."""

LEAST_SHARE = 0.012
"""Least share of a track's ink that is told."""

LEAST_CHROMA = 12.0
"""Least chroma of an ink that is not grey or black, CIELAB."""

_ALIKE = np.cos(np.radians(22))
"""Cosine of the greatest angle between two shades of one ink, as seen from the paper."""

_BIN, _BINS = 0.1, 64
_MOST_PIXELS = 400_000


@dataclass(frozen=True, kw_only=True)
class Ink:
    """An ink of a track."""

    colour: str
    """Colour where it is darkest, as "#rrggbb"."""
    name: str
    """Name of the nearest colour of CSS."""
    share: float
    """Share of the inked pixels of the track."""


def find_inks(rgb: UInt8[ndarray, "h w 3"]) -> tuple[Ink, ...]:
    """Find the distinct inks on a part of a scan, from the most frequent one.

    In CIELAB, pixels where one ink meets the paper lie on the way from the paper's colour to that
    ink's, whatever their share of ink: an ink is a direction as seen from the paper.
    """
    lab, rgb = _lab(rgb)
    ink = lab - np.median(lab, axis=0)
    distance = np.linalg.norm(ink, axis=1)
    inked = distance > LEAST_DISTANCE
    if inked.sum() >= 50:  # faint shades have no sure hue
        inked = distance > max(LEAST_DISTANCE, 0.4 * float(np.quantile(distance[inked], 0.9)))
    if inked.sum() < 50:
        return ()
    rgb, distance = rgb[inked], distance[inked]
    found = list[Ink]()
    for some in _one_grey([*_clusters(ink[inked] / distance[:, None])], lab[inked]):
        colour, share = _darkest(rgb[some], distance[some]), round(float(some.mean()), 3)
        if share >= LEAST_SHARE:
            found.append(Ink(colour=colour, name=_name(colour), share=share))
    return tuple(sorted(found, key=lambda one: -one.share))


def _one_grey(
    clusters: list[Bool[ndarray, "n"]], lab: Float[ndarray, "n 3"]
) -> list[Bool[ndarray, "n"]]:
    """Put the clusters without a sure hue together: shades of black, tinted by the scanner."""
    chroma = [float(np.linalg.norm(np.median(lab[some][:, 1:], axis=0))) for some in clusters]
    grey = [some for some, hue in zip(clusters, chroma, strict=True) if hue < LEAST_CHROMA]
    hues = [some for some, hue in zip(clusters, chroma, strict=True) if hue >= LEAST_CHROMA]
    return [*hues, *([np.logical_or.reduce(grey)] if grey else [])]


def _lab(rgb: UInt8[ndarray, "h w 3"]) -> tuple[Float[ndarray, "n 3"], UInt8[ndarray, "n 3"]]:
    """Return pixels in CIELAB, and in red, green and blue: of a large picture every n-th column and
    row."""
    step = max(1, int(np.sqrt(rgb.shape[0] * rgb.shape[1] / _MOST_PIXELS)))
    some = np.ascontiguousarray(rgb[::step, ::step])
    return to_lab(some).reshape(-1, 3), some.reshape(-1, 3)


def to_lab(rgb: UInt8[ndarray, "h w 3"]) -> Float[ndarray, "h w 3"]:
    """Convert colours to CIELAB."""
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), float)


def _clusters(ways: Float[ndarray, "n 3"]) -> Iterator[Bool[ndarray, "n"]]:
    """Yield which directions belong to each of the most frequent ones."""
    free = np.ones(len(ways), np.bool_)
    bins = np.rint(ways / _BIN).astype(int) @ [_BINS**2, _BINS, 1]
    while free.mean() > LEAST_SHARE:
        places, counts = np.unique(bins[free], return_counts=True)
        middle = ways[free & (bins == places[counts.argmax()])].mean(0)
        for _ in range(3):
            near = free & _alike(ways, middle)
            middle = ways[near].mean(0) if near.any() else middle
        near = free & _alike(ways, middle)
        if not near.any():
            return
        yield near
        free &= ~near


def _alike(ways: Float[ndarray, "n 3"], middle: Float[ndarray, "3"]) -> Bool[ndarray, "n"]:
    """Return which directions differ little from one."""
    return ways @ middle > _ALIKE * np.linalg.norm(middle)


def _darkest(rgb: UInt8[ndarray, "n 3"], distance: Float[ndarray, "n"]) -> str:
    """Return the colour of the pixels that are furthest from the paper."""
    red, green, blue = np.median(rgb[distance >= np.quantile(distance, 0.8)], axis=0).tolist()
    return f"#{round(red):02x}{round(green):02x}{round(blue):02x}"


def _name(colour: str) -> str:
    """Return the name of CSS for the colour nearest in CIELAB."""
    names = [*ImageColor.colormap]
    known = np.array([[ImageColor.getrgb(name)[:3] for name in [*names, colour]]], np.uint8)
    lab = to_lab(known)[0]
    return names[int(np.linalg.norm(lab[:-1] - lab[-1], axis=1).argmin())]

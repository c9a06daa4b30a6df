"""Looks of curves: how each is drawn, measured along its path, and what a calibration says of it.

A look is a mean and a weight per feature: the share of ink along the path and the length of its
strokes (which tell styles), the width of the pen, which plane of the network shows it, its darkness
and its colour.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from veernet.digitisation.asked import Asked
from veernet.digitisation.beyond import runs_of
from veernet.digitisation.ink import TrackInk, local_width
from veernet.digitisation.inks import to_lab
from veernet.digitisation.track import Style

Look = dict[str, tuple[float, float]]
"""Mean and weight per feature."""

_STYLES: dict[Style, tuple[float, float]] = {
    "solid": (0.97, 150.0),
    "dashed": (0.62, 14.0),
    "long-dash": (0.78, 34.0),
    "dotted": (0.35, 3.5),
    "dash-dot": (0.62, 11.0),
}
"""Share of ink, and length of strokes in px as they are read, by style."""

_DEVIATIONS = {
    "ink": 0.12,
    "stroke": 0.5,
    "width": 0.22,
    "plane": 0.35,
    "dark": 0.12,
    "L": 8.0,
    "a": 8.0,
    "b": 8.0,
}
"""Deviation of a feature between pieces of one curve; of logarithms for lengths."""

_PER_INK, _PER_PATH = 25, 60
"""Pixels of ink, and of path, that are one independent look."""

_MOST_LOOKS, _MOST_WEIGHT = 2.5, 6.0
"""Most independent looks in one piece of a path, as evidence and in a mean."""

_FARTHEST = 4.0
"""Most that one look at one feature can say against a curve, nats."""


@dataclass(frozen=True, kw_only=True)
class LookMaps:
    """Ink of a track and the features at its every pixel, on which looks are measured."""

    ink: TrackInk
    features: dict[str, Float[ndarray, "h w"]]
    near: Float[ndarray, "h w"]
    """1 within 2 rows of ink, else 0."""


def look_maps(ink: TrackInk) -> LookMaps:
    """Measure the features at every pixel of a track."""
    seen, other = ink.seen, ink.planes[1:].sum(0)
    features = {
        "width": np.log(local_width(ink.inked, ink.pen)),
        "plane": (seen - 2 * other) / np.maximum(seen, 0.1),
        "dark": cv2.dilate(ink.dark, np.ones((3, 3), np.uint8)),
    }
    if ink.lab is not None:
        smooth = cv2.blur(ink.lab, (3, 3))
        features |= {name: smooth[..., i] for i, name in enumerate("Lab")}
    near = cv2.dilate(ink.inked.astype(np.uint8), np.ones((5, 1), np.uint8))
    return LookMaps(ink=ink, features=features, near=near.astype(np.float32))


def look_along(maps: LookMaps, rows: Int[ndarray, "w"], first: int, stop: int) -> Look:
    """Measure the look of a path from one column to another; empty where it is too short."""
    h, _ = maps.ink.shape
    columns, at = np.arange(first, stop, dtype=np.intp), rows[first:stop]
    inside = (at >= 1) & (at < h - 1)
    columns, at = columns[inside], at[inside]
    if len(at) < 6:
        return {}
    on = maps.near[at, columns] > 0
    length = np.maximum(1, np.abs(np.diff(at, prepend=at[0]))).astype(float)
    told = on | ~maps.ink.lines[at, columns]  # a line of the grid hides what is under it
    look = _strokes(on[told], length[told])
    if on.sum() > 4:
        columns, at = columns[on], at[on]
        for name, feature in maps.features.items():
            look[name] = float(np.median(feature[at, columns])), len(at) / _PER_INK
    return look


def _strokes(on: ndarray, length: Float[ndarray, "n"]) -> Look:
    """Measure the share of ink and the length of strokes along a path."""
    total = float(length.sum())
    if total <= 30:
        return {}
    weight = total / _PER_PATH
    look: Look = {"ink": (float(length[on].sum()) / total, weight)}
    first, stop = runs_of(on).T
    so_far = np.concatenate([[0], np.cumsum(length)])
    strokes = so_far[stop] - so_far[first]
    if len(strokes):
        look["stroke"] = float(np.log(max((strokes**2).sum() / strokes.sum(), 1))), weight
    return look


def look_told(curve: Asked, ink: TrackInk) -> Look:
    """Return the look that the calibration tells of a curve; empty if it tells nothing."""
    look: Look = {}
    if curve.style is not None:
        share, length = _STYLES[curve.style]
        look |= {"ink": (share, 3.0), "stroke": (float(np.log(length)), 3.0)}
    elif curve.kind == "solid":
        look |= {"ink": (0.97, 3.0), "stroke": (float(np.log(150)), 2.0), "plane": (0.6, 2.0)}
    elif curve.kind == "broken":
        look |= {"ink": (0.62, 3.0), "stroke": (float(np.log(14)), 1.0), "plane": (-0.2, 2.0)}
    if curve.weight is not None:
        width = max(1.35 * ink.pen, 2.5) if curve.weight == "heavy" else max(0.75 * ink.pen, 1.0)
        look["width"] = float(np.log(width)), 1.0
    if curve.rgb is not None and ink.lab is not None:
        _, a, b = to_lab(np.array([[curve.rgb]], np.uint8))[0, 0]
        look |= {"a": (0.6 * float(a), 2.0), "b": (0.6 * float(b), 2.0)}  # thin pens are pale
    return look


def mean_look(told: Look, looks: Iterable[Look]) -> Look:
    """Return the mean of looks at pieces of one curve, and of what is told of it."""
    sums = dict[str, tuple[float, float]]()
    for look in (told, *looks):
        for name, (mean, weight) in look.items():
            weight = min(weight, _MOST_WEIGHT)
            so_far, weights = sums.get(name, (0.0, 0.0))
            sums[name] = so_far + weight * mean, weights + weight
    return {name: (total / weight, weight) for name, (total, weight) in sums.items()}


def misfit(look: Look, mean: Look) -> float:
    """Return how much less likely a look is for a curve of a mean look than the likeliest one, in
    nats."""
    return sum(
        min(weight, _MOST_LOOKS)
        * min((value - mean[name][0]) ** 2 / (2 * _DEVIATIONS[name] ** 2), _FARTHEST)
        for name, (value, weight) in look.items()
        if name in mean
    )

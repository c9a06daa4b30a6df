"""Curve that is asked for: what a reading is told of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from veernet.digitisation.track import CurveScale, Kind, Style, Weight


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Curve of a track, in the pixels in which it is read.

    points: (column, row) that it passes through, as printed
    laps:   times that it may go round at the upper and at the lower edge
    plane:  plane of the network that shows it best, from 0
    """

    name: str
    kind: Kind | None = None
    style: Style | None = None
    weight: Weight | None = None
    rgb: tuple[int, int, int] | None = None
    points: tuple[tuple[int, float], ...] = ()
    laps: tuple[int, int] = (0, 0)
    plane: int = 0


def asked_of(curve: CurveScale, depth: Float[ndarray, "w"], h: int) -> Asked:
    """Return what is known of a curve on a track of `h` rows whose columns have these depths."""
    points = list[tuple[int, float]]()
    for at, value in curve.points:
        if depth[0] <= at <= depth[-1]:
            place = curve.position(np.array([value]), np.array([at]))
            column, row = int(np.abs(depth - at).argmin()), float(1 - place[0]) * (h - 1)
            points.append((column, row if 0 <= row <= h - 1 else row % (h - 1)))
    return Asked(
        name=curve.mnemonic,
        kind=curve.kind,
        style=curve.style,
        weight=curve.weight,
        rgb=curve.rgb,
        points=tuple(points),
        laps=curve.laps_up_down,
        plane=curve.mask_class - 1,
    )

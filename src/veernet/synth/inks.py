"""A page in inks of several colours."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from veernet.synth.text import Ink


@dataclass(frozen=True, kw_only=True)
class Inks:
    """A page in inks of several colours, each a plane of its own."""

    shape: tuple[int, int]
    planes: dict[str, Ink] = field(default_factory=dict[str, Ink])
    """By colour."""

    def of(self, colour: str) -> Ink:
        """Return the plane of a colour, to print on."""
        if colour not in self.planes:
            self.planes[colour] = np.zeros(self.shape, np.uint8)
        return self.planes[colour]

    def mixed(self, *, colour: bool) -> UInt8[ndarray, "h w *rgb"]:
        """Mix the inks: darkness of every pixel, or of its red, green and blue."""
        planes = list[Ink]()
        for channel in range(3) if colour else (None,):
            mixed = np.zeros(self.shape, np.uint8)
            for name, ink in self.planes.items():
                np.maximum(mixed, _toned(ink, _darkness(name, channel)), out=mixed)
            planes.append(mixed)
        return np.asarray(cv2.merge(planes)) if colour else planes[0]


def _toned(ink: Ink, darkness: float) -> Ink:
    return ink if darkness == 1 else np.asarray(cv2.convertScaleAbs(ink, alpha=darkness))


def _darkness(colour: str, channel: int | None) -> float:
    """Darkness of a colour in a channel, or of its grey level, 0 to 1."""
    red, green, blue = (1 - int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    if channel is None:
        return 0.299 * red + 0.587 * green + 0.114 * blue
    return (red, green, blue)[channel]

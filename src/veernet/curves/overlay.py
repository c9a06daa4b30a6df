"""Draw curves over pictures of a log."""

from collections.abc import Iterable

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from veernet.curves.strokes import polylines

COLOURS = ((214, 39, 40), (31, 119, 180), (44, 160, 44), (148, 103, 189))
"""RGB colours of the first, second, … curve."""

LEGIBLE = 240
"""Height below which a scan is enlarged to be legible, px."""


def overlay(
    grey: UInt8[ndarray, "h w"], rows: Iterable[Float[ndarray, "w"]]
) -> UInt8[ndarray, "H W 3"]:
    """Draw every curve as a coloured line over the paled scan; NaN interrupts a line.

    A small scan is enlarged by whole pixels until it is `LEGIBLE` high.
    """
    zoom = max(1, -(-LEGIBLE // len(grey)))
    pale = (128 + grey // 2).repeat(zoom, axis=0).repeat(zoom, axis=1)
    picture = np.repeat(pale[..., None], 3, axis=2)
    for index, row in enumerate(rows):
        lines = [
            np.rint(16 * (zoom * line + zoom // 2)).astype(np.int32) for line in polylines(row)
        ]
        colour = COLOURS[index % len(COLOURS)]
        cv2.polylines(picture, lines, False, colour, 1, cv2.LINE_AA, shift=4)
    return picture


def stack(pictures: Iterable[UInt8[ndarray, "h w 3"]], *, gap: int = 4) -> UInt8[ndarray, "H W 3"]:
    """Stack pictures below one another on white, aligned at the left."""
    tiles = list(pictures)
    height = sum(len(tile) + gap for tile in tiles) - gap
    page = np.full((height, max(tile.shape[1] for tile in tiles), 3), 255, np.uint8)
    y = 0
    for tile in tiles:
        page[y : y + len(tile), : tile.shape[1]] = tile
        y += len(tile) + gap
    return page

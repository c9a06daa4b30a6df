"""Draw curves over pictures of a log, and captions of such pictures."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from veernet.curves.strokes import polylines

COLOURS = ((214, 39, 40), (31, 119, 180), (44, 160, 44), (148, 103, 189))
"""RGB colours of the first, second, … curve."""

BLACK = (0, 0, 0)

LEGIBLE = 240
"""Height below which a scan is enlarged to be legible, px."""

PICTURE_WIDTH = 1600
"""Greatest width of the part of a log that a picture shows, px; of a longer log, the middle."""

LEAST_CAPTION = 640
"""Least width of a picture, px, to give its captions room."""

_LINE = 20
"""Height of a line of a caption, px."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX, 0.42
"""Font and scale of captions; it has ASCII alone."""


def zoom_of(height: int) -> int:
    """Return the factor by which a picture of so many rows is enlarged to be legible."""
    return max(1, -(-LEGIBLE // height))


def enlarged(picture: UInt8[ndarray, "h w *rgb"]) -> UInt8[ndarray, "H W *rgb"]:
    """Enlarge a small picture by whole pixels until it is `LEGIBLE` high."""
    zoom = zoom_of(len(picture))
    return picture.repeat(zoom, axis=0).repeat(zoom, axis=1)


def middle(width: int, most: int = PICTURE_WIDTH) -> slice:
    """Return the columns in the middle of a log that a picture of `most` columns shows."""
    first = max(0, (width - most) // 2)
    return slice(first, first + most)


def overlay(
    grey: UInt8[ndarray, "h w"], rows: Iterable[Float[ndarray, "w"]]
) -> UInt8[ndarray, "H W 3"]:
    """Draw every curve as a coloured line over the paled scan; NaN interrupts a line.

    A small scan is enlarged by whole pixels until it is `LEGIBLE` high.
    """
    zoom = zoom_of(len(grey))
    picture = np.repeat(enlarged(128 + grey // 2)[..., None], 3, axis=2)
    for index, row in enumerate(rows):
        lines = [
            np.rint(16 * (zoom * line + zoom // 2)).astype(np.int32) for line in polylines(row)
        ]
        colour = COLOURS[index % len(COLOURS)]
        cv2.polylines(picture, lines, False, colour, 1, cv2.LINE_AA, shift=4)
    return picture


def stack(pictures: Iterable[UInt8[ndarray, "_ _ 3"]], *, gap: int = 4) -> UInt8[ndarray, "H W 3"]:
    """Stack pictures below one another on white, aligned at the left."""
    tiles = list(pictures)
    height = sum(len(tile) + gap for tile in tiles) - gap
    page = np.full((height, max(tile.shape[1] for tile in tiles), 3), 255, np.uint8)
    y = 0
    for tile in tiles:
        page[y : y + len(tile), : tile.shape[1]] = tile
        y += len(tile) + gap
    return page


def caption(
    texts: Iterable[tuple[str, tuple[int, int, int]]], *, width: int
) -> UInt8[ndarray, "H W 3"]:
    """Write texts, each in its RGB colour, one after the other on white, in as many lines of
    `width` px as they take."""
    lines, x = [list[tuple[str, tuple[int, int, int], int]]()], 0
    for text, colour in texts:
        for word in text.split():
            wide = cv2.getTextSize(f"{word} ", *_FONT, 1)[0][0]
            if lines[-1] and x + wide > width:
                lines.append([])
                x = 0
            lines[-1].append((word, colour, x))
            x += wide
    band = np.full((_LINE * len(lines) + 4, width, 3), 255, np.uint8)
    for number, line in enumerate(lines, start=1):
        for word, colour, at in line:
            place = (3 + at, _LINE * number - 4)
            cv2.putText(band, word, place, *_FONT, colour, 1, cv2.LINE_AA)
    return band


def names_of_curves(names: Sequence[str]) -> list[tuple[str, tuple[int, int, int]]]:
    """Return the names of curves for a caption, each in the colour that `overlay` gives it."""
    return [(name, COLOURS[k % len(COLOURS)]) for k, name in enumerate(names)]

"""Printing words as ink."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont

from veernet.data.raster import to_depth_right

Ink = UInt8[ndarray, "_ _"]
"""Picture of ink: 0 = bare paper, 255 = black."""

FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "STIXGeneral",
    "cmr10",
    "cmss10",
    "cmtt10",
)
"""File names of fonts that come with Matplotlib."""


def printed(words: str, *, size: int, font: int, darkness: int) -> Ink:
    """Print a line of upright text at font size `size` px; `font` picks one of `FONTS`."""
    face = _face(FONTS[font % len(FONTS)], size)
    left, top, right, bottom = face.getbbox(words)
    picture = Image.new("L", (max(1, round(right - left)), max(1, round(bottom - top))))
    ImageDraw.Draw(picture).text((-left, -top), words, fill=darkness, font=face)
    return np.array(picture)


def printed_to_fit(words: str, *, size: int, room: int, font: int, darkness: int) -> Ink:
    """Print as `printed`, in smaller letters if it would be longer than `room` px, and turn it on
    its side, as on a page whose depth runs right."""
    text = printed(words, size=size, font=font, darkness=darkness)
    if text.shape[1] > room:
        smaller = max(3, size * room // text.shape[1])
        text = printed(words, size=smaller, font=font, darkness=darkness)
    return to_depth_right(text)


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Print to be put on a page on its side; its first and last row and column hold ink."""

    patch: Ink
    drop: int = 0
    """Columns from the upper edge of its line of print to its own first column."""

    @property
    def length(self) -> int:
        """Rows that it takes across the page."""
        return len(self.patch)


@dataclass(frozen=True, kw_only=True)
class Letters:
    """Letters of one font, size and darkness."""

    size: int
    font: int
    darkness: int

    @property
    def pitch(self) -> int:
        """Distance of two lines of print that do not touch, px."""
        ascent, descent = _face(FONTS[self.font % len(FONTS)], self.size).getmetrics()
        return ascent + descent + 1

    def across(self, words: str) -> Piece:
        """Print words that are read with the page upright."""
        face = _face(FONTS[self.font % len(FONTS)], self.size)
        return trimmed(to_depth_right(self._printed(words)), round(face.getbbox(words)[1]))

    def along(self, words: str) -> Piece:
        """Print words that are read with the page on its side."""
        return trimmed(self._printed(words))

    def _printed(self, words: str) -> Ink:
        return printed(words, size=self.size, font=self.font, darkness=self.darkness)


def trimmed(patch: Ink, drop: int = 0) -> Piece:
    """Return a patch without the rows and columns around it that hold no ink."""
    rows, columns = (np.flatnonzero(patch.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return Piece(patch=patch, drop=drop)
    first = int(columns[0])
    return Piece(
        patch=patch[rows[0] : rows[-1] + 1, first : columns[-1] + 1], drop=max(0, drop + first)
    )


def box_of(piece: Piece, y: int, x: int) -> tuple[int, int, int, int]:
    """Box of a piece that is put at (y, x)."""
    return y, x, y + piece.patch.shape[0], x + piece.patch.shape[1]


def put(
    ink: Ink,
    patch: Ink,
    *,
    y: int,
    x: int,
    on_white: bool = False,
    over: Sequence[Ink] = (),
) -> None:
    """Print a patch with its corner at (y, x), as far as it lies on the page.

    Args:
        on_white: erase earlier print below the patch and two pixels around it.
        over: other inks that are erased there.
    """
    for one in (ink, *over) if on_white else ():
        one[max(0, y - 2) : y + patch.shape[0] + 2, max(0, x - 2) : x + patch.shape[1] + 2] = 0
    up, left = max(0, -y), max(0, -x)
    view = ink[max(0, y) : max(0, y + patch.shape[0]), max(0, x) : max(0, x + patch.shape[1])]
    np.maximum(view, patch[up : up + view.shape[0], left : left + view.shape[1]], out=view)


@cache
def _face(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_folder() / f"{name}.ttf", size)


@cache
def font_folder() -> Path:
    """Return the folder of Matplotlib's fonts; Matplotlib itself would take long to import."""
    found = find_spec("matplotlib")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"

"""Painting a layout: grid, numbers, header and curves as ink, and the mask of the curves."""

from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from numpy.random import Generator

from veernet.data.columns import polylines
from veernet.data.raster import lay_on_side
from veernet.synth.layout import Layout, Pen

Ink = UInt8[ndarray, "h w"]
"""0 = bare paper, 255 = black."""

_FRACTION = 4
"""Binary digits of a pixel's fraction in the coordinates given to OpenCV."""

_WORDS = ("COMPANY", "WELL", "FIELD", "COUNTY", "STATE", "GAMMA RAY", "API UNITS", "CALIPER", "SP")


def paint(rng: Generator, layout: Layout, rows: Float[ndarray, "K w"]) -> Ink:
    """The page as printed, with the curves along `rows` (NaN where a curve is absent)."""
    layers = [_grid(layout), _numbers(rng, layout), _header(rng, layout)]
    layers += [trace_ink(layout, pen, row) for pen, row in zip(layout.pens, rows, strict=True)]
    return np.maximum.reduce(layers)


def trace_ink(layout: Layout, pen: Pen, row: Float[ndarray, "w"]) -> Ink:
    """One curve, drawn with sub-pixel accuracy."""
    ink = _blank(layout)
    strokes = polylines(row)
    if pen.dash is not None:
        strokes = [dash for line in strokes for dash in _dashes(line, pen.dash)]
    fixed = [np.rint(stroke * 2**_FRACTION).astype(np.int32) for stroke in strokes]
    cv2.polylines(ink, fixed, False, pen.darkness, pen.width, cv2.LINE_AA, _FRACTION)
    return ink


def paint_mask(shape: tuple[int, int], rows: Float[ndarray, "K w"]) -> UInt8[ndarray, "h w"]:
    """Class indices: the one-pixel trace of every curve k along `rows[k]` as class k + 1.

    A trace is 8-connected wherever its curve is present. Where curves cross, the first is on top.
    """
    mask = np.zeros(shape, np.uint8)
    for index, row in reversed(list(enumerate(rows, start=1))):
        points = [np.rint(line).astype(np.int32) for line in polylines(row)]
        cv2.polylines(mask, points, False, index)
    return mask


def _grid(layout: Layout) -> Ink:
    ink = _blank(layout)
    (top, bottom), (start, stop) = layout.track, layout.span
    for i, x in enumerate(np.arange(start, stop, layout.depth_step)):
        pen = layout.heavy if i % layout.heavy_every == 0 else layout.light
        _line(ink, (x, top), (x, bottom), pen)
    middle = layout.divisions / 2
    for i, y in enumerate(np.linspace(top, bottom, layout.divisions + 1)):
        pen = layout.heavy if i in (0, middle, layout.divisions) else layout.light
        _line(ink, (start, y), (stop - 1, y), pen)
    return ink


def _numbers(rng: Generator, layout: Layout) -> Ink:
    """Ticks and depth numbers beside the track, at every heavy line."""
    ink = _blank(layout)
    above, below = layout.depth_column
    thickness = below - above
    if thickness < 4:
        return ink
    depth, step = int(rng.integers(0, 400)) * 10, int(rng.choice([10, 20, 50, 100]))
    for x in np.arange(layout.span[0], layout.span[1], layout.depth_step * layout.heavy_every):
        _line(ink, (x, above), (x, above + 0.12 * thickness), layout.heavy)
        _line(ink, (x, below - 0.12 * thickness), (x, below), layout.heavy)
        number = _text(str(depth), round(0.7 * thickness), layout.heavy.darkness)
        _stamp(ink, number, y=above + round(0.15 * thickness), x=round(x) - number.shape[1] // 2)
        depth += step
    return ink


def _header(rng: Generator, layout: Layout) -> Ink:
    """A framed block of words at the left end, to be read with the page upright."""
    ink = _blank(layout)
    top, bottom = round(layout.track[0]), round(layout.track[1])
    room = layout.span[0] - 4
    if room < 8:
        return ink
    cv2.rectangle(ink, (1, top), (layout.span[0] - 2, bottom), layout.heavy.darkness, 1)
    x, line = 3, max(6, min(room // 4, (bottom - top) // 14))
    while x + line < room:
        word = f"{rng.choice(_WORDS)} {rng.integers(0, 9999)}"
        length = round((bottom - top) * rng.uniform(0.3, 0.7))
        text = _text(word, length, layout.heavy.darkness)
        _stamp(ink, text, y=bottom - 2 - length, x=x)
        x += max(line, text.shape[1] + 2)
    return ink


def _text(words: str, length: int, darkness: int) -> Ink:
    """A line of text `length` px long, running up the page as on an upright print on its side."""
    face = cv2.FONT_HERSHEY_SIMPLEX
    (w, h), below = cv2.getTextSize(words, face, 1.0, 1)
    scale = length / w
    upright = np.zeros((max(1, round(scale * (h + below))) + 1, length), np.uint8)
    cv2.putText(upright, words, (0, round(scale * h)), face, scale, darkness, 1, cv2.LINE_AA)
    return lay_on_side(upright)


def _stamp(ink: Ink, patch: UInt8[ndarray, "_ _"], *, y: int, x: int) -> None:
    """Add a patch with its corner at (y, x), as far as it lies on the page."""
    up, left = max(0, -y), max(0, -x)
    view = ink[max(0, y) : y + patch.shape[0], max(0, x) : x + patch.shape[1]]
    np.maximum(view, patch[up : up + view.shape[0], left : left + view.shape[1]], out=view)


def _dashes(
    points: Float[ndarray, "n 2"], dash: tuple[float, float]
) -> list[Float[ndarray, "_ 2"]]:
    """Cut a line into strokes by its own length."""
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.arange(0, along[-1], 0.5)
    fine = np.stack([np.interp(at, along, points[:, i]) for i in (0, 1)], axis=1)
    inked = at % sum(dash) < dash[0]
    edges = np.flatnonzero(np.diff(inked, prepend=False, append=False))
    return [fine[a:b] for a, b in pairwise(edges)][::2]


def _line(ink: Ink, a: tuple[float, float], b: tuple[float, float], pen: Pen) -> None:
    ends = [(round(x), round(y)) for x, y in (a, b)]
    cv2.line(ink, ends[0], ends[1], pen.darkness, pen.width)


def _blank(layout: Layout) -> Ink:
    return np.zeros((layout.height, layout.width), np.uint8)

"""Printing a layout of tracks in inks of several colours."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from numpy.random import Generator

from veernet.curves.strokes import paint_class
from veernet.data.logs import BY_FILL, BY_WORDS, Word
from veernet.synth.fills import filled_rows, paint_fill
from veernet.synth.layout import BLACK, Layout, TrackLayout
from veernet.synth.marks import draw_handwriting, draw_stamp, draw_ticks
from veernet.synth.paint import (
    Line,
    inked,
    paint_block,
    paint_curves,
    paint_grid,
    paint_line,
    paint_track_numbers,
    printed_sideways,
)
from veernet.synth.printed_layout import PrintedLayout
from veernet.synth.text import Ink, put

STAMP_INKS = (BLACK, BLACK, "#b4283c", "#283cb4")


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


def print_page(rng: Generator, layout: PrintedLayout) -> tuple[Inks, list[Word]]:
    """Print the page without its curves and fills; returns the words whose meaning is known."""
    page = layout.page
    inks = Inks(shape=(page.height, page.width))
    grid, black, words = inks.of(layout.grid_colour), inks.of(BLACK), list[Word]()
    for track in page.tracks:
        if track.grid:
            paint_grid(grid, page, track)
        if track.frame is not None:
            _frame(grid, page, track)
    words += _depth_numbers(black, grid, page)
    for track in page.tracks:
        if track.numbers:
            paint_track_numbers(rng, black, page, track, over=(grid,))
    if page.ticks:
        draw_ticks(rng, black, page)
    for there, x, length in (
        (page.header, 0, page.span[0]),
        (page.footer, page.span[1], page.width - page.span[1]),
    ):
        if there:
            paint_block(rng, black, page, x, length)
    if page.handwriting:
        draw_handwriting(rng, black, page)
    if page.stamp:
        draw_stamp(rng, inks.of(str(rng.choice(STAMP_INKS))))
    return inks, words


def _frame(ink: Ink, page: Layout, track: TrackLayout) -> None:
    assert track.frame is not None
    for section in page.sections:
        for y in (track.top, track.bottom):
            paint_line(ink, (section.start, y), (section.stop - 1, y), track.frame)
        for x in (section.start, section.stop - 1):
            paint_line(ink, (x, track.top), (x, track.bottom), track.frame)


def _depth_numbers(ink: Ink, grid: Ink, page: Layout) -> list[Word]:
    """Print the depths in their column, each at its own depth, with ticks at the edges."""
    above, below = page.depth_track
    thickness, found = below - above, list[Word]()
    for section in page.sections if thickness >= 4 else ():
        for x, heavy in section.lines():
            if heavy:
                paint_line(ink, (x, above), (x, above + 0.12 * thickness), page.heavy_pen)
                paint_line(ink, (x, below - 0.12 * thickness), (x, below), page.heavy_pen)
        depths = section.depths
        assert depths is not None
        number = np.ceil(depths.first / depths.number_feet) * depths.number_feet
        while (x := section.start + depths.columns_to(number)) < section.stop:
            text = f"{number:.0f}"
            patch = printed_sideways(page, text, room=round(0.7 * thickness))
            y, left = above + (thickness - len(patch)) // 2, round(x) - patch.shape[1] // 2
            put(ink, patch, y=y, x=left, on_white=True, over=(grid,))
            box = y, left, y + patch.shape[0], left + patch.shape[1]
            found.append(Word(text=text, kind="depth", box=box))
            number += depths.number_feet
    return found


def paint_fills(
    inks: Inks, layout: PrintedLayout, lines: Sequence[Line]
) -> list[tuple[Float[ndarray, "w"], Float[ndarray, "w"]]]:
    """Print the fills; returns the first and last row of each in every column."""
    found = list[tuple[ndarray, ndarray]]()
    for fill in layout.fills:
        line = lines[fill.curve]
        to = _row_of(line, fill.edge) if fill.other is None else lines[fill.other].rows
        first, last = filled_rows(fill, line.rows, to)
        paint_fill(inks.of(line.layout.pen.colour), fill, first, last)
        found.append((first, last))
    return found


def _row_of(line: Line, position: float) -> Float[ndarray, "w"]:
    """Row of a position in a curve's track in every column."""
    track = line.layout.track
    return track.bottom + line.shift - position * track.height


def print_curves(inks: Inks, layout: PrintedLayout, lines: Sequence[Line]) -> None:
    """Print the curves in their inks, each in its turn."""
    for number in in_order(layout):
        line = lines[number]
        paint_curves(inks.of(line.layout.pen.colour), [line])


def in_order(layout: PrintedLayout) -> list[int]:
    """Numbers of the curves in the order of printing."""
    return sorted(range(len(layout.curves)), key=lambda number: layout.curves[number].order)


def index_mask(layout: PrintedLayout, lines: Sequence[Line]) -> UInt8[ndarray, "h w"]:
    """Paint the index of every curve, k + 1 for curve k, in its line width and without the gaps of
    its style; where curves cross, the one printed last is on top."""
    mask = np.zeros((layout.page.height, layout.page.width), np.uint8)
    for number in in_order(layout):
        for stroke in lines[number].bands(max(1.0, lines[number].layout.pen.width), len(mask)):
            paint_class(mask, stroke, number + 1)
    return mask


def coverage(
    layout: PrintedLayout,
    lines: Sequence[Line],
    fills: Sequence[tuple[Float[ndarray, "w"], Float[ndarray, "w"]]],
    words: Sequence[Word],
) -> UInt8[ndarray, "K w"]:
    """Find what shares the pixel of every curve's centre, as `Curves.covered` says."""
    page = layout.page
    rows = np.array([line.rows for line in lines]).reshape(-1, page.width)
    found = np.zeros(rows.shape, np.uint8)
    for first, last in fills:
        found[(rows >= first) & (rows <= last)] = BY_FILL
    for word in words:
        top, left, bottom, right = word.box
        part = rows[:, max(0, left) : max(0, right)]
        found[:, max(0, left) : max(0, right)][(part >= top) & (part < bottom)] = BY_WORDS
    known, x = np.isfinite(rows), np.arange(page.width)
    y = np.rint(np.where(known, rows, 0)).astype(np.int64).clip(0, page.height - 1)
    for number, line in enumerate(lines):
        ink = np.zeros((page.height, page.width), np.bool_)
        for stroke in line.bands(line.layout.pen.width, page.height):
            there = inked(line.layout.pen, stroke) & (stroke.coverage > 0.5)
            ink[stroke.y[there], stroke.x[there]] = True
        under = ink[y, x] & known
        under[number] = False
        found[under] = number + 1
    return found

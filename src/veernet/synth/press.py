"""Printing a layout of tracks in inks of several colours."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from numpy.random import Generator

from veernet.curves.strokes import paint_class
from veernet.data.logs import BY_FILL, BY_WORDS, Word
from veernet.synth.depth_numbers import print_depth_numbers
from veernet.synth.fills import filled_rows, paint_fill
from veernet.synth.header import print_headers
from veernet.synth.header_style import draw_header_style
from veernet.synth.inks import Inks
from veernet.synth.layout import BLACK, Layout, TrackLayout
from veernet.synth.marks import draw_handwriting, draw_stamp, draw_ticks
from veernet.synth.paint import (
    HEADINGS,
    Line,
    inked,
    paint_block,
    paint_curves,
    paint_grid,
    paint_line,
    paint_track_numbers,
)
from veernet.synth.printed_layout import PrintedLayout
from veernet.synth.remarks import print_remarks
from veernet.synth.text import Ink

STAMP_INKS = (BLACK, BLACK, "#b4283c", "#283cb4")


def print_page(
    rng: Generator, layout: PrintedLayout, lines: Sequence[Line]
) -> tuple[Inks, list[Word], Ink]:
    """Print the page without its curves and fills. The lines are those that arrows point to.

    Returns:
        the inks, the words whose meaning is known, and the ink of pips, handwriting and stamps.
    """
    page = layout.page
    inks = Inks(shape=(page.height, page.width))
    grid, black, words = inks.of(layout.grid_colour), inks.of(BLACK), list[Word]()
    marks = np.zeros(black.shape, np.uint8)
    for track in page.tracks:
        if track.grid:
            paint_grid(grid, page, track)
        if track.frame is not None:
            _frame(grid, page, track)
    for track in page.tracks:
        if track.numbers:
            words += paint_track_numbers(rng, black, page, track, over=(grid,))
    words += print_depth_numbers(rng, black, page, over=(grid,))
    words += print_remarks(rng, inks, layout, lines, words)
    if page.ticks:
        draw_ticks(rng, marks, page)
    words += _print_ends(rng, inks, layout)
    if page.handwriting:
        draw_handwriting(rng, marks, page)
    np.maximum(black, marks, out=black)
    if page.stamp:
        ink, stamp = inks.of(str(rng.choice(STAMP_INKS))), np.zeros(black.shape, np.uint8)
        draw_stamp(rng, stamp)
        np.maximum(ink, stamp, out=ink)
        np.maximum(marks, stamp, out=marks)
    return inks, words, marks


def _print_ends(rng: Generator, inks: Inks, layout: PrintedLayout) -> list[Word]:
    """Print the scale headers, and blocks of other words in the room that they leave; returns the
    words of the headers."""
    page = layout.page
    words, taken = print_headers(inks, layout, draw_header_style(rng, page.font))
    before = min([page.span[0], *(columns.start for columns in taken)])
    after = max([page.span[1], *(columns.stop for columns in taken)])
    for there, x, length in ((page.header, 0, before), (page.footer, after, page.width - after)):
        if there:
            paint_block(rng, inks.of(BLACK), page, x, length, words=HEADINGS)
    return words


def _frame(ink: Ink, page: Layout, track: TrackLayout) -> None:
    assert track.frame is not None
    for section in page.sections:
        for y in (track.top, track.bottom):
            paint_line(ink, (section.start, y), (section.stop - 1, y), track.frame)
        for x in (section.start, section.stop - 1):
            paint_line(ink, (x, track.top), (x, track.bottom), track.frame)


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
    marks: Ink,
) -> UInt8[ndarray, "K w"]:
    """Find what shares the pixel of every curve's centre, as `Curves.covered` says; `marks` is the
    ink of those that are no words, as printed: the paper moves it by the shift of the lines."""
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
    moved = y - np.rint([line.shift for line in lines]).astype(np.int64).reshape(rows.shape)
    under = (moved >= 0) & (moved < page.height) & known
    found[under & (marks[moved.clip(0, page.height - 1), x] > 0)] = BY_WORDS
    for number, line in enumerate(lines):
        ink = np.zeros((page.height, page.width), np.bool_)
        for stroke in line.bands(line.layout.pen.width, page.height):
            there = inked(line.layout.pen, stroke) & (stroke.coverage > 0.5)
            ink[stroke.y[there], stroke.x[there]] = True
        under = ink[y, x] & known
        under[number] = False
        found[under] = number + 1
    return found

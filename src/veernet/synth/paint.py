"""Painting a layout: grids, words and curves as ink, and the mask of the curves."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from numpy.random import Generator

from veernet.curves.strokes import StrokePixels, paint_class, wrapped_stroke_pixels
from veernet.data.logs import Word
from veernet.synth.curves import Curve
from veernet.synth.layout import CurveLayout, Layout, Pen, TrackLayout
from veernet.synth.marks import draw_handwriting, draw_stamp, draw_ticks
from veernet.synth.text import Ink, Piece, printed_to_fit, put, trimmed

HEADINGS = (
    *("COMPANY", "WELL", "FIELD", "COUNTY", "STATE", "LOCATION", "PERMANENT DATUM", "K.B. ELEV."),
    *("DATE", "RUN NO.", "DEPTH DRILLER", "BIT SIZE", "MUD TYPE", "RM @ TEMP", "WITNESSED BY"),
)
"""Words of the head of a log, about the well and the run."""

_WORDS = (
    *HEADINGS,
    *("GAMMA RAY  API", "CALIPER  IN", "SP  MV", "DEEP RESISTIVITY  OHM-M", "BULK DENSITY  G/CC"),
    *("NEUTRON POROSITY  %", "SONIC  USEC/FT", "TENSION  LB", "MAIN PASS", "REPEAT SECTION"),
)


def paint_page(rng: Generator, layout: Layout) -> Ink:
    """Paint the page as printed, without its curves."""
    ink = np.zeros((layout.height, layout.width), np.uint8)
    for track in layout.tracks:
        if track.grid:
            paint_grid(ink, layout, track)
        if track.numbers:
            paint_track_numbers(rng, ink, layout, track)
    _depth_numbers(rng, ink, layout)
    if layout.ticks:
        draw_ticks(rng, ink, layout)
    for there, x, length in (
        (layout.header, 0, layout.span[0]),
        (layout.footer, layout.span[1], layout.width - layout.span[1]),
    ):
        if there:
            paint_block(rng, ink, layout, x, length)
    if layout.handwriting:
        draw_handwriting(rng, ink, layout)
    if layout.stamp:
        draw_stamp(rng, ink)
    return ink


@dataclass(frozen=True, kw_only=True)
class Line:
    """A curve with its layout and the shift of the paper."""

    layout: CurveLayout
    curve: Curve
    shift: Float[ndarray, "w"]
    """Rows by which skew and drift move every column down."""

    @property
    def rows(self) -> Float[ndarray, "w"]:
        """Row of the centre in every column; NaN where the curve is not printed."""
        track = self.layout.track
        return track.bottom + self.shift - self.curve.positions * track.height

    def bands(self, width: float, page: int) -> Iterator[StrokePixels]:
        """Yield the pixels of the line at some width on a page of `page` rows: one band per number
        of wraps, each of which ends at the track's edges."""
        track = self.layout.track
        room = 0 if self.layout.ending in ("wrapped", "off scale") else math.ceil(width / 2)
        moved = np.rint(self.shift).astype(np.int64)
        return wrapped_stroke_pixels(
            track.bottom + self.shift - self.curve.course * track.height,
            self.curve.wraps,
            wrap_height=track.height,
            width=width,
            first=np.maximum(track.top - room + moved, 0),
            last=np.minimum(track.bottom + room + moved, page - 1),
        )


def paint_curves(ink: Ink, lines: Sequence[Line]) -> None:
    """Print curves on a page, antialiased, with their hatching."""
    for line in lines:
        pen = line.layout.pen
        if line.layout.hatch:
            _hatch(ink, line)
        for covered in line.bands(pen.width, len(ink)):
            _shade(ink, covered, covered.coverage * pen.darkness * inked(pen, covered))
        if pen.gap_width:
            for covered in line.bands(pen.gap_width, len(ink)):
                _shade(ink, covered, covered.coverage * pen.darkness)


def inked(pen: Pen, covered: StrokePixels) -> Bool[ndarray, "n"]:
    """Tell which pixels of a stroke are in a dash or a dot of its pen."""
    return in_dash(pen, covered.arc_length)


def in_dash(pen: Pen, arc_length: Float[ndarray, "n"]) -> Bool[ndarray, "n"]:
    """Tell which places along a line are in a dash or a dot of its pen."""
    if not pen.pattern:
        return np.ones(len(arc_length), np.bool_)
    edges, at = np.cumsum(pen.pattern), arc_length % sum(pen.pattern)
    return np.searchsorted(edges, at, side="right") % 2 == 0


def _shade(ink: Ink, covered: StrokePixels, shade: Float[ndarray, "n"]) -> None:
    at = covered.y, covered.x
    ink[at] = np.maximum(ink[at], np.rint(shade).astype(np.uint8))


def line_sample(pen: Pen, length: int) -> Piece:
    """Print a straight line across the page in a pen, as a header shows it."""
    n = 2 * math.ceil(pen.width / 2) + 1
    apart = np.abs(np.arange(n) - n // 2)
    covered = np.clip(0.5 * (pen.width + 1) - apart, 0, min(1.0, pen.width))
    there = in_dash(pen, np.arange(length, dtype=np.float64))[::-1]
    return trimmed(np.rint(pen.darkness * np.outer(there, covered)).astype(np.uint8))


def paint_mask(shape: tuple[int, int], lines: Sequence[Line]) -> UInt8[ndarray, "h w"]:
    """Paint class indices: curve k as class k + 1, in its line width and without the gaps of its
    style. Where curves cross, the first is on top."""
    mask = np.zeros(shape, np.uint8)
    for index, line in reversed(list(enumerate(lines, start=1))):
        for covered in line.bands(line.layout.pen.width, len(mask)):
            paint_class(mask, covered, index)
    return mask


def _hatch(ink: Ink, line: Line) -> None:
    """Draw thin diagonals between a wrapped curve and the edge that it came in from."""
    track, course = line.layout.track, np.nan_to_num(line.curve.course, nan=0.5)
    over = np.flatnonzero((course > 1) | (course < 0))
    beyond, down = course[over], np.arange(track.height + 1)[:, None]
    inside = np.where(
        beyond > 1,
        down >= track.height * (1 - np.minimum(beyond - 1, 1)),
        down <= track.height * np.minimum(-beyond, 1),
    )
    rows, columns = np.nonzero(inside & ((down + over) % round(line.layout.hatch) == 0))
    rows += track.top + np.rint(line.shift[over[columns]]).astype(np.int64)
    there = (rows >= 0) & (rows < len(ink))
    ink[rows[there], over[columns[there]]] = line.layout.pen.darkness


def paint_grid(ink: Ink, layout: Layout, track: TrackLayout) -> None:
    """Print lines of equal depth, and over them those of equal value."""
    for section in layout.sections:
        pens = layout.light_pen, layout.heavy_pen, layout.heaviest_pen or layout.heavy_pen
        for x, weight in section.lines():
            paint_line(ink, (x, track.top), (x, track.bottom), pens[weight])
    for section in layout.sections:
        for at, heavy in _value_lines(track):
            y = track.bottom - at * track.height
            pen = layout.heavy_pen if heavy else layout.light_pen
            paint_line(ink, (section.start, y), (section.stop - 1, y), pen)


def _value_lines(track: TrackLayout) -> list[tuple[float, bool]]:
    """Return the grid lines of equal value: height in the track, 0 to 1, and True if heavy."""
    if track.decades:
        powers = [
            (
                decade + np.log10(m) - np.log10(track.first),
                m == 1 or (decade, m) == (0, track.first),
            )
            for decade in range(track.decades + 1)
            for m in range(1, 10)
        ]
        inside = [one for one in powers if -1e-9 < one[0] < track.decades - 1e-9]
        return [*((at / track.decades, heavy) for at, heavy in inside), (1.0, True)]
    n = track.divisions
    return [(i / n, i in (0, n) or 2 * i == n) for i in range(n + 1)]


def _depth_numbers(rng: Generator, ink: Ink, layout: Layout) -> None:
    """Print ticks and depth numbers in their column, at every heavy line."""
    above, below = layout.depth_track
    thickness = below - above
    if thickness < 4:
        return
    depth, step = int(rng.integers(0, 400)) * 10, int(rng.choice([10, 20, 50, 100]))
    (section,) = layout.sections
    for x in np.arange(*layout.span, section.line_step * section.heavy_every):
        paint_line(ink, (x, above), (x, above + 0.12 * thickness), layout.heavy_pen)
        paint_line(ink, (x, below - 0.12 * thickness), (x, below), layout.heavy_pen)
        words = printed_sideways(layout, str(depth), room=round(0.7 * thickness))
        put(
            ink,
            words,
            y=above + (thickness - len(words)) // 2,
            x=round(x) - words.shape[1] // 2,
            on_white=True,
        )
        depth += step


def paint_track_numbers(
    rng: Generator, ink: Ink, layout: Layout, track: TrackLayout, *, over: Sequence[Ink] = ()
) -> list[Word]:
    """Print numbers on white in the track, at some of the heavy lines; the white erases the other
    inks below, too."""
    found = list[Word]()
    at = rng.uniform(0.05, 0.8) * track.height + track.top
    times = int(rng.integers(1, 4))
    for section in layout.sections:
        every = section.line_step * section.heavy_every * times
        for x in np.arange(section.start + every, section.stop, every):
            text = str(int(rng.integers(-99, 2000)))
            number = printed_sideways(layout, text, room=track.height // 4)
            y, left = round(at), round(x) - number.shape[1] // 2
            put(ink, number, y=y, x=left, on_white=True, over=over)
            box = y, left, y + number.shape[0], left + number.shape[1]
            found.append(Word(text=text, kind="remark", box=box))
    return found


def paint_block(
    rng: Generator,
    ink: Ink,
    layout: Layout,
    x: int,
    length: int,
    *,
    words: Sequence[str] = _WORDS,
) -> None:
    """Print a framed block of words and rules, to be read with the page upright."""
    top, bottom = layout.tracks[0].top, layout.tracks[-1].bottom
    if length < 12 or bottom - top < 24:
        return
    frame = (x + 2, top), (x + length - 3, bottom)
    cv2.rectangle(ink, *frame, layout.heavy_pen.darkness)
    line, stop = x + 5, x + length - 6
    while line + layout.text_height < stop:
        line_of_words = f"{rng.choice(words)} {rng.choice(['', str(rng.integers(0, 9999))])}"
        room = round((bottom - top) * rng.uniform(0.3, 0.95))
        text = printed_sideways(layout, line_of_words, room=room)
        put(ink, text[:, : stop - line], y=bottom - 4 - len(text), x=line)
        line += round(layout.text_height * rng.uniform(0.9, 1.8))
        if rng.random() < 0.2:
            cv2.line(ink, (line, top), (line, bottom), layout.heavy_pen.darkness, 1)
            line += 3


def printed_sideways(layout: Layout, words: str, *, room: int) -> Ink:
    """Print words in the page's own letters, on their side, within `room` px."""
    return printed_to_fit(
        words,
        size=layout.text_height,
        room=room,
        font=layout.font,
        darkness=layout.heavy_pen.darkness,
    )


def paint_line(ink: Ink, a: tuple[float, float], b: tuple[float, float], pen: Pen) -> None:
    """Draw a horizontal or vertical line from (x, y) to (x, y)."""
    (x, y), (right, bottom) = (tuple(round(at) for at in end) for end in (a, b))
    before, after = int(pen.width - 1) // 2, int(pen.width) // 2 + 1
    if x == right:
        ink[max(0, y) : bottom + 1, max(0, x - before) : x + after] = pen.darkness
    else:
        ink[max(0, y - before) : y + after, max(0, x) : right + 1] = pen.darkness

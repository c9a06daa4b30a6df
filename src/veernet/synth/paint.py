"""Painting a layout: grids, words and curves as ink, and the mask of the curves."""

from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from numpy.random import Generator

from veernet.data.columns import polylines
from veernet.synth.curves import Curve
from veernet.synth.layout import CurveLayout, Layout, Pen, Track
from veernet.synth.marks import draw_handwriting, draw_stamp, draw_ticks
from veernet.synth.text import Ink, printed_to_fit, put

_FRACTION = 4
"""Binary digits of a pixel's fraction in the coordinates given to OpenCV."""

_WORDS = (
    *("COMPANY", "WELL", "FIELD", "COUNTY", "STATE", "LOCATION", "PERMANENT DATUM", "K.B. ELEV."),
    *("DATE", "RUN NO.", "DEPTH DRILLER", "BIT SIZE", "MUD TYPE", "RM @ TEMP", "WITNESSED BY"),
    *("GAMMA RAY  API", "CALIPER  IN", "SP  MV", "DEEP RESISTIVITY  OHM-M", "BULK DENSITY  G/CC"),
    *("NEUTRON POROSITY  %", "SONIC  USEC/FT", "TENSION  LB", "MAIN PASS", "REPEAT SECTION"),
)


def paint(rng: Generator, layout: Layout, curves: list[Curve]) -> Ink:
    """The page as printed."""
    ink = np.zeros((layout.height, layout.width), np.uint8)
    for track in layout.tracks:
        if track.grid:
            _grid(ink, layout, track)
        if track.numbers:
            _track_numbers(rng, ink, layout, track)
    _depth_numbers(rng, ink, layout)
    if layout.ticks:
        draw_ticks(rng, ink, layout)
    for there, x, length in (
        (layout.header, 0, layout.span[0]),
        (layout.footer, layout.span[1], layout.width - layout.span[1]),
    ):
        if there:
            _block(rng, ink, layout, x, length)
    if layout.handwriting:
        draw_handwriting(rng, ink, layout)
    lines = np.zeros_like(ink)
    for how, curve in zip(layout.curves, curves, strict=True):
        if how.hatch:
            _hatch(lines, how, curve)
        draw_curve(lines, how, curve)
    np.maximum(ink, lines, out=ink)
    if layout.stamp:
        draw_stamp(rng, ink)
    return ink


def draw_curve(ink: Ink, how: CurveLayout, curve: Curve) -> None:
    """Print one curve with sub-pixel accuracy; it ends at the edges of its track."""
    pen = how.pen
    for view, line in _laps(ink, how, curve):
        if not pen.pattern:
            _strokes(view, [line], pen.width, pen.darkness)
            continue
        if pen.gap_width:
            _strokes(view, [line], pen.gap_width, pen.darkness)
        _strokes(view, _broken(line, pen.pattern), pen.width, pen.darkness)


def paint_mask(
    shape: tuple[int, int], layouts: tuple[CurveLayout, ...], curves: list[Curve]
) -> UInt8[ndarray, "h w"]:
    """Class indices: the line of every curve k, as wide as its pen and without gaps of its style,
    as class k + 1. Where curves cross, the first is on top."""
    mask = np.zeros(shape, np.uint8)
    both = list(zip(layouts, curves, strict=True))
    for index, (how, curve) in reversed(list(enumerate(both, start=1))):
        for view, line in _laps(mask, how, curve):
            fixed = np.rint(line * 2**_FRACTION).astype(np.int32)
            cv2.polylines(view, [fixed], False, index, how.pen.width, cv2.LINE_8, _FRACTION)
    return mask


def _laps(ink: Ink, how: CurveLayout, curve: Curve) -> list[tuple[Ink, Float[ndarray, "_ 2"]]]:
    """Every unbroken stretch of a curve, once for every lap of it across the track, beside the
    part of the page where it may be drawn: as points (x, y) from the corner of that part."""
    track = how.track
    room = 0 if how.ending in ("wrapped", "off scale") else how.pen.width // 2 + 1
    top = max(0, track.top - room)
    view = ink[top : track.bottom + room + 1]
    last = int(curve.laps.max(initial=0)) if how.ending == "wrapped" else 0
    first = int(curve.laps.min(initial=0)) if how.ending == "wrapped" else 0
    found: list[tuple[Ink, Float[ndarray, "_ 2"]]] = []
    for line in polylines(track.bottom - top - curve.course * track.height):
        for lap in range(first, last + 1):
            moved = line + np.array([0, lap * track.height])
            inside = (moved[:, 1] > -track.height) & (moved[:, 1] < len(view) + track.height)
            # The rest of OpenCV's way is off the page, and its coordinates end at 2^27.
            found += [(view, part) for part in _parts(moved, inside)]
    return found


def _parts(line: Float[ndarray, "n 2"], wanted: ndarray) -> list[Float[ndarray, "_ 2"]]:
    """The stretches of a line where it is wanted, each with a neighbour at both ends."""
    edges = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
    return [line[max(0, a - 1) : b + 1] for a, b in pairwise(edges)][::2]


def _strokes(ink: Ink, lines: list[Float[ndarray, "_ 2"]], width: int, darkness: int) -> None:
    fixed = [np.rint(line * 2**_FRACTION).astype(np.int32) for line in lines]
    cv2.polylines(ink, fixed, False, darkness, width, cv2.LINE_AA, _FRACTION)


def _broken(
    points: Float[ndarray, "n 2"], pattern: tuple[float, ...]
) -> list[Float[ndarray, "_ 2"]]:
    """Cut a line into strokes by its own length: ink and gap in turn."""
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.arange(0, along[-1] + 0.5, 0.5)
    fine = np.stack([np.interp(at, along, points[:, i]) for i in (0, 1)], axis=1)
    part = np.searchsorted(np.cumsum(pattern), at % sum(pattern), side="right")
    return _inked(fine, part % 2 == 0)


def _inked(fine: Float[ndarray, "n 2"], wanted: ndarray) -> list[Float[ndarray, "_ 2"]]:
    edges = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
    return [fine[a:b] for a, b in pairwise(edges)][::2]


def _hatch(ink: Ink, how: CurveLayout, curve: Curve) -> None:
    """Thin diagonals between a wrapped curve and the edge that it came in from."""
    track, course = how.track, np.nan_to_num(curve.course, nan=0.5)
    over = np.flatnonzero((course > 1) | (course < 0))
    if len(over) == 0:
        return
    y = np.arange(track.top, track.bottom + 1)[:, None]
    beyond = course[over]
    edge = np.where(
        beyond > 1,
        track.bottom - np.minimum(beyond - 1, 1) * track.height,
        track.top - np.maximum(beyond, -1) * track.height,
    )
    inside = np.where(beyond > 1, y >= edge, y <= edge)
    lines = (y + over) % round(how.hatch) == 0
    rows, columns = np.nonzero(inside & lines)
    ink[rows + track.top, over[columns]] = how.pen.darkness


def _grid(ink: Ink, layout: Layout, track: Track) -> None:
    start, stop = layout.span
    for i, x in enumerate(np.arange(start, stop, layout.depth_step)):
        pen = layout.heavy if i % layout.heavy_every == 0 else layout.light
        _line(ink, (x, track.top), (x, track.bottom), pen)
    for at, heavy in _value_lines(track):
        y = track.bottom - at * track.height
        _line(ink, (start, y), (stop - 1, y), layout.heavy if heavy else layout.light)


def _value_lines(track: Track) -> list[tuple[float, bool]]:
    """Lines of equal value: how high in the track, and whether heavy."""
    if track.decades:
        tens = [
            (decade + np.log10(m)) / track.decades
            for decade in range(track.decades)
            for m in range(1, 10)
        ]
        return [*((at, i % 9 == 0) for i, at in enumerate(tens)), (1.0, True)]
    n = track.divisions
    return [(i / n, i in (0, n) or 2 * i == n) for i in range(n + 1)]


def _depth_numbers(rng: Generator, ink: Ink, layout: Layout) -> None:
    """Ticks and depth numbers in their column, at every heavy line."""
    above, below = layout.depth_column
    thickness = below - above
    if thickness < 4:
        return
    depth, step = int(rng.integers(0, 400)) * 10, int(rng.choice([10, 20, 50, 100]))
    for x in np.arange(*layout.span, layout.depth_step * layout.heavy_every):
        _line(ink, (x, above), (x, above + 0.12 * thickness), layout.heavy)
        _line(ink, (x, below - 0.12 * thickness), (x, below), layout.heavy)
        words = _printed(layout, str(depth), room=round(0.7 * thickness))
        put(
            ink,
            words,
            y=above + (thickness - len(words)) // 2,
            x=round(x) - words.shape[1] // 2,
            on_white=True,
        )
        depth += step


def _track_numbers(rng: Generator, ink: Ink, layout: Layout, track: Track) -> None:
    """Numbers on white in the track, at some of the heavy lines."""
    at = rng.uniform(0.05, 0.8) * track.height + track.top
    every = layout.depth_step * layout.heavy_every * int(rng.integers(1, 4))
    for x in np.arange(layout.span[0] + every, layout.span[1], every):
        number = _printed(layout, str(int(rng.integers(-99, 2000))), room=track.height // 4)
        put(ink, number, y=round(at), x=round(x) - number.shape[1] // 2, on_white=True)


def _block(rng: Generator, ink: Ink, layout: Layout, x: int, length: int) -> None:
    """A framed block of words and rules, to be read with the page upright."""
    top, bottom = layout.tracks[0].top, layout.tracks[-1].bottom
    if length < 12 or bottom - top < 24:
        return
    frame = (x + 2, top), (x + length - 3, bottom)
    cv2.rectangle(ink, *frame, layout.heavy.darkness, layout.heavy.width)
    line, stop = x + 5, x + length - 6
    while line + layout.letters < stop:
        words = f"{rng.choice(_WORDS)} {rng.choice(['', str(rng.integers(0, 9999))])}"
        room = round((bottom - top) * rng.uniform(0.3, 0.95))
        text = _printed(layout, words, room=room)
        put(ink, text[:, : stop - line], y=bottom - 4 - len(text), x=line)
        line += round(layout.letters * rng.uniform(0.9, 1.8))
        if rng.random() < 0.2:
            cv2.line(ink, (line, top), (line, bottom), layout.heavy.darkness, 1)
            line += 3


def _printed(layout: Layout, words: str, *, room: int) -> Ink:
    return printed_to_fit(
        words,
        size=layout.letters,
        room=room,
        font=layout.font,
        darkness=layout.heavy.darkness,
    )


def _line(ink: Ink, a: tuple[float, float], b: tuple[float, float], pen: Pen) -> None:
    ends = [(round(x), round(y)) for x, y in (a, b)]
    cv2.line(ink, ends[0], ends[1], pen.darkness, pen.width)

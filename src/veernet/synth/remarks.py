"""Remarks inside the tracks of a printed log: words, arrows to curves, marks at the edges."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from veernet.data.logs import Word
from veernet.synth.appearance import bernoulli
from veernet.synth.inks import Inks
from veernet.synth.kinship import MEMBERS
from veernet.synth.layout import BLACK, Section, TrackLayout
from veernet.synth.paint import Line, paint_line
from veernet.synth.printed_layout import PrintedLayout
from veernet.synth.text import Ink, Letters, Piece, box_of, put, trimmed

_WORDS = (
    *("CASING", "CASING SHOE", "T.D.", "FIRST READING", "LAST READING", "TOOL PULLED FREE"),
    *("LANSING", "KANSAS CITY", "MARMATON", "CHEROKEE", "MISSISSIPPI", "ARBUCKLE", "HEEBNER"),
    *("ZONE A", "ZONE B", "TOP OF PAY", "BASE OF SAND", "DST NO. 1", "CORE NO. 2", "O/W"),
    *("CNL", "FDC", "DIL", "BHC", "LSS", "MLL", "PDC", "CCL", "SPECTRAL GR", "STATION 4"),
)

_AROUND = 3
"""White rows and columns around a remark, px."""

_TRIES = 4


@dataclass(frozen=True, kw_only=True)
class _Mark:
    """A word or a mark with its place."""

    text: str
    piece: Piece
    y: int
    x: int
    curve: int | None = None

    @property
    def word(self) -> Word:
        """The mark as it is recorded."""
        box = box_of(self.piece, self.y, self.x)
        return Word(text=self.text, kind="remark", box=box, curve=self.curve)


@dataclass(frozen=True, kw_only=True)
class _Page:
    """Page, letters and random stream with which remarks are drawn."""

    rng: Generator
    layout: PrintedLayout
    lines: Sequence[Line]
    letters: Letters

    @property
    def section(self) -> Section:
        """Draw a section, a longer one more often."""
        sections = self.layout.page.sections
        lengths = np.array([max(1, one.stop - one.start) for one in sections], np.float64)
        return sections[int(self.rng.choice(len(sections), p=lengths / lengths.sum()))]

    def print_of(self, text: str) -> Piece:
        """Print words, one in five to be read with the page on its side."""
        return self.letters.along(text) if bernoulli(self.rng, 0.2) else self.letters.across(text)


def print_remarks(
    rng: Generator, inks: Inks, layout: PrintedLayout, lines: Sequence[Line], taken: Sequence[Word]
) -> list[Word]:
    """Print remarks in the tracks that have some, away from words that are `taken`; in half of the
    logs, announce every change of a scale. Returns the words and marks."""
    words, announced = [*taken], bernoulli(rng, 0.5)
    size = max(5, round(rng.uniform(0.5, 0.9) * layout.page.text_height))
    darkness = max(130, layout.page.heavy_pen.darkness)
    letters = Letters(size=size, font=layout.page.font, darkness=darkness)
    page = _Page(rng=rng, layout=layout, lines=lines, letters=letters)
    for number, curve in enumerate(layout.curves):
        for column, _ in curve.scales[1:] if announced else ():
            tries = (_change(page, number, column) for _ in range(_TRIES))
            words += _print(page, inks, curve.line.track, words, tries)
    most = min(12, 3 + layout.page.width // layout.page.height)
    for number, track in enumerate(layout.page.tracks):
        ruled, n = bernoulli(rng, 0.3), int(rng.integers(1, most))
        if layout.remarks[number]:
            if ruled:
                _print_ruler(inks.of(BLACK), layout, track)
            for _ in range(n):
                tries = (_remark(page, number) for _ in range(_TRIES))
                words += _print(page, inks, track, words, tries)
    return words[len(taken) :]


def _print(
    page: _Page,
    inks: Inks,
    track: TrackLayout,
    words: Sequence[Word],
    tries: Iterator[list[_Mark]],
) -> list[Word]:
    """Print the first of some remarks that has room in a track, on white or over the lines."""
    on_white, black = bernoulli(page.rng, 0.6), inks.of(BLACK)
    over = [ink for ink in inks.planes.values() if ink is not black]
    for marks in tries:
        if marks and all(_has_room(one, page.layout, track, words) for one in marks):
            for one in marks:
                put(black, one.piece.patch, y=one.y, x=one.x, on_white=on_white, over=over)
            return [one.word for one in marks]
    return []


def _has_room(
    mark: _Mark, layout: PrintedLayout, track: TrackLayout, words: Sequence[Word]
) -> bool:
    """Return whether a mark lies in a track and one section, away from words."""
    top, left, bottom, right = mark.word.box
    inside = track.top < top and bottom <= track.bottom
    within = any(one.start + 3 < left and right < one.stop - 3 for one in layout.page.sections)
    return inside and within and not any(_touch(mark.word, word) for word in words)


def _touch(one: Word, other: Word) -> bool:
    (top, left, bottom, right), (above, before, below, after) = one.box, other.box
    return (
        top - _AROUND < below
        and above < bottom + _AROUND
        and left - _AROUND < after
        and before < right + _AROUND
    )


def _remark(page: _Page, track: int) -> list[_Mark]:
    """Draw a remark of any kind for a track."""
    kinds = _words, _depth, _name, _perforations, _shoe
    return kinds[int(page.rng.choice(len(kinds), p=[0.4, 0.15, 0.25, 0.1, 0.1]))](page, track)


def _words(page: _Page, track: int) -> list[_Mark]:
    text = str(page.rng.choice(_WORDS))
    section = page.section
    x = page.rng.uniform(section.start, section.stop)
    return [_in_track(page, page.layout.page.tracks[track], text, x)]


def _depth(page: _Page, track: int) -> list[_Mark]:
    """Write a depth, whole tens of feet, in the middle of its own column."""
    section = page.section
    assert section.depths is not None
    x = page.rng.uniform(section.start, section.stop) - section.start
    feet = 10 * round((section.depths.first + section.depths.feet_per_px * x) / 10)
    column = section.start + section.depths.columns_to(feet)
    if not section.start <= column < section.stop:
        return []
    return [_in_track(page, page.layout.page.tracks[track], f"{feet} FT", column)]


def _in_track(page: _Page, track: TrackLayout, text: str, x: float) -> _Mark:
    """Place words anywhere across a track, their middle at column x."""
    piece = page.print_of(text)
    y = page.rng.integers(track.top, max(track.top + 1, track.bottom - piece.length))
    return _Mark(text=text, piece=piece, y=int(y), x=_centred(piece, x))


def _centred(piece: Piece, x: float) -> int:
    """First column of a piece whose middle is at column x."""
    return round(x - (piece.patch.shape[1] - 1) / 2)


def _name(page: _Page, track: int) -> list[_Mark]:
    """Write the name of a curve beside it, with an arrow to it."""
    rng, layout = page.rng, page.layout
    there = [number for number, curve in enumerate(layout.curves) if curve.track == track]
    number, section = there[int(rng.integers(0, len(there)))], page.section
    member, line = MEMBERS[layout.curves[number].mnemonic], page.lines[number]
    text = str(rng.choice([member.mnemonic, member.title]))
    x, side = int(rng.integers(section.start, section.stop)), int(rng.choice([-1, 1]))
    row = line.rows[x] - line.shift[x]
    if not np.isfinite(row):
        return []
    size = page.letters.size
    piece, length = page.letters.across(text), round(size * rng.uniform(1.2, 4))
    aside = round(rng.uniform(-0.4, 0.4) * length)
    arrow, at = _arrow(length, aside, down=side < 0, letters=page.letters)
    tip = round(row) + side * round(0.5 * line.layout.pen.width + 2)
    y = tip - arrow.length if side < 0 else tip
    beyond = tip + side * (arrow.length + _AROUND)
    top, left = beyond - piece.length if side < 0 else beyond, x - at
    words = _Mark(text=text, piece=piece, y=top, x=_centred(piece, x + aside), curve=number)
    return [words, _Mark(text="arrow", piece=arrow, y=y, x=left, curve=number)]


def _arrow(length: int, aside: int, *, down: bool, letters: Letters) -> tuple[Piece, int]:
    """Draw an arrow over some rows, whose tail is some columns aside of its tip; returns it with
    the column of its tip."""
    pen = max(1, round(letters.size / 14))
    tip, tail = np.array([length, pen]), np.array([length + aside, length])
    barb = 0.25 * (tail - tip)
    turned = np.array([[0, 0.6], [-0.6, 0]]) @ barb
    points = np.rint([tail, tip, tip + barb + turned, tip, tip + barb - turned]).astype(np.int32)
    patch = np.zeros((length + pen + 1, 2 * length + 1), np.uint8)
    cv2.polylines(patch, [points], False, letters.darkness, pen, cv2.LINE_AA)
    piece = trimmed(np.ascontiguousarray(patch[::-1]) if down else patch)
    return piece, length - piece.drop


def _perforations(page: _Page, track: int) -> list[_Mark]:
    """Draw a row of short ticks at an edge of a track, as where casing is perforated."""
    band, size, section = page.layout.page.tracks[track], page.letters.size, page.section
    n, step = int(page.rng.integers(3, 16)), max(3, round(size * page.rng.uniform(0.2, 0.5)))
    patch = np.zeros((max(3, round(0.5 * size)), n * step), np.uint8)
    for column in range(max(1, step // 4)):
        patch[:, column::step] = page.letters.darkness
    x = int(page.rng.integers(section.start, section.stop))
    y = band.top + 2 if bernoulli(page.rng, 0.5) else band.bottom - 1 - len(patch)
    return [_Mark(text="perforations", piece=trimmed(patch), y=y, x=x)]


def _shoe(page: _Page, track: int) -> list[_Mark]:
    """Draw the triangle of a casing shoe at an edge of a track."""
    band, size, section = page.layout.page.tracks[track], page.letters.size, page.section
    patch = np.zeros((size, size), np.uint8)
    corners = np.array([(0, 0), (size - 1, 0), (0, size - 1)], np.int32)
    cv2.fillPoly(patch, [corners], page.letters.darkness)
    lower = bernoulli(page.rng, 0.5)
    y = band.bottom - 1 - size if lower else band.top + 2
    x = int(page.rng.integers(section.start, section.stop))
    piece = trimmed(np.ascontiguousarray(patch[::-1]) if lower else patch)
    return [_Mark(text="triangle", piece=piece, y=y, x=x)]


def _change(page: _Page, number: int, column: int) -> list[_Mark]:
    """Announce the scale of a curve from a column on, just behind it."""
    curve = page.layout.curves[number]
    scale = dict(curve.scales)[column]
    words = f"{scale.left:.10g} TO {scale.right:.10g}"
    text = str(page.rng.choice([f"{curve.mnemonic} {words}", f"{curve.mnemonic} SCALE {words}"]))
    piece, track = page.letters.across(text), curve.line.track
    y = page.rng.integers(track.top, max(track.top + 1, track.bottom - piece.length))
    x = column + 2 + int(page.rng.integers(0, page.letters.size))
    return [_Mark(text=text, piece=piece, y=int(y), x=x, curve=number)]


def _print_ruler(ink: Ink, layout: PrintedLayout, track: TrackLayout) -> None:
    """Print short ticks at both edges of a track, at every line of equal depth."""
    page, scale = layout.page, layout.scale
    for section in page.sections:
        for x, heavy in section.lines():
            length = max(2, scale * (14 if heavy else 7))
            paint_line(ink, (x, track.top), (x, track.top + length), page.light_pen)
            paint_line(ink, (x, track.bottom - length), (x, track.bottom), page.light_pen)

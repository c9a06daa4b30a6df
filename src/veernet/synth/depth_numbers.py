"""Depth numbers of a printed log, each at the column of its own depth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from numpy.random import Generator

from veernet.data.logs import Word
from veernet.synth.appearance import bernoulli
from veernet.synth.layout import Layout, Section
from veernet.synth.paint import paint_line
from veernet.synth.text import Ink, Letters, box_of, put

_BOLD = 1
"""A bold font among `text.FONTS`."""

_LEAST_ALONG = 5
"""Smallest letters that run along the depth, px."""


@dataclass(frozen=True, kw_only=True)
class _Style:
    """One way to print depths."""

    ticks: bool
    along: bool
    """True if digits run along the depth: they are read with the page on its side."""
    bold_hundreds: bool
    hundreds_only: bool
    on_white: bool


def print_depth_numbers(
    rng: Generator, ink: Ink, page: Layout, *, over: Sequence[Ink] = ()
) -> list[Word]:
    """Print the depths in their column, with ticks at its edges in some styles; on a third of the
    pages without that column, inside an edge of a track.

    Args:
        over: other inks, which the white below numbers erases.
    """
    style = _Style(
        ticks=bernoulli(rng, 0.6),
        along=bernoulli(rng, 0.2),
        bold_hundreds=bernoulli(rng, 0.25),
        hundreds_only=bernoulli(rng, 0.1),
        on_white=bernoulli(rng, 0.75),
    )
    edges = _inside_a_track(rng, page)
    in_column = page.depth_track[0] < page.depth_track[1]
    edges = page.depth_track if in_column else edges
    if edges[1] - edges[0] < 4:
        return []
    found = list[Word]()
    for section in page.sections:
        if style.ticks and in_column:
            _print_ticks(ink, page, section)
        numbers = _numbers(section, style)
        texts = [f"{number:.0f}" for number, _ in numbers]
        letters, along = _letters(page, section, style, max(texts, key=len, default="0"), edges)
        for (_, x), text in zip(numbers, texts, strict=True):
            bold = style.bold_hundreds and text.endswith("00")
            one = replace(letters, font=_BOLD) if bold else letters
            piece = one.along(text) if along else one.across(text)
            y = (edges[0] + edges[1] - piece.length) // 2
            left = round(x - (piece.patch.shape[1] - 1) / 2)
            if left > section.start + 2 and left + piece.patch.shape[1] < section.stop - 2:
                on_white = style.on_white or not in_column
                put(ink, piece.patch, y=y, x=left, on_white=on_white, over=over)
                found.append(Word(text=text, kind="depth", box=box_of(piece, y, left)))
    return found


def _inside_a_track(rng: Generator, page: Layout) -> tuple[int, int]:
    """Draw the rows of numbers inside an edge of a track; none on two thirds of the pages."""
    there, upper, share = bernoulli(rng, 0.35), bernoulli(rng, 0.5), rng.uniform(0.12, 0.2)
    track = page.tracks[int(rng.integers(0, len(page.tracks)))]
    room = round(share * track.height)
    if not there:
        return 0, 0
    return (track.top + 4, track.top + room) if upper else (track.bottom - room, track.bottom - 4)


def _print_ticks(ink: Ink, page: Layout, section: Section) -> None:
    above, below = page.depth_track
    length = 0.12 * (below - above)
    for x, heavy in section.lines():
        if heavy:
            paint_line(ink, (x, above), (x, above + length), page.heavy_pen)
            paint_line(ink, (x, below - length), (x, below), page.heavy_pen)


def _numbers(section: Section, style: _Style) -> list[tuple[float, float]]:
    """List the depths that are printed in a section, each with its column."""
    depths = section.depths
    assert depths is not None
    last = depths.first + depths.feet_per_px * (section.stop - section.start)
    step = depths.number_feet
    if style.hundreds_only and 100 % step == 0 and last - depths.first > 400:
        step = 100.0
    first = math.ceil(depths.first / step)
    numbers = [n * step for n in range(first, math.ceil(last / step))]
    return [(number, section.start + depths.columns_to(number)) for number in numbers]


def _letters(
    page: Layout, section: Section, style: _Style, longest: str, edges: tuple[int, int]
) -> tuple[Letters, bool]:
    """Find letters in which numbers have room in rows between edges and, if they run along the
    depth, between one another; and whether they do."""
    assert section.depths is not None
    room = round(0.7 * (edges[1] - edges[0]))
    font = _BOLD if style.bold_hundreds else page.font
    letters = Letters(size=page.text_height, font=font, darkness=page.heavy_pen.darkness)
    spacing = 0.7 * section.depths.number_feet / section.depths.feet_per_px
    lying = letters.along(longest)
    height, length = lying.patch.shape
    share = min(1.0, room / height, spacing / length)
    along = style.along and share * letters.size >= _LEAST_ALONG
    share = share if along else min(1.0, room / length)
    letters = replace(letters, size=max(3, int(share * letters.size)))
    return replace(letters, font=page.font), along

"""Layout of a synthetic log: page, tracks, grids, line styles. Nothing is painted here."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator

from veernet.data.logs import LineStyle
from veernet.synth.appearance import Appearance, bernoulli, uniform

Ending = Literal["inside", "wrapped", "clipped", "off scale"]
"""Behaviour of a curve at the edges of its track: it stays inside; wraps to the other edge; is held
at the edge; or is not printed while it is off scale."""

BLACK = "#000000"

FULL = 480
"""Height from which a page is drawn with the lengths of `Appearance` unscaled, px."""


@dataclass(frozen=True, kw_only=True)
class Pen:
    """Width, darkness and pattern of a line."""

    width: float
    """Width of the line, px."""
    darkness: int
    """Ink of the line: 0 leaves the paper white, 255 is black."""
    pattern: tuple[float, ...] = ()
    """Alternating lengths of ink and gap along the line, px; unbroken if empty."""
    gap_width: float = 0
    """Width of the line in the gaps, px; 0 leaves them empty."""
    colour: str = BLACK
    """Colour of the ink, as "#rrggbb"."""


@dataclass(frozen=True, kw_only=True)
class TrackLayout:
    """A band of the page with a scale of values across it."""

    top: int
    """Row of the upper edge."""
    bottom: int
    """Row of the lower edge, where values begin at 0."""
    grid: bool
    divisions: int
    """Number of parts into which linear grid lines cut the track."""
    decades: int
    """Decades across a logarithmic track; 0 if it is linear."""
    numbers: bool
    """True if there are numbers in the track, on white."""
    first: int = 1
    """First digit of the values at the edges of a logarithmic track: 2 from 0.2 to 2,000."""
    frame: Pen | None = None
    """Pen of the edges; None for lines as those of the grid."""

    @property
    def height(self) -> int:
        """Rows between the edges."""
        return self.bottom - self.top

    @property
    def edges(self) -> tuple[float, float]:
        """Top and bottom row, as in the metadata."""
        return float(self.top), float(self.bottom)


@dataclass(frozen=True, kw_only=True)
class CurveLayout:
    """Track, line and edge behaviour of one curve."""

    track: TrackLayout
    pen: Pen
    style: LineStyle
    ending: Ending
    hatch: float
    """Distance of the lines of hatching between a wrapped curve and the edge it came in from, px;
    0 for none."""
    gaps: int
    """Number of stretches where the curve is absent."""
    heavy: bool = False
    """True if the pen is heavier than others of the page."""

    def traits(self) -> Iterator[str]:
        """Yield the visible features of the curve, in words."""
        yield self.style
        if self.ending != "inside":
            yield self.ending
        if self.hatch:
            yield "hatched"
        if self.gaps:
            yield "gaps"


@dataclass(frozen=True, kw_only=True)
class Depths:
    """Depths of the columns of a section."""

    first: float
    """Depth at the first column, ft."""
    feet_per_px: float
    line_feet: float
    """Distance of light lines of equal depth, ft."""
    number_feet: float
    """Distance of depth numbers, ft."""
    repeat: bool = False
    """True if these depths were printed before."""

    def columns_to(self, depth: float) -> float:
        """Columns from the first one to a depth."""
        return (depth - self.first) / self.feet_per_px


@dataclass(frozen=True, kw_only=True)
class Section:
    """Columns of the page in which lines of equal depth have one distance."""

    start: int
    """First column."""
    stop: int
    """One past the last column."""
    line_step: float
    """Distance of light lines of equal depth, px."""
    heavy_every: int
    """Period of heavy lines: every n-th line is heavy."""
    heaviest_every: int = 0
    """Period of lines heavier still; 0 for none."""
    depths: Depths | None = None
    """Depths of the columns; None where the numbers printed are any."""

    def lines(self) -> Iterator[tuple[float, int]]:
        """Yield the column of every line of equal depth, and its weight: 0 light, 1 heavy, 2
        heavier still."""
        if self.depths is None:
            first, number = float(self.start), 0
        else:
            number = math.ceil(self.depths.first / self.depths.line_feet)
            first = self.start + self.depths.columns_to(number * self.depths.line_feet)
        for i, x in enumerate(np.arange(first, self.stop, self.line_step).tolist()):
            heavy = (number + i) % self.heavy_every == 0
            yield x, heavy + (self.heaviest_every > 0 and (number + i) % self.heaviest_every == 0)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A page on its side: depth along x, value along y; all lengths in pixels."""

    height: int
    width: int
    tracks: tuple[TrackLayout, ...]
    span: tuple[int, int]
    """First column of the tracks, and one past their last; header and footer lie outside."""
    header: bool
    footer: bool
    depth_track: tuple[int, int]
    """Edges of the band with the depth numbers, rows; no band if both are equal."""
    sections: tuple[Section, ...]
    light_pen: Pen
    heavy_pen: Pen
    heaviest_pen: Pen | None = None
    text_height: int
    """Height of a line of words, px."""
    font: int
    """Number of a font; `veernet.synth.text` takes it modulo the number of its fonts."""
    ticks: bool
    handwriting: bool
    stamp: bool
    curves: tuple[CurveLayout, ...]

    def traits(self) -> Iterator[str]:
        """Yield the visible features of the page and its curves, in words, each once."""
        found = [
            *(trait for curve in self.curves for trait in curve.traits()),
            *([f"{len(self.tracks)} tracks"] if len(self.tracks) > 1 else []),
            *(["log grid"] if any(t.grid and t.decades for t in self.tracks) else []),
            *(["no grid"] if not any(t.grid for t in self.tracks) else []),
            *(["depth column"] if self.depth_track[0] < self.depth_track[1] else []),
            *(["track numbers"] if any(t.numbers for t in self.tracks) else []),
            *(n for n in ("header", "footer", "ticks", "handwriting", "stamp") if getattr(self, n)),
        ]
        yield from dict.fromkeys(found)


def scale_of(height: int) -> float:
    """Factor on the lengths of `Appearance` on a page of this height, at most 1."""
    return min(1.0, height / FULL)


def lay_out(
    rng: Generator, appearance: Appearance, *, height: int, width: int, n_curves: int
) -> Layout:
    """Draw a layout for a page of this size."""
    scale = scale_of(height)
    tracks, column = bands(rng, appearance, height)
    header, footer = bernoulli(rng, appearance.header), bernoulli(rng, appearance.footer)
    longest = 0.25 * width
    ends = [min(longest, uniform(rng, appearance.header_length) * height) for _ in range(2)]
    light_grid = int(uniform(rng, appearance.grid_darkness))
    heavy_width = round(uniform(rng, appearance.grid_line_width))
    start, stop = (round(ends[0]) if header else 1, width - (round(ends[1]) if footer else 1))
    section = Section(
        start=start,
        stop=stop,
        line_step=max(4.0, uniform(rng, appearance.depth_lines) * max(scale, 0.4)),
        heavy_every=int(rng.choice([5, 10])),
    )
    return Layout(
        height=height,
        width=width,
        tracks=tracks,
        span=(start, stop),
        header=header,
        footer=footer,
        depth_track=column,
        sections=(section,),
        light_pen=Pen(width=1, darkness=light_grid),
        heavy_pen=Pen(width=heavy_width, darkness=int(rng.uniform(light_grid, 255))),
        text_height=max(5, round(scale * uniform(rng, appearance.text_height))),
        font=int(rng.integers(0, 2**31)),
        ticks=bernoulli(rng, appearance.integration_pips),
        handwriting=bernoulli(rng, appearance.handwriting),
        stamp=bernoulli(rng, appearance.stamp),
        curves=tuple(
            _curve(rng, appearance, tracks, scale, broken=number > 0) for number in range(n_curves)
        ),
    )


def bands(
    rng: Generator, appearance: Appearance, height: int, *, least: int = 1, most: int = 3
) -> tuple[tuple[TrackLayout, ...], tuple[int, int]]:
    """Draw `least` to `most` tracks from top to bottom, and the rows of the depth column."""
    chance, column = rng.random(), bernoulli(rng, appearance.depth_track)
    n = (
        1
        + (chance < appearance.three_tracks + appearance.two_tracks)
        + (chance < appearance.three_tracks)
    )
    n = min(max(n, least), most)
    if height < 32 * (n + 1):
        n = 1
    margin = uniform(rng, appearance.margin) * height
    thickness = rng.uniform(0.09, 0.15) * height if column else 0.02 * height
    place = int(rng.integers(0, n + 1)) if n == 1 else int(rng.integers(1, n))  # between tracks
    parts = rng.dirichlet([20.0] * n) * (
        height - 1 - 2 * margin - (thickness if column or n > 1 else 0)
    )
    y, edges, band = margin, list[tuple[int, int]](), (0, 0)
    for index in range(n + 1):
        if index == place and (column or n > 1):
            band, y = (round(y), round(y + thickness)), y + thickness
        if index < n:
            edges.append((round(y), round(y + parts[index])))
            y += parts[index]
    tracks = tuple(_track(rng, appearance, top, bottom) for top, bottom in edges)
    return tracks, band if column else (0, 0)


def _track(rng: Generator, appearance: Appearance, top: int, bottom: int) -> TrackLayout:
    grid, logarithmic = bernoulli(rng, appearance.grid), bernoulli(rng, appearance.log_grid)
    numbers = bernoulli(rng, appearance.track_numbers)
    divisions, decades = (
        max(1, round(uniform(rng, lines))) for lines in (appearance.divisions, appearance.decades)
    )
    roomy = bottom - top >= 120  # lines only a few pixels apart merge to grey
    return TrackLayout(
        top=top,
        bottom=bottom,
        grid=grid,
        divisions=divisions if roomy else max(1, divisions // 2),
        decades=max(1, decades if roomy else min(decades, 2)) if logarithmic else 0,
        numbers=numbers and bottom - top >= 60,
    )


def _curve(
    rng: Generator,
    appearance: Appearance,
    tracks: tuple[TrackLayout, ...],
    scale: float,
    *,
    broken: bool,
) -> CurveLayout:
    track = tracks[int(rng.integers(0, len(tracks)))]
    chance = rng.random()
    ending: Ending = "inside"
    shares: dict[Ending, float] = {
        "wrapped": appearance.wrapped,
        "clipped": appearance.clipped,
        "off scale": appearance.off_scale,
    }
    for name, share in shares.items():
        if 0 <= chance < share:
            ending = name
        chance -= share
    hatched, spacing = bernoulli(rng, appearance.hatched), uniform(rng, appearance.hatch_lines)
    gaps = int(rng.integers(1, 4)) if bernoulli(rng, appearance.gaps) else 0
    pen, style = _pen(rng, appearance, scale, broken=broken)
    return CurveLayout(
        track=track,
        pen=pen,
        style=style,
        ending=ending,
        hatch=max(4.0, scale * spacing) if ending == "wrapped" and hatched else 0,
        gaps=gaps,
    )


def _pen(
    rng: Generator, appearance: Appearance, scale: float, *, broken: bool
) -> tuple[Pen, LineStyle]:
    """Draw a line style whose gaps, if any, stay open when the ink bleeds."""
    width = uniform(rng, appearance.line_width)
    width = min(width, 2.0) if scale < 0.5 else width
    darkness = int(uniform(rng, appearance.line_darkness))
    chance = rng.random()
    dash = max(3.0 + width, scale * uniform(rng, appearance.dash))
    gap = width + max(2.5, scale * uniform(rng, appearance.gap))
    dot = max(1.0, 0.5 * width)
    if not broken:
        return Pen(width=width, darkness=darkness), "solid"
    if chance < appearance.dotted:
        return Pen(width=max(2, width), darkness=darkness, pattern=(dot, gap)), "dotted"
    if chance < appearance.dotted + appearance.dash_dot:
        pattern = (dash, gap, dot, gap)
        return Pen(width=width, darkness=darkness, pattern=pattern), "dash-dot"
    if chance < appearance.dotted + appearance.dash_dot + appearance.thick_thin:
        thick = Pen(width=max(3, width), darkness=darkness, pattern=(dash, dash), gap_width=1)
        return thick, "thick-thin"
    return Pen(width=width, darkness=darkness, pattern=(dash, gap)), "dashed"

"""How a synthetic log is laid out: page, tracks, grids, pens. Nothing is painted here."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from numpy.random import Generator

from veernet.synth.appearance import Appearance, bernoulli, uniform

Style = Literal["solid", "dashed", "dotted", "dash-dot", "thick-thin"]

Ending = Literal["inside", "wrapped", "clipped", "off scale"]
"""What a curve does at the edges of its track: it stays inside; comes in again at the other edge;
is held at the edge; or is gone until it comes back."""

FULL = 480
"""Height from which a page is drawn with the lengths of `Look`, px."""


@dataclass(frozen=True, kw_only=True)
class Pen:
    """How a line is drawn."""

    width: float
    """px"""
    darkness: int
    """0 leaves the paper white, 255 is black."""
    pattern: tuple[float, ...] = ()
    """Lengths of ink and of gap in turn along the line, px; unbroken if empty."""
    gap_width: float = 0
    """Of the line in the gaps, px; 0 leaves them empty."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """A band of the page across which values run."""

    top: int
    """First row, that of the upper edge."""
    bottom: int
    """Last row, that of the lower edge, from which values count."""
    grid: bool
    divisions: int
    """Parts into which lines of equal value cut the track, linear."""
    decades: int
    """Of a logarithmic track; 0 if it is linear."""
    numbers: bool
    """Whether there are numbers in it, on white."""

    @property
    def height(self) -> int:
        """Rows between the edges."""
        return self.bottom - self.top

    @property
    def edges(self) -> tuple[float, float]:
        """Top and bottom, as the metadata has them."""
        return float(self.top), float(self.bottom)


@dataclass(frozen=True, kw_only=True)
class CurveLayout:
    """Where and how one curve is drawn."""

    track: Track
    pen: Pen
    style: Style
    ending: Ending
    hatch: float
    """Distance of the lines of hatching between a wrapped curve and the edge it came in from, px;
    0 for none."""
    gaps: int
    """Stretches where it is absent."""

    def traits(self) -> Iterator[str]:
        """Of the curve, in words."""
        yield self.style
        if self.ending != "inside":
            yield self.ending
        if self.hatch:
            yield "hatched"
        if self.gaps:
            yield "gaps"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A page on its side: depth along x, value along y; all lengths in pixels."""

    height: int
    width: int
    tracks: tuple[Track, ...]
    span: tuple[int, int]
    """First column of the tracks, and one past their last; header and footer lie outside."""
    header: bool
    footer: bool
    depth_column: tuple[int, int]
    """Rows of the band with the depth numbers; empty if both are equal."""
    depth_step: float
    """Distance of light lines of equal depth."""
    heavy_every: int
    """Every so many lines, one is heavy."""
    light: Pen
    heavy: Pen
    letters: int
    """Height of a line of words."""
    font: int
    """One of those that `veernet.synth.text` knows."""
    ticks: bool
    handwriting: bool
    stamp: bool
    curves: tuple[CurveLayout, ...]

    def traits(self) -> Iterator[str]:
        """Of the page and its curves, in words, each once."""
        found = [
            *(trait for curve in self.curves for trait in curve.traits()),
            *([f"{len(self.tracks)} tracks"] if len(self.tracks) > 1 else []),
            *(["log grid"] if any(t.grid and t.decades for t in self.tracks) else []),
            *(["no grid"] if not any(t.grid for t in self.tracks) else []),
            *(["depth column"] if self.depth_column[0] < self.depth_column[1] else []),
            *(["track numbers"] if any(t.numbers for t in self.tracks) else []),
            *(n for n in ("header", "footer", "ticks", "handwriting", "stamp") if getattr(self, n)),
        ]
        yield from dict.fromkeys(found)


def scale_of(height: int) -> float:
    """How much smaller than in `Look` lengths are on a page of this height."""
    return min(1.0, height / FULL)


def lay_out(rng: Generator, look: Appearance, *, height: int, width: int, n_curves: int) -> Layout:
    """Draw a layout for a page of this size."""
    scale = scale_of(height)
    tracks, column = _bands(rng, look, height)
    header, footer = bernoulli(rng, look.header), bernoulli(rng, look.footer)
    longest = 0.25 * width
    ends = [min(longest, uniform(rng, look.header_length) * height) for _ in range(2)]
    light_grid = int(uniform(rng, look.grid_darkness))
    heavy_width = round(uniform(rng, look.grid_line_width))
    return Layout(
        height=height,
        width=width,
        tracks=tracks,
        span=(
            round(ends[0]) if header else 1,
            width - (round(ends[1]) if footer else 1),
        ),
        header=header,
        footer=footer,
        depth_column=column,
        depth_step=max(4.0, uniform(rng, look.depth_lines) * max(scale, 0.4)),
        heavy_every=int(rng.choice([5, 10])),
        light=Pen(width=1, darkness=light_grid),
        heavy=Pen(width=heavy_width, darkness=int(rng.uniform(light_grid, 255))),
        letters=max(5, round(scale * uniform(rng, look.text_height))),
        font=int(rng.integers(0, 2**31)),
        ticks=bernoulli(rng, look.integration_pips),
        handwriting=bernoulli(rng, look.handwriting),
        stamp=bernoulli(rng, look.stamp),
        curves=tuple(
            _curve(rng, look, tracks, scale, broken=number > 0) for number in range(n_curves)
        ),
    )


def _bands(
    rng: Generator, look: Appearance, height: int
) -> tuple[tuple[Track, ...], tuple[int, int]]:
    """The tracks from top to bottom, and the rows of the depth column."""
    chance, column = rng.random(), bernoulli(rng, look.depth_track)
    n = 1 + (chance < look.three_tracks + look.two_tracks) + (chance < look.three_tracks)
    if height < 32 * (n + 1):
        n = 1
    margin = uniform(rng, look.margin) * height
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
    tracks = tuple(_track(rng, look, top, bottom) for top, bottom in edges)
    return tracks, band if column else (0, 0)


def _track(rng: Generator, look: Appearance, top: int, bottom: int) -> Track:
    grid, logarithmic = bernoulli(rng, look.grid), bernoulli(rng, look.log_grid)
    numbers = bernoulli(rng, look.track_numbers)
    divisions, decades = (
        max(1, round(uniform(rng, lines))) for lines in (look.divisions, look.decades)
    )
    roomy = bottom - top >= 120  # lines closer than some pixels are a grey area
    return Track(
        top=top,
        bottom=bottom,
        grid=grid,
        divisions=divisions if roomy else max(1, divisions // 2),
        decades=max(1, decades if roomy else min(decades, 2)) if logarithmic else 0,
        numbers=numbers and bottom - top >= 60,
    )


def _curve(
    rng: Generator, look: Appearance, tracks: tuple[Track, ...], scale: float, *, broken: bool
) -> CurveLayout:
    track = tracks[int(rng.integers(0, len(tracks)))]
    chance = rng.random()
    ending: Ending = "inside"
    shares: dict[Ending, float] = {
        "wrapped": look.wrapped,
        "clipped": look.clipped,
        "off scale": look.off_scale,
    }
    for name, share in shares.items():
        if 0 <= chance < share:
            ending = name
        chance -= share
    hatched, spacing = bernoulli(rng, look.hatched), uniform(rng, look.hatch_lines)
    gaps = int(rng.integers(1, 4)) if bernoulli(rng, look.gaps) else 0
    pen, style = _pen(rng, look, scale, broken=broken)
    return CurveLayout(
        track=track,
        pen=pen,
        style=style,
        ending=ending,
        hatch=max(4.0, scale * spacing) if ending == "wrapped" and hatched else 0,
        gaps=gaps,
    )


def _pen(rng: Generator, look: Appearance, scale: float, *, broken: bool) -> tuple[Pen, Style]:
    """A pen whose gaps, where it has any, stay open when the ink bleeds."""
    width = uniform(rng, look.line_width)
    width = min(width, 2.0) if scale < 0.5 else width
    darkness = int(uniform(rng, look.line_darkness))
    chance = rng.random()
    dash = max(3.0 + width, scale * uniform(rng, look.dash))
    gap = width + max(2.5, scale * uniform(rng, look.gap))
    dot = max(1.0, 0.5 * width)
    if not broken:
        return Pen(width=width, darkness=darkness), "solid"
    if chance < look.dotted:
        return Pen(width=max(2, width), darkness=darkness, pattern=(dot, gap)), "dotted"
    if chance < look.dotted + look.dash_dot:
        pattern = (dash, gap, dot, gap)
        return Pen(width=width, darkness=darkness, pattern=pattern), "dash-dot"
    if chance < look.dotted + look.dash_dot + look.thick_thin:
        thick = Pen(width=max(3, width), darkness=darkness, pattern=(dash, dash), gap_width=1)
        return thick, "thick-thin"
    return Pen(width=width, darkness=darkness, pattern=(dash, gap)), "dashed"

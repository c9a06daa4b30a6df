"""Layout of a printed log: sections of depth, and tracks of one to six curves. Nothing is painted
here."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from veernet.data.logs import LineStyle
from veernet.synth.appearance import Appearance, bernoulli, uniform
from veernet.synth.fills import Fill, draw_fill
from veernet.synth.header_style import header_room
from veernet.synth.kinship import FAMILIES, MEMBERS, Scale, draw_members, draw_scales
from veernet.synth.layout import (
    CurveLayout,
    Ending,
    Layout,
    Pen,
    Section,
    TrackLayout,
    bands,
    scale_of,
)
from veernet.synth.pens import COLOURS, GRID_COLOURS, draw_pen, draw_style
from veernet.synth.sections import draw_sections
from veernet.synth.tracks import DPI, Tracks
from veernet.synth.wells import Well

MOST_TRACKS = 4
MOST_CURVES = 6
"""Most curves in one track."""

_FAMILY_SHARES = {
    "correlation": 0.34,
    "resistivity": 0.25,
    "porosity": 0.2,
    "sonic": 0.1,
    "microlog": 0.07,
    "conductivity": 0.04,
}


@dataclass(frozen=True, kw_only=True)
class PrintedCurve:
    """One named curve of a track."""

    line: CurveLayout
    track: int
    """Number of its track."""
    mnemonic: str
    """Mnemonic of its member."""
    scales: tuple[tuple[int, Scale], ...]
    """Scales, each with its first column."""
    extent: tuple[int, int]
    """First column in which it may be printed, and one past the last."""
    laps: int
    """Most wraps on either side."""
    straight: float | None
    """Position of a constant curve in the track, 0 to 1; None if it varies."""
    order: int
    """Place in the order of printing."""

    @property
    def unit(self) -> str:
        """Unit that is printed."""
        return self.scales[0][1].unit or MEMBERS[self.mnemonic].unit


@dataclass(frozen=True, kw_only=True)
class PrintedLayout:
    """A page on its side with tracks as they are printed; all lengths in pixels."""

    page: Layout
    scale: float
    """Factor on the lengths of `Appearance` and `Tracks`."""
    curves: tuple[PrintedCurve, ...]
    kin: tuple[bool, ...]
    """For each track, True if its curves are of one well."""
    fills: tuple[Fill, ...]
    remarks: tuple[bool, ...]
    """For each track, True if there are words and marks inside."""
    joints: tuple[tuple[int, float], ...]
    """Columns at which another page begins, and the rows by which it lies lower than the first."""
    plotter_step: float
    """Distance of the rows that the plotter reaches, px; 0 for any row."""
    smooth: bool
    """True if the pen rounds the curves of wells off between their samples."""
    grid_colour: str
    colour: bool
    """True if the scan is in colour."""

    @property
    def dpi(self) -> float:
        """Resolution, px per inch; that of `Tracks` but on pages lower than `FULL`."""
        return DPI * self.scale

    def of_well(self, curve: PrintedCurve) -> bool:
        """Return whether a curve shows values of a well."""
        return self.kin[curve.track] and curve.straight is None

    def traits(self) -> list[str]:
        """List the visible features of the page and its curves, in words, each once."""
        sections = [section.depths for section in self.page.sections]
        found = [
            *self.page.traits(),
            *(["heavy"] if any(curve.line.heavy for curve in self.curves) else []),
            *(["straight"] if any(c.straight is not None for c in self.curves) else []),
            *(["scale change"] if any(len(c.scales) > 1 for c in self.curves) else []),
            *(fill.trait for fill in self.fills),
            *(["remarks"] if any(self.remarks) else []),
            *(["repeat"] if any(one is not None and one.repeat for one in sections) else []),
            *(
                ["two depth scales"]
                if len({one and one.feet_per_px for one in sections}) > 1
                else []
            ),
            *(["joined"] if self.joints else []),
            *(["stepped"] if self.plotter_step else []),
            *(["coloured pens"] if len({c.line.pen.colour for c in self.curves}) > 1 else []),
            *(["colour"] if self.colour else []),
        ]
        return list(dict.fromkeys(found))


def lay_out_printed(
    rng: Generator,
    appearance: Appearance,
    tracks: Tracks,
    *,
    height: int,
    width: int,
    well: Well | None,
) -> PrintedLayout:
    """Draw a layout for a page of this size; curves are of the members that `well` has, of all if
    it is None."""
    dpi = tracks.dpi[0] * (tracks.dpi[1] / tracks.dpi[0]) ** float(rng.random())
    scale = dpi / DPI * scale_of(height)
    names_of = [_names(rng, tracks, well) for _ in range(MOST_TRACKS)]
    page = _page(rng, appearance, tracks, scale, names_of, height=height, width=width)
    colour = bernoulli(rng, tracks.colour_scan)
    pens = bernoulli(rng, tracks.colour_pens)
    tinted = bernoulli(rng, tracks.colour_grid) and pens
    grid_colour = str(rng.choice(GRID_COLOURS))
    curves, kin, bands_ = list[PrintedCurve](), list[bool](), list[TrackLayout]()
    for number, names in enumerate(names_of[: len(page.tracks)]):
        there = _track(rng, appearance, tracks, scale, page, number, names, pens=pens)
        curves += there[0]
        kin.append(there[1])
        bands_.append(there[0][0].line.track)
    places = rng.permutation(len(curves)).tolist()
    curves = [replace(one, order=place) for one, place in zip(curves, places, strict=True)]
    page = replace(page, tracks=tuple(bands_), curves=tuple(one.line for one in curves))
    return PrintedLayout(
        page=page,
        scale=scale,
        curves=tuple(curves),
        kin=tuple(kin),
        fills=tuple(_fills(rng, tracks, scale, curves, len(bands_))),
        remarks=tuple(bernoulli(rng, tracks.remarks) for _ in bands_),
        joints=_joints(rng, tracks, page.span, scale),
        plotter_step=_plotter_step(rng, tracks, scale),
        smooth=bernoulli(rng, tracks.smooth),
        grid_colour=grid_colour if tinted else page.light_pen.colour,
        colour=colour,
    )


def _track(
    rng: Generator,
    appearance: Appearance,
    tracks: Tracks,
    scale: float,
    page: Layout,
    number: int,
    names: Sequence[str],
    *,
    pens: bool,
) -> tuple[list[PrintedCurve], bool]:
    """Draw the curves of a track, in pens of many colours or not; returns them, and True if they
    are of one well."""
    kin, found = bernoulli(rng, tracks.kinship), list[PrintedCurve]()
    scales = draw_scales(rng, names)
    band = _with_grid(rng, appearance, page.tracks[number], [*scales.values()], kin=kin)
    styles = _styles(rng, tracks, len(names))
    for name, style in zip(names, styles, strict=True):
        pen, heavy = draw_pen(rng, appearance, tracks, scale, style)
        ink = str(rng.choice(COLOURS)) if pens else pen.colour
        line = CurveLayout(
            track=band,
            pen=replace(pen, colour=ink),
            style=style,
            heavy=heavy,
            ending=_ending(rng, appearance, kin=kin),
            hatch=0,
            gaps=int(rng.integers(1, 4)) if bernoulli(rng, appearance.gaps) else 0,
        )
        found.append(
            PrintedCurve(
                line=line,
                track=number,
                mnemonic=name,
                scales=_scales(rng, tracks, name, scales[name], page.sections),
                extent=_extent(rng, tracks, page.span),
                laps=round(uniform(rng, tracks.laps)),
                straight=_straight(rng, tracks, band),
                order=0,
            )
        )
    return found, kin


def _page(
    rng: Generator,
    appearance: Appearance,
    tracks: Tracks,
    scale: float,
    names: Sequence[Sequence[str]],
    *,
    height: int,
    width: int,
) -> Layout:
    """Draw the page: tracks, sections, pens of the grid, and what is printed around the tracks,
    with room for the header of the track with most of the `names`."""
    inches = height / (DPI * scale)
    least, most = max(1, math.ceil(inches / 4)), max(1, min(MOST_TRACKS, int(inches / 0.9)))
    bands_, column = bands(rng, appearance, height, least=min(least, most), most=most)
    header, footer = bernoulli(rng, appearance.header), bernoulli(rng, appearance.footer)
    text_height = max(5, round(scale * uniform(rng, appearance.text_height)))
    room = header_room(max(len(track) for track in names[: len(bands_)]), text_height)
    longest = 0.25 * width
    ends = [min(longest, room + uniform(rng, appearance.header_length) * height) for _ in range(2)]
    span = round(ends[0]) if header else 1, width - (round(ends[1]) if footer else 1)
    light, heavy, frame = _grid_pens(rng, appearance, tracks, scale)
    return Layout(
        height=height,
        width=width,
        tracks=tuple(replace(band, frame=frame) for band in bands_),
        span=span,
        header=header,
        footer=footer,
        depth_track=column,
        sections=draw_sections(
            rng, tracks, span, scale, header=max(24.0, min(room, 0.1 * (span[1] - span[0])))
        ),
        light_pen=light,
        heavy_pen=heavy,
        heaviest_pen=replace(heavy, width=min(heavy.width + 1, 5.0)),
        text_height=text_height,
        font=int(rng.integers(0, 2**31)),
        ticks=bernoulli(rng, appearance.integration_pips),
        handwriting=bernoulli(rng, appearance.handwriting),
        stamp=bernoulli(rng, appearance.stamp),
        curves=(),
    )


def _grid_pens(
    rng: Generator, appearance: Appearance, tracks: Tracks, scale: float
) -> tuple[Pen, Pen, Pen | None]:
    """Draw the pens of light and heavy lines, and that of the frames, if there are any."""
    light, darkness = int(uniform(rng, appearance.grid_darkness)), rng.random()
    thin = float(np.clip(round(scale * rng.uniform(0.8, 1.4)), 1, 3))
    heavy = float(np.clip(round(scale * uniform(rng, appearance.grid_line_width)), thin, 5))
    frame = Pen(
        width=float(np.clip(round(scale * uniform(rng, tracks.frame_width)), 1, 8)),
        darkness=int(rng.uniform(light, 255)),
    )
    framed = bernoulli(rng, tracks.framed)
    return (
        Pen(width=thin, darkness=light),
        Pen(width=heavy, darkness=int(light + darkness * (255 - light))),
        frame if framed else None,
    )


def _names(rng: Generator, tracks: Tracks, well: Well | None) -> list[str]:
    """Draw the members of a track: of one family, and of others if it has too few."""
    n = 1
    while n < MOST_CURVES and bernoulli(rng, tracks.another_curve):
        n += 1
    there = MEMBERS if well is None else well.curves
    families = [name for name in _FAMILY_SHARES if {*FAMILIES[name].members} & {*there}]
    shares = np.array([_FAMILY_SHARES[name] for name in families])
    chosen = FAMILIES[str(rng.choice(families, p=shares / shares.sum()))]
    names = [*draw_members(rng, chosen, there)]
    others = [name for name in chosen.members if name in there and name not in names]
    others += rng.permutation([name for name in there if name not in chosen.members]).tolist()
    return [*names, *others][:n]


def _styles(rng: Generator, tracks: Tracks, n: int) -> list[LineStyle]:
    """Draw a style for each curve of a track: mostly one that it has not got yet."""
    found = list[LineStyle]()
    for _ in range(n):
        anything = bernoulli(rng, tracks.any_style)
        style = draw_style(rng, tracks, without=() if anything else found)
        found.append(style)
    return found


def _ending(rng: Generator, appearance: Appearance, *, kin: bool) -> Ending:
    """Draw what a curve does at the edges; one of a well goes beyond them where its values do."""
    shares = appearance.wrapped, appearance.clipped, appearance.off_scale
    names: tuple[Ending, ...] = ("wrapped", "clipped", "off scale")
    total, chance = sum(shares), rng.random()
    if kin and total:
        shares = tuple(share / total for share in shares)
    for name, share in zip(names, shares, strict=True):
        if chance < share:
            return name
        chance -= share
    return "clipped" if kin else "inside"


def _with_grid(
    rng: Generator, appearance: Appearance, band: TrackLayout, scales: Sequence[Scale], *, kin: bool
) -> TrackLayout:
    """Give a track the grid of its first curve's scale."""
    decades = round(uniform(rng, appearance.decades))
    log = next((scale for scale in scales if scale.log), None)
    if log is not None:
        return replace(
            band,
            decades=max(1, round(math.log10(log.right / log.left))),
            first=round(10 ** (math.log10(log.left) % 1)) % 10 or 1,
        )
    return replace(band, decades=decades if band.decades and not kin else 0)


def _scales(
    rng: Generator, tracks: Tracks, name: str, scale: Scale, sections: Sequence[Section]
) -> tuple[tuple[int, Scale], ...]:
    """Draw where a curve's scale changes: to another customary one of the same kind and unit."""
    changes, at = bernoulli(rng, tracks.scale_change), rng.uniform(0.15, 0.85)
    others = [
        one
        for one in MEMBERS[name].scales
        if (one.log, one.unit) == (scale.log, scale.unit)
        and (one.left, one.right) != (scale.left, scale.right)
    ]
    other = others[int(rng.integers(0, len(others)))] if others else scale
    if not changes or not others:
        return ((0, scale),)
    section = sections[0]
    return (0, scale), (round(section.start + at * (section.stop - section.start)), other)


def _extent(rng: Generator, tracks: Tracks, span: tuple[int, int]) -> tuple[int, int]:
    """Draw where a curve begins and ends."""
    within, both = bernoulli(rng, tracks.starts_or_ends), rng.random(2) < 0.6
    begins, ends = rng.uniform(0, 0.3), rng.uniform(0.7, 1)
    start, stop = span
    if not within:
        return span
    length = stop - start
    return (
        round(start + begins * length) if both[0] else start,
        round(start + ends * length) if both[1] or not both[0] else stop,
    )


def _straight(rng: Generator, tracks: Tracks, track: TrackLayout) -> float | None:
    """Draw the position of a constant curve: anywhere, or on or beside a line of the grid."""
    constant, on_line = bernoulli(rng, tracks.straight), bernoulli(rng, tracks.on_line)
    anywhere, line = rng.uniform(0.02, 0.98), rng.integers(0, track.divisions + 1)
    beside = rng.normal(0, 2.5) / max(track.height, 1)
    if not constant:
        return None
    return float(np.clip(line / track.divisions + beside, 0, 1)) if on_line else float(anywhere)


def _fills(
    rng: Generator, tracks: Tracks, scale: float, curves: Sequence[PrintedCurve], n_tracks: int
) -> list[Fill]:
    """Draw the fills of the tracks that have one."""
    found = list[Fill]()
    for track in range(n_tracks):
        there = [number for number, curve in enumerate(curves) if curve.track == track]
        fill = draw_fill(rng, tracks, scale, there)
        found += [fill] if bernoulli(rng, tracks.filled) else []
    return found


def _joints(
    rng: Generator, tracks: Tracks, span: tuple[int, int], scale: float
) -> tuple[tuple[int, float], ...]:
    """Draw where pages are joined, and by how much they are off."""
    joined, n = bernoulli(rng, tracks.joined), int(rng.integers(1, 4))
    places = np.sort(rng.integers(span[0] + 1, max(span[1], span[0] + 2), n)).tolist()
    offsets = [
        float(rng.choice([-1, 1])) * max(1.0, scale * uniform(rng, tracks.join_offset))
        for _ in range(n)
    ]
    return tuple(zip(places, np.cumsum(offsets).tolist(), strict=True)) if joined else ()


def _plotter_step(rng: Generator, tracks: Tracks, scale: float) -> float:
    stepped, step = bernoulli(rng, tracks.stepped), uniform(rng, tracks.plotter_step)
    return max(1.0, scale * step) if stepped else 0.0

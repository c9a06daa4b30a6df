"""Logs as they are printed: a value that defines a family, and draws any log of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator

from veernet.data.logs import CurveRow, Curves, Log, PictureFormat, Row, ScaleRow, SectionRow, Word
from veernet.data.raster import to_grey
from veernet.synth.appearance import Appearance
from veernet.synth.curves import Curve, cut_gaps_, draw_course, draw_shape, lay_on_paper
from veernet.synth.degradation import (
    Degradation,
    degrade,
    draw_degradation,
    paper_shift,
    shift_columns,
)
from veernet.synth.drawn_wells import draw_well
from veernet.synth.kinship import MEMBERS, Scale
from veernet.synth.logs import check_sizes
from veernet.synth.paint import Line
from veernet.synth.pens import STYLES
from veernet.synth.press import coverage, index_mask, paint_fills, print_curves, print_page
from veernet.synth.printed_layout import PrintedCurve, PrintedLayout, lay_out_printed
from veernet.synth.tracks import Tracks
from veernet.synth.wells import Well, read_wells, take

if TYPE_CHECKING:
    from veernet.data.split import Split

FURTHEST = 2.95
"""Most track widths beyond an edge that a course is followed."""


@dataclass(frozen=True, kw_only=True)
class PrintedLogs:
    """An endless family of logs with tracks as they are printed; log i depends on these fields and
    i alone."""

    height: tuple[int, int] = (480, 640)
    """Least and greatest height, px; drawn uniformly."""
    width: tuple[int, int] = (3200, 12_800)
    """Least and greatest width, px; drawn uniformly."""
    crop: tuple[int, int] | None = None
    """Least and greatest width of the piece that is cut out of every log, px; the whole log if
    None."""
    seed: int = 0
    appearance: Appearance = field(default_factory=Appearance)
    """Distribution of page, paper and scanner."""
    tracks: Tracks = field(default_factory=Tracks)
    """Distribution of what the tracks hold."""
    wells: str | None = None
    """Folder of LAS files that curves are taken from; drawn wells if None."""

    def __post_init__(self) -> None:
        check_sizes(self.height, self.width, self.crop, self.seed)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, background first: styles of lines."""
        return ("background", *STYLES)

    def row(self, index: int, *, pictures: PictureFormat = "tif") -> Row:
        """Return the metadata of log `index`; nothing is painted."""
        layout, well = self._layout(index)
        degradation = self._degradation(index, layout)
        kept = self._kept_columns(index, layout)
        return Row.of(
            index,
            height=layout.page.height,
            width=len(kept),
            curves=tuple(_curve_row(curve, layout, kept, well) for curve in layout.curves),
            dpi=round(layout.dpi, 2),
            sections=_section_rows(layout, kept),
            traits=(*layout.traits(), *degradation.traits()),
            pictures=pictures,
        )

    def log(self, index: int) -> Log:
        """Draw log `index`."""
        layout, well = self._layout(index)
        degradation = self._degradation(index, layout)
        page = layout.page
        shift = paper_shift(degradation, page.width) + _joint_shift(layout)
        lines = [
            Line(layout=curve.line, curve=drawn, shift=shift)
            for curve, drawn in zip(layout.curves, self._curves(index, layout, well), strict=True)
        ]
        rng = self._rng(index, purpose=3)
        inks, words, marks = print_page(rng, layout, lines)
        for colour, ink in inks.planes.items():
            inks.planes[colour] = shift_columns(ink, shift)
        words = [_moved(word, shift) for word in words]
        fills = paint_fills(inks, layout, lines)
        print_curves(inks, layout, lines)
        scan = degrade(rng, degradation, inks.mixed(colour=layout.colour))
        lines = [_on_page(line, page.height) for line in lines]
        covered = coverage(layout, lines, fills, words, marks)
        kept = self._kept_columns(index, layout)
        part = slice(kept.start, kept.stop)
        scan = np.ascontiguousarray(scan[:, part])
        return Log(
            grey=to_grey(scan),
            colour=scan if layout.colour else None,
            mask=np.ascontiguousarray(index_mask(layout, lines)[:, part]),
            curves=Curves(
                rows=np.array([line.rows[part] for line in lines], np.float32),
                values=np.array([line.curve.values[part] for line in lines], np.float32),
                covered=np.ascontiguousarray(covered[:, part]),
            ),
            words=tuple(_cut(words, kept, page.height)),
        )

    def split(self, count: int) -> "Split":
        """Return the first `count` logs as a data set; each is drawn every time it is read."""
        from veernet.data.split import Split  # of PyTorch, which drawing does without

        return Split(Path(), [self.row(i) for i in range(count)], len(self.classes), self.log)

    def _layout(self, index: int) -> tuple[PrintedLayout, Well | None]:
        """Draw the layout, and the well of its curves where wells are read."""
        rng = self._rng(index, purpose=0)
        height, width = (
            int(rng.integers(low, high + 1)) for low, high in (self.height, self.width)
        )
        well = None
        if self.wells is not None:
            there = read_wells(self.wells)
            well = there[int(self._rng(index, purpose=4).integers(0, len(there)))]
        layout = lay_out_printed(
            rng, self.appearance, self.tracks, height=height, width=width, well=well
        )
        return layout, well

    def _kept_columns(self, index: int, layout: PrintedLayout) -> range:
        """Draw the columns of the page that are kept."""
        if self.crop is None:
            return range(layout.page.width)
        rng = self._rng(index, purpose=5)
        width = int(rng.integers(self.crop[0], self.crop[1] + 1))
        start = int(rng.integers(0, layout.page.width - width + 1))
        return range(start, start + width)

    def _degradation(self, index: int, layout: PrintedLayout) -> Degradation:
        rng, page = self._rng(index, purpose=2), layout.page
        found = draw_degradation(
            rng, self.appearance, height=page.height, width=page.width, scale=layout.scale
        )
        return replace(found, bilevel=None) if layout.colour else found

    def _curves(self, index: int, layout: PrintedLayout, well: Well | None) -> list[Curve]:
        rng = self._rng(index, purpose=1)
        depths = _depths(layout)
        known = _well_at(rng, layout, depths, well)
        drawn = list[Curve]()
        for curve in layout.curves:
            course = self._course(rng, layout, curve, depths, known)
            drawn.append(lay_on_paper(course, curve.line.ending))
        return drawn

    def _course(
        self,
        rng: Generator,
        layout: PrintedLayout,
        curve: PrintedCurve,
        depths: Float[ndarray, "w"],
        known: Mapping[str, Float[ndarray, "w"]],
    ) -> Float[ndarray, "w"]:
        """Draw the course of a curve over the columns of the page: the same at the same depth."""
        page = layout.page
        (start, stop), course = page.span, np.full(page.width, np.nan)
        if layout.of_well(curve):
            course = _positions(curve, known[curve.mnemonic])
        elif curve.straight is not None:
            course[start:stop] = curve.straight
        else:
            n = stop - start
            shape = draw_shape(rng, self.appearance, n, unit=page.height, scale=layout.scale)
            drawn = draw_course(rng, self.appearance, shape, curve.line.ending, gaps=0)
            ends = float(np.nanmin(depths)), float(np.nanmax(depths))
            course = np.interp(depths, np.linspace(*ends, n), drawn)
        laps = curve.laps if curve.line.ending == "wrapped" else FURTHEST
        course = np.clip(course, 1e-3 - laps, 1 + laps - 1e-3)
        cut_gaps_(rng, course, curve.line.gaps)
        if layout.plotter_step:
            step = layout.plotter_step / curve.line.track.height
            course = np.round(course / step) * step
        return np.where(_printed(layout, curve), course, np.nan)

    def _rng(self, index: int, *, purpose: int) -> Generator:
        """Return a random stream that does not change with the code behind other purposes."""
        return np.random.default_rng([self.seed, index, purpose])


def _depths(layout: PrintedLayout) -> Float[ndarray, "w"]:
    """Depth of every column, ft; NaN between sections."""
    found = np.full(layout.page.width, np.nan)
    for section in layout.page.sections:
        assert section.depths is not None
        columns = np.arange(section.stop - section.start)
        found[section.start : section.stop] = (
            section.depths.first + section.depths.feet_per_px * columns
        )
    return found


def _well_at(
    rng: Generator, layout: PrintedLayout, depths: Float[ndarray, "w"], well: Well | None
) -> dict[str, Float[ndarray, "w"]]:
    """Return the values of every member that is printed, in every column."""
    names = list(dict.fromkeys(curve.mnemonic for curve in layout.curves))
    first, last = float(np.nanmin(depths)), float(np.nanmax(depths))
    step = float(np.nanmin([s.depths.feet_per_px for s in layout.page.sections if s.depths]))
    step = max(0.5 if rng.random() < 0.8 else 0.25, 0.5 * step)
    n = max(8, int((last - first) / step) + 2)
    if well is None:
        found = draw_well(rng, n, step)
    else:
        found = take(rng, well, names, n_samples=n, step_ft=step)
    at, there = (depths - first) / step, np.isfinite(depths)
    values = dict[str, Float[ndarray, "w"]]()
    for name in names:
        row = np.full(len(depths), np.nan)
        row[there] = _between(found.curves[name], at[there], smooth=layout.smooth)
        values[name] = row
    return values


def _between(
    samples: Float[ndarray, "n"], at: Float[ndarray, "m"], *, smooth: bool
) -> Float[ndarray, "m"]:
    """Interpolate samples at places between them: in straight lines, or by the quadratic spline
    that rounds them off, whose weights are never negative; NaN beside a NaN."""
    if not smooth:
        return np.interp(at, np.arange(len(samples)), samples)
    near = np.rint(at).astype(np.int64)
    off = at - near
    weights = (0.5 - off) ** 2 / 2, 0.75 - off**2, (0.5 + off) ** 2 / 2
    last = len(samples) - 1
    return sum(
        (weight * samples[(near + k - 1).clip(0, last)] for k, weight in enumerate(weights)),
        np.zeros(len(at)),
    )


def _positions(curve: PrintedCurve, values: Float[ndarray, "w"]) -> Float[ndarray, "w"]:
    """Lay values on the scales of a curve; where their zero floats, from the zero that has them
    in the track on the first scale."""
    found, first = np.full(len(values), np.nan), curve.scales[0][1]
    if MEMBERS[curve.mnemonic].floating:
        values = values + (first.left - first.shifted_to(values).left) / first.factor
    for start, scale in curve.scales:
        found[start:] = scale.positions(values[start:])
    return found


def _printed(layout: PrintedLayout, curve: PrintedCurve) -> ndarray:
    """Return the columns in which a curve may be printed: in a section, within its own extent, and
    not where pages are joined or its scale changes."""
    columns = np.arange(layout.page.width)
    there = np.zeros(layout.page.width, np.bool_)
    for section in layout.page.sections:
        there[section.start : section.stop] = True
    breaks = [*(column for column, _ in layout.joints), *(start for start, _ in curve.scales[1:])]
    there[[column for column in breaks if column < len(there)]] = False
    return there & (columns >= curve.extent[0]) & (columns < curve.extent[1])


def _joint_shift(layout: PrintedLayout) -> Float[ndarray, "w"]:
    """Rows by which the pages that are joined lie lower than the first, in every column."""
    found = np.zeros(layout.page.width)
    for column, offset in layout.joints:
        found[column:] = offset
    return found


def _on_page(line: Line, height: int) -> Line:
    """Return a line without the columns in which its centre is beyond the page."""
    inside = (line.rows > -0.5) & (line.rows < height - 0.5)
    return replace(line, curve=replace(line.curve, on_paper=line.curve.on_paper & inside))


def _moved(word: Word, shift: Float[ndarray, "w"]) -> Word:
    """Return a word as the paper's shift moves it."""
    top, left, bottom, right = word.box
    moved = np.rint(shift[max(0, left) : max(1, right)])
    down = (int(moved.min()), int(moved.max())) if moved.size else (0, 0)
    return replace(word, box=(top + down[0], left, bottom + down[1], right))


def _cut(words: list[Word], kept: range, height: int) -> list[Word]:
    """Return the words that lie whole within the rows of the page and the columns kept, in their
    place there."""
    found = list[Word]()
    for word in words:
        top, left, bottom, right = word.box
        if top >= 0 and bottom <= height and left >= kept.start and right <= kept.stop:
            box = top, left - kept.start, bottom, right - kept.start
            found.append(replace(word, box=box))
    return found


def _curve_row(
    curve: PrintedCurve, layout: PrintedLayout, kept: range, well: Well | None
) -> CurveRow:
    pen = curve.line.pen
    starts = [start for start, _ in curve.scales]
    stops = [*starts[1:], layout.page.width]
    scales = [
        _scale_row(scale, max(0, start - kept.start), min(len(kept), stop - kept.start))
        for (_, scale), start, stop in zip(curve.scales, starts, stops, strict=True)
    ]
    return CurveRow(
        track=curve.line.track.edges,
        mnemonic=curve.mnemonic,
        source=well.source if well is not None and layout.of_well(curve) else "",
        class_index=1 + STYLES.index(curve.line.style),
        unit=curve.unit,
        scales=tuple(scale for scale in scales if scale.start < scale.stop),
        style=curve.line.style,
        line_width=round(pen.width, 2),
        colour=pen.colour,
        order=curve.order,
    )


def _scale_row(scale: Scale, start: int, stop: int) -> ScaleRow:
    return ScaleRow(
        start=start,
        stop=stop,
        left=float(scale.left),
        right=float(scale.right),
        logarithmic=scale.log,
    )


def _section_rows(layout: PrintedLayout, kept: range) -> tuple[SectionRow, ...]:
    found = list[SectionRow]()
    for section in layout.page.sections:
        start, stop = max(section.start, kept.start), min(section.stop, kept.stop)
        if start < stop and section.depths is not None:
            depths = section.depths
            found.append(
                SectionRow(
                    start=start - kept.start,
                    stop=stop - kept.start,
                    depth=depths.first + depths.feet_per_px * (start - section.start),
                    feet_per_px=depths.feet_per_px,
                    repeat=depths.repeat,
                )
            )
    return tuple(found)

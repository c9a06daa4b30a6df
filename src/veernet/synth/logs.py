"""Synthetic logs: a value that defines a family, and draws any log of it by its number."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.random import Generator

from veernet.data.logs import CurveRow, Curves, Log, PictureFormat, Row
from veernet.data.raster import MAX_PIXELS
from veernet.errors import OptionError
from veernet.files import formerly
from veernet.synth.appearance import Appearance, bernoulli
from veernet.synth.curves import Curve, draw_course, draw_shape, lay_on_paper
from veernet.synth.degradation import (
    Degradation,
    degrade,
    draw_degradation,
    paper_shift,
    shift_columns,
)
from veernet.synth.layout import Layout, lay_out, scale_of
from veernet.synth.paint import Line, paint_curves, paint_mask, paint_page
from veernet.synth.shapes import Shape, shapes_of, take_shape

if TYPE_CHECKING:
    from veernet.data.split import Split


@dataclass(frozen=True, kw_only=True)
class SynthLogs:
    """An endless family of logs; log i depends on these fields and i alone."""

    n_curves: int = 2
    """Number of curves on a log: the first solid, the second broken."""
    height: tuple[int, int] = (480, 640)
    """Least and greatest height, px; drawn uniformly."""
    width: tuple[int, int] = (3200, 12_800)
    """Least and greatest width, px; drawn uniformly."""
    crop: Annotated[tuple[int, int] | None, formerly("piece")] = None
    """Least and greatest width of the piece that is cut out of every log, px; the whole log if
    None. Pieces are as steep and as full as long logs; a short log is steeper."""
    seed: int = 0
    appearance: Annotated[Appearance, formerly("look")] = field(default_factory=Appearance)
    """Distribution of their appearance."""
    shapes: str | None = None
    """Folder of LAS files from which curves take their shapes; random shapes if None."""

    def __post_init__(self) -> None:
        check_sizes(self.height, self.width, self.crop, self.seed)
        if not 1 <= self.n_curves <= 2:
            raise OptionError(f"n_curves must be 1 or 2; got {self.n_curves}")

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, background first."""
        return ("background", *(f"curve {k}" for k in range(1, self.n_curves + 1)))

    def row(self, index: int, *, pictures: PictureFormat = "tif") -> Row:
        """Return the metadata of log `index`; nothing is painted. A piece has the traits and tracks
        of the log that it is cut out of."""
        layout = self._layout(index)
        degradation = self._degradation(index, layout)
        return Row.of(
            index,
            height=layout.height,
            width=len(self._kept_columns(index, layout)),
            curves=tuple(
                CurveRow(track=how.track.edges)
                if real is None
                else CurveRow(track=how.track.edges, mnemonic=real.mnemonic, source=real.source)
                for how, real in zip(layout.curves, self._shapes(index), strict=True)
            ),
            traits=(
                *layout.traits(),
                *(["absent"] if any(self._absent(index)) else []),
                *degradation.traits(),
            ),
            pictures=pictures,
        )

    def log(self, index: int) -> Log:
        """Draw log `index`."""
        layout = self._layout(index)
        degradation = self._degradation(index, layout)
        shift = paper_shift(degradation, layout.width)
        lines = [
            Line(layout=how, curve=curve, shift=shift)
            for how, curve in zip(layout.curves, self._curves(index, layout), strict=True)
        ]
        rng = self._rng(index, purpose=3)
        page = shift_columns(paint_page(rng, layout), shift)
        paint_curves(page, lines)
        grey, mask = degrade(rng, degradation, page), paint_mask(page.shape, lines)
        cut = self._kept_columns(index, layout)
        part = slice(cut.start, cut.stop)
        return Log(
            grey=np.ascontiguousarray(grey[:, part]),
            mask=np.ascontiguousarray(mask[:, part]),
            curves=Curves(
                rows=np.array([line.rows[part] for line in lines], np.float32),
                values=np.array([line.curve.values[part] for line in lines], np.float32),
            ),
        )

    def split(self, count: int) -> "Split":
        """Return the first `count` logs as a data set; each is drawn every time it is read."""
        from veernet.data.split import Split  # of PyTorch, which drawing does without

        return Split(Path(), [self.row(i) for i in range(count)], len(self.classes), self.log)

    def _layout(self, index: int) -> Layout:
        rng = self._rng(index, purpose=0)
        height, width = (
            int(rng.integers(low, high + 1)) for low, high in (self.height, self.width)
        )
        return lay_out(rng, self.appearance, height=height, width=width, n_curves=self.n_curves)

    def _kept_columns(self, index: int, layout: Layout) -> range:
        """Draw the columns of the page that are kept."""
        if self.crop is None:
            return range(layout.width)
        rng = self._rng(index, purpose=5)
        width = int(rng.integers(self.crop[0], self.crop[1] + 1))
        start = int(rng.integers(0, layout.width - width + 1))
        return range(start, start + width)

    def _degradation(self, index: int, layout: Layout) -> Degradation:
        rng = self._rng(index, purpose=2)
        return draw_degradation(rng, self.appearance, height=layout.height, width=layout.width)

    def _curves(self, index: int, layout: Layout) -> list[Curve]:
        rng, scale = self._rng(index, purpose=1), scale_of(layout.height)
        (start, stop), curves = layout.span, list[Curve]()
        for how, real, absent in zip(
            layout.curves, self._shapes(index), self._absent(index), strict=True
        ):
            shape = (
                draw_shape(rng, self.appearance, stop - start, unit=layout.height, scale=scale)
                if real is None
                else take_shape(rng, real, stop - start)
            )
            course = np.full(layout.width, np.nan)
            course[start:stop] = draw_course(rng, self.appearance, shape, how.ending, gaps=how.gaps)
            if absent:
                course[:] = np.nan
            curves.append(lay_on_paper(course, how.ending))
        return curves

    def _absent(self, index: int) -> list[bool]:
        """Draw, for each curve, whether it is absent from the whole log."""
        rng = self._rng(index, purpose=6)
        return [bernoulli(rng, self.appearance.absent) for _ in range(self.n_curves)]

    def _shapes(self, index: int) -> list[Shape | None]:
        """Draw the real shapes of a log's curves; None for curves of random shape."""
        if self.shapes is None:
            return [None] * self.n_curves
        rng, there = self._rng(index, purpose=4), shapes_of(self.shapes)
        return [there[int(rng.integers(0, len(there)))] for _ in range(self.n_curves)]

    def _rng(self, index: int, *, purpose: int) -> Generator:
        """Return a random stream that does not change with the code behind other purposes."""
        return np.random.default_rng([self.seed, index, purpose])


def check_sizes(
    height: tuple[int, int], width: tuple[int, int], crop: tuple[int, int] | None, seed: int
) -> None:
    """Check the sizes and the seed of a family of logs.

    Raises:
        OptionError: one is beyond its limits.
    """
    for name, (low, high), least in (("height", height, 32), ("width", width, 64)):
        if not least <= low <= high <= 1_000_000:
            raise OptionError(
                f"{name} must be a range from {least} up to at most 1,000,000 px; "
                f"got {low} to {high}"
            )
    if crop and not 1 <= crop[0] <= crop[1] <= width[0]:
        raise OptionError(
            f"crop must be a range from 1 px up to at most the least width, {width[0]} px; "
            f"got {crop[0]} to {crop[1]}"
        )
    if height[1] * width[1] > MAX_PIXELS:
        raise OptionError(
            f"logs of {height[1]} × {width[1]} px pass the {MAX_PIXELS:,} px of a readable picture"
        )
    if seed < 0:
        raise OptionError(f"seed must be at least 0; got {seed}")

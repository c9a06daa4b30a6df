"""Synthetic logs: a family of them as a value, and any one of them by its number."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from veernet.data.archive import CurveRow, Curves, Log, PictureFormat, Row
from veernet.data.raster import MAX_PIXELS
from veernet.errors import OptionError
from veernet.synth.curves import draw_values
from veernet.synth.layout import Layout, lay_out
from veernet.synth.paint import paint, paint_mask
from veernet.synth.wear import age, drift, shift_columns


@dataclass(frozen=True, kw_only=True)
class SynthLogs:
    """An endless family of logs; log i depends on these fields and i alone."""

    n_curves: int = 2
    """Curves on a log: the first solid, the second dashed or dotted."""
    height: tuple[int, int] = (480, 640)
    """Least and greatest height, px; drawn uniformly."""
    width: tuple[int, int] = (3200, 12_800)
    """Least and greatest width, px; drawn uniformly."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (low, high), least in (("height", self.height, 32), ("width", self.width, 64)):
            if not least <= low <= high <= 1_000_000:
                raise OptionError(
                    f"{name} must be a range from {least} up to at most 1,000,000 px; "
                    f"got {low} to {high}"
                )
        if self.height[1] * self.width[1] > MAX_PIXELS:
            raise OptionError(
                f"logs of {self.height[1]} × {self.width[1]} px pass the {MAX_PIXELS:,} px of a "
                "readable picture"
            )
        if not 1 <= self.n_curves <= 2 or self.seed < 0:
            raise OptionError(
                f"n_curves must be 1 or 2 and seed at least 0; got {self.n_curves} and {self.seed}"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, background first."""
        return ("background", *(f"curve {k}" for k in range(1, self.n_curves + 1)))

    def row(self, index: int, *, pictures: PictureFormat = "tif") -> Row:
        """What the metadata says of log `index`; nothing is painted."""
        layout = self._layout(index)
        return Row.of(
            index,
            height=layout.height,
            width=layout.width,
            curves=(CurveRow(track=layout.track),) * self.n_curves,
            pictures=pictures,
        )

    def log(self, index: int) -> Log:
        """Draw log `index`."""
        layout = self._layout(index)
        values = self._values(index, layout)
        top, bottom = layout.track
        rows = bottom - values * (bottom - top)
        rng = self._rng(index, purpose=2)
        shift = drift(layout.width, total=layout.drift)
        page = shift_columns(paint(rng, layout, rows), shift)
        rows = rows + shift
        return Log(
            grey=age(rng, page),
            mask=paint_mask(page.shape, rows),
            curves=Curves(rows=rows.astype(np.float32), values=values.astype(np.float32)),
        )

    def _layout(self, index: int) -> Layout:
        rng = self._rng(index, purpose=0)
        height, width = (
            int(rng.integers(low, high + 1)) for low, high in (self.height, self.width)
        )
        return lay_out(rng, height=height, width=width, n_curves=self.n_curves)

    def _values(self, index: int, layout: Layout) -> np.ndarray:
        rng = self._rng(index, purpose=1)
        start, stop = layout.span
        values = np.full((self.n_curves, layout.width), np.nan)
        for curve in values:
            curve[start:stop] = draw_values(rng, stop - start, unit=layout.height)
        return values

    def _rng(self, index: int, *, purpose: int) -> Generator:
        """Streams that do not move when the code behind another purpose changes."""
        return np.random.default_rng([self.seed, index, purpose])

"""What is known of the curves of one strip."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from veernet.curves.strokes import paint_class, wrapped_stroke_pixels
from veernet.curves.wraps import count_wraps, wrap_breaks
from veernet.data.batch import UNLABELLED
from veernet.digitisation.calibration import Calibration
from veernet.digitisation.strip import Strip
from veernet.digitisation.track import Track
from veernet.errors import LabelError

LEAST_ON_INK = 0.25
"""Least share of the columns of a label that must lie on ink. Curves of another depth of the same
well lie on the ink of its grid, and of other curves, in a seventh to a fifth of their columns; a
dashed curve that leaves its track now and then lies on its own in a third and more."""


SURROUNDINGS = 513
"""Columns around one that are looked at for ink along a label."""


@dataclass(frozen=True, kw_only=True)
class Traced:
    """One curve of a strip, found on its ink.

    positions: across the track, 0 at the lower edge and 1 at the upper one, beyond where the curve
               went round; NaN where there is none
    on_ink:    columns where it was found
    given:     columns where the label has it
    absent:    columns where the label says that it is not printed
    """

    positions: Float[ndarray, "w"]
    on_ink: Bool[ndarray, "w"]
    given: Bool[ndarray, "w"]
    absent: Bool[ndarray, "w"]
    line_width: float
    """Width of its line, px."""
    offset: tuple[int, int] = (0, 0)
    """Columns to the right and rows down that the print lies from where it was expected."""

    @property
    def unknown(self) -> Bool[ndarray, "w"]:
        """Columns where it may be printed, and was not found."""
        return ~self.on_ink & ~self.absent

    def share_on_ink(self, columns: Bool[ndarray, "w"]) -> float:
        """Share of the columns in which it is given where it was found too; NaN if it is given in
        none of these `columns`."""
        given = self.given & columns
        return float(self.on_ink[given].mean()) if given.any() else float("nan")

    def beside_ink(self) -> Bool[ndarray, "w"]:
        """Columns in whose surroundings less than `LEAST_ON_INK` of what is given was found: it may
        be so by chance, on ink of something else."""

        def around(columns: Bool[ndarray, "w"]) -> Float[ndarray, "w"]:
            row, size = columns[None].astype(np.float64), (SURROUNDINGS, 1)
            return cv2.boxFilter(row, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)[0]

        return self.given & (around(self.on_ink & self.given) < LEAST_ON_INK * around(self.given))

    def without(self, columns: Bool[ndarray, "w"]) -> "Traced":
        """Return the curve as if it had been found in none of the columns."""
        positions = np.where(columns, np.nan, self.positions)
        return replace(self, on_ink=self.on_ink & ~columns, positions=positions)

    def forgotten(self) -> "Traced":
        """Return the curve as if nothing were known of it."""
        nothing = np.zeros_like(self.on_ink)
        return replace(self.without(~nothing), absent=nothing)

    def wraps(self) -> Float[ndarray, "w"]:
        """How often it has gone round the track, NaN where there is none."""
        return count_wraps(self.positions)

    def printed(self) -> Bool[ndarray, "w"]:
        """Columns where its line is in one piece with the column before."""
        return self.on_ink & np.isfinite(self.positions) & ~wrap_breaks(self.wraps())


@dataclass(frozen=True, kw_only=True)
class TrackLabels:
    """Labels of one track."""

    curves: dict[int, Traced]
    """Its curves, by class."""
    open_pixels: Bool[ndarray, "h w"] | None = None
    """Pixels of its strip of which a mask says that nobody labelled them."""


Tracer = Callable[[Strip, Track], TrackLabels]
"""Finds the curves of a track in the strip that was cut out for it."""


@dataclass(frozen=True, kw_only=True)
class ScanLabels:
    """The labels of one scan as they were read."""

    source: Path
    """File in which they are."""
    trace: Tracer
    remarks: tuple[str, ...] = ()
    """Assumptions made in reading them, in words."""


def complete_curves(names: Sequence[str], calibration: Calibration) -> set[str]:
    """The mnemonics, as the calibration writes them, of curves that are labelled wherever they are
    printed.

    Raises:
        LabelError: the calibration lacks one.
    """
    known = {curve.mnemonic.casefold(): curve.mnemonic for curve in calibration.curves}
    if unknown := [name for name in names if name.casefold() not in known]:
        raise LabelError(
            f"{', '.join(unknown)} cannot be complete: the calibration has "
            f"{', '.join(known.values())}"
        )
    return {known[name.casefold()] for name in names}


def rows_of(strip: Strip, traced: Traced) -> Float[ndarray, "w"]:
    """Row of the line's centre in every column where it is printed; NaN elsewhere."""
    heights = traced.positions - traced.wraps()
    return np.where(traced.printed(), strip.bottom - heights * strip.height, np.nan)


def paint_labels(
    strip: Strip,
    curves: dict[int, Traced],
    open_pixels: Bool[ndarray, "h w"] | None = None,
) -> UInt8[ndarray, "h w"]:
    """Class indices: every curve as wide as its pen, as the class that is its key.

    A column in which one of them may be and was not found is not labelled at all: its ink would be
    called background. Nor are `open_pixels`, where no curve lies on them. The first class is on
    top.
    """
    mask = np.zeros(strip.grey.shape, np.uint8)
    if open_pixels is not None:
        mask[open_pixels] = UNLABELLED
    for index, traced in sorted(curves.items(), reverse=True):
        laps = traced.wraps()
        for covered in wrapped_stroke_pixels(
            strip.bottom - traced.positions * strip.height,
            laps[np.isfinite(laps)].astype(np.int64),
            wrap_height=strip.height,
            width=traced.line_width,
            first=max(0, strip.top - 2),
            last=min(strip.bottom + 2, len(mask) - 1),
        ):
            paint_class(mask, covered, index)
    for traced in curves.values():
        mask[:, traced.unknown] = UNLABELLED
    return mask

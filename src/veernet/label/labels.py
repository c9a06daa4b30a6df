"""Labels of the curves of one strip."""

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
"""Least share of a label's columns that must lie on ink. Curves of another depth of the same well
lie on the ink of its grid and of other curves in a seventh to a fifth of their columns; a dashed
curve that leaves its track now and then lies on its own ink in a third and more."""


SURROUNDINGS = 513
"""Width of the window around a column in which ink along a label is counted, in columns."""


@dataclass(frozen=True, kw_only=True)
class TracedCurve:
    """Curve of a strip, traced on its ink.

    positions: position across the track, 0 at its lower edge and 1 at its upper one, beyond these
               where the curve has wrapped; NaN where there is none
    on_ink:    True in columns where the curve was found on ink
    given:     True in columns where the label has the curve
    absent:    True in columns where the label says that the curve is not printed
    """

    positions: Float[ndarray, "w"]
    on_ink: Bool[ndarray, "w"]
    given: Bool[ndarray, "w"]
    absent: Bool[ndarray, "w"]
    line_width: float
    """Width of the curve's line, px."""
    offset: tuple[int, int] = (0, 0)
    """Offset of the print from where it was expected: columns to the right, and rows down."""

    @property
    def unknown(self) -> Bool[ndarray, "w"]:
        """Columns where the curve may be printed, and was not found."""
        return ~self.on_ink & ~self.absent

    def share_on_ink(self, columns: Bool[ndarray, "w"]) -> float:
        """Share of the given columns, among `columns`, in which the curve was found on ink; NaN if
        none of these columns is given."""
        given = self.given & columns
        return float(self.on_ink[given].mean()) if given.any() else float("nan")

    def beside_ink(self) -> Bool[ndarray, "w"]:
        """Find given columns in whose surroundings less than `LEAST_ON_INK` of the label lies on
        ink: such ink may belong to something else."""

        def around(columns: Bool[ndarray, "w"]) -> Float[ndarray, "w"]:
            row, size = columns[None].astype(np.float64), (SURROUNDINGS, 1)
            return cv2.boxFilter(row, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)[0]

        return self.given & (around(self.on_ink & self.given) < LEAST_ON_INK * around(self.given))

    def without(self, columns: Bool[ndarray, "w"]) -> "TracedCurve":
        """Return the curve as if it had not been found in `columns`."""
        positions = np.where(columns, np.nan, self.positions)
        return replace(self, on_ink=self.on_ink & ~columns, positions=positions)

    def forgotten(self) -> "TracedCurve":
        """Return the curve with nothing known of it."""
        nothing = np.zeros_like(self.on_ink)
        return replace(self.without(~nothing), absent=nothing)

    def wraps(self) -> Float[ndarray, "w"]:
        """Count the wraps of the curve in every column; NaN where it has no position."""
        return count_wraps(self.positions)

    def printed(self) -> Bool[ndarray, "w"]:
        """Mark the columns drawn on the track and connected to the previous column."""
        return self.on_ink & np.isfinite(self.positions) & ~wrap_breaks(self.wraps())


@dataclass(frozen=True, kw_only=True)
class TrackLabels:
    """Labels of one track."""

    curves: dict[int, TracedCurve]
    """Curves of the track, by class."""
    open_pixels: Bool[ndarray, "h w"] | None = None
    """Pixels of the strip that a mask marks as not labelled."""


Tracer = Callable[[Strip, Track], TrackLabels]
"""Function that finds the curves of a track in the strip cut out for it."""


@dataclass(frozen=True, kw_only=True)
class ScanLabels:
    """Labels of one scan as read from their file."""

    source: Path
    """File that holds the labels."""
    trace: Tracer
    remarks: tuple[str, ...] = ()
    """Assumptions made in reading the labels, as sentences."""


def complete_curves(names: Sequence[str], calibration: Calibration) -> set[str]:
    """Return the mnemonics, as the calibration writes them, of curves that are labelled wherever
    they are printed.

    Raises:
        LabelError: the calibration lacks one of the names.
    """
    known = {curve.mnemonic.casefold(): curve.mnemonic for curve in calibration.curves}
    if unknown := [name for name in names if name.casefold() not in known]:
        raise LabelError(
            f"{', '.join(unknown)} cannot be complete: the calibration has "
            f"{', '.join(known.values())}"
        )
    return {known[name.casefold()] for name in names}


def check_classes(calibration: Calibration) -> None:
    """Check that the curves of every place have different classes, as a mask needs them.

    Raises:
        LabelError: two curves of one place have the same class.
    """
    for curves in calibration.curves_by_place:
        names = dict[int, str]()
        for curve in curves:
            if curve.mask_class in names:
                raise LabelError(
                    f"{names[curve.mask_class]} and {curve.mnemonic} are both curve_class "
                    f"{curve.mask_class} of one track, and would be one class of its masks: leave "
                    "one of them out; or, if it is drawn in the other style, say so: "
                    "curve_class = 1 is solid, curve_class = 2 dashed or dotted"
                )
            names[curve.mask_class] = curve.mnemonic


def rows_of(strip: Strip, traced: TracedCurve) -> Float[ndarray, "w"]:
    """Return the row of the line's centre in every column where the curve is printed; NaN
    elsewhere."""
    heights = traced.positions - traced.wraps()
    return np.where(traced.printed(), strip.bottom - heights * strip.height, np.nan)


def paint_labels(
    strip: Strip,
    curves: dict[int, TracedCurve],
    open_pixels: Bool[ndarray, "h w"] | None = None,
) -> UInt8[ndarray, "h w"]:
    """Paint class indices: every curve as wide as its line, with its key in `curves` as the class.

    A column in which a curve may be printed but was not found is left unlabelled, since its ink
    would count as background. So are `open_pixels` outside all curves. The first class is on top.
    """
    mask = np.zeros(strip.grey.shape, np.uint8)
    if open_pixels is not None:
        mask[open_pixels] = UNLABELLED
    for index, traced in sorted(curves.items(), reverse=True):
        wraps = traced.wraps()
        for covered in wrapped_stroke_pixels(
            strip.bottom - traced.positions * strip.height,
            wraps[np.isfinite(wraps)].astype(np.int64),
            wrap_height=strip.height,
            width=traced.line_width,
            first=max(0, strip.top - 2),
            last=min(strip.bottom + 2, len(mask) - 1),
        ):
            paint_class(mask, covered, index)
    for traced in curves.values():
        mask[:, traced.unknown] = UNLABELLED
    return mask

"""Counts that add up, and what follows from them."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from veernet.data.batch import UNLABELLED


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Pixels of one class: how many were predicted, how many are true, and how many were met.

    A predicted pixel is met if a true one lies within `radius` px in both directions, and the
    other way round; with a radius of 0 both are the true positives.
    """

    predicted: int = 0
    predicted_met: int = 0
    true: int = 0
    true_met: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            predicted=self.predicted + other.predicted,
            predicted_met=self.predicted_met + other.predicted_met,
            true=self.true + other.true,
            true_met=self.true_met + other.true_met,
        )

    @property
    def precision(self) -> float:
        """The share of predicted pixels that were met; 1 if none was predicted."""
        return self.predicted_met / self.predicted if self.predicted else 1.0

    @property
    def recall(self) -> float:
        """The share of true pixels that were met; 1 if there are none."""
        return self.true_met / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    @property
    def iou(self) -> float:
        """Intersection over union: F1 / (2 - F1), which is TP / (TP + FP + FN) at radius 0."""
        return self.f1 / (2 - self.f1)


def count(
    predicted: UInt8[ndarray, "h w"], target: UInt8[ndarray, "h w"], *, cls: int, radius: int
) -> Counts:
    """Counts of one class on the labelled pixels of one log."""
    labelled = target != UNLABELLED
    p, t = (predicted == cls) & labelled, target == cls
    return Counts(
        predicted=int(p.sum()),
        predicted_met=int((p & _widened(t, radius)).sum()),
        true=int(t.sum()),
        true_met=int((t & _widened(p, radius)).sum()),
    )


NEAR = (1, 2, 4)
"""Distances, px, within which a column counts as read."""

POINTS = 300
"""Of a curve of which published work speaks: drawn out to so many."""


@dataclass(frozen=True, kw_only=True)
class CurveError:
    """How far a curve that was read lies from the true one, in heights of the track (0 to 1)."""

    mae: float
    """Mean absolute error."""
    mse: float
    """Mean squared error."""
    r2: float
    """1 - squared error / squared deviation of the true curve from its mean."""
    pearson_r: float
    """Correlation of what was read with what is true."""
    within_px: tuple[float, ...]
    """Shares of the true curve's columns that were read within `NEAR` px."""
    coverage: float
    """The share of the true curve's columns for which a value was read; the rest is left out."""


def curve_error(
    read: Float[ndarray, "w"], true: Float[ndarray, "w"], *, height: float = np.nan
) -> CurveError:
    """Compare two curves in the columns where both have a value (NaN = none).

    Where none was read the errors are NaN and the coverage is 0; where there is no true curve, all
    is NaN.

    Args:
        height: of the track, px.
    """
    known = np.isfinite(true)
    both = known & np.isfinite(read)
    n = int(known.sum())
    if not both.any():
        share, nan = 0.0 if n else np.nan, np.nan
        shares = (share,) * len(NEAR)
        return CurveError(mae=nan, mse=nan, r2=nan, pearson_r=nan, within_px=shares, coverage=share)
    error = read[both] - true[both]
    deviation = true[both] - true[both].mean()
    spread, squared = float(np.square(deviation).sum()), float(np.square(error).sum())
    own = read[both] - read[both].mean()
    product = float(np.sqrt(spread * np.square(own).sum()))
    return CurveError(
        mae=float(np.abs(error).mean()),
        mse=squared / int(both.sum()),
        r2=1 - squared / spread if spread > 0 else np.nan,
        pearson_r=float(own @ deviation) / product if product > 0 else np.nan,
        within_px=tuple(float((np.abs(error) * height <= px).sum() / n) for px in NEAR),
        coverage=float(both.sum() / n),
    )


def drawn_out(values: Float[ndarray, "w"], n: int = POINTS) -> Float[ndarray, "n"]:
    """A curve at `n` points evenly from its first column to its last, linear between columns; NaN
    where one of the columns beside has no value."""
    at = np.linspace(0, len(values) - 1, n)
    return np.interp(at, np.arange(len(values)), values)


def _widened(pixels: Bool[ndarray, "h w"], radius: int) -> Bool[ndarray, "h w"]:
    if radius == 0:
        return pixels
    square = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    return cv2.dilate(pixels.astype(np.uint8), square).astype(bool)

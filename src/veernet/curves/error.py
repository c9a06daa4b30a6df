"""Errors of a digitised curve against the true one."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

DISTANCES = (1, 2, 4)
"""Distances, px, within which a column counts as read."""

POINTS = 300
"""Number of points to which published work resamples a curve."""


@dataclass(frozen=True, kw_only=True)
class CurveError:
    """Errors of a digitised curve, in fractions of full scale (the width of the track)."""

    mae: float
    """Mean absolute error."""
    mse: float
    """Mean squared error."""
    r2: float
    """1 - squared error / squared deviation of the true curve from its mean."""
    pearson_r: float
    """Pearson correlation of digitised and true values."""
    within_px: tuple[float, ...]
    """Shares of the true curve's columns that were read within `NEAR` px."""
    coverage: float
    """Share of the true curve's columns that have a value; the errors leave out the other
    columns."""


def curve_error(
    read: Float[ndarray, "w"], true: Float[ndarray, "w"], *, height: float = np.nan
) -> CurveError:
    """Compare two curves in the columns where both have a value (NaN = none).

    If no column was read, the errors are NaN and the coverage is 0; if there is no true curve,
    everything is NaN.

    Args:
        height: height of the track, px, for `within_px`.
    """
    known = np.isfinite(true)
    both = known & np.isfinite(read)
    n = int(known.sum())
    if not both.any():
        share, nan = 0.0 if n else np.nan, np.nan
        shares = (share,) * len(DISTANCES)
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
        within_px=tuple(float((np.abs(error) * height <= px).sum() / n) for px in DISTANCES),
        coverage=float(both.sum() / n),
    )


def resample(values: Float[ndarray, "w"], n: int = POINTS) -> Float[ndarray, "n"]:
    """Resample a curve at `n` evenly spaced points from its first column to its last, linearly
    between columns; NaN where a neighbouring column has no value."""
    at = np.linspace(0, len(values) - 1, n)
    return np.interp(at, np.arange(len(values)), values)

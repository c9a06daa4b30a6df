"""Measures of readings against what was printed.

Positions are across the track, 0 at its left edge and 1 at its right one, beyond these on further
laps. A depth is on scale where the curve is on the paper.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.stats import rankdata

WRONG = 0.02
"""Error of a wrong depth, in widths of the track."""
PIXEL = 1 / 500
"""Width of a pixel where a track is 500 px wide."""
SURE = 0.9


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was read of one curve, at the depths of its track.

    position:   as read, NaN where nothing was
    confidence: 0 to 1
    truth:      NaN where the curve has no value
    shown:      where the truth is on scale
    """

    position: Float[ndarray, "n"]
    confidence: Float[ndarray, "n"]
    truth: Float[ndarray, "n"]
    shown: Bool[ndarray, "n"]

    @property
    def both(self) -> Bool[ndarray, "n"]:
        return self.shown & np.isfinite(self.position)

    @property
    def read(self) -> float:
        """Share of the depths on scale that was read."""
        return float(self.both.sum() / max(self.shown.sum(), 1))

    @property
    def errors(self) -> Float[ndarray, "m"]:
        """Error at each depth that is on scale and read, in widths of the track."""
        return np.abs(self.position - self.truth)[self.both]

    @property
    def r(self) -> float:
        """Correlation with the truth; 0 of fewer than 20 depths or of a constant."""
        a, b = self.position[self.both], self.truth[self.both]
        if len(a) < 20 or min(a.std(), b.std()) < 1e-9:
            return 0.0
        return float(np.corrcoef(a, b)[0, 1])

    @property
    def usable(self) -> bool:
        """More than 95 % of the depths read, r above 0.99."""
        return self.read > 0.95 and self.r > 0.99

    @property
    def honest(self) -> bool:
        """Read to 90 % or more with a median error within 3 px of 500."""
        return self.read >= 0.9 and bool(np.median(self.errors) <= 3 * PIXEL)

    @property
    def blank(self) -> bool:
        """Less than a tenth read."""
        return self.read < 0.1

    @property
    def silently_wrong(self) -> bool:
        """Mean confidence above 0.9, more than 90 % read, mean error above 5 % of the track."""
        if self.read <= 0.9:
            return False
        sure = float(self.confidence[self.both].mean())
        return sure > SURE and float(self.errors.mean()) > 0.05


def exchanged(readings: Sequence[Reading]) -> list[Reading]:
    """Return the readings of two curves, with their names exchanged if that makes more usable."""
    one, other = readings
    swapped = [
        Reading(position=b.position, confidence=b.confidence, truth=a.truth, shown=a.shown)
        for a, b in ((one, other), (other, one))
    ]
    better = sum(one.usable for one in swapped) > sum(one.usable for one in readings)
    return swapped if better else list(readings)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Depths at which two curves of a track are apart in truth, and those of them read as one."""

    apart: int
    together: int


def pairs(readings: Sequence[Reading]) -> list[Pair]:
    """Compare each two curves of a track, where both are on scale and read.

    Apart is more than 3 px of 500, together within 1 px, both on the paper: laps are taken off.
    """
    found = list[Pair]()
    for one, other in combinations(readings, 2):
        both = one.both & other.both
        apart = np.abs(_printed(one.truth) - _printed(other.truth)) > 3 * PIXEL
        near = np.abs(_printed(one.position) - _printed(other.position)) <= PIXEL
        found.append(
            Pair(apart=int((both & apart).sum()), together=int((both & apart & near).sum()))
        )
    return found


def _printed(position: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Take whole laps off; the right edge itself stays."""
    return np.where((position >= 0) & (position <= 1), position, position - np.floor(position))


def auroc(right: Bool[ndarray, "n"], confidence: Float[ndarray, "n"]) -> float | None:
    """Return the chance that a right depth has the higher confidence than a wrong one.

    Area under the ROC curve, ties counted half; None if all are right or all wrong.
    """
    n_right, n_wrong = int(right.sum()), int((~right).sum())
    if not n_right or not n_wrong:
        return None
    ranks = float(rankdata(confidence)[right].sum())
    return (ranks - n_right * (n_right + 1) / 2) / (n_right * n_wrong)


def confidence_of(readings: Sequence[Reading]) -> dict[str, Any]:
    """Compare confidence with errors over all depths that were read and have a true value."""
    known = [np.isfinite(one.position) & np.isfinite(one.truth) for one in readings]
    pairs_of = list(zip(readings, known, strict=True))
    error = np.concatenate([np.abs(one.position - one.truth)[k] for one, k in pairs_of])
    sure = np.concatenate([one.confidence[k] for one, k in pairs_of])
    right = error <= WRONG
    high, area = sure >= SURE, auroc(right, sure)
    bins = np.clip((sure * 10).astype(int), 0, 9)
    return {
        "depths": len(sure),
        "right": _share(right),
        "auroc": None if area is None else round(area, 4),
        "wrong_at_0.9": _share(~right[high]),
        "right_above_0.9": _share(sure[right] > SURE),
        "expected_calibration_error": round(_calibration_error(right, sure, bins), 4),
        "reliability": [
            {
                "from": b / 10,
                "depths": int((bins == b).sum()),
                "confidence": _share(sure[bins == b]),
                "right": _share(right[bins == b]),
            }
            for b in range(10)
        ],
    }


def _share(flags: ndarray) -> float | None:
    return round(float(flags.mean()), 4) if len(flags) else None


def _calibration_error(
    right: Bool[ndarray, "n"], sure: Float[ndarray, "n"], bins: ndarray
) -> float:
    """Return the mean gap between confidence and share of right depths, over ten bins."""
    gaps = [
        abs(float(sure[bins == b].mean() - right[bins == b].mean())) * float((bins == b).mean())
        for b in range(10)
        if (bins == b).any()
    ]
    return sum(gaps)


def row_of(readings: Sequence[Reading]) -> dict[str, Any]:
    """Return the shares of one category of curves."""
    n = len(readings)
    kinds = ("usable", "honest", "blank", "silently_wrong")
    return {
        "curves": n,
        **{kind: round(sum(getattr(one, kind) for one in readings) / n, 3) for kind in kinds},
    }


def row_of_pairs(found: Sequence[Pair]) -> dict[str, Any]:
    """Return how many pairs were read as one over half of the depths where they are apart."""
    apart, together = (sum(getattr(one, name) for one in found) for name in ("apart", "together"))
    return {
        "pairs": len(found),
        "read_as_one": sum(one.together > one.apart / 2 for one in found),
        "depths_apart": apart,
        "read_together": round(together / max(apart, 1), 4),
    }

"""Scores of a network over the logs of a split, ready for JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from veernet.curves.error import DISTANCES, CurveError
from veernet.errors import OptionError
from veernet.evaluation.evaluate import LogResult
from veernet.evaluation.pixels import Counts

BETTER_WHEN_LESS, BETTER_WHEN_MORE = 0.9, 0.1
"""Quantiles of a measure beyond which its worst tenth of logs lies."""


@dataclass(frozen=True, kw_only=True)
class PixelScores:
    """Pixel scores of a curve, summed over logs; None where no pixel of the curve is labelled."""

    f1: float | None
    iou: float | None
    precision: float | None
    recall: float | None

    @staticmethod
    def of(counts: Sequence[Counts]) -> "PixelScores":
        """Sum the counts of logs, and score them."""
        total = sum(counts, Counts())
        known = total.true > 0
        return PixelScores(
            f1=total.f1 if known else None,
            iou=total.iou if known else None,
            precision=total.precision if known else None,
            recall=total.recall if known else None,
        )


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Distribution of a measure over logs; None where no log has it."""

    median: float | None
    worst_tenth: float | None
    """Quantile of the measure beyond which the worst tenth of the logs lies."""
    logs: int
    """Number of logs that have the measure."""

    @staticmethod
    def of(values: Sequence[float], worst: float) -> "Spread":
        """Summarise values without NaN; `worst` is the quantile of the worst tenth."""
        known = [value for value in values if np.isfinite(value)]
        median, tenth = np.quantile(known, [0.5, worst]).tolist() if known else (None, None)
        return Spread(median=median, worst_tenth=tenth, logs=len(known))


@dataclass(frozen=True, kw_only=True)
class ValueScores:
    """Errors of the values of a curve over logs, in fractions of full scale (the width of its
    track), as `CurveError` has them."""

    mae: Spread
    mse: Spread
    r2: Spread
    pearson_r: Spread
    within_1_px: Spread
    within_2_px: Spread
    within_4_px: Spread
    coverage: Spread

    @staticmethod
    def of(errors: Sequence[CurveError]) -> "ValueScores":
        """Summarise the errors of logs."""
        within_1_px, within_2_px, within_4_px = (
            Spread.of([error.within_px[k] for error in errors], BETTER_WHEN_MORE)
            for k in range(len(DISTANCES))
        )
        return ValueScores(
            mae=Spread.of([error.mae for error in errors], BETTER_WHEN_LESS),
            mse=Spread.of([error.mse for error in errors], BETTER_WHEN_LESS),
            r2=Spread.of([error.r2 for error in errors], BETTER_WHEN_MORE),
            pearson_r=Spread.of([error.pearson_r for error in errors], BETTER_WHEN_MORE),
            within_1_px=within_1_px,
            within_2_px=within_2_px,
            within_4_px=within_4_px,
            coverage=Spread.of([error.coverage for error in errors], BETTER_WHEN_MORE),
        )


@dataclass(frozen=True, kw_only=True)
class CurveScores:
    """Scores of one curve over logs, for the distances of `PixelCounts` and the points of
    `ValueErrors`."""

    unread: int
    """Number of logs that have the curve and of which nothing of it was read."""
    strict: PixelScores
    within_1_px: PixelScores
    columns: ValueScores
    points_300: ValueScores

    @staticmethod
    def of(results: Sequence[LogResult], curve: int) -> "CurveScores":
        """Summarise one curve, counted from 0."""
        counts = [result.counts[curve] for result in results]
        errors = [result.errors[curve] for result in results if result.errors]
        return CurveScores(
            unread=sum(result.unread[curve] for result in results if result.errors),
            strict=PixelScores.of([one.strict for one in counts]),
            within_1_px=PixelScores.of([one.within_1_px for one in counts]),
            columns=ValueScores.of([one.columns for one in errors]),
            points_300=ValueScores.of([one.points_300 for one in errors]),
        )


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Scores of a network over the logs of a split."""

    logs: int
    unlabelled: int
    """Number of logs without any label."""
    nothing_read: int
    """Number of logs that have curves and of which nothing was read."""
    curves: dict[str, CurveScores]
    """Scores by class name."""
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    """Names of logs that could not be read, and why."""
    worst: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Names of the logs that came out worst, from the worst, and the traits of each."""
    scored: dict[str, str] = field(default_factory=dict[str, str])
    """Names of the weights, of the archive and of its split."""

    @property
    def mean_f1(self) -> float | None:
        """F1 within 1 px, averaged over the curves that have one; it selects a run's best weights.
        None where no curve has one."""
        f1 = [scores.within_1_px.f1 for scores in self.curves.values()]
        known = [value for value in f1 if value is not None]
        return float(np.mean(known)) if known else None


def summarise(results: Sequence[LogResult], classes: Sequence[str]) -> Summary:
    """Sum pixel counts over logs; take the median of curve errors, and the quantile of the worst
    tenth.

    Args:
        classes: names of the classes, background first, as an `Archive` has them.

    Raises:
        OptionError: there are more or fewer classes than the results have, with the background.
    """
    if results and len(classes) != 1 + (found := len(results[0].counts)):
        raise OptionError(f"{len(classes)} classes are named, and the results have 1 + {found}")
    return Summary(
        logs=len(results),
        unlabelled=sum(not result.labelled for result in results),
        nothing_read=sum(result.nothing_read for result in results),
        curves={name: CurveScores.of(results, k) for k, name in enumerate(classes[1:])},
    )

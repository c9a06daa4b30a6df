"""Scores of a network over the logs of a split, ready for JSON."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from veernet.curves.error import NEAR, CurveError
from veernet.evaluation.evaluate import LogResult
from veernet.evaluation.pixels import Counts

BETTER_WHEN_LESS, BETTER_WHEN_MORE = 0.9, 0.1
"""Quantile of a measure that a tenth of the logs is worse than."""


@dataclass(frozen=True, kw_only=True)
class PixelScores:
    """Scores of the pixels of a curve, summed over logs; None where no pixel of it is labelled."""

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
    """A measure over logs; None where no log has it."""

    median: float | None
    worst_tenth: float | None
    """Value that a tenth of the logs is worse than."""
    logs: int
    """Number of logs that have it."""

    @staticmethod
    def of(values: Sequence[float], worst: float) -> "Spread":
        """Summarise values, NaN left out; `worst` is the quantile of the tenth."""
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

        def spread(measure: Callable[[CurveError], float], worst: float) -> Spread:
            return Spread.of([measure(error) for error in errors], worst)

        near = (
            spread(lambda error, k=k: error.within_px[k], BETTER_WHEN_MORE)
            for k in range(len(NEAR))
        )
        within_1_px, within_2_px, within_4_px = near
        return ValueScores(
            mae=spread(lambda error: error.mae, BETTER_WHEN_LESS),
            mse=spread(lambda error: error.mse, BETTER_WHEN_LESS),
            r2=spread(lambda error: error.r2, BETTER_WHEN_MORE),
            pearson_r=spread(lambda error: error.pearson_r, BETTER_WHEN_MORE),
            within_1_px=within_1_px,
            within_2_px=within_2_px,
            within_4_px=within_4_px,
            coverage=spread(lambda error: error.coverage, BETTER_WHEN_MORE),
        )


@dataclass(frozen=True, kw_only=True)
class CurveScores:
    """Scores of one curve over logs; `PixelCounts` and `ValueErrors` say of what."""

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
    """Scores of a network over logs."""

    logs: int
    unlabelled: int
    """Number of logs without any label."""
    nothing_read: int
    """Number of logs with a curve of which nothing was read of any."""
    curves: dict[str, CurveScores]
    """Scores by the names of the classes."""
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    """Names of logs that could not be read, and why."""

    @property
    def mean_f1(self) -> float | None:
        """F1 within 1 px, averaged over the curves that have one, by which the best weights of a
        run are chosen. None where no curve has."""
        f1 = [scores.within_1_px.f1 for scores in self.curves.values()]
        known = [value for value in f1 if value is not None]
        return float(np.mean(known)) if known else None


def summarise(results: Sequence[LogResult], classes: Sequence[str]) -> Summary:
    """Sum pixels over logs, and take the median of curve errors and the value that a tenth of the
    logs is worse than."""
    return Summary(
        logs=len(results),
        unlabelled=sum(not result.labelled for result in results),
        nothing_read=sum(result.nothing_read for result in results),
        curves={name: CurveScores.of(results, k) for k, name in enumerate(classes[1:])},
    )

"""Evaluate a network against the truth, log by log."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from numpy import ndarray
from torch import nn

from veernet.curves.error import CurveError, curve_error, resample
from veernet.data.batch import UNLABELLED
from veernet.data.logs import Log, Row
from veernet.data.split import Split
from veernet.errors import OptionError, VeerNetError
from veernet.evaluation.pixels import Counts, count
from veernet.inference import classes_of, predict, read_curve


@dataclass(frozen=True, kw_only=True)
class PixelCounts:
    """Pixel counts of a curve, for two distances at which a predicted pixel matches a true one."""

    strict: Counts
    """Counts of matches on the very same pixel."""
    within_1_px: Counts


@dataclass(frozen=True, kw_only=True)
class ValueErrors:
    """Errors of a curve's values, at two sets of points."""

    columns: CurveError
    """Errors over every column of the log."""
    points_300: CurveError
    """Errors over 300 points from the first column to the last, as in published work."""


@dataclass(frozen=True, kw_only=True)
class LogResult:
    """Scores of the network on one log; one entry per curve."""

    file_name: str
    labelled: bool
    """True if any pixel of the log has a label; without any, nothing tells right from wrong."""
    counts: tuple[PixelCounts, ...]
    errors: tuple[ValueErrors, ...]
    """Errors per curve; empty if curves were not followed."""
    traits: tuple[str, ...] = ()
    """Visible features of the log, as its metadata has them."""

    @property
    def unread(self) -> tuple[bool, ...]:
        """True for each curve that is on the log and of which nothing was read."""
        return tuple(one.columns.coverage == 0 for one in self.errors)

    @property
    def nothing_read(self) -> bool:
        """True if the log has curves and nothing was read of any."""
        return any(self.unread) and not any(one.columns.coverage > 0 for one in self.errors)

    @property
    def worst_f1(self) -> float | None:
        """Lowest F1 within 1 px of any curve on the log, 0 for one of which nothing was read; None
        if nothing is labelled.

        A curve that the log lacks has no F1 of its own, for one pixel taken for it would make that
        0. Its pixels count in the F1 over the pixels of all curves, which then takes part too.
        """
        if not self.labelled:
            return None
        if any(self.unread):
            return 0.0
        counts = [one.within_1_px for one in self.counts]
        present = [one for one in counts if one.true]
        if len(present) < len(counts):
            present.append(sum(counts, Counts()))
        return min(one.f1 for one in present)

    @staticmethod
    def of(
        row: Row, log: Log, probability: Float[ndarray, "K h w"], *, read_curves: bool = True
    ) -> "LogResult":
        """Compare the probabilities of the curves with the truth."""
        predicted = classes_of(probability)
        counts = tuple(
            PixelCounts(
                strict=count(predicted, log.mask, cls=k, radius=0),
                within_1_px=count(predicted, log.mask, cls=k, radius=1),
            )
            for k in range(1, len(probability) + 1)
        )
        followed = follow_curves(probability, row) if read_curves else []
        errors = tuple(_errors(rows, log, row, k) for k, rows in enumerate(followed))
        labelled = bool((log.mask != UNLABELLED).any())
        return LogResult(
            file_name=row.file_name,
            labelled=labelled,
            counts=counts,
            errors=errors,
            traits=row.traits,
        )


def evaluate(
    model: nn.Module,
    split: Split,
    indices: Sequence[int] | None = None,
    *,
    autocast: torch.dtype | None = None,
    read_curves: bool = True,
    see: Callable[[Log], Float[ndarray, "K h w"]] | None = None,
    skip: Callable[[str, str], object] | None = None,
    stop: Callable[[], bool] = lambda: False,
    advance: Callable[[], object] = lambda: None,
) -> list[LogResult]:
    """Evaluate `model` on the logs of a split; call `advance` after each log.

    >>> archive = open_archive("archive")
    >>> results = evaluate(load_weights(), archive.split("test"))
    >>> summarise(results, archive.classes).logs
    2

    Args:
        indices: logs to evaluate; all of them if None.
        read_curves: follow the curves too, and compare their values.
        see: function that returns the probabilities on a log, in place of `predict`.
        skip: called with the name of a log that cannot be read and the reason; the log is left out.
            None raises instead.
        stop: called before every log; True ends the evaluation there.

    Raises:
        OptionError: the network tells more or fewer curves apart than the logs have; or `split` is
            none, or curves share a class in it.
    """
    _check_split(split)
    results: list[LogResult] = []
    for index in range(len(split)) if indices is None else indices:
        if stop():
            break
        try:
            log = split.log(index)
        except (VeerNetError, OSError) as fault:
            if skip is None:
                raise
            skip(split.rows[index].file_name, str(fault))
            continue
        probability = see(log) if see else predict(model, log.grey, autocast=autocast)
        if len(probability) != split.n_classes - 1:
            raise OptionError(
                f"the network tells {len(probability)} curve(s) apart, and the logs of "
                f"{split.folder} have {split.n_classes - 1}"
            )
        row = split.rows[index]
        results.append(LogResult.of(row, log, probability, read_curves=read_curves))
        advance()
    return results


def _check_split(split: object) -> None:
    """Check that `split` is one, and that each of its classes is one curve.

    Raises:
        OptionError: it is not.
    """
    if not isinstance(split, Split):
        raise OptionError(
            "evaluate takes a network and a split, as open_archive(…).split('test') gives it; got "
            f"{type(split)}"
        )
    if not split.curves_have_classes:
        raise OptionError(
            f"{split.folder}: its classes are styles of lines, and several curves may share one; "
            "a network is scored on archives of one class for each curve"
        )


def follow_curves(probability: Float[ndarray, "K h w"], row: Row) -> list[Float[ndarray, "w"]]:
    """Follow every curve of a log; return its row in every column, which is scored and drawn."""
    return [
        read_curve(probability, k, wrap_edges=wrap_edges(row, k)).rows
        for k in range(len(probability))
    ]


def wrap_edges(row: Row, curve: int) -> tuple[int, int] | None:
    """Rows of the edges between which a curve may wrap; None where no curve of the log does."""
    top, bottom = (round(edge) for edge in row.curves[curve].track)
    inside = 0 <= top < bottom < row.height
    return (top, bottom) if inside and "wrapped" in row.traits else None


def _errors(rows: Float[ndarray, "w"], log: Log, row: Row, curve: int) -> ValueErrors:
    read, true = _values_of(rows, log, row, curve), log.curves.values[curve]
    top, bottom = row.curves[curve].track
    return ValueErrors(
        columns=curve_error(read, true, height=bottom - top),
        points_300=curve_error(resample(read), resample(true), height=bottom - top),
    )


def _values_of(rows: Float[ndarray, "w"], log: Log, row: Row, curve: int) -> Float[ndarray, "w"]:
    """Convert the rows of a curve to values. On skewed paper the track's edges move with the curve,
    so the value is the true value plus the distance from the true row; it goes on beyond the edges
    where the curve has wrapped."""
    top, bottom = row.curves[curve].track
    wrap_top, wrap_bottom = wrap_edges(row, curve) or (top, bottom)
    true = log.curves.rows[curve] - log.curves.wraps[curve] * (wrap_bottom - wrap_top)
    return log.curves.values[curve] - (rows - true) / (bottom - top)

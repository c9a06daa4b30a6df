"""A network against the truth: in pixels, and in curve values."""

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor, nn

from veernet.data.archive import CurveRow, Log, Row, Split, ink
from veernet.data.batch import UNLABELLED, as_float
from veernet.data.raster import write_picture
from veernet.errors import OptionError, VeerNetError
from veernet.files import finite, write_json, write_json_lines
from veernet.filesets import replacing_set
from veernet.losses import curve_probabilities
from veernet.metrics import NEAR, Counts, CurveError, count, curve_error, drawn_out
from veernet.picture import overlay, stack
from veernet.trace import printed, read_curve

RADII = {"strict": 0, "within_1_px": 1}
"""How far a predicted pixel may lie from a true one, px."""

SAMPLINGS = ("columns", "points_300")
"""Curves as they were read, in every column, and drawn out to 300 points."""

SUMMARY = "summary.json"
"""The scores of an evaluation inside its folder, which is whole where this is."""

_PICTURE = re.compile(r"\d{3,} of \d+ from the worst, (F1 \d\.\d\d|no label), \d{6,}\.png")
"""Beginning of the names of an evaluation's pictures."""

WORST, OTHERS = 10, 5
"""How many of the worst logs an evaluation shows, and how many others up to the best."""

_NEAR = tuple(f"within_{px}_px" for px in NEAR)

_MEASURES = {"mae": 0.9, "mse": 0.9, **dict.fromkeys(("r2", "pearson_r", *_NEAR, "coverage"), 0.1)}
"""Measures of a curve, and the quantile that a tenth of the logs is worse than."""

WINDOW = 25_600
"""Columns that the network sees at once unless told otherwise, twice the longest log of a training
set; 640 px high they take 2.8 GiB, 181 bytes a pixel."""

LEAST_WINDOW = 64
"""The narrowest window, px."""

PICTURE_WIDTH = 1600
"""Longest part of a log that a picture shows, px; the middle of a longer one."""


@dataclass(frozen=True, kw_only=True)
class LogResult:
    """What the network made of one log; one entry a curve."""

    file_name: str
    labelled: bool
    """True if any pixel of the log has a label; without any, nothing tells right from wrong."""
    counts: tuple[dict[str, Counts], ...]
    """By the names of `RADII`."""
    errors: tuple[dict[str, CurveError], ...]
    """By the names of `SAMPLINGS`; empty where the curves were not followed."""

    @property
    def unread(self) -> tuple[bool, ...]:
        """True for each curve followed that is on the log and of which nothing was read."""
        return tuple(one["columns"].coverage == 0 for one in self.errors)

    @property
    def nothing_read(self) -> bool:
        """True if nothing was read of any curve that is on the log."""
        return any(self.unread) and not any(one["columns"].coverage > 0 for one in self.errors)

    @property
    def worst_f1(self) -> float | None:
        """F1 within 1 px of the curve that came out worst, 0 for one of which nothing was read;
        None where nothing is labelled."""
        if not self.labelled:
            return None
        unread = self.unread or (False,) * len(self.counts)
        pairs = zip(self.counts, unread, strict=True)
        return min(0.0 if none else counts["within_1_px"].f1 for counts, none in pairs)

    @staticmethod
    def of(
        row: Row, log: Log, probability: Float[ndarray, "K h w"], *, read_curves: bool = True
    ) -> "LogResult":
        """Compare the probabilities of the curves with the truth."""
        predicted = classes_of(probability)
        counts = tuple(
            {name: count(predicted, log.mask, cls=k, radius=r) for name, r in RADII.items()}
            for k in range(1, len(probability) + 1)
        )
        followed = _followed(probability, row) if read_curves else []
        errors = tuple(
            _errors(_values_of(rows, log, row, k), log.curves.values[k], row.curves[k])
            for k, rows in enumerate(followed)
        )
        labelled = bool((log.mask != UNLABELLED).any())
        return LogResult(file_name=row.file_name, labelled=labelled, counts=counts, errors=errors)


@torch.no_grad()
def predict(
    model: nn.Module,
    image: UInt8[Tensor, "1 h w"],
    *,
    autocast: torch.dtype | None = None,
    window: int = WINDOW,
) -> Float[ndarray, "K h w"]:
    """The probability of every curve at every pixel of one log (255 = ink), of any size.

    Args:
        window: most columns that the network sees at once. A longer log is seen in windows of this
            width, which overlap by a sixteenth and more; there one fades into the next.

    Raises:
        OptionError: the window is less than `LEAST_WINDOW`.
    """
    if window < LEAST_WINDOW:
        raise OptionError(f"a window must be {LEAST_WINDOW} px and more, got {window}")
    weight, w = next(model.parameters()), image.shape[-1]
    if w > window:
        return _in_windows(partial(predict, model, autocast=autocast, window=window), image, window)
    canvas = as_float(image.to(weight.device), weight.dtype)[None]
    with (
        _evaluating(model),
        torch.autocast(weight.device.type, autocast, enabled=autocast is not None),
    ):
        logits = model(canvas)
    return curve_probabilities(logits)[0].cpu().numpy()


@contextmanager
def _evaluating(model: nn.Module) -> Generator[None]:
    """Have a network evaluate while the block lasts, without dropout or statistics that move."""
    training = [layer for layer in model.modules() if layer.training]
    model.eval()
    try:
        yield
    finally:
        for layer in training:
            layer.training = True


def _in_windows(
    see: Callable[[UInt8[Tensor, "1 h n"]], Float[ndarray, "K h n"]],
    image: UInt8[Tensor, "1 h w"],
    window: int,
) -> Float[ndarray, "K h w"]:
    """What is seen in windows, each weighed by how far its own cut ends are, up to the overlap."""
    w, overlap = image.shape[-1], window // 16
    n = 1 + -(-(w - window) // (window - overlap))
    total, weight = None, np.zeros(w, np.float32)
    for start in np.linspace(0, w - window, n).round().astype(int).tolist():
        at = np.arange(window) + 1
        from_left = at if start > 0 else np.full(window, overlap)
        from_right = at[::-1] if start + window < w else np.full(window, overlap)
        mine = np.minimum(np.minimum(from_left, from_right), overlap).astype(np.float32)
        seen = see(image[..., start : start + window]) * mine
        if total is None:
            total = np.zeros((*seen.shape[:2], w), np.float32)
        total[..., start : start + window] += seen
        weight[start : start + window] += mine
    assert total is not None  # a log has columns
    return np.divide(total, weight, out=total)


def classes_of(probability: Float[ndarray, "K h w"]) -> UInt8[ndarray, "h w"]:
    """The most probable class of every pixel, 0 = background."""
    background = 1 - probability.sum(0, keepdims=True)
    return np.concatenate([background, probability]).argmax(0).astype(np.uint8)


def evaluate(
    model: nn.Module,
    split: Split,
    indices: Sequence[int],
    *,
    autocast: torch.dtype | None = None,
    read_curves: bool = True,
    skip: Callable[[str, str], object] | None = None,
    stop: Callable[[], bool] = lambda: False,
    advance: Callable[[], object] = lambda: None,
) -> list[LogResult]:
    """Evaluate `model` on some logs of a split; `advance` is called after each.

    Args:
        read_curves: follow the curves too, and compare their values.
        skip: leave out a log that cannot be read, and tell its name and the reason; None raises.
        stop: asked before every log; ends it there.
    """
    results: list[LogResult] = []
    for index in indices:
        if stop():
            break
        try:
            log = split.log(index)
        except (VeerNetError, OSError) as fault:
            if skip is None:
                raise
            skip(split.rows[index].file_name, str(fault))
            continue
        probability = predict(model, ink(log.grey), autocast=autocast)
        row = split.rows[index]
        results.append(LogResult.of(row, log, probability, read_curves=read_curves))
        advance()
    return results


def summarise(results: Sequence[LogResult], classes: Sequence[str]) -> dict[str, Any]:
    """Pixels summed over logs; of curve errors the median over logs, what a tenth of them is worse
    than, and how many logs these are; ready for JSON.

    None is the score of a curve of which no pixel is labelled.
    """
    return {
        "logs": len(results),
        "unlabelled": sum(not result.labelled for result in results),
        "nothing_read": sum(result.nothing_read for result in results),
        "curves": {
            name: {
                "unread": sum(result.unread[k] for result in results if result.errors),
                **{radius: _scores(results, k, radius) for radius in RADII},
                **{name: _values(results, k, name) for name in SAMPLINGS},
            }
            for k, name in enumerate(classes[1:])
        },
    }


def mean_f1(summary: dict[str, Any]) -> float | None:
    """F1 within 1 px, averaged over the curves that have one: what chooses the best weights of a
    run. None where no curve has."""
    f1 = [curve["within_1_px"]["f1"] for curve in summary["curves"].values()]
    known = [value for value in f1 if value is not None]
    return float(np.mean(known)) if known else None


def write_evaluation(
    folder: Path,
    model: nn.Module,
    split: Split,
    results: Sequence[LogResult],
    classes: Sequence[str],
    *,
    left_out: Mapping[str, str] | None = None,
    autocast: torch.dtype | None = None,
) -> dict[str, Any]:
    """Write `summary.json`, `logs.jsonl` and pictures of logs from the worst, of which nothing was
    read, to the best, and to those without a label, as one: those of an earlier time stay whole if
    anything fails.

    Args:
        left_out: names of logs that could not be read, and why.

    Returns the summary.
    """
    summary = {**summarise(results, classes), "left_out": dict(left_out or {})}
    with replacing_set(folder, SUMMARY, older=lambda: _pictures(folder)) as made:
        _draw_worst(made, model, split, results, autocast=autocast)
        write_json_lines(made / "logs.jsonl", [finite(asdict(result)) for result in results])
        write_json(made / SUMMARY, summary)
    return summary


def _pictures(folder: Path) -> list[str]:
    """Names of the pictures that an evaluation left there."""
    return [path.name for path in folder.glob("*.png") if _PICTURE.fullmatch(path.name)]


def _draw_worst(
    folder: Path,
    model: nn.Module,
    split: Split,
    results: Sequence[LogResult],
    *,
    autocast: torch.dtype | None,
) -> None:
    """Write pictures of the worst logs, and of others up to the best."""
    by_quality = sorted(results, key=_rank)
    spaced = np.linspace(0, len(results) - 1, min(OTHERS, len(results))).round()
    chosen = {*range(min(WORST, len(results))), *spaced.astype(int).tolist()}
    for rank in sorted(chosen):
        result = by_quality[rank]
        index = [row.file_name for row in split.rows].index(result.file_name)
        f1 = "no label" if result.worst_f1 is None else f"F1 {result.worst_f1:.2f}"
        name = f"{rank + 1:03d} of {len(results)} from the worst, {f1}, "
        picture = draw(split.log(index), split.rows[index], model, autocast=autocast)
        write_picture(folder / f"{name}{Path(result.file_name).stem}.png", picture)


def draw(
    log: Log, row: Row, model: nn.Module, *, autocast: torch.dtype | None = None
) -> UInt8[ndarray, "H w 3"]:
    """A log as scanned, with its true curves, and with those that the network reads, as they are
    scored."""
    followed = _followed(predict(model, ink(log.grey), autocast=autocast), row)
    turns = (_turn(row, k) for k in range(len(followed)))
    pairs = zip(followed, turns, strict=True)
    read = [rows if turn is None else printed(rows, turn) for rows, turn in pairs]
    first = max(0, (log.grey.shape[1] - PICTURE_WIDTH) // 2)
    part = slice(first, first + PICTURE_WIDTH)
    return stack(
        overlay(log.grey[:, part], [row[part] for row in rows])
        for rows in ([], log.curves.rows, read)
    )


def _errors(
    read: Float[ndarray, "w"], true: Float[ndarray, "w"], curve: CurveRow
) -> dict[str, CurveError]:
    """By the names of `SAMPLINGS`."""
    height = curve.track[1] - curve.track[0]
    pairs = (read, true), (drawn_out(read), drawn_out(true))
    errors = (curve_error(a, b, height=height) for a, b in pairs)
    return dict(zip(SAMPLINGS, errors, strict=True))


def _values(results: Sequence[LogResult], curve: int, sampling: str) -> dict[str, Any]:
    """Every measure of a curve over logs: its median, and what a tenth of them is worse than."""
    errors = [result.errors[curve][sampling] for result in results if result.errors]
    rows = [{**asdict(one), **dict(zip(_NEAR, one.within_px, strict=True))} for one in errors]
    return {
        name: _quantiles([row[name] for row in rows if np.isfinite(row[name])], worst)
        for name, worst in _MEASURES.items()
    }


def _quantiles(values: Sequence[float], worst: float) -> dict[str, Any]:
    """None, which JSON can hold, where there are no values."""
    median, tenth = np.quantile(values, [0.5, worst]).tolist() if values else (None, None)
    return {"median": median, "worst_tenth": tenth, "logs": len(values)}


def _scores(results: Sequence[LogResult], curve: int, radius: str) -> dict[str, float | None]:
    total = sum((r.counts[curve][radius] for r in results), Counts())
    names = ("f1", "iou", "precision", "recall")
    return {name: getattr(total, name) if total.true else None for name in names}


def _rank(result: LogResult) -> tuple[bool, bool, float]:
    """Key that sorts results from the worst on."""
    f1 = result.worst_f1
    return not result.nothing_read, f1 is None, f1 or 0.0


def _followed(probability: Float[ndarray, "K h w"], row: Row) -> list[Float[ndarray, "w"]]:
    """The row of every curve in every column, as `read_curve` has it: what is scored and drawn."""
    turns = (_turn(row, k) for k in range(len(probability)))
    return [read_curve(probability, k, turn=turn).rows for k, turn in enumerate(turns)]


def _turn(row: Row, curve: int) -> tuple[int, int] | None:
    """The edges between which a curve may go round its track."""
    top, bottom = (round(edge) for edge in row.curves[curve].track)
    inside = 0 <= top < bottom < row.height
    return (top, bottom) if inside and "wrapped" in row.traits else None


def _values_of(rows: Float[ndarray, "w"], log: Log, row: Row, curve: int) -> Float[ndarray, "w"]:
    """The values of a curve that was followed. Where the paper is skewed its edges move with the
    curve, so the value is the true one plus the distance from the true row, which goes on beyond
    the edges where the curve has gone round."""
    top, bottom = row.curves[curve].track
    lap_top, lap_bottom = _turn(row, curve) or (top, bottom)
    true = log.curves.rows[curve] - log.curves.laps[curve] * (lap_bottom - lap_top)
    return log.curves.values[curve] - (rows - true) / (bottom - top)

"""Write an evaluation to disk: its scores, and pictures of logs from the worst to the best."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray
from torch import nn

from veernet.curves.overlay import overlay, stack
from veernet.curves.wraps import printed_rows
from veernet.data.archive import Log, Row, Split
from veernet.data.raster import write_picture
from veernet.evaluation.evaluate import LogResult, follow_curves, wrap_edges
from veernet.evaluation.summary import Summary, summarise
from veernet.files import nan_to_none, write_json, write_json_lines
from veernet.filesets import atomic_write_set
from veernet.inference import predict

SUMMARY = "summary.json"
"""Scores of an evaluation inside its folder, which is whole if this file exists."""

_PICTURE = re.compile(r"\d{3,} of \d+ from the worst, (F1 \d\.\d\d|no label), \d{6,}\.png")
"""Pattern of the names of an evaluation's pictures."""

WORST, OTHERS = 10, 5
"""Number of worst logs that an evaluation shows, and of others up to the best."""

PICTURE_WIDTH = 1600
"""Greatest width of the part of a log that a picture shows, px; of a longer log, the middle."""


def write_evaluation(
    folder: Path,
    model: nn.Module,
    split: Split,
    results: Sequence[LogResult],
    classes: Sequence[str],
    *,
    left_out: Mapping[str, str] | None = None,
    scored: Mapping[str, str] | None = None,
    autocast: torch.dtype | None = None,
) -> Summary:
    """Write `summary.json`, `logs.jsonl` and pictures: of logs from the worst, of which nothing was
    read, to the best, and of logs without labels. Older files are replaced all together, and stay
    whole if anything fails.

    Args:
        left_out: names of logs that could not be read, and why.
        scored: names of the weights, of the archive and of its split, for the record.

    Returns:
        the summary.
    """
    more = {"left_out": dict(left_out or {}), "scored": dict(scored or {})}
    summary = replace(summarise(results, classes), **more)
    with atomic_write_set(folder, SUMMARY, older=lambda: _pictures(folder)) as staging:
        _draw_worst(staging, model, split, results, autocast=autocast)
        write_json_lines(
            staging / "logs.jsonl", [nan_to_none(asdict(result)) for result in results]
        )
        write_json(staging / SUMMARY, asdict(summary))
    return summary


def _pictures(folder: Path) -> list[str]:
    """Return the names of the pictures that an earlier evaluation left in the folder."""
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


def _rank(result: LogResult) -> tuple[bool, bool, float]:
    """Return a key that sorts results from the worst to the best."""
    f1 = result.worst_f1
    return not result.nothing_read, f1 is None, f1 or 0.0


def draw(
    log: Log, row: Row, model: nn.Module, *, autocast: torch.dtype | None = None
) -> UInt8[ndarray, "H w 3"]:
    """Draw a log as scanned, with its true curves, and with the curves that the network reads, as
    they are scored."""
    followed = follow_curves(predict(model, log.grey, autocast=autocast), row)
    read = [
        rows if (edges := wrap_edges(row, k)) is None else printed_rows(rows, edges)
        for k, rows in enumerate(followed)
    ]
    first = max(0, (log.grey.shape[1] - PICTURE_WIDTH) // 2)
    part = slice(first, first + PICTURE_WIDTH)
    return stack(
        overlay(log.grey[:, part], [row[part] for row in rows])
        for rows in ([], log.curves.rows, read)
    )

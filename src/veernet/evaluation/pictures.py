"""Write an evaluation to disk: its scores, and pictures of logs from the worst to the best."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import nn

from veernet.curves.overlay import (
    BLACK,
    COLOURS,
    LEAST_CAPTION,
    PICTURE_WIDTH,
    caption,
    enlarged,
    middle,
    names_of_curves,
    overlay,
    stack,
)
from veernet.curves.wraps import printed_rows
from veernet.data.logs import Log, Row
from veernet.data.raster import write_picture
from veernet.data.split import Split
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
    ranked = sorted(results, key=_rank)
    summary = replace(
        summarise(results, classes),
        left_out=dict(left_out or {}),
        worst={result.file_name: result.traits for result in ranked[:WORST]},
        scored=dict(scored or {}),
    )
    with atomic_write_set(folder, SUMMARY, older=lambda: _pictures(folder)) as staging:
        _draw_worst(staging, model, split, ranked, classes, autocast=autocast)
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
    ranked: Sequence[LogResult],
    classes: Sequence[str],
    *,
    autocast: torch.dtype | None,
) -> None:
    """Write pictures of the worst logs, which come first, and of others up to the best."""
    n, indices = len(ranked), {row.file_name: i for i, row in enumerate(split.rows)}
    spaced = np.linspace(0, n - 1, min(OTHERS, n)).round()
    chosen = {*range(min(WORST, n)), *spaced.astype(int).tolist()}
    for rank in sorted(chosen):
        result = ranked[rank]
        index = indices[result.file_name]
        f1 = "no label" if result.worst_f1 is None else f"F1 {result.worst_f1:.2f}"
        place = f"{rank + 1:03d} of {n} from the worst, {f1}"
        log, row = split.log(index), split.rows[index]
        drawn = draw(log, row, model, classes, autocast=autocast)
        shown = middle(row.width)
        cut = row.width > PICTURE_WIDTH
        part = f", columns {shown.start} to {shown.stop - 1}" if cut else ""
        about = (
            f"{place}: {result.file_name}, {row.height} x {row.width} px{part}. "
            f"On it: {', '.join(result.traits) or 'no traits are recorded'}"
        )
        title = caption([(about, BLACK)], width=drawn.shape[1])
        name = f"{place}, {Path(result.file_name).stem}.png"
        write_picture(folder / name, stack([title, drawn]))


def _rank(result: LogResult) -> tuple[bool, bool, float]:
    """Return a key that sorts results from the worst to the best."""
    f1 = result.worst_f1
    return not result.nothing_read, f1 is None, f1 or 0.0


def draw(
    log: Log,
    row: Row,
    model: nn.Module,
    classes: Sequence[str] = (),
    *,
    autocast: torch.dtype | None = None,
) -> UInt8[ndarray, "H w 3"]:
    """Draw a log as scanned, with its true curves, as the network sees it, and with the curves that
    it reads, as they are scored; each panel has a caption.

    Args:
        classes: names of the classes, background first, for the captions.
    """
    probability = predict(model, log.grey, autocast=autocast)
    read = [
        rows if (edges := wrap_edges(row, k)) is None else printed_rows(rows, edges)
        for k, rows in enumerate(follow_curves(probability, row))
    ]
    part = middle(log.grey.shape[1])
    grey = log.grey[:, part]
    panels = {
        "scan": overlay(grey, []),
        "truth": overlay(grey, [rows[part] for rows in log.curves.rows]),
        "probability by the network": tinted(probability[..., part]),
        "reading": overlay(grey, [rows[part] for rows in read]),
    }
    named = (one.mnemonic or name for one, name in zip(row.curves, classes[1:], strict=False))
    names, width = names_of_curves([*named]), max(LEAST_CAPTION, panels["scan"].shape[1])
    tiles = list[UInt8[ndarray, "_ _ 3"]]()
    for words, panel in panels.items():
        key = [] if words == "scan" else names
        tiles += [caption([(words, BLACK), *key], width=width), panel]
    return stack(tiles)


def tinted(probability: Float[ndarray, "K h w"]) -> UInt8[ndarray, "H W 3"]:
    """Tint white with the colour of every curve, the more the more probable it is; enlarged as
    `overlay` enlarges a scan."""
    shades = np.array([COLOURS[k % len(COLOURS)] for k in range(len(probability))], np.float32)
    picture = 255 - np.tensordot(probability, 255 - shades, axes=(0, 0))
    return enlarged(np.rint(picture.clip(0, 255)).astype(np.uint8))

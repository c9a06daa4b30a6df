"""Evaluate a run inside its folder, or any weights on an archive."""

from pathlib import Path

import torch
from rich.console import Console

from veernet.data.archive import Archive
from veernet.data.logs import SplitName
from veernet.errors import ArchiveError, OnError, OptionError, RunError
from veernet.evaluation.evaluate import evaluate
from veernet.evaluation.pictures import SUMMARY, write_evaluation
from veernet.evaluation.summary import Summary
from veernet.files import read_json
from veernet.model import VeerNet
from veernet.synth.opening import open_archive
from veernet.terminal import bar
from veernet.train.run import CONFIG, archive_of, read_config
from veernet.weights import load_weights

EVALUATIONS = "evaluation"
"""Folder of evaluations inside a run: one folder per split, with summary.json and pictures."""


def evaluate_run(
    run: Path,
    split: SplitName,
    *,
    device: torch.device,
    console: Console,
    on_error: OnError = "stop",
) -> Summary:
    """Evaluate the best weights of a run on a split of its archive, in the run's precision, into
    the run's folder.

    With `skip`, logs that cannot be read are left out; the summary lists them with the reasons.

    Raises:
        RunError: no log can be read, or network and archive have not the same classes.
    """
    config = read_config(run)
    return _evaluate(
        str(run),
        load_weights(run).to(device),
        archive_of(run, config),
        split,
        run / EVALUATIONS / split,
        autocast=config.training.autocast,
        console=console,
        on_error=on_error,
    )


def evaluate_weights(
    weights: str,
    archive: Path,
    split: SplitName,
    folder: Path,
    *,
    device: torch.device,
    console: Console,
    on_error: OnError = "stop",
) -> Summary:
    """Evaluate weights, as `load_weights` finds them, on a split of any archive in float32, into
    `folder`; otherwise as `evaluate_run` does.

    Raises:
        ArchiveError: there is no such archive, or it has no such split.
        CheckpointError: there are no such weights.
        OptionError: the folder is an archive or a run, or has another evaluation.
        RunError: no log can be read, or network and archive have not the same classes.
    """
    opened = open_archive(archive)
    _check_free(folder, _scored(weights, opened, split))
    if (there := opened.split_names) and split not in there:
        raise ArchiveError(f"{archive}: no split {split}; choose with --split {' or '.join(there)}")
    model = load_weights(weights).to(device)
    return _evaluate(
        weights,
        model,
        opened,
        split,
        folder,
        autocast=None,
        console=console,
        on_error=on_error,
    )


def _evaluate(
    weights: str,
    model: VeerNet,
    archive: Archive,
    split: SplitName,
    folder: Path,
    *,
    autocast: torch.dtype | None,
    console: Console,
    on_error: OnError,
) -> Summary:
    _check_curves(weights, model, archive)
    logs, left_out = archive.split(split), dict[str, str]()
    with bar(console, "logs", len(logs)) as advance:
        results = evaluate(
            model,
            logs,
            autocast=autocast,
            skip=left_out.__setitem__ if on_error == "skip" else None,
            advance=advance,
        )
    if not results:
        name, reason = next(iter(left_out.items()))
        raise RunError(
            f"{weights}: none of the {len(logs)} logs of {split} could be read; {name}: {reason}"
        )
    return write_evaluation(
        folder,
        model,
        logs,
        results,
        archive.classes,
        left_out=left_out,
        scored=_scored(weights, archive, split),
        autocast=autocast,
    )


def _scored(weights: str, archive: Archive, split: SplitName) -> dict[str, str]:
    return {"weights": weights, "archive": str(archive.root), "split": split}


def _check_free(folder: Path, scored: dict[str, str]) -> None:
    """Check that an evaluation may be written into a folder: that it is new, or has an evaluation
    of the same."""
    for name, kind in (("archive.json", "an archive"), (CONFIG, "a run")):
        if (folder / name).exists():
            raise OptionError(f"--out {folder}: the folder of {kind}; choose another")
    if not (folder / SUMMARY).exists():
        return
    there = read_json(folder / SUMMARY, error=OptionError, missing=f"{folder}: gone")
    if other := {k: v for k, v in there.get("scored", {}).items() if v != scored.get(k)}:
        found = ", ".join(f"{name} {value}" for name, value in other.items())
        raise OptionError(f"--out {folder}: has an evaluation of {found}; choose another folder")


def _check_curves(weights: str, model: VeerNet, archive: Archive) -> None:
    """Check that the network tells as many curves apart as the archive has.

    Raises:
        RunError: it tells more or fewer.
    """
    found, (_, *curves) = model.config.num_curves, archive.classes
    if found != len(curves):
        raise RunError(
            f"{weights}: the network tells {found} curve(s) apart, and {archive.root} has "
            f"{len(curves)} ({', '.join(curves)}); choose weights trained on as many, or another "
            "archive"
        )

"""Evaluate a run, inside its folder."""

from pathlib import Path

import torch
from rich.console import Console

from veernet.data.logs import SplitName
from veernet.errors import OnError, RunError
from veernet.evaluation.evaluate import evaluate
from veernet.evaluation.pictures import write_evaluation
from veernet.evaluation.summary import Summary
from veernet.terminal import bar
from veernet.train.run import archive_of, read_config
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
    """Evaluate the best weights of a run on a split of its archive, into the run's folder.

    With `skip`, logs that cannot be read are left out; the summary lists them with the reasons.

    Raises:
        RunError: no log can be read.
    """
    config = read_config(run)
    archive = archive_of(run, config)
    model, logs = load_weights(run).to(device), archive.split(split)
    autocast, left_out = config.training.autocast, dict[str, str]()
    with bar(console, "logs", len(logs)) as advance:
        results = evaluate(
            model,
            logs,
            range(len(logs)),
            autocast=autocast,
            skip=left_out.__setitem__ if on_error == "skip" else None,
            advance=advance,
        )
    if not results:
        name, reason = next(iter(left_out.items()))
        raise RunError(
            f"{run}: none of the {len(logs)} logs of {split} could be read; {name}: {reason}"
        )
    folder = run / EVALUATIONS / split
    return write_evaluation(
        folder, model, logs, results, archive.classes, left_out=left_out, autocast=autocast
    )

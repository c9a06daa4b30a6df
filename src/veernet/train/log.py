"""What a run tells while it runs: JSON lines and TensorBoard on disk, a progress bar on screen."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from torch.utils.tensorboard import SummaryWriter

from veernet.data.batch import Batch
from veernet.errors import RunError
from veernet.files import read_json_lines, write_json_lines
from veernet.train.step import StepResult

NAME = "log.jsonl"
"""The log inside the folder of a run: rows of kind `step` and of kind `epoch`."""


def read_log(run: Path) -> list[dict[str, Any]]:
    """The rows of a run's log.

    Raises:
        RunError: nothing was trained yet, or the log is damaged.
    """
    path = run / NAME
    missing = f"{run}: nothing was trained yet ({NAME} is missing)"
    return read_json_lines(path, error=RunError, missing=missing, may_be_cut=True)


def _is_before(row: dict[str, Any], epoch: int, done: int) -> bool:
    return row["epoch"] < epoch if row["kind"] == "epoch" else row["step"] <= done


class RunLog:
    """The log of one run that goes on after `epoch` epochs and `done` steps in all.

    What it says of later ones, written after the last checkpoint, is dropped.
    """

    def __init__(self, run: Path, *, epoch: int, done: int, n_steps: int, console: Console):
        path = run / NAME
        old = read_log(run) if path.exists() else []
        write_json_lines(path, [row for row in old if _is_before(row, epoch, done)])
        self.file = path.open("a", encoding="utf-8")
        self.board = SummaryWriter(str(run / "tensorboard"), purge_step=done + 1)
        self.console = console
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps, left"),
            TimeRemainingColumn(),
            console=console,
        )
        self.bar = self.progress.add_task("training", total=n_steps, completed=done)
        self.started = time.monotonic()

    def __enter__(self) -> "RunLog":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()
        self.board.close()
        self.file.close()

    def step(
        self, number: int, epoch: int, result: StepResult, rate: float, batches: Sequence[Batch]
    ) -> None:
        """An optimizer step; `number` counts them from 1 over the whole run, epochs from 0."""
        measured = {
            "loss": result.loss.item(),
            "grad_norm": result.grad_norm.item(),
            "learning_rate": rate,
            "micro_batches": len(batches),
        }
        self._row({"kind": "step", "step": number, "epoch": epoch, **measured})
        for name, value in measured.items():
            self.board.add_scalar(name, value, number)
        description = f"epoch {epoch + 1}  loss {measured['loss']:.4f}"
        self.progress.update(self.bar, completed=number, description=description)

    def epoch(self, number: int, epoch: int, summary: dict[str, Any]) -> None:
        """The end of an epoch, `number` steps into the run, with its validation."""
        self._row({"kind": "epoch", "step": number, "epoch": epoch, **summary})
        told = [f"epoch {epoch + 1}"]
        for name, curve in summary["curves"].items():
            f1 = curve["within_1_px"]["f1"]
            self.board.add_scalar(f"{name}/F1 within 1 px", f1, number)
            told.append(f"{name}: F1 within 1 px {f1:.3f}")
        self.console.print("  ".join(told))

    def _row(self, row: dict[str, Any]) -> None:
        row["seconds"] = round(time.monotonic() - self.started, 3)
        self.file.write(json.dumps(row) + "\n")
        self.file.flush()

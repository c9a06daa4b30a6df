"""Log of a run: JSON lines and TensorBoard on disk, a progress bar on screen."""

import json
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
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

from veernet import distributed
from veernet.errors import RunError
from veernet.evaluation.summary import Summary
from veernet.files import read_json_lines, with_filename, write_json_lines
from veernet.memory.system import format_bytes
from veernet.step import StepResult
from veernet.train.validation import Picture, mean_loss

NAME = "log.jsonl"
"""The log inside the folder of a run: rows of kind step, epoch, retry, budget, memory, skipped."""


SAY_AFTER = 60.0
"""Least seconds between two lines of progress, where there is no terminal to show a bar on."""

_EVERY_ROW = {"kind": str, "step": int, "epoch": int}

_NOT_OF_EPOCHS = {"left_out", "worst", "scored"}
"""Parts of a summary that the row of an epoch lacks: they have rows of their own, or say what a
validation does not find."""


def read_log(run: Path) -> list[dict[str, Any]]:
    """Read the rows of a run's log.

    Raises:
        RunError: nothing was trained yet, or the log is damaged.
    """
    path = run / NAME
    missing = f"{run}: nothing was trained yet ({NAME} is missing)"
    rows = read_json_lines(path, error=RunError, missing=missing, may_be_cut=True)
    for number, row in enumerate(rows, start=1):
        if not all(isinstance(row.get(name), kind) for name, kind in _EVERY_ROW.items()):
            raise RunError(f"{path}: damaged (line {number} lacks its kind, step or epoch)")
    return rows


def _is_before(row: dict[str, Any], epoch: int, done: int) -> bool:
    if row["kind"] == "epoch" or row.get("validating"):
        return row["epoch"] < epoch
    return row["step"] <= done


def rank0_console(console: Console) -> Console:
    """Return `console` on rank 0, and a silent one on other ranks."""
    return Console(quiet=True) if distributed.rank() else console


class RunLog:
    """Log of one run, which goes on after `epoch` epochs and `done` steps in all.

    Rows of later steps, written after the last checkpoint, are dropped. Of several processes only
    rank 0 writes, and only rank 0 knows the earlier rows: which logs were left out, and the losses
    of the epochs.
    """

    def __init__(self, run: Path, *, epoch: int, done: int, n_steps: int, console: Console):
        self.file = self.board = None
        self.path, self.left_out = run / NAME, Counter[str]()
        self.costs = dict[int, list[tuple[float, int]]]()
        if distributed.rank() == 0:
            old = read_log(run) if self.path.exists() else []
            kept = [row for row in old if _is_before(row, epoch, done)]
            write_json_lines(self.path, kept)
            skipped = (row.get("file_name", "?") for row in kept if row["kind"] == "skipped")
            self.left_out.update(map(str, skipped))
            for row in kept:
                if row["kind"] == "step" and row.get("loss") is not None:
                    self._add_loss(row["epoch"], row["loss"], row.get("labelled", 1))
            self.file = self.path.open("a", encoding="utf-8")
            self.board = SummaryWriter(str(run / "tensorboard"), purge_step=done + 1)
        self.console = rank0_console(console)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps, left"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not (self.console.is_terminal or self.console.is_jupyter),
        )
        self.n_steps, self.done = n_steps, done
        self.bar = self.progress.add_task("training", total=n_steps, completed=done)
        self.started = self.said = self.epoch_began = time.monotonic()

    @property
    def learned(self) -> set[int]:
        """Epochs in which a step updated the weights."""
        return {*self.costs}

    def _add_loss(self, epoch: int, loss: float, labelled: int) -> None:
        self.costs.setdefault(epoch, []).append((loss * labelled, labelled))

    def __enter__(self) -> "RunLog":
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.progress.stop()
        for output in (self.board, self.file):
            if output is not None:
                # Report the error that ended the run, not a second one on closing the log.
                with suppress(OSError) if kind else with_filename(self.path):
                    output.close()

    def flush(self) -> None:
        """Write the log to the disk so far."""
        if self.file is not None:
            with with_filename(self.path):
                self.file.flush()
                os.fsync(self.file.fileno())

    def step(
        self, number: int, epoch: int, result: StepResult, rate: float, micro_batches: int
    ) -> None:
        """Log an optimizer step; `number` counts steps from 1 over the whole run, `epoch` from
        0."""
        loss = None if result.loss.isnan() else result.loss.item()
        measured = {
            "loss": loss,
            "grad_norm": result.grad_norm.item(),
            "learning_rate": rate,
            "micro_batches": micro_batches,
        }
        labelled = int(result.weight)
        self._row("step", number, epoch, {**measured, "labelled": labelled})
        self._plot(measured, number)
        if loss is not None:
            self._add_loss(epoch, loss, labelled)
        shown = "none: no label" if loss is None else f"{loss:.4f}"
        description = f"epoch {epoch + 1}  loss {shown}"
        self.progress.update(self.bar, completed=number, description=description)
        self._say_every_minute(number, description)

    def _say_every_minute(self, number: int, description: str) -> None:
        """Print a line where there is no terminal to show a bar on, at most one per minute."""
        now = time.monotonic()
        if not self.progress.disable or now - self.said < SAY_AFTER:
            return
        self.said = now
        left = (now - self.started) / (number - self.done) * (self.n_steps - number)
        self.console.print(
            f"step {number} of {self.n_steps}  {description}  {duration(left)} left",
            soft_wrap=True,
        )

    def retry(self, number: int, epoch: int, scale: float) -> None:
        """Log that step `number` overflowed and is tried again, with the loss scaled by `scale`."""
        self._row("retry", number, epoch, {"scale": scale})
        self.console.print(f"step {number}: overflow; again, with the loss scaled by {scale:g}")

    def budget(self, number: int, epoch: int, pixel_budget: int) -> None:
        """Log that memory ran out in step `number`; micro-batches have `pixel_budget` from now
        on."""
        self._row("budget", number, epoch, {"pixel_budget": pixel_budget})
        self.console.print(
            f"step {number}: memory ran out and the step was cut finer; "
            f"the pixel budget is {pixel_budget:,} from now on"
        )

    def skipped(
        self, number: int, epoch: int, file_name: str, reason: str, *, validating: bool
    ) -> None:
        """Log that a log was left out because it could not be read in step `number`, or in the
        validation after it."""
        values = {"file_name": file_name, "reason": reason, "validating": validating}
        self._row("skipped", number, epoch, values)
        self.left_out[file_name] += 1
        self.console.print(f"step {number}: left out {file_name}: {reason}", soft_wrap=True)

    def end(self, *, scored: bool) -> None:
        """Print at the end of a run which logs were left out, and how often; and whether no epoch
        could be scored, so that there are no best weights."""
        if not scored:
            self.console.print(
                "no best weights: no log to validate on could be read and has a labelled curve"
            )
        if self.left_out:
            listed = ", ".join(f"{name} ({n} times)" for name, n in self.left_out.items())
            self.console.print(f"{len(self.left_out)} logs were left out: {listed}", soft_wrap=True)

    def memory(
        self, number: int, epoch: int, *, pixels: int, predicted: int, measured: int, plan: str
    ) -> None:
        """Log the memory that the widest micro-batch took beyond what stays after it, bytes, before
        step `number + 1`."""
        values = {"pixels": pixels, "predicted": predicted, "measured": measured, "plan": plan}
        self._row("memory", number, epoch, values)
        seen = f", {format_bytes(measured)} measured" if measured else ""
        self.console.print(
            f"memory: {plan}; widest micro-batch, {pixels:,} px: {format_bytes(predicted)} "
            f"predicted{seen}"
        )

    def epoch(
        self,
        number: int,
        epoch: int,
        summary: Summary,
        validation_loss: float | None,
        *,
        best: bool,
        pictures: Sequence[Picture] = (),
    ) -> None:
        """Log the end of an epoch, `number` steps into the run, with its validation. `best` says
        that no epoch before had so high a score."""
        now = time.monotonic()
        seconds, self.epoch_began = now - self.epoch_began, now
        losses = {
            "training_loss": mean_loss(self.costs.get(epoch, ())),
            "validation_loss": validation_loss,
        }
        scores = {
            name: value for name, value in asdict(summary).items() if name not in _NOT_OF_EPOCHS
        }
        measured = {**losses, "epoch_seconds": round(seconds, 3), "best": best}
        self._row("epoch", number, epoch, {**scores, **measured})
        f1 = {name: curve.within_1_px.f1 for name, curve in summary.curves.items()}
        self._plot({f"{name}/F1 within 1 px": value for name, value in f1.items()}, number)
        self._plot({f"epoch/{name}": value for name, value in losses.items()}, number)
        self._plot({"epoch/seconds": seconds}, number)
        for k, picture in enumerate(pictures, start=1):
            self._show(f"validation/log {k}", picture, number)
        known = {name.replace("_", " "): value for name, value in losses.items()}
        words = [f"{name} {value:.4f}" for name, value in known.items() if value is not None]
        words += [
            f"{name}: no score, for none of its pixels is labelled"
            if value is None
            else f"{name}: F1 within 1 px {value:.3f}"
            for name, value in f1.items()
        ]
        words += [duration(seconds), *(["* best so far"] if best else [])]
        self.console.print("  ".join([f"epoch {epoch + 1}", *words]), soft_wrap=True)

    def _row(self, kind: str, number: int, epoch: int, values: dict[str, Any]) -> None:
        row = {"kind": kind, "step": number, "epoch": epoch, **values}
        row["seconds"] = round(time.monotonic() - self.started, 3)
        if self.file is not None:
            with with_filename(self.path):
                self.file.write(json.dumps(row) + "\n")
                self.file.flush()

    def _plot(self, values: Mapping[str, float | None], number: int) -> None:
        if self.board is not None:
            for name, value in values.items():
                if value is not None:
                    self.board.add_scalar(name, value, number)  # pyright: ignore[reportUnknownMemberType]: untyped in torch

    def _show(self, name: str, picture: Picture, number: int) -> None:
        if self.board is not None:
            self.board.add_image(name, picture, number, dataformats="HWC")  # pyright: ignore[reportUnknownMemberType]: untyped in torch


def duration(seconds: float) -> str:
    """Return a time in words, to two digits or so."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 99.5:
        return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f} s"
    return f"{minutes} min" if minutes < 100 else f"{hours} h"

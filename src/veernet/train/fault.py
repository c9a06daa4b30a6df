"""Record steps whose loss or gradient is not finite, and replay them."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from veernet.data.loader import Loader
from veernet.data.schedule import Step
from veernet.data.split import Split
from veernet.errors import RunError
from veernet.files import read_json, validate, write_json
from veernet.step import StepResult, train_step
from veernet.train.checkpoint import Progress, TrainState, read_checkpoint, save_checkpoint
from veernet.train.run import Config, archive_of, check_same_data, determinism, fingerprints

FAULTS = "faults"
"""Folder of failed steps inside that of a run; each is named after its number."""

_FAULT, _BEFORE = "fault.json", "before.safetensors"


@dataclass(frozen=True, kw_only=True)
class LogOfStep:
    """A log that took part in a step."""

    index: int
    """Index of the log in the training split."""
    file_name: str
    height: int
    width: int


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Step whose loss or gradient was not finite, with everything needed to run it again."""

    step: int
    """Number of the step in the run, from 1."""
    epoch: int
    """Number of the epoch, from 0."""
    seed: int
    loss: str
    """Mean loss over the logs, as text, since JSON has no word for NaN and infinity."""
    grad_norm: str
    learning_rate: float
    micro_batches: tuple[tuple[LogOfStep, ...], ...]


def write_fault(
    run: Path,
    number: int,
    state: Progress,
    config: Config,
    trained: TrainState,
    cut: Step,
    split: Split,
    result: StepResult,
) -> Path:
    """Write a failed step, and the state of the run before it; return its folder."""
    folder = run / FAULTS / f"{number:08d}"

    def log(index: int) -> LogOfStep:
        row = split.rows[index]
        return LogOfStep(index=index, file_name=row.file_name, height=row.height, width=row.width)

    fault = Fault(
        step=number,
        epoch=state.epoch,
        seed=config.training.schedule.seed,
        loss=f"{result.loss.item():g}",
        grad_norm=f"{result.grad_norm.item():g}",
        learning_rate=trained.optimizer.param_groups[0]["lr"],
        micro_batches=tuple(tuple(log(i) for i in batch) for batch in cut),
    )
    save_checkpoint(folder / _BEFORE, state, config.to_dict(), trained)
    write_json(folder / _FAULT, asdict(fault))
    return folder


@dataclass(frozen=True, kw_only=True)
class ReplayResult:
    """Results of a step that was run again."""

    fault: Fault
    per_log: tuple[tuple[LogOfStep, StepResult | None], ...]
    """Result of every log by itself, in the order of the step; None if the log cannot be read."""
    whole: StepResult
    """Result of all logs that can be read, in the micro-batches of the step."""


def replay(folder: Path, *, device: torch.device) -> ReplayResult:
    """Run a step again that `fit` recorded: first every log alone, then the whole step. No weights
    are updated.

    Raises:
        RunError: there is no such step in `folder`, or its archive has changed.
        CheckpointError: the state of the run before the step cannot be read.
    """
    path = folder / _FAULT
    missing = f"{folder}: no step that went wrong here ({_FAULT} is missing)"
    fault = validate(
        Fault, read_json(path, error=RunError, missing=missing), where=str(path), error=RunError
    )
    before = read_checkpoint(folder / _BEFORE)
    config = validate(Config, before.config, where=str(before.path), error=RunError)
    archive, how = archive_of(folder, config), config.training
    split = archive.split("train")
    check_same_data(folder, config, fingerprints(split, archive.split("val")))
    trained = TrainState.new(how, device)
    before.restore(trained)
    trained.model.activation_checkpointing = before.progress.activation_checkpointing
    _check_logs(path, fault, split)
    reader = Loader(split=split, on_error="skip")

    def take(cut: Sequence[Sequence[LogOfStep]]) -> StepResult | None:
        read = (reader.read(tuple(log.index for log in batch))[0] for batch in cut)
        batches = [batch for batch in read if batch is not None]
        if not batches:
            return None
        return train_step(
            trained.model,
            _still(trained.model),
            how.loss,
            batches,
            device=device,
            autocast=how.autocast,
            clip=how.clip,
            scaler=deepcopy(trained.scaler),
        )

    with determinism(config.deterministic):
        logs = [log for batch in fault.micro_batches for log in batch]
        whole = take(fault.micro_batches)
        if whole is None:
            raise RunError(f"{path}: none of the {len(logs)} logs of the step can be read")
        return ReplayResult(
            fault=fault, per_log=tuple((log, take([[log]])) for log in logs), whole=whole
        )


def _check_logs(path: Path, fault: Fault, split: Split) -> None:
    for batch in fault.micro_batches:
        for log in batch:
            known = 0 <= log.index < len(split)
            if not known or split.rows[log.index].file_name != log.file_name:
                raise RunError(f"{path}: {log.file_name} is not log {log.index} of the archive")


def _still(model: nn.Module) -> torch.optim.Optimizer:
    """Make an optimizer that changes nothing: SGD with a learning rate of 0."""
    return torch.optim.SGD(model.parameters(), lr=0.0)


def fault_rows(replayed: ReplayResult) -> list[dict[str, Any]]:
    """Return the logs of a replayed step as plain data."""
    return [
        {
            **asdict(log),
            "loss": _loss(result),
            "grad_norm": "" if result is None else f"{result.grad_norm.item():g}",
            "finite": result is None or result.applied,
        }
        for log, result in replayed.per_log
    ]


def _loss(result: StepResult | None) -> str:
    if result is None:
        return "unreadable"
    no_label = result.applied and bool(result.loss.isnan())
    return "no label" if no_label else f"{result.loss.item():g}"

"""Checkpoints of a training: written whole, checked when read, and never unpickled."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from veernet.errors import CheckpointError
from veernet.files import validate
from veernet.memory.plan import StoredCheckpointing
from veernet.model import VeerNet
from veernet.training import Training
from veernet.weights import fill, read_tensors, unseal, write_tensors

CHECKPOINTS = "checkpoints"
"""Folder of the last checkpoints inside that of a run; each is named after the number of steps
done."""

DAMAGED = ".damaged"
"""Suffix of the name of a checkpoint that could not be read."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Progress of a run, between two steps."""

    epoch: int = 0
    """Number of whole epochs done."""
    step: int = 0
    """Number of steps done in the current epoch."""
    best: float = -1.0
    """Best validation score so far; -1 before the first."""
    pixel_budget: int | None = None
    """Pixel budget from now on, where a plan or full memory changed that of the settings; else
    None."""
    activation_checkpointing: StoredCheckpointing = "none"
    """Activations that are computed a second time in the backward pass."""

    def __post_init__(self) -> None:
        if min(self.epoch, self.step) < 0 or (self.pixel_budget or 1) < 1:
            raise ValueError(f"no place in a run: {self}")


@dataclass(frozen=True, kw_only=True)
class TrainState:
    """State that changes while a run learns. The learning rate follows from the step."""

    model: VeerNet
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler

    @staticmethod
    def new(training: Training, device: torch.device) -> "TrainState":
        """Make the state before the first step; weights are drawn from torch's random state."""
        model = VeerNet(training.network).to(device, training.dtype)
        return TrainState(
            model=model,
            optimizer=torch.optim.AdamW(model.parameters(), weight_decay=training.weight_decay),
            scaler=torch.amp.GradScaler(device.type, enabled=training.precision == "fp16"),
        )

    def tensors(self) -> dict[str, Tensor]:
        """Weights, optimizer moments and random states, named for one file."""
        moments: dict[int, dict[str, Tensor]] = self.optimizer.state_dict()["state"]
        device = next(self.model.parameters()).device
        return {
            **{f"model.{name}": value for name, value in self.model.state_dict().items()},
            **{f"optimizer.{i}.{k}": v for i, one in moments.items() for k, v in one.items()},
            "random.cpu": torch.get_rng_state(),
            **({"random.cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}),
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain data of the optimizer and the scaler, besides their tensors."""
        groups = self.optimizer.state_dict()["param_groups"]
        return {"param_groups": groups, "scaler": self.scaler.state_dict()}


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Checkpoint of a run, as read from its file."""

    path: Path
    progress: Progress
    config: dict[str, Any]
    """Settings of the run."""
    settings: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def weights(self) -> dict[str, Tensor]:
        """Weights of the network."""
        return {
            name.removeprefix("model."): value
            for name, value in self.tensors.items()
            if name.startswith("model.")
        }

    def restore(self, trained: TrainState) -> None:
        """Restore network, optimizer, scaler and random states.

        Raises:
            CheckpointError: the checkpoint is of another network or optimizer.
        """
        fill(trained.model, self.weights, self.path)
        try:
            self._restore_optimizer(trained)
            torch.set_rng_state(self.tensors["random.cpu"])
            device = next(trained.model.parameters()).device
            if device.type == "cuda" and "random.cuda" in self.tensors:
                torch.cuda.set_rng_state(self.tensors["random.cuda"], device)
        except Exception as other:  # missing entries, other types or shapes
            raise CheckpointError(f"{self.path}: of another optimizer ({other!r})") from other

    def _restore_optimizer(self, trained: TrainState) -> None:
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in self.tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".")
                moments.setdefault(int(index), {})[key] = value
        now = trained.optimizer.state_dict()["param_groups"]
        groups = self.settings["param_groups"]
        if [_kinds(group) for group in groups] != [_kinds(group) for group in now]:
            raise ValueError("settings of other names or types")
        trained.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        trained.scaler.load_state_dict(self.settings["scaler"])
        for p, state in trained.optimizer.state.items():
            if any(value.shape not in (p.shape, torch.Size()) for value in state.values()):
                raise ValueError("moments of other shapes")


def save_checkpoint(
    path: Path, state: Progress, config: Mapping[str, Any], trained: TrainState
) -> None:
    """Write everything on which the rest of a run depends.

    Raises:
        CheckpointError: the disk does not take it; older checkpoints are unchanged.
    """
    about = {"state": asdict(state), "config": dict(config), "plain": trained.to_dict()}
    write_tensors(path, "checkpoint", about, trained.tensors())


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint that `save_checkpoint` wrote.

    Raises:
        CheckpointError: the file is damaged, or is no checkpoint.
    """
    tensors, metadata = read_tensors(path)
    try:
        about = unseal(metadata["checkpoint"], tensors)
        config, plain, state = (about[name] for name in ("config", "plain", "state"))
        if not all(isinstance(table, dict) for table in (config, plain)):
            raise TypeError("settings that are no table")
    except (LookupError, TypeError, ValueError, RecursionError) as broken:
        raise CheckpointError(f"{path}: not a whole checkpoint ({broken})") from broken
    return Checkpoint(
        path=path,
        progress=validate(Progress, state, where=str(path), error=CheckpointError),
        config=config,
        settings=plain,
        tensors=tensors,
    )


def checkpoint_path(run: Path, done: int) -> Path:
    """Path of the checkpoint after `done` steps in the folder of a run."""
    return run / CHECKPOINTS / f"{done:08d}.safetensors"


_NAME = re.compile(r"\d{8,}\.safetensors")


def checkpoints(run: Path) -> list[Path]:
    """List the checkpoints of a run, newest first."""
    found = (run / CHECKPOINTS).glob("[0-9]*.safetensors")
    return sorted((path for path in found if _NAME.fullmatch(path.name)), reverse=True)


def newest_checkpoint(run: Path) -> tuple[Checkpoint | None, dict[Path, str]]:
    """Read the newest whole checkpoint of a run, None if it has none; also return the damaged ones
    after it with their errors, by path.

    Raises:
        CheckpointError: there are checkpoints, and none is whole.
    """
    damaged: dict[Path, str] = {}
    for path in checkpoints(run):
        try:
            return read_checkpoint(path), damaged
        except CheckpointError as fault:
            damaged[path] = str(fault)
    if damaged:
        first = next(iter(damaged.values()))
        raise CheckpointError(f"{first}; none of the {len(damaged)} checkpoints here is whole")
    return None, damaged


def set_aside(paths: Iterable[Path]) -> None:
    """Rename damaged checkpoints, so that they no longer count."""
    for path in paths:
        path.replace(path.with_name(path.name + DAMAGED))


def prune(run: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints of a run."""
    for old in checkpoints(run)[keep:]:
        old.unlink(missing_ok=True)


def _kinds(group: Mapping[str, Any]) -> dict[str, Any]:
    """Map an optimizer's settings to the names of their types, as JSON holds them; its parameters
    to their numbers."""
    plain = json.loads(json.dumps(dict(group)))
    kinds = {name: type(value).__name__ for name, value in plain.items()}
    return {**kinds, "params": plain["params"], "betas": len(plain["betas"])}

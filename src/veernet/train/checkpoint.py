"""The state of a training on disk: written whole, checked when read, and never unpickled."""

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
"""Folder of the last checkpoints of a run, inside its own; each is named after the steps done."""

DAMAGED = ".damaged"
"""What the name of a checkpoint ends in once it could not be read."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A run between two steps."""

    epoch: int = 0
    """Epochs that are whole."""
    step: int = 0
    """Steps done of the epoch after them."""
    best: float = -1.0
    """The best validation score so far; -1 before the first."""
    pixel_budget: int | None = None
    """Of the schedule from now on, where a plan or full memory changed that of the settings."""
    activation_checkpointing: StoredCheckpointing = "none"
    """Features that the backward computes again."""

    def __post_init__(self) -> None:
        if min(self.epoch, self.step) < 0 or (self.pixel_budget or 1) < 1:
            raise ValueError(f"no place in a run: {self}")


@dataclass(frozen=True, kw_only=True)
class TrainState:
    """What changes while a run learns. The learning rate follows from the step."""

    model: VeerNet
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler

    @staticmethod
    def new(training: Training, device: torch.device) -> "TrainState":
        """Before the first step; the weights are drawn from torch's random state."""
        model = VeerNet(training.network).to(device, training.dtype)
        return TrainState(
            model=model,
            optimizer=torch.optim.AdamW(model.parameters(), weight_decay=training.weight_decay),
            scaler=torch.amp.GradScaler(device.type, enabled=training.precision == "fp16"),
        )

    def tensors(self) -> dict[str, Tensor]:
        """Weights, moments and random states, by names in one file."""
        moments: dict[int, dict[str, Tensor]] = self.optimizer.state_dict()["state"]
        device = next(self.model.parameters()).device
        return {
            **{f"model.{name}": value for name, value in self.model.state_dict().items()},
            **{f"optimizer.{i}.{k}": v for i, one in moments.items() for k, v in one.items()},
            "random.cpu": torch.get_rng_state(),
            **({"random.cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}),
        }

    def plain(self) -> dict[str, Any]:
        """All else that the optimizer and the scaler remember."""
        groups = self.optimizer.state_dict()["param_groups"]
        return {"param_groups": groups, "scaler": self.scaler.state_dict()}


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A run as it was written down."""

    path: Path
    state: Progress
    config: dict[str, Any]
    """The settings of the run."""
    settings: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def weights(self) -> dict[str, Tensor]:
        """Those of the network."""
        return {
            name.removeprefix("model."): value
            for name, value in self.tensors.items()
            if name.startswith("model.")
        }

    def restore(self, trained: TrainState) -> None:
        """Put network, optimizer, scaler and random states where they were.

        Raises:
            CheckpointError: it is of another network or optimizer.
        """
        fill(trained.model, self.weights, self.path)
        try:
            self._restore_optimizer(trained)
            torch.set_rng_state(self.tensors["random.cpu"])
            device = next(trained.model.parameters()).device
            if device.type == "cuda" and "random.cuda" in self.tensors:
                torch.cuda.set_rng_state(self.tensors["random.cuda"], device)
        except Exception as other:  # what is missing, or of another type or shape
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
    """Write everything that the rest of a run depends on.

    Raises:
        CheckpointError: the disk does not take it; older checkpoints are as they were.
    """
    about = {"state": asdict(state), "config": dict(config), "plain": trained.plain()}
    write_tensors(path, "checkpoint", about, trained.tensors())


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `save_checkpoint` wrote.

    Raises:
        CheckpointError: it is damaged, or something else.
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
        state=validate(Progress, state, where=str(path), error=CheckpointError),
        config=config,
        settings=plain,
        tensors=tensors,
    )


def checkpoint_path(run: Path, done: int) -> Path:
    """Where the checkpoint after `done` steps lies in the folder of a run."""
    return run / CHECKPOINTS / f"{done:08d}.safetensors"


_NAME = re.compile(r"\d{8,}\.safetensors")


def checkpoints(run: Path) -> list[Path]:
    """The checkpoints of a run, newest first."""
    found = (run / CHECKPOINTS).glob("[0-9]*.safetensors")
    return sorted((path for path in found if _NAME.fullmatch(path.name)), reverse=True)


def newest_checkpoint(run: Path) -> tuple[Checkpoint | None, dict[Path, str]]:
    """The newest checkpoint of a run that is whole, None if it has none; and what is wrong with
    those after it, by their paths.

    Raises:
        CheckpointError: there are some, and none is whole.
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
    """Rename damaged checkpoints, so that they count no longer."""
    for path in paths:
        path.replace(path.with_name(path.name + DAMAGED))


def prune(run: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints of a run."""
    for old in checkpoints(run)[keep:]:
        old.unlink(missing_ok=True)


def _kinds(group: Mapping[str, Any]) -> dict[str, Any]:
    """Names and types of an optimizer's settings, as JSON holds them; its parameters by number."""
    plain = json.loads(json.dumps(dict(group)))
    kinds = {name: type(value).__name__ for name, value in plain.items()}
    return {**kinds, "params": plain["params"], "betas": len(plain["betas"])}

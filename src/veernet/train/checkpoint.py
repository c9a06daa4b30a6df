"""Weights and training state on disk: written whole, checked when read, and never unpickled."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from veernet.distributed import digest
from veernet.errors import CheckpointError
from veernet.files import parse, replacing
from veernet.model import Network, Recompute, VeerNet
from veernet.train.config import Training

WEIGHTS = "best.safetensors"
"""The weights of the epoch that validated best, inside the folder of a run."""

SHIPPED = Path(__file__).parents[1] / "weights.safetensors"
"""Weights that come with VeerNet: background and two curves; docs/model-card.md tells of them."""

CHECKPOINTS = "checkpoints"
"""Folder of the last checkpoints of a run, inside its own; each is named after the steps done."""

DAMAGED = ".damaged"
"""What the name of a checkpoint ends in once it could not be read."""

MAX_BYTES = 2**34
"""The largest file of weights or checkpoint read."""


def save_weights(path: Path, model: VeerNet) -> None:
    """Write a network and its weights, for use, as safetensors.

    Raises:
        CheckpointError: a weight is not finite, or the disk does not take them; an older file is
            as it was.
    """
    tensors = model.state_dict()
    _check_finite(path, tensors)
    _write(path, "weights", asdict(model.network), tensors)


def load_weights(path: Path = SHIPPED) -> VeerNet:
    """Read a network written by `save_weights`; `path` may be the folder of a run.

    Raises:
        CheckpointError: no such file, damaged, of another network, or not finite.
    """
    if path.is_dir():
        path = path / WEIGHTS
    if not path.exists():
        raise CheckpointError(
            f"{path}: no such weights; `veernet train` writes them after an epoch"
        )
    tensors, metadata = _read(path)
    about = _network(path, tensors, metadata)
    if about is None:
        raise CheckpointError(f"{path}: weights of another network: not written by VeerNet")
    network = parse(Network, about, where=str(path), error=CheckpointError)
    _check_room(path, network, tensors)
    _check_finite(path, tensors)
    model = VeerNet(network)
    _fill(model, tensors, path)
    return model.eval()


def not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """Name the first tensor that holds NaN or infinity, and count them; None if none does."""
    for name, value in tensors.items():
        if wrong := int((~value.isfinite()).sum()):
            return f"{wrong:,} of the {value.numel():,} weights of {name} are NaN or infinite"
    return None


@dataclass(frozen=True, kw_only=True)
class State:
    """A run between two steps."""

    epoch: int = 0
    """Epochs that are whole."""
    step: int = 0
    """Steps done of the epoch after them."""
    best: float = -1.0
    """The best validation score so far; -1 before the first."""
    pixel_budget: int | None = None
    """Of the schedule from now on, where a plan or full memory changed that of the settings."""
    recompute: Recompute = "nothing"
    """Features that the backward computes again."""

    def __post_init__(self) -> None:
        if min(self.epoch, self.step) < 0 or (self.pixel_budget or 1) < 1:
            raise ValueError(f"no place in a run: {self}")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What changes while a run learns. The learning rate follows from the step."""

    model: VeerNet
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler

    @staticmethod
    def new(training: Training, device: torch.device) -> "Trained":
        """Before the first step; the weights are drawn from torch's random state."""
        model = VeerNet(training.network).to(device, training.dtype)
        return Trained(
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
    state: State
    config: dict[str, Any]
    """The settings of the run."""
    plain: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def weights(self) -> dict[str, Tensor]:
        """Those of the network."""
        return {
            name.removeprefix("model."): value
            for name, value in self.tensors.items()
            if name.startswith("model.")
        }

    def restore(self, trained: Trained) -> None:
        """Put network, optimizer, scaler and random states where they were.

        Raises:
            CheckpointError: it is of another network or optimizer.
        """
        _fill(trained.model, self.weights, self.path)
        try:
            self._restore_optimizer(trained)
            torch.set_rng_state(self.tensors["random.cpu"])
            device = next(trained.model.parameters()).device
            if device.type == "cuda" and "random.cuda" in self.tensors:
                torch.cuda.set_rng_state(self.tensors["random.cuda"], device)
        except Exception as other:  # what is missing, or of another type or shape
            raise CheckpointError(f"{self.path}: of another optimizer ({other!r})") from other

    def _restore_optimizer(self, trained: Trained) -> None:
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in self.tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".")
                moments.setdefault(int(index), {})[key] = value
        now = trained.optimizer.state_dict()["param_groups"]
        groups = self.plain["param_groups"]
        if [_kinds(group) for group in groups] != [_kinds(group) for group in now]:
            raise ValueError("settings of other names or types")
        trained.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        trained.scaler.load_state_dict(self.plain["scaler"])
        for p, state in trained.optimizer.state.items():
            if any(value.shape not in (p.shape, torch.Size()) for value in state.values()):
                raise ValueError("moments of other shapes")


def save_checkpoint(path: Path, state: State, config: Mapping[str, Any], trained: Trained) -> None:
    """Write everything that the rest of a run depends on.

    Raises:
        CheckpointError: the disk does not take it; older checkpoints are as they were.
    """
    about = {"state": asdict(state), "config": dict(config), "plain": trained.plain()}
    _write(path, "checkpoint", about, trained.tensors())


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `save_checkpoint` wrote.

    Raises:
        CheckpointError: it is damaged, or something else.
    """
    tensors, metadata = _read(path)
    try:
        about = _unsealed(metadata["checkpoint"], tensors)
        config, plain, state = about["config"], about["plain"], about["state"]
        if not isinstance(config, dict) or not isinstance(plain, dict):
            raise TypeError("settings that are no table")
    except (LookupError, TypeError, ValueError, RecursionError) as broken:
        raise CheckpointError(f"{path}: not a whole checkpoint ({broken})") from broken
    return Checkpoint(
        path=path,
        state=parse(State, state, where=str(path), error=CheckpointError),
        config=config,
        plain=plain,
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


def _write(path: Path, kind: str, about: Any, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors and plain data about them, with a digest of both."""
    told = json.dumps(about)
    # One entry, for the order of several is left to chance.
    metadata = {kind: json.dumps({"sha256": _digest(told, tensors), "about": told})}
    whole = {name: value.contiguous() for name, value in tensors.items()}
    try:
        with replacing(path, sure=True) as temporary:
            # Not save_file: it writes under a name of its own, which a kill would leave behind.
            temporary.write_bytes(save(whole, metadata))
    except OSError as failed:
        reason = failed.strerror or failed
        raise CheckpointError(
            f"{path}: could not be written ({reason}); what was written before is as it was"
        ) from failed


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file, whose header must agree with its length."""
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ValueError(f"{size:,} bytes are more than the {MAX_BYTES:,} allowed")
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except (SafetensorError, ValueError, OSError) as broken:
        raise CheckpointError(f"{path}: not readable as safetensors ({broken})") from broken


def _kinds(group: Mapping[str, Any]) -> dict[str, Any]:
    """Names and types of an optimizer's settings, as JSON holds them; its parameters by number."""
    plain = json.loads(json.dumps(dict(group)))
    kinds = {name: type(value).__name__ for name, value in plain.items()}
    return {**kinds, "params": plain["params"], "betas": len(plain["betas"])}


def _digest(told: str, tensors: Mapping[str, Tensor]) -> str:
    return digest([told, sorted(tensors.items())])


def _unsealed(entry: str, tensors: Mapping[str, Tensor]) -> Any:
    """The plain data that `_write` put beside `tensors`; raises where the digest is another."""
    sealed = json.loads(entry)
    told, expected = sealed["about"], sealed["sha256"]
    if _digest(told, tensors) != expected:
        raise ValueError("its SHA-256 is not the one that was written")
    return json.loads(told)


def _network(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Any:
    """The shape of the network that weights are of, as plain data; None where the file has none."""
    try:
        if "weights" in metadata:
            return _unsealed(metadata["weights"], tensors)
        return json.loads(metadata.get("network", "null"))  # as written before there were digests
    except (LookupError, TypeError, ValueError, RecursionError) as broken:
        raise CheckpointError(f"{path}: not whole weights ({broken})") from broken


def _check_room(path: Path, network: Network, tensors: Mapping[str, Tensor]) -> None:
    """Before memory is taken for a network, whether the file holds one of that size."""
    with torch.device("meta"):
        needed = sum(p.numel() for p in VeerNet(network).parameters())
    if needed > sum(value.numel() for value in tensors.values()):
        raise CheckpointError(f"{path}: weights of another network, of {needed:,} parameters")


def _check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    if (wrong := not_finite(tensors)) is not None:
        raise CheckpointError(f"{path}: {wrong}; take weights of an earlier epoch or another run")


def _fill(model: VeerNet, tensors: dict[str, Tensor], path: Path) -> None:
    try:
        model.load_state_dict(tensors)
    except RuntimeError as other:
        reason = " ".join(str(other).split())[:300]
        raise CheckpointError(f"{path}: weights of another network ({reason})") from other

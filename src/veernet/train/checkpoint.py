"""Weights and training state on disk: written whole, read without trust."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from veernet.errors import CheckpointError
from veernet.files import parse, replacing
from veernet.model import Network, Recompute, VeerNet

WEIGHTS = "best.safetensors"
"""The weights of the epoch that validated best, inside the folder of a run."""

STATE = "checkpoint.pt"
"""All that a run needs to go on, inside its folder."""


def save_weights(path: Path, model: VeerNet) -> None:
    """Write a network and its weights, for use, as safetensors."""
    tensors = {name: value.contiguous() for name, value in model.state_dict().items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, {"network": json.dumps(asdict(model.network))})


def load_weights(path: Path) -> VeerNet:
    """Read a network written by `save_weights`; `path` may be the folder of a run.

    Raises:
        CheckpointError: no such file, damaged, or of another network.
    """
    if path.is_dir():
        path = path / WEIGHTS
    if not path.exists():
        raise CheckpointError(
            f"{path}: no such weights; `veernet train` writes them after an epoch"
        )
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("network", "null"))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError) as broken:
        raise CheckpointError(f"{path}: not readable as safetensors ({broken})") from broken
    if about is None:
        raise CheckpointError(f"{path}: weights of another network: not written by VeerNet")
    model = VeerNet(parse(Network, about, where=str(path), error=CheckpointError))
    _fill(model, state, path)
    return model.eval()


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
    """What the backward computes again."""


def save_state(
    path: Path,
    state: State,
    model: VeerNet,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> None:
    """Write everything that the rest of the run depends on."""
    with replacing(path) as temporary:
        torch.save(
            {
                "state": asdict(state),
                "network": asdict(model.network),
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scaler": scaler.state_dict(),
            },
            temporary,
        )


def load_state(
    path: Path,
    model: VeerNet,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> State:
    """Put the model, the optimizer and the scaler where `save_state` left them.

    Raises:
        CheckpointError: no such file, damaged, or of another network.
    """
    device = next(model.parameters()).device
    try:
        saved: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        network, state = saved["network"], State(**saved["state"])
        weights, moments, scale = saved["model"], saved["optimizer"], saved["scaler"]
    except FileNotFoundError as missing:
        raise CheckpointError(f"{path}: no checkpoint to resume from") from missing
    except Exception as broken:  # torch.load raises anything from EOFError to UnpicklingError
        raise CheckpointError(f"{path}: not a readable checkpoint ({broken})") from broken
    if parse(Network, network, where=str(path), error=CheckpointError) != model.network:
        raise CheckpointError(f"{path}: of another network: {network}, not {model.network}")
    _fill(model, weights, path)
    optimizer.load_state_dict(moments)
    scaler.load_state_dict(scale)
    return state


def _fill(model: VeerNet, tensors: dict[str, Tensor], path: Path) -> None:
    try:
        model.load_state_dict(tensors)
    except RuntimeError as other:
        reason = " ".join(str(other).split())[:300]
        raise CheckpointError(f"{path}: weights of another network ({reason})") from other

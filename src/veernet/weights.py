"""Weights on disk and in the package: written whole, checked when read, and never unpickled."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from veernet.distributed import digest
from veernet.errors import CheckpointError
from veernet.files import atomic_write, validate
from veernet.model import VeerNet, VeerNetConfig

BEST = "best.safetensors"
"""Weights of the epoch with the best validation, inside the folder of a run."""


PRETRAINED = Path(__file__).with_name("pretrained.safetensors")
"""Weights that come with VeerNet, for background and two curves; see docs/model-card.md."""


MAX_BYTES = 2**34
"""Largest file of weights, or checkpoint, that is read."""


def save_weights(path: str | Path, model: VeerNet) -> None:
    """Write a network and its weights as safetensors, for inference.

    Raises:
        CheckpointError: a weight is not finite, or the disk does not take the file; an older file
            is unchanged.
    """
    path, tensors = Path(path), model.state_dict()
    _check_finite(path, tensors)
    write_tensors(path, "weights", asdict(model.config), tensors)


def load_weights(source: Path | str = "pretrained") -> VeerNet:
    """Load `pretrained` weights, which come with VeerNet, or those of a file that `save_weights`
    wrote, or the best ones in the folder of a run.

    >>> load_weights().config.num_curves
    2

    Raises:
        CheckpointError: there is no such file, or it is damaged, of another network, or not finite.
    """
    path = weights_file(source)
    if not path.exists():
        if source == "shipped":
            raise CheckpointError("no weights `shipped`; they are called `pretrained` now")
        raise CheckpointError(
            f"{path}: no such weights; `veernet train` writes them after an epoch"
        )
    tensors, metadata = read_tensors(path)
    about = _network(path, tensors, metadata)
    if about is None:
        raise CheckpointError(f"{path}: weights of another network: not written by VeerNet")
    network = validate(VeerNetConfig, about, where=str(path), error=CheckpointError)
    _check_room(path, network, tensors)
    _check_finite(path, tensors)
    model = VeerNet(network)
    fill(model, tensors, path)
    return model.eval()


def weights_file(source: Path | str) -> Path:
    """Return the file that holds `pretrained` weights, those of a file, or of the folder of a
    run."""
    path = PRETRAINED if source == "pretrained" else Path(source)
    return path / BEST if path.is_dir() else path


def not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """Name the first tensor that holds NaN or infinity, and count such tensors; None if all are
    finite."""
    for name, value in tensors.items():
        if wrong := int((~value.isfinite()).sum()):
            return f"{wrong:,} of the {value.numel():,} weights of {name} are NaN or infinite"
    return None


def write_tensors(path: Path, kind: str, about: Any, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors and plain data about them, with a digest of both, as safetensors.

    Raises:
        CheckpointError: the disk does not take the file; an older file is unchanged.
    """
    about_json = json.dumps(about)
    # One entry, since the order of several varies.
    metadata = {kind: json.dumps({"sha256": _digest(about_json, tensors), "about": about_json})}
    whole = {name: value.contiguous() for name, value in tensors.items()}
    try:
        with atomic_write(path, durable=True) as temporary:
            # Not save_file: it writes to a name of its own, which a kill would leave behind.
            temporary.write_bytes(save(whole, metadata))
    except OSError as failed:
        reason = failed.strerror or failed
        raise CheckpointError(
            f"{path}: could not be written ({reason}); what was written before is as it was"
        ) from failed


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors and metadata of a safetensors file, whose header must agree with its length.

    Raises:
        CheckpointError: the file is damaged, or larger than `MAX_BYTES`.
    """
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ValueError(f"{size:,} bytes are more than the {MAX_BYTES:,} allowed")
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except (SafetensorError, ValueError, OSError) as broken:
        raise CheckpointError(f"{path}: not readable as safetensors ({broken})") from broken


def _digest(about_json: str, tensors: Mapping[str, Tensor]) -> str:
    return digest([about_json, sorted(tensors.items())])


def unseal(entry: str, tensors: Mapping[str, Tensor]) -> Any:
    """Read the plain data that `write_tensors` stored with `tensors`.

    Raises:
        ValueError: the digest does not match.
    """
    sealed = json.loads(entry)
    about_json, expected = sealed["about"], sealed["sha256"]
    if _digest(about_json, tensors) != expected:
        raise ValueError("its SHA-256 is not the one that was written")
    return json.loads(about_json)


def _network(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Any:
    """Return the settings of the network that weights belong to, as plain data; None if the file
    has none."""
    try:
        if "weights" in metadata:
            return unseal(metadata["weights"], tensors)
        return json.loads(metadata.get("network", "null"))  # files from before digests
    except (LookupError, TypeError, ValueError, RecursionError) as broken:
        raise CheckpointError(f"{path}: not whole weights ({broken})") from broken


def _check_room(path: Path, network: VeerNetConfig, tensors: Mapping[str, Tensor]) -> None:
    """Check that the file holds a network of the given size, before allocating memory for it."""
    with torch.device("meta"):
        needed = sum(p.numel() for p in VeerNet(network).parameters())
    if needed > sum(value.numel() for value in tensors.values()):
        raise CheckpointError(f"{path}: weights of another network, of {needed:,} parameters")


def _check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    if (wrong := not_finite(tensors)) is not None:
        raise CheckpointError(f"{path}: {wrong}; take weights of an earlier epoch or another run")


def fill(model: VeerNet, tensors: dict[str, Tensor], path: Path) -> None:
    """Load the weights of the file at `path` into a network.

    Raises:
        CheckpointError: the weights are of another network.
    """
    try:
        model.load_state_dict(tensors)
    except RuntimeError as other:
        reason = " ".join(str(other).split())[:300]
        raise CheckpointError(f"{path}: weights of another network ({reason})") from other

"""The folder of a run: what it says of itself, and whether it still fits its archive."""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from veernet.data.archive import Archive, Split, sha256
from veernet.errors import ArchiveError, RunError
from veernet.files import difference, parse, read_json, write_json
from veernet.model import VeerNet
from veernet.synth.make import open_archive
from veernet.train.checkpoint import load_weights, save_weights
from veernet.train.config import Training

CONFIG = "config.json"
"""The settings of a run, inside its folder."""

FIRST = "first.safetensors"
"""Weights that a run began from, inside its folder, where they were not drawn."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the folder of a run says of it: all that it takes to make the run again."""

    archive: str
    logs: dict[str, str]
    """Fingerprints of the splits for training and validation, by their names."""
    training: Training
    first: str | None = None
    """SHA-256 of the weights that the run began from; None where they were drawn."""
    deterministic: bool = False
    """Whether operations that may add up in another order every time are refused."""
    versions: dict[str, str]
    threads: int
    """Of the processes that began the run, each; sums are rounded in another order on others."""

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return json.loads(json.dumps(asdict(self)))


def start(
    run: Path,
    archive: Archive,
    training: Training,
    *,
    first: VeerNet | None = None,
    deterministic: bool = False,
    again: bool = False,
) -> None:
    """Make the folder of a new run and write its settings there.

    Args:
        first: weights to begin from, in place of drawn ones.
        again: the folder may hold a run that was begun on the same data with the same settings.

    Raises:
        RunError: the folder holds a run, or the network does not fit the archive's classes.
        ArchiveError: the archive has nothing to train or to validate on.
    """
    check_fit(archive, training)
    if first is not None and first.network != training.network:
        raise RunError(
            f"{run}: weights of another network to begin from: theirs is {first.network}, the "
            f"run's {training.network}"
        )
    if first is not None and not (run / CONFIG).exists():
        save_weights(run / FIRST, first)
    config = Config(
        archive=str(archive.root.resolve()),
        logs=fingerprints(archive.split("train"), archive.split("val")),
        training=training,
        first=None if first is None else sha256(run / FIRST),
        deterministic=deterministic,
        versions=versions(),
        threads=torch.get_num_threads(),
    )
    if not (run / CONFIG).exists():
        write_json(run / CONFIG, config.plain())
        return
    found = read_config(run)
    if not again or replace(found, versions=config.versions, threads=config.threads) != config:
        raise RunError(f"{run}: holds a run already; go on with `veernet train --resume {run}`")


def read_config(run: Path) -> Config:
    """The settings of the run in folder `run`.

    Raises:
        RunError: there is none, or its settings are damaged.
    """
    missing = f"{run}: no run here ({CONFIG} is missing)"
    return read_config_file(run / CONFIG, missing=missing)


def read_config_file(path: Path, *, missing: str) -> Config:
    """The settings in a file like the `CONFIG` of a run.

    Raises:
        RunError: there is none, in the words of `missing`, or it is damaged.
    """
    table = read_json(path, error=RunError, missing=missing)
    return parse(Config, table, where=str(path), error=RunError)


def first_weights(run: Path, config: Config) -> dict[str, Tensor] | None:
    """The weights that a run began from; None where they were drawn.

    Raises:
        RunError: they are not those any more.
        CheckpointError: they are damaged, or not there.
    """
    if config.first is None:
        return None
    first = load_weights(run / FIRST)
    if sha256(run / FIRST) != config.first:
        raise RunError(f"{run / FIRST}: not the weights that the run began from; put them back")
    return first.state_dict()


def archive_of(run: Path, config: Config) -> Archive:
    """The archive that a run learns from.

    Raises:
        ArchiveError: it is not where the run says, or damaged.
    """
    try:
        return open_archive(Path(config.archive))
    except ArchiveError as absent:
        raise ArchiveError(f"{absent} (named as the archive in {run / CONFIG})") from absent


def versions() -> dict[str, str]:
    """Of what computes."""
    return {name: version(name) for name in ("veernet", "torch", "numpy")}


def fingerprints(train: Split, val: Split) -> dict[str, str]:
    """Of the logs that a run sees, by the names of the splits."""
    return {"train": train.fingerprint, "val": val.fingerprint}


def check_same_data(run: Path, config: Config, now: dict[str, str]) -> None:
    """Check that an archive holds what the run was begun on.

    Raises:
        RunError: a split has changed.
    """
    for name, found in now.items():
        if found != config.logs.get(name):
            raise RunError(
                f"{run}: begun on another archive than {config.archive} is now: its split "
                f"{name} was {config.logs.get(name)}, and is {found}"
            )


def check_same_settings(run: Path, config: Config, path: Path, written: dict[str, Any]) -> None:
    """Check that a run's settings are those that its checkpoint at `path` was `written` with.

    Raises:
        RunError: they were changed since; it says which.
    """
    asked = config.plain()
    found, asked = ({key: one.get(key) for key in ("training", "logs")} for one in (written, asked))
    if found != asked:
        raise RunError(
            f"{run}: {CONFIG} was changed since {path.name} was written "
            f"({difference(found, asked)}); put it back, or begin another run"
        )


def check_fit(archive: Archive, training: Training) -> None:
    """Check that a network can be trained on an archive at all.

    Raises:
        RunError: their classes do not match.
    """
    n, planes = len(archive.classes), training.network.planes
    if planes not in (n, 1 if n == 2 else n):
        raise RunError(
            f"{archive.root}: has {n} classes ({', '.join(archive.classes)}), the network {planes} "
            "plane(s) of logits; choose the other recipe or another archive"
        )


@contextmanager
def determinism(wanted: bool) -> Generator[None]:
    """Have PyTorch refuse operations that may add up in another order every time, if `wanted`."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]

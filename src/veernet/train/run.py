"""Folder of a run: its settings, and checks that they still fit its archive."""

import os
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from veernet import locks
from veernet.data.archive import Archive
from veernet.data.logs import sha256
from veernet.data.split import Split
from veernet.errors import ArchiveError, OnError, OptionError, RunError
from veernet.files import first_difference, read_json, validate, write_json, write_text
from veernet.memory.plan import StoredPlan
from veernet.model import VeerNet
from veernet.synth.opening import open_archive
from veernet.train.toml import plain, to_toml
from veernet.training import Training
from veernet.weights import load_weights, save_weights

CONFIG = "config.json"
"""Settings of a run, inside its folder."""

SETTINGS = "settings.toml"
"""The same settings as TOML, to repeat the run with some of them changed."""

FIRST = "first.safetensors"
"""Initial weights of a run, inside its folder, if they were not drawn at random."""

MAX_THREADS = 1024
"""Most threads per process that a config may give."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything needed to make a run again, as kept in its folder."""

    archive: str
    logs: dict[str, str]
    """Fingerprints of the splits for training and validation, by their names."""
    training: Training
    first: str | None = None
    """SHA-256 of the initial weights; None if they were drawn at random."""
    deterministic: bool = False
    """True if operations whose order of summation varies are refused."""
    plan: StoredPlan | None = None
    """Plan of memory; None if none was made, and the run follows its settings."""
    on_error: OnError = "stop"
    """Treatment of a log that cannot be read, unless resuming the run overrides it."""
    versions: dict[str, str]
    threads: int
    """Threads of each process. The run keeps this number, since another one rounds sums in another
    order."""
    device: str | None = None
    """Type of the device that the run was started on, if it was given."""

    def __post_init__(self) -> None:
        if not 1 <= self.threads <= MAX_THREADS:
            raise OptionError(f"threads must be from 1 to {MAX_THREADS}; got {self.threads}")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON holds them."""
        return plain(self)


def check_name(run: Path) -> None:
    """Check that the name of a run's folder can be written by every writer of files in it.

    Raises:
        RunError: the name is not UTF-8.
    """
    try:
        str(run).encode()
    except UnicodeEncodeError as wrong:
        raise RunError(
            f"{run}: a name that is not UTF-8, which neither weights nor TensorBoard's files can "
            "have; choose another folder"
        ) from wrong


def start(
    run: Path,
    archive: Archive,
    training: Training,
    *,
    first: VeerNet | None = None,
    deterministic: bool = False,
    plan: StoredPlan | None = None,
    on_error: OnError = "stop",
    device: torch.device | None = None,
    exist_ok: bool = False,
) -> None:
    """Make the folder of a new run and write its settings there.

    If several processes start a run in one folder, one succeeds; the others raise.

    Args:
        first: initial weights, in place of random ones.
        plan: use of memory, in place of the pixel budget of `training`.
        on_error: default of `fit` for a log that cannot be read.
        device: device that the run starts on, for the record.
        exist_ok: accept a folder that holds a run with the same data and settings; its plan stays.

    Raises:
        RunError: the folder holds a run, or has a name that is not UTF-8; or the network does not
            fit the archive's classes.
        ArchiveError: the archive has nothing to train or to validate on.
    """
    check_name(run)
    check_fit(archive, training)
    if first is not None and first.config != training.network:
        raise RunError(
            f"{run}: weights of another network to begin from: theirs is {first.config}, the "
            f"run's {training.network}"
        )
    train, val = archive.split("train"), archive.split("val")
    if not val.curves_have_classes:
        raise RunError(
            f"{archive.root}: its classes are styles of lines, and several curves may share one; "
            "a run is validated on archives of one class for each curve"
        )
    logs = fingerprints(train, val)
    run.mkdir(parents=True, exist_ok=True)
    with claimed(run):
        begun = (run / CONFIG).exists()
        if first is not None and not begun:
            save_weights(run / FIRST, first)
        config = Config(
            archive=str(archive.root.resolve()),
            logs=logs,
            training=training,
            first=None if first is None else sha256(run / FIRST),
            deterministic=deterministic,
            plan=plan,
            on_error=on_error,
            versions=versions(),
            threads=torch.get_num_threads(),
            device=None if device is None else device.type,
        )
        if not begun:
            write_config(run, config)
        elif not exist_ok or not _are_same(read_config(run), config):
            raise RunError(f"{run}: holds a run already; go on with `veernet train --resume {run}`")


def write_config(run: Path, config: Config) -> None:
    """Write the settings of a run, as JSON and as TOML, into its folder."""
    write_json(run / CONFIG, config.to_dict())
    write_text(run / SETTINGS, to_toml(config.to_dict()))


def lengthen(run: Path, epochs: int) -> None:
    """Make a run longer, finished or not: it goes on to `epochs` epochs. Those planned before are
    learned as they were planned, and the learning rate begins anew after them
    (`Training.longer`); with as many as before nothing changes.

    Raises:
        RunError: there is no run, or another process trains it.
        OptionError: there are fewer epochs than before.
    """
    config = read_config(run)
    try:
        longer = config.training.longer(epochs)
    except OptionError as wrong:
        raise OptionError(f"{run}: {wrong}") from wrong
    if longer != config.training:
        with claimed(run):
            write_config(run, replace(config, training=longer))


def _are_same(found: Config, asked: Config) -> bool:
    """Return whether a run has the settings asked for now, apart from those found anew every
    time."""
    found_anew = ("plan", "versions", "threads", "device")
    return replace(found, **{name: getattr(asked, name) for name in found_anew}) == asked


def claimed(run: Path) -> AbstractContextManager[None]:
    """Keep other processes out of the folder of a run during the block.

    Raises:
        RunError: another process has it.
    """
    return locks.claimed(run, RunError(f"{run}: another process trains this run already"))


def read_config(run: Path) -> Config:
    """Read the settings of the run in folder `run`.

    Raises:
        RunError: there is no run, or its settings are damaged.
    """
    missing = f"{run}: no run here ({CONFIG} is missing)"
    return read_config_file(run / CONFIG, missing=missing)


def read_config_file(path: Path, *, missing: str) -> Config:
    """Read settings from a file like the `CONFIG` of a run.

    Raises:
        RunError: there is no such file (the message is `missing`), or it is damaged.
    """
    table = read_json(path, error=RunError, missing=missing)
    return validate(Config, table, where=str(path), error=RunError)


def first_weights(run: Path, config: Config) -> dict[str, Tensor] | None:
    """Read the initial weights of a run; None if they were drawn at random.

    Raises:
        RunError: the weights have changed since.
        CheckpointError: the weights are damaged, or missing.
    """
    if config.first is None:
        return None
    first = load_weights(run / FIRST)
    if sha256(run / FIRST) != config.first:
        raise RunError(f"{run / FIRST}: not the weights that the run began from; put them back")
    return first.state_dict()


def archive_of(run: Path, config: Config) -> Archive:
    """Open the archive that a run learns from.

    Raises:
        ArchiveError: the archive is not where the run says, or is damaged.
    """
    try:
        return open_archive(Path(config.archive))
    except ArchiveError as absent:
        raise ArchiveError(f"{absent} (named as the archive in {run / CONFIG})") from absent


def versions() -> dict[str, str]:
    """Return the versions of veernet, torch and numpy."""
    return {name: version(name) for name in ("veernet", "torch", "numpy")}


def changes(config: Config, device: torch.device) -> list[str]:
    """List what differs here from where a run was started, and may change rounding or time."""
    changed = [
        f"begun with {name} {begun}, this is {now}: rounding may differ"
        for name, now in versions().items()
        if (begun := config.versions.get(name)) != now
    ]
    if config.device not in (None, device.type):
        changed.append(f"begun on {config.device}, this is {device.type}: rounding may differ")
    if (taken := torch.get_num_threads()) != config.threads:
        changed.append(
            f"begun with {config.threads} thread(s) a process, where PyTorch would take {taken} "
            f"here: it keeps to {config.threads}, and to their rounding"
        )
    return changed


def fingerprints(train: Split, val: Split) -> dict[str, str]:
    """Return the fingerprints of the logs that a run sees, by split."""
    return {"train": train.fingerprint, "val": val.fingerprint}


def check_same_data(run: Path, config: Config, now: dict[str, str]) -> None:
    """Check that an archive holds the data with which the run was started.

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
    """Check that a run's settings are those that its checkpoint at `path` was `written` with, or
    were before the run was made longer.

    Raises:
        RunError: the settings have changed since; the message says which.
    """
    names = "training", "logs", "first", "deterministic", "plan", "on_error", "threads"
    keys = [key for key in names if key in written]  # older versions wrote fewer
    found = {key: _presently(key, written[key], path) for key in keys}
    settings = config.to_dict()
    asked = {key: settings[key] for key in keys}
    shorter = [plain(one) for one in config.training.shorter()]
    if found != asked and not any(found == {**asked, "training": one} for one in shorter):
        raise RunError(
            f"{run}: {CONFIG} was changed since {path.name} was written "
            f"({first_difference(found, asked)}); put it back, or begin another run"
        )


def _presently(key: str, value: Any, path: Path) -> Any:
    """Convert a setting written by an older version to present names."""
    kinds: dict[str, type[Training | StoredPlan]] = {"training": Training, "plan": StoredPlan}
    if key not in kinds or value is None:
        return value
    found = validate(kinds[key], value, where=str(path), error=RunError)
    return plain(found)


def check_fit(archive: Archive, training: Training) -> None:
    """Check that the network and the archive have the same classes.

    Raises:
        RunError: the classes do not match.
    """
    n, out_channels = len(archive.classes), training.network.out_channels
    if out_channels not in (n, 1 if n == 2 else n):
        raise RunError(
            f"{archive.root}: has {n} classes ({', '.join(archive.classes)}), the network "
            f"{out_channels} out_channels; choose the other recipe or another archive"
        )


@contextmanager
def determinism(wanted: bool) -> Generator[None]:
    """Make PyTorch refuse operations whose order of summation varies during the block, if
    `wanted`."""
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


@contextmanager
def threads(wanted: int) -> Generator[None]:
    """Make PyTorch use `wanted` threads during the block."""
    before = torch.get_num_threads()
    if wanted != before:
        torch.set_num_threads(wanted)
    try:
        yield
    finally:
        if wanted != before:
            torch.set_num_threads(before)

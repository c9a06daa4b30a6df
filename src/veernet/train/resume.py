"""Open a run from its folder: settings, data, and the state from which training goes on."""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.console import Console

from veernet import distributed
from veernet.data.split import Split
from veernet.errors import CheckpointError
from veernet.files import remove_stale
from veernet.memory.plan import StoredPlan
from veernet.memory.system import drawback
from veernet.train.checkpoint import (
    Progress,
    TrainState,
    checkpoints,
    newest_checkpoint,
    set_aside,
)
from veernet.train.log import NAME
from veernet.train.run import (
    Config,
    archive_of,
    changes,
    check_fit,
    check_same_data,
    check_same_settings,
    fingerprints,
    first_weights,
    read_config,
)
from veernet.weights import BEST


@dataclass(frozen=True, kw_only=True)
class OpenRun:
    """Open run, in one of the processes that share it."""

    config: Config
    classes: tuple[str, ...]
    train: Split
    val: Split
    train_state: TrainState
    progress: Progress
    damaged: dict[Path, str]
    """Checkpoints that could not be read, with the reasons."""

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps per epoch, including a last step with fewer logs."""
        return -(-len(self.train) // self.config.training.schedule.effective_batch)


def resume(run: Path, device: torch.device, console: Console) -> OpenRun:
    """Open a run where its newest whole checkpoint left it, and make sure that all processes have
    the same one. Damaged checkpoints are set aside.

    Raises:
        VeerNetError: the run, its archive or its checkpoints are not as they should be.
    """
    found = distributed.raise_on_all_ranks(lambda: _read_run(run, device))
    logs, trained = fingerprints(found.train, found.val), found.train_state
    distributed.assert_equal_on_ranks(
        {
            "weights and optimizer": [
                module.state_dict() for module in (trained.model, trained.optimizer, trained.scaler)
            ],
            "data": logs,
            "settings": [asdict(found.config.training), found.config.versions],
            "place in the run": asdict(found.progress),
        }
    )
    check_same_data(run, found.config, logs)
    notes = [f"put aside: {fault}" for fault in found.damaged.values()]
    notes += changes(found.config, device)
    if (text := drawback(found.config.training.precision, device)) is not None:
        notes.append(text)
    for note in notes:
        console.print(note, soft_wrap=True)
    distributed.on_rank0(lambda: _tidy(run, found.damaged))
    return found


def _tidy(run: Path, damaged: dict[Path, str]) -> None:
    """Set damaged checkpoints aside, and remove files that a killed process left behind."""
    set_aside(damaged)
    remove_stale(run)
    if not checkpoints(run):
        (run / NAME).unlink(missing_ok=True)  # all its steps are repeated


def _read_run(run: Path, device: torch.device) -> OpenRun:
    config = read_config(run)
    archive, training = archive_of(run, config), config.training
    check_fit(archive, training)
    torch.manual_seed(training.schedule.seed)  # pyright: ignore[reportUnknownMemberType]: untyped in torch
    trained = TrainState.new(training, device)
    if (first := first_weights(run, config)) is not None:
        trained.model.load_state_dict(first)
    train, val = archive.split("train"), archive.split("val")
    checkpoint, damaged = newest_checkpoint(run)
    state = _first_state(config.plan) if checkpoint is None else checkpoint.progress
    found = OpenRun(
        config=config,
        classes=archive.classes,
        train=train,
        val=val,
        train_state=trained,
        progress=state,
        damaged=damaged,
    )
    if checkpoint is None:
        if (run / BEST).exists():  # best weights come after a checkpoint
            raise CheckpointError(
                f"{run}: it has best weights, and its checkpoints are gone; put them back, or "
                "begin another run"
            )
        return found
    check_same_settings(run, config, checkpoint.path, checkpoint.config)
    if state.step > found.steps_per_epoch or state.epoch > training.epochs:
        raise CheckpointError(f"{checkpoint.path}: of a longer run ({state})")
    checkpoint.restore(trained)
    return found


def _first_state(plan: StoredPlan | None) -> Progress:
    if plan is None:
        return Progress()
    return Progress(
        pixel_budget=plan.pixel_budget, activation_checkpointing=plan.activation_checkpointing
    )

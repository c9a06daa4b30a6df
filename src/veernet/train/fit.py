"""The training loop, the only one."""

import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import torch
from rich.console import Console

from veernet.data.archive import Archive, Split
from veernet.data.batch import Batch
from veernet.errors import RunError
from veernet.evaluate import evaluate, mean_f1, summarise
from veernet.files import parse, read_json, write_json
from veernet.model import VeerNet
from veernet.train.checkpoint import STATE, WEIGHTS, State, load_state, save_state, save_weights
from veernet.train.config import Training
from veernet.train.load import load
from veernet.train.log import RunLog
from veernet.train.step import StepResult, step

CONFIG = "config.json"
"""The settings of a run, inside its folder."""

CHECKPOINT_SECONDS = 600.0
"""Longest time between two checkpoints; there is one at the end of every epoch besides."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the folder of a run says of it."""

    archive: str
    training: Training
    versions: dict[str, str]


def start(run: Path, archive: Archive, training: Training) -> None:
    """Make the folder of a new run and write its settings there.

    Raises:
        RunError: the folder holds a run, or the network does not fit the archive's classes.
        ArchiveError: the archive has nothing to train or to validate on.
    """
    if (run / CONFIG).exists():
        raise RunError(f"{run}: holds a run already; go on with `veernet train --resume {run}`")
    _check_fit(archive, training)
    for name in ("train", "val"):
        archive.split(name)
    config = Config(
        archive=str(archive.root.resolve()),
        training=training,
        versions={name: version(name) for name in ("veernet", "torch", "numpy")},
    )
    write_json(run / CONFIG, asdict(config))


def read_config(run: Path) -> Config:
    """The settings of the run in folder `run`.

    Raises:
        RunError: there is none, or its settings are damaged.
    """
    path = run / CONFIG
    table = read_json(path, error=RunError, missing=f"{run}: no run here ({CONFIG} is missing)")
    return parse(Config, table, where=str(path), error=RunError)


def fit(
    run: Path,
    *,
    device: torch.device,
    workers: int = 0,
    stop_after: int | None = None,
    console: Console | None = None,
) -> bool:
    """Train the run in folder `run` from where it is to its end; True when it is there.

    Ctrl-C ends the current step, writes a checkpoint and returns; a second one stops at once.

    Args:
        workers: processes that read logs; 0 reads them here.
        stop_after: pause after so many steps, as Ctrl-C would.

    Raises:
        RunError: `run` holds no run.
        VeerNetError: the archive, or the checkpoint, is not as it should be.
    """
    console = console or Console()
    job, state = _open(run, device)
    how, saved = job.training, time.monotonic()
    log = RunLog(
        run,
        epoch=state.epoch,
        done=job.done(state),
        n_steps=job.n_steps,
        console=console,
    )
    with log, _pause(stop_after, console) as pausing:
        while state.epoch < how.epochs:
            steps = how.schedule.steps(job.train.sizes, state.epoch)[state.step :]
            for batches in load(job.train, steps, workers=workers, pin=device.type == "cuda"):
                rate = how.learning_rate_at(job.done(state), job.n_steps)
                result = job.learn(batches, rate)
                state = replace(state, step=state.step + 1)
                log.step(job.done(state), state.epoch, result, rate, batches)
                paused = pausing() and job.done(state) < job.n_steps
                if paused or time.monotonic() - saved > CHECKPOINT_SECONDS:
                    saved = job.save(state)
                if paused:
                    return False
            saved = job.save(state)  # validation takes a while
            state = _end_epoch(job, state, log)
            saved = job.save(state)
    return True


@dataclass(frozen=True, kw_only=True)
class _Job:
    """An open run: its settings, its data, and what it trains."""

    folder: Path
    training: Training
    classes: tuple[str, ...]
    train: Split
    val: Split
    model: VeerNet
    optimizer: torch.optim.Optimizer

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.train) // self.training.schedule.effective_batch)

    @property
    def n_steps(self) -> int:
        return self.steps_per_epoch * self.training.epochs

    def done(self, state: State) -> int:
        return self.steps_per_epoch * state.epoch + state.step

    def learn(self, batches: list[Batch], learning_rate: float) -> StepResult:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        result = step(
            self.model,
            self.optimizer,
            self.training.loss,
            batches,
            device=next(self.model.parameters()).device,
            autocast=self.training.autocast,
            clip=self.training.clip,
        )
        if not result.grad_norm.isfinite():
            raise RunError(
                f"{self.folder}: the gradient is not finite (loss {result.loss.item():g}); a lower "
                "learning rate may help. The last checkpoint is as it was"
            )
        return result

    def save(self, state: State) -> float:
        """Write a checkpoint; returns when."""
        save_state(self.folder / STATE, state, self.model, self.optimizer)
        return time.monotonic()


def _open(run: Path, device: torch.device) -> tuple[_Job, State]:
    config = read_config(run)
    archive, training = Archive.open(Path(config.archive)), config.training
    _check_fit(archive, training)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.schedule.seed)
        model = VeerNet(training.network).to(device)
    job = _Job(
        folder=run,
        training=training,
        classes=archive.classes,
        train=archive.split("train"),
        val=archive.split("val"),
        model=model,
        optimizer=torch.optim.AdamW(model.parameters(), weight_decay=training.weight_decay),
    )
    path = run / STATE
    return job, load_state(path, model, job.optimizer) if path.exists() else State()


def _check_fit(archive: Archive, training: Training) -> None:
    """Whether a network can be trained on an archive at all."""
    n, planes = len(archive.classes), training.network.planes
    if planes not in (n, 1 if n == 2 else n):
        raise RunError(
            f"{archive.root}: has {n} classes ({', '.join(archive.classes)}), the network {planes} "
            "plane(s) of logits; choose the other recipe or another archive"
        )


def _end_epoch(job: _Job, state: State, log: RunLog) -> State:
    """Validate; keep the weights if they are the best so far."""
    job.model.eval()
    results = evaluate(
        job.model,
        job.val,
        range(len(job.val)),
        autocast=job.training.autocast,
        read_curves=False,  # it costs a second and more a native log, and chooses nothing
    )
    job.model.train()
    summary = summarise(results, job.classes)
    log.epoch(job.done(state), state.epoch, summary)
    if (score := mean_f1(summary)) > state.best:
        save_weights(job.folder / WEIGHTS, job.model)
    return State(epoch=state.epoch + 1, step=0, best=max(score, state.best))


@contextmanager
def _pause(after: int | None, console: Console) -> Generator[Callable[[], bool]]:
    """A question to ask once a step: whether to pause, after Ctrl-C or after so many steps."""
    interrupts = steps = 0

    def interrupt(*_: object) -> None:
        nonlocal interrupts
        interrupts += 1
        if interrupts > 1:
            raise KeyboardInterrupt
        console.print("ending this step; Ctrl-C again stops at once")

    def pausing() -> bool:
        nonlocal steps
        steps += 1
        return interrupts > 0 or (after is not None and steps >= after)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield pausing
    finally:
        signal.signal(signal.SIGINT, before)

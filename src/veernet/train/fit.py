"""The training loop, the only one."""

import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from itertools import chain, zip_longest
from pathlib import Path

import torch
from rich.console import Console

from veernet import distributed
from veernet.data.archive import Archive, Split
from veernet.data.batch import Batch
from veernet.data.schedule import Step, padded_pixels, share
from veernet.errors import OnError, RunError
from veernet.evaluate import evaluate, mean_f1, summarise
from veernet.files import parse, read_json, write_json
from veernet.model import VeerNet
from veernet.synth.make import open_archive
from veernet.train.checkpoint import STATE, WEIGHTS, State, load_state, save_state, save_weights
from veernet.train.config import Training
from veernet.train.load import IN_FLIGHT, Batches, Loader, Skipped
from veernet.train.log import RunLog
from veernet.train.machine import Watch
from veernet.train.plan import plan
from veernet.train.step import StepResult, rehearse, step

CONFIG = "config.json"
"""The settings of a run, inside its folder."""

CHECKPOINT_SECONDS = 600.0
"""Longest time between two checkpoints; there is one at the end of every epoch besides."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the folder of a run says of it."""

    archive: str
    logs: dict[str, str]
    """Fingerprints of the splits for training and validation, by their names."""
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
    config = Config(
        archive=str(archive.root.resolve()),
        logs=_fingerprints(archive.split("train"), archive.split("val")),
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
    memory: int | None = None,
    workers: int = 0,
    in_flight: int = IN_FLIGHT,
    on_error: OnError = "stop",
    stop_after: int | None = None,
    console: Console | None = None,
) -> bool:
    """Train the run in folder `run` from where it is to its end; True when it is there.

    Ctrl-C ends the current step, writes a checkpoint and returns; a second one stops at once.
    Processes joined by `torch.distributed` share every step; the first of them writes.

    Args:
        memory: bytes to plan for (`veernet.train.plan`), and to try on the widest micro-batch
            first; None goes on as planned before, or else as the settings say.
        workers: threads that read logs ahead; 0 reads them when they are needed.
        in_flight: most bytes of host memory for what is read ahead.
        on_error: stop at a log that cannot be read, or leave it out and go on; the run's log says
            which, and why.
        stop_after: pause after so many steps, as Ctrl-C would.

    Raises:
        VeerNetError: the run, its archive or its checkpoint is not as it should be; or `memory`
            does not hold the widest log, however it is planned.
    """
    reading = partial(Loader, workers=workers, in_flight=in_flight, on_error=on_error)
    (job, state), saved = _open(run, device, reading), time.monotonic()
    with _log(job, state, console or Console()) as log, _pause(stop_after, log.console) as pausing:
        if memory is not None and state.epoch < job.how.epochs:
            state = _fit_into(memory, job, state, log)
        job.model.recompute = state.recompute
        while state.epoch < job.how.epochs:
            steps = job.steps(state)
            with job.load(steps) as loaded:
                for whole, batches in zip(steps, loaded, strict=True):
                    before, state = state, job.learn(whole, batches, state, log)
                    due = time.monotonic() - saved > CHECKPOINT_SECONDS
                    paused, due = distributed.any_of(pausing(), due)
                    paused = paused and job.done(state) < job.n_steps
                    if paused or due:
                        saved = job.save(state)
                    if paused:
                        return False
                    if state.pixel_budget != before.pixel_budget:
                        break  # to cut the steps that are left anew
            if state.step == job.steps_per_epoch:
                job.save(state)  # validation takes a while
                state = _end_epoch(job, state, log)
                saved = job.save(state)
        log.end()
    return True


@dataclass(frozen=True, kw_only=True)
class _Job:
    """An open run: its settings, its data, and what it trains."""

    folder: Path
    config: Config
    classes: tuple[str, ...]
    reader: Loader
    """Of the logs to train on."""
    skipped: list[Skipped]
    """Logs that this process left out since it last told."""
    val: Split
    model: VeerNet
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler

    @property
    def how(self) -> Training:
        return self.config.training

    @property
    def train(self) -> Split:
        return self.reader.split

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.train) // self.how.schedule.effective_batch)

    @property
    def n_steps(self) -> int:
        return self.steps_per_epoch * self.how.epochs

    def done(self, state: State) -> int:
        return self.steps_per_epoch * state.epoch + state.step

    def steps(self, state: State) -> list[Step]:
        """Those that are left of the epoch."""
        budget = state.pixel_budget or self.how.schedule.pixel_budget
        schedule = replace(self.how.schedule, pixel_budget=budget)
        return schedule.steps(self.train.sizes, state.epoch)[state.step :]

    def load(self, steps: Sequence[Step]) -> AbstractContextManager[Iterator[Batches]]:
        """What this process works on of every step."""
        mine = [share(step, distributed.rank(), distributed.ranks()) for step in steps]
        return self.reader.steps(mine)

    def tell_skipped(self, state: State, log: RunLog) -> None:
        """Tell of the logs that any process left out since the last time."""
        if self.reader.on_error == "skip":
            for one in chain(*distributed.gather(self.skipped)):
                log.skipped(self.done(state), state.epoch, one.file_name, one.reason)
            self.skipped.clear()

    def learn(self, whole: Step, batches: Iterable[Batch], state: State, log: RunLog) -> State:
        """Step on `batches`, this process's share of a step; returns where the run is then.

        Raises:
            RunError: the gradient is not finite, and no lower scale of the loss is left to try.
        """
        done, scale = self.done(state), self.scaler.get_scale()
        rate = self.how.learning_rate_at(done, self.n_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        while not (result := self.attempt(batches)).applied:
            if not 1 <= (lower := self.scaler.get_scale()) < scale:
                raise RunError(
                    f"{self.folder}: the gradient is not finite (loss {result.loss.item():g}); "
                    "a lower learning rate may help. The last checkpoint is as it was"
                )
            scale = lower
            log.retry(done + 1, state.epoch, scale)
        log.step(done + 1, state.epoch, result, rate, len(whole))
        self.tell_skipped(state, log)
        if result.pixel_budget is not None:
            log.budget(done + 1, state.epoch, result.pixel_budget)
            state = replace(state, pixel_budget=result.pixel_budget)
        return replace(state, step=state.step + 1)

    def attempt(self, batches: Iterable[Batch]) -> StepResult:
        return step(
            self.model,
            self.optimizer,
            self.how.loss,
            batches,
            device=self.device,
            autocast=self.how.autocast,
            clip=self.how.clip,
            scaler=self.scaler,
        )

    def rehearse(self, batch: Batch) -> int | None:
        how = self.how
        return rehearse(self.model, how.loss, batch, device=self.device, autocast=how.autocast)

    def save(self, state: State) -> float:
        """Write a checkpoint; returns when."""
        path = self.folder / STATE
        distributed.once(lambda: save_state(path, state, self.model, self.optimizer, self.scaler))
        return time.monotonic()


def _open(run: Path, device: torch.device, reading: Callable[..., Loader]) -> tuple[_Job, State]:
    """Open a run in every process, and make sure that it is the same one in all."""
    job, state = distributed.together(lambda: _read(run, device, reading))
    logs = _fingerprints(job.train, job.val)
    trained = job.model, job.optimizer, job.scaler
    distributed.require_same(
        {
            "weights and optimizer": [module.state_dict() for module in trained],
            "data": logs,
            "settings": [asdict(job.how), job.config.versions],
            "place in the run": asdict(state),
        }
    )
    for name, now in logs.items():
        if now != job.config.logs.get(name):
            raise RunError(
                f"{run}: begun on another archive than {job.config.archive} is now: its split "
                f"{name} was {job.config.logs.get(name)}, and is {now}"
            )
    return job, state


def _read(run: Path, device: torch.device, reading: Callable[..., Loader]) -> tuple[_Job, State]:
    config = read_config(run)
    archive, training = open_archive(Path(config.archive)), config.training
    _check_fit(archive, training)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.schedule.seed)
        model = VeerNet(training.network).to(device, training.dtype)
    train, skipped, pin = archive.split("train"), list[Skipped](), device.type == "cuda"
    job = _Job(
        folder=run,
        config=config,
        classes=archive.classes,
        reader=reading(split=train, pin=pin, skipped=skipped.append),
        skipped=skipped,
        val=archive.split("val"),
        model=model,
        optimizer=torch.optim.AdamW(model.parameters(), weight_decay=training.weight_decay),
        scaler=torch.amp.GradScaler(device.type, enabled=training.precision == "fp16"),
    )
    path = run / STATE
    if not path.exists():
        return job, State()
    return job, load_state(path, model, job.optimizer, job.scaler)


def _fit_into(memory: int, job: _Job, state: State, log: RunLog) -> State:
    """Plan for so many bytes, and try the widest micro-batch of the epoch, whose gradient is
    dropped: a surprise comes at once, and not in the last hour of an epoch."""
    memory = distributed.least(memory) or 0
    sizes = job.train.sizes
    found = distributed.once(lambda: plan(job.how, sizes, memory, device=job.device, first=True))
    choice = found.best
    state = replace(state, pixel_budget=choice.pixel_budget, recompute=choice.recompute)
    job.model.recompute = choice.recompute
    job.save(state)  # what is tried now may end the process
    batches = [batch for step in job.steps(replace(state, step=0)) for batch in step]
    widest = max(batches, key=lambda batch: padded_pixels(batch, sizes))
    batch, _ = distributed.together(lambda: job.reader.read(widest))
    if batch is None:  # no log of it can be read, in any process
        return state
    watch = Watch(job.device)
    room = distributed.least(distributed.together(lambda: job.rehearse(batch)))
    log.memory(
        job.done(state),
        state.epoch,
        pixels=batch.padded_pixels,
        predicted=found.taken(choice, batch.padded_pixels),
        measured=watch.peak(),
        plan=f"{choice.recompute} computed again, {choice.pixel_budget:,} px a micro-batch",
    )
    if room is not None:
        log.budget(job.done(state) + 1, state.epoch, room)
        state = replace(state, pixel_budget=room)
        job.save(state)
    return state


def _fingerprints(train: Split, val: Split) -> dict[str, str]:
    return {"train": train.fingerprint, "val": val.fingerprint}


def _log(job: _Job, state: State, console: Console) -> RunLog:
    done, n_steps = job.done(state), job.n_steps
    return RunLog(job.folder, epoch=state.epoch, done=done, n_steps=n_steps, console=console)


def _check_fit(archive: Archive, training: Training) -> None:
    """Whether a network can be trained on an archive at all."""
    n, planes = len(archive.classes), training.network.planes
    if planes not in (n, 1 if n == 2 else n):
        raise RunError(
            f"{archive.root}: has {n} classes ({', '.join(archive.classes)}), the network {planes} "
            "plane(s) of logits; choose the other recipe or another archive"
        )


def _end_epoch(job: _Job, state: State, log: RunLog) -> State:
    """Validate, every process on its share of the logs; keep the weights if they are the best."""
    job.model.eval()
    skip = job.reader.on_error == "skip"
    mine = evaluate(
        job.model,
        job.val,
        range(len(job.val))[distributed.rank() :: distributed.ranks()],
        autocast=job.how.autocast,
        read_curves=False,  # it costs a second and more a native log, and chooses nothing
        skip=(lambda name, why: job.skipped.append(Skipped(file_name=name, reason=why)))
        if skip
        else None,
    )
    job.model.train()
    job.tell_skipped(state, log)
    in_turn = zip_longest(*distributed.gather(mine))
    summary = summarise([one for turn in in_turn for one in turn if one is not None], job.classes)
    log.epoch(job.done(state), state.epoch, summary)
    if (score := mean_f1(summary)) > state.best:
        distributed.once(lambda: save_weights(job.folder / WEIGHTS, job.model))
    return replace(state, epoch=state.epoch + 1, step=0, best=max(score, state.best))


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

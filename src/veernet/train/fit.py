"""The training loop, the only one."""

import fcntl
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path

import torch
from rich.console import Console

from veernet import distributed
from veernet.data.schedule import padded_pixels
from veernet.errors import CheckpointError, OnError, OptionError, RunError
from veernet.evaluate import evaluate, mean_f1, summarise
from veernet.files import sweep
from veernet.train.checkpoint import (
    WEIGHTS,
    State,
    Trained,
    newest_checkpoint,
    save_weights,
    set_aside,
)
from veernet.train.interrupt import Pausing, listening
from veernet.train.job import Job
from veernet.train.load import IN_FLIGHT, Loader, Skipped
from veernet.train.log import RunLog, voice
from veernet.train.machine import Watch
from veernet.train.plan import plan
from veernet.train.run import (
    archive_of,
    check_fit,
    check_same_data,
    check_same_settings,
    determinism,
    fingerprints,
    first_weights,
    read_config,
    versions,
)


@dataclass(frozen=True, kw_only=True)
class Saving:
    """When a run writes a checkpoint, besides at the end of every epoch and at a pause."""

    minutes: float = 10.0
    """Longest time between two."""
    steps: int | None = None
    """Most steps between two; as many as fit into the time if None."""
    keep: int = 3
    """How many of the newest stay."""

    def __post_init__(self) -> None:
        if not self.minutes > 0 or self.keep < 1 or (self.steps is not None and self.steps < 1):
            raise OptionError(
                "minutes must be > 0, steps and keep at least 1; "
                f"got {self.minutes}, {self.steps} and {self.keep}"
            )


def fit(
    run: Path,
    *,
    device: torch.device,
    memory: int | None = None,
    workers: int = 0,
    in_flight: int = IN_FLIGHT,
    on_error: OnError = "stop",
    saving: Saving = Saving(),
    stop_after: int | None = None,
    console: Console | None = None,
) -> bool:
    """Train the run in folder `run` from where it is to its end; True when it is there.

    Ctrl-C or SIGTERM ends the current step, writes a checkpoint and returns; a second Ctrl-C stops
    at once. Processes joined by `torch.distributed` share every step; the first of them writes. A
    checkpoint that is damaged is put aside, and the one before it is used.

    Args:
        memory: bytes to plan for (`veernet.train.plan`), and to try on the widest micro-batch
            first; None goes on as planned before, or else as the settings say.
        workers: threads that read logs ahead; 0 reads them when they are needed.
        in_flight: most bytes of host memory for what is read ahead.
        on_error: stop at a log that cannot be read, or leave it out and go on; the run's log says
            which, and why.
        stop_after: pause after so many steps, as Ctrl-C would.

    Raises:
        VeerNetError: the run, its archive or its checkpoints are not as they should be; the disk
            does not take a checkpoint; or `memory` does not hold the widest log, however it is
            planned.
    """
    console = voice(console or Console())
    reading = partial(Loader, workers=workers, in_flight=in_flight, on_error=on_error)
    drawing = torch.random.fork_rng([device] if device.type == "cuda" else [])
    with determinism(read_config(run).deterministic), drawing, _claimed(run):
        job, state = _open(run, device, reading, saving.keep, console)
        with _log(job, state, console) as log, listening(stop_after, log.console) as pausing:
            if memory is not None and state.epoch < job.how.epochs:
                state = _fit_into(memory, job, state, log)
            job.trained.model.recompute = state.recompute
            while state.epoch < job.how.epochs:
                state, paused = _epoch(job, state, saving, log, pausing)
                if paused:
                    return False
            log.end(scored=state.best >= 0)
    return True


@contextmanager
def _claimed(run: Path) -> Generator[None]:
    """Keep others from training the same run meanwhile."""

    def claim() -> int | None:
        if distributed.rank() > 0:
            return None
        handle = os.open(run, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            os.close(handle)
            raise RunError(f"{run}: another process trains this run already") from taken
        return handle

    handle = distributed.together(claim)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _epoch(
    job: Job, state: State, saving: Saving, log: RunLog, pausing: Pausing
) -> tuple[State, bool]:
    """The steps that are left of an epoch, and its validation; returns where the run is then, and
    whether it is to pause there. A step that has to be cut finer ends it early."""
    steps, saved = job.steps(state), (time.monotonic(), job.done(state))
    with job.load(steps) as loaded:
        for whole, batches in zip(steps, loaded, strict=True):
            before, state = state, job.learn(whole, batches, state, log)
            due = time.monotonic() - saved[0] > 60 * saving.minutes
            due |= saving.steps is not None and job.done(state) - saved[1] >= saving.steps
            paused, due = distributed.any_of(pausing(), due)
            paused = paused and job.done(state) < job.n_steps
            if paused or due:
                job.save(state, log)
                saved = time.monotonic(), job.done(state)
            if paused:
                return state, True
            if state.pixel_budget != before.pixel_budget:
                break  # to cut the steps that are left anew
    if state.step < job.steps_per_epoch:
        return state, False
    job.save(state, log)  # validation takes a while
    return _validate(job, state, log, pausing)


def _validate(job: Job, state: State, log: RunLog, pausing: Pausing) -> tuple[State, bool]:
    """Validate, every process on its share of the logs; keep the weights if they are the best.
    A pause leaves the validation to the next time."""
    model, skip = job.trained.model, job.reader.on_error == "skip"
    model.eval()
    mine = evaluate(
        model,
        job.val,
        range(len(job.val))[distributed.rank() :: distributed.ranks()],
        autocast=job.how.autocast,
        read_curves=False,  # it costs a second and more a native log, and chooses nothing
        skip=(lambda name, why: job.skipped.append(Skipped(file_name=name, reason=why)))
        if skip
        else None,
        stop=lambda: pausing.asked,
    )
    model.train()
    (paused,) = distributed.any_of(pausing.asked)
    if paused:
        job.skipped.clear()
        return state, True
    job.tell_skipped(job.done(state), state.epoch, log, validating=True)
    in_turn = zip_longest(*distributed.gather(mine))
    summary = summarise([one for turn in in_turn for one in turn if one is not None], job.classes)
    log.epoch(job.done(state), state.epoch, summary)
    score = mean_f1(summary)
    if score is not None and score > state.best:
        distributed.once(lambda: save_weights(job.folder / WEIGHTS, model))
        state = replace(state, best=score)
    state = replace(state, epoch=state.epoch + 1, step=0)
    job.save(state, log)
    return state, False


def _open(
    run: Path,
    device: torch.device,
    reading: Callable[..., Loader],
    keep: int,
    console: Console,
) -> tuple[Job, State]:
    """Open a run in every process, and make sure that it is the same one in all."""
    job, state, damaged = distributed.together(lambda: _read(run, device, reading, keep))
    logs = fingerprints(job.train, job.val)
    trained = job.trained.model, job.trained.optimizer, job.trained.scaler
    distributed.require_same(
        {
            "weights and optimizer": [module.state_dict() for module in trained],
            "data": logs,
            "settings": [asdict(job.how), job.config.versions],
            "place in the run": asdict(state),
        }
    )
    check_same_data(run, job.config, logs)
    for fault in damaged.values():
        console.print(f"put aside: {fault}", soft_wrap=True)
    for name, now in versions().items():
        if (begun := job.config.versions.get(name)) != now:
            console.print(f"begun with {name} {begun}, this is {now}: rounding may differ")
    distributed.once(lambda: (set_aside(damaged), sweep(run)))
    return job, state


def _read(
    run: Path, device: torch.device, reading: Callable[..., Loader], keep: int
) -> tuple[Job, State, dict[Path, str]]:
    config = read_config(run)
    archive, training = archive_of(run, config), config.training
    check_fit(archive, training)
    torch.manual_seed(training.schedule.seed)
    trained = Trained.new(training, device)
    if (first := first_weights(run, config)) is not None:
        trained.model.load_state_dict(first)
    skipped = list[Skipped]()
    train = archive.split("train")
    job = Job(
        folder=run,
        config=config,
        classes=archive.classes,
        reader=reading(split=train, pin=device.type == "cuda", skipped=skipped.append),
        skipped=skipped,
        val=archive.split("val"),
        trained=trained,
        keep=keep,
    )
    checkpoint, damaged = newest_checkpoint(run)
    if checkpoint is None:
        return job, State(), damaged
    check_same_settings(run, config, checkpoint.path, checkpoint.config)
    state = checkpoint.state
    if state.step > job.steps_per_epoch or state.epoch > training.epochs:
        raise CheckpointError(f"{checkpoint.path}: of a longer run ({state})")
    checkpoint.restore(trained)
    return job, checkpoint.state, damaged


def _fit_into(memory: int, job: Job, state: State, log: RunLog) -> State:
    """Plan for so many bytes, and try the widest micro-batch of the epoch, whose gradient is
    dropped: a surprise comes at once, and not in the last hour of an epoch."""
    memory = distributed.least(memory) or 0
    sizes = job.train.sizes
    found = distributed.once(lambda: plan(job.how, sizes, memory, device=job.device, first=True))
    choice = found.best
    state = replace(state, pixel_budget=choice.pixel_budget, recompute=choice.recompute)
    job.trained.model.recompute = choice.recompute
    job.save(state, log)  # what is tried now may end the process
    batches = [batch for step in job.steps(replace(state, step=0)) for batch in step]
    widest = max(batches, key=lambda batch: padded_pixels(batch, sizes))
    batch, _ = distributed.together(lambda: job.reader.read(widest))
    (unread,) = distributed.any_of(batch is None)
    if batch is None or unread:  # no log of it can be read
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
        job.save(state, log)
    return state


def _log(job: Job, state: State, console: Console) -> RunLog:
    done, n_steps = job.done(state), job.n_steps
    return RunLog(job.folder, epoch=state.epoch, done=done, n_steps=n_steps, console=console)

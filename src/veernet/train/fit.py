"""The training loop, the only one."""

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import zip_longest
from pathlib import Path

import torch
from rich.console import Console

from veernet import distributed
from veernet.console import lasting
from veernet.errors import CheckpointError, OnError, OptionError
from veernet.evaluate import evaluate, mean_f1, summarise
from veernet.files import sweep
from veernet.train.checkpoint import (
    WEIGHTS,
    State,
    Trained,
    checkpoints,
    newest_checkpoint,
    save_weights,
    set_aside,
)
from veernet.train.interrupt import Pausing, listening
from veernet.train.job import Job
from veernet.train.load import IN_FLIGHT, Loader, Skipped
from veernet.train.log import NAME, RunLog, voice
from veernet.train.machine import Watch, drawback
from veernet.train.plan import Planned, plan_run, widest_batch
from veernet.train.run import (
    archive_of,
    changes,
    check_fit,
    check_name,
    check_same_data,
    check_same_settings,
    claimed,
    determinism,
    fingerprints,
    first_weights,
    read_config,
    threads,
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
    on_error: OnError | None = None,
    saving: Saving = Saving(),
    stop_after: int | None = None,
    console: Console | None = None,
) -> bool:
    """Train the run in folder `run` from where it is to its end; True when it is there.

    Ctrl-C, SIGTERM or SIGHUP ends the current step, writes a checkpoint and returns; a second
    Ctrl-C stops at once. Processes joined by `torch.distributed` share every step; the first of
    them writes. A checkpoint that is damaged is put aside, and the one before it is used.

    Args:
        memory: bytes to plan for anew (`veernet.train.plan`), and to try on the widest micro-batch
            first; None goes on as planned before, or else as the settings say.
        workers: threads that read logs ahead; 0 reads them when they are needed.
        in_flight: most bytes of host memory for what is read ahead.
        on_error: stop at a log that cannot be read, or leave it out and go on; the run's log says
            which, and why. None does as the run was begun.
        stop_after: pause after so many steps, as Ctrl-C would.

    Raises:
        VeerNetError: the run, its archive or its checkpoints are not as they should be; the disk
            does not take a checkpoint; or `memory` does not hold the widest log, however it is
            planned.
    """
    check_name(run)
    console, config = voice(console or Console()), read_config(run)
    on_error = on_error or config.on_error
    reading = partial(Loader, workers=workers, in_flight=in_flight, on_error=on_error)
    drawing = torch.random.fork_rng([device] if device.type == "cuda" else [])
    with determinism(config.deterministic), drawing, _claimed(run), lasting(console):
        job, state = _open(run, device, reading, saving.keep, console)
        with threads(config.threads), _log(job, state, console) as log:
            state = _settle(memory, job, state, log)
            with listening(stop_after, log.console) as pausing:
                while state.epoch < job.how.epochs:
                    state, paused = _epoch(job, state, saving, log, pausing)
                    if paused:
                        return False
            log.end(scored=state.best >= 0)
    return True


@contextmanager
def _claimed(run: Path) -> Generator[None]:
    """Keep others from training the same run meanwhile."""
    with ExitStack() as held:
        distributed.together(
            lambda: held.enter_context(claimed(run)) if distributed.rank() == 0 else None
        )
        yield


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
    for text in changes(job.config, device):
        console.print(text, soft_wrap=True)
    if (text := drawback(job.how.precision, device)) is not None:
        console.print(text, soft_wrap=True)
    distributed.once(lambda: _tidy(run, damaged))
    return job, state


def _tidy(run: Path, damaged: dict[Path, str]) -> None:
    """Put aside what is damaged, and remove what a process that was killed left behind."""
    set_aside(damaged)
    sweep(run)
    if not checkpoints(run):
        (run / NAME).unlink(missing_ok=True)  # of steps that are all taken again


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
        if (run / WEIGHTS).exists():  # which come after a checkpoint
            raise CheckpointError(
                f"{run}: it has best weights, and its checkpoints are gone; put them back, or "
                "begin another run"
            )
        return job, _first_state(config.plan), damaged
    check_same_settings(run, config, checkpoint.path, checkpoint.config)
    state = checkpoint.state
    if state.step > job.steps_per_epoch or state.epoch > training.epochs:
        raise CheckpointError(f"{checkpoint.path}: of a longer run ({state})")
    checkpoint.restore(trained)
    return job, checkpoint.state, damaged


def _first_state(plan: Planned | None) -> State:
    if plan is None:
        return State()
    return State(pixel_budget=plan.pixel_budget, recompute=plan.recompute)


def _settle(memory: int | None, job: Job, state: State, log: RunLog) -> State:
    """Use memory as the state says, or plan anew for so many bytes; what was planned is tried
    before the first step under it. Returns where the run is then."""
    begins = distributed.once(lambda: not checkpoints(job.folder))
    planned = job.config.plan if begins else None
    memory = distributed.least(memory)
    if memory is not None and state.epoch < job.how.epochs:
        how, sizes, epoch = job.how, job.train.sizes, state.epoch
        planned = distributed.once(
            lambda: plan_run(how, sizes, memory, device=job.device, epoch=epoch)
        )
        state = replace(state, pixel_budget=planned.pixel_budget, recompute=planned.recompute)
        job.save(state, log)  # what is tried now may end the process
    job.trained.model.recompute = state.recompute
    return state if planned is None else _try_widest(planned, job, state, log)


def _try_widest(planned: Planned, job: Job, state: State, log: RunLog) -> State:
    """Try the widest micro-batch of the epoch, whose gradient is dropped: a surprise comes at once,
    and not in the last hour of an epoch."""
    widest = widest_batch(job.steps(replace(state, step=0)), job.train.sizes)
    batch, _ = distributed.together(lambda: job.reader.read(widest))
    (unread,) = distributed.any_of(batch is None)
    if batch is not None and not unread:  # some of its logs can be read
        watch = Watch(job.device)
        room = distributed.least(distributed.together(lambda: job.rehearse(batch)))
        log.memory(
            job.done(state),
            state.epoch,
            pixels=batch.padded_pixels,
            predicted=planned.predicted,
            measured=watch.peak(),
            plan=f"{planned.recompute} computed again, {planned.pixel_budget:,} px a micro-batch",
        )
        if room is not None:
            log.budget(job.done(state) + 1, state.epoch, room)
            state = replace(state, pixel_budget=room)
    job.save(state, log)
    return state


def _log(job: Job, state: State, console: Console) -> RunLog:
    done, n_steps = job.done(state), job.n_steps
    return RunLog(job.folder, epoch=state.epoch, done=done, n_steps=n_steps, console=console)

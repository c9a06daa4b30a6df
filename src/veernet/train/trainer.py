"""The training loop, the only one."""

import time
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, cast

import torch
from rich.console import Console

from veernet import distributed
from veernet.data.batch import Batch
from veernet.data.loader import PREFETCH_BYTES, Loader, UnreadableLog
from veernet.data.schedule import Step, shard
from veernet.errors import OnError, OptionError, RunError
from veernet.evaluation.summary import summarise
from veernet.memory.plan import StoredPlan, plan_run, widest_batch
from veernet.memory.system import PeakMemory
from veernet.step import StepResult, dry_run, train_step
from veernet.terminal import lasting
from veernet.train.checkpoint import Progress, checkpoint_path, checkpoints, prune, save_checkpoint
from veernet.train.fault import write_fault
from veernet.train.log import RunLog, rank0_console
from veernet.train.resume import OpenRun, resume
from veernet.train.run import check_name, claimed, determinism, read_config, threads
from veernet.train.signals import StopRequest, stop_signals
from veernet.train.validation import validate_logs
from veernet.training import Training
from veernet.weights import BEST, not_finite, save_weights


@dataclass(frozen=True, kw_only=True)
class CheckpointPolicy:
    """Policy for writing checkpoints, in addition to those at the end of every epoch and at a
    pause."""

    minutes: float = 10.0
    """Longest time between two checkpoints, minutes."""
    steps: int | None = None
    """Most steps between two checkpoints; None for no limit."""
    keep: int = 3
    """Number of newest checkpoints to keep."""

    def __post_init__(self) -> None:
        if not self.minutes > 0 or self.keep < 1 or (self.steps is not None and self.steps < 1):
            raise OptionError(
                "minutes must be > 0, steps and keep at least 1; "
                f"got {self.minutes}, {self.steps} and {self.keep}"
            )


def fit(
    run: str | Path,
    *,
    device: torch.device,
    memory: int | None = None,
    workers: int = 0,
    prefetch_bytes: int = PREFETCH_BYTES,
    on_error: OnError | None = None,
    checkpoints: CheckpointPolicy = CheckpointPolicy(),
    stop_after: int | None = None,
    console: Console | None = None,
) -> bool:
    """Train the run in folder `run` from where it is to its end; return True once it is there.

    Ctrl-C, SIGTERM or SIGHUP ends the current step, writes a checkpoint and returns; a second
    Ctrl-C stops at once. Processes joined by `torch.distributed` share every step; rank 0 writes.
    A damaged checkpoint is set aside, and the one before it is used.

    Args:
        memory: bytes to plan for anew (`veernet.memory.plan`), after which the widest micro-batch
            is tried first; None keeps the earlier plan or, without one, the settings.
        workers: threads that read logs ahead; 0 reads them when they are needed.
        prefetch_bytes: most bytes of host memory for logs read ahead.
        on_error: at a log that cannot be read, `stop`, or `skip` it and go on; the run's log says
            which, and why. None keeps the setting that the run was started with.
        checkpoints: when to write checkpoints, and how many to keep.
        stop_after: pause after this many steps, as Ctrl-C would.

    Raises:
        VeerNetError: the run, its archive or its checkpoints are not as they should be; the disk
            does not take a checkpoint; or `memory` does not hold the widest log under any
            plan.
    """
    check_name(run := Path(run))
    console, config = rank0_console(console or Console()), read_config(run)
    devices = [device] if device.type == "cuda" else []
    random_state = cast(Any, torch.random).fork_rng(devices)
    with determinism(config.deterministic), random_state, _claimed(run), lasting(console):
        found = resume(run, device, console)
        skipped = list[UnreadableLog]()
        loader = Loader(
            split=found.train,
            workers=workers,
            prefetch_bytes=prefetch_bytes,
            pin=device.type == "cuda",
            on_error=on_error or config.on_error,
            skipped=skipped.append,
        )
        with threads(config.threads), _log(run, found, console) as log:
            trainer = Trainer(
                folder=run,
                run=found,
                loader=loader,
                skipped=skipped,
                policy=checkpoints,
                log=log,
            )
            state = trainer.settle(memory, found.progress)
            with stop_signals(stop_after, log.console) as pausing:
                while state.epoch < config.training.epochs:
                    state, paused = trainer.train_epoch(state, pausing)
                    if paused:
                        return False
            log.end(scored=state.best >= 0)
    return True


@contextmanager
def _claimed(run: Path) -> Generator[None]:
    """Keep other processes from training the same run during the block."""
    with ExitStack() as held:
        distributed.raise_on_all_ranks(
            lambda: held.enter_context(claimed(run)) if distributed.rank() == 0 else None
        )
        yield


def _log(run: Path, found: OpenRun, console: Console) -> RunLog:
    state, per_epoch = found.progress, found.steps_per_epoch
    return RunLog(
        run,
        epoch=state.epoch,
        done=per_epoch * state.epoch + state.step,
        n_steps=per_epoch * found.config.training.epochs,
        console=console,
    )


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """Training of an open run, in one of the processes that share it."""

    folder: Path
    run: OpenRun
    loader: Loader
    """Loader of the training logs."""
    skipped: list[UnreadableLog]
    """Logs that this process left out and has not reported yet."""
    policy: CheckpointPolicy
    log: RunLog

    @property
    def training(self) -> Training:
        """Settings of the training."""
        return self.run.config.training

    @property
    def model(self) -> torch.nn.Module:
        """Network that is trained."""
        return self.run.train_state.model

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        return next(self.model.parameters()).device

    @property
    def n_steps(self) -> int:
        """Number of steps of the whole run."""
        return self.run.steps_per_epoch * self.training.epochs

    def global_step(self, state: Progress) -> int:
        """Number of steps of the run that are done."""
        return self.run.steps_per_epoch * state.epoch + state.step

    def steps(self, state: Progress) -> list[Step]:
        """List the steps of the epoch that are left."""
        budget = state.pixel_budget or self.training.schedule.pixel_budget
        schedule = replace(self.training.schedule, pixel_budget=budget)
        return schedule.steps(self.run.train.sizes, state.epoch)[state.step :]

    def settle(self, memory: int | None, state: Progress) -> Progress:
        """Use memory as `state` says, or plan anew for `memory` bytes and try the plan before the
        first step under it. Returns the new progress."""
        begins = distributed.on_rank0(lambda: not checkpoints(self.folder))
        planned = self.run.config.plan if begins else None
        memory = distributed.min_over_ranks(memory)
        if memory is not None and state.epoch < self.training.epochs:
            sizes, epoch = self.run.train.sizes, state.epoch
            planned = distributed.on_rank0(
                lambda: plan_run(self.training, sizes, memory, device=self.device, epoch=epoch)
            )
            state = replace(
                state,
                pixel_budget=planned.pixel_budget,
                activation_checkpointing=planned.activation_checkpointing,
            )
            self.save(state)  # trying the widest may end the process
        self.run.train_state.model.activation_checkpointing = state.activation_checkpointing
        return state if planned is None else self._try_widest(planned, state)

    def _try_widest(self, planned: StoredPlan, state: Progress) -> Progress:
        """Try the widest micro-batch of the epoch and drop its gradient, so that memory runs out at
        once rather than in the last hour of an epoch. Returns the new progress."""
        widest = widest_batch(self.steps(replace(state, step=0)), self.run.train.sizes)
        batch, _ = distributed.raise_on_all_ranks(lambda: self.loader.read(widest))
        (unread,) = distributed.any_rank(batch is None)
        if batch is not None and not unread:  # some of its logs can be read
            watch = PeakMemory(self.device)
            largest_fit = distributed.min_over_ranks(
                distributed.raise_on_all_ranks(lambda: self.dry_run(batch))
            )
            self.log.memory(
                self.global_step(state),
                state.epoch,
                pixels=batch.padded_pixels,
                predicted=planned.predicted,
                measured=watch.peak(),
                plan=str(planned),
            )
            if largest_fit is not None:
                self.log.budget(self.global_step(state) + 1, state.epoch, largest_fit)
                state = replace(state, pixel_budget=largest_fit)
        self.save(state)
        return state

    def dry_run(self, batch: Batch) -> int | None:
        """Run a micro-batch without updating anything; return the pixel budget that it found if
        memory ran out."""
        loss, autocast = self.training.loss, self.training.autocast
        return dry_run(self.model, loss, batch, device=self.device, autocast=autocast)

    def train_epoch(self, state: Progress, pausing: StopRequest) -> tuple[Progress, bool]:
        """Run the rest of an epoch and validate. Returns the new progress and whether to pause. A
        step that has to be cut finer ends the epoch's loop early."""
        steps, saved = self.steps(state), (time.monotonic(), self.global_step(state))
        mine = [shard(step, distributed.rank(), distributed.world_size()) for step in steps]
        with self.loader.steps(mine) as loaded:
            for step, batches in zip(steps, loaded, strict=True):
                before, state = state, self.train_step(step, batches, state)
                due = time.monotonic() - saved[0] > 60 * self.policy.minutes
                if self.policy.steps is not None:
                    due |= self.global_step(state) - saved[1] >= self.policy.steps
                paused, due = distributed.any_rank(pausing(), due)
                paused = paused and self.global_step(state) < self.n_steps
                if paused or due:
                    self.save(state)
                    saved = time.monotonic(), self.global_step(state)
                if paused:
                    return state, True
                if state.pixel_budget != before.pixel_budget:
                    break  # cut the remaining steps anew
        if state.step < self.run.steps_per_epoch:
            return state, False
        self.save(state)  # validation takes a while
        return self.validate(state, pausing)

    def train_step(self, whole: Step, batches: Iterable[Batch], state: Progress) -> Progress:
        """Step on `batches`, this process's share of a step. Returns the new progress.

        Raises:
            RunError: the gradient is not finite, and no lower loss scale is left to try; or it was
                the last step of an epoch in which no step updated the weights.
        """
        training, trained = self.training, self.run.train_state
        number, scaler = self.global_step(state) + 1, trained.scaler
        scale, before = scaler.get_scale(), scaler.state_dict()
        rate = training.learning_rate_at(number - 1, self.n_steps)
        for group in trained.optimizer.param_groups:
            group["lr"] = rate
        while True:
            result = train_step(
                trained.model,
                trained.optimizer,
                training.loss,
                batches,
                device=self.device,
                autocast=training.autocast,
                clip=training.clip,
                scaler=scaler,
            )
            if result.applied:
                break
            if not 1 <= (lower := scaler.get_scale()) < scale:
                scaler.load_state_dict(before)
                raise self._fault(whole, state, result)
            scale = lower
            self.log.retry(number, state.epoch, scale)
        self.log.step(number, state.epoch, result, rate, len(whole))
        self._report_skipped(number, state.epoch)
        if result.pixel_budget is not None:
            self.log.budget(number, state.epoch, result.pixel_budget)
            state = replace(state, pixel_budget=result.pixel_budget)
        state = replace(state, step=state.step + 1)
        if state.step == self.run.steps_per_epoch:
            self._check_learned(state.epoch)
        return state

    def validate(self, state: Progress, pausing: StopRequest) -> tuple[Progress, bool]:
        """Validate, every process on its share of the logs, and keep the weights if they are the
        best. A pause leaves the validation to the next start. Returns the new progress and whether
        to pause."""

        def skip(name: str, reason: str) -> None:
            self.skipped.append(UnreadableLog(file_name=name, reason=reason))

        self.model.eval()
        found = validate_logs(
            self.model,
            self.training.loss,
            self.run.val,
            autocast=self.training.autocast,
            skip=skip if self.loader.on_error == "skip" else None,
            stop=lambda: pausing.requested,
        )
        self.model.train()
        if found is None:
            self.skipped.clear()
            return state, True
        number = self.global_step(state)
        self._report_skipped(number, state.epoch, validating=True)
        summary = summarise(found.results, self.run.classes)
        score = summary.mean_f1
        best = score is not None and score > state.best
        self.log.epoch(number, state.epoch, summary, found.loss, best=best, pictures=found.pictures)
        if best and score is not None:
            distributed.on_rank0(
                lambda: save_weights(self.folder / BEST, self.run.train_state.model)
            )
            state = replace(state, best=score)
        state = replace(state, epoch=state.epoch + 1, step=0)
        self.save(state)
        return state, False

    def save(self, state: Progress) -> None:
        """Write a checkpoint and remove the oldest; the log is on the disk before it.

        Raises:
            RunError: the weights are not finite, as after far too long a step.
        """
        path = checkpoint_path(self.folder, self.global_step(state))

        def write() -> None:
            self._check_weights(state)
            self.log.flush()
            save_checkpoint(path, state, self.run.config.to_dict(), self.run.train_state)
            prune(self.folder, self.policy.keep)

        distributed.on_rank0(write)

    def _report_skipped(self, number: int, epoch: int, *, validating: bool = False) -> None:
        """Log the logs that any process left out in step `number`, or in the validation after
        it."""
        if self.loader.on_error == "skip":
            for one in chain(*distributed.all_gather(self.skipped)):
                self.log.skipped(number, epoch, one.file_name, one.reason, validating=validating)
            self.skipped.clear()

    def _check_learned(self, epoch: int) -> None:
        (learned,) = distributed.any_rank(epoch in self.log.learned)
        if not learned:
            raise RunError(
                f"{self.folder}: nothing was learned in epoch {epoch + 1}, for none of the "
                f"{len(self.run.train)} logs in {self.run.train.folder} could be read and has a "
                "label. `veernet inspect` says what is wrong with an archive; the last checkpoint "
                "is as it was"
            )

    def _check_weights(self, state: Progress) -> None:
        if (wrong := not_finite(self.model.state_dict())) is not None:
            raise RunError(
                f"{self.folder}: after step {self.global_step(state)}, whose gradient was finite, "
                f"{wrong}. A lower learning rate may help. The last checkpoint is as it was"
            )

    def _fault(self, whole: Step, state: Progress, result: StepResult) -> RunError:
        """Record a step whose gradient is not finite; return the error to raise."""
        folder = distributed.on_rank0(
            lambda: write_fault(
                self.folder,
                self.global_step(state) + 1,
                state,
                self.run.config,
                self.run.train_state,
                whole,
                self.run.train,
                result,
            )
        )
        return RunError(
            f"{self.folder}: the gradient is not finite (loss {result.loss.item():g}); "
            f"`veernet replay {folder}` takes the step again, log by log. A lower learning rate "
            "may help. The last checkpoint is as it was"
        )

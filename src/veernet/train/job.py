"""A run that is open: its settings, its data, what it trains, and a step of it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import torch

from veernet import distributed
from veernet.data.archive import Split
from veernet.data.batch import Batch
from veernet.data.schedule import Step, share
from veernet.errors import RunError
from veernet.train.checkpoint import (
    State,
    Trained,
    checkpoint_path,
    not_finite,
    prune,
    save_checkpoint,
)
from veernet.train.config import Training
from veernet.train.fault import write_fault
from veernet.train.load import Batches, Loader, Skipped
from veernet.train.log import RunLog
from veernet.train.run import Config
from veernet.train.step import StepResult, rehearse, step


@dataclass(frozen=True, kw_only=True)
class Job:
    """An open run, in one of the processes that share it."""

    folder: Path
    config: Config
    classes: tuple[str, ...]
    reader: Loader
    """Of the logs to train on."""
    skipped: list[Skipped]
    """Logs that this process left out since it last told."""
    val: Split
    trained: Trained
    keep: int
    """How many checkpoints stay."""

    @property
    def how(self) -> Training:
        """How the run is to be trained."""
        return self.config.training

    @property
    def train(self) -> Split:
        """The logs to train on."""
        return self.reader.split

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.trained.model.parameters()).device

    @property
    def steps_per_epoch(self) -> int:
        """Of every epoch, the last and short one included."""
        return -(-len(self.train) // self.how.schedule.effective_batch)

    @property
    def n_steps(self) -> int:
        """Of the whole run."""
        return self.steps_per_epoch * self.how.epochs

    def done(self, state: State) -> int:
        """Steps that lie behind."""
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

    def tell_skipped(
        self, number: int, epoch: int, log: RunLog, *, validating: bool = False
    ) -> None:
        """Tell of the logs that any process left out in step `number`, or while validating."""
        if self.reader.on_error == "skip":
            for one in chain(*distributed.gather(self.skipped)):
                log.skipped(number, epoch, one.file_name, one.reason, validating=validating)
            self.skipped.clear()

    def learn(self, whole: Step, batches: Iterable[Batch], state: State, log: RunLog) -> State:
        """Step on `batches`, this process's share of a step; returns where the run is then.

        Raises:
            RunError: the gradient is not finite, and no lower scale of the loss is left to try; or
                it was the last step of an epoch of which nothing could be learned.
        """
        done, scaler = self.done(state), self.trained.scaler
        scale, before = scaler.get_scale(), scaler.state_dict()
        rate = self.how.learning_rate_at(done, self.n_steps)
        for group in self.trained.optimizer.param_groups:
            group["lr"] = rate
        while not (result := self.attempt(batches)).applied:
            if not 1 <= (lower := scaler.get_scale()) < scale:
                scaler.load_state_dict(before)
                raise self._fault(whole, state, result)
            scale = lower
            log.retry(done + 1, state.epoch, scale)
        log.step(done + 1, state.epoch, result, rate, len(whole))
        self.tell_skipped(done + 1, state.epoch, log)
        if result.pixel_budget is not None:
            log.budget(done + 1, state.epoch, result.pixel_budget)
            state = replace(state, pixel_budget=result.pixel_budget)
        state = replace(state, step=state.step + 1)
        if state.step == self.steps_per_epoch:
            self._check_learned(state.epoch, log)
        return state

    def _check_learned(self, epoch: int, log: RunLog) -> None:
        (learned,) = distributed.any_of(epoch in log.learned)
        if not learned:
            raise RunError(
                f"{self.folder}: nothing was learned in epoch {epoch + 1}, for none of the "
                f"{len(self.train)} logs in {self.train.folder} could be read and has a label. "
                "`veernet inspect` says what is wrong with an archive; the last checkpoint is as "
                "it was"
            )

    def attempt(self, batches: Iterable[Batch]) -> StepResult:
        """A step, applied only if its gradient is finite."""
        return step(
            self.trained.model,
            self.trained.optimizer,
            self.how.loss,
            batches,
            device=self.device,
            autocast=self.how.autocast,
            clip=self.how.clip,
            scaler=self.trained.scaler,
        )

    def rehearse(self, batch: Batch) -> int | None:
        """A micro-batch without consequences; the pixel budget that it found, if memory ran out."""
        how, model = self.how, self.trained.model
        return rehearse(model, how.loss, batch, device=self.device, autocast=how.autocast)

    def save(self, state: State, log: RunLog) -> None:
        """Write a checkpoint, and let go of the oldest; what the log says is on the disk before.

        Raises:
            RunError: the weights are not finite, as after a step that was far too long.
        """
        path = checkpoint_path(self.folder, self.done(state))

        def write() -> None:
            self._check_weights(state)
            log.flush()
            save_checkpoint(path, state, self.config.plain(), self.trained)
            prune(self.folder, self.keep)

        distributed.once(write)

    def _check_weights(self, state: State) -> None:
        if (wrong := not_finite(self.trained.model.state_dict())) is not None:
            raise RunError(
                f"{self.folder}: after step {self.done(state)}, whose gradient was finite, {wrong}"
                ". A lower learning rate may help. The last checkpoint is as it was"
            )

    def _fault(self, whole: Step, state: State, result: StepResult) -> RunError:
        """Write down a step whose gradient is not finite; returns what to raise."""
        folder = distributed.once(
            lambda: write_fault(
                self.folder,
                self.done(state) + 1,
                state,
                self.config,
                self.trained,
                whole,
                self.train,
                result,
            )
        )
        return RunError(
            f"{self.folder}: the gradient is not finite (loss {result.loss.item():g}); "
            f"`veernet replay {folder}` takes the step again, log by log. A lower learning rate "
            "may help. The last checkpoint is as it was"
        )

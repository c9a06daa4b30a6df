"""Training, and what comes of it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
from rich.console import Console
from tyro.conf import Positional

from veernet import distributed, recipes
from veernet.cli.console import aside, print_json
from veernet.cli.options import (
    OPTIONAL_ARCHIVE,
    FromRecipe,
    RecipeName,
    check_at_least,
    device_of,
    given,
    weights_of,
)
from veernet.errors import OnError, OptionError
from veernet.memory.plan import plan_run
from veernet.memory.system import parse_bytes
from veernet.synth.opening import open_archive
from veernet.train.log import rank0_console, read_log
from veernet.train.run import CONFIG, Config, check_fit, read_config_file, start
from veernet.train.signals import end_if_paused
from veernet.train.trainer import CheckpointPolicy, fit
from veernet.training import Precision


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train on an archive, or go on with a run that was stopped.

    `veernet train ARCHIVE --out RUN` starts a run; `veernet train --resume RUN` goes on with one
    under the settings that it was begun with. Ctrl-C, SIGTERM or SIGHUP (of a closed terminal) ends
    the current step, writes a checkpoint and ends the command with exit code 75; under torchrun
    with 0, for else that would start it again. A second Ctrl-C stops at once, with 130. To share
    every step among N processes, one a GPU, write `torchrun --nproc-per-node N -m veernet` for
    `veernet`: what is learned is the same, and with `--max-restarts` the run goes on from its last
    checkpoint where a process is lost.
    """

    archive: Annotated[Positional[Path | None], OPTIONAL_ARCHIVE] = None
    """Folder of the archive."""
    out: Path | None = None
    """Folder of the new run."""
    resume: Path | None = None
    """Folder of a run to go on with."""
    recipe: RecipeName = "multiclass"
    """binary: batch 1, cross entropy. multiclass: effective batch 16, Tversky. 50 epochs each."""
    config: Path | None = None
    """config.json of another run, to make that one again: its archive and all of its settings."""
    init_weights: str | None = None
    """Weights to begin from: `pretrained`, the folder of a run, or a .safetensors file."""
    epochs: FromRecipe[int] = None
    """Times that every log is seen."""
    effective_batch: FromRecipe[int] = None
    """Logs in one optimizer step."""
    memory: str | None = None
    """Like 8GiB, or auto, for nine tenths of what is free: chooses what is computed again and the
    pixel budget, which change memory and speed and nothing else, and tries the widest micro-batch
    before the first step. Of every process, if there are several. Not given: auto for a new run,
    unless --pixel-budget is; as before for a resumed one, or for one made again."""
    pixel_budget: FromRecipe[int] = None
    """Most pixels of one micro-batch, padding included, in place of a plan."""
    learning_rate: FromRecipe[float] = None
    """At its highest."""
    precision: FromRecipe[Precision] = None
    """bf16 and fp16 save memory and are fast where the hardware has units for them; fp64 is for
    proofs."""
    seed: FromRecipe[int] = None
    """Of the first weights and of the order of the logs."""
    workers: int = 2
    """Threads that read logs ahead; 0 reads them between steps."""
    prefetch_bytes: str = "1GiB"
    """Most host memory for what is read ahead."""
    on_error: OnError | None = None
    """End the run at a log that cannot be read (stop), or leave it out, count and name it
    (skip). Not given: stop for a new run; as it was begun for a resumed one."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""
    deterministic: bool = False
    """Refuse operations that add up in another order every time: the same bits on the same GPU."""
    checkpoint_minutes: float = CheckpointPolicy.minutes
    """Longest time between two checkpoints; there is one after every epoch besides."""
    checkpoint_steps: int | None = None
    """Most steps between two checkpoints."""
    keep_checkpoints: int = CheckpointPolicy.keep
    """Checkpoints that stay, the newest; the best weights stay besides."""
    stop_after: int | None = None
    """Pause after so many steps, as Ctrl-C would."""
    json: bool = False
    """Print where the run is then, and its last validation, as JSON on stdout; all else goes to
    stderr."""

    def run(self, console: Console) -> None:
        """Start or resume."""
        policy = CheckpointPolicy(
            minutes=self.checkpoint_minutes, steps=self.checkpoint_steps, keep=self.keep_checkpoints
        )
        folder = self._folder()
        check_at_least(0, workers=self.workers)
        check_at_least(1, stop_after=self.stop_after)
        device = device_of(self.device)
        if self.memory is not None and self.pixel_budget is not None:
            raise OptionError("--memory chooses the pixel budget; leave out --pixel-budget")
        planned = None if self.memory is None else parse_bytes(self.memory, device)
        with distributed.process_group(device):
            if self.resume is None:
                self._start(folder, device, distributed.min_over_ranks(planned))
            # A run keeps to its plan: torchrun repeats the command where it starts a process again.
            anew = self.resume is not None and not distributed.restarts()
            done = fit(
                folder,
                device=device,
                memory=planned if anew else None,
                workers=self.workers,
                prefetch_bytes=parse_bytes(self.prefetch_bytes, device),
                on_error=self.on_error,
                checkpoints=policy,
                stop_after=self.stop_after,
                console=aside(console, self.json),
            )
            _print_trained(rank0_console(console), folder, done=done, as_json=self.json)
        end_if_paused(done)

    def _folder(self) -> Path:
        """Of the run; checks which options were given together."""
        if self.resume is not None:
            fixed = {**self._schedule(), **self._training()}
            fixed |= given(
                archive=self.archive,
                out=self.out,
                config=self.config,
                init_weights=self.init_weights,
            )
            if fixed or self.deterministic:
                names = ", ".join(sorted(fixed) or ["deterministic"])
                raise OptionError(f"a resumed run keeps its settings; leave out {names}")
            return self.resume
        if self.out is None or (self.archive is None and self.config is None):
            raise OptionError(
                "train needs ARCHIVE and --out RUN, or --config FILE and --out RUN, "
                "or --resume RUN alone"
            )
        return self.out

    def _start(self, folder: Path, device: torch.device, memory: int | None) -> None:
        """Begin a run, planned for so many bytes; if none are given, as its options say."""
        model = distributed.raise_on_all_ranks(self._model)
        if model is not None and model.first is not None and self.init_weights is None:
            raise OptionError(
                f"{self.config}: that run began from weights (SHA-256 {model.first[:12]}…); "
                "give them by --init-weights"
            )
        if memory is None and self.pixel_budget is None and model is None:
            memory = distributed.min_over_ranks(parse_bytes("auto", device))
        distributed.on_rank0(lambda: self._begin(folder, device, memory, model))

    def _begin(
        self, folder: Path, device: torch.device, memory: int | None, model: Config | None
    ) -> None:
        training = recipes.RECIPES[self.recipe].training if model is None else model.training
        schedule = replace(training.schedule, **self._schedule())
        training = replace(training, schedule=schedule, **self._training())
        first = None if self.init_weights is None else weights_of(self.init_weights)
        if first is not None:
            training = replace(training, network=first.config)
        archive = open_archive(self.archive or Path("" if model is None else model.archive))
        check_fit(archive, training)
        plan = None if model is None or self.pixel_budget is not None else model.plan
        if memory is not None and not (folder / CONFIG).exists():
            plan = plan_run(training, archive.split("train").sizes, memory, device=device)
        start(
            folder,
            archive,
            training,
            first=first,
            deterministic=self.deterministic or (model is not None and model.deterministic),
            plan=plan,
            on_error=self.on_error or ("stop" if model is None else model.on_error),
            device=device,
            again=distributed.restarts() > 0,
        )

    def _model(self) -> Config | None:
        """The settings of the run that is to be made again."""
        if self.config is None:
            return None
        missing = f"{self.config}: no such settings of a run"
        return read_config_file(self.config, missing=missing)

    def _schedule(self) -> dict[str, Any]:
        return given(
            effective_batch=self.effective_batch, pixel_budget=self.pixel_budget, seed=self.seed
        )

    def _training(self) -> dict[str, Any]:
        return given(epochs=self.epochs, learning_rate=self.learning_rate, precision=self.precision)


def _print_trained(console: Console, run: Path, *, done: bool, as_json: bool) -> None:
    """Say where a run is, and how to go on."""
    if as_json:
        rows = read_log(run)
        scores = [row for row in rows if row["kind"] == "epoch"]
        at = {"step": max((row["step"] for row in rows), default=0), "done": done}
        print_json(console, {"run": str(run), **at, "validation": scores[-1] if scores else None})
        return
    go_on = f"paused; `veernet train --resume {run}` goes on"
    console.print(f"trained: {run}" if done else go_on, soft_wrap=True)

"""`veernet train`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from rich.console import Console
from tyro.conf import Positional, arg

from veernet import distributed, recipes
from veernet.cli.console import print_json, progress_console
from veernet.cli.options import (
    OPTIONAL_ARCHIVE,
    SET,
    FromRecipe,
    LossName,
    RecipeName,
    check_at_least,
    device_of,
    given,
)
from veernet.errors import OnError, OptionError
from veernet.memory.plan import plan_run
from veernet.memory.system import parse_bytes
from veernet.model import VeerNet
from veernet.synth.opening import open_archive
from veernet.train.log import rank0_console, read_log
from veernet.train.run import CONFIG, check_fit, lengthen, start
from veernet.train.settings import Settings, merged, parse_set, read_settings, settle
from veernet.train.signals import end_if_paused
from veernet.train.toml import plain, tables_in
from veernet.train.trainer import CheckpointPolicy, fit
from veernet.training import Precision
from veernet.weights import load_weights

_NEEDS = (
    "train needs ARCHIVE and --out RUN, or --config FILE that names an archive and --out RUN, or "
    "--resume RUN alone"
)


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train on an archive, or resume a run that was stopped.

    `veernet train ARCHIVE --out RUN` starts a run; `veernet train --resume RUN` resumes one with
    the settings that it was started with, and `veernet train --resume RUN --epochs N` makes it
    longer, finished or not. Ctrl-C, SIGTERM or SIGHUP (of a closed terminal) ends the
    current step, writes a checkpoint and ends the command with exit code 75 (0 under torchrun,
    which would otherwise restart it). A second Ctrl-C stops at once, with 130. To share every step
    among N processes, one per GPU, write `torchrun --nproc-per-node N -m veernet` for `veernet`:
    what is learned is the same, and with `--max-restarts` the run goes on from its last checkpoint
    if a process is lost.

    Examples:
        veernet train archive --out run
        veernet train archive --out run --memory 4GiB --epochs 20
        veernet train --resume run
    """

    archive: Annotated[Positional[Path | None], OPTIONAL_ARCHIVE] = None
    """Folder of the archive."""
    out: Path | None = None
    """Folder of the new run."""
    resume: Path | None = None
    """Folder of a run to resume."""
    recipe: RecipeName = "multiclass"
    """Settings for what nothing else gives. binary: batch 1, cross entropy, learning rate 3e-4.
    multiclass: effective batch 16, Tversky, 1e-3. Both train for 50 epochs."""
    config: Annotated[Path | None, arg(metavar="FILE")] = None
    """Settings over those of the recipe: a TOML file with any of them, or config.json of a run to
    repeat, with its archive and all its settings."""
    loss: FromRecipe[LossName] = None
    """Loss, with its own defaults; --set loss.NAME=VALUE changes them."""
    set: Annotated[tuple[str, ...], SET] = ()
    """Any setting by its name in TOML, over all else, such as network.channels=[8,16] or
    weight_decay=0."""
    init_weights: str | None = None
    """Initial weights: `pretrained`, the folder of a run, or a .safetensors file."""
    epochs: FromRecipe[int] = None
    """Number of passes over the training logs. With --resume, the number to which the run goes on,
    more than before: after the epochs planned before, the learning rate rises and falls once more
    over the new ones."""
    effective_batch: FromRecipe[int] = None
    """Logs per optimizer step."""
    memory: str | None = None
    """Memory per process, such as 8GiB, or auto for 90 % of what is free. It decides the activation
    checkpointing and the pixel budget, which change memory and speed but not what is learned; the
    widest micro-batch is tried before the first step. If omitted: auto for a new run without
    --pixel-budget; as before for a resumed or repeated run."""
    pixel_budget: FromRecipe[int] = None
    """Most pixels of one micro-batch, padding included, in place of a plan."""
    learning_rate: FromRecipe[float] = None
    """Peak learning rate, after the warm-up."""
    precision: FromRecipe[Precision] = None
    """Precision of the network's arithmetic. bf16 and fp16 save memory, and are fast on hardware
    with units for them; fp64 is for proofs."""
    seed: FromRecipe[int] = None
    """Seed for the initial weights and the order of the logs."""
    workers: int = 2
    """Threads that read logs ahead; with 0 they are read between steps."""
    prefetch_bytes: str = "1GiB"
    """Most host memory for logs read ahead."""
    on_error: OnError | None = None
    """Action at a log that cannot be read: `stop` the run, or `skip` the log, count it and name it.
    If omitted: stop for a new run; for a resumed one, as it was started."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""
    deterministic: bool = False
    """Refuse operations whose order of summation varies, so that the same GPU gives the same bits
    every time."""
    checkpoint_minutes: float = CheckpointPolicy.minutes
    """Most minutes between two checkpoints; every epoch ends with one too."""
    checkpoint_steps: int | None = None
    """Most steps between two checkpoints. If omitted: no limit."""
    keep_checkpoints: int = CheckpointPolicy.keep
    """Number of newest checkpoints to keep; the best weights are always kept."""
    stop_after: int | None = None
    """Pause after this many steps, as Ctrl-C would."""
    json: bool = False
    """Print the number of steps done and the last validation as JSON on stdout; all else goes to
    stderr."""

    def run(self, console: Console) -> None:
        """Start a run or resume it."""
        check_at_least(
            1, checkpoint_steps=self.checkpoint_steps, keep_checkpoints=self.keep_checkpoints
        )
        policy = CheckpointPolicy(
            minutes=self.checkpoint_minutes, steps=self.checkpoint_steps, keep=self.keep_checkpoints
        )
        folder = self._folder()
        check_at_least(0, workers=self.workers)
        check_at_least(1, stop_after=self.stop_after)
        device = device_of(self.device)
        planned = None if self.memory is None else parse_bytes(self.memory, device)
        with distributed.process_group(device):
            if self.resume is None:
                self._start(folder, device, distributed.min_over_ranks(planned))
            elif (epochs := self.epochs) is not None:
                distributed.on_rank0(lambda: lengthen(folder, epochs))
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
                console=progress_console(console, self.json),
            )
            _print_trained(rank0_console(console), folder, done=done, as_json=self.json)
        end_if_paused(done)

    def _folder(self) -> Path:
        """Return the folder of the run, after checking which options were given together."""
        if self.resume is not None:
            fixed = {**self._schedule(), **self._training()}
            fixed.pop("epochs", None)
            fixed |= given(
                archive=self.archive,
                out=self.out,
                config=self.config,
                init_weights=self.init_weights,
                loss=self.loss,
                set=self.set or None,
            )
            if fixed or self.deterministic:
                names = sorted(fixed) or ["deterministic"]
                options = ", ".join(f"--{name.replace('_', '-')}" for name in names)
                options = options.replace("--archive", "ARCHIVE")
                raise OptionError(f"a resumed run keeps its settings; leave out {options}")
            return self.resume
        if self.out is None or (self.archive is None and self.config is None and not self.set):
            raise OptionError(_NEEDS)
        return self.out

    def _start(self, folder: Path, device: torch.device, memory: int | None) -> None:
        """Start a run planned for `memory` bytes; with None, as its options say."""
        first, settings = distributed.raise_on_all_ranks(self._settings)
        if settings.run.first is not None and first is None:
            raise OptionError(
                f"{self.config or '--set first'}: that run began from weights "
                f"(SHA-256 {settings.run.first[:12]}…); give them by --init-weights"
            )
        if memory is None and settings.plan_anew:
            memory = distributed.min_over_ranks(parse_bytes("auto", device))
        distributed.on_rank0(lambda: self._begin(folder, device, memory, first, settings))

    def _begin(
        self,
        folder: Path,
        device: torch.device,
        memory: int | None,
        first: VeerNet | None,
        settings: Settings,
    ) -> None:
        training, run = settings.training, settings.run
        archive = open_archive(Path(run.archive or ""))
        check_fit(archive, training)
        plan = run.plan
        if memory is not None and not (folder / CONFIG).exists():
            plan = plan_run(training, archive.split("train").sizes, memory, device=device)
        start(
            folder,
            archive,
            training,
            first=first,
            deterministic=run.deterministic,
            plan=plan,
            on_error=run.on_error,
            device=device,
            exist_ok=distributed.restarts() > 0,
        )

    def _settings(self) -> tuple[VeerNet | None, Settings]:
        """Return the initial weights, None if they are to be drawn, and the settings of a new
        run."""
        first = None if self.init_weights is None else load_weights(self.init_weights)
        options = given(
            archive=None if self.archive is None else str(self.archive),
            on_error=self.on_error,
            deterministic=self.deterministic or None,
            loss=self.loss and {"kind": self.loss},
            schedule=self._schedule() or None,
            **self._training(),
        )
        config = {} if self.config is None else read_settings(self.config)
        sources = [
            *([f"--loss {self.loss}"] if self.loss else []),
            *(f"--set {x}" for x in self.set),
        ]
        options = merged(options, parse_set(self.set))
        if self.memory is not None and "pixel_budget" in tables_in(options).get("schedule", {}):
            name = "--pixel-budget" if self.pixel_budget else "--set schedule.pixel_budget"
            raise OptionError(f"--memory chooses the pixel budget; leave out {name}")
        settings = settle(
            recipes.RECIPES[self.recipe].training,
            config,
            {} if first is None else {"network": plain(first.config)},
            options,
            where=", ".join([*map(str, filter(None, [self.config])), *sources]) or "settings",
        )
        if settings.run.archive is None:
            raise OptionError(_NEEDS)
        return first, settings

    def _schedule(self) -> dict[str, Any]:
        return given(
            effective_batch=self.effective_batch, pixel_budget=self.pixel_budget, seed=self.seed
        )

    def _training(self) -> dict[str, Any]:
        return given(epochs=self.epochs, learning_rate=self.learning_rate, precision=self.precision)


def _print_trained(console: Console, run: Path, *, done: bool, as_json: bool) -> None:
    """Print how far the run is, and the command that resumes it if it was paused."""
    if as_json:
        rows = read_log(run)
        scores = [row for row in rows if row["kind"] == "epoch"]
        at = {"step": max((row["step"] for row in rows), default=0), "done": done}
        print_json(console, {"run": str(run), **at, "validation": scores[-1] if scores else None})
        return
    go_on = f"paused; `veernet train --resume {run}` goes on"
    console.print(f"trained: {run}" if done else go_on, soft_wrap=True)

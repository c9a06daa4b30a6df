"""Training, and what comes of it."""

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
from rich.console import Console
from tyro.conf import Positional

from veernet import distributed, recipes
from veernet.commands.options import (
    OPTIONAL_ARCHIVE,
    SCAN,
    FromRecipe,
    RecipeName,
    Repeated,
    aside,
    check_at_least,
    device_of,
    given,
    print_json,
    weights_of,
)
from veernet.console import say
from veernet.data.raster import MAX_PIXELS
from veernet.digitise import Header, OffScale, digitise_file
from veernet.errors import OnError, OptionError
from veernet.evaluate import WINDOW
from veernet.las import Las, Unit, read_las
from veernet.synth.make import open_archive
from veernet.train.config import Precision
from veernet.train.fit import Saving, fit
from veernet.train.interrupt import end_if_paused
from veernet.train.log import read_log, voice
from veernet.train.machine import bytes_of
from veernet.train.plan import plan_run
from veernet.train.run import CONFIG, Config, check_fit, read_config_file, start


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
    recipe_json: Path | None = None
    """config.json of another run, to make that one again: its archive and all of its settings."""
    start_from: str | None = None
    """Weights to begin from: `shipped`, the folder of a run, or a .safetensors file."""
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
    in_flight: str = "1GiB"
    """Most host memory for what is read ahead."""
    on_error: OnError | None = None
    """End the run at a log that cannot be read (stop), or leave it out, count and name it
    (skip). Not given: stop for a new run; as it was begun for a resumed one."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""
    deterministic: bool = False
    """Refuse operations that add up in another order every time: the same bits on the same GPU."""
    checkpoint_minutes: float = Saving.minutes
    """Longest time between two checkpoints; there is one after every epoch besides."""
    checkpoint_steps: int | None = None
    """Most steps between two checkpoints."""
    keep: int = Saving.keep
    """Checkpoints that stay, the newest; the best weights stay besides."""
    stop_after: int | None = None
    """Pause after so many steps, as Ctrl-C would."""
    json: bool = False
    """Print where the run is then, and its last validation, as JSON on stdout; all else goes to
    stderr."""

    def run(self, console: Console) -> None:
        """Start or resume."""
        saving = Saving(
            minutes=self.checkpoint_minutes, steps=self.checkpoint_steps, keep=self.keep
        )
        folder = self._folder()
        check_at_least(0, workers=self.workers)
        check_at_least(1, stop_after=self.stop_after)
        device = device_of(self.device)
        if self.memory is not None and self.pixel_budget is not None:
            raise OptionError("--memory chooses the pixel budget; leave out --pixel-budget")
        planned = None if self.memory is None else bytes_of(self.memory, device)
        with distributed.joined(device):
            if self.resume is None:
                self._start(folder, device, distributed.least(planned))
            # A run keeps to its plan: torchrun repeats the command where it starts a process again.
            anew = self.resume is not None and not distributed.restarts()
            done = fit(
                folder,
                device=device,
                memory=planned if anew else None,
                workers=self.workers,
                in_flight=bytes_of(self.in_flight, device),
                on_error=self.on_error,
                saving=saving,
                stop_after=self.stop_after,
                console=aside(console, self.json),
            )
            _print_trained(voice(console), folder, done=done, as_json=self.json)
        end_if_paused(done)

    def _folder(self) -> Path:
        """Of the run; checks which options were given together."""
        if self.resume is not None:
            fixed = {**self._schedule(), **self._training()}
            fixed |= given(
                archive=self.archive,
                out=self.out,
                recipe_json=self.recipe_json,
                start_from=self.start_from,
            )
            if fixed or self.deterministic:
                names = ", ".join(sorted(fixed) or ["deterministic"])
                raise OptionError(f"a resumed run keeps its settings; leave out {names}")
            return self.resume
        if self.out is None or (self.archive is None and self.recipe_json is None):
            raise OptionError(
                "train needs ARCHIVE and --out RUN, or --recipe-json FILE and --out RUN, "
                "or --resume RUN alone"
            )
        return self.out

    def _start(self, folder: Path, device: torch.device, memory: int | None) -> None:
        """Begin a run, planned for so many bytes; if none are given, as its options say."""
        model = distributed.together(self._model)
        if model is not None and model.first is not None and self.start_from is None:
            raise OptionError(
                f"{self.recipe_json}: that run began from weights (SHA-256 {model.first[:12]}…); "
                "give them by --start-from"
            )
        if memory is None and self.pixel_budget is None and model is None:
            memory = distributed.least(bytes_of("auto", device))
        distributed.once(lambda: self._begin(folder, device, memory, model))

    def _begin(
        self, folder: Path, device: torch.device, memory: int | None, model: Config | None
    ) -> None:
        training = recipes.RECIPES[self.recipe].training if model is None else model.training
        schedule = replace(training.schedule, **self._schedule())
        training = replace(training, schedule=schedule, **self._training())
        first = None if self.start_from is None else weights_of(self.start_from)
        if first is not None:
            training = replace(training, network=first.network)
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
        if self.recipe_json is None:
            return None
        missing = f"{self.recipe_json}: no such settings of a run"
        return read_config_file(self.recipe_json, missing=missing)

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


@dataclass(frozen=True, kw_only=True)
class Digitise:
    """Turn a scan into curves by depth: LAS 2.0, CSV, and pictures to judge them by.

    The calibration is a TOML file that says where the track lies, the depth of two or more rows,
    and the values of the track's edges; `veernet calibrate` proposes one. The picture of a curve
    shows it over the scan, beside it how sure it is, and where --reference has the curve, by how
    much it differs.
    """

    scan: Annotated[Positional[Path], SCAN]
    """The scan: PNG, JPEG, TIFF, BMP, WebP or PDF."""
    calibration: Path
    """The calibration file."""
    weights: str = "shipped"
    """The weights that come with VeerNet, the folder of a run, or a .safetensors file."""
    out: Path = Path("digitised")
    """Folder for the files, which are named after the scan, and its page beyond the first."""
    overwrite: bool = False
    """Replace files of an earlier time."""
    well: str | None = None
    """Name of the well, for the header of the LAS file."""
    header: Repeated[str] = ()
    """More of the header, as MNEMONIC=VALUE: COMP="Acme Oil" FLD=Heinen UWI=15-131-20042."""
    header_from: Path | None = None
    """LAS file of the well, whose ~Well and ~Parameter sections are taken over."""
    reference: Path | None = None
    """LAS file with curves to compare with, by their mnemonics."""
    las_unit: Unit | None = None
    """Unit of depth of that LAS file, where its header gives none."""
    confidence: bool = False
    """Add a column a curve to the LAS file that says how sure it is; the CSV has it anyway."""
    off_scale: OffScale = "null"
    """What stands where a curve lies on an edge of its track: null, no value; edge, that of the
    edge. Its confidence is 0 either way."""
    window: int = WINDOW
    """Most pixels along the scan that the network sees at once; a longer track is seen in windows
    that overlap."""
    page: int | None = None
    """Page of a TIFF or PDF, from 1. Not given: the first, with a word where there are more."""
    dpi: float | None = None
    """Resolution at which a page of a PDF is drawn. Not given: that of the scan on it."""
    max_pixels: int = MAX_PIXELS
    """Largest scan that is read."""
    json: bool = False
    """Print what is told of the curves, and the names of the files, as JSON."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""

    def run(self, console: Console) -> None:
        """Digitise and say what was written."""
        items = self._header()
        header = Header.like(self.header_from, items) if self.header_from else Header(items=items)
        for line in header.left_out:
            say(line)
        reference = self._reference()
        model = weights_of(self.weights).to(device_of(self.device))
        written = digitise_file(
            self.scan,
            self.calibration,
            model,
            self.out,
            header=header,
            confidence=self.confidence,
            off_scale=self.off_scale,
            reference=reference,
            overwrite=self.overwrite,
            page=self.page,
            dpi=self.dpi,
            max_pixels=self.max_pixels,
            window=self.window,
        )
        if self.json:
            files = [str(path) for path in written.files]
            print_json(console, {"curves": [asdict(one) for one in written.told], "files": files})
            return
        recipes.print_written(console, written)

    def _reference(self) -> Las | None:
        if self.reference is None:
            return None
        las = read_las(self.reference, depth_unit=self.las_unit)
        for note in las.notes:
            say(f"{self.reference}: {note}")
        return las

    def _header(self) -> dict[str, str]:
        items = dict[str, str]() if self.well is None else {"WELL": self.well}
        for text in self.header:
            name, equals, value = text.partition("=")
            if not equals:
                raise OptionError(f"--header is MNEMONIC=VALUE; got {text!r}")
            if (name := name.strip()) in items:
                raise OptionError(f"--header: {name} was given twice, and only one can hold")
            items[name] = value.strip()
        return items


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The whole path on small logs, in minutes on two CPU cores.

    Draws logs, trains three classes, evaluates, digitises an unseen log to LAS, and writes
    report.html. Run again, it goes on where it was stopped. Where its training is paused it ends
    with exit code 75, as `veernet train` does.
    """

    out: Path = Path("demo")
    """Folder for everything that it makes."""
    workers: int = os.cpu_count() or 1
    """Processes that draw logs, and threads that read them while training."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""
    json: bool = False
    """Print whether it is done, and the name of the page, as JSON on stdout; all else goes to
    stderr."""

    def run(self, console: Console) -> None:
        """Run the recipe."""
        check_at_least(1, workers=self.workers)
        device = device_of(self.device)
        with distributed.joined(device):
            told = aside(console, self.json)
            done = recipes.demo(self.out, device=device, workers=self.workers, console=told)
            if self.json:
                files = [str(self.out / "report.html")] if done else []
                print_json(voice(console), {"done": done, "files": files})
        end_if_paused(done)

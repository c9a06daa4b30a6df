"""The `veernet` command: one small dataclass a subcommand."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeVar

import torch
import tyro
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from veernet import distributed, recipes
from veernet.chart import draw_archive, draw_stages
from veernet.data.archive import PictureFormat, Split, SplitName
from veernet.data.gather import merge, subset
from veernet.data.schedule import Schedule
from veernet.data.survey import Survey, survey
from veernet.data.verify import Verified, verify
from veernet.digitise import digitise_file
from veernet.errors import ArchiveError, OptionError, VeerNetError
from veernet.label import Labeller, LasLabels, MaskLabels, PolylineLabels, import_scans
from veernet.report import write_report
from veernet.synth.gallery import write_gallery
from veernet.synth.look import read_look
from veernet.synth.make import make, open_archive
from veernet.train.checkpoint import STATE, load_weights
from veernet.train.config import Precision, Training
from veernet.train.fit import fit, start
from veernet.train.log import voice
from veernet.train.machine import bytes_of, human, settle_allocator
from veernet.train.memory import PARTS
from veernet.train.plan import Choice, drawn_sizes, plan
from veernet.train.plan import Plan as Found


class Command(Protocol):
    """A subcommand: its fields are its options."""

    def run(self, console: Console) -> None:
        """Do it."""
        ...


RecipeName = Literal["binary", "multiclass"]

T = TypeVar("T")
FromRecipe = Annotated[T | None, arg(help_behavior_hint="(default: the recipe's)")]


@dataclass(frozen=True, kw_only=True)
class Synth:
    """Draw an archive of synthetic logs.

    The recipe sets what is not given: binary draws 2,000 logs of one curve, multiclass 15,000 of
    two. Run again after an interruption, it makes only what is missing.
    """

    root: Positional[Path]
    """Folder of the archive."""
    recipe: RecipeName = "multiclass"
    train: FromRecipe[int] = None
    """Logs to train on."""
    val: FromRecipe[int] = None
    """Logs to validate on."""
    test: FromRecipe[int] = None
    """Logs held out."""
    height: FromRecipe[tuple[int, int]] = None
    """Least and greatest height, px."""
    width: FromRecipe[tuple[int, int]] = None
    """Least and greatest width, px."""
    seed: int = 0
    look: Path | None = None
    """TOML file of what logs may look like; docs/reference/look.md lists what it may say."""
    curves: Path | None = None
    """Folder of LAS files from which curves take their shapes."""
    pictures: PictureFormat = "tif"
    """tif, with Zstandard, is read six times as fast; any viewer opens png."""
    on_the_fly: bool = False
    """Write sizes only: whoever reads the archive draws its logs, the same pixels every time."""
    workers: int = os.cpu_count() or 1
    """Processes that draw."""

    def run(self, console: Console) -> None:
        """Make the archive."""
        _check_at_least(1, workers=self.workers)
        recipe = recipes.RECIPES[self.recipe]
        ranges = _given(height=self.height, width=self.width)
        look = None if self.look is None else read_look(self.look)
        shapes = None if self.curves is None else str(self.curves.resolve())
        ranges |= _given(look=look, shapes=shapes)
        logs = replace(recipe.logs, seed=self.seed, **ranges)
        asked = zip((self.train, self.val, self.test), recipe.counts, strict=True)
        counts = [default if count is None else count for count, default in asked]
        with recipes.bar(console, "logs", sum(counts)) as advance:
            make(
                self.root,
                logs,
                (counts[0], counts[1], counts[2]),
                pictures=self.pictures,
                on_the_fly=self.on_the_fly,
                workers=self.workers,
                advance=advance,
            )
        console.print(f"wrote {sum(counts)} logs to {self.root}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Draw what synthetic logs may look like: the ends of every nuisance, a sheet, and zooms."""

    out: Positional[Path]
    """Folder for nuisances.png, sheet.png and zoom.png."""
    look: Path | None = None
    """TOML file of a look; all that the generator knows if not given."""

    def run(self, console: Console) -> None:
        """Draw them."""
        for path in write_gallery(self.out, None if self.look is None else read_look(self.look)):
            console.print(f"wrote {path}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Merge:
    """Write the logs of several archives of the same classes into a new one.

    Splits stay what they are: training logs go to train. Run again after an interruption, it makes
    only what is missing.
    """

    root: Positional[Path]
    """Folder of the new archive."""
    archives: Positional[tuple[Path, ...]]
    """Folders of the archives to merge, in this order."""
    pictures: PictureFormat = "tif"
    """How to keep logs that are drawn on the fly; files are copied as they are."""
    workers: int = os.cpu_count() or 1
    """Logs written at a time."""

    def run(self, console: Console) -> None:
        """Merge them."""
        _check_at_least(1, workers=self.workers)
        if not self.archives:
            raise OptionError("merge needs the folders of the archives after that of the new one")
        archives = [open_archive(root) for root in self.archives]
        total = sum(len(split) for one in archives for split in one.splits().values())
        with recipes.bar(console, "logs", total) as advance:
            merge(
                self.root, archives, pictures=self.pictures, workers=self.workers, advance=advance
            )
        console.print(f"wrote {total} logs to {self.root}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Subset:
    """Write some logs of an archive, drawn at random, into a new one."""

    root: Positional[Path]
    """Folder of the new archive."""
    archive: Positional[Path]
    """Folder of the archive to take from."""
    train: int = 0
    """Logs to train on."""
    val: int = 0
    """Logs to validate on."""
    test: int = 0
    """Logs held out."""
    seed: int = 0
    """Another seed takes other logs."""
    pictures: PictureFormat = "tif"
    """How to keep logs that are drawn on the fly; files are copied as they are."""
    workers: int = os.cpu_count() or 1
    """Logs written at a time."""

    def run(self, console: Console) -> None:
        """Take them."""
        _check_at_least(1, workers=self.workers)
        counts: dict[SplitName, int] = {"train": self.train, "val": self.val, "test": self.test}
        total = sum(counts.values())
        with recipes.bar(console, "logs", total) as advance:
            subset(
                self.root,
                open_archive(self.archive),
                counts,
                seed=self.seed,
                pictures=self.pictures,
                workers=self.workers,
                advance=advance,
            )
        console.print(f"wrote {total} logs to {self.root}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Import:
    """Cut tracks out of real scans, label them, and write them as one split of an archive.

    One of --las, --masks and --polylines says where the curves are. Curves of a LAS file are
    projected through the calibration and snapped to the ink near them; columns where there is none
    are not labelled, and no loss sees them. The calibration must name every curve that a track
    prints, or its ink counts as background. `veernet merge` joins the archive with a synthetic one.
    """

    scans: Positional[tuple[Path, ...]]
    """The scans: PNG, JPEG or TIFF."""
    calibration: Path
    """Calibration file, of all of them."""
    out: Path
    """Folder of the archive, new or imported before without this split."""
    las: Path | None = None
    """LAS file of the well."""
    masks: Path | None = None
    """Index mask of the scan's size, or a folder of masks named as the scans."""
    polylines: Path | None = None
    """JSON file of lines drawn by hand, of COCO or Labelme."""
    split: SplitName = "train"
    """Which split they make."""
    window: int = 12_800
    """Longest log, px; a longer track becomes several."""
    tolerance: float = 4.0
    """Furthest that ink may lie from where a LAS file expects it, px."""
    overlays: Path | None = None
    """Folder for pictures of the labels over the scans."""
    on_error: Literal["skip", "stop"] = "stop"
    """Whether a scan that cannot be imported is passed over."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self, console: Console) -> None:
        """Import them, and say how the labels turned out."""
        told = import_scans(
            self.out,
            self.scans,
            self.calibration,
            self._labeller(),
            split=self.split,
            window=self.window,
            overlays=self.overlays,
            on_error=self.on_error,
            report=lambda text: print(f"veernet: {text}", file=sys.stderr),
        )
        if self.json:
            print(json.dumps([asdict(one) for one in told], indent=2))
            return
        table = Table("scan", "curve", "class", "logs", "columns", "labelled", "offset", "pen")
        for one in told:
            (dx, dy), share = one.offset, f"{one.labelled:.2%}"
            numbers = (one.curve, one.logs, one.columns, share, f"{dx}, {dy}", f"{one.pen:g}")
            table.add_row(one.scan, one.mnemonic, *map(str, numbers))
        console.print(table)
        console.print(
            "labelled: share of the columns found on ink; offset: of the print, px along depth and "
            "across it",
            soft_wrap=True,
        )

    def _labeller(self) -> Labeller:
        given: list[Labeller] = []
        if self.las is not None:
            if len(self.scans) > 1:
                raise OptionError("--las is of one well: import its scan alone")
            if not 0 < self.tolerance <= 50:
                raise OptionError(f"--tolerance must be from 0 to 50 px, got {self.tolerance}")
            given.append(LasLabels(path=self.las, tolerance=self.tolerance))
        if self.masks is not None:
            given.append(MaskLabels(path=self.masks))
        if self.polylines is not None:
            given.append(PolylineLabels(path=self.polylines))
        if len(given) != 1 or not self.scans:
            raise OptionError("import needs SCAN…, and one of --las, --masks and --polylines")
        return given[0]


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Verify an archive; show its shapes, its classes, and the padding that a schedule costs.

    Every file is opened, and its digest, size, classes and curves are compared with the metadata.
    Damaged logs are listed, and the exit code is then 2.
    """

    root: Positional[Path]
    """Folder of the archive."""
    quick: bool = False
    """Read the metadata only; open no log."""
    effective_batch: int = 16
    """Logs in one optimizer step."""
    pixel_budget: int = Schedule.pixel_budget
    """Most pixels of one micro-batch, padding included."""
    workers: int = os.cpu_count() or 1
    """Logs opened at a time."""
    draw: Path | None = None
    """Picture to draw, .png or .svg: shapes, class shares and padding."""
    json: bool = False
    """Print JSON instead."""

    def run(self, console: Console) -> None:
        """Print what is found in every split."""
        _check_at_least(1, workers=self.workers)
        _check_picture(draw=self.draw)
        archive = open_archive(self.root)
        schedule = Schedule(effective_batch=self.effective_batch, pixel_budget=self.pixel_budget)
        splits = archive.splits()
        surveys: dict[SplitName, Survey] = {
            name: survey(split, schedule) for name, split in splits.items()
        }
        verified: dict[SplitName, Verified] = {} if self.quick else self._verify(splits, console)
        if self.json:
            told = {name: asdict(found) for name, found in surveys.items()}
            for name, found in verified.items():
                told[name] |= {**asdict(found), "shares": found.shares}
            print(json.dumps(told, indent=2))
        else:
            console.print(f"{self.root}: {', '.join(archive.classes)}", soft_wrap=True)
            for name, found in surveys.items():
                _print_survey(console, name, found)
                if name in verified:
                    _print_verified(console, archive.classes, verified[name])
        if self.draw is not None:
            draw_archive(self.draw, archive.classes, splits, surveys, verified)
            if not self.json:
                console.print(f"wrote {self.draw}", soft_wrap=True)
        damaged = sum(len(found.faults) for found in verified.values())
        if damaged:
            raise ArchiveError(f"{self.root}: {damaged} of its logs are damaged")

    def _verify(
        self, splits: Mapping[SplitName, Split], console: Console
    ) -> dict[SplitName, Verified]:
        progress = Console(stderr=True) if self.json else console
        with recipes.bar(progress, "logs", sum(map(len, splits.values()))) as advance:
            return {
                name: verify(split, workers=self.workers, advance=advance)
                for name, split in splits.items()
            }


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Tell what training needs of memory, and how best to use what there is, without running it.

    For the logs of an archive, or for a range of sizes. Every precision and every choice of what to
    compute again is a line of the table: what the process takes at the widest log, how many of it
    fit together, what that makes of a step, and its time relative to a step without padding where
    all is kept. No choice changes what is learned, but for the precision.
    """

    archive: Positional[Path | None] = None
    """Folder of the archive."""
    recipe: RecipeName = "multiclass"
    """Network, loss and effective batch; and the range of sizes, if there is no archive."""
    height: FromRecipe[tuple[int, int]] = None
    """Least and greatest height, px."""
    width: FromRecipe[tuple[int, int]] = None
    """Least and greatest width, px."""
    memory: str = "auto"
    """Like 8GiB: of the whole process on a CPU, of PyTorch on a GPU. auto: nine tenths of what is
    free."""
    precision: Precision | None = None
    """The only one to plan for; fp32 and bf16 if not given."""
    device: str = "auto"
    """auto, cpu, or cuda, which this machine need not have."""
    profile: Path | None = None
    """Picture to draw, .png or .svg: who needs the memory, at the widest log, for the best line."""
    json: bool = False
    """Print JSON instead, also where no plan fits, which ends with exit code 2 either way."""

    def run(self, console: Console) -> None:
        """Print the plan; fails if there is none that fits."""
        _check_picture(profile=self.profile)
        recipe = recipes.RECIPES[self.recipe]
        absent = self.device.startswith("cuda") and not torch.cuda.is_available()
        if absent and self.memory == "auto":
            raise OptionError("--memory: how much? There is no GPU here to ask")
        device = torch.device("cuda") if absent else _device(self.device)
        if self.archive is None:
            sizes = drawn_sizes(self.height or recipe.logs.height, self.width or recipe.logs.width)
        elif self.height or self.width:
            raise OptionError("an archive has its own sizes; leave out --height and --width")
        else:
            sizes = open_archive(self.archive).split("train").sizes
        found = plan(
            recipe.training,
            sizes,
            bytes_of(self.memory, device),
            device=device,
            precisions=[self.precision] if self.precision else ["fp32", "bf16"],
        )
        if self.json:
            rows = [{"peak": choice.peak, **asdict(choice)} for choice in found.choices]
            best = found.choices.index(found.best) if found.fits else None
            print(json.dumps({**asdict(found), "choices": rows, "best": best}, indent=2))
        else:
            _print_plan(console, found)
        choice = found.best
        if self.profile is not None:
            draw_stages(self.profile, choice.widest.stages, title=_title(found, choice))
            if not self.json:
                console.print(f"wrote {self.profile}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train on an archive, or go on with a run that was stopped.

    `veernet train ARCHIVE --out RUN` starts a run; `veernet train --resume RUN` goes on with one
    under the settings that it was begun with. Ctrl-C ends the current step and writes a
    checkpoint; a second one stops at once. To share every step among N processes, one a GPU,
    write `torchrun --nproc-per-node N -m veernet` for `veernet`: what is learned is the same.
    """

    archive: Positional[Path | None] = None
    """Folder of the archive."""
    out: Path | None = None
    """Folder of the new run."""
    resume: Path | None = None
    """Folder of a run to go on with."""
    recipe: RecipeName = "multiclass"
    """binary: batch 1, cross entropy. multiclass: effective batch 16, Tversky. 50 epochs each."""
    epochs: FromRecipe[int] = None
    """Times that every log is seen."""
    effective_batch: FromRecipe[int] = None
    """Logs in one optimizer step."""
    memory: str | None = None
    """Like 8GiB, or auto, for nine tenths of what is free: chooses what is computed again and the
    pixel budget, which change memory and speed and nothing else, and tries the widest micro-batch
    before the first step. Of every process, if there are several. Not given: auto for a new run,
    unless --pixel-budget is; as before for a resumed one."""
    pixel_budget: FromRecipe[int] = None
    """Most pixels of one micro-batch, padding included, in place of a plan."""
    learning_rate: FromRecipe[float] = None
    """At its highest."""
    precision: FromRecipe[Precision] = None
    """bf16 and fp16 save memory and are fast where the hardware has them; fp64 is for proofs."""
    seed: FromRecipe[int] = None
    """Of the first weights and of the order of the logs."""
    workers: int = 2
    """Threads that read logs ahead; 0 reads them between steps."""
    in_flight: str = "1GiB"
    """Most host memory for what is read ahead."""
    on_error: Literal["stop", "skip"] = "stop"
    """Whether a log that cannot be read ends the run, or is left out, counted and named."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""
    stop_after: int | None = None
    """Pause after so many steps, as Ctrl-C would."""

    def run(self, console: Console) -> None:
        """Start or resume."""
        folder = self.resume or self.out
        given = [option is not None for option in (self.archive, self.out, self.resume)]
        if folder is None or given not in ([True, True, False], [False, False, True]):
            raise OptionError("train needs ARCHIVE and --out RUN, or --resume RUN alone")
        _check_at_least(0, workers=self.workers)
        _check_at_least(1, stop_after=self.stop_after)
        device = _device(self.device)
        if self.memory is not None and self.pixel_budget is not None:
            raise OptionError("--memory chooses the pixel budget; leave out --pixel-budget")
        begun = self.resume is not None and (self.resume / STATE).exists()
        planned = None if begun or self.pixel_budget is not None else "auto"
        amount = self.memory or planned
        memory = None if amount is None else bytes_of(amount, device)
        changes = {**self._schedule(), **self._training()}
        if self.archive is None and changes:
            raise OptionError(
                f"a resumed run keeps its settings; leave out {', '.join(sorted(changes))}"
            )
        training = recipes.RECIPES[self.recipe].training
        schedule = replace(training.schedule, **self._schedule())
        training = replace(training, schedule=schedule, **self._training())
        with distributed.joined(device):
            self._train(folder, training, device, memory, voice(console))

    def _train(
        self,
        folder: Path,
        training: Training,
        device: torch.device,
        memory: int | None,
        console: Console,
    ) -> None:
        archive = self.archive
        if archive is not None:
            distributed.once(lambda: start(folder, open_archive(archive), training))
        done = fit(
            folder,
            device=device,
            memory=memory,
            workers=self.workers,
            in_flight=bytes_of(self.in_flight, device),
            on_error=self.on_error,
            stop_after=self.stop_after,
            console=console,
        )
        go_on = f"paused; `veernet train --resume {folder}` goes on"
        console.print(f"trained: {folder}" if done else go_on, soft_wrap=True)

    def _schedule(self) -> dict[str, Any]:
        return _given(
            effective_batch=self.effective_batch, pixel_budget=self.pixel_budget, seed=self.seed
        )

    def _training(self) -> dict[str, Any]:
        return _given(
            epochs=self.epochs, learning_rate=self.learning_rate, precision=self.precision
        )


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Evaluate a run's best weights on a split: in pixels, and in curve values.

    Writes summary.json, logs.jsonl and pictures to RUN/evaluation/SPLIT.
    """

    folder: Annotated[Positional[Path], arg(metavar="RUN")]
    """Folder of the run."""
    split: SplitName = "test"
    """Which logs of the run's archive."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self, console: Console) -> None:
        """Evaluate and print the summary."""
        quiet = Console(stderr=True) if self.json else console
        device = _device(self.device)
        summary = recipes.evaluate_run(self.folder, self.split, device=device, console=quiet)
        if self.json:
            print(json.dumps(summary, indent=2))
        else:
            recipes.print_summary(console, summary)


@dataclass(frozen=True, kw_only=True)
class Digitise:
    """Turn a scan into curves by depth: LAS 2.0, CSV, and a picture to judge them by.

    The calibration is a TOML file that says where the track lies, the depth of two or more rows,
    and the values of the track's edges; `veernet demo` leaves one to start from.
    """

    scan: Positional[Path]
    """The scan: PNG, JPEG or TIFF."""
    calibration: Path
    """The calibration file."""
    weights: Path
    """Folder of a run, or a .safetensors file."""
    out: Path = Path("digitised")
    """Folder for the files, which are named after the scan."""
    overwrite: bool = False
    """Replace files of an earlier time."""
    well: str = ""
    """Name of the well, for the header of the LAS file."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""

    def run(self, console: Console) -> None:
        """Digitise and say what was written."""
        model = load_weights(self.weights).to(_device(self.device))
        files = digitise_file(
            self.scan,
            self.calibration,
            model,
            self.out,
            well=self.well,
            overwrite=self.overwrite,
        )
        for file in files:
            console.print(f"wrote {file}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write one self-contained HTML page about a run: learning curves, metrics, pictures."""

    folder: Annotated[Positional[Path], arg(metavar="RUN")]
    """Folder of the run."""
    out: Path | None = None
    """The page; RUN/report.html if not given."""
    digitised: tuple[Path, ...] = ()
    """Pictures of digitised scans to show too."""

    def run(self, console: Console) -> None:
        """Write the page."""
        path = self.out or self.folder / "report.html"
        write_report(path, self.folder, digitised=self.digitised)
        console.print(f"wrote {path}", soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The whole path on small logs, in minutes on two CPU cores.

    Draws logs, trains three classes, evaluates, digitises an unseen log to LAS, and writes
    report.html. Run again, it goes on where it was stopped.
    """

    out: Path = Path("demo")
    """Folder for everything that it makes."""
    workers: int = os.cpu_count() or 1
    """Processes that draw logs, and threads that read them while training."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""

    def run(self, console: Console) -> None:
        """Run the recipe."""
        _check_at_least(1, workers=self.workers)
        device = _device(self.device)
        with distributed.joined(device):
            recipes.demo(self.out, device=device, workers=self.workers, console=console)


COMMANDS: dict[str, type[Command]] = {
    "demo": Demo,
    "synth": Synth,
    "gallery": Gallery,
    "import": Import,
    "inspect": Inspect,
    "merge": Merge,
    "subset": Subset,
    "plan": Plan,
    "train": Train,
    "evaluate": Evaluate,
    "digitise": Digitise,
    "report": Report,
}


def main() -> None:
    """Run the command line. Bad input ends it with one line and exit code 2, Ctrl-C with 130."""
    settle_allocator()
    command: Command = tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="veernet",
        description="Train segmentation networks on scanned well logs at native resolution, and "
        "turn scans into curves.",
    )
    try:
        command.run(Console(markup=False, emoji=False, highlight=False))
    except (VeerNetError, OSError) as error:
        print(f"veernet: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except (MemoryError, torch.OutOfMemoryError) as full:
        print(f"veernet: out of memory ({' '.join(str(full).split())})", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("veernet: interrupted", file=sys.stderr)
        sys.exit(130)


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _check_at_least(least: int, **options: int | None) -> None:
    for name, value in options.items():
        if value is not None and value < least:
            raise OptionError(f"--{name.replace('_', '-')} must be at least {least}; got {value}")


def _check_picture(**options: Path | None) -> None:
    for name, path in options.items():
        if path is not None and path.suffix not in (".png", ".svg"):
            raise OptionError(f"--{name} {path}: its name must end in .png or .svg")


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = distributed.own_device(torch.device(name))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as absent:
        reason = str(absent).splitlines()[0]
        raise OptionError(f"--device {name}: not on this machine ({reason})") from absent
    if device.type == "meta":
        raise OptionError("--device meta: it holds no numbers; choose cpu or cuda")
    return device


def _print_plan(console: Console, found: Found) -> None:
    h, w = found.size
    console.print(
        f"{human(found.memory)} of memory, widest log {h} × {w} px; * is the plan to train by",
        soft_wrap=True,
    )
    columns = ("", "", "again", "peak", "logs", "pixel budget", "batches", "padding", "time")
    table = Table(*columns, box=None)
    for choice in found.choices:
        table.add_row(
            "*" if found.fits and choice is found.best else "",
            choice.precision,
            choice.recompute,
            human(choice.peak),
            str(choice.images) if choice.images else "–",
            f"{choice.pixel_budget:,}" if choice.images else "does not fit",
            f"{choice.micro_batches:.1f}",
            f"{choice.waste:.1%}",
            f"{choice.cost:.2f}",
        )
    console.print(table)
    console.print(
        "again: what is computed again in the backward; peak: of the process at the widest log "
        "alone; logs: how many of the widest fit together; batches: micro-batches of a step; "
        "padding: share of the pixels computed; time: 1 is a step of the same precision without "
        "padding and with nothing computed again",
        soft_wrap=True,
    )
    if found.fits:
        _print_stages(console, found)


def _print_stages(console: Console, found: Found) -> None:
    table = Table(
        "MiB", "kept", "temporary", "workspace", title=_title(found, found.best), box=None
    )
    for stage in found.best.widest.stages:
        bytes_each = (getattr(stage, part) for part in PARTS[1:])
        table.add_row(stage.name or "in slabs", *(f"{n / 2**20:,.0f}" for n in bytes_each))
    console.print(table)


def _title(found: Found, choice: Choice) -> str:
    h, w = found.size
    what = f"{choice.precision}, {choice.recompute} computed again"
    return f"a step on {h} × {w} px, {what}: {human(choice.widest.peak)}"


def _print_verified(console: Console, classes: tuple[str, ...], found: Verified) -> None:
    shares = ", ".join(f"{c} {x:.2%}" for c, x in zip(classes, found.shares, strict=True))
    console.print(f"classes: {shares}; {found.unlabelled:,} px not labelled", soft_wrap=True)
    for fault in found.faults:
        console.print(fault, soft_wrap=True)


def _print_survey(console: Console, name: str, found: Survey) -> None:
    console.print(
        f"\n{name}: {found.logs} logs, {found.megapixels:,.1f} Mpx; {found.steps} steps in "
        f"{found.micro_batches} micro-batches",
        soft_wrap=True,
    )
    for side, bars in (("height", found.heights), ("width", found.widths)):
        most = max(n for _, _, n in bars)
        table = Table("px", "logs", "", title=side, title_justify="left", box=None)
        for low, high, n in bars:
            table.add_row(f"{low:,} – {high:,}", str(n), "█" * round(30 * n / most))
        console.print(table)
    console.print(
        f"padding: {found.waste:.1%} of all pixels computed, sorted by shape inside each step; "
        f"{found.waste_unsorted:.1%} in random order",
        soft_wrap=True,
    )
    if found.traits:
        traits = (f"{trait} {n}" for trait, n in found.traits)
        console.print(f"logs with {', '.join(traits)}", soft_wrap=True)

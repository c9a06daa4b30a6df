"""Making archives: drawn, imported, merged, or taken from others."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
from rich.console import Console
from rich.table import Column, Table
from tyro.conf import Positional

from veernet import recipes
from veernet.commands.options import (
    ARCHIVE,
    ARCHIVES,
    OUT,
    SCANS,
    Ends,
    EndsFromRecipe,
    FromRecipe,
    RecipeName,
    aside,
    check_at_least,
    given,
    print_files,
    print_json,
)
from veernet.console import one_line, say
from veernet.data.archive import SPLITS, PictureFormat, SplitName
from veernet.data.gather import merge, subset
from veernet.data.raster import MAX_PIXELS
from veernet.errors import OnError, OptionError
from veernet.label import Labeller, LasLabels, MaskLabels, PolylineLabels, import_scans
from veernet.las import MAX_BYTES, Unit
from veernet.synth.gallery import write_gallery
from veernet.synth.look import read_look
from veernet.synth.make import make, open_archive
from veernet.synth.shapes import passed_over
from veernet.train.machine import bytes_of


@dataclass(frozen=True, kw_only=True)
class Synth:
    """Draw an archive of synthetic logs.

    The recipe sets what is not given: binary draws 2,000 logs of one curve, multiclass 15,000 of
    two. Run again, it makes only what is missing or is not the file that was written.
    """

    root: Annotated[Positional[Path], ARCHIVE]
    """Folder of the archive."""
    recipe: RecipeName = "multiclass"
    """What to train on the archive: binary tells one curve from paper, multiclass two."""
    train: FromRecipe[int] = None
    """Logs to train on."""
    val: FromRecipe[int] = None
    """Logs to validate on."""
    test: FromRecipe[int] = None
    """Logs held out."""
    height: EndsFromRecipe = None
    """Least and greatest height, px."""
    width: EndsFromRecipe = None
    """Least and greatest width, px."""
    piece: Ends = None
    """Cut a piece of this least and greatest width out of every log, px: short logs to train on
    that look like parts of long ones."""
    seed: int = 0
    """Another seed draws other logs."""
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
    json: bool = False
    """Print what was written as JSON on stdout; all else goes to stderr."""

    def run(self, console: Console) -> None:
        """Make the archive."""
        check_at_least(1, workers=self.workers)
        recipe = recipes.RECIPES[self.recipe]
        ranges = given(height=self.height, width=self.width, piece=self.piece)
        look = None if self.look is None else read_look(self.look)
        shapes = None if self.curves is None else str(self.curves.resolve())
        for fault in () if shapes is None else passed_over(shapes):
            say(f"{fault}; passed over, no curve has a shape of it")
        ranges |= given(look=look, shapes=shapes)
        logs = replace(recipe.logs, seed=self.seed, **ranges)
        asked = zip((self.train, self.val, self.test), recipe.counts, strict=True)
        counts = [default if count is None else count for count, default in asked]
        with recipes.bar(aside(console, self.json), "logs", sum(counts)) as advance:
            make(
                self.root,
                logs,
                (counts[0], counts[1], counts[2]),
                pictures=self.pictures,
                on_the_fly=self.on_the_fly,
                workers=self.workers,
                advance=advance,
            )
        written = dict(zip(SPLITS, counts, strict=True))
        _print_written(console, self.root, written, as_json=self.json)


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Draw what synthetic logs may look like: the ends of every nuisance, a sheet, and zooms."""

    out: Annotated[Positional[Path], OUT]
    """Folder for nuisances.png, sheet.png and zoom.png."""
    look: Path | None = None
    """TOML file of a look; all that the generator knows if not given."""
    json: bool = False
    """Print the names of the files as JSON."""

    def run(self, console: Console) -> None:
        """Draw them."""
        paths = write_gallery(self.out, None if self.look is None else read_look(self.look))
        print_files(console, paths, as_json=self.json)


@dataclass(frozen=True, kw_only=True)
class Import:
    """Cut tracks out of real scans, label them, and write them as one split of an archive.

    One of --las, --masks and --polylines says where the curves are; they are snapped to the ink
    near there. The calibration must name every curve that a track prints, or its ink counts as
    background. A column in which one of them was not found on ink is not labelled, and no loss sees
    it, unless the labels say that the curve is absent there: by --complete, or with --polylines, by
    a shape labelled `no GR` over the depths without GR. `veernet merge` joins the archive with a
    synthetic one.
    """

    scans: Annotated[Positional[tuple[Path, ...]], SCANS]
    """The scans: PNG, JPEG, TIFF, BMP, WebP or PDF."""
    calibration: Path
    """Calibration file, of all of them."""
    out: Path
    """Folder of the archive, new or imported before without this split."""
    las: Path | None = None
    """LAS file of the well."""
    las_unit: Unit | None = None
    """Unit of depth of the LAS file, where its header gives none."""
    masks: Path | None = None
    """Index mask of the scan's size, or a folder of masks named as the scans: 0 background, 1 and 2
    the curves of these traces, 255 not labelled."""
    polylines: Path | None = None
    """JSON file of lines, outlines or masks drawn by hand, of COCO or Labelme, or a folder of them;
    labelled GR or curve 1."""
    complete: tuple[str, ...] = ()
    """Curves that the masks or polylines have wherever they are printed: where one is not drawn, it
    is absent."""
    split: SplitName = "train"
    """Which split they make."""
    window: int = 12_800
    """Longest log, px; a longer track becomes several."""
    tolerance: float = 4.0
    """Furthest that ink may lie from where the labels have a curve, px."""
    page: int | None = None
    """Page of every TIFF or PDF, from 1. Not given: the first, with a word where there are more."""
    dpi: float | None = None
    """Resolution at which a page of a PDF is drawn. Not given: that of the scan on it."""
    max_pixels: int = MAX_PIXELS
    """Largest scan that is read."""
    max_las: str = f"{MAX_BYTES >> 20}MiB"
    """Largest LAS file that is read."""
    overlays: Path | None = None
    """Folder for pictures of the labels over the scans; what is not labelled is tinted."""
    on_error: OnError = "stop"
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
            page=self.page,
            dpi=self.dpi,
            max_pixels=self.max_pixels,
            overlays=self.overlays,
            on_error=self.on_error,
            report=say,
        )
        if self.json:
            print_json(console, [asdict(one) for one in told])
            return
        shares = "given", "labelled", "absent"
        names = (Column(name, overflow="fold") for name in ("scan", "curve"))
        table = Table(*names, "class", "logs", "columns", *shares, "offset", "pen", box=None)
        for one in told:
            dx, dy = one.offset
            parts = (f"{getattr(one, share):.2%}" for share in shares)
            numbers = (one.curve, one.logs, one.columns, *parts, f"{dx}, {dy}", f"{one.pen:g}")
            table.add_row(one.scan, one.mnemonic, *map(str, numbers))
        console.print(table)
        console.print(
            "of the track's columns: given by the labels; labelled, because it was found on ink "
            "there; absent by the labels. offset: of the print, px along depth and across it",
            soft_wrap=True,
        )

    def _labeller(self) -> Labeller:
        if not 0 < self.tolerance <= 50:
            raise OptionError(f"--tolerance must be from 0 to 50 px, got {self.tolerance}")
        if self.las is not None and self.complete:
            raise OptionError("--complete goes with --masks and --polylines, which draw curves")
        given: list[Labeller] = []
        if self.las is not None:
            if len(self.scans) > 1:
                raise OptionError("--las is of one well: import its scan alone")
            most = bytes_of(self.max_las, torch.device("cpu"))
            given.append(
                LasLabels(
                    path=self.las,
                    tolerance=self.tolerance,
                    max_bytes=most,
                    unit=self.las_unit,
                )
            )
        if self.masks is not None:
            given.append(
                MaskLabels(path=self.masks, complete=self.complete, tolerance=self.tolerance)
            )
        if self.polylines is not None:
            given.append(
                PolylineLabels(
                    path=self.polylines, complete=self.complete, tolerance=self.tolerance
                )
            )
        if len(given) != 1 or not self.scans:
            several = f"; {len(given)} were given" if len(given) > 1 else ""
            raise OptionError(
                f"import needs SCAN…, and one of --las, --masks and --polylines{several}"
            )
        return given[0]


@dataclass(frozen=True, kw_only=True)
class Merge:
    """Write the logs of several archives of the same classes into a new one.

    Splits stay what they are: training logs go to train. Run again, it makes only what is missing
    or is not the file that was written.
    """

    root: Annotated[Positional[Path], OUT]
    """Folder of the new archive."""
    archives: Annotated[Positional[tuple[Path, ...]], ARCHIVES]
    """Folders of the archives to merge, in this order."""
    pictures: PictureFormat = "tif"
    """How to keep logs that are drawn on the fly; files are copied as they are."""
    workers: int = os.cpu_count() or 1
    """Logs written at a time."""
    json: bool = False
    """Print what was written as JSON on stdout; all else goes to stderr."""

    def run(self, console: Console) -> None:
        """Merge them."""
        check_at_least(1, workers=self.workers)
        archives = [open_archive(root) for root in self.archives]
        written = Counter[SplitName]()
        for one in archives:
            written.update({name: len(split) for name, split in one.splits().items()})
        with recipes.bar(aside(console, self.json), "logs", written.total()) as advance:
            merge(
                self.root, archives, pictures=self.pictures, workers=self.workers, advance=advance
            )
        _print_written(console, self.root, written, as_json=self.json)


@dataclass(frozen=True, kw_only=True)
class Subset:
    """Write some logs of an archive, drawn at random, into a new one."""

    root: Annotated[Positional[Path], OUT]
    """Folder of the new archive."""
    archive: Annotated[Positional[Path], ARCHIVE]
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
    json: bool = False
    """Print what was written as JSON on stdout; all else goes to stderr."""

    def run(self, console: Console) -> None:
        """Take them."""
        check_at_least(1, workers=self.workers)
        check_at_least(0, seed=self.seed)
        counts: dict[SplitName, int] = {"train": self.train, "val": self.val, "test": self.test}
        total = sum(counts.values())
        with recipes.bar(aside(console, self.json), "logs", total) as advance:
            subset(
                self.root,
                open_archive(self.archive),
                counts,
                seed=self.seed,
                pictures=self.pictures,
                workers=self.workers,
                advance=advance,
            )
        _print_written(console, self.root, counts, as_json=self.json)


def _print_written(
    console: Console, root: Path, logs: Mapping[SplitName, int], *, as_json: bool
) -> None:
    """Say how many logs there are in the splits of an archive that was written."""
    if as_json:
        print_json(console, {"archive": str(root), "logs": dict(logs)})
    else:
        console.print(f"wrote {sum(logs.values())} logs to {one_line(root)}", soft_wrap=True)

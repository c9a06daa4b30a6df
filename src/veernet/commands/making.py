"""Making archives: drawn, imported, merged, or taken from others."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional

from veernet import recipes
from veernet.commands.options import (
    FromRecipe,
    RecipeName,
    check_at_least,
    given,
    remark,
)
from veernet.data.archive import PictureFormat, SplitName
from veernet.data.gather import merge, subset
from veernet.data.raster import MAX_PIXELS
from veernet.errors import OnError, OptionError
from veernet.label import Labeller, LasLabels, MaskLabels, PolylineLabels, import_scans
from veernet.las import MAX_BYTES, Unit
from veernet.synth.gallery import write_gallery
from veernet.synth.look import read_look
from veernet.synth.make import make, open_archive
from veernet.train.machine import bytes_of


@dataclass(frozen=True, kw_only=True)
class Synth:
    """Draw an archive of synthetic logs.

    The recipe sets what is not given: binary draws 2,000 logs of one curve, multiclass 15,000 of
    two. Run again, it makes only what is missing or is not the file that was written.
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
    piece: tuple[int, int] | None = None
    """Cut a piece of this least and greatest width out of every log, px: short logs to train on
    that look like parts of long ones."""
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
        check_at_least(1, workers=self.workers)
        recipe = recipes.RECIPES[self.recipe]
        ranges = given(height=self.height, width=self.width, piece=self.piece)
        look = None if self.look is None else read_look(self.look)
        shapes = None if self.curves is None else str(self.curves.resolve())
        ranges |= given(look=look, shapes=shapes)
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
    las_unit: Unit | None = None
    """Unit of depth of the LAS file, where its header gives none."""
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
    max_pixels: int = MAX_PIXELS
    """Largest scan that is read."""
    max_las: str = f"{MAX_BYTES >> 20}MiB"
    """Largest LAS file that is read."""
    overlays: Path | None = None
    """Folder for pictures of the labels over the scans."""
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
            max_pixels=self.max_pixels,
            overlays=self.overlays,
            on_error=self.on_error,
            report=remark,
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
            most = bytes_of(self.max_las, torch.device("cpu"))
            given.append(
                LasLabels(
                    path=self.las,
                    tolerance=self.tolerance,
                    max_bytes=most,
                    unit=self.las_unit,
                    report=remark,
                )
            )
        if self.masks is not None:
            given.append(MaskLabels(path=self.masks))
        if self.polylines is not None:
            given.append(PolylineLabels(path=self.polylines))
        if len(given) != 1 or not self.scans:
            raise OptionError("import needs SCAN…, and one of --las, --masks and --polylines")
        return given[0]


@dataclass(frozen=True, kw_only=True)
class Merge:
    """Write the logs of several archives of the same classes into a new one.

    Splits stay what they are: training logs go to train. Run again, it makes only what is missing
    or is not the file that was written.
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
        check_at_least(1, workers=self.workers)
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
        check_at_least(1, workers=self.workers)
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

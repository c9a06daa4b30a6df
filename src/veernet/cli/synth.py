"""`veernet synth`."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from tyro.conf import Positional

from veernet.cli.console import print_archive, progress_console
from veernet.cli.options import (
    ARCHIVE,
    Ends,
    EndsFromRecipe,
    FromRecipe,
    check_at_least,
    given,
)
from veernet.data.logs import SPLITS, PictureFormat
from veernet.errors import OptionError
from veernet.synth.appearance import read_appearance
from veernet.synth.generator import LogFamily
from veernet.synth.make import make
from veernet.synth.printed import PrintedLogs
from veernet.synth.sets import SETS
from veernet.synth.shapes import passed_over
from veernet.synth.tracks import read_tracks
from veernet.synth.wells import wells_passed_over
from veernet.terminal import bar, say


@dataclass(frozen=True, kw_only=True)
class Synth:
    """Draw an archive of synthetic logs.

    The recipe sets what no option gives: binary draws 2,000 logs of one curve, multiclass 15,000 of
    two, curves 15,000 as they are printed. Run the command again to write only the files that are
    missing or have changed since.

    Examples:
        veernet synth archive --train 2000 --val 200 --test 200
        veernet synth crops --crop 320 640 --appearance appearance.toml
        veernet synth wells --recipe curves --curves las --on-the-fly --seed 7
    """

    root: Annotated[Positional[Path], ARCHIVE]
    """Folder of the archive."""
    recipe: Literal["binary", "multiclass", "curves"] = "multiclass"
    """Kind of logs: of one curve, of two, or with tracks of one to six named curves in any styles,
    as logs are printed."""
    train: FromRecipe[int] = None
    """Number of logs for training."""
    val: FromRecipe[int] = None
    """Number of logs for validation."""
    test: FromRecipe[int] = None
    """Number of logs for testing."""
    height: EndsFromRecipe = None
    """Least and greatest height, px."""
    width: EndsFromRecipe = None
    """Least and greatest width, px."""
    crop: Ends = None
    """Least and greatest width, px, of a crop taken from every log: short logs for training that
    look like parts of long ones."""
    seed: int = 0
    """Seed of the logs; another seed draws other logs."""
    appearance: Path | None = None
    """TOML file of the appearance of logs; docs/reference/appearance.md lists its settings."""
    tracks: Path | None = None
    """TOML file of what the tracks hold, of the recipe curves; docs/reference/tracks.md lists its
    settings."""
    curves: Path | None = None
    """Folder of LAS files: their curves give those of the logs their shapes, or with the recipe
    curves are drawn as the curves of one well."""
    pictures: PictureFormat = "tif"
    """Format of the pictures: tif, with Zstandard, is read six times as fast; any viewer opens
    png."""
    on_the_fly: bool = False
    """Write sizes only; whoever reads the archive draws its logs, with the same pixels every
    time."""
    workers: int = os.cpu_count() or 1
    """Processes that draw logs."""
    json: bool = False
    """Print what was written as JSON on stdout; all else goes to stderr."""

    def run(self, console: Console) -> None:
        """Draw the archive."""
        check_at_least(1, workers=self.workers)
        found = SETS[self.recipe]
        logs = self._family(found.logs)
        asked = zip((self.train, self.val, self.test), found.counts, strict=True)
        counts = [default if count is None else count for count, default in asked]
        with bar(progress_console(console, self.json), "logs", sum(counts)) as advance:
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
        print_archive(console, self.root, written, as_json=self.json)

    def _family(self, logs: LogFamily) -> LogFamily:
        """Return the recipe's logs with the settings that options give."""
        ranges = given(height=self.height, width=self.width, crop=self.crop)
        look = None if self.appearance is None else read_appearance(self.appearance)
        ranges |= given(seed=self.seed, appearance=look)
        folder = None if self.curves is None else str(self.curves.resolve())
        printed = isinstance(logs, PrintedLogs)
        if self.tracks is not None and not printed:
            raise OptionError(f"--tracks is of the recipe curves, and the recipe is {self.recipe}")
        if folder is not None:
            for fault in wells_passed_over(folder) if printed else passed_over(folder):
                say(f"{fault}; passed over, no curve is taken from it")
        if printed:
            tracks = None if self.tracks is None else read_tracks(self.tracks)
            return replace(logs, **ranges, **given(tracks=tracks, wells=folder))
        return replace(logs, **ranges, **given(shapes=folder))

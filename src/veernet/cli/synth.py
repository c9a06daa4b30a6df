"""`veernet synth`."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional

from veernet import recipes
from veernet.cli.console import print_archive, progress_console
from veernet.cli.options import (
    ARCHIVE,
    Ends,
    EndsFromRecipe,
    FromRecipe,
    RecipeName,
    check_at_least,
    given,
)
from veernet.data.logs import SPLITS, PictureFormat
from veernet.synth.appearance import read_appearance
from veernet.synth.make import make
from veernet.synth.shapes import passed_over
from veernet.terminal import bar, say


@dataclass(frozen=True, kw_only=True)
class Synth:
    """Draw an archive of synthetic logs.

    The recipe sets what no option gives: binary draws 2,000 logs of one curve, multiclass 15,000 of
    two. Run the command again to write only the files that are missing or have changed since.

    Examples:
        veernet synth archive --train 2000 --val 200 --test 200
        veernet synth crops --crop 320 640 --appearance appearance.toml
        veernet synth wells --curves las --on-the-fly --seed 7
    """

    root: Annotated[Positional[Path], ARCHIVE]
    """Folder of the archive."""
    recipe: RecipeName = "multiclass"
    """Task to train on the archive: `binary` separates one curve from the background, `multiclass`
    two."""
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
    curves: Path | None = None
    """Folder of LAS files whose curves give the synthetic curves their shapes."""
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
        recipe = recipes.RECIPES[self.recipe]
        ranges = given(height=self.height, width=self.width, crop=self.crop)
        look = None if self.appearance is None else read_appearance(self.appearance)
        shapes = None if self.curves is None else str(self.curves.resolve())
        for fault in () if shapes is None else passed_over(shapes):
            say(f"{fault}; passed over, no curve has a shape of it")
        ranges |= given(appearance=look, shapes=shapes)
        logs = replace(recipe.logs, seed=self.seed, **ranges)
        asked = zip((self.train, self.val, self.test), recipe.counts, strict=True)
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

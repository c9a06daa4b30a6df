"""`veernet subset`."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional

from veernet.cli.console import print_archive, progress_console
from veernet.cli.options import ARCHIVE, OUT, check_at_least
from veernet.data.combine import subset
from veernet.data.logs import PictureFormat, SplitName
from veernet.synth.opening import open_archive
from veernet.terminal import bar


@dataclass(frozen=True, kw_only=True)
class Subset:
    """Copy some logs of an archive, chosen at random, into a new one.

    Examples:
        veernet subset small archive --train 100 --val 10
        veernet subset other archive --test 20 --seed 1
    """

    root: Annotated[Positional[Path], OUT]
    """Folder of the new archive."""
    archive: Annotated[Positional[Path], ARCHIVE]
    """Folder of the archive to take from."""
    train: int = 0
    """Number of logs for training."""
    val: int = 0
    """Number of logs for validation."""
    test: int = 0
    """Number of logs for testing."""
    seed: int = 0
    """Seed of the random choice."""
    pictures: PictureFormat = "tif"
    """Format for logs that are drawn on the fly; files are copied unchanged."""
    workers: int = os.cpu_count() or 1
    """Number of logs written in parallel."""
    json: bool = False
    """Print what was written as JSON on stdout; all else goes to stderr."""

    def run(self, console: Console) -> None:
        """Write the subset."""
        check_at_least(1, workers=self.workers)
        check_at_least(0, seed=self.seed)
        counts: dict[SplitName, int] = {"train": self.train, "val": self.val, "test": self.test}
        total = sum(counts.values())
        with bar(progress_console(console, self.json), "logs", total) as advance:
            subset(
                self.root,
                open_archive(self.archive),
                counts,
                seed=self.seed,
                pictures=self.pictures,
                workers=self.workers,
                advance=advance,
            )
        print_archive(console, self.root, counts, as_json=self.json)

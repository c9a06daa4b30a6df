"""`veernet merge`."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional

from veernet.cli.console import print_archive, progress_console
from veernet.cli.options import ARCHIVES, OUT, check_at_least
from veernet.data.combine import merge
from veernet.data.logs import PictureFormat, SplitName
from veernet.synth.opening import open_archive
from veernet.terminal import bar


@dataclass(frozen=True, kw_only=True)
class Merge:
    """Write the logs of several archives of the same classes into a new one.

    Every log keeps its split: training logs go to train. Run the command again to write only the
    files that are missing or have changed since.

    Examples:
        veernet merge both synthetic real
        veernet merge all drawn a b --pictures png
    """

    root: Annotated[Positional[Path], OUT]
    """Folder of the new archive."""
    archives: Annotated[Positional[tuple[Path, ...]], ARCHIVES]
    """Folders of the archives to merge, in this order."""
    pictures: PictureFormat = "tif"
    """Format for logs that are drawn on the fly; files are copied unchanged."""
    workers: int = os.cpu_count() or 1
    """Number of logs written in parallel."""
    json: bool = False
    """Print what was written as JSON on stdout; all else goes to stderr."""

    def run(self, console: Console) -> None:
        """Merge the archives."""
        check_at_least(1, workers=self.workers)
        archives = [open_archive(root) for root in self.archives]
        written = Counter[SplitName]()
        for one in archives:
            written.update({name: len(split) for name, split in one.splits().items()})
        with bar(progress_console(console, self.json), "logs", written.total()) as advance:
            merge(
                self.root, archives, pictures=self.pictures, workers=self.workers, advance=advance
            )
        print_archive(console, self.root, written, as_json=self.json)

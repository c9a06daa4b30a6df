"""`veernet inspect`."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional

from veernet.cli.console import print_json, progress_console
from veernet.cli.options import ARCHIVE, check_at_least, check_picture
from veernet.data.logs import SplitName
from veernet.data.schedule import Schedule
from veernet.data.sheet import write_sheets
from veernet.data.split import Split
from veernet.data.survey import Survey, survey
from veernet.data.verify import Verification, verify
from veernet.errors import ArchiveError, OptionError
from veernet.report.charts import draw_archive
from veernet.synth.opening import open_archive
from veernet.terminal import bar, one_line


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Verify an archive; show its shapes, its classes, and the padding that its batches cost.

    Every file is opened, and its digest, size, classes and curves are compared with the metadata.
    Logs that are drawn on the fly are drawn, which shows whether their generator has changed.
    If there are faults, they are listed and the exit code is 2. The narrowest, the emptiest (with
    the fewest labelled pixels of curves per column) and the darkest logs of each split are named.

    Examples:
        veernet inspect archive
        veernet inspect archive --quick --draw archive.png
    """

    root: Annotated[Positional[Path], ARCHIVE]
    """Folder of the archive."""
    quick: bool = False
    """Read the metadata only; open no log."""
    effective_batch: int = 16
    """Logs per optimizer step."""
    pixel_budget: int = Schedule.pixel_budget
    """Most pixels of one micro-batch, padding included. `veernet train` chooses it by the memory
    available, as `veernet plan` shows."""
    workers: int = os.cpu_count() or 1
    """Number of logs opened in parallel."""
    draw: Path | None = None
    """Picture (.png or .svg) of the shapes, class shares and padding to draw."""
    show: Path | None = None
    """Folder for sheets of logs with their masks drawn over the scans: SPLIT.png has logs from all
    over the split, and, without --quick, SPLIT-extremes.png those that are named."""
    json: bool = False
    """Print JSON instead of text."""

    def run(self, console: Console) -> None:
        """Print what is found in each split."""
        check_at_least(1, workers=self.workers)
        check_picture(draw=self.draw)
        if self.show is not None and self.show.exists() and not self.show.is_dir():
            raise OptionError(f"--show {self.show}: exists, and is no folder")
        archive = open_archive(self.root)
        schedule = Schedule(effective_batch=self.effective_batch, pixel_budget=self.pixel_budget)
        splits = archive.splits()
        surveys: dict[SplitName, Survey] = {
            name: survey(split, schedule) for name, split in splits.items()
        }
        verified: dict[SplitName, Verification] = (
            {} if self.quick else self._verify(splits, console)
        )
        if self.json:
            of = asdict(schedule)
            report = {name: {**asdict(found), "schedule": of} for name, found in surveys.items()}
            for name, found in verified.items():
                report[name] |= {**asdict(found), "shares": found.shares}
            print_json(console, report)
        else:
            console.print(f"{self.root}: {', '.join(archive.classes)}", soft_wrap=True)
            for name, found in surveys.items():
                _print_survey(console, name, found, schedule)
                if name in verified:
                    _print_verified(console, archive.classes, verified[name])
        if self.draw is not None:
            draw_archive(self.draw, archive.classes, splits, surveys, verified)
            if not self.json:
                console.print(f"wrote {one_line(self.draw)}", soft_wrap=True)
        if self.show is not None:
            for name, split in splits.items():
                found = verified.get(name)
                for sheet in write_sheets(self.show, name, split, archive.classes, found):
                    if not self.json:
                        console.print(f"wrote {one_line(sheet)}", soft_wrap=True)
        faults = sum(len(found.faults) for found in verified.values())
        if faults:
            raise ArchiveError(f"{self.root}: {faults} fault(s) in its logs")

    def _verify(
        self, splits: Mapping[SplitName, Split], console: Console
    ) -> dict[SplitName, Verification]:
        progress, n = progress_console(console, self.json), sum(map(len, splits.values()))
        with bar(progress, "logs", n) as advance:
            return {
                name: verify(split, workers=self.workers, advance=advance)
                for name, split in splits.items()
            }


def _print_verified(console: Console, classes: tuple[str, ...], found: Verification) -> None:
    shares = ", ".join(f"{c} {x:.2%}" for c, x in zip(classes, found.shares, strict=True))
    console.print(f"classes: {shares}; {found.unlabelled:,} px not labelled", soft_wrap=True)
    extremes = {
        "narrowest": [f"{one.file_name} {one.width:,} px" for one in found.narrowest],
        "emptiest": [
            f"{one.file_name} {one.curve_pixels_per_column:.2f} px of curves per column"
            for one in found.emptiest
        ],
        "darkest": [f"{one.file_name} {one.darkness:.1%} dark" for one in found.darkest],
    }
    for word, logs in extremes.items():
        console.print(f"{word}: {', '.join(logs) or 'no log is whole'}", soft_wrap=True)
    for fault in found.faults:
        console.print(fault, soft_wrap=True)


def _print_survey(console: Console, name: str, found: Survey, schedule: Schedule) -> None:
    console.print(
        f"\n{name}: {found.logs} logs, {found.megapixels:,.1f} Mpx; {found.steps} steps in "
        f"{found.micro_batches} micro-batches of at most {schedule.pixel_budget:,} px",
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

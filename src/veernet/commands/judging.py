"""Judging a run: its metrics, a step that went wrong, a page of it all."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional, arg

from veernet import recipes
from veernet.commands.options import (
    RUN,
    Repeated,
    aside,
    device_of,
    print_files,
    print_json,
)
from veernet.data.archive import SplitName
from veernet.errors import OnError
from veernet.report import write_report
from veernet.train.fault import replay, told


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Evaluate a run's best weights on a split: in pixels, and in curve values.

    Writes summary.json, logs.jsonl and pictures to RUN/evaluation/SPLIT.
    """

    folder: Annotated[Positional[Path], RUN]
    """Folder of the run."""
    split: SplitName = "test"
    """Which logs of the run's archive."""
    on_error: OnError = "stop"
    """Whether a log that cannot be read ends it, or is left out, counted and named."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self, console: Console) -> None:
        """Evaluate and print the summary."""
        device = device_of(self.device)
        summary = recipes.evaluate_run(
            self.folder,
            self.split,
            device=device,
            console=aside(console, self.json),
            on_error=self.on_error,
        )
        if self.json:
            print_json(console, summary)
        else:
            recipes.print_summary(console, summary)


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Take a step again whose loss or gradient was not finite, log by log; nothing is learned.

    `veernet train` writes such a step to RUN/faults, and says so.
    """

    folder: Annotated[Positional[Path], arg(metavar="STEP")]
    """Folder of the step, inside RUN/faults."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self, console: Console) -> None:
        """Take it, and say which logs do it."""
        replayed = replay(self.folder, device=device_of(self.device))
        logs, whole, fault = told(replayed), replayed.whole, replayed.fault
        loss, norm = whole.loss.item(), whole.grad_norm.item()
        if self.json:
            both = {"then": fault.loss, "now": f"{loss:g}", "finite": whole.applied, "logs": logs}
            print_json(console, {"step": fault.step, "epoch": fault.epoch, **both})
            return
        table = Table("log", "height", "width", "loss", "gradient", box=None)
        for log in logs:
            table.add_row(
                log["file_name"],
                *(str(log[k]) for k in ("height", "width")),
                *(log[k] for k in ("loss", "grad_norm")),
            )
        console.print(table)
        bad = [log["file_name"] for log in logs if not log["finite"]]
        console.print(
            f"step {fault.step}, epoch {fault.epoch + 1}: loss {loss:g}, gradient {norm:g}; then "
            f"{fault.loss} and {fault.grad_norm}. Not finite alone: {', '.join(bad) or 'none'}",
            soft_wrap=True,
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write one self-contained HTML page about a run: learning curves, metrics, pictures."""

    folder: Annotated[Positional[Path], RUN]
    """Folder of the run."""
    out: Path | None = None
    """The page; RUN/report.html if not given."""
    digitised: Repeated[Path] = ()
    """Pictures of digitised scans to show too."""
    json: bool = False
    """Print the name of the page as JSON."""

    def run(self, console: Console) -> None:
        """Write the page."""
        path = self.out or self.folder / "report.html"
        write_report(path, self.folder, digitised=self.digitised)
        print_files(console, [path], as_json=self.json)

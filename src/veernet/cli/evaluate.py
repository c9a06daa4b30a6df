"""`veernet evaluate`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional

from veernet.cli.console import print_json, progress_console
from veernet.cli.options import RUN, device_of
from veernet.data.logs import SplitName
from veernet.errors import OnError
from veernet.report.tables import print_summary
from veernet.train.score import evaluate_run


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Evaluate a run's best weights on a split: in pixels, and in curve values.

    Writes summary.json, logs.jsonl and pictures to RUN/evaluation/SPLIT.

    Examples:
        veernet evaluate run
        veernet evaluate run --split val --json
    """

    folder: Annotated[Positional[Path], RUN]
    """Folder of the run."""
    split: SplitName = "test"
    """Split of the archive whose logs are scored."""
    on_error: OnError = "stop"
    """Action at a log that cannot be read: `stop` the evaluation, or `skip` the log, count it and
    name it."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self, console: Console) -> None:
        """Evaluate and print the summary."""
        device = device_of(self.device)
        summary = evaluate_run(
            self.folder,
            self.split,
            device=device,
            console=progress_console(console, self.json),
            on_error=self.on_error,
        )
        if self.json:
            print_json(console, asdict(summary))
        else:
            print_summary(console, summary)

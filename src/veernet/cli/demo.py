"""`veernet demo`."""

import os
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from veernet import distributed
from veernet.cli.console import print_json, progress_console
from veernet.cli.options import check_at_least, device_of
from veernet.demo import run_recipe
from veernet.recipes import RECIPES
from veernet.train.log import rank0_console
from veernet.train.signals import end_if_paused


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Run the whole path on small logs, in minutes on two CPU cores.

    Draws logs, trains three classes, evaluates, digitises an unseen log to LAS, and writes
    report.html. Run the command again to go on where it was stopped. If training is paused, it
    ends with exit code 75, as `veernet train` does.

    Examples:
        veernet demo
        veernet demo --out small --workers 4
    """

    out: Path = Path("demo")
    """Folder for all files of the demo."""
    workers: int = os.cpu_count() or 1
    """Processes that draw logs, and threads that read them during training."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""
    json: bool = False
    """Print whether the demo is done, and the name of the report, as JSON on stdout; all else goes
    to stderr."""

    def run(self, console: Console) -> None:
        """Run the recipe."""
        check_at_least(1, workers=self.workers)
        device = device_of(self.device)
        with distributed.process_group(device):
            progress = progress_console(console, self.json)
            done = run_recipe(
                RECIPES["demo"], self.out, device=device, workers=self.workers, console=progress
            )
            if self.json:
                files = [str(self.out / "report.html")] if done else []
                print_json(rank0_console(console), {"done": done, "files": files})
        end_if_paused(done)

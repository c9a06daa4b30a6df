"""`veernet evaluate`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional

from veernet.cli.console import print_json, progress_console
from veernet.cli.options import ARCHIVE, OPTIONAL_RUN, device_of, given
from veernet.data.logs import SplitName
from veernet.errors import OnError, OptionError
from veernet.evaluation.summary import Summary
from veernet.report.tables import print_summary
from veernet.terminal import one_line
from veernet.train.score import EVALUATIONS, evaluate_run, evaluate_weights


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Evaluate a run, or any weights on an archive: in pixels, and in curve values.

    `veernet evaluate RUN` scores a run's best weights on its own archive, and writes to
    RUN/evaluation/SPLIT. `veernet evaluate --weights W --archive A --out FOLDER` scores any weights
    on any archive in float32, so that those before and after fine-tuning can be compared. Either
    writes summary.json, logs.jsonl and pictures of the worst logs.

    Examples:
        veernet evaluate run
        veernet evaluate run --split val --json
        veernet evaluate --weights pretrained --archive archive --out before
    """

    folder: Annotated[Positional[Path | None], OPTIONAL_RUN] = None
    """Folder of the run."""
    weights: str | None = None
    """Weights to score, with --archive: `pretrained` (they come with VeerNet), the folder of a run,
    or a .safetensors file. If omitted: pretrained."""
    archive: Annotated[Path | None, ARCHIVE] = None
    """Archive whose logs are scored, in place of a run's own."""
    out: Path | None = None
    """Folder for the evaluation, with --archive."""
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
        folder, summary = self._evaluated(progress_console(console, self.json))
        if self.json:
            print_json(console, asdict(summary))
            return
        print_summary(console, summary)
        console.print(f"wrote {one_line(folder)}", soft_wrap=True)

    def _evaluated(self, progress: Console) -> tuple[Path, Summary]:
        """Evaluate; return the folder that was written, and the summary."""
        others = [*given(weights=self.weights, archive=self.archive, out=self.out)]
        if self.folder is not None:
            if others:
                raise OptionError(
                    f"evaluate RUN scores the run's best weights on its own archive: leave out "
                    f"--{', --'.join(others)}, or write --weights {self.folder} --archive ARCHIVE "
                    "--out FOLDER"
                )
            device = device_of(self.device)
            summary = evaluate_run(
                self.folder, self.split, device=device, console=progress, on_error=self.on_error
            )
            return self.folder / EVALUATIONS / self.split, summary
        if self.archive is None or self.out is None:
            raise OptionError("evaluate needs RUN, or --weights, --archive and --out")
        summary = evaluate_weights(
            self.weights or "pretrained",
            self.archive,
            self.split,
            self.out,
            device=device_of(self.device),
            console=progress,
            on_error=self.on_error,
        )
        return self.out, summary

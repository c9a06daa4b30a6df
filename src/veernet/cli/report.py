"""`veernet report`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional

from veernet.cli.console import print_files
from veernet.cli.options import RUN, Repeated
from veernet.report.page import write_report


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write one self-contained HTML page about a run: learning curves, metrics, pictures.

    Examples:
        veernet report run
        veernet report run --out run.html --digitised digitised/scan.GR.png
    """

    folder: Annotated[Positional[Path], RUN]
    """Folder of the run."""
    out: Path | None = None
    """HTML page to write. If omitted: RUN/report.html."""
    digitised: Repeated[Path] = ()
    """Pictures of digitised scans to include."""
    json: bool = False
    """Print the name of the page as JSON."""

    def run(self, console: Console) -> None:
        """Write the page."""
        path = self.out or self.folder / "report.html"
        write_report(path, self.folder, digitised=self.digitised)
        print_files(console, [path], as_json=self.json)

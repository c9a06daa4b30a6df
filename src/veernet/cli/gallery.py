"""`veernet gallery`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional

from veernet.cli.console import print_files
from veernet.cli.options import OUT
from veernet.synth.appearance import read_appearance
from veernet.synth.gallery import write_gallery
from veernet.synth.tracks import read_tracks


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Draw examples of synthetic logs: both ends of every nuisance, a sheet of logs, and zooms.

    Examples:
        veernet gallery pictures
        veernet gallery pictures --appearance appearance.toml
    """

    out: Annotated[Positional[Path], OUT]
    """Folder for nuisances.png, sheet.png and zoom.png, and for tracks.png, printed.png and
    printed_zoom.png of logs as they are printed."""
    appearance: Path | None = None
    """TOML file of the appearance of logs. If omitted: everything that the generator can draw."""
    tracks: Path | None = None
    """TOML file of what the tracks of printed logs hold. If omitted: everything."""
    json: bool = False
    """Print the names of the files as JSON."""

    def run(self, console: Console) -> None:
        """Draw the pictures."""
        paths = write_gallery(
            self.out,
            None if self.appearance is None else read_appearance(self.appearance),
            None if self.tracks is None else read_tracks(self.tracks),
        )
        print_files(console, paths, as_json=self.json)

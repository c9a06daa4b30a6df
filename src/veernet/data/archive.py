"""A data set of logs on disk.

    ROOT/archive.json                 names of the classes, and the settings that made the archive
    ROOT/train/metadata.jsonl         one row per log: file names, digests, size, tracks
    ROOT/train/images/000000.tif      grey, 255 = paper
    ROOT/train/masks/000000.tif       indexed: 0 background, 1, 2, … curves, 255 not labelled
    ROOT/train/curves/000000.npz      `rows` and `values` of every curve, one per column
    ROOT/val/…  ROOT/test/…

`veernet.data.writing` writes them. The layout is the ImageFolder of Hugging Face `datasets`, which
opens a split as it is. Pictures are TIFF with Zstandard, or PNG (`docs/notes/0003`). An archive
that is drawn on the fly has the metadata only: its generator, recorded in `made_by`, draws a log
each time it is read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from veernet.data.logs import METADATA, SPLITS, Log, SplitName, read_rows
from veernet.errors import ArchiveError
from veernet.files import read_json, validate

if TYPE_CHECKING:
    from veernet.data.split import Split

FORMAT = 2
"""Version of the layout, raised when older readers cannot read the new one."""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A data set on disk."""

    root: Path
    classes: tuple[str, ...]
    """Names of the classes, background first."""
    made_by: dict[str, Any]
    """The settings that made it."""
    drawn: bool
    """True if logs are drawn each time they are read; there are no files of them."""
    draw: Callable[[SplitName, int], Log] | None = None
    """Draws a log of a split; `veernet.synth.opening.open_archive` knows how."""
    generator: str = ""
    """Name of the generator that draws; empty where nothing is drawn, or where the archive is too
    old to record its generator."""
    doubt: str = ""
    """Reason why the generator may draw other logs than the archive was made with; else empty."""

    @staticmethod
    def open(root: str | Path) -> "Archive":
        """Open the archive in folder `root`.

        Raises:
            ArchiveError: there is none, or it is not finished.
        """
        root = Path(root)
        path = root / "archive.json"
        header = validate(_Header, _read_header(path), where=str(path), error=ArchiveError)
        return Archive(
            root=root, classes=header.classes, made_by=header.made_by, drawn=header.drawn
        )

    def split(self, name: SplitName) -> "Split":
        """Open one split.

        Raises:
            ArchiveError: the split is missing, unfinished, empty, or its metadata is damaged.
        """
        from veernet.data.split import Split  # of PyTorch, which drawing and writing do without

        if self.drawn and self.draw is None:
            raise ArchiveError(f"{self.root}: its logs are drawn; `veernet.open_archive` opens it")
        path = self.root / name / METADATA
        rows = read_rows(path)
        if not rows:
            raise ArchiveError(f"{path}: the split has no logs")
        draw = None if self.draw is None else partial(self.draw, name)
        return Split(self.root / name, rows, len(self.classes), draw, self.generator, self.doubt)

    @property
    def split_names(self) -> tuple[SplitName, ...]:
        """Names of the splits that exist."""
        return tuple(name for name in SPLITS if (self.root / name / METADATA).exists())

    def splits(self) -> "dict[SplitName, Split]":
        """Open the splits that exist.

        Raises:
            ArchiveError: the metadata of one is damaged.
        """
        return {name: self.split(name) for name in self.split_names}


@dataclass(frozen=True, kw_only=True)
class _Header:
    format: Literal[2]
    classes: tuple[str, ...]
    made_by: dict[str, Any]
    drawn: bool


def _read_header(path: Path) -> Any:
    root = path.parent
    missing = (
        f"{root}: no archive here ({path.name} is missing); `veernet synth {root}` makes one, and "
        "`veernet import` one of scans"
    )
    return read_json(path, error=ArchiveError, missing=missing)

"""Archives that hold no pictures: their logs are drawn wherever they are asked for."""

import warnings
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from veernet.data.archive import Archive
from veernet.data.logs import SPLITS, Log, PictureFormat, Row, SplitName
from veernet.errors import ArchiveError, ArchiveWarning
from veernet.files import validate
from veernet.synth.generator import GeneratorRecord, LogFamily, generator_of


@dataclass(frozen=True, kw_only=True)
class MadeBy:
    """Settings and generator of an archive of synthetic logs, as `archive.json` holds them."""

    synth: LogFamily
    counts: tuple[int, int, int]
    pictures: PictureFormat
    generator: GeneratorRecord | None = None
    """None in archives of older versions."""

    def as_written(self, number: int, row: Row | None) -> Row | None:
        """The recorded row of a log, None if it says something else of the log than was written."""
        if row is None:
            return None
        drawn = self.synth.row(number, pictures=self.pictures)
        return row if replace(row, sha256=()) == drawn else None

    def numbers(self, split: SplitName) -> range:
        """Numbers of the logs of a split."""
        place = SPLITS.index(split)
        ends = [*accumulate(self.counts, initial=0)]
        return range(ends[place], ends[place + 1])

    def log(self, split: SplitName, index: int) -> Log:
        """Draw a log of a split."""
        return self.synth.log(self.numbers(split)[index])


def read_made_by(root: Path, made_by: dict[str, Any]) -> MadeBy:
    """Read what an archive was made by.

    Raises:
        ArchiveError: it was not made by `make`, or is damaged.
    """
    return validate(MadeBy, made_by, where=str(root / "archive.json"), error=ArchiveError)


def doubt_about(root: Path, begun: GeneratorRecord | None, now: GeneratorRecord | None) -> str:
    """Return why what draws now may draw other logs than the archive was begun with; empty if it
    draws the same."""
    if begun is None:
        return (
            f"{root}: made before archives recorded what draws their logs, so that nobody can tell "
            "whether they are drawn as they were then; make it anew in another folder to know"
        )
    if now is None or begun == now:
        return ""
    versions = ", ".join(
        f"{name} {found}, now {now.packages.get(name)}"
        for name, found in begun.packages.items()
        if found != now.packages.get(name)
    )
    return (
        f"{root}: made by {begun}; {now} draws here, and draws other logs"
        f"{f' ({versions})' if versions else ''}. Go back to the code, the packages, the LAS files "
        "of curves and the machine that it was made with, or make it anew in another folder"
    )


def drawn_archive(found: Archive) -> Archive:
    """Have an archive whose logs are drawn draw them.

    Raises:
        ArchiveError: nothing here can draw it.
    """
    made_by = read_made_by(found.root, found.made_by)
    now = None if made_by.generator is None else generator_of(made_by.synth)
    doubt = doubt_about(found.root, made_by.generator, now)
    if doubt:
        warnings.warn(doubt, ArchiveWarning, stacklevel=3)
    if now is None:
        return replace(found, draw=made_by.log)  # what cannot be told is no fault
    return replace(found, draw=made_by.log, generator=str(now), doubt=doubt)

"""Checking an archive against its metadata, file by file."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from heapq import nlargest, nsmallest

import cv2
import numpy as np
from jaxtyping import Int
from numpy import ndarray

from veernet.data.batch import UNLABELLED
from veernet.data.logs import changed_files, class_counts
from veernet.data.split import Split
from veernet.errors import VeerNetError

EXTREMES = 3
"""Number of logs listed as the narrowest, as the emptiest, and as the darkest of a split."""


@dataclass(frozen=True, kw_only=True)
class LogFigures:
    """Figures of one log that may tell that something is wrong with it."""

    file_name: str
    height: int
    width: int
    curve_pixels: int
    """Pixels that are labelled as those of any curve."""
    darkness: float
    """Mean darkness: 0 is white paper, 1 is black."""

    @property
    def curve_pixels_per_column(self) -> float:
        """Pixels of curves per column: a whole line one pixel wide has 1 and more."""
        return self.curve_pixels / self.width


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Result of checking the files of a split."""

    faults: tuple[str, ...]
    """Faults, in words that name the file: one per damaged log, and one if the logs are
    drawn by another generator than the split was made with."""
    pixels: tuple[int, ...]
    """Pixels of every class, background first, over the logs without a fault."""
    unlabelled: int
    """Pixels without a class."""
    narrowest: tuple[LogFigures, ...]
    """The `EXTREMES` logs without a fault that have the fewest columns, the narrowest first."""
    emptiest: tuple[LogFigures, ...]
    """The logs with the fewest pixels of curves per column."""
    darkest: tuple[LogFigures, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """Fraction of every class among the labelled pixels, 0 to 1."""
        total = max(1, sum(self.pixels))
        return tuple(pixels / total for pixels in self.pixels)


def verify(
    split: Split, *, workers: int = 1, advance: Callable[[], object] = lambda: None
) -> Verification:
    """Open every file of a split: digests, sizes, classes, curves; `workers` logs at a time.

    Logs of an archive that draws on the fly are drawn, and their sizes compared with the metadata.

    A damaged log raises nothing: all logs are checked, and every fault is returned. `advance` is
    called once per log.
    """
    faults, counts = [split.doubt] if split.doubt else [], np.zeros(256, np.int64)
    narrowest, emptiest, darkest = list[LogFigures](), list[LogFigures](), list[LogFigures]()
    with ThreadPoolExecutor(workers) as pool:
        for found in pool.map(partial(_look_at, split), range(len(split))):
            if isinstance(found, str):
                faults.append(found)
            else:
                of_classes, one = found
                counts += of_classes
                narrowest = nsmallest(EXTREMES, [*narrowest, one], key=lambda log: log.width)
                emptiest = nsmallest(
                    EXTREMES, [*emptiest, one], key=lambda log: log.curve_pixels_per_column
                )
                darkest = nlargest(EXTREMES, [*darkest, one], key=lambda log: log.darkness)
            advance()
    return Verification(
        faults=tuple(faults),
        pixels=tuple(counts[: split.n_classes].tolist()),
        unlabelled=int(counts[UNLABELLED]),
        narrowest=tuple(narrowest),
        emptiest=tuple(emptiest),
        darkest=tuple(darkest),
    )


def _look_at(split: Split, index: int) -> str | tuple[Int[ndarray, "256"], LogFigures]:
    """Return the pixels per class of a log and its figures, or a description of its fault."""
    row = split.rows[index]
    try:
        log = split.log(index)
        changed = [] if split.draw is not None else changed_files(split.folder, row)
        if changed:
            return f"{split.folder / changed[0]}: not the file that was written (SHA-256 differs)"
    except (VeerNetError, OSError) as fault:
        return str(fault)
    counts = class_counts(split.classes(index, log.mask))
    return counts, LogFigures(
        file_name=row.file_name,
        height=row.height,
        width=row.width,
        curve_pixels=int(counts[1 : split.n_classes].sum()),
        darkness=1 - float(cv2.mean(log.grey)[0]) / 255,
    )

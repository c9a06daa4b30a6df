"""Checking an archive against its metadata, file by file."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from veernet.data.batch import UNLABELLED
from veernet.data.logs import changed_files, class_counts
from veernet.data.split import Split
from veernet.errors import VeerNetError


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
    with ThreadPoolExecutor(workers) as pool:
        for found in pool.map(partial(_look_at, split), range(len(split))):
            if isinstance(found, str):
                faults.append(found)
            else:
                counts += found
            advance()
    return Verification(
        faults=tuple(faults),
        pixels=tuple(counts[: split.n_classes].tolist()),
        unlabelled=int(counts[UNLABELLED]),
    )


def _look_at(split: Split, index: int) -> str | Int[ndarray, "256"]:
    """Return the pixels per class of a log, or a description of its fault."""
    row = split.rows[index]
    try:
        mask = split.log(index).mask
        changed = [] if split.draw is not None else changed_files(split.folder, row)
        if changed:
            return f"{split.folder / changed[0]}: not the file that was written (SHA-256 differs)"
    except (VeerNetError, OSError) as fault:
        return str(fault)
    return class_counts(mask)

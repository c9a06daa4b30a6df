"""Schedule of an epoch: the logs of each optimizer step, and its cut into micro-batches.

It is a value: a pure function of the sizes, the settings, the seed and the epoch. Every process
computes the same one, and a position in a run is two integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from veernet.errors import OptionError
from veernet.files import check_fields

T = TypeVar("T")

MicroBatch = tuple[int, ...]
"""Indices of the logs that pass through the network in one batch."""

Step = tuple[MicroBatch, ...]
"""The micro-batches of one optimizer step, widest first."""

Sizes = Int[ndarray, "n 2"]
"""(h, w) of every log of a data set, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Windows of `effective_batch` logs drawn uniformly, as plain SGD would draw them.

    Inside a window the logs are sorted by shape and cut into micro-batches of at most
    `pixel_budget` padded pixels. Sorting inside the window costs no randomness: the logs of a step
    do not depend on their shapes. The last window of an epoch may be short.

    >>> sizes = open_archive("archive").split("train").sizes
    >>> steps = Schedule(effective_batch=4).steps(sizes, epoch=0)
    >>> [sum(map(len, step)) for step in steps]
    [4, 1]
    """

    effective_batch: int = 16
    """Logs in one optimizer step."""
    pixel_budget: int = 640 * 12_800
    """Most pixels of one micro-batch, padding included; a larger log is a micro-batch alone."""
    seed: int = 0
    """Seed of the random order; the same seed gives the same epochs."""

    def __post_init__(self) -> None:
        check_fields(self, error=OptionError)
        if self.effective_batch < 1 or self.pixel_budget < 1 or not 0 <= self.seed < 2**64:
            raise OptionError(
                "effective_batch and pixel_budget must be at least 1 and seed from 0 to 2^64 - 1; "
                f"got {self.effective_batch}, {self.pixel_budget} and {self.seed}"
            )

    def draw(self, n_logs: int, epoch: int) -> list[list[int]]:
        """Draw the logs of every step of an epoch, in random order."""
        order = np.random.default_rng([self.seed, epoch]).permutation(n_logs).tolist()
        return [order[i : i + self.effective_batch] for i in range(0, n_logs, self.effective_batch)]

    def steps(self, sizes: Sizes, epoch: int, *, most: int | None = None) -> list[Step]:
        """Return the steps of an epoch, or the first `most` of them, cut into micro-batches."""
        return [
            cut(sorted(window, key=lambda i: _by_shape(sizes, i)), sizes, self.pixel_budget)
            for window in self.draw(len(sizes), epoch)[:most]
        ]

    def unsorted_steps(self, sizes: Sizes, epoch: int) -> list[Step]:
        """Return the same windows cut in random order, a baseline for the padding of `steps`."""
        return [cut(window, sizes, self.pixel_budget) for window in self.draw(len(sizes), epoch)]


def cut(window: Sequence[int], sizes: Sizes, pixel_budget: int) -> Step:
    """Cut a window, in its order, into runs of at most `pixel_budget` padded pixels each."""
    step: list[MicroBatch] = []
    run: MicroBatch = ()
    for index in window:
        longer = (*run, index)
        if run and padded_pixels(longer, sizes) > pixel_budget:
            step.append(run)
            longer = (index,)
        run = longer
    return (*step, run) if run else tuple(step)


def shard(step: tuple[T, ...], rank: int, world_size: int) -> tuple[T, ...]:
    """Return the micro-batches of a step for process `rank` of `world_size`; perhaps none.

    Raises:
        OptionError: the rank is not among the processes.
    """
    if not 0 <= rank < world_size:
        raise OptionError(f"rank is from 0 to below world_size; got {rank} of {world_size}")
    return step[rank::world_size]


def padded_pixels(batch: MicroBatch, sizes: Sizes) -> int:
    """Number of pixels of a micro-batch, padding included."""
    h, w = sizes[list(batch)].max(0)
    return len(batch) * int(h) * int(w)


def padding_waste(steps: Sequence[Step], sizes: Sizes) -> float:
    """Fraction of all computed pixels that is padding, from 0 to 1."""
    batches = [batch for step in steps for batch in step]
    computed = sum(padded_pixels(batch, sizes) for batch in batches)
    scanned = sum(int(sizes[list(batch)].prod(1).sum()) for batch in batches)
    return 1 - scanned / computed if computed else 0.0


def _by_shape(sizes: Sizes, index: int) -> tuple[int, int, int]:
    h, w = sizes[index]
    return -int(w), -int(h), index

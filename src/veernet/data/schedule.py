"""Which logs make up each optimizer step, and how a step is cut into micro-batches.

The schedule of an epoch is a value: a pure function of the sizes, the settings, the seed and the
epoch. Every process computes the same one, and its place in a run is two integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from veernet.errors import OptionError

T = TypeVar("T")

MicroBatch = tuple[int, ...]
"""Indices of the logs that pass through the network together."""

Step = tuple[MicroBatch, ...]
"""The micro-batches of one optimizer step, widest first."""

Sizes = Int[ndarray, "n 2"]
"""(h, w) of every log of a data set, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Windows of `effective_batch` logs drawn uniformly, as plain SGD would draw them.

    Inside a window the logs are sorted by shape and cut into micro-batches of at most
    `pixel_budget` padded pixels. Sorting inside the window costs no randomness: which logs share a
    step does not depend on their shapes. The last window of an epoch may be short.
    """

    effective_batch: int = 16
    """Logs in one optimizer step."""
    pixel_budget: int = 640 * 12_800
    """Most pixels of one micro-batch, padding included; a larger log goes alone."""
    seed: int = 0
    """Of the draw; the same seed gives the same epochs."""

    def __post_init__(self) -> None:
        if self.effective_batch < 1 or self.pixel_budget < 1 or not 0 <= self.seed < 2**64:
            raise OptionError(
                "effective_batch and pixel_budget must be at least 1 and seed from 0 to 2^64 - 1; "
                f"got {self.effective_batch}, {self.pixel_budget} and {self.seed}"
            )

    def draw(self, n_logs: int, epoch: int) -> list[list[int]]:
        """The logs of every step of an epoch, in the order they were drawn."""
        order = np.random.default_rng([self.seed, epoch]).permutation(n_logs).tolist()
        return [order[i : i + self.effective_batch] for i in range(0, n_logs, self.effective_batch)]

    def steps(self, sizes: Sizes, epoch: int, *, most: int | None = None) -> list[Step]:
        """The steps of an epoch, or the first `most` of them, cut into micro-batches."""
        return [
            cut(sorted(window, key=lambda i: _by_shape(sizes, i)), sizes, self.pixel_budget)
            for window in self.draw(len(sizes), epoch)[:most]
        ]

    def unsorted_steps(self, sizes: Sizes, epoch: int) -> list[Step]:
        """The same windows cut in the order they were drawn: what `steps` is compared with."""
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
    """The micro-batches of a step that process `rank` of `ranks` works on; perhaps none."""
    return step[rank::world_size]


def padded_pixels(batch: MicroBatch, sizes: Sizes) -> int:
    """Pixels of the canvas of a micro-batch, padding included."""
    h, w = sizes[list(batch)].max(0)
    return len(batch) * int(h) * int(w)


def padding_waste(steps: Sequence[Step], sizes: Sizes) -> float:
    """The share of all pixels computed that is padding, from 0 to 1."""
    batches = [batch for step in steps for batch in step]
    computed = sum(padded_pixels(batch, sizes) for batch in batches)
    scanned = sum(int(sizes[list(batch)].prod(1).sum()) for batch in batches)
    return 1 - scanned / computed if computed else 0.0


def _by_shape(sizes: Sizes, index: int) -> tuple[int, int, int]:
    h, w = sizes[index]
    return -int(w), -int(h), index

"""Shapes of a data set, and the padding that they cost in batches."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from veernet.data.schedule import Schedule, padding_waste
from veernet.data.split import Split

BINS = 8
"""Bars of a histogram."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Shapes of a split, and the steps and padding of one epoch of a schedule."""

    logs: int
    megapixels: float
    heights: tuple[tuple[int, int, int], ...]
    """Bars (from, to, logs) of a histogram, px."""
    widths: tuple[tuple[int, int, int], ...]
    steps: int
    """Optimizer steps of an epoch."""
    micro_batches: int
    waste: float
    """Fraction of computed pixels that is padding, with windows sorted by shape."""
    waste_unsorted: float
    """The same with the logs of each window in random order."""
    traits: tuple[tuple[str, int], ...]
    """Traits of the logs and the number of logs with each, the most frequent first."""


def survey(split: Split, schedule: Schedule) -> Survey:
    """Survey a split by its metadata; nothing is decoded."""
    sizes = split.sizes
    steps = schedule.steps(sizes, epoch=0)
    return Survey(
        logs=len(sizes),
        megapixels=float(sizes.prod(1).sum() / 1e6),
        heights=_histogram(sizes[:, 0]),
        widths=_histogram(sizes[:, 1]),
        steps=len(steps),
        micro_batches=sum(len(step) for step in steps),
        waste=padding_waste(steps, sizes),
        waste_unsorted=padding_waste(schedule.unsorted_steps(sizes, epoch=0), sizes),
        traits=tuple(Counter(trait for row in split.rows for trait in row.traits).most_common()),
    )


def _histogram(sides: np.ndarray) -> tuple[tuple[int, int, int], ...]:
    counts, edges = np.histogram(sides, bins=min(BINS, int(sides.max() - sides.min()) + 1))
    bounds = np.rint(edges).astype(int).tolist()
    return tuple(zip(bounds[:-1], bounds[1:], counts.tolist(), strict=True))

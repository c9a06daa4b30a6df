"""Curves of a log: their shapes, their course across a track, and the parts that are printed."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from numpy.random import Generator

from veernet.curves.wraps import count_wraps, wrap_breaks
from veernet.synth.appearance import Appearance, uniform
from veernet.synth.layout import Ending

FURTHEST = (-0.95, 2.95)
"""Least and greatest value of a curve that leaves its track, in fractions of full scale."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One curve over all columns of a page."""

    course: Float[ndarray, "w"]
    """Value in fractions of full scale, 0 at the bottom edge and 1 at the top, also where it is not
    printed; NaN where it is absent."""
    wraps: Int[ndarray, "w"]
    """Number of wraps: full scales by which it is printed lower than `course`."""
    on_paper: Bool[ndarray, "w"]
    """Columns drawn on the track and connected to the previous column."""

    @property
    def values(self) -> Float[ndarray, "w"]:
        """Values as in `veernet.data.archive.Curves`: the course, NaN where it is not printed."""
        return np.where(self.on_paper, self.course, np.nan)

    @property
    def positions(self) -> Float[ndarray, "w"]:
        """Position of the print across the track, from 0 to 1; NaN where there is none."""
        return np.where(self.on_paper, self.course - self.wraps, np.nan)


def draw_shape(
    rng: Generator, appearance: Appearance, n_columns: int, *, unit: float, scale: float
) -> Float[ndarray, "w"]:
    """Draw a curve of zero mean and unit standard deviation: a random walk plus beds, noise and
    spikes, averaged over the length of the tool.

    Args:
        unit: the length, in pixels, to which beds are proportional: the height of the page.
        scale: factor on the lengths in `appearance`.
    """
    step = max(2.0, uniform(rng, appearance.sample_spacing) * max(scale, 0.5))
    n = max(4, round(n_columns / step))
    bed = max(2.0, unit / step * rng.uniform(0.1, 0.5))
    z = (
        rng.uniform(0.2, 0.9) * _walk(rng, n)
        + rng.uniform(0.3, 1.0) * _beds(rng, n, bed)
        + rng.uniform(0, 0.1) * rng.standard_normal(n)
        + _spikes(rng, n, rate=uniform(rng, appearance.spikes) * step / unit)
    )
    z = _smooth(z, width=max(1, round(uniform(rng, appearance.tool_resolution))))
    z = np.interp(np.linspace(0, n - 1, n_columns), np.arange(n), z)
    return standard(_smooth(z, width=max(1, round(rng.uniform(0, 0.6) * step))))


def standard(x: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Shift and scale to zero mean and unit standard deviation, ignoring NaN."""
    return (x - np.nanmean(x)) / max(float(np.nanstd(x)), 1e-6)


def draw_course(
    rng: Generator, appearance: Appearance, shape: Float[ndarray, "w"], ending: Ending, *, gaps: int
) -> Float[ndarray, "w"]:
    """Scale a shape to a track, beyond an edge unless it must stay inside, and cut gaps into it."""
    swing, offset, flipped = (
        uniform(rng, appearance.amplitude),
        rng.uniform(-0.3, 0.3),
        rng.random() < 0.3,
    )
    low, beyond = rng.uniform(0.05, 0.5), rng.uniform(0.8, 0.97)
    if ending == "inside":
        course = 0.5 + 0.49 * np.tanh(2 * (swing * shape + offset))
    else:
        foot, edge = np.nanquantile(shape, [0.02, beyond])
        course = low + (1 - low) * (shape - foot) / max(float(edge - foot), 1e-6)
        course = np.clip(1 - course if flipped else course, *FURTHEST)
    cut_gaps_(rng, course, gaps)
    return course


def cut_gaps_(rng: Generator, course: Float[ndarray, "w"], gaps: int) -> None:
    """Remove a number of random stretches of a course."""
    n = len(course)
    for _ in range(gaps):
        length = int(rng.uniform(0.01, 0.08) * n)
        start = int(rng.integers(0, n - length))
        course[start : start + length] = np.nan


def lay_on_paper(course: Float[ndarray, "w"], ending: Ending) -> Curve:
    """Return the printed part of a course, wrapped or clipped as `ending` says."""
    wraps = np.zeros(len(course), np.int64)
    on_paper = np.isfinite(course)
    if ending == "clipped":
        course = np.clip(course, 0, 1)
    elif ending == "off scale":
        on_paper &= (course >= 0) & (course <= 1)
    elif ending == "wrapped":
        wraps[on_paper] = count_wraps(course[on_paper]).astype(np.int64)
        on_paper &= ~wrap_breaks(wraps)
    return Curve(course=course, wraps=wraps, on_paper=on_paper)


def _walk(rng: Generator, n: int) -> Float[ndarray, "n"]:
    """Draw a random walk that ends where it began, of unit standard deviation."""
    walk = np.cumsum(rng.standard_normal(n))
    start, end = float(walk[0]), float(walk[-1])
    walk -= np.linspace(start, end, n)
    return walk / max(float(walk.std()), 1e-6)


def _beds(rng: Generator, n: int, mean_length: float) -> Float[ndarray, "n"]:
    """Draw beds of constant value and random thickness."""
    edges = np.cumsum(rng.exponential(mean_length, size=1 + int(3 * n / mean_length)))
    return rng.standard_normal(len(edges) + 1)[np.searchsorted(edges, np.arange(n))]


def _spikes(rng: Generator, n: int, *, rate: float) -> Float[ndarray, "n"]:
    """Draw single samples that stand out, 0 elsewhere."""
    return (rng.random(n) < rate) * rng.normal(0, 2.0, n)


def _smooth(x: Float[ndarray, "n"], *, width: int) -> Float[ndarray, "n"]:
    """Blur by the length of the tool: a running mean over 2 width - 1 samples."""
    ends = np.pad(x, width - 1, mode="edge")
    return np.convolve(ends, np.full(2 * width - 1, 1 / (2 * width - 1)), mode="valid")

"""Shapes of curves: random walks through beds, with spikes."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator


def draw_values(rng: Generator, n_columns: int, *, unit: float) -> Float[ndarray, "w"]:
    """A curve's values at every column, between 0 and 1.

    It is sampled every few pixels, as a tool samples depth, and joined by straight lines.

    Args:
        unit: the length, in pixels, to which beds are proportional: the height of the page.
    """
    step = rng.uniform(3, 10)
    n = max(4, round(n_columns / step))
    bed = max(2.0, unit / step * rng.uniform(0.1, 0.5))
    z = (
        rng.uniform(0.2, 0.9) * _walk(rng, n)
        + rng.uniform(0.3, 0.9) * _beds(rng, n, bed)
        + rng.uniform(0.02, 0.15) * rng.standard_normal(n)
        + _spikes(rng, n, rate=1 / (4 * bed))
    )
    z = _smooth(z, width=int(rng.integers(1, 4)))
    z *= rng.uniform(0.3, 0.7) / max(float(z.std()), 1e-6)
    values = 0.5 + 0.49 * np.tanh(z + rng.uniform(-0.3, 0.3))
    return np.interp(np.linspace(0, n - 1, n_columns), np.arange(n), values)


def _walk(rng: Generator, n: int) -> Float[ndarray, "n"]:
    """A random walk that ends where it began, of unit spread."""
    walk = np.cumsum(rng.standard_normal(n))
    walk -= np.linspace(walk[0], walk[-1], n)
    return walk / max(float(walk.std()), 1e-6)


def _beds(rng: Generator, n: int, mean_length: float) -> Float[ndarray, "n"]:
    """Beds of constant value and random thickness."""
    edges = np.cumsum(rng.exponential(mean_length, size=1 + int(3 * n / mean_length)))
    return rng.standard_normal(len(edges) + 1)[np.searchsorted(edges, np.arange(n))]


def _spikes(rng: Generator, n: int, *, rate: float) -> Float[ndarray, "n"]:
    """Single samples that stand out."""
    return (rng.random(n) < rate) * rng.normal(0, 1.2, n)


def _smooth(x: Float[ndarray, "n"], *, width: int) -> Float[ndarray, "n"]:
    """What the tool's own length makes of sharp edges: a running mean of 2 width - 1 samples."""
    ends = np.pad(x, width - 1, mode="edge")
    return np.convolve(ends, np.full(2 * width - 1, 1 / (2 * width - 1)), mode="valid")

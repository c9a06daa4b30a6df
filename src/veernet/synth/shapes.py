"""Shapes of curves from real LAS files."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator

from veernet.curves.strokes import polylines
from veernet.errors import OptionError
from veernet.synth.curves import standard
from veernet.synth.las_folder import read_each

if TYPE_CHECKING:
    from veernet.las import Las

MIN_SAMPLES = 200
"""Least number of consecutive samples of a shape."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One unbroken stretch of a curve."""

    mnemonic: str
    source: str
    """Name of the LAS file."""
    samples: Float[ndarray, "n"]


def shapes_of(folder: str) -> tuple[Shape, ...]:
    """Return all non-constant stretches of at least `LEAST` samples in a folder's LAS files, in
    order of file names. Files that cannot be read are skipped.

    Raises:
        OptionError: there is none.
    """
    found, failed = _read_shapes(folder)
    if not found:
        why = f"; {failed[0]}" if failed else ""
        raise OptionError(
            f"{folder}: no LAS file there has a curve with {MIN_SAMPLES} samples in one piece{why}"
        )
    return found


def passed_over(folder: str) -> tuple[str, ...]:
    """Return a line for each LAS file of a folder that cannot be read: its name and the reason."""
    return _read_shapes(folder)[1]


@cache
def _read_shapes(folder: str) -> tuple[tuple[Shape, ...], tuple[str, ...]]:
    return read_each(folder, _shapes_in)


def _shapes_in(las: "Las", source: str) -> Iterator[Shape]:
    for mnemonic, values in las.curves.items():
        for piece in _pieces(values):
            yield Shape(mnemonic=mnemonic, source=source, samples=piece)


def take_shape(rng: Generator, shape: Shape, n_columns: int) -> Float[ndarray, "w"]:
    """Take a random stretch of a real curve, at one to ten columns per sample, scaled to zero mean
    and unit standard deviation; mirrored where it repeats, logarithmic if it spans decades."""
    samples = shape.samples
    if samples.min() > 0 and np.quantile(samples, 0.98) > 30 * np.quantile(samples, 0.02):
        samples = np.log10(samples)
    step = rng.uniform(1, 10)
    n = max(4, int(n_columns / step) + 1)
    there = np.concatenate([samples, samples[::-1]])  # ends where it began
    start = int(rng.integers(0, len(there)))
    taken = np.take(there, np.arange(start, start + n), mode="wrap")
    return standard(np.interp(np.linspace(0, n - 1, n_columns), np.arange(n), taken))


def _pieces(values: Float[ndarray, "n"]) -> list[Float[ndarray, "_"]]:
    long = [line[:, 1] for line in polylines(values) if len(line) >= MIN_SAMPLES]
    return [piece for piece in long if np.ptp(piece) > 1e-6 * max(1e-6, np.abs(piece).max())]

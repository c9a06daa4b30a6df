"""Shapes of curves from real LAS files."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator

from veernet.curves.strokes import polylines
from veernet.errors import LasError, OptionError
from veernet.synth.curves import standard

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
    from veernet.las import read_las  # its libraries take longer to import than a log to draw

    found, failed = list[Shape](), list[str]()
    for path in sorted(Path(folder).iterdir() if Path(folder).is_dir() else []):
        if path.suffix.lower() == ".las":
            try:
                curves = read_las(path).curves
            except LasError as fault:
                failed.append(str(fault))
                continue
            for mnemonic, values in curves.items():
                found += [
                    Shape(mnemonic=mnemonic, source=path.name, samples=piece)
                    for piece in _pieces(values)
                ]
    return tuple(found), tuple(failed)


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

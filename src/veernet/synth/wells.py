"""Curves of one well on one axis of depth: read from LAS files, cut, and laid on a track."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator

from veernet.errors import LasError, OptionError
from veernet.synth.kinship import MEMBERS, Member, Scale
from veernet.synth.las_folder import read_each

if TYPE_CHECKING:
    from veernet.las import Las

MIN_SAMPLES = 200
"""Least number of values of a curve that is taken from a LAS file."""

MAX_SAMPLES = 1_000_000
"""Most samples of a well at its usual step."""


@dataclass(frozen=True, kw_only=True)
class Well:
    """Curves of one well at equal steps of depth."""

    top_ft: float
    step_ft: float
    curves: Mapping[str, Float[ndarray, "n"]]
    """By mnemonic of `MEMBERS`, in the member's unit; NaN where there is no value."""
    source: str = ""
    """Name of the LAS file; empty if drawn."""

    @property
    def n_samples(self) -> int:
        """Number of depths."""
        return len(next(iter(self.curves.values())))

    @property
    def depth_ft(self) -> Float[ndarray, "n"]:
        """Depth of every sample."""
        return self.top_ft + self.step_ft * np.arange(self.n_samples)


def read_wells(folder: str) -> tuple[Well, ...]:
    """Read all wells of a folder's LAS files that have known curves, in order of file names. Files
    that cannot be read are skipped.

    Raises:
        OptionError: there is none.
    """
    found, failed = _read_wells(folder)
    if not found:
        why = f"; {failed[0]}" if failed else ""
        raise OptionError(f"{folder}: no LAS file there has a curve that logs show{why}")
    return found


def wells_passed_over(folder: str) -> tuple[str, ...]:
    """Return a line for each LAS file of a folder that cannot be read: its name and the reason."""
    return _read_wells(folder)[1]


@cache
def _read_wells(folder: str) -> tuple[tuple[Well, ...], tuple[str, ...]]:
    def take_well(las: "Las", source: str) -> list[Well]:
        well = _well_of(las, source)
        return [well] if well.curves else []

    return read_each(folder, take_well)


def _well_of(las: "Las", source: str) -> Well:
    """Return the known curves of a LAS file, each under one member, at its usual step."""
    from veernet.las import FEET

    step = float(np.median(np.diff(las.depth)))
    if las.depth[-1] - las.depth[0] > MAX_SAMPLES * step:
        raise LasError(
            f"{source}: {las.depth[0]:g} to {las.depth[-1]:g} {las.unit} are more than "
            f"{MAX_SAMPLES:,} of its steps of {step:g} {las.unit}"
        )
    depth = np.arange(las.depth[0], las.depth[-1] + step / 2, step)
    curves, taken = dict[str, Float[ndarray, "n"]](), set[str]()
    for member in MEMBERS.values():
        alias = next((one for one in member.aliases if one in las.curves and one not in taken), "")
        if alias:
            taken.add(alias)
            values = _in_unit(member, las.at(alias, depth, unit=las.unit))
            if np.isfinite(values).sum() >= MIN_SAMPLES:
                curves[member.mnemonic] = values
    feet = FEET[las.unit]
    return Well(top_ft=depth[0] * feet, step_ft=step * feet, curves=curves, source=source)


def _in_unit(member: Member, values: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Return values in the member's unit; off its bounds NaN, or the bound if it spans decades."""
    low, high = member.bounds
    there = np.abs(values[np.isfinite(values)])
    if member.coarse and there.size and np.median(there) > member.coarse[0]:
        values = values / member.coarse[1]
    if member.log:
        return np.clip(values, low, high)
    return np.where((values >= low) & (values <= high), values, np.nan)


def choose_well(rng: Generator, wells: Sequence[Well], names: Iterable[str]) -> Well:
    """Draw one of the wells with the most of the wanted curves."""
    wanted = {*names}
    have = [len(wanted & well.curves.keys()) for well in wells]
    best = [well for well, count in zip(wells, have, strict=True) if count == max(have)]
    return best[int(rng.integers(len(best)))]


def take(
    rng: Generator, well: Well, names: Sequence[str], *, n_samples: int, step_ft: float
) -> Well:
    """Cut a random stretch of exactly `n_samples` at `step_ft`, in which the wanted curves that the
    well has are mostly there; it goes on backwards where the well ends.

    Raises:
        OptionError: the well has none of the curves.
    """
    there = [name for name in names if name in well.curves]
    if not there:
        raise OptionError(f"{well.source}: no curve {', '.join(names)}")
    values = np.stack([well.curves[name] for name in there])
    finite = np.isfinite(values)
    logged = np.flatnonzero(finite.mean(0) >= 0.5)
    if logged.size:
        inside = slice(int(logged[0]), int(logged[-1]) + 1)
        values, finite, first = values[:, inside], finite[:, inside], int(logged[0])
    else:
        first = 0
    ratio = step_ft / well.step_ft
    span = int(np.ceil((n_samples - 1) * ratio)) + 2
    start = _start(rng, finite.mean(0), span)
    at = start + ratio * np.arange(n_samples)
    curves = {name: _mirrored(row, at) for name, row in zip(there, values, strict=True)}
    top = well.top_ft + (first + start) * well.step_ft
    return replace(well, top_ft=top, step_ft=step_ft, curves=curves)


def _start(rng: Generator, share: Float[ndarray, "n"], span: int) -> int:
    """Draw where a stretch begins, among the places where nearly the most values are there."""
    n = len(share)
    if span > n:
        return int(rng.integers(0, n))
    before = np.concatenate([[0.0], np.cumsum(share)])
    held = (before[span:] - before[:-span]) / span
    good = np.flatnonzero(held >= 0.95 * held.max())
    return int(good[rng.integers(len(good))])


def _mirrored(row: Float[ndarray, "n"], at: Float[ndarray, "m"]) -> Float[ndarray, "m"]:
    """Interpolate a row linearly at places that go on backwards beyond its end, and forth again."""
    ends = len(row) - 1
    if ends == 0:
        return np.full(len(at), row[0])
    fold = ends - np.abs(at % (2 * ends) - ends)
    return np.interp(fold, np.arange(len(row)), row)


def courses(
    well: Well, scales: Mapping[str, Scale], n_columns: int
) -> dict[str, Float[ndarray, "w"]]:
    """Lay a well's curves on the columns of a track: for each scale's member, its position in
    every column, 0 at the scale's left edge and 1 at its right edge, not limited to them.

    The first sample is in the first column and the last in the last; between samples the line is
    straight on the paper. NaN where there is no value, and beside it. A member whose zero floats
    has its scale shifted to its values: `fitted_scales` gives the scale that is printed.
    """
    at = np.linspace(0, well.n_samples - 1, n_columns)
    return {
        name: np.interp(at, np.arange(well.n_samples), scale.positions(well.curves[name]))
        for name, scale in fitted_scales(well, scales).items()
    }


def fitted_scales(well: Well, scales: Mapping[str, Scale]) -> dict[str, Scale]:
    """Return the scales of the members that the well has, shifted to the values where the zero of
    a member floats."""
    return {
        name: scale.shifted_to(well.curves[name]) if MEMBERS[name].floating else scale
        for name, scale in scales.items()
        if name in well.curves
    }

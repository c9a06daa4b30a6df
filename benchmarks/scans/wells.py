"""Curves of the test wells on the scales at which they are printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.interpolate import Akima1DInterpolator

from veernet.las import Las, read_las

WELLS = (
    *("1043563094", "1044077638", "1044095201", "1044165298", "1044219060", "1044220890"),
    *("1044220895", "1044226422", "1044628754", "1044639558", "1044761686", "1044773197"),
    *("1044798574", "1044831480", "1044858967", "1044907132", "1044966712"),
)
"""Test wells, less those that have a twin among the drawing wells or among themselves."""

Edges = tuple[float, float]
OffScale = Literal["wrap", "clip", "leave"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One measurement: its names in the files, and its customary scales (left, right)."""

    names: tuple[str, ...]
    edges: tuple[Edges, ...]
    unit: str
    valid: Edges
    """Values outside are no measurements."""
    family: str = ""
    """Kinds of one family share a scale in a track."""
    scale: Literal["linear", "log"] = "linear"


RESISTIVITY = ((0.2, 2000.0), (0.2, 2000.0), (0.2, 20.0), (2.0, 200.0), (1.0, 1000.0))
POROSITY = ((45.0, -15.0), (30.0, -10.0), (60.0, 0.0))


def _resistivity(*names: str) -> Kind:
    return Kind(
        names=names,
        edges=RESISTIVITY,
        unit="OHMM",
        valid=(0.05, 9000.0),
        family="resistivity",
        scale="log",
    )


def _porosity(*names: str) -> Kind:
    return Kind(names=names, edges=POROSITY, unit="PU", valid=(-40, 110), family="porosity")


def _linear(names: str, unit: str, valid: Edges, *edges: Edges, family: str = "") -> Kind:
    return Kind(names=tuple(names.split()), edges=edges, unit=unit, valid=valid, family=family)


KINDS = {
    "GR": _linear("GR", "API", (1, 900), (0, 150), (0, 150), (0, 100), (0, 200)),
    "SP": _linear("SP", "MV", (-600, 600)),  # its zero is arbitrary: the edges follow its median
    "CALI": _linear("CALI DCAL CALD", "IN", (4.5, 30), (6, 16), (6, 16), (4, 14)),
    "LTEN": _linear("LTEN LWTLB", "LB", (100, 20000), (5000, 0), (10000, 0), (0, 4000)),
    "CILD": _linear("CILD", "MMHO", (1, 5000), (1000, 0), (500, 0)),
    "ILD": _resistivity("ILD", "RILD"),
    "ILM": _resistivity("ILM", "RILM"),
    "SFL": _resistivity("SFL", "RLL3"),
    "MINV": _linear("MINV MI", "OHMM", (0.1, 300), (0, 40), (0, 20), family="micro"),
    "MNOR": _linear("MNOR MN", "OHMM", (0.1, 300), (0, 40), (0, 20), family="micro"),
    "RHOB": _linear("RHOB", "G/C3", (1.2, 3.1), (2, 3), (2, 3), (1.95, 2.95), (1.9, 2.9)),
    "PE": _linear("PE", "B/E", (0.5, 15), (0, 10), (0, 10), (0, 20)),
    "DRHO": _linear("DRHO RHOC", "G/C3", (-1, 1), (-0.25, 0.25), (-0.75, 0.25), (-0.5, 0.5)),
    "DT": _linear("DT", "US/F", (30, 250), (140, 40), (140, 40), (150, 50), (240, 40)),
    "NPHI": _porosity("NPHI", "CNLS", "NPLS"),
    "DPHI": _porosity("DPHI", "DPOR", "DPLS"),
    "SPHI": _porosity("SPOR", "PORS"),
}
"""Kinds by the mnemonic under which they are printed."""

TRACKS = {
    1: "GR|GR|SP|ILD|ILD|ILD|SFL|SFL|RHOB|NPHI|DT|DT|CILD|CALI",
    2: "GR SP|GR SP|GR CALI|ILD ILM|ILD ILM|ILD ILM|ILD SFL|ILD SFL|ILD SFL|RHOB NPHI|RHOB NPHI"
    "|DPHI NPHI|DT NPHI|DT SPHI|MINV MNOR|RHOB DRHO|GR LTEN|SP CILD",
    3: "GR SP CALI|GR SP CALI|ILD ILM SFL|ILD ILM SFL|ILD ILM SFL|RHOB NPHI PE|RHOB NPHI DRHO"
    "|DPHI NPHI PE|DT NPHI SPHI|MINV MNOR CALI|DT SPHI LTEN",
    4: "RHOB NPHI PE DRHO|GR SP CALI LTEN|RHOB NPHI DRHO LTEN|GR CALI MINV MNOR|DT NPHI DPHI SPHI",
    5: "RHOB NPHI PE DRHO LTEN|GR SP CALI MINV MNOR|DT NPHI DPHI DRHO LTEN|GR SP CALI DT LTEN",
}
"""What is printed together, by the number of curves in the track."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One curve as it is printed: straight between its vertices.

    depth:    depth of the vertices, ft
    position: place across the track, 0 at its left edge and 1 at its right one, beyond these where
              it is off scale; NaN where it is not printed
    """

    mnemonic: str
    unit: str
    left: float
    right: float
    scale: Literal["linear", "log"]
    off_scale: OffScale
    depth: Float[ndarray, "n"]
    position: Float[ndarray, "n"]

    def at(self, depth: Float[ndarray, "m"]) -> Float[ndarray, "m"]:
        """Return the positions at depths."""
        return np.interp(depth, self.depth, self.position, left=np.nan, right=np.nan)

    def shown(self, position: Float[ndarray, "m"]) -> Bool[ndarray, "m"]:
        """Return where positions are on the paper."""
        if self.off_scale == "wrap":
            return np.isfinite(position)
        return (position >= 0) & (position <= 1)

    def value(self, position: Float[ndarray, "m"]) -> Float[ndarray, "m"]:
        """Return the values at positions."""
        if self.scale == "log":
            return self.left * (self.right / self.left) ** position
        return self.left + (self.right - self.left) * position


@cache
def well(folder: Path, name: str) -> Las:
    return read_las(folder / f"{name}.las", depth_unit="ft")


def positions(values: Float[ndarray, "n"], edges: Edges, scale: str) -> Float[ndarray, "n"]:
    """Return the places across a track of values, 0 at its left edge and 1 at its right one."""
    left, right = edges
    if scale == "log":
        return np.log(values / left) / np.log(right / left)
    return (values - left) / (right - left)


def _edges(
    kind: Kind, values: Float[ndarray, "n"], choice: dict[str, float], rng: np.random.Generator
) -> Edges:
    """Choose the values at the edges; kinds of one family choose alike."""
    if not kind.edges:
        span = float(rng.choice([100, 120, 160, 200]))
        left = 10.0 * round((np.median(values) - span * rng.uniform(0.4, 0.6)) / 10)
        return left, left + span
    draw = choice.setdefault(kind.family or kind.names[0], float(rng.random()))
    left, right = kind.edges[int(draw * len(kind.edges))]
    if kind.family == "porosity" and np.median(np.abs(values)) < 1.5:
        return left / 100, right / 100
    return left, right


def _off_scale(
    position: Float[ndarray, "n"], kind: Kind, rng: np.random.Generator
) -> OffScale | None:
    """Choose what is done off scale; None if too much of the curve is."""
    outside = float(np.mean((position < 0) | (position > 1)))
    wrap = rng.random() < (0.2 if kind.scale == "log" else 0.35)
    if wrap and outside > 0.005 and position.min() > -1 and position.max() < 3:
        return "wrap" if outside < 0.3 else None
    if outside > 0.12:
        return None
    return "clip" if rng.random() < 0.4 else "leave"


def _samples(
    las: Las, kind: Kind, span: Edges
) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"]] | None:
    """Return depths and values of a kind around a span; None where too much is missing or flat."""
    values = next((las.curves[name] for name in kind.names if name in las.curves), None)
    if values is None:
        return None
    near = (las.depth > span[0] - 1.5) & (las.depth < span[1] + 1.5)
    depth, values = las.depth[near], values[near]
    good = np.isfinite(values) & (values > kind.valid[0]) & (values < kind.valid[1])
    if len(depth) < 100 or good.mean() < 0.99 or not good[[0, -1]].all():
        return None
    depth, values = depth[good], values[good]
    flat = np.mean(np.diff(values) == 0) > 0.4
    return None if flat or depth[0] > span[0] or depth[-1] < span[1] else (depth, values)


def _trace(
    las: Las, mnemonic: str, span: Edges, choice: dict[str, float], rng: np.random.Generator
) -> Trace | None:
    """Return a curve of a well between two depths; None if it is not worth printing there."""
    kind = KINDS[mnemonic]
    if (samples := _samples(las, kind, span)) is None:
        return None
    depth, values = samples
    edges = _edges(kind, values, choice, rng)
    place = positions(values, edges, kind.scale)
    off_scale = _off_scale(place, kind, rng)
    if off_scale is None or place.clip(-0.1, 1.1).std() < 0.025:
        return None
    vertices = np.unique([span[0], *depth[(depth > span[0]) & (depth < span[1])], span[1]])
    if choice.setdefault("smooth", float(rng.random())) < 0.35:
        vertices = np.unique([*vertices, *np.arange(span[0], span[1], 0.1)])
        place = Akima1DInterpolator(depth, place)(vertices)
    else:
        place = np.interp(vertices, depth, place)
    return Trace(
        mnemonic=mnemonic,
        unit=kind.unit,
        left=float(edges[0]),
        right=float(edges[1]),
        scale=kind.scale,
        off_scale=off_scale,
        depth=vertices,
        position=place,
    )


def traces(
    folder: Path, mnemonics: Sequence[str], length: float, rng: np.random.Generator
) -> list[Trace] | None:
    """Return curves of one well over the same depths, chosen at random; None if there are none.

    Args:
        length: of the stretch, ft.
    """
    for name in rng.permutation(WELLS):
        las = well(folder, str(name))
        if las.depth[-1] - las.depth[0] < length + 10:
            continue
        for _ in range(6):
            first = float(rng.uniform(las.depth[0] + 2, las.depth[-1] - 2 - length))
            top, choice = np.round(2 * first) / 2, dict[str, float]()
            found = [_trace(las, one, (top, top + length), choice, rng) for one in mnemonics]
            if all(one is not None for one in found):
                return [one for one in found if one is not None]
    return None


def track_of(folder: Path, number: int, length: float, rng: np.random.Generator) -> list[Trace]:
    """Return `number` curves as they are printed together, or fewer where no well has so many.

    Raises:
        LookupError: no well has a curve over such a length.
    """
    for few in range(number, 0, -1):
        for _ in range(30):
            mnemonics = str(rng.choice(TRACKS[few].split("|"))).split()
            if (found := traces(folder, mnemonics, length, rng)) is not None:
                return found
    raise LookupError(f"no well in {folder} has a curve over {length:g} ft")

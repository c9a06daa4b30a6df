"""How well the curves of a drawn well hang together, beside those of real wells.

    .venv/bin/python benchmarks/families.py FOLDER

FOLDER has the LAS files of fifty Kansas wells and a README that says which 30 are for drawing and
which 20 for tests alone. Four figures of every pair of curves (correlation, crossings per 100 ft,
shares of depths at which they are within 1 % and 2 % of the track's width) and two of every curve
(length over which it resembles itself, standard deviation), on positions across the track at the
commonest scales, in stretches of 500 ft. A well's figure is the mean over its stretches; shown are
the median over wells and the 10th and 90th percentile. Writes benchmarks/families.json and
docs/explanation/families.png.
"""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np

from veernet.synth.earth import draw_well
from veernet.synth.kinship import MEMBERS, Scale
from veernet.synth.wells import Well, read_wells

OUT = Path(__file__).with_suffix(".json")
FIGURE = Path(__file__).parents[1] / "docs/explanation/families.png"
DRAWN, SAMPLES, STEP = 120, 5000, 0.5
STRETCH = 1000
"""Samples of 0.5 ft."""
PAIRS = (
    ("GR", "SP"),
    ("GR", "CALI"),
    ("GR", "NPHI"),
    ("GR", "ILD"),
    ("ILD", "ILM"),
    ("ILM", "SFL"),
    ("ILD", "SFL"),
    ("RHOB", "NPHI"),
    ("RHOB", "PE"),
    ("NPHI", "PE"),
    ("RHOB", "DRHO"),
    ("CALI", "DRHO"),
    ("DT", "NPHI"),
    ("DT", "RHOB"),
    ("MINV", "MNOR"),
    ("CALI", "CALY"),
)
FIGURES = ("correlation", "crossings per 100 ft", "within 1 %", "within 2 %")
OWN = ("length, ft", "deviation")


def positions(well: Well, name: str) -> np.ndarray:
    scale: Scale = MEMBERS[name].scales[0]
    if MEMBERS[name].floating:
        scale = scale.shifted_to(well.curves[name])
    return np.clip(scale.positions(well.curves[name]), -1, 2)


def of_pair(a: np.ndarray, b: np.ndarray, step: float) -> list[float]:
    """The figures of two curves over one stretch."""
    apart = a - b
    signs = np.sign(apart[apart != 0])
    flat = min(a.std(), b.std()) < 1e-9
    return [
        np.nan if flat else float(np.corrcoef(a, b)[0, 1]),
        float((np.diff(signs) != 0).sum() / (len(a) * step) * 100),
        float((np.abs(apart) <= 0.01).mean()),
        float((np.abs(apart) <= 0.02).mean()),
    ]


def of_curve(a: np.ndarray, step: float) -> list[float]:
    """The lag at which a curve's autocorrelation falls below 1 / e, and its deviation."""
    z = a - a.mean()
    if z.std() < 1e-9:
        return [np.nan, 0.0]
    spectrum = np.abs(np.fft.rfft(z, 2 * len(z))) ** 2
    r = np.fft.irfft(spectrum)[: len(z)]
    below = np.flatnonzero(r < r[0] / np.e)
    at = int(below[0]) if below.size else len(z) - 1
    part = (r[at - 1] - r[0] / np.e) / max(r[at - 1] - r[at], 1e-12)
    return [float((at - 1 + part) * step), float(a.std())]


def measure(well: Well) -> dict[str, list[float]]:
    """The figures of all pairs and curves that a well has, means over its stretches."""
    there = {name: positions(well, name) for name in well.curves}
    found = dict[str, list[float]]()
    for names in [*PAIRS, *((name,) for name in there)]:
        if not {*names} <= there.keys():
            continue
        rows = np.stack([there[name] for name in names])
        rows, many = rows[:, np.isfinite(rows).all(0)], list[list[float]]()
        for start in range(0, max(1, rows.shape[1] - STRETCH // 2), STRETCH):
            part = rows[:, start : start + STRETCH]
            if part.shape[1] >= STRETCH // 2:
                of = of_curve if len(names) == 1 else of_pair
                many.append(of(*part, well.step_ft))
        if many and not np.isnan(np.array(many)).all(0).any():
            found["–".join(names)] = np.nanmean(many, 0).tolist()
    return found


def summary(wells: list[Well]) -> dict[str, dict]:
    """Median, 10th and 90th percentile over wells of every figure."""
    measured, table = [measure(well) for well in wells], dict[str, dict]()
    for key in ["–".join(pair) for pair in PAIRS] + [*MEMBERS]:
        rows = np.array([one[key] for one in measured if key in one])
        if len(rows):
            names = FIGURES if "–" in key else OWN
            table[key] = {"wells": len(rows)} | {
                name: [round(float(v), 4) for v in np.nanquantile(column, [0.5, 0.1, 0.9])]
                for name, column in zip(names, rows.T, strict=True)
            }
    return table

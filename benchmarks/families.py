"""How well the curves of a drawn well hang together, beside those of real wells.

    .venv/bin/python benchmarks/families.py FOLDER

FOLDER has the LAS files of fifty Kansas wells and a README that says which 30 are for drawing and
which 20 for tests alone; a well that has been there under another name is left out. Four figures of
every pair of curves (correlation, crossings per 100 ft, shares of depths at which they are within
1 % and 2 % of the track's width) and two of every curve (length over which it resembles itself,
standard deviation), on positions across the track at the commonest scales, in stretches of 500 ft.
A well's figure is the median over its stretches; shown are the median over wells and the 10th and
90th percentile. Writes benchmarks/families.json and docs/explanation/families.png, and prints the
figures whose median for drawn wells is not between the percentiles of the wells for drawing.
"""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from veernet.synth.drawn_wells import draw_well
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
    """The figures of all pairs and curves that a well has, medians over its stretches."""
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
                step = well.step_ft
                many.append(
                    of_pair(part[0], part[1], step) if len(part) == 2 else of_curve(part[0], step)
                )
        if many and not np.isnan(np.array(many)).all(0).any():
            found["–".join(names)] = np.nanmedian(many, 0).tolist()
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


def split(folder: Path) -> tuple[list[Well], list[Well], list[str]]:
    """The wells for drawing, those for tests, and the files left out."""
    text = (folder / "README.md").read_text()
    chosen = re.search(r"drawing.*?:\*\*([\d ]+)", text)
    names = {*chosen[1].split()} if chosen else set()
    wells = read_wells(str(folder))
    kept, twins = list[Well](), list[str]()
    for well in sorted(wells, key=lambda one: Path(one.source).stem not in names):
        if any(same(well, other) for other in kept):
            twins.append(well.source)
        else:
            kept.append(well)
    drawing = [well for well in kept if Path(well.source).stem in names]
    return drawing, kept[len(drawing) :], twins


def same(one: Well, other: Well) -> bool:
    """Whether two files hold the same gamma ray at the same depths."""
    a = one.curves["GR"]
    b = np.interp(one.depth_ft, other.depth_ft, other.curves["GR"], left=np.nan, right=np.nan)
    both = np.isfinite(a) & np.isfinite(b)
    return bool(both.sum() > 500 and (np.abs(a - b)[both] < 0.01).mean() > 0.9)


def draw_figure(tables: dict[str, dict[str, dict]]) -> None:
    """Medians with their percentiles, one panel a figure, one colour a kind of wells."""
    figure = Figure(figsize=(14, 6), layout="constrained")
    panels = figure.subplots(1, 7, width_ratios=(4, 4, 4, 4, 0.3, 4, 4)).tolist()
    panels.pop(4).set_visible(False)
    colours = ("tab:red", "tab:blue", "0.4")
    pairs, own = ["–".join(pair) for pair in PAIRS], [*MEMBERS]
    for axis, name in zip(panels, (*FIGURES, *OWN), strict=True):
        keys = pairs if name in FIGURES else own
        for at, (kind, table) in enumerate(tables.items()):
            rows = [k for k, key in enumerate(keys) if key in table and name in table[key]]
            values = np.array([table[keys[k]][name] for k in rows])
            y = np.array(rows) + 0.25 * (at - 1)
            axis.hlines(y, values[:, 1], values[:, 2], color=colours[at], lw=1.2)
            axis.plot(values[:, 0], y, "o", color=colours[at], ms=3.5, label=kind)
        axis.set_yticks(range(len(keys)), keys if name in (FIGURES[0], OWN[0]) else [], fontsize=7)
        axis.set_ylim(len(keys) - 0.4, -0.6)
        axis.tick_params(axis="x", labelsize=7)
        axis.set_title(name, fontsize=9)
        if name.startswith("within"):
            axis.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
            axis.set_xticks([0.01, 0.1, 0.3, 0.6, 1])
            axis.set_xlim(0, 1)
        axis.grid(axis="both", lw=0.3)
    panels[0].legend(fontsize=7, loc="lower left")
    figure.savefig(FIGURE, dpi=90)


def main() -> None:
    drawing, tests, twins = split(Path(sys.argv[1]))
    seeds = [np.random.default_rng([21, index]) for index in range(DRAWN)]
    start = time.process_time()
    drawn = [draw_well(rng, SAMPLES, STEP) for rng in seeds]
    seconds = time.process_time() - start
    kinds = {
        "drawn": drawn,
        f"{len(drawing)} for drawing": drawing,
        f"{len(tests)} for tests": tests,
    }
    tables = {kind: summary(wells) for kind, wells in kinds.items()}
    message = {
        "ms_per_well_of_5000_samples": round(1000 * seconds / DRAWN, 1),
        "left_out_as_the_same_well": twins,
        "median_10th_90th_percentile": tables,
    }
    OUT.write_text(json.dumps(message, indent=1, ensure_ascii=False) + "\n")
    draw_figure(tables)
    ours, real, _ = tables.values()
    far = [
        (key, name, row[name][0], drawn_row[0])
        for key, row in real.items()
        for name, drawn_row in ours[key].items()
        if name != "wells" and not row[name][1] <= drawn_row[0] <= row[name][2]
    ]
    print(*far, sep="\n")


if __name__ == "__main__":
    main()

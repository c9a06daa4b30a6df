"""Draw charts: learning of a run, memory of a step, contents of an archive."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from veernet.curves.overlay import COLOURS
from veernet.data.logs import SplitName
from veernet.data.split import Split
from veernet.data.survey import Survey
from veernet.data.verify import Verification
from veernet.files import atomic_write
from veernet.memory.estimate import PARTS, Stage

_SHADES = [tuple(channel / 255 for channel in colour) for colour in COLOURS]


def draw_learning(log: Sequence[dict[str, Any]]) -> Markup:
    """Draw loss by step and F1 by epoch from a run's log, as SVG for a page."""
    steps = [row for row in log if row["kind"] == "step"]
    epochs = [row for row in log if row["kind"] == "epoch"]
    with mpl.rc_context({"svg.fonttype": "none"}):
        figure = Figure(figsize=(11, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot([row["step"] for row in steps], [row["loss"] for row in steps], lw=0.8)
        left.set(xlabel="step", ylabel="loss")
        names = list(epochs[0]["curves"]) if epochs else []
        for name, shade in zip(names, _SHADES, strict=False):
            f1 = [row["curves"][name]["within_1_px"]["f1"] for row in epochs]
            label = name.replace("$", r"\$")  # $ begins a formula
            right.plot([row["epoch"] + 1 for row in epochs], f1, ".-", label=label, color=shade)
        right.set(xlabel="epoch", ylabel="F1 within 1 px", ylim=(0, 1))
        if epochs:
            right.legend()
        drawing = io.StringIO()
        figure.savefig(drawing, format="svg", metadata={"Date": None})
    return Markup(drawing.getvalue()[drawing.getvalue().index("<svg") :])


def draw_stages(path: Path, stages: Sequence[Stage], *, title: str) -> None:
    """Draw the memory that every part of a training step needs, as stacked bars in MiB; the suffix
    of `path` sets the format."""
    figure = Figure(figsize=(9, 0.6 + 0.28 * len(stages)), layout="constrained")
    axes = figure.subplots()
    names, left = [stage.name or "in tiles" for stage in stages], [0.0] * len(stages)
    for part, shade in zip(PARTS[1:], _SHADES, strict=False):
        wide = [getattr(stage, part) / 2**20 for stage in stages]
        axes.barh(names, wide, left=left, label=part, color=shade)
        left = [a + b for a, b in zip(left, wide, strict=True)]
    axes.invert_yaxis()
    axes.set(xlabel="MiB", title=title)
    axes.legend()
    _save(figure, path)


def draw_archive(
    path: Path,
    classes: Sequence[str],
    splits: Mapping[SplitName, Split],
    surveys: Mapping[SplitName, Survey],
    verified: Mapping[SplitName, Verification],
) -> None:
    """Draw the shapes of an archive's logs, the padding that batches cost, and the class shares in
    the verified splits; the suffix of `path` sets the format."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    panels = 3 if verified else 2
    shapes, padding, *shares = figure.subplots(1, panels, width_ratios=(2, 1, 1)[:panels])
    for (name, split), shade in zip(splits.items(), _SHADES, strict=False):
        heights, widths = split.sizes.T
        shapes.plot(widths, heights, ".", ms=3, color=shade, label=f"{name}, {len(split)} logs")
    shapes.set(xlabel="width, px", ylabel="height, px")
    _legend_above(shapes)
    in_order = {
        "sorted in a step": [found.waste for found in surveys.values()],
        "in random order": [found.waste_unsorted for found in surveys.values()],
    }
    _bars(padding, in_order, [*surveys], unit="padding, % of the pixels computed")
    if verified:
        found = {
            word: [one.shares[index] for one in verified.values()]
            for index, word in enumerate(classes)
            if index > 0
        }
        _bars(shares[0], found, [*verified], unit="% of the labelled pixels")
    _save(figure, path)


def _bars(
    axes: Axes, groups: Mapping[str, Sequence[float]], names: Sequence[str], *, unit: str
) -> None:
    """Draw shares in percent as bars, side by side for every name."""
    width = 0.8 / len(groups)
    for index, ((label, shares), shade) in enumerate(zip(groups.items(), _SHADES, strict=False)):
        x = [at + width * (index - (len(groups) - 1) / 2) for at in range(len(names))]
        axes.bar(x, [100 * share for share in shares], width, label=label, color=shade)
    axes.set(ylabel=unit, xticks=range(len(names)), xticklabels=names)
    _legend_above(axes)


def _legend_above(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize="small")


def _save(figure: Figure, path: Path) -> None:
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)

"""One HTML page about a run, with its pictures inside."""

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from veernet.errors import RunError
from veernet.files import read_json, replacing, write_text
from veernet.picture import COLOURS
from veernet.train.fit import read_config
from veernet.train.log import read_log
from veernet.train.memory import PARTS, Stage

EVALUATIONS = "evaluation"
"""Folder of evaluations inside a run: one folder a split, with summary.json and pictures."""


def write_report(path: Path, run: Path, *, digitised: Sequence[Path] = ()) -> None:
    """Write a self-contained page: learning curves, evaluations with pictures, settings.

    Args:
        digitised: pictures that `veernet digitise` left, to be shown too.

    Raises:
        RunError: `run` holds no run, or its log or an evaluation is damaged.
    """
    config = read_config(run)
    template = (files("veernet") / "report.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(template)
    html = page.render(
        title=f"Run {run.resolve().parent.name}/{run.resolve().name}",
        versions=config.versions,
        learning_curves=_learning_curves(read_log(run)),
        evaluations=[
            _evaluation(summary.parent)
            for summary in sorted((run / EVALUATIONS).glob("*/summary.json"))
        ],
        digitised=[_picture(picture, picture.name) for picture in digitised],
        settings=json.dumps(asdict(config.training), indent=2),
        number=_number,
    )
    write_text(path, html)


def draw_stages(path: Path, stages: Sequence[Stage], *, title: str) -> None:
    """Draw what every part of a training step needs of memory, as stacked bars in MiB; the suffix
    of `path` says in which format."""
    figure = Figure(figsize=(9, 0.6 + 0.28 * len(stages)), layout="constrained")
    axes = figure.subplots()
    names, left = [stage.name or "in slabs" for stage in stages], [0.0] * len(stages)
    for part, colour in zip(PARTS[1:], COLOURS, strict=False):
        wide = [getattr(stage, part) / 2**20 for stage in stages]
        axes.barh(names, wide, left=left, label=part, color=[c / 255 for c in colour])
        left = [a + b for a, b in zip(left, wide, strict=True)]
    axes.invert_yaxis()
    axes.set(xlabel="MiB", title=title)
    axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)


def _evaluation(folder: Path) -> dict[str, Any]:
    path = folder / "summary.json"
    summary = read_json(path, error=RunError, missing=f"{path}: missing")
    pictures = [_picture(path, path.stem) for path in sorted(folder.glob("*.png"))]
    return {"split": folder.name, "summary": summary, "pictures": pictures}


def _picture(path: Path, caption: str) -> dict[str, str]:
    try:
        data = base64.b64encode(path.read_bytes()).decode()
    except OSError as missing:
        raise RunError(f"{path}: the picture cannot be read ({missing})") from missing
    return {"data": f"data:image/png;base64,{data}", "caption": caption}


def _learning_curves(log: Sequence[dict[str, Any]]) -> Markup:
    """Loss by step and F1 by epoch, as SVG."""
    steps = [row for row in log if row["kind"] == "step"]
    epochs = [row for row in log if row["kind"] == "epoch"]
    with mpl.rc_context({"svg.fonttype": "none"}):
        figure = Figure(figsize=(11, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot([row["step"] for row in steps], [row["loss"] for row in steps], lw=0.8)
        left.set(xlabel="step", ylabel="loss")
        names = list(epochs[0]["curves"]) if epochs else []
        for name, colour in zip(names, COLOURS, strict=False):
            f1 = [row["curves"][name]["within_1_px"]["f1"] for row in epochs]
            shade = [channel / 255 for channel in colour]
            right.plot([row["epoch"] + 1 for row in epochs], f1, ".-", label=name, color=shade)
        right.set(xlabel="epoch", ylabel="F1 within 1 px", ylim=(0, 1))
        if epochs:
            right.legend()
        drawing = io.StringIO()
        figure.savefig(drawing, format="svg", metadata={"Date": None})
    return Markup(drawing.getvalue()[drawing.getvalue().index("<svg") :])


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"

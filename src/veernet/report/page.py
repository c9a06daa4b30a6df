"""Write one HTML page about a run, with its pictures embedded."""

import base64
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template, UndefinedError

from veernet.errors import RunError
from veernet.evaluation.pictures import SUMMARY
from veernet.files import read_json, write_text
from veernet.filesets import whole_set
from veernet.report.charts import draw_learning
from veernet.train.log import read_log
from veernet.train.run import CONFIG, Config, read_config
from veernet.train.score import EVALUATIONS


def write_report(path: Path, run: Path, *, digitised: Sequence[Path] = ()) -> None:
    """Write a self-contained page: learning curves, evaluations with pictures, settings.

    Args:
        digitised: pictures from `veernet digitise` to include.

    Raises:
        RunError: `run` holds no run, or its log or an evaluation is damaged.
    """
    if (run / SUMMARY).exists() and not (run / CONFIG).exists():
        raise RunError(
            f"{run}: an evaluation, and no run; its figures are in {SUMMARY}, and its pictures "
            "beside that. The page of a run shows it too if it is in RUN/evaluation"
        )
    config, log = read_config(run), read_log(run)
    template = (files("veernet.report") / "page.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(template)
    try:
        text = _render(page, run, config, log, digitised)
    except (LookupError, TypeError, ValueError, AttributeError, UndefinedError) as damaged:
        raise RunError(
            f"{run}: its log or an evaluation is damaged ({damaged!r}); evaluate again"
        ) from damaged
    write_text(path, text.encode(errors="backslashreplace").decode())  # file names may not be UTF-8


def _render(
    page: Template,
    run: Path,
    config: Config,
    log: Sequence[dict[str, Any]],
    digitised: Sequence[Path],
) -> str:
    return page.render(
        title=f"Run {run.resolve().parent.name}/{run.resolve().name}",
        versions=config.versions,
        learning_curves=draw_learning(log),
        skipped=_skipped(log),
        evaluations=[
            found
            for folder in sorted((run / EVALUATIONS).glob("*/"))
            if (found := _evaluation(folder)) is not None
        ],
        digitised=[_picture(picture, picture.name) for picture in digitised],
        settings=json.dumps(_settings(config), indent=2),
        number=_number,
    )


def _settings(config: Config) -> dict[str, Any]:
    plan = None if config.plan is None else asdict(config.plan)
    return {**asdict(config.training), "plan": plan}


def _skipped(log: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Count how often each log was left out, with the reason, by file name."""
    rows = [row for row in log if row["kind"] == "skipped"]
    times = Counter(row["file_name"] for row in rows)
    return {
        row["file_name"]: {"times": times[row["file_name"]], "reason": row["reason"]}
        for row in rows
    }


def _evaluation(folder: Path) -> dict[str, Any] | None:
    """Read the evaluation of a split; None if it was killed before any was complete."""
    path = folder / SUMMARY
    with whole_set(folder, SUMMARY):
        if not path.exists():
            return None
        summary = read_json(path, error=RunError, missing=f"{path}: missing")
        pictures = [_picture(path, path.stem) for path in sorted(folder.glob("*.png"))]
    return {"split": folder.name, "summary": summary, "pictures": pictures}


def _picture(path: Path, caption: str) -> dict[str, str]:
    try:
        data = base64.b64encode(path.read_bytes()).decode()
    except OSError as missing:
        raise RunError(
            f"{path}: the picture cannot be read ({missing.strerror or missing})"
        ) from missing
    return {"data": f"data:image/png;base64,{data}", "caption": caption}


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"

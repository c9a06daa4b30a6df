"""Which loss draws thin curves best: the same logs, steps and first weights, three seeds each.

    .venv/bin/python benchmarks/losses.py FOLDER

Trains on the 320 logs of the demo for six epochs (120 steps) by every loss, and evaluates on its 32
test logs, in pixels and in curve values. Runs that are done are not done again, and one that was
stopped goes on. Writes benchmarks/losses.json, and prints the table of docs/explanation/losses.md.
"""

import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from veernet.files import nan_to_none
from veernet.losses import CrossEntropy, Dice, Focal, Loss, Lovasz, Tversky
from veernet.recipes import RECIPES
from veernet.synth.make import make
from veernet.synth.opening import open_archive
from veernet.train.run import CONFIG, start
from veernet.train.score import evaluate_run
from veernet.train.trainer import CheckpointPolicy, fit

OUT = Path(__file__).with_suffix(".json")
SEEDS = (0, 1, 2)
LOSSES: dict[str, Loss] = {
    "Tversky": Tversky(),
    "Dice": Dice(),
    "Lovász": Lovasz(),
    "focal": Focal(),
    "cross entropy": CrossEntropy(),
}
DEMO, EPOCHS = RECIPES["demo"], 6
CPU = torch.device("cpu")


def trained(folder: Path, loss: Loss, seed: int) -> dict[str, Any]:
    """The summary of one run's evaluation."""
    summary = folder / "evaluation" / "test" / "summary.json"
    if summary.exists():
        return json.loads(summary.read_text())
    console = Console()
    schedule = replace(DEMO.training.schedule, seed=seed)
    training = replace(DEMO.training, loss=loss, schedule=schedule, epochs=EPOCHS)
    if not (folder / CONFIG).exists():
        start(folder, open_archive(folder.parent / "archive"), training)
    if not fit(
        folder, device=CPU, workers=1, checkpoints=CheckpointPolicy(minutes=2), console=console
    ):
        raise SystemExit("stopped; the same command goes on")
    return asdict(evaluate_run(folder, "test", device=CPU, console=console))


def figures(summary: dict[str, Any]) -> dict[str, float]:
    """Means over the curves; NaN where no curve was read."""
    curves = summary["curves"].values()
    pixels = {name: [c["strict"][name] for c in curves] for name in ("f1", "iou")}
    pixels |= {"f1_within_1_px": [c["within_1_px"]["f1"] for c in curves]}
    pixels |= {name: [c["strict"][name] for c in curves] for name in ("precision", "recall")}
    values = {
        f"median_{name}": [c["columns"][name]["median"] for c in curves]
        for name in ("r2", "mae", "within_1_px", "coverage")
    }
    return {name: mean(found) for name, found in {**pixels, **values}.items()}


def mean(values: list[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else np.nan


def main(root: Path) -> None:
    begun, found = time.perf_counter(), dict[str, list[dict[str, float]]]()
    make(root / "archive", DEMO.logs, DEMO.counts, workers=2)
    for name, loss in LOSSES.items():
        for seed in SEEDS:
            folder = root / f"{name} {seed}".replace(" ", "-")
            found.setdefault(name, []).append(figures(trained(folder, loss, seed)))
            print(name, seed, found[name][-1], flush=True)
    table = {
        name: {
            key: {
                "mean": round(mean([one[key] for one in runs]), 4),
                "least": round(min(one[key] for one in runs), 4),
                "most": round(max(one[key] for one in runs), 4),
            }
            for key in runs[0]
        }
        for name, runs in found.items()
    }
    seconds = round(time.perf_counter() - begun)
    message = nan_to_none({"seconds_of_this_run": seconds, "losses": table})
    OUT.write_text(json.dumps(message, indent=2) + "\n")
    keys = [*next(iter(table.values()))]
    print("| loss |", " | ".join(keys), "|")
    print("|---|" + "---|" * len(keys))
    for name, row in table.items():
        cells = (f"{row[k]['mean']:.3f} ({row[k]['least']:.3f}–{row[k]['most']:.3f})" for k in keys)
        print(f"| {name} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

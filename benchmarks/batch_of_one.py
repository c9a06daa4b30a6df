"""Which learning rate a batch of one wants: the binary recipe's loss, on small logs of one curve.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/batch_of_one.py FOLDER

Trains on 160 logs as small as the demo's, with one curve each, for four and for twenty epochs: 640
and 3,200 steps at an effective batch of 1, 40 and 200 at one of 16, at the learning rates and from
the seeds of RUNS. Every epoch is validated on 32 logs. Writes benchmarks/batch_of_one.json after
every run and prints the tables of docs/reference/measured.md; a run that the JSON holds is not done
again.
"""

import json
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from veernet.recipes import RECIPES
from veernet.synth.make import make
from veernet.synth.opening import open_archive
from veernet.train.log import read_log
from veernet.train.run import CONFIG, start
from veernet.train.trainer import CheckpointPolicy, fit

OUT = Path(__file__).with_suffix(".json")
LOGS, COUNTS = replace(RECIPES["demo"].logs, n_curves=1), (160, 32, 32)
RUNS = {
    "batch 1, 4 epochs": (1, 4, (1e-4, 3e-4, 1e-3, 3e-3, 1e-2), (0, 1, 2)),
    "batch 16, 4 epochs": (16, 4, (1e-3, 3e-3, 1e-2, 3e-2), (0, 1, 2)),
    "batch 1, 20 epochs": (1, 20, (3e-4, 1e-3, 3e-3), (0, 1)),
    "batch 16, 20 epochs": (16, 20, (1e-3, 3e-3, 1e-2, 3e-2), (0, 1)),
}
"""Effective batch, epochs, learning rates and seeds."""
CPU = torch.device("cpu")


def learning_curve(folder: Path, batch: int, epochs: int, rate: float, seed: int) -> list[float]:
    """F1 within 1 px on the logs for validation after every epoch."""
    binary = RECIPES["binary"].training
    schedule = replace(binary.schedule, effective_batch=batch, seed=seed)
    training = replace(binary, schedule=schedule, epochs=epochs, learning_rate=rate)
    if not (folder / CONFIG).exists():
        start(folder, open_archive(folder.parent / "archive"), training)
    policy = CheckpointPolicy(minutes=2)
    if not fit(folder, device=CPU, checkpoints=policy, console=Console(quiet=True)):
        raise SystemExit("stopped; the same command goes on")
    rows = [row for row in read_log(folder) if row["kind"] == "epoch"]
    return [round(next(iter(row["curves"].values()))["within_1_px"]["f1"], 4) for row in rows]


def main(root: Path) -> None:
    curves = json.loads(OUT.read_text())["f1_within_1_px"] if OUT.exists() else {}
    make(root / "archive", LOGS, COUNTS, workers=1)
    for name, (batch, epochs, rates, seeds) in RUNS.items():
        for rate, seed in product(rates, seeds):
            runs = curves.setdefault(name, {}).setdefault(f"{rate:g}", {})
            if f"seed {seed}" in runs:
                continue
            folder = root / f"{batch}-{epochs}-{rate:g}-{seed}"
            runs[f"seed {seed}"] = learning_curve(folder, batch, epochs, rate, seed)
            print(name, f"{rate:g}", seed, runs[f"seed {seed}"][-1], flush=True)
            OUT.write_text(json.dumps({"f1_within_1_px": curves}, indent=2) + "\n")
    for name, by_rate in curves.items():
        print(f"\n| learning rate, {name} | F1 within 1 px: mean (least–most) |\n|---|---|")
        for rate, runs in by_rate.items():
            last = np.array([curve[-1] for curve in runs.values()])
            print(f"| {rate} | {last.mean():.3f} ({last.min():.3f}–{last.max():.3f}) |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Which learning rate a batch of one wants: the binary recipe's loss, on small logs of one curve.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/batch_of_one.py FOLDER

Trains on 160 logs as small as the demo's, with one curve each, at effective batch 1: four epochs
(640 steps) at five learning rates from three seeds, and twenty (3,200 steps) at the recipe's from
one. Every epoch is validated on 32 logs. Runs that are done are not done again. Writes
benchmarks/batch_of_one.json after every run, and prints the table of docs/reference/measured.md.
"""

import json
import sys
import time
from dataclasses import replace
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
RATES = {4: (1e-4, 3e-4, 1e-3, 3e-3, 1e-2), 20: (3e-4,)}
"""Learning rates, by the number of epochs."""
SEEDS = {4: (0, 1, 2), 20: (0,)}
CPU = torch.device("cpu")


def learning_curve(folder: Path, epochs: int, rate: float, seed: int) -> list[float]:
    """F1 within 1 px on the logs for validation after every epoch."""
    binary = RECIPES["binary"].training
    schedule = replace(binary.schedule, seed=seed)
    training = replace(binary, schedule=schedule, epochs=epochs, learning_rate=rate)
    if not (folder / CONFIG).exists():
        start(folder, open_archive(folder.parent / "archive"), training)
    policy = CheckpointPolicy(minutes=2)
    if not fit(folder, device=CPU, checkpoints=policy, console=Console(quiet=True)):
        raise SystemExit("stopped; the same command goes on")
    rows = [row for row in read_log(folder) if row["kind"] == "epoch"]
    return [next(iter(row["curves"].values()))["within_1_px"]["f1"] for row in rows]


def main(root: Path) -> None:
    begun, curves = time.perf_counter(), dict[str, dict[str, dict[str, list[float]]]]()
    make(root / "archive", LOGS, COUNTS, workers=1)
    for epochs, rates in RATES.items():
        for seed in SEEDS[epochs]:
            for rate in rates:
                name = f"{rate:g}-{seed}" if epochs == 4 else f"{epochs}-epochs-{rate:g}-{seed}"
                curve = learning_curve(root / name, epochs, rate, seed)
                runs = curves.setdefault(f"{epochs} epochs", {}).setdefault(f"{rate:g}", {})
                runs[f"seed {seed}"] = [round(f1, 4) for f1 in curve]
                print(epochs, f"{rate:g}", seed, runs[f"seed {seed}"][-1], flush=True)
                seconds = round(time.perf_counter() - begun)
                message = {"seconds_of_this_run": seconds, "f1_within_1_px": curves}
                OUT.write_text(json.dumps(message, indent=2) + "\n")
    print("| trained for | learning rate | F1 within 1 px: mean (least–most) |")
    print("|---|---|---|")
    for epochs, by_rate in curves.items():
        for rate, runs in by_rate.items():
            last = np.array([curve[-1] for curve in runs.values()])
            print(f"| {epochs} | {rate} | {last.mean():.3f} ({last.min():.3f}–{last.max():.3f}) |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

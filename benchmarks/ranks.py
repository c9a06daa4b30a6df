"""The demo's training on one process and on two: how far apart are the weights?

    .venv/bin/python benchmarks/ranks.py [fp64] [fp32]

Draws the demo's archive and trains its recipe through the command line, alone and under `torchrun
--nproc-per-node 2`, in float64 and in float32. Writes to benchmarks/ranks.json, after one epoch
and at the end, the largest relative difference of any weight tensor and of all together; and
the F1 within 1 px of both runs. Takes about 20 minutes.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from veernet.recipes import RECIPES
from veernet.train.checkpoint import newest_checkpoint
from veernet.train.log import read_log
from veernet.train.signals import PAUSED

BIN = Path(sys.executable).parent
OUT = Path(__file__).with_suffix(".json")
DEMO = RECIPES["demo"]


def train(ranks: int, *words: object) -> None:
    """`veernet train`, on so many processes."""
    launch = [BIN / "torchrun", "--nproc-per-node", ranks, "-m", "veernet"]
    command = [*(launch if ranks > 1 else [BIN / "veernet"]), "train", *words, "--workers", 0]
    cores = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // ranks))}
    done = subprocess.run([*map(str, command)], env={**os.environ, **cores})
    if done.returncode != PAUSED:
        done.check_returncode()


def weights(run: Path) -> dict[str, torch.Tensor]:
    newest, _ = newest_checkpoint(run)
    assert newest is not None
    return {name: value.double() for name, value in newest.weights.items()}


def difference(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> dict[str, float]:
    together = [torch.cat([w.flatten() for w in run.values()]) for run in (a, b)]
    return {
        "largest of a tensor": max(float((a[n] - b[n]).norm() / b[n].norm()) for n in b),
        "of all weights": float((together[0] - together[1]).norm() / together[1].norm()),
    }


def f1(run: Path) -> list[float]:
    """Of the curves, within 1 px, after the last epoch."""
    last = [row for row in read_log(run) if row["kind"] == "epoch"][-1]
    return [round(curve["within_1_px"]["f1"], 4) for curve in last["curves"].values()]


def compare(archive: Path, root: Path, precision: str) -> dict[str, object]:
    how, runs = DEMO.training, {ranks: root / f"{precision}-{ranks}" for ranks in (1, 2)}
    epoch = -(-DEMO.counts[0] // how.schedule.effective_batch)
    for ranks, run in runs.items():
        options = ("--epochs", how.epochs, "--learning-rate", how.learning_rate)
        budget = ("--pixel-budget", how.schedule.pixel_budget, "--precision", precision)
        train(ranks, archive, "--out", run, *options, *budget, "--stop-after", epoch)
    found: dict[str, object] = {
        f"after {epoch} steps": difference(weights(runs[2]), weights(runs[1]))
    }
    for ranks, run in runs.items():
        train(ranks, "--resume", run)
    steps = f"after {epoch * how.epochs} steps"
    found[steps] = difference(weights(runs[2]), weights(runs[1]))
    return {**found, "F1 within 1 px": {f"{n} processes": f1(run) for n, run in runs.items()}}


def main() -> None:
    figures = json.loads(OUT.read_text()) if OUT.exists() else {}
    figures["machine"] = f"{os.cpu_count()} CPU cores, {platform.machine()}"
    figures["torch"] = torch.__version__
    with tempfile.TemporaryDirectory() as folder:
        archive, (train_logs, val, test) = Path(folder) / "archive", DEMO.counts
        counts = ("--train", train_logs, "--val", val, "--test", test)
        ranges = ("--height", *DEMO.logs.height, "--width", *DEMO.logs.width)
        command = [BIN / "veernet", "synth", archive, *counts, *ranges]
        subprocess.run([*map(str, command)], check=True)
        for precision in sys.argv[1:] or ("fp64", "fp32"):
            figures[precision] = compare(archive, Path(folder), precision)
            OUT.write_text(json.dumps(figures, indent=2) + "\n")
    print(OUT.read_text())


if __name__ == "__main__":
    main()

"""The demo's training on one process and on two: how far apart do the weights end?

    .venv/bin/python benchmarks/ranks.py

Draws the demo's archive and trains its recipe to the end through the command line, alone and under
`torchrun --nproc-per-node 2`, in float64 and in float32. Writes benchmarks/ranks.json: the largest
relative difference of any weight tensor, and of all weights together. Takes about 20 minutes.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from veernet import Archive
from veernet.recipes import RECIPES

BIN = Path(sys.executable).parent
OUT = Path(__file__).with_suffix(".json")
DEMO = RECIPES["demo"]


def train(archive: Path, run: Path, precision: str, ranks: int) -> float:
    """Through the command line; seconds."""
    how = DEMO.training
    launch = ["torchrun", "--nproc-per-node", str(ranks), "-m", "veernet"]
    command = [
        *([BIN / launch[0], *launch[1:]] if ranks > 1 else [BIN / "veernet"]),
        *("train", archive, "--out", run, "--epochs", how.epochs, "--precision", precision),
        *("--learning-rate", how.learning_rate, "--pixel-budget", how.schedule.pixel_budget),
        *("--workers", 0),
    ]
    cores = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // ranks))}
    start = time.monotonic()
    with run.with_suffix(".log").open("w") as log:
        subprocess.run([*map(str, command)], check=True, stdout=log, env={**os.environ, **cores})
    return time.monotonic() - start


def weights(run: Path) -> dict[str, torch.Tensor]:
    saved = torch.load(run / "checkpoint.pt", weights_only=True)["model"]
    return {name: value.double() for name, value in saved.items()}


def difference(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> dict[str, float]:
    together = [torch.cat([w.flatten() for w in run.values()]) for run in (a, b)]
    return {
        "largest of a tensor": max(float((a[n] - b[n]).norm() / b[n].norm()) for n in b),
        "of all weights": float((together[0] - together[1]).norm() / together[1].norm()),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        counts = [str(n) for n in DEMO.counts]
        ranges = [*map(str, ("--height", *DEMO.logs.height, "--width", *DEMO.logs.width))]
        draw = [*("--train", counts[0], "--val", counts[1], "--test", counts[2]), *ranges]
        subprocess.run([BIN / "veernet", "synth", root / "archive", *draw], check=True)
        figures: dict[str, object] = {
            "logs": len(Archive.open(root / "archive").split("train")),
            "steps": DEMO.training.epochs * -(-DEMO.counts[0] // 16),
            "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
            "torch": torch.__version__,
        }
        for precision in ("fp64", "fp32"):
            runs = {ranks: root / f"{precision}-{ranks}" for ranks in (1, 2)}
            seconds = {n: train(root / "archive", run, precision, n) for n, run in runs.items()}
            figures[precision] = {
                **difference(weights(runs[2]), weights(runs[1])),
                "seconds, two processes to one": round(seconds[2] / seconds[1], 2),
            }
            OUT.write_text(json.dumps(figures, indent=2) + "\n")
    print(OUT.read_text())


if __name__ == "__main__":
    main()

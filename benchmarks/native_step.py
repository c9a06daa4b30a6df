"""One whole optimizer step of 16 logs of 3,200–12,800 px on the CPU: time and peak memory.

    .venv/bin/python benchmarks/native_step.py

Runs the command line as a user would: `veernet synth`, then `veernet train --stop-after 1`, with
the default multiclass recipe (micro-batches of at most 640 × 12,800 padded pixels, float32). Writes
benchmarks/native_step.json. The time is of this machine and says little of another; the memory is
the peak resident size of the training process, the interpreter and libraries included.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from veernet import Archive, Schedule
from veernet.data.survey import survey
from veernet.train.interrupt import PAUSED

VEERNET = Path(sys.executable).with_name("veernet")
OUT = Path(__file__).with_suffix(".json")


def run(*words: object) -> float:
    """Run a command of ours; seconds."""
    start = time.monotonic()
    done = subprocess.run([VEERNET, *map(str, words)])
    if done.returncode != PAUSED:
        done.check_returncode()
    return time.monotonic() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        drawing = run("synth", archive, "--train", 16, "--val", 1, "--test", 0)
        base = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        training = run(
            *("train", archive, "--out", Path(folder) / "run", "--epochs", 2, "--stop-after", 1),
            *("--workers", 0),
        )
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        found = survey(Archive.open(archive).split("train"), Schedule())
    assert peak > base, "the peak is that of the training process"
    figures = {
        "logs": found.logs,
        "megapixels": round(found.megapixels, 1),
        "micro_batches": found.micro_batches,
        "padding_waste": round(found.waste, 4),
        "seconds_drawing_17_logs": round(drawing, 1),
        "seconds_training": round(training, 1),
        "peak_resident_gib": round(peak / 2**20, 2),
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "torch": torch.__version__,
    }
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    print(OUT.read_text())


if __name__ == "__main__":
    main()

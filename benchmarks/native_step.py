"""One whole optimizer step of 16 logs of 3,200–12,800 px on the CPU: time and peak memory.

    .venv/bin/python benchmarks/native_step.py

Runs the command line as a user would: `veernet synth`, then `veernet train --stop-after 1`, with
the default multiclass recipe in float32, planned for the memory there is. That is one step, and its
widest micro-batch once before it. Writes benchmarks/native_step.json.

All times are of this machine and say little of another. Work beside it prolongs the time on the
clock; the processor seconds of the training process tell better what a step costs, for which its
threads sleep while they wait for one another (OMP_WAIT_POLICY). The load is how many processes
worked or waited in the minute, the 5 and the 15 minutes before the end, this one included. The
memory is the peak resident size of the training process, the interpreter and libraries included.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from veernet import Archive, Schedule
from veernet.data.survey import survey
from veernet.train.run import read_config
from veernet.train.signals import PAUSED

VEERNET = Path(sys.executable).with_name("veernet")
OUT = Path(__file__).with_suffix(".json")
ASLEEP = {"OMP_WAIT_POLICY": "passive"}


def run(*words: object) -> tuple[float, float]:
    """Run a command of ours; seconds on the clock, and of all processors."""
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([VEERNET, *map(str, words)], env={**os.environ, **ASLEEP})
    if done.returncode != PAUSED:
        done.check_returncode()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - start, busy


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        drawing, _ = run("synth", archive, "--train", 16, "--val", 1, "--test", 0)
        base = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        training, busy = run(
            *("train", archive, "--out", Path(folder) / "run", "--epochs", 2, "--stop-after", 1),
            *("--workers", 0),
        )
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        plan = read_config(Path(folder) / "run").plan
        assert plan is not None, "training plans, unless it is told not to"
        schedule = Schedule(pixel_budget=plan.pixel_budget)
        found = survey(Archive.open(archive).split("train"), schedule)
    assert peak > base, "the peak is that of the training process"
    figures = {
        "logs": found.logs,
        "megapixels": round(found.megapixels, 1),
        "activation_checkpointing": plan.activation_checkpointing,
        "pixel_budget": plan.pixel_budget,
        "micro_batches": found.micro_batches,
        "padding_waste": round(found.waste, 4),
        "seconds_drawing_17_logs": round(drawing, 1),
        "seconds_training": round(training, 1),
        "processor_seconds_training": round(busy, 1),
        "processor_seconds_per_megapixel": round(busy / found.megapixels, 2),
        "peak_resident_gib": round(peak / 2**20, 2),
        "load": [round(load, 1) for load in os.getloadavg()],
        "environment": ASLEEP,
        "machine": f"{os.cpu_count()} CPU cores, {torch.cpu.get_capabilities()['cpu_name']}",
        "torch": torch.__version__,
    }
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    print(OUT.read_text())


if __name__ == "__main__":
    main()

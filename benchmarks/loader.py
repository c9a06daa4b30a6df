"""Whether training ever waits for data, and what reading takes of memory.

    .venv/bin/python benchmarks/loader.py

Reads an epoch of the demo, from files and drawn on the fly, with the network's work replaced by a
sleep as long as that work takes here (measured first); the share of the time that the loop waits
for a micro-batch is the figure. The same for native logs, whose work is told by the pixel. Then
reads an epoch of 24 logs of 640 × 12,800 px at an effective batch of 16 under a bound of 256 MiB
and of 1 GiB, in a process of its own each, and tells what the process grew by. Writes
benchmarks/loader.json.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from veernet import Schedule, Tversky, VeerNet, train_step
from veernet.data.loader import PREFETCH_BYTES, Loader
from veernet.data.split import Split
from veernet.memory.allocator import configure_allocator
from veernet.recipes import RECIPES
from veernet.synth.generator import LogFamily
from veernet.synth.make import make
from veernet.synth.opening import open_archive

OUT = Path(__file__).with_suffix(".json")
DEMO = RECIPES["demo"]
CPU = torch.device("cpu")


def seconds_a_pixel(split: Split) -> float:
    """Of a training step of the demo's network, by the padded pixel."""
    model = VeerNet(DEMO.training.network)
    optimizer = torch.optim.AdamW(model.parameters())
    steps = DEMO.training.schedule.steps(split.sizes, epoch=0)[:3]
    took: list[float] = []
    with Loader(split=split).steps(steps) as loaded:
        for batches in loaded:
            read = list(batches)
            start = time.monotonic()
            train_step(model, optimizer, Tversky(), read, device=CPU)
            pixels = sum(batch.padded_pixels for batch in read)
            took.append((time.monotonic() - start) / pixels)
    return min(took)


def waiting(split: Split, schedule: Schedule, pace: float, steps: int | None) -> dict[str, float]:
    """Share of the time that a loop waits for data whose work is a sleep of `pace` s a pixel."""
    plan = schedule.steps(split.sizes, epoch=0)[:steps]
    waited = worked = first = 0.0
    mark = time.monotonic()
    with Loader(split=split, workers=2).steps(plan) as loaded:
        for batch in chain.from_iterable(loaded):
            wait = time.monotonic() - mark
            first = first or wait
            waited += wait
            work = pace * batch.padded_pixels
            time.sleep(work)
            worked += work
            mark = time.monotonic()
    return {
        "work_s": round(worked, 2),
        "waited_s": round(waited, 3),
        "of_it_for_the_first_batch_s": round(first, 3),
        "share_waited": round(waited / (waited + worked), 4),
    }


def peak(*, anew: bool = False) -> float:
    """Most that this process had resident, MiB; since now, with `anew`."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5")
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
    return int(line.split()[1]) / 1024


def grown(root: Path, bound: int) -> float:
    """MiB by which the peak of this process grows over an epoch of an archive."""
    configure_allocator()  # as the command line does
    split = open_archive(root).split("train")
    split[0]
    before = peak(anew=True)
    steps = Schedule(effective_batch=16, pixel_budget=1).steps(split.sizes, epoch=0)
    with Loader(split=split, workers=2, prefetch_bytes=bound).steps(steps) as loaded:
        for _ in chain.from_iterable(loaded):
            time.sleep(0.1)
    return peak() - before


def measure_grown(folder: Path, logs: LogFamily) -> dict[str, int]:
    """MiB by which a process grows over an epoch of 24 logs, by their source and the bound."""
    found: dict[str, int] = {}
    for drawn in (False, True):
        root = folder / f"wide {drawn}"
        make(root, logs, (24, 1, 0), on_the_fly=drawn, workers=2)
        for bound in (2**28, 2**30):
            command = [sys.executable, __file__, str(root), str(bound)]
            text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            name = f"{'on the fly' if drawn else 'files'}, bound {bound >> 20} MiB"
            found[name] = round(float(text))
            print(name, text.strip())
    return found


def main() -> None:
    figures: dict[str, Any] = {
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "bound_mib": PREFETCH_BYTES / 2**20,
        "waiting": {},
        "grown_mib": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        native, wide = RECIPES["multiclass"].logs, {"height": (640, 640), "width": (12_800, 12_800)}
        sets = {
            "demo, files": (DEMO.logs, (DEMO.counts[0], 1, 0), False),
            "demo, on the fly": (DEMO.logs, (DEMO.counts[0], 1, 0), True),
            "native, files": (native, (32, 1, 0), False),
            "native, on the fly": (native, (32, 1, 0), True),
        }
        pace = 0.0
        for name, (logs, counts, drawn) in sets.items():
            root = Path(folder) / name
            make(root, logs, counts, on_the_fly=drawn, workers=2)
            split = open_archive(root).split("train")
            pace = pace or seconds_a_pixel(split)
            schedule = DEMO.training.schedule if "demo" in name else Schedule()
            found = waiting(split, schedule, pace, None if "demo" in name else 1)
            figures["waiting"][name] = found
            print(name, found)
        figures["grown_mib"] = measure_grown(Path(folder), replace(native, **wide))
    figures["seconds_a_megapixel"] = round(1e6 * pace, 3)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(grown(Path(sys.argv[1]), int(sys.argv[2])))
    else:
        main()

"""Processor time of starting: commands beside `import torch`, and drawing 26 native logs.

    .venv/bin/python benchmarks/start_up.py [OLDER_CHECKOUT]

Runs each program five times in turn, and takes the median of its processor seconds (user and
system, child processes included) in relation to that of `import torch`. Then `veernet synth` draws
26 native logs with two processes; with OLDER_CHECKOUT, three times there and here in turn. Writes
benchmarks/start_up.json.

All times are of this machine and say little of another; the ratios say more.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

HERE = Path(__file__).parents[1]
OUT = Path(__file__).with_suffix(".json")
RUNS = 5
DRAWINGS = 3
PROGRAMS = {
    "import torch": ("-c", "import torch"),
    "import veernet": ("-c", "import veernet"),
    "veernet --help": ("-m", "veernet", "--help"),
    "veernet --version": ("-m", "veernet", "--version"),
    "veernet synth --help": ("-m", "veernet", "synth", "--help"),
    "veernet train --help": ("-m", "veernet", "train", "--help"),
}
MOST = {"import veernet": 1.1, "veernet --help": 0.4}
"""Most that a program may take of the time of `import torch`."""
LOGS = ("--train", "20", "--val", "3", "--test", "3", "--workers", "2")


def seconds(checkout: Path, *words: str) -> tuple[float, float]:
    """Run Python on the code of a checkout; seconds of all processors, and on the clock."""
    here = {**os.environ, "PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, env=here, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return busy, time.monotonic() - start


def started() -> dict[str, Any]:
    """Processor seconds of every program, and their share of those of `import torch`."""
    found: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(RUNS):
        for name, words in PROGRAMS.items():
            found[name].append(seconds(HERE, *words)[0])
    torch_alone = median(found["import torch"])
    return {
        name: {
            "processor_seconds": [round(one, 3) for one in times],
            "median": round(median(times), 3),
            "of_import_torch": round(median(times) / torch_alone, 3),
        }
        for name, times in found.items()
    }


def drawn(checkouts: dict[str, Path]) -> dict[str, Any]:
    """Seconds of drawing 26 native logs with the code of every checkout, in turn."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in checkouts}
    for _ in range(DRAWINGS):
        for name, checkout in checkouts.items():
            with tempfile.TemporaryDirectory() as folder:
                words = ("-m", "veernet", "synth", f"{folder}/archive", *LOGS)
                found[name].append(seconds(checkout, *words))
    return {
        name: {
            "processor_seconds": [round(busy, 2) for busy, _ in times],
            "seconds": [round(clock, 2) for _, clock in times],
        }
        for name, times in found.items()
    }


def main() -> None:
    checkouts = {"before": Path(sys.argv[1])} if len(sys.argv) > 1 else {}
    figures = {
        "programs": started(),
        "synth_26_native_logs": drawn({**checkouts, "now": HERE}),
        "load": [round(load, 1) for load in os.getloadavg()],
        "machine": f"{os.cpu_count()} CPU cores, {torch.cpu.get_capabilities()['cpu_name']}",
        "torch": torch.__version__,
    }
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    print(OUT.read_text())
    for name, most in MOST.items():
        assert figures["programs"][name]["of_import_torch"] <= most, name


if __name__ == "__main__":
    main()

"""What bfloat16 saves of a training step: on a processor with units for it, and on two without.

    .venv/bin/python benchmarks/bf16.py

The two without are imitated on one that has such units, by limits that oneDNN and PyTorch heed: one
with AVX-512 alone, one with AVX2 alone. Time is that of one thread, in processor seconds, which
work beside it changes less than the time on the clock: steps on a log of noise of 640 × 3,200 px in
float32 and in bfloat16 in turn, by pairs after one that is not counted. Memory is what
benchmarks/memory.py measures and predicts of 640 × 12,800 px, in processes of their own. Half an
hour of one core; what is in benchmarks/bf16.json already is kept. Writes that.
"""

import json
import os
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import torch

from memory import batch_of
from veernet import VeerNet, train_step
from veernet.memory.allocator import configure_allocator
from veernet.model import ActivationCheckpointing
from veernet.training import Precision, Training

OUT = Path(__file__).with_suffix(".json")
MEMORY = Path(__file__).with_name("memory.py")
CPU = torch.device("cpu")
PROCESSORS = {
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "as it is": {},
    "AVX-512": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
}
ASLEEP = {"OMP_WAIT_POLICY": "passive"}
"""Threads sleep while they wait for one another, on a machine that others use."""

POLICIES: tuple[ActivationCheckpointing, ...] = "none", "tiles"
PRECISIONS: tuple[Precision, ...] = "fp32", "bf16"
PAIRS = 3
SIZE, WIDEST = (640, 3200), (640, 12_800)


def print_times() -> None:
    """Print processor seconds of a step, and by how much bfloat16 multiplies them."""
    configure_allocator()
    torch.set_num_threads(1)
    batch, seconds = batch_of(1, *SIZE), {precision: list[float]() for precision in PRECISIONS}
    hows = {precision: Training(precision=precision) for precision in PRECISIONS}
    models = {precision: VeerNet(how.network) for precision, how in hows.items()}
    optimizers = {name: torch.optim.AdamW(model.parameters()) for name, model in models.items()}
    for _, (precision, how) in product(range(1 + PAIRS), hows.items()):
        model, optimizer = models[precision], optimizers[precision]
        start = time.process_time()
        train_step(model, optimizer, how.loss, [batch], device=CPU, autocast=how.autocast)
        seconds[precision].append(round(time.process_time() - start, 2))
    counted = {precision: found[1:] for precision, found in seconds.items()}
    ratios = [bf16 / fp32 for fp32, bf16 in zip(*counted.values(), strict=True)]
    message = {
        "processor seconds": counted,
        "bf16 / fp32, median": round(median(ratios), 2),
        "bf16 / fp32, least and greatest": [round(f(ratios), 2) for f in (min, max)],
    }
    print(json.dumps(message))


def printed(processor: str, *words: Any) -> Any:
    """What a process prints on a processor."""
    env = {**os.environ, **ASLEEP, **PROCESSORS[processor]}
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    print(processor, *words[1:], done.stdout, flush=True)
    return json.loads(done.stdout)


def main() -> None:
    about = {
        "machine": f"{os.cpu_count()} CPU cores, {torch.cpu.get_capabilities()['cpu_name']}",
        "torch": torch.__version__,
        "processors": {name: {**ASLEEP, **limits} for name, limits in PROCESSORS.items()},
        "unit": "GiB",
    }
    found = json.loads(OUT.read_text()) if OUT.exists() else {}
    times, rows = found.get("times", {}), found.get("rows", {})

    def save() -> None:
        OUT.write_text(json.dumps({**about, "times": times, "rows": rows}, indent=2) + "\n")

    for processor in PROCESSORS:
        if processor not in times:
            times[processor] = printed(processor, __file__, "times")
            save()
    for processor, activation_checkpointing in product(("AVX2", "AVX-512"), POLICIES):
        name = f"{processor} bf16 {activation_checkpointing}"
        if name not in rows:
            rows[name] = printed(processor, MEMORY, *WIDEST, 1, "bf16", activation_checkpointing)
            save()


if __name__ == "__main__":
    print_times() if sys.argv[1:] == ["times"] else main()

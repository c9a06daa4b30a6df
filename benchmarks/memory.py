"""What a training step needs of memory: predicted, measured, and by the width of a log.

    .venv/bin/python benchmarks/memory.py

Every row is a process of its own: it predicts, takes two steps on small logs, and then one on logs
of noise of the size in question, with the multiclass recipe's network, loss and AdamW. Measured is
the peak of the resident size above that before the step; on a GPU, of what PyTorch handed out. Time
is relative to the row without activation checkpointing. Half an hour on two cores; rows that are in
benchmarks/memory.json already are kept. Writes that and docs/explanation/memory.png.
"""

import json
import os
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any, get_args

import torch
from matplotlib.figure import Figure

from veernet import Batch, VeerNet, train_step
from veernet.memory.allocator import configure_allocator
from veernet.memory.estimate import estimate_step
from veernet.memory.system import PeakMemory, rss, support
from veernet.model import ActivationCheckpointing
from veernet.training import Precision, Training

OUT = Path(__file__).with_suffix(".json")
PICTURE = Path(__file__).parents[1] / "docs" / "explanation" / "memory.png"

SIZES = (480, 3200), (560, 6400), (640, 12_800)
WIDTHS = 3200, 6400, 12_800, 25_600, 51_200
POLICIES = get_args(ActivationCheckpointing)
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
GIB = 2**30
ABOUT = {
    "machine": f"{os.cpu_count()} CPU cores, {torch.cpu.get_capabilities()['cpu_name']}, "
    f"bf16 {support('bf16', DEVICE)}"
    if DEVICE.type == "cpu"
    else torch.cuda.get_device_name(DEVICE),
    "torch": torch.__version__,
    "unit": "GiB",
}


def batch_of(images: int, h: int, w: int) -> Batch:
    random = torch.Generator().manual_seed(0)
    return Batch(
        image=torch.randint(0, 255, (images, 1, h, w), dtype=torch.uint8, generator=random),
        target=torch.randint(0, 3, (images, h, w), dtype=torch.uint8, generator=random),
        sizes=torch.tensor([(h, w)] * images),
    )


def print_row(
    h: int,
    w: int,
    images: int,
    precision: Precision,
    activation_checkpointing: ActivationCheckpointing,
) -> None:
    configure_allocator()
    how = Training(precision=precision)
    on_cpu = DEVICE.type == "cpu"
    start = time.perf_counter()
    found = estimate_step(
        how, (h, w), images, activation_checkpointing=activation_checkpointing, workspaces=on_cpu
    )
    telling = time.perf_counter() - start
    model = VeerNet(how.network).to(DEVICE)
    model.activation_checkpointing = activation_checkpointing
    optimizer = torch.optim.AdamW(model.parameters())

    def take(batch: Batch) -> None:
        train_step(model, optimizer, how.loss, [batch], device=DEVICE, autocast=how.autocast)
        if not on_cpu:
            torch.cuda.synchronize()

    for width in (64, 600):
        take(batch_of(images, 64, width))
    batch = batch_of(images, h, w)
    watch, start = PeakMemory(DEVICE), time.perf_counter()
    take(batch)
    predicted = found.peak - found.persistent + (0 if on_cpu else 2 * images * h * w)
    row = {
        "predicted": round(predicted / GIB, 3),
        "measured": round(watch.peak() / GIB, 3),
        "error": round(predicted / watch.peak() - 1, 3),
        "process": round(rss("VmHWM") / GIB, 3),
        "seconds": round(time.perf_counter() - start, 2),
        "seconds to predict": round(telling, 2),
    }
    print(json.dumps(row))


def name(
    h: int, w: int, images: int, precision: str, activation_checkpointing: ActivationCheckpointing
) -> str:
    return f"{h} × {w} × {images} {precision} {activation_checkpointing}"


def measure(rows: dict[str, dict[str, float]], *what: Any) -> None:
    if name(*what) in rows:
        return
    words = [sys.executable, __file__, *map(str, what)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    rows[name(*what)] = json.loads(done.stdout)
    print(name(*what), rows[name(*what)], flush=True)
    OUT.write_text(json.dumps({**ABOUT, "rows": rows}, indent=2) + "\n")


def draw(rows: dict[str, dict[str, float]]) -> None:
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for activation_checkpointing in POLICIES:
        seen = {
            w: rows[key]
            for w in WIDTHS
            if (key := name(640, w, 1, "fp32", activation_checkpointing)) in rows
        }
        (line,) = axes.plot(
            [*seen], [r["predicted"] for r in seen.values()], lw=1, label=activation_checkpointing
        )
        axes.plot([*seen], [r["measured"] for r in seen.values()], "o", color=line.get_color())
    axes.set(
        xlabel="width of a log of 640 px height, px",
        ylabel="peak of a training step, GiB",
        title="float32; lines: predicted from 256 and 512 px, dots: measured",
        xlim=(0, None),
        ylim=(0, None),
    )
    axes.legend(title="activation checkpointing")
    figure.savefig(PICTURE, dpi=120)


def main() -> None:
    rows = json.loads(OUT.read_text())["rows"] if OUT.exists() else {}
    for (h, w), images, precision in product(SIZES, (1, 2, 4), ("fp32", "bf16")):
        for activation_checkpointing in POLICIES:
            measure(rows, h, w, images, precision, activation_checkpointing)
    for w, activation_checkpointing in product(WIDTHS, POLICIES):
        measure(rows, 640, w, 1, "fp32", activation_checkpointing)
    draw(rows)
    for what, row in rows.items():
        plain = rows[" ".join([*what.split()[:-1], "none"])]
        if "seconds" in row and "seconds" in plain:  # rows measured beside other work have none
            row["time"] = round(row["seconds"] / plain["seconds"], 2)
    OUT.write_text(json.dumps({**ABOUT, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        h, w, images = map(int, sys.argv[1:4])
        how = (*get_args(Precision), *POLICIES)
        print_row(h, w, images, *(word for word in how if word in sys.argv[4:]))

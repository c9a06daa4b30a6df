"""What a training step needs of memory: predicted, measured, and by the width of a log.

    .venv/bin/python benchmarks/memory.py

Every row is a process of its own: it predicts, takes two steps on small logs, and then one on logs
of noise of the size in question, with the multiclass recipe's network, loss and AdamW. Measured is
the peak of the resident size above that before the step; on a GPU, of what PyTorch handed out. Time
is relative to the row where nothing is computed again. Half an hour on two cores. Writes
benchmarks/memory.json and docs/explanation/memory.png.
"""

import json
import os
import platform
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from typing import get_args

import torch
from matplotlib.figure import Figure

from veernet import Batch, VeerNet, step
from veernet.model import Recompute
from veernet.train.config import Training
from veernet.train.memory import Watch, need, resident, settle_allocator

OUT = Path(__file__).with_suffix(".json")
PICTURE = Path(__file__).parents[1] / "docs" / "explanation" / "memory.png"

SIZES = (480, 3200), (560, 6400), (640, 12_800)
WIDTHS = 3200, 6400, 12_800, 25_600, 51_200
POLICIES = get_args(Recompute)
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
GIB = 2**30


def batch_of(images: int, h: int, w: int) -> Batch:
    random = torch.Generator().manual_seed(0)
    return Batch(
        image=torch.randint(0, 255, (images, 1, h, w), dtype=torch.uint8, generator=random),
        target=torch.randint(0, 3, (images, h, w), dtype=torch.uint8, generator=random),
        sizes=torch.tensor([(h, w)] * images),
    )


def print_row(h: int, w: int, images: int, precision: str, recompute: Recompute) -> None:
    settle_allocator()
    how = Training(precision=precision)
    on_cpu = DEVICE.type == "cpu"
    start = time.perf_counter()
    told = need(how, (h, w), images, recompute=recompute, workspaces=on_cpu)
    telling = time.perf_counter() - start
    model = VeerNet(how.network).to(DEVICE)
    model.recompute = recompute
    optimizer = torch.optim.AdamW(model.parameters())

    def take(batch: Batch) -> None:
        step(model, optimizer, how.loss, [batch], device=DEVICE, autocast=how.autocast)
        if not on_cpu:
            torch.cuda.synchronize()

    for width in (64, 600):
        take(batch_of(images, 64, width))
    batch = batch_of(images, h, w)
    watch, start = Watch(DEVICE), time.perf_counter()
    take(batch)
    predicted = told.peak - told.always + (0 if on_cpu else 2 * images * h * w)
    row = {
        "predicted": round(predicted / GIB, 3),
        "measured": round(watch.peak() / GIB, 3),
        "error": round(predicted / watch.peak() - 1, 3),
        "process": round(resident("VmHWM") / GIB, 3),
        "seconds": round(time.perf_counter() - start, 2),
        "seconds to predict": round(telling, 2),
    }
    print(json.dumps(row))


def row(h: int, w: int, images: int, precision: str, recompute: Recompute) -> dict[str, float]:
    words = [sys.executable, __file__, *map(str, (h, w, images, precision, recompute))]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    print(f"{h} × {w} × {images} {precision} {recompute}: {found}", flush=True)
    return found


def table(sizes: list[tuple[int, int, int]], precisions: list[str]) -> dict[str, dict[str, float]]:
    rows: dict[str, dict[str, float]] = {}
    for (h, w, images), precision in product(sizes, precisions):
        plain = None
        for recompute in POLICIES:
            found = row(h, w, images, precision, recompute)
            plain = plain or found["seconds"]
            found["time"] = round(found["seconds"] / plain, 2)
            if DEVICE.type == "cpu":
                del found["seconds"], found["seconds to predict"]
            rows[f"{h} × {w} × {images} {precision} {recompute}"] = found
    return rows


def draw(by_width: dict[str, dict[str, float]]) -> None:
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for recompute in POLICIES:
        rows = [by_width[f"640 × {w} × 1 fp32 {recompute}"] for w in WIDTHS]
        (line,) = axes.plot(WIDTHS, [r["predicted"] for r in rows], lw=1, label=recompute)
        axes.plot(WIDTHS, [r["measured"] for r in rows], "o", color=line.get_color())
    axes.set(
        xlabel="width of a log of 640 px height, px",
        ylabel="peak of a training step, GiB",
        title="float32; lines: predicted from 512 and 1,024 px, dots: measured",
        xlim=(0, None),
        ylim=(0, None),
    )
    axes.legend(title="computed again")
    figure.savefig(PICTURE, dpi=120)


def main() -> None:
    figures: dict[str, object] = {
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}"
        if DEVICE.type == "cpu"
        else torch.cuda.get_device_name(DEVICE),
        "torch": torch.__version__,
        "unit": "GiB",
        "rows": table([(*size, n) for size in SIZES for n in (1, 2, 4)], ["fp32", "bf16"]),
    }
    by_width = table([(640, w, 1) for w in WIDTHS], ["fp32"])
    draw(by_width)
    OUT.write_text(json.dumps({**figures, "by width": by_width}, indent=2) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        h, w, images = map(int, sys.argv[1:4])
        print_row(h, w, images, *sys.argv[4:])

"""What sealing costs: a training step's forward and backward, sealed against plain.

    .venv/bin/python benchmarks/seal_overhead.py

Plain is the same network without seals, its norms torch's own `group_norm`, sum and `relu`: as one
would write it. Both see the same padded batch, and a batch without padding, in turn, in one
process; the time is the least of several. Memory is the peak resident size above that before the
step, in a process of its own for each. Writes benchmarks/seal_overhead.json.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import torch
from monai.networks.nets.unet import UNet
from torch import Tensor, nn
from torch.nn import functional as F

from veernet import VeerNet, VeerNetConfig
from veernet.memory.system import PeakMemory
from veernet.nn import Extent, GroupNorm, group_norm, seal

OUT = Path(__file__).with_suffix(".json")

BATCHES = {
    "padded, two logs of 560 × 3,200 and 480 × 2,720": [(560, 3200), (480, 2720)],
    "padded, sixteen logs of 64–80 × 160–400": [(64 + i, 160 + 15 * i) for i in range(16)],
    "without padding, a log of 640 × 4,800": [(640, 4800)],
    "without padding, sixteen logs of 80 × 300": [(80, 300)] * 16,
}

NORMS = {
    "8 × 640 × 6,400": (1, 8, 640, 6400),
    "16 × 320 × 3,200": (1, 16, 320, 3200),
    "32 × 160 × 1,600": (1, 32, 160, 1600),
    "16 of 8 × 80 × 300": (16, 8, 80, 300),
    "16 of 64 × 10 × 38": (16, 64, 10, 38),
}


class NativeNorm(GroupNorm):
    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        y = F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)
        return (y if residual is None else y + residual).relu()


def veernet_network(sealed: bool) -> nn.Module:
    with patch("veernet.model.GroupNorm", GroupNorm if sealed else NativeNorm):
        return VeerNet(VeerNetConfig())


def monai_network(sealed: bool) -> nn.Module:
    norm = ("group", {"num_groups": 1})
    unet = UNet(2, 1, 3, (8, 16, 32, 64), (2, 2, 2), num_res_units=2, norm=norm)
    unet = unet.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]: torch documents it
    return seal(unet) if sealed else unet


NETWORKS = {"VeerNet": veernet_network, "MONAI U-Net": monai_network}


def pass_through(network: str, batch: str, sealed: bool) -> Callable[[], None]:
    torch.manual_seed(0)
    sizes = BATCHES[batch]
    if network != "VeerNet":  # its sides are multiples of 8
        sizes = [(-(-h // 8) * 8, -(-w // 8) * 8) for h, w in sizes]
    H, W = max(h for h, _ in sizes), max(w for _, w in sizes)
    model, image = NETWORKS[network](sealed), torch.rand(len(sizes), 1, H, W)
    upstream = torch.rand(len(sizes), 3, H, W)

    def run() -> None:
        model.zero_grad()
        logits = model(image, torch.tensor(sizes)) if sealed else model(image)
        logits.backward(upstream)

    return run


def norm_alone(shape: tuple[int, ...], ours: bool, extent: Extent) -> Callable[[], None]:
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last).requires_grad_()
    norm, upstream = nn.GroupNorm(2 if shape[1] >= 32 else 1, shape[1]), torch.randn_like(x)

    def run() -> None:
        x.grad = None
        if ours:
            how = {"activation": "relu", "extent": extent}
            y = group_norm(x, norm.num_groups, norm.weight, norm.bias, **how)
        else:
            y = norm(x).relu()
        y.backward(upstream)

    return run


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def ratio(ours: Callable[[], None], plain: Callable[[], None], *, times: int) -> float:
    """Of the least times, the two taking turns."""
    pairs = [(seconds(ours), seconds(plain)) for _ in range(times + 1)][1:]
    return round(min(a for a, _ in pairs) / min(b for _, b in pairs), 3)


def peak(network: str, batch: str, sealed: bool) -> float:
    """Above the resident size before, GiB; the second pass has all that the first one left."""
    words = [sys.executable, __file__, network, batch, "sealed" if sealed else "plain"]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def print_peak(network: str, batch: str, sealed: bool) -> None:
    run = pass_through(network, batch, sealed)
    watch = PeakMemory(torch.device("cpu"))
    run()
    run()
    print(watch.peak() / 2**30)


def silu_against_relu() -> float:
    """A whole network's forward and backward on a log of 640 × 3,200 px."""
    image, runs = torch.rand(1, 1, 640, 3200), list[Callable[[], None]]()
    for activation in ("silu", "relu"):
        model = VeerNet(VeerNetConfig(activation=activation))
        runs.append(lambda model=model: model(image).sum().backward())
    return ratio(runs[0], runs[1], times=4)


def main() -> None:
    figures: dict[str, object] = {
        "silu against relu, time": silu_against_relu(),
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "torch": torch.__version__,
    }
    for network in NETWORKS:
        for batch in BATCHES:
            runs = [pass_through(network, batch, sealed) for sealed in (True, False)]
            native = len(BATCHES[batch]) < 3
            row = {"time": ratio(*runs, times=3 if native else 8)}
            if native:  # small logs fit into what importing torch has taken
                memory = [peak(network, batch, sealed) for sealed in (True, False)]
                row |= {"memory": round(memory[0] / memory[1], 3), "GiB": round(memory[1], 2)}
            figures[f"{network}, {batch}"] = row
            print(network, batch, figures[f"{network}, {batch}"], flush=True)
    for name, shape in NORMS.items():
        B, _, H, W = shape
        whole, part = ((H, W),) * B, ((H, W), *(((9 * H) // 10, (9 * W) // 10),) * (B - 1))
        padded = part if B > 1 else (((9 * H) // 10, (9 * W) // 10),)
        figures[f"norm and relu, {name}"] = {
            what: ratio(
                norm_alone(shape, True, Extent(sizes, (H, W))),
                norm_alone(shape, False, Extent(sizes, (H, W))),
                times=10,
            )
            for what, sizes in (("time, padded", padded), ("time, without padding", whole))
        }
        print(name, figures[f"norm and relu, {name}"], flush=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print_peak(sys.argv[1], sys.argv[2], sys.argv[3] == "sealed")
    else:
        main()

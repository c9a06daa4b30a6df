"""Where padding leaks, and how much: the gradient of a log padded beside one twice as wide.

    .venv/bin/python benchmarks/leaks.py

The error is |g - g_alone| / |g_alone|, g the gradient of all weights for the loss of that log, in
float64, the median of five networks as they are initialised. First the seals are closed one after
the other, on VeerNet and on a MONAI U-Net under `veernet.nn.seal`; then, on VeerNet, each is opened
alone while the canvas grows. Writes benchmarks/leaks.json and docs/explanation/leaks.png.
"""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from unittest.mock import patch

import matplotlib.pyplot as plt
import torch
from monai.networks.nets.unet import UNet
from torch import Tensor, nn
from torch.nn import functional as F

from veernet import Batch, Sample, Tversky, VeerNet, VeerNetConfig, collate
from veernet.nn import Extent, attention, norm, seal, spatial, unwrap

OUT = Path(__file__).with_suffix(".json")
FIGURE = Path(__file__).parents[1] / "docs" / "explanation" / "leaks.png"

SEEDS = range(5)
LOG, MATE = (64, 160), (64, 320)

LOSS, NORM, ZERO, ATTENTION, EDGE = "loss", "norm", "zero", "attention", "edge"
ALL = (LOSS, NORM, ZERO, ATTENTION, EDGE)
LADDER = {
    "(a) zeros around the log, nothing else": (),
    "(b) + padding masked in the loss": (LOSS,),
    "(c) + masked statistics in the norm": (LOSS, NORM),
    "(d) + features 0 outside after the norm": (LOSS, NORM, ZERO),
    "(e) + padding masked in attention": (LOSS, NORM, ZERO, ATTENTION),
    "(f) + edges cleared after upsampling: all": ALL,
}
OPENED = {
    LOSS: "loss over the padding",
    NORM: "norm over the canvas",
    ZERO: "norm leaves padding non-zero",
    ATTENTION: "attention to the padding",
    EDGE: "upsampling past the edge",
}


def veernet_network() -> nn.Module:
    return VeerNet(VeerNetConfig())


def monai_network() -> nn.Module:
    group = ("group", {"num_groups": 1})
    return seal(UNet(2, 1, 3, (8, 16, 32, 64), (2, 2, 2), num_res_units=2, norm=group))


def norm_with(closed: Collection[str]) -> Callable[..., Tensor]:
    """Group normalisation with its two seals, each as it is asked for."""

    def group_norm(x, groups, weight, bias, *, eps, extent, residual=None, activation="none"):
        sizes = extent.sizes if NORM in closed else [extent.canvas] * len(extent.sizes)
        images = []
        for image, (h, w) in zip(x.split(1), sizes, strict=True):
            own = image[:, :, :h, :w].reshape(groups, -1)
            mean, rstd = own.mean(1), (own.var(1, correction=0) + eps).rsqrt()
            each = image.shape[1] // groups
            a = weight * rstd.repeat_interleave(each)
            b = bias - mean.repeat_interleave(each) * a
            images.append(image * a[:, None, None] + b[:, None, None])
        y = torch.cat(images) if residual is None else torch.cat(images) + residual
        y = y.relu() if activation == "relu" else y
        return extent.cleared(y) if ZERO in closed else y

    return group_norm


@contextmanager
def seals(closed: Collection[str]) -> Iterator[None]:
    """Only these seals."""
    with ExitStack() as stack:
        for module in (norm, spatial):
            stack.enter_context(patch.object(module, "group_norm", norm_with(closed)))
        if ATTENTION not in closed:
            everywhere = patch.object(attention, "extent_of", lambda x: Extent.of(unwrap(x)))
            stack.enter_context(everywhere)
        if EDGE not in closed:
            stack.enter_context(patch.object(Extent, "joined", joined_unless_single))
        yield


closed_joined = Extent.joined


def joined_unless_single(extent: Extent, parts: list[Tensor], clear: list[bool]) -> Tensor:
    """Concatenation as torch does it; what the norm and the image need is still cleared."""
    return closed_joined(extent, parts, clear) if len(parts) == 1 else torch.cat(parts, dim=1)


def gradient(model: nn.Module, batch: Batch, *, masked: bool) -> Tensor:
    """Of the first log's loss."""
    model.zero_grad()
    logits = model(batch.image, batch.sizes)
    target = batch.target if masked else batch.target.masked_fill(batch.target == 255, 0)
    first = Batch(batch.image[:1], target[:1], batch.sizes[:1])
    Tversky().total(logits[:1], first).backward()
    return gradients(model)


def gradients(model: nn.Module) -> Tensor:
    """The gradients of all parameters, one after the other."""
    each: list[Tensor] = []
    for p in model.parameters():
        assert p.grad is not None
        each.append(p.grad.flatten())
    return torch.cat(each)


def a_log(size: tuple[int, int], seed: int) -> Sample:
    """Paper with a grid and two curves one pixel wide."""
    h, w = size
    random = torch.Generator().manual_seed(seed)
    image, target = torch.zeros(1, h, w, dtype=torch.float64), torch.zeros(h, w, dtype=torch.uint8)
    image[:, ::16], image[:, :, ::16] = 0.4, 0.4
    for k in (1, 2):
        drift = torch.randn(w, generator=random, dtype=torch.float64).cumsum(0)
        rows = ((drift - drift.min()) / (drift.max() - drift.min()) * (h - 1)).round().long()
        image[0, rows, torch.arange(w)] = 1
        target[rows, torch.arange(w)] = k
    return Sample(image=image, target=target)


def on_canvas(log: Sample, canvas: tuple[int, int]) -> Batch:
    (h, w), (H, W) = log.target.shape, canvas
    more = (0, W - w, 0, H - h)
    image = F.pad(log.image, more)[None]
    target = F.pad(log.target, more, value=255)[None]
    return Batch(image=image, target=target, sizes=torch.tensor([[h, w]]))


def error(make: Callable[[], nn.Module], closed: Collection[str], batch: Callable) -> float:
    """The median over seeds."""
    errors = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        model, log = make().double(), a_log(LOG, seed)
        alone = gradient(model, collate([log]), masked=True)
        with seals(closed):
            found = gradient(model, batch(log, seed), masked=LOSS in closed)
        errors.append(float((found - alone).norm() / alone.norm()))
    return median(errors)


def beside_a_wider_one(log: Sample, seed: int) -> Batch:
    return collate([log, a_log(MATE, 100 + seed)])


def ladder(make: Callable[[], nn.Module]) -> dict[str, float]:
    return {name: error(make, closed, beside_a_wider_one) for name, closed in LADDER.items()}


def against_padding() -> dict[str, list[float]]:
    """One seal opened at a time, the log alone on a canvas that grows in both directions."""
    lines: dict[str, list[float]] = {}
    for opened in (*ALL, None):
        closed = [name for name in ALL if name != opened]
        lines["all closed" if opened is None else OPENED[opened]] = [
            error(
                veernet_network,
                closed,
                lambda log, _, m=m: on_canvas(log, (LOG[0] + m // 5, LOG[1] + m)),
            )
            for m in PADDING
        ]
    return lines


PADDING = (1, 2, 5, 10, 20, 40, 80, 160, 320)


def draw(lines: dict[str, list[float]]) -> None:
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for (name, errors), marker in zip(lines.items(), "os^Dvx", strict=True):
        axes.loglog(PADDING, errors, marker=marker, label=name, linewidth=1.2, markersize=5)
    axes.set_xlabel(f"columns of padding beside a log of {LOG[0]} × {LOG[1]} px, log scale")
    axes.set_ylabel("relative error of the gradient")
    axes.grid(alpha=0.3)
    axes.legend(loc="center right", fontsize=9, framealpha=1)
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, dpi=120)


def main() -> None:
    figures = {
        "log": LOG,
        "beside": MATE,
        "VeerNet": ladder(veernet_network),
        "MONAI U-Net, sealed": ladder(monai_network),
        "columns of padding": PADDING,
        "one seal opened": against_padding(),
    }
    OUT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    draw(figures["one seal opened"])
    for name in ("VeerNet", "MONAI U-Net, sealed"):
        print(
            f"\n{name}",
            *(f"  {value:9.2e}  {level}" for level, value in figures[name].items()),
            sep="\n",
        )


if __name__ == "__main__":
    main()

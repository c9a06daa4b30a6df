"""Sums over strips of a batch, and the quantities of a pixel that losses sum."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from veernet.data.batch import Batch, labelled


def curve_probabilities(logits: Float[Tensor, "B K H W"]) -> Float[Tensor, "B curves H W"]:
    """The probability of every curve at every pixel, in float32 or wider.

    A sigmoid for logits of one channel; a softmax without background, the first channel, for more.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(1)[:, 1:]


Sums = Callable[[Float[Tensor, "B K h W"], Shaped[Tensor, "B h W"]], Float[Tensor, "sums B *_"]]
"""Sums over some rows of every image, from their logits and targets."""

LOSS_STRIP = {"cpu": 1 << 16}
"""Pixels per strip of a batch; 2^20 on a GPU."""


def sum_strips(
    f: Sums, logits: Float[Tensor, "B K H W"], batch: Batch
) -> Float[Tensor, "sums B *_"]:
    """Sum `f` over strips of rows; only logits and their gradient are materialised at full size."""
    return _Summed.apply(f, logits, batch.target)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]: untyped in torch


class _Summed(torch.autograd.Function):
    """`sum_strips` with activation checkpointing: the backward recomputes each strip."""

    @staticmethod
    def forward(ctx: Any, f: Sums, logits: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(logits, target)
        ctx.f = f
        first, *others = (f(*part) for part in zip(_strips(logits), _strips(target), strict=True))
        return sum(others, first)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        logits, target = ctx.saved_tensors
        whole = torch.empty_like(logits)
        for x, t, into in zip(*map(_strips, (logits, target, whole)), strict=True):
            with torch.enable_grad():
                sums = ctx.f(x.requires_grad_(), t)
            into.copy_(torch.autograd.grad(sums, x, grad)[0])
        return None, whole, None


def _strips(x: Shaped[Tensor, "B *K H W"]) -> Iterator[Shaped[Tensor, "B *K h W"]]:
    """Split a batch into strips of rows, of about `LOSS_STRIP` pixels each; detached views."""
    rows = max(1, LOSS_STRIP.get(x.device.type, 1 << 20) // (x.shape[0] * x.shape[-1]))
    return (part.detach() for part in torch.split(x, rows, dim=-2))


def labelled_logits(
    logits: Float[Tensor, "B K H W"], target: Shaped[Tensor, "B H W"]
) -> Float[Tensor, "B K H W"]:
    """Return logits in float32 or wider, 0 without gradient where there is no label."""
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return wide.masked_fill(~labelled(target), 0)


def target_curves(
    target: Shaped[Tensor, "B H W"], *, out_channels: int
) -> Bool[Tensor, "B curves H W"]:
    """One channel per curve: True on its trace, False elsewhere, padding included."""
    if out_channels == 1:
        return (target > 0)[:, None] & labelled(target)
    classes = torch.arange(1, out_channels, device=target.device, dtype=target.dtype)
    return target[:, None] == classes[:, None, None]


def target_classes(target: Shaped[Tensor, "B H W"], *, out_channels: int) -> Int[Tensor, "B 1 H W"]:
    """The class of every pixel, background where there is no label; 0 and 1 for one channel."""
    classes = target > 0 if out_channels == 1 else target
    return classes.long()[:, None].masked_fill(~labelled(target), 0)


def pixel_weights(
    class_weights: tuple[float, ...] | None, classes: Int[Tensor, "B 1 H W"], dtype: torch.dtype
) -> Float[Tensor, "..."]:
    """The weight of every pixel's class; a single 1 if classes have none."""
    one = torch.ones((), device=classes.device, dtype=dtype)
    return one if class_weights is None else one.new_tensor(class_weights)[classes]


def weigh(
    pixel: Float[Tensor, "B 1 H W"], weight: Float[Tensor, "B 1 H W"]
) -> Float[Tensor, "2 B"]:
    """Each image's sum of weighted pixels, and of weights."""
    return torch.stack([(pixel * weight).sum((1, 2, 3)), weight.sum((1, 2, 3))])


def weighted_means(weighed: Float[Tensor, "2 B"]) -> Float[Tensor, " B"]:
    """The weighted means; 0 where nothing weighs."""
    total, n = weighed
    return total / n.masked_fill(n == 0, 1)


def log_chances(
    x: Float[Tensor, "B K H W"], classes: Int[Tensor, "B 1 H W"]
) -> tuple[Float[Tensor, "B 1 H W"], Float[Tensor, "B 1 H W"]]:
    """log p and log(1 - p) of every pixel's own class, both exact where p is near 0 or 1."""
    if x.shape[1] == 1:
        x = torch.where(classes > 0, x, -x)
        return F.logsigmoid(x), F.logsigmoid(-x)
    own = torch.zeros_like(x, dtype=torch.bool).scatter(1, classes, True)
    others = x.masked_fill(own, -math.inf).logsumexp(1, keepdim=True)
    everything = x.logsumexp(1, keepdim=True)
    return x.gather(1, classes) - everything, others - everything


def jaccard_steps(
    error: Float[Tensor, "B curves n"], y: Bool[Tensor, "B curves n"], valid: Bool[Tensor, "B 1 n"]
) -> Float[Tensor, "B curves n"]:
    """J_k - J_(k-1) at the pixel that comes k-th by falling error; 0 for an absent curve.

    Computed from integer counts, not as a difference: a step on 8 million pixels is below the
    rounding of J.
    """
    order = error.masked_fill(~valid, -1).argsort(dim=2, descending=True, stable=True)
    wrong = y.gather(2, order)
    n = y.sum(2, keepdim=True)
    left = (n - wrong.cumsum(2)).to(error.dtype)
    union = (n + (~wrong).cumsum(2)).to(error.dtype)
    step = torch.where(wrong, 1 / union, left / (union * (union - 1)).clamp(min=1))
    return torch.zeros_like(error).scatter(2, order, step)

"""Losses as sums over images, so that they add up over micro-batches and processes."""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from veernet.data.batch import Batch
from veernet.errors import OptionError


@runtime_checkable
class Loss(Protocol):
    """The loss of a whole optimizer step is `sum(total) / sum(weight)` over its micro-batches."""

    def total(self, logits: Float[Tensor, "B K H W"], batch: Batch) -> Float[Tensor, ""]:
        """The sum of the losses of the images, each over its own valid pixels."""
        ...

    def weight(self, batch: Batch) -> int:
        """What `total` counts for: the number of images."""
        ...


@dataclass(frozen=True, kw_only=True)
class BCE:
    """Binary cross entropy of curve against background, averaged over an image's valid pixels.

        -(1/n) sum_i  w y_i log p_i + (1 - y_i) log(1 - p_i)

    with y_i = 1 on any curve. Needs one plane of logits.
    """

    positive_weight: float = 42.0
    """Weight w of a curve pixel, > 0: about the number of background pixels to one of curve."""

    def __post_init__(self) -> None:
        if not 0 < self.positive_weight < math.inf:
            raise OptionError(f"positive_weight must be > 0; got {self.positive_weight}")

    def weight(self, batch: Batch) -> int:
        """The number of images."""
        return batch.n_images

    def total(self, logits: Float[Tensor, "B 1 H W"], batch: Batch) -> Float[Tensor, ""]:
        """The sum of the images' means."""
        y, valid = _curves(batch, planes=1, dtype=_wide(logits))
        w = torch.as_tensor(self.positive_weight, dtype=y.dtype, device=y.device)
        pixel = F.binary_cross_entropy_with_logits(
            logits.to(y.dtype), y, pos_weight=w, reduction="none"
        )
        return ((pixel * valid).sum((1, 2, 3)) / valid.sum((1, 2, 3)).clamp(min=1)).sum()


@dataclass(frozen=True, kw_only=True)
class Tversky:
    """1 - TP / (TP + alpha FP + beta FN), averaged over an image's curves, on valid pixels.

    TP, FP and FN are sums of probabilities; the background has no term of its own.

    Source: Salehi et al. 2017, arXiv:1706.05721, eq. 4.
    """

    alpha: float = 0.3
    """Weight of false positives, >= 0."""
    beta: float = 0.7
    """Weight of false negatives, >= 0; above alpha favours recall of thin traces."""
    smooth: float = 1.0
    """Pixels added to numerator and denominator, > 0; an absent curve left alone costs 0."""

    def __post_init__(self) -> None:
        values = self.alpha, self.beta, self.smooth
        if not all(0 <= value < math.inf for value in values) or self.smooth == 0:
            raise OptionError(
                "Tversky needs alpha >= 0, beta >= 0 and smooth > 0; "
                f"got alpha={self.alpha}, beta={self.beta}, smooth={self.smooth}"
            )

    def weight(self, batch: Batch) -> int:
        """The number of images."""
        return batch.n_images

    def total(self, logits: Float[Tensor, "B K H W"], batch: Batch) -> Float[Tensor, ""]:
        """The sum of the images' losses."""
        y, valid = _curves(batch, planes=logits.shape[1], dtype=_wide(logits))
        p = curve_probabilities(logits) * valid
        tp = (p * y).sum((2, 3))
        fp = p.sum((2, 3)) - tp
        fn = y.sum((2, 3)) - tp
        index = (tp + self.smooth) / (tp + self.alpha * fp + self.beta * fn + self.smooth)
        return (1 - index).mean(1).sum()


AnyLoss = BCE | Tversky
"""The losses that a recipe can name."""


def curve_probabilities(logits: Float[Tensor, "B K H W"]) -> Float[Tensor, "B curves H W"]:
    """The probability of every curve at every pixel, in float32 or wider.

    One plane of logits is a sigmoid; more are a softmax whose first plane, background, is left out.
    """
    logits = logits.to(_wide(logits))
    return logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(1)[:, 1:]


def _curves(
    batch: Batch, *, planes: int, dtype: torch.dtype
) -> tuple[Float[Tensor, "B curves H W"], Float[Tensor, "B 1 H W"]]:
    """One plane a curve, 1 on its trace and 0 elsewhere, padding included; and the valid pixels."""
    valid = batch.valid
    if planes == 1:
        return ((batch.target[:, None] > 0) & valid).to(dtype), valid.to(dtype)
    classes = torch.arange(1, planes, device=batch.target.device, dtype=batch.target.dtype)
    return (batch.target[:, None] == classes[:, None, None]).to(dtype), valid.to(dtype)


def _wide(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)

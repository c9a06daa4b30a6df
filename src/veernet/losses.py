"""Losses as sums over images, so that they add up over micro-batches and processes.

Every loss looks at an image's own labelled pixels alone and computes in float32 or wider. Logits
elsewhere are never read and get no gradient. An image without any label costs 0 and weighs 0: a
step is the same with it as without it.

Logits of one channel tell curve from background; more have one channel per class, background first.
`total` raises `OptionError` for a number of channels that the loss cannot take, and `BatchError`
for a class beyond them. Losses that couple the images of a batch, such as batch Dice, are not
offered: they would depend on how a step is cut.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from veernet.data.batch import UNLABELLED, Batch, labelled
from veernet.errors import BatchError, OptionError


@runtime_checkable
class Loss(Protocol):
    """Loss; that of an optimizer step is `sum(total) / sum(weight)` over its micro-batches."""

    def total(self, logits: Float[Tensor, "B K H W"], batch: Batch) -> Float[Tensor, ""]:
        """The sum of the losses of the images, each over its own valid pixels."""
        ...

    def weight(self, batch: Batch) -> int:
        """The number of images with a label, those that `total` sums over."""
        ...


@dataclass(frozen=True, kw_only=True)
class BCE:
    """Binary cross entropy of curve against background, averaged over an image's valid pixels.

        -(1/n) sum_i  w y_i log p_i + (1 - y_i) log(1 - p_i)

    with y_i = 1 on any curve. Needs logits of one channel.
    """

    positive_weight: float = 42.0
    """Weight w of a curve pixel, > 0: about the number of background pixels to one of curve."""
    kind: Literal["BCE"] = field(default="BCE", repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.positive_weight < math.inf:
            raise OptionError(f"BCE needs 0 < positive_weight < infinity; got {self}")

    def weight(self, batch: Batch) -> int:
        """The number of images with a label."""
        return batch.n_labelled

    def total(self, logits: Float[Tensor, "B K H W"], batch: Batch) -> Float[Tensor, ""]:
        """The sum of the images' means."""
        _check_logits(self, logits, batch)

        def sums(logits: Tensor, target: Tensor) -> Tensor:
            x = _labelled(logits, target)
            y, w = _curves(target, out_channels=1).to(x.dtype), x.new_tensor(self.positive_weight)
            pixel = F.binary_cross_entropy_with_logits(x, y, pos_weight=w, reduction="none")
            return _weighed(pixel, labelled(target).to(x.dtype))

        return _means(_summed(sums, logits, batch)).sum()


@dataclass(frozen=True, kw_only=True)
class CrossEntropy:
    """Softmax cross entropy, averaged over an image's valid pixels by the weights of their classes.

        -sum_i w_t(i) log p_t(i) / sum_i w_t(i)        with t(i) the class of pixel i

    Needs logits of two channels or more. Equals `torch.nn.functional.cross_entropy` on each image
    alone; an image whose pixels all weigh 0 costs 0.
    """

    class_weights: tuple[float, ...] | None = None
    """Weights w, >= 0, one per class, background first; all 1 if None."""
    kind: Literal["CrossEntropy"] = field(default="CrossEntropy", repr=False)

    def __post_init__(self) -> None:
        _check_class_weights(self)

    def weight(self, batch: Batch) -> int:
        """The number of images with a label."""
        return batch.n_labelled

    def total(self, logits: Float[Tensor, "B K H W"], batch: Batch) -> Float[Tensor, ""]:
        """The sum of the images' weighted means."""
        _check_logits(self, logits, batch)

        def sums(logits: Tensor, target: Tensor) -> Tensor:
            x = _labelled(logits, target)
            t = _classes(target, out_channels=x.shape[1])
            pixel = F.cross_entropy(x, t[:, 0], reduction="none")[:, None]
            return _weighed(pixel, _weights(self.class_weights, t, x.dtype) * labelled(target))

        return _means(_summed(sums, logits, batch)).sum()


@dataclass(frozen=True, kw_only=True)
class Focal:
    """Cross entropy to which well classified pixels add little, averaged over valid pixels.

        -(1/n) sum_i w_t(i) (1 - p_t(i))^gamma log p_t(i)        with t(i) the class of pixel i

    p is a sigmoid for logits of one channel, whose classes are background and any curve, and a
    softmax for more. The divisor is the number n of pixels, whatever their weights (where Lin et
    al. count the boxes of an image, which a segmentation has none of).

    Source: Lin et al. 2017, arXiv:1708.02002, eq. 5.
    """

    gamma: float = 2.0
    """Focus, >= 0; 0 is plain cross entropy."""
    class_weights: tuple[float, ...] | None = None
    """Weights w, >= 0, one per class, background first; Lin's alpha is (1 - alpha, alpha)."""
    kind: Literal["Focal"] = field(default="Focal", repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.gamma < math.inf:
            raise OptionError(f"Focal needs 0 <= gamma < infinity; got {self}")
        _check_class_weights(self)

    def weight(self, batch: Batch) -> int:
        """The number of images with a label."""
        return batch.n_labelled

    def total(self, logits: Float[Tensor, "B K H W"], batch: Batch) -> Float[Tensor, ""]:
        """The sum of the images' means."""
        _check_logits(self, logits, batch)

        def sums(logits: Tensor, target: Tensor) -> Tensor:
            x = _labelled(logits, target)
            t = _classes(target, out_channels=x.shape[1])
            log_p, log_q = _log_chances(x, t)
            # Not a power of 1 - p: where p rounds to 1 its gradient is infinite for gamma < 1.
            pixel = -(self.gamma * log_q).exp() * log_p
            pixel = _weights(self.class_weights, t, x.dtype) * pixel
            return _weighed(pixel, labelled(target).to(x.dtype))

        return _means(_summed(sums, logits, batch)).sum()


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
    kind: Literal["Tversky"] = field(default="Tversky", repr=False)

    def __post_init__(self) -> None:
        _check_tversky(self)

    def weight(self, batch: Batch) -> int:
        """The number of images with a label."""
        return batch.n_labelled

    def total(self, logits: Float[Tensor, "B K H W"], batch: Batch) -> Float[Tensor, ""]:
        """The sum of the images' losses."""
        _check_logits(self, logits, batch)
        return _tversky(logits, batch, self.alpha, self.beta, self.smooth).mean(1).sum()


@dataclass(frozen=True, kw_only=True)
class Dice:
    """1 - 2 TP / (2 TP + FP + FN), averaged over an image's curves: Tversky, alpha = beta = 1/2.

    Source: Milletari et al. 2016, arXiv:1606.04797, sec. 3, where the denominator holds squares:
    sum p^2 + sum y^2. Here it holds p and y, as in most uses since; on sure p they are the same.
    """

    smooth: float = 1.0
    """Pixels added to TP above and below, > 0; an absent curve left alone costs 0."""
    kind: Literal["Dice"] = field(default="Dice", repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.smooth < math.inf:
            raise OptionError(f"Dice needs 0 < smooth < infinity; got {self}")

    def weight(self, batch: Batch) -> int:
        """The number of images with a label."""
        return batch.n_labelled

    def total(self, logits: Float[Tensor, "B K H W"], batch: Batch) -> Float[Tensor, ""]:
        """The sum of the images' losses."""
        _check_logits(self, logits, batch)
        return _tversky(logits, batch, 0.5, 0.5, self.smooth).mean(1).sum()


@dataclass(frozen=True, kw_only=True)
class FocalTversky:
    """(1 - TP / (TP + alpha FP + beta FN))^gamma, averaged over an image's curves.

    gamma is the exponent itself, as in the authors' code; their paper writes 1/gamma for it, and
    its gamma of 4/3 is 0.75 here. Their alpha and beta are those of `Tversky` swapped.

    Source: Abraham & Khan 2018, arXiv:1810.07842.
    """

    alpha: float = 0.3
    """Weight of false positives, >= 0."""
    beta: float = 0.7
    """Weight of false negatives, >= 0."""
    gamma: float = 0.75
    """Exponent, > 0; below 1 it keeps the gradient up on curves that are nearly right."""
    smooth: float = 1.0
    """Pixels added to numerator and denominator, > 0; an absent curve left alone costs 0."""
    kind: Literal["FocalTversky"] = field(default="FocalTversky", repr=False)

    def __post_init__(self) -> None:
        _check_tversky(self)
        if not 0 < self.gamma < math.inf:
            raise OptionError(f"FocalTversky needs 0 < gamma < infinity; got {self}")

    def weight(self, batch: Batch) -> int:
        """The number of images with a label."""
        return batch.n_labelled

    def total(self, logits: Float[Tensor, "B K H W"], batch: Batch) -> Float[Tensor, ""]:
        """The sum of the images' losses."""
        _check_logits(self, logits, batch)
        cost = _tversky(logits, batch, self.alpha, self.beta, self.smooth)
        # cost^gamma, but a line through 0 below one rounding error, where its slope has no bound.
        power = cost * cost.clamp(min=torch.finfo(cost.dtype).eps) ** (self.gamma - 1)
        return power.mean(1).sum()


@dataclass(frozen=True, kw_only=True)
class Lovasz:
    """The Lovász extension of 1 - IoU, averaged over the curves that are present in an image.

    With the errors e = |y - p| of a curve in falling order, and J_k the Jaccard loss 1 - IoU of a
    mask that is wrong on the first k pixels alone (J_0 = 0),

        sum_k e_k (J_k - J_(k-1))

    which is 1 - IoU itself where every p is 0 or 1. p is a softmax (Lovász-softmax), or for logits
    of one channel a sigmoid: bounded and on the same scale, where Lovász's hinge is not. The
    background has no term of its own; a curve absent from an image has none there, so that an
    image without curves costs 0 and teaches nothing. Equal errors are ordered by row and column.

    Source: Berman et al. 2018, arXiv:1705.08790, alg. 1.
    """

    kind: Literal["Lovasz"] = field(default="Lovasz", repr=False)

    def weight(self, batch: Batch) -> int:
        """The number of images with a label."""
        return batch.n_labelled

    def total(self, logits: Float[Tensor, "B K H W"], batch: Batch) -> Float[Tensor, ""]:
        """The sum of the images' losses."""
        _check_logits(self, logits, batch)
        p = curve_probabilities(_labelled(logits, batch.target)).flatten(2)
        y = _curves(batch.target, out_channels=logits.shape[1]).flatten(2)
        error = torch.where(y, 1 - p, p).masked_fill(~batch.valid.flatten(2), 0)
        curve = (error * _jaccard_steps(error.detach(), y, batch.valid.flatten(2))).sum(2)
        return (curve.sum(1) / y.any(2).sum(1).clamp(min=1)).sum()


AnyLoss = BCE | CrossEntropy | Focal | Tversky | Dice | FocalTversky | Lovasz
"""Losses that a recipe can name. In JSON their `kind` tells them apart, for their other fields do
not: {"smooth": 1.0} could be Dice or Tversky."""


def check_out_channels(loss: AnyLoss, out_channels: int) -> None:
    """Refuse a loss that cannot be computed on logits of `out_channels` channels.

    Raises:
        OptionError: the message says what the loss needs.
    """
    match loss:
        case BCE() if out_channels != 1:
            needs = "one channel of logits"
        case CrossEntropy() if out_channels < 2:
            needs = "two channels of logits or more"
        case CrossEntropy(class_weights=tuple(w)) | Focal(class_weights=tuple(w)) if len(w) != max(
            out_channels, 2
        ):
            needs = f"one weight for each of {max(out_channels, 2)} classes, background first"
        case _ if out_channels > UNLABELLED:
            needs = f"at most {UNLABELLED} channels of logits, for class {UNLABELLED} is no class"
        case _:
            return
    raise OptionError(
        f"{type(loss).__name__} needs {needs}; got out_channels={out_channels}, {loss}"
    )


def _check_logits(loss: AnyLoss, logits: Float[Tensor, "B K H W"], batch: Batch) -> None:
    """Refuse logits of another shape than the batch, and classes that they have no channel for.

    Reads no pixels: on a GPU that would wait for the device.
    """
    B, out_channels, *canvas = logits.shape
    if [B, *canvas] != [*batch.target.shape]:
        raise BatchError(
            f"the logits of a batch of {batch.n_images} images on {tuple(batch.target.shape[1:])} "
            f"must be ({batch.n_images}, K, H, W) of the same canvas; got {tuple(logits.shape)}"
        )
    check_out_channels(loss, out_channels)
    most = max(batch.n_classes)
    if 1 < out_channels < most:
        raise BatchError(
            f"image {batch.n_classes.index(most)} of the batch has class {most - 1}, where "
            f"{out_channels} channels of logits tell the classes 0 to {out_channels - 1} "
            f"apart, and {UNLABELLED} stands for not labelled"
        )


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


def _summed(f: Sums, logits: Float[Tensor, "B K H W"], batch: Batch) -> Float[Tensor, "sums B *_"]:
    """Sum `f` over strips of rows; only logits and their gradient are materialised at full size."""
    return _Summed.apply(f, logits, batch.target)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]: untyped in torch


class _Summed(torch.autograd.Function):
    """`_summed` with activation checkpointing: the backward recomputes each strip."""

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
    """Split a batch into strips of rows, of about `STRIP` pixels each; detached views."""
    rows = max(1, LOSS_STRIP.get(x.device.type, 1 << 20) // (x.shape[0] * x.shape[-1]))
    return (part.detach() for part in torch.split(x, rows, dim=-2))


def _labelled(
    logits: Float[Tensor, "B K H W"], target: Shaped[Tensor, "B H W"]
) -> Float[Tensor, "B K H W"]:
    """Return logits in float32 or wider, 0 without gradient where there is no label."""
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return wide.masked_fill(~labelled(target), 0)


def _curves(target: Shaped[Tensor, "B H W"], *, out_channels: int) -> Bool[Tensor, "B curves H W"]:
    """One channel per curve: True on its trace, False elsewhere, padding included."""
    if out_channels == 1:
        return (target > 0)[:, None] & labelled(target)
    classes = torch.arange(1, out_channels, device=target.device, dtype=target.dtype)
    return target[:, None] == classes[:, None, None]


def _classes(target: Shaped[Tensor, "B H W"], *, out_channels: int) -> Int[Tensor, "B 1 H W"]:
    """The class of every pixel, background where there is no label; 0 and 1 for one channel."""
    classes = target > 0 if out_channels == 1 else target
    return classes.long()[:, None].masked_fill(~labelled(target), 0)


def _weights(
    class_weights: tuple[float, ...] | None, classes: Int[Tensor, "B 1 H W"], dtype: torch.dtype
) -> Float[Tensor, "..."]:
    """The weight of every pixel's class; a single 1 if classes have none."""
    one = torch.ones((), device=classes.device, dtype=dtype)
    return one if class_weights is None else one.new_tensor(class_weights)[classes]


def _weighed(
    pixel: Float[Tensor, "B 1 H W"], weight: Float[Tensor, "B 1 H W"]
) -> Float[Tensor, "2 B"]:
    """Each image's sum of weighted pixels, and of weights."""
    return torch.stack([(pixel * weight).sum((1, 2, 3)), weight.sum((1, 2, 3))])


def _means(weighed: Float[Tensor, "2 B"]) -> Float[Tensor, " B"]:
    """The weighted means; 0 where nothing weighs."""
    total, n = weighed
    return total / n.masked_fill(n == 0, 1)


def _log_chances(
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


def _tversky(
    logits: Float[Tensor, "B K H W"], batch: Batch, alpha: float, beta: float, smooth: float
) -> Float[Tensor, "B curves"]:
    """1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth), computed without cancellation."""

    def sums(logits: Tensor, target: Tensor) -> Tensor:
        p = curve_probabilities(_labelled(logits, target))
        y = _curves(target, out_channels=logits.shape[1])
        right, missed = p.masked_fill(~y, 0), (1 - p).masked_fill(~y, 0)
        false = p.masked_fill(y | ~labelled(target), 0)
        return torch.stack([x.sum((2, 3)) for x in (right, false, missed)])

    tp, fp, fn = _summed(sums, logits, batch)
    wrong = alpha * fp + beta * fn
    return wrong / (tp + wrong + smooth)


def _jaccard_steps(
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


def _check_class_weights(loss: CrossEntropy | Focal) -> None:
    if loss.class_weights is not None:  # it may be a list
        object.__setattr__(loss, "class_weights", tuple(map(float, loss.class_weights)))
    weights = loss.class_weights
    if weights is None or (all(0 <= w < math.inf for w in weights) and any(weights)):
        return
    raise OptionError(
        f"{type(loss).__name__} needs class_weights >= 0, finite and not all 0; got {loss}"
    )


def _check_tversky(loss: Tversky | FocalTversky) -> None:
    weights = loss.alpha, loss.beta
    if all(0 <= w < math.inf for w in weights) and any(weights) and 0 < loss.smooth < math.inf:
        return
    raise OptionError(
        f"{type(loss).__name__} needs alpha >= 0, beta >= 0, not both 0, and smooth > 0; got {loss}"
    )

"""Losses that a recipe can name."""

import math
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from veernet.data.batch import UNLABELLED, Batch, labelled
from veernet.errors import BatchError, OptionError
from veernet.files import check_fields
from veernet.losses.sums import (
    curve_probabilities,
    jaccard_steps,
    labelled_logits,
    log_chances,
    pixel_weights,
    sum_strips,
    target_classes,
    target_curves,
    weigh,
    weighted_means,
)


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
        check_fields(self, error=OptionError)
        if not 0 < self.positive_weight < math.inf:
            raise OptionError(f"BCE needs 0 < positive_weight < infinity; got {self}")

    def weight(self, batch: Batch) -> int:
        """The number of images with a label."""
        return batch.n_labelled

    def total(self, logits: Float[Tensor, "B K H W"], batch: Batch) -> Float[Tensor, ""]:
        """The sum of the images' means."""
        _check_logits(self, logits, batch)

        def sums(logits: Tensor, target: Tensor) -> Tensor:
            x = labelled_logits(logits, target)
            y, w = (
                target_curves(target, out_channels=1).to(x.dtype),
                x.new_tensor(self.positive_weight),
            )
            pixel = F.binary_cross_entropy_with_logits(x, y, pos_weight=w, reduction="none")
            return weigh(pixel, labelled(target).to(x.dtype))

        return weighted_means(sum_strips(sums, logits, batch)).sum()


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
        check_fields(self, error=OptionError)
        _check_class_weights(self)

    def weight(self, batch: Batch) -> int:
        """The number of images with a label."""
        return batch.n_labelled

    def total(self, logits: Float[Tensor, "B K H W"], batch: Batch) -> Float[Tensor, ""]:
        """The sum of the images' weighted means."""
        _check_logits(self, logits, batch)

        def sums(logits: Tensor, target: Tensor) -> Tensor:
            x = labelled_logits(logits, target)
            t = target_classes(target, out_channels=x.shape[1])
            pixel = F.cross_entropy(x, t[:, 0], reduction="none")[:, None]
            return weigh(pixel, pixel_weights(self.class_weights, t, x.dtype) * labelled(target))

        return weighted_means(sum_strips(sums, logits, batch)).sum()


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
        check_fields(self, error=OptionError)
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
            x = labelled_logits(logits, target)
            t = target_classes(target, out_channels=x.shape[1])
            log_p, log_q = log_chances(x, t)
            # Not a power of 1 - p: where p rounds to 1 its gradient is infinite for gamma < 1.
            pixel = -(self.gamma * log_q).exp() * log_p
            pixel = pixel_weights(self.class_weights, t, x.dtype) * pixel
            return weigh(pixel, labelled(target).to(x.dtype))

        return weighted_means(sum_strips(sums, logits, batch)).sum()


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
        check_fields(self, error=OptionError)
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
        check_fields(self, error=OptionError)
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
        check_fields(self, error=OptionError)
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
        p = curve_probabilities(labelled_logits(logits, batch.target)).flatten(2)
        y = target_curves(batch.target, out_channels=logits.shape[1]).flatten(2)
        error = torch.where(y, 1 - p, p).masked_fill(~batch.valid.flatten(2), 0)
        curve = (error * jaccard_steps(error.detach(), y, batch.valid.flatten(2))).sum(2)
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


def _tversky(
    logits: Float[Tensor, "B K H W"], batch: Batch, alpha: float, beta: float, smooth: float
) -> Float[Tensor, "B curves"]:
    """1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth), computed without cancellation."""

    def sums(logits: Tensor, target: Tensor) -> Tensor:
        p = curve_probabilities(labelled_logits(logits, target))
        y = target_curves(target, out_channels=logits.shape[1])
        right, missed = p.masked_fill(~y, 0), (1 - p).masked_fill(~y, 0)
        false = p.masked_fill(y | ~labelled(target), 0)
        return torch.stack([x.sum((2, 3)) for x in (right, false, missed)])

    tp, fp, fn = sum_strips(sums, logits, batch)
    wrong = alpha * fp + beta * fn
    return wrong / (tp + wrong + smooth)


def _check_class_weights(loss: CrossEntropy | Focal) -> None:
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

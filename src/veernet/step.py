"""One optimizer step."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from veernet import distributed
from veernet.data.batch import Batch
from veernet.errors import BatchError, LeakError, OptionError
from veernet.losses import Loss
from veernet.nn.seal import is_out_of_memory


@dataclass(frozen=True, slots=True)
class StepResult:
    """Measurements of a step, over all processes.

    loss:         mean over the images of the step that have a label; NaN if none has, and then the
                  weights and the optimizer are unchanged
    grad_norm:    Euclidean norm of the gradient, before clipping
    applied:      False if the norm is not finite: the weights and the optimizer are unchanged
    pixel_budget: most padded pixels that memory is known to hold; None unless memory ran out
    weight:       number of images of the step that have a label
    """

    loss: Float[Tensor, ""]
    grad_norm: Float[Tensor, ""]
    applied: bool
    pixel_budget: int | None
    weight: Float[Tensor, ""]


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Loss,
    batches: Iterable[Batch],
    *,
    device: torch.device | str | None = None,
    autocast: torch.dtype | None = None,
    clip: float = 1.0,
    scaler: torch.amp.GradScaler | None = None,
) -> StepResult:
    """Step on `batches`. The result depends neither on how they were cut nor on who holds them:

        gradient = d/dtheta  (sum of total over processes and batches) / (sum of weight).

    >>> model = VeerNet(VeerNetConfig(channels=(4, 8), num_heads=1))
    >>> optimizer = torch.optim.AdamW(model.parameters())
    >>> split = open_archive("archive").split("train")
    >>> batches = [collate([split[0], split[1]]), collate([split[2]])]  # one step of three logs
    >>> train_step(model, optimizer, Tversky(), batches).applied
    True

    Args:
        model: network called as `model(image, sizes)`, such as `veernet.model.VeerNet` or one from
            `veernet.nn.seal`.
        batches: micro-batches of this process, taken one after the other; perhaps none. A
            micro-batch that runs out of memory is cut in two and run again, down to single images.
        device: device that batches are moved to; that of the model's parameters if None.
        autocast: dtype of the network's arithmetic; that of its parameters if None.
        clip: greatest norm of the gradient that the optimizer sees.
        scaler: scales the loss where `autocast` is float16; the gradient is measured unscaled.

    Raises:
        LeakError: the network takes no `sizes`.
        OptionError: `loss` is no loss, or `batches` no iterable of batches; the model has nothing
            to train, or the optimizer trains another one; or `clip` is not above 0.
        BatchError: the network's result is not one tensor of logits.
        torch.OutOfMemoryError: an image does not fit alone; the message says its size.
    """
    _check_takes_sizes(model)
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
    _check_step(model, loss, batches, parameters, clip)
    device = next(model.parameters()).device if device is None else torch.device(device)
    scaler = scaler or torch.amp.GradScaler(device.type, enabled=False)
    optimizer.zero_grad(set_to_none=True)
    weighed = _WeighedBatches(loss, batches)
    # The weight of the step is known after its last batch. Until then the sum is divided by that
    # of the first batches, lest it pass the range of float16.
    provisional_weight = _total(weighed.first, parameters[0].dtype, device).clamp(min=1)
    scaler.scale(
        provisional_weight
    )  # for a process without work, which must know the scale all the same
    run = partial(
        _differentiate,
        model,
        loss,
        parameters,
        provisional_weight,
        autocast=autocast,
        scaler=scaler,
    )
    value, largest_fit = _accumulate_(parameters, provisional_weight.new_zeros(()), weighed, run)
    weight = _total(weighed.total_weight, parameters[0].dtype, device)
    distributed.sum_gradients_(parameters)
    correction = provisional_weight / weight
    # Without any label nothing moves: on a gradient of 0 an optimizer still follows its momentum.
    moved = [p for p in parameters if p.grad is not None] if weight else []
    if moved:  # the scaler refuses to check no gradients
        scaler.unscale_(optimizer)
    for p in moved:
        p.grad *= correction
    grad_norm = nn.utils.clip_grad_norm_(moved, clip).to(provisional_weight.device)
    applied = bool(grad_norm.isfinite())
    if moved and applied:
        scaler.step(optimizer)
    if moved:
        scaler.update()
    value = distributed.sum_over_ranks(value) * correction  # NaN where the weight is 0: 0 · ∞
    return StepResult(value, grad_norm, applied, distributed.min_over_ranks(largest_fit), weight)


def dry_run(
    model: nn.Module,
    loss: Loss,
    batch: Batch,
    *,
    device: torch.device,
    autocast: torch.dtype | None = None,
) -> int | None:
    """Run a micro-batch and drop its gradient, to check that memory holds it.

    Returns:
        the pixel budget, as `StepResult` has it.

    Raises:
        LeakError: the network takes no `sizes`.
        torch.OutOfMemoryError: an image does not fit alone; the message says its size.
    """
    _check_takes_sizes(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    one = torch.ones((), dtype=torch.promote_types(trained[0].dtype, torch.float32), device=device)
    unscaled = torch.amp.GradScaler(device.type, enabled=False)
    run = partial(_differentiate, model, loss, trained, one, autocast=autocast, scaler=unscaled)
    _, largest_fit = _accumulate_(trained, torch.zeros_like(one), [batch], run)
    model.zero_grad(set_to_none=True)
    return largest_fit


class _WeighedBatches:
    """Batches whose weights are summed up as they pass."""

    def __init__(self, loss: Loss, batches: Iterable[Batch]):
        self.loss, self.rest = loss, map(_batch, batches)
        self.waiting = next(self.rest, None)
        self.first = self.total_weight = 0 if self.waiting is None else loss.weight(self.waiting)

    def __iter__(self) -> Iterator[Batch]:
        batch, self.waiting = self.waiting, None
        while batch is not None:
            yield batch
            batch = None  # free it before the next one is read
            batch = next(self.rest, None)
            self.total_weight += 0 if batch is None else self.loss.weight(batch)


def _batch(one: Batch) -> Batch:
    if not isinstance(one, Batch):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise OptionError(
            f"a step takes batches, as collate() makes them of samples; got a {type(one).__name__}"
        )
    return one


def _total(mine: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, ""]:
    """Sum a weight over all processes, in `dtype` or wider, since float16 ends at 65,504."""
    wide = torch.promote_types(dtype, torch.float32)
    return distributed.sum_over_ranks(torch.tensor(mine, dtype=wide, device=device))


def _check_takes_sizes(model: nn.Module) -> None:
    """Refuse a network that takes no `sizes`, and so cannot know where on the canvas its images
    are."""
    parameters = [*signature(model.forward).parameters.values()]
    if [p.name for p in parameters[1:2]] == ["sizes"]:
        return
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):  # a wrapper around another module
        inner = getattr(model, "_orig_mod", getattr(model, "module", None))
        if isinstance(inner, nn.Module):
            _check_takes_sizes(inner)
        return
    raise LeakError(
        f"a step calls its network as model(image, sizes), and {type(model).__name__}.forward"
        f"{signature(model.forward)} takes no sizes: it would read the padding. "
        "veernet.nn.seal(model) makes one that does not"
    )


def _check_step(
    model: nn.Module, loss: Loss, batches: Iterable[Batch], trained: Sequence[Any], clip: float
) -> None:
    """Refuse arguments with which a step would fail, or compute something else."""
    if isinstance(loss, type) or not isinstance(loss, Loss):  # pyright: ignore
        raise OptionError(f"a loss has total() and weight(), as veernet.Tversky(); got {loss}")
    if isinstance(batches, Batch):
        raise OptionError("a step takes a list of batches; got one Batch")
    if not trained:
        raise OptionError("the optimizer has no parameter that requires a gradient")
    if {*map(id, trained)}.isdisjoint(map(id, model.parameters())):
        raise OptionError(
            "the optimizer trains none of the model's parameters: make it from those of this model"
        )
    if not clip > 0:
        raise OptionError(f"clip must be > 0, infinity for none; got {clip}")


_Partial = tuple[Tensor, Sequence[Tensor | None]]
"""Share of a micro-batch in the loss of the step, and in the gradient of every parameter."""


def _differentiate(
    model: nn.Module,
    loss: Loss,
    trained: Sequence[nn.Parameter],
    weight: Float[Tensor, ""],
    batch: Batch,
    *,
    autocast: torch.dtype | None,
    scaler: torch.amp.GradScaler,
) -> _Partial:
    batch = batch.to(weight.device, trained[0].dtype)
    with torch.autocast(weight.device.type, autocast, enabled=autocast is not None):
        logits = model(batch.image, batch.sizes)
    if not isinstance(logits, Tensor):
        raise BatchError(
            f"a step needs one tensor of logits; {type(model).__name__} gives a "
            f"{type(logits).__name__}"
        )
    value = loss.total(logits, batch).to(weight.dtype) / weight
    # Not backward(): where that runs out of memory it has added to some of the gradients.
    gradient = torch.autograd.grad(scaler.scale(value), trained, allow_unused=True)
    return value.detach(), gradient


def _accumulate_(
    trained: Sequence[nn.Parameter],
    value: Float[Tensor, ""],
    batches: Iterable[Batch],
    run: Callable[[Batch], _Partial],
) -> tuple[Float[Tensor, ""], int | None]:
    """Add up values and gradients of `batches`, cut in two where memory runs out. Returns the sum
    of values and, if memory ran out, the number of padded pixels that it is known to hold."""
    fitted, out_of_memory = list[int](), list[int]()
    for batch in batches:
        waiting = [batch]
        del batch  # free it while waiting for the next one
        while waiting:
            part, share = waiting.pop(), None
            try:
                share = run(part)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            if share is None:
                # The error is gone by here, and with it the frames that held the activations.
                _empty_cache()
                out_of_memory.append(part.padded_pixels)
                waiting += reversed(_halves(part))
                continue
            fitted.append(part.padded_pixels)
            value = value + share[0]
            _add_gradients(trained, share[1])
            del part, share
    least = min(out_of_memory, default=0)
    return value, max((pixels for pixels in fitted if pixels < least), default=None)


def _add_gradients(trained: Sequence[nn.Parameter], gradients: Sequence[Tensor | None]) -> None:
    for p, gradient in zip(trained, gradients, strict=True):
        if gradient is not None:  # may be shared with another parameter
            p.grad = (torch.zeros_like(p) if p.grad is None else p.grad).add_(gradient)


def _empty_cache() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _halves(batch: Batch) -> tuple[Batch, Batch]:
    if batch.n_images > 1:
        return batch.halves()
    h, w = map(int, batch.sizes[0])
    raise torch.OutOfMemoryError(f"an image of {h} × {w} px does not fit into memory, even alone")

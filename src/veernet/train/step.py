"""One optimizer step."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from veernet import distributed
from veernet.data.batch import Batch
from veernet.losses import Loss


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step measured, summed over all processes.

    loss:      mean over the images of the step
    grad_norm: Euclidean norm of the gradient, before clipping
    """

    loss: Float[Tensor, ""]
    grad_norm: Float[Tensor, ""]


def step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Loss,
    batches: Sequence[Batch],
    *,
    device: torch.device,
    autocast: torch.dtype | None = None,
    clip: float = 1.0,
) -> StepResult:
    """Step on `batches`. The result depends neither on how they were cut nor on who holds them:

        gradient = d/dtheta  (sum of total over processes and batches) / (sum of weight).

    Args:
        model: called as `model(image, sizes)`, as `veernet.model.VeerNet`.
        batches: the micro-batches of this process; perhaps none.
        autocast: dtype of the network's arithmetic, its parameters' own if None.
        clip: longest gradient that the optimizer sees.
    """
    dtype = next(model.parameters()).dtype
    weight = torch.tensor(sum(loss.weight(batch) for batch in batches), device=device, dtype=dtype)
    weight = distributed.total(weight)
    value = torch.zeros((), device=device, dtype=dtype)
    optimizer.zero_grad(set_to_none=True)
    for batch in batches:
        on_device = batch.to(device, dtype)
        with torch.autocast(device.type, autocast, enabled=autocast is not None):
            logits = model(on_device.image, on_device.sizes)
        share = loss.total(logits, on_device) / weight
        share.backward()
        value += share.detach()
    distributed.sum_gradients_(model.parameters())
    grad_norm = nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    return StepResult(loss=distributed.total(value), grad_norm=grad_norm)

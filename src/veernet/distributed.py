"""The processes that train together. One process is the trivial case, not a special one."""

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn


def total(x: Tensor) -> Tensor:
    """`x` summed over all processes, in place."""
    if dist.is_initialized():
        dist.all_reduce(x)
    return x


@torch.no_grad()
def sum_gradients_(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its sum over all processes; one without gradients adds zero."""
    if not dist.is_initialized():
        return
    trained = [p for p in parameters if p.requires_grad]
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
    flat = total(torch.cat([grad.flatten() for grad in grads]))
    for p, part in zip(trained, flat.split([grad.numel() for grad in grads]), strict=True):
        p.grad = part.view_as(p)

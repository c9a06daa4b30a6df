"""Validation of a run after every epoch: scores, the loss, and pictures of two logs."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import nn

from veernet import distributed
from veernet.curves.overlay import PICTURE_WIDTH, middle, overlay, stack, zoom_of
from veernet.data.batch import Sample, as_tensor, collate, to_ink
from veernet.data.logs import Log
from veernet.data.split import Split
from veernet.evaluation.evaluate import LogResult, evaluate
from veernet.evaluation.pictures import tinted
from veernet.inference import WINDOW, predict
from veernet.losses import Loss, curve_probabilities

PICTURES = 2
"""Number of logs for validation that are drawn after every epoch."""

Picture = UInt8[ndarray, "_ _ 3"]


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Validation of a network on the logs of a split, over all processes."""

    results: tuple[LogResult, ...]
    """Scores of the logs, in the order of the split."""
    loss: float | None
    """Mean loss over the logs that have a label; None if none has."""
    pictures: tuple[Picture, ...]
    """First logs that process 0 saw: as scanned, with their true curves, and the probabilities."""


def validate_logs(
    model: nn.Module,
    loss: Loss,
    split: Split,
    *,
    autocast: torch.dtype | None,
    skip: Callable[[str, str], object] | None,
    stop: Callable[[], bool],
) -> Validation | None:
    """Validate on all logs of a split, every process on its share of them. The loss is the sum of
    the logs' own over the sum of their weights, whatever the number of processes.

    Args:
        skip: called with the name of a log that cannot be read and the reason; the log is left out.
            None raises instead.
        stop: called before every log; True in any process ends the validation in all.

    Returns:
        None if it was ended.
    """
    costs, pictures = list[tuple[float, int]](), list[Picture]()

    def see(log: Log) -> Float[ndarray, "K h w"]:
        probability, cost = _see(model, loss, log, autocast=autocast)
        costs.append(cost)
        if distributed.rank() == 0 and len(pictures) < PICTURES:
            pictures.append(picture(log, probability))
        return probability

    results = evaluate(
        model,
        split,
        range(len(split))[distributed.rank() :: distributed.world_size()],
        read_curves=False,  # costs a second and more per native log, and selects no weights
        see=see,
        skip=skip,
        stop=stop,
    )
    (stopped,) = distributed.any_rank(stop())
    if stopped:
        return None
    mine = list(zip(results, costs, strict=True))
    in_turn = zip_longest(*distributed.all_gather(mine))
    everyone = [one for turn in in_turn for one in turn if one is not None]
    return Validation(
        results=tuple(result for result, _ in everyone),
        loss=mean_loss([cost for _, cost in everyone]),
        pictures=tuple(pictures),
    )


def mean_loss(costs: Sequence[tuple[float, int]]) -> float | None:
    """Divide the sum of totals by the sum of weights; None if that is 0."""
    weight = sum(weight for _, weight in costs)
    return math.fsum(total for total, _ in costs) / weight if weight else None


@torch.no_grad()
def _see(
    model: nn.Module, loss: Loss, log: Log, *, autocast: torch.dtype | None
) -> tuple[Float[ndarray, "K h w"], tuple[float, int]]:
    """Return the probabilities of a log, which are those of `predict`, and the total and weight of
    its loss."""
    parameter = next(model.parameters())
    sample = Sample(image=to_ink(log.grey), target=as_tensor(log.mask))
    batch = collate([sample]).to(parameter.device, parameter.dtype)
    with torch.autocast(parameter.device.type, autocast, enabled=autocast is not None):
        logits = model(batch.image)
    cost = loss.total(logits, batch).item(), loss.weight(batch)
    if log.grey.shape[1] > WINDOW:  # is scored in windows, as it is digitised
        return predict(model, log.grey, autocast=autocast), cost
    return curve_probabilities(logits)[0].cpu().numpy(), cost


def picture(log: Log, probability: Float[ndarray, "K h w"]) -> Picture:
    """Draw the middle of a log as scanned, with its true curves, and the probabilities of the
    curves in their colours, one below the other; at most `PICTURE_WIDTH` wide."""
    h, w = log.grey.shape
    part = middle(w, PICTURE_WIDTH // zoom_of(h))
    return stack(
        [
            overlay(log.grey[:, part], []),
            overlay(log.grey[:, part], [rows[part] for rows in log.curves.rows]),
            tinted(probability[..., part]),
        ]
    )

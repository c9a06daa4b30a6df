"""Settings of a training."""

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field

from veernet.data.schedule import Schedule
from veernet.errors import OptionError
from veernet.losses import AnyLoss, Tversky, check_out_channels
from veernet.model import VeerNetConfig

Precision = Literal["fp32", "bf16", "fp16", "fp64"]

_LOWERED: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, kw_only=True)
class Training:
    """Settings that decide what a run learns, apart from its data."""

    network: VeerNetConfig = field(default_factory=VeerNetConfig)
    loss: Annotated[AnyLoss, Field(discriminator="kind")] = field(default_factory=Tversky)
    schedule: Schedule = field(default_factory=Schedule)
    epochs: int = 50
    warm_restarts: tuple[int, ...] = ()
    """Epochs, from 0, at whose start the learning rate begins anew, to rise and fall over the
    epochs up to the next one: those at which a run was to end before it was made longer."""
    learning_rate: float = 1e-3
    """Peak learning rate, after the warm-up; a cosine takes it down to 0 from there."""
    warmup: float = 0.05
    """Share of all steps up to the end, or to a warm restart, over which the learning rate
    rises."""
    weight_decay: float = 0.01
    """Weight decay of AdamW."""
    clip: float = 1.0
    """Greatest norm of the gradient that the optimizer sees."""
    precision: Precision = "fp32"
    """Precision of the network. bf16 and fp16 run it under autocast; weights, norms' statistics and
    loss stay in float32, and fp16 also scales the loss. fp64 trains in float64 throughout, to prove
    laws."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "warm_restarts", tuple(self.warm_restarts))
        ends = 0, *self.warm_restarts, self.epochs
        if any(end <= begin for begin, end in pairwise(ends)) and self.warm_restarts:
            raise OptionError(
                f"warm_restarts must rise from 1 to below epochs, {self.epochs}; "
                f"got {self.warm_restarts}"
            )
        if not 1 <= self.epochs <= 1_000_000 or not 0 <= self.warmup < 1:
            raise OptionError(
                "epochs must be from 1 to 1,000,000 and warmup from 0 to below 1; "
                f"got {self.epochs} and {self.warmup}"
            )
        for name in ("learning_rate", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise OptionError(f"{name} must be > 0 and finite; got {getattr(self, name)}")
        if not 0 <= self.weight_decay < math.inf:
            raise OptionError(f"weight_decay must be >= 0 and finite; got {self.weight_decay}")
        check_out_channels(self.loss, self.network.out_channels)

    @property
    def autocast(self) -> torch.dtype | None:
        """Dtype to which autocast lowers the network's arithmetic; None without autocast."""
        return _LOWERED.get(self.precision)

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the weights."""
        return torch.float64 if self.precision == "fp64" else torch.float32

    def longer(self, epochs: int) -> "Training":
        """Return the settings of the same training with more epochs after it: what is learned up to
        its end stays as it was planned, and the learning rate begins anew there.

        Raises:
            OptionError: there are fewer epochs than before.
        """
        if epochs < self.epochs:
            raise OptionError(f"it has {self.epochs} epochs, and takes no fewer; got {epochs}")
        if epochs == self.epochs:
            return self
        return replace(self, epochs=epochs, warm_restarts=(*self.warm_restarts, self.epochs))

    def shorter(self) -> "list[Training]":
        """List the settings that this training had before each time it was made longer."""
        ends = self.warm_restarts
        return [replace(self, epochs=end, warm_restarts=ends[:k]) for k, end in enumerate(ends)]

    def learning_rate_at(self, step: int, n_steps: int) -> float:
        """Return the learning rate of step `step` of `n_steps`, from 0: linear warm-up, then a
        cosine; anew after every warm restart."""
        restarts = [n_steps * epoch // self.epochs for epoch in self.warm_restarts]
        begin = max((at for at in restarts if at <= step), default=0)
        end = min((at for at in restarts if at > step), default=n_steps)
        step, n_steps = step - begin, end - begin
        warm = round(self.warmup * n_steps)
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        return self.learning_rate * (1 + math.cos(math.pi * (step - warm) / (n_steps - warm))) / 2

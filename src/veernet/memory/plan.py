"""Plan the use of memory: which activations to checkpoint, and how many pixels at a time.

Memory grows with the padded pixels of a micro-batch along a line, which two traces of a step find
(`veernet.memory.estimate`). No plan changes what is learned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, get_args

import numpy as np
import torch
from pydantic import BeforeValidator

from veernet.data.schedule import (
    MicroBatch,
    Schedule,
    Sizes,
    Step,
    padded_pixels,
    padding_waste,
)
from veernet.errors import OptionError
from veernet.files import formerly
from veernet.memory.estimate import TRACED_WIDTH, MemoryEstimate, estimate_step
from veernet.memory.system import format_bytes, rss
from veernet.model import ActivationCheckpointing
from veernet.training import Precision, Training

RELATIVE_STEP_TIME: dict[ActivationCheckpointing, float] = {
    "none": 1.0,
    "blocks": 1.0,
    "stages": 1.0,
    "tiles": 1.45,
}
"""Time of a step on a CPU, relative to one without activation checkpointing: medians of
`benchmarks/memory.py`, where fresh memory cost as much as computing activations a second time."""

CALL_OVERHEAD_PIXELS = 20_000
"""Fixed overhead of one micro-batch, expressed in pixels of compute (CPU)."""

LIBRARY_RSS = 48 << 20
"""Resident memory that libraries take when they are first used on a CPU, bytes."""

BATCH_BYTES_PER_PIXEL = 2
"""Bytes per pixel of a batch: image and target."""

SAMPLE = 64
"""Number of steps of an epoch that a plan examines."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One way to train, with its memory and time.

    fixed:         memory of the process and of a step's data, on a CPU; 0 on a GPU, bytes
    on_device:     memory of the widest log copied to a GPU; 0 on a CPU, bytes
    widest:        estimate of a step on the widest log alone
    per_pixel:     growth of that estimate per padded pixel of a micro-batch, bytes
    images:        number of the widest logs that fit together; 0 if not even one does
    pixel_budget:  padded pixels of a micro-batch; those of the widest log if not even that fits
    micro_batches: mean number of micro-batches per step
    padding_share: share of the computed pixels that is padding
    cost:          time relative to a step without padding, overhead or activation checkpointing,
                   in the same precision
    """

    precision: Precision
    activation_checkpointing: ActivationCheckpointing
    fixed: int
    on_device: int
    widest: MemoryEstimate
    per_pixel: float
    images: int
    pixel_budget: int
    micro_batches: float
    padding_share: float
    cost: float

    @property
    def peak(self) -> int:
        """Peak memory of the process on the widest log alone, bytes."""
        return self.fixed + self.on_device + self.widest.peak


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """Ways to train given logs in given memory."""

    memory: int
    """Memory to plan for, bytes."""
    size: tuple[int, int]
    """Size (h, w) of the widest log (the one with most pixels), px."""
    choices: tuple[Choice, ...]

    def taken(self, choice: Choice, pixels: int) -> int:
        """Memory that a step on `pixels` padded pixels takes beyond what stays after it, bytes."""
        h, w = self.size
        of_widest = choice.widest.peak - choice.widest.persistent + choice.on_device
        return max(0, round(of_widest + choice.per_pixel * (pixels - h * w)))

    @property
    def fits(self) -> bool:
        """True if any choice holds the widest log."""
        return any(choice.images for choice in self.choices)

    @property
    def best(self) -> Choice:
        """First choice that fits; choices with less activation checkpointing come first.

        Raises:
            OptionError: no choice fits; the message says what the smallest takes.
        """
        if self.fits:
            return next(choice for choice in self.choices if choice.images)
        least = min(self.choices, key=lambda choice: choice.peak)
        h, w = self.size
        raise OptionError(
            f"a log of {h} × {w} px does not fit into {format_bytes(self.memory)}: the smallest "
            f"plan, {least.precision} with activation checkpointing "
            f"{least.activation_checkpointing}, takes {format_bytes(least.peak)}; give it more "
            "--memory, or --pixel-budget to train without a plan"
        )


def plan(
    training: Training,
    sizes: Sizes,
    memory: int,
    *,
    device: torch.device,
    precisions: Sequence[Precision] = (),
    first: bool = False,
) -> MemoryPlan:
    """List the ways to train logs of these sizes in `memory` bytes: of the whole process on a CPU,
    of what PyTorch hands out on a GPU.

    Args:
        precisions: precisions to plan for; that of `training` if empty.
        first: stop at the first choice that fits.

    Raises:
        OptionError: there are no logs.
    """
    if not len(sizes):
        raise OptionError("a plan needs at least one log")
    h, w = (int(side) for side in sizes[sizes.prod(1).argmax()])
    cuts = _cuts(training.schedule, sizes, widest=h * w)
    choices, precisions = list[Choice](), precisions or [training.precision]
    for choice in _choices(training, (h, w), memory, cuts, device=device, precisions=precisions):
        choices.append(choice)
        if first and choice.images:
            break
    return MemoryPlan(memory=memory, size=(h, w), choices=tuple(choices))


StoredCheckpointing = Annotated[
    ActivationCheckpointing,
    formerly("recompute"),
    BeforeValidator(lambda name: _FORMER.get(str(name), name)),
]
"""Activation checkpointing as files hold it; older files have other names for it."""

_FORMER = {"nothing": "none", "slabs": "tiles"}


@dataclass(frozen=True, kw_only=True)
class StoredPlan:
    """A plan that a run keeps to."""

    memory: int
    """Memory that the plan was made for, bytes."""
    activation_checkpointing: StoredCheckpointing
    """Activations that are computed a second time in the backward pass."""
    pixel_budget: int
    """Most pixels of one micro-batch, padding included, in place of that of the settings."""
    predicted: int
    """Predicted memory of the first epoch's widest micro-batch beyond what stays after it,
    bytes."""

    def __post_init__(self) -> None:
        if self.pixel_budget < 1:
            raise OptionError(f"pixel_budget must be at least 1; got {self.pixel_budget}")

    def __str__(self) -> str:
        kind, budget = self.activation_checkpointing, self.pixel_budget
        return f"activation checkpointing {kind}, {budget:,} px per micro-batch"


def plan_run(
    training: Training, sizes: Sizes, memory: int, *, device: torch.device, epoch: int = 0
) -> StoredPlan:
    """Plan to train logs of these sizes in `memory` bytes, from `epoch` on.

    Raises:
        OptionError: there are no logs, or no plan holds the widest one.
    """
    found = plan(training, sizes, memory, device=device, first=True)
    choice = found.best
    schedule = replace(training.schedule, pixel_budget=choice.pixel_budget)
    widest = widest_batch(schedule.steps(sizes, epoch), sizes)
    return StoredPlan(
        memory=memory,
        activation_checkpointing=choice.activation_checkpointing,
        pixel_budget=choice.pixel_budget,
        predicted=found.taken(choice, padded_pixels(widest, sizes)),
    )


def widest_batch(steps: Sequence[Step], sizes: Sizes) -> MicroBatch:
    """Return the micro-batch with most padded pixels; the first of equals."""
    batches = [batch for step in steps for batch in step]
    return max(batches, key=lambda batch: padded_pixels(batch, sizes))


@dataclass(frozen=True, kw_only=True)
class _CutCost:
    """Cost of a step as a pixel budget cuts it."""

    budget: int
    micro_batches: float
    waste: float
    cost: float
    data: int
    """Data of one step on the host, bytes."""


def _cuts(schedule: Schedule, sizes: Sizes, *, widest: int) -> list[_CutCost]:
    """Evaluate pixel budgets of 1, 2, … times the widest log."""
    return [
        _cost_of_cut(replace(schedule, pixel_budget=n * widest), sizes)
        for n in range(1, min(schedule.effective_batch, len(sizes)) + 1)
    ]


def _cost_of_cut(schedule: Schedule, sizes: Sizes) -> _CutCost:
    steps = schedule.steps(sizes, epoch=0, most=SAMPLE)
    batches = [batch for step in steps for batch in step]
    pixels = [sum(padded_pixels(batch, sizes) for batch in step) for step in steps]
    waste = padding_waste(steps, sizes)
    return _CutCost(
        budget=schedule.pixel_budget,
        micro_batches=len(batches) / len(steps),
        waste=waste,
        cost=(1 + CALL_OVERHEAD_PIXELS * len(batches) / sum(pixels)) / (1 - waste),
        data=BATCH_BYTES_PER_PIXEL * max(pixels),
    )


def _choices(
    training: Training,
    size: tuple[int, int],
    memory: int,
    cuts: Sequence[_CutCost],
    *,
    device: torch.device,
    precisions: Sequence[Precision],
) -> Iterator[Choice]:
    (h, w), on_cpu = size, device.type == "cpu"
    fixed = rss() + LIBRARY_RSS + max(cut.data for cut in cuts) if on_cpu else 0
    copied = 0 if on_cpu else BATCH_BYTES_PER_PIXEL
    for precision in precisions:
        for activation_checkpointing in get_args(ActivationCheckpointing):
            settings = replace(training, precision=precision)
            whole, far, farther = (
                estimate_step(
                    settings,
                    (h, width),
                    activation_checkpointing=activation_checkpointing,
                    workspaces=on_cpu,
                )
                # At the two wide ones weights hardly count.
                for width in (w, 64 * TRACED_WIDTH, 128 * TRACED_WIDTH)
            )
            per_pixel = (farther.peak - far.peak) / (h * 64 * TRACED_WIDTH) + copied
            spare = memory - fixed - copied * h * w - whole.peak
            images = 0 if spare < 0 else 1 + int(spare / (per_pixel * h * w))
            cut = min(cuts[: max(1, images)], key=lambda cut: cut.cost)
            yield Choice(
                precision=precision,
                activation_checkpointing=activation_checkpointing,
                fixed=fixed,
                on_device=copied * h * w,
                widest=whole,
                per_pixel=per_pixel,
                images=images,
                pixel_budget=cut.budget,
                micro_batches=cut.micro_batches,
                padding_share=cut.waste,
                cost=cut.cost * RELATIVE_STEP_TIME[activation_checkpointing],
            )


def sample_sizes(height: tuple[int, int], width: tuple[int, int], *, seed: int = 0) -> Sizes:
    """Draw sizes of logs that fill a range evenly; the largest is among them.

    Raises:
        OptionError: a range is upside down, or begins below 1.
    """
    for low, high in (height, width):
        if not 1 <= low <= high:
            raise OptionError(f"a range of sizes must rise, from 1 px on; got {low} to {high}")
    rng = np.random.default_rng(seed)
    h = rng.integers(height[0], height[1], 1024, endpoint=True)
    w = rng.integers(width[0], width[1], 1024, endpoint=True)
    return np.concatenate([np.stack([h, w], 1), [[height[1], width[1]]]])

"""How to use the memory there is: what to compute again, and how many pixels at a time.

Memory grows with the padded pixels of a micro-batch along a line, which two traces of a step find
(`veernet.train.memory`). No plan changes what is learned.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from pydantic import ByteSize, TypeAdapter, ValidationError

from veernet.data.schedule import Schedule, Sizes, Step, padded_pixels, padding_waste
from veernet.errors import OptionError
from veernet.model import Recompute
from veernet.train.config import Precision, Training
from veernet.train.memory import Need, human, need, resident

TIME: dict[Recompute, float] = {"nothing": 1.0, "blocks": 1.15, "stages": 1.3, "slabs": 1.7}
"""Time of a step, relative to that with nothing computed again: `benchmarks/memory.py` on a CPU."""

CALL = 20_000
"""Pixels that could be computed while the calls of a micro-batch are made, on a CPU."""

LIBRARIES = 48 << 20
"""What the libraries take on a CPU when they are first used, bytes."""

SAMPLE = 64
"""Steps of an epoch that a plan looks at."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One way to train, and what it takes.

    fixed:         memory of the process before a step, data included, bytes
    widest:        what a step on the widest log takes besides, alone, bytes
    per_pixel:     how that grows with the padded pixels of a micro-batch, bytes
    images:        how many of the widest logs fit together; 0 if not even one does
    pixel_budget:  padded pixels of a micro-batch; those of the widest log if not even that fits
    micro_batches: of a step, on average
    waste:         share of the pixels computed that is padding
    cost:          time relative to no padding, no calls and nothing computed again
    """

    precision: Precision
    recompute: Recompute
    fixed: int
    widest: Need
    per_pixel: float
    images: int
    pixel_budget: int
    micro_batches: float
    waste: float
    cost: float

    @property
    def peak(self) -> int:
        """Of the process, on the widest log alone, bytes."""
        return self.fixed + self.widest.peak


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every way to train some logs in some memory."""

    memory: int
    """Bytes."""
    size: tuple[int, int]
    """(h, w) of the widest log, the largest, px."""
    choices: tuple[Choice, ...]

    def taken(self, choice: Choice, pixels: int) -> int:
        """What a step on so many padded pixels takes beyond what stays after it, bytes."""
        h, w = self.size
        of_widest = choice.widest.peak - choice.widest.always
        return max(0, round(of_widest + choice.per_pixel * (pixels - h * w)))

    @property
    def fits(self) -> bool:
        """Whether any choice holds the widest log."""
        return any(choice.images for choice in self.choices)

    @property
    def best(self) -> Choice:
        """The first that fits, of those that compute less again.

        Raises:
            OptionError: none does; the message says what the smallest takes.
        """
        if self.fits:
            return next(choice for choice in self.choices if choice.images)
        least = min(self.choices, key=lambda choice: choice.peak)
        h, w = self.size
        raise OptionError(
            f"a log of {h} × {w} px does not fit into {human(self.memory)}: the smallest plan, "
            f"{least.precision} with {least.recompute} computed again, takes {human(least.peak)}"
        )


def plan(
    training: Training,
    sizes: Sizes,
    memory: int,
    *,
    device: torch.device,
    precisions: Sequence[Precision] = (),
    first: bool = False,
) -> Plan:
    """The ways to train logs of these sizes in so many bytes of memory: those of the whole process
    on a CPU, those that PyTorch hands out on a GPU.

    Args:
        precisions: those to plan for; that of `training` if not given.
        first: stop at the first that fits.

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
    return Plan(memory=memory, size=(h, w), choices=tuple(choices))


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """What a pixel budget makes of the steps."""

    budget: int
    micro_batches: float
    waste: float
    cost: float
    data: int
    """Of one step on the host, bytes."""


def _cuts(schedule: Schedule, sizes: Sizes, *, widest: int) -> list[_Cut]:
    """Of budgets of 1, 2, … of the widest log."""
    return [
        _cut(replace(schedule, pixel_budget=n * widest), sizes)
        for n in range(1, min(schedule.effective_batch, len(sizes)) + 1)
    ]


def _cut(schedule: Schedule, sizes: Sizes) -> _Cut:
    steps = schedule.steps(sizes, epoch=0)[:SAMPLE]
    batches = [batch for step in steps for batch in step]
    scanned = sum(int(sizes[list(batch)].prod(1).sum()) for batch in batches)
    waste = padding_waste(steps, sizes)
    return _Cut(
        budget=schedule.pixel_budget,
        micro_batches=len(batches) / len(steps),
        waste=waste,
        cost=1 / (1 - waste) + CALL * len(batches) / scanned,
        data=2 * max(_pixels(step, sizes) for step in steps),  # image and target, a byte each
    )


def _pixels(step: Step, sizes: Sizes) -> int:
    return sum(padded_pixels(batch, sizes) for batch in step)


def _choices(
    training: Training,
    size: tuple[int, int],
    memory: int,
    cuts: Sequence[_Cut],
    *,
    device: torch.device,
    precisions: Sequence[Precision],
) -> Iterator[Choice]:
    (h, w), on_cpu = size, device.type == "cpu"
    fixed = resident() + LIBRARIES + max(cut.data for cut in cuts) if on_cpu else 0
    for precision in precisions:
        for recompute in get_args(Recompute):
            how = replace(training, precision=precision)
            half, whole = (
                need(how, (h, part), recompute=recompute, workspaces=on_cpu)
                for part in (max(1, w // 2), w)
            )
            # On a GPU the batch itself comes with it: image and target, a byte each.
            per_pixel = (whole.peak - half.peak) / (h * w - h * max(1, w // 2) or 1)
            per_pixel += 0 if on_cpu else 2
            batch = 0 if on_cpu else 2 * h * w
            over = memory - fixed - whole.peak - batch
            images = 0 if over < 0 else 1 + int(over / (per_pixel * h * w))
            cut = min(cuts[: max(1, images)], key=lambda cut: cut.cost)
            yield Choice(
                precision=precision,
                recompute=recompute,
                fixed=fixed + batch,
                widest=whole,
                per_pixel=per_pixel,
                images=images,
                pixel_budget=cut.budget,
                micro_batches=cut.micro_batches,
                waste=cut.waste,
                cost=cut.cost * TIME[recompute],
            )


def bytes_of(text: str, device: torch.device) -> int:
    """The bytes of "8GiB", "800 MB" and the like; for "auto", nine tenths of what is free, shared
    by the processes that `torchrun` launched on a machine without GPUs.

    Raises:
        OptionError: it is no amount of memory.
    """
    if text == "auto":
        sharing = 1 if device.type == "cuda" else int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        return 9 * free(device) // 10 // sharing
    try:
        return int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError as wrong:
        raise OptionError(f"--memory must be auto, or like 8GiB or 800MB; got {text!r}") from wrong


def free(device: torch.device) -> int:
    """Bytes that this process could hold: what it holds, and what nobody does."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    known = [_meminfo("MemAvailable"), _cgroup()]
    return resident() + min((n for n in known if n is not None), default=4 << 30)


def _meminfo(field: str) -> int | None:
    """Of Linux, bytes; None elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(field)), None)


def _cgroup() -> int | None:
    """What the container leaves, bytes; None where it sets no limit."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = ((folder / f"memory.{name}").read_text() for name in ("max", "current"))
        return max(0, int(limit) - int(used))
    except (OSError, ValueError):
        return None


def drawn_sizes(height: tuple[int, int], width: tuple[int, int], *, seed: int = 0) -> Sizes:
    """Sizes of logs that fill a range evenly, its largest among them."""
    rng = np.random.default_rng(seed)
    h = rng.integers(height[0], height[1], 1024, endpoint=True)
    w = rng.integers(width[0], width[1], 1024, endpoint=True)
    return np.concatenate([np.stack([h, w], 1), [[height[1], width[1]]]])

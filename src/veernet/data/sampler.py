"""Schedule of an epoch as a batch sampler of PyTorch, for a `DataLoader` of one's own."""

from collections.abc import Iterable, Iterator
from itertools import islice
from operator import index
from typing import Any, TypeVar

import numpy as np
from torch.utils.data import Sampler

from veernet import distributed
from veernet.data.schedule import Schedule, Sizes, Step, shard
from veernet.errors import BatchError, OptionError

T = TypeVar("T")


class ScheduleSampler(Sampler[list[int]]):
    """Batch sampler that yields the micro-batches of a schedule which are this process's share.

    Its position counts whole optimizer steps of all processes, so that a run may go on with more or
    fewer of them in mid-epoch: no sample is lost, and none is seen twice.

    >>> from torch.utils.data import DataLoader
    >>> split = open_archive("archive").split("train")
    >>> sampler = ScheduleSampler(Schedule(effective_batch=4), split.sizes)
    >>> loader = DataLoader(split, batch_sampler=sampler, collate_fn=collate)
    >>> sampler.set_epoch(0)
    >>> sum(batch.n_images for batches in sampler.steps(loader) for batch in batches) == len(split)
    True
    """

    def __init__(
        self,
        schedule: Schedule,
        sizes: Sizes,
        *,
        rank: int | None = None,
        world_size: int | None = None,
    ):
        """Sample from logs of `sizes`.

        Args:
            sizes: (h, w) of every log, px, (n, 2), such as the `sizes` of a `Split`.
            rank: number of this process; if None that of `torch.distributed`.
            world_size: number of processes; if None that of `torch.distributed`.

        Raises:
            OptionError: the rank is not among the processes, or `sizes` are no sizes.
        """
        self.schedule, self.sizes = schedule, _checked(sizes)
        self.rank = distributed.rank() if rank is None else rank
        self.world_size = distributed.world_size() if world_size is None else world_size
        shard((), self.rank, self.world_size)
        self.epoch = self.step = 0

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, to its beginning if it is another one than before.

        Raises:
            OptionError: it is no whole number from 0 on.
        """
        if epoch != self.epoch:
            self.epoch, self.step = _count("epoch", epoch), 0

    def __iter__(self) -> Iterator[list[int]]:
        left = self._left()  # now, not when the first batch is asked for
        return (list(batch) for step in left for batch in self._share(step))

    def __len__(self) -> int:
        return sum(len(self._share(step)) for step in self._left())

    def steps(self, loader: Iterable[T]) -> Iterator[list[T]]:
        """Yield the batches of each optimizer step, which may be none in this process, from a
        `DataLoader` with this sampler. A step counts as done once it is yielded, and after the last
        one the next epoch begins.

        Raises:
            BatchError: the loader has another sampler.
        """
        if getattr(loader, "batch_sampler", self) is not self:
            raise BatchError("the loader has another sampler: it needs this one as batch_sampler")
        batches = iter(loader)
        for step in self._left():
            expected = len(self._share(step))
            found = [*islice(batches, expected)]
            if len(found) < expected:
                raise BatchError(
                    f"the loader ended in step {self.step} of epoch {self.epoch}: it needs this "
                    "sampler as its batch_sampler"
                )
            self.step += 1
            yield found
        self.epoch, self.step = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the position, which is the epoch and the steps of it that are done, with what
        decides the order of the images."""
        return {"epoch": self.epoch, "step": self.step, **self._order()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to the position that `state_dict` returned, in any number of processes.

        Raises:
            OptionError: it is no position in this schedule of these images, so that images would be
                lost or seen twice.
        """
        for name, mine in self._order().items():
            if (theirs := state.get(name, mine)) != mine:
                raise OptionError(f"the state is of {name} {theirs}, and this sampler of {mine}")
        epoch, step = (_count(name, state.get(name)) for name in ("epoch", "step"))
        if step > (n := len(self.schedule.draw(len(self.sizes), epoch))):
            raise OptionError(f"the state is after step {step} of an epoch, which has {n} here")
        self.epoch, self.step = epoch, step

    def _order(self) -> dict[str, int]:
        return {
            "images": len(self.sizes),
            "effective_batch": self.schedule.effective_batch,
            "seed": self.schedule.seed,
        }

    def _left(self) -> list[Step]:
        return self.schedule.steps(self.sizes, self.epoch)[self.step :]

    def _share(self, step: Step) -> Step:
        return shard(step, self.rank, self.world_size)


def _checked(sizes: Any) -> Sizes:
    listed = type(sizes) in (list, tuple) or hasattr(sizes, "__array__")
    found = np.array(sizes if listed else 0)
    if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "iu" or (found < 1).any():
        raise OptionError(
            "sizes are the (h, w) of every image, px, (n, 2), such as the `sizes` of a Split; got "
            f"a {type(sizes).__name__} of shape {found.shape}"
        )
    return found


def _count(name: str, value: Any) -> int:
    try:
        found = index(value)
    except TypeError:
        found = -1
    if found < 0:
        raise OptionError(f"{name} must be a whole number from 0 on; got {value}")
    return found

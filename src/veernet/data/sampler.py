"""Schedule of an epoch as a batch sampler of PyTorch, for a `DataLoader` of one's own."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

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
            OptionError: the rank is not among the processes.
        """
        self.schedule, self.sizes = schedule, sizes
        self.rank = distributed.rank() if rank is None else rank
        self.world_size = distributed.world_size() if world_size is None else world_size
        if not 0 <= self.rank < self.world_size:
            raise OptionError(
                f"rank is from 0 to below world_size; got {self.rank} of {self.world_size}"
            )
        self.epoch = self.step = 0

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, to its beginning if it is another one than before."""
        if epoch != self.epoch:
            self.epoch, self.step = epoch, 0

    def __iter__(self) -> Iterator[list[int]]:
        left = self._left()  # now, not when the first batch is asked for
        return (list(batch) for step in left for batch in self._share(step))

    def __len__(self) -> int:
        return sum(len(self._share(step)) for step in self._left())

    def steps(self, loader: Iterable[T]) -> Iterator[list[T]]:
        """Yield the batches of each optimizer step, which may be none in this process, from a
        `DataLoader` with this sampler. A step counts as done once it is yielded.

        Raises:
            BatchError: the loader ends early, so that it has another sampler.
        """
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

    def state_dict(self) -> dict[str, Any]:
        """Return the position: the epoch, and the steps of it that are done."""
        return {"epoch": self.epoch, "step": self.step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to the position that `state_dict` returned, in any number of processes."""
        self.epoch, self.step = int(state["epoch"]), int(state["step"])

    def _left(self) -> list[Step]:
        return self.schedule.steps(self.sizes, self.epoch)[self.step :]

    def _share(self, step: Step) -> Step:
        return shard(step, self.rank, self.world_size)

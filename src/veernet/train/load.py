"""From a schedule to batches in memory."""

import signal
from collections.abc import Iterator, Sequence

from torch.utils.data import DataLoader

from veernet.data.archive import Split
from veernet.data.batch import Batch, Scan, collate
from veernet.data.schedule import Step
from veernet.errors import VeerNetError


def load(
    split: Split, steps: Sequence[Step], *, workers: int = 0, pin: bool = False
) -> Iterator[list[Batch]]:
    """The micro-batches of every step, in order.

    Raises:
        VeerNetError: what reading a log raised, in the words it had in the worker.
    """
    loader = DataLoader(
        _Told(split),  # pyright: ignore[reportArgumentType]: any map-style data set will do
        batch_sampler=[list(batch) for step in steps for batch in step],
        collate_fn=_collate_told,
        num_workers=workers,
        pin_memory=pin,
        worker_init_fn=_leave_interrupts_to_the_parent,
    )
    batches = iter(loader)
    for step in steps:
        yield [_or_raise(next(batches)) for _ in step]


class _Told:
    """A split that returns its errors, for `DataLoader` buries raised ones under a traceback."""

    def __init__(self, split: Split):
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> Scan | VeerNetError:
        try:
            return self.split[index]
        except VeerNetError as error:
            return error


def _collate_told(scans: Sequence[Scan | VeerNetError]) -> Batch | VeerNetError:
    errors = [scan for scan in scans if isinstance(scan, VeerNetError)]
    return errors[0] if errors else collate([scan for scan in scans if isinstance(scan, Scan)])


def _or_raise(batch: Batch | VeerNetError) -> Batch:
    if isinstance(batch, VeerNetError):
        raise batch
    return batch


def _leave_interrupts_to_the_parent(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)

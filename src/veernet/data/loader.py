"""Loading the batches of a schedule: threads read ahead, up to a bound in bytes."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from veernet.data.batch import Batch, Sample, collate
from veernet.data.schedule import MicroBatch, Step, padded_pixels
from veernet.data.split import Split
from veernet.errors import OnError, VeerNetError

PREFETCH_BYTES = 2**30
"""Default bound on the bytes of micro-batches that are being read or wait."""


@dataclass(frozen=True, kw_only=True)
class UnreadableLog:
    """A log that could not be read."""

    file_name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Loader:
    """Reads micro-batches of a split.

    Threads suffice, because decoders release the GIL; nothing is copied between processes.
    """

    split: Split
    workers: int = 0
    """Threads that read ahead; with 0, a batch is read when it is requested."""
    prefetch_bytes: int = PREFETCH_BYTES
    """Most bytes read ahead; a micro-batch that takes more is read alone."""
    pin: bool = False
    """Page-lock batches, for an asynchronous copy to a GPU."""
    on_error: OnError = "stop"
    """Policy for a log that cannot be read: raise, or leave it out of its micro-batch."""
    skipped: Callable[[UnreadableLog], object] = lambda _: None
    """Called with every log left out, in the order of the schedule."""

    @contextmanager
    def steps(self, steps: Sequence[Step]) -> Generator[Iterator["Batches"]]:
        """Yield an iterator over the steps' micro-batches, in order, read ahead across steps; the
        threads end with the block."""
        # Not a generator, whose threads would end when it is collected: that may happen in any
        # thread, even one being started, and to wait for another thread there may never end.
        with self._ahead([batch for step in steps for batch in step]) as ahead:
            yield self._in_turn(steps, ahead)

    def _in_turn(self, steps: Sequence[Step], ahead: "_Ahead | None") -> Iterator["Batches"]:
        for step in steps:
            batches = Batches(self, step, ahead)
            yield batches
            batches.finish()

    def read(self, indices: MicroBatch) -> tuple[Batch | None, list[UnreadableLog]]:
        """Read one micro-batch, None if none of its logs can be read; returns the skipped logs too.

        Raises:
            VeerNetError: a log cannot be read, and `on_error` is "stop".
        """
        scans, skipped = list[Sample](), list[UnreadableLog]()
        for index in indices:
            try:
                scans.append(self.split[index])
            except (VeerNetError, OSError) as fault:
                if self.on_error == "stop":
                    raise
                name = self.split.rows[index].file_name
                skipped.append(UnreadableLog(file_name=name, reason=str(fault)))
        batch = collate(scans) if scans else None
        return batch.pin_memory() if self.pin and batch is not None else batch, skipped

    def bytes_of(self, indices: MicroBatch) -> int:
        """Return the host memory for reading a micro-batch, bytes: the batch and its samples, at
        one byte of image and one of target per pixel, and scratch to read or draw one log."""
        pixels = self.split.sizes[list(indices)].prod(1)
        scratch = 4 if self.split.draw is None else 8
        whole = padded_pixels(indices, self.split.sizes) + int(pixels.sum())
        return 2 * whole + scratch * int(pixels.max())

    @contextmanager
    def _ahead(self, batches: Sequence[MicroBatch]) -> Generator["_Ahead | None"]:
        if self.workers == 0:
            yield None
            return
        with ThreadPoolExecutor(self.workers, thread_name_prefix="veernet-load") as pool:
            ahead = _Ahead(self, pool, deque(batches))
            try:
                yield ahead
            finally:
                pool.shutdown(cancel_futures=True)


class Batches:
    """The micro-batches of one step. The first pass takes those read ahead and releases them one by
    one; another pass reads them again."""

    def __init__(self, loader: Loader, step: Step, ahead: "_Ahead | None"):
        self.loader, self.step, self.ahead, self.taken = loader, step, ahead, 0

    def __iter__(self) -> Iterator[Batch]:
        again = self.taken > 0
        for indices in self.step:
            ahead = None if again else self.ahead
            batch, skipped = self.loader.read(indices) if ahead is None else ahead.take()
            self.taken += not again
            if not again:
                for one in skipped:
                    self.loader.skipped(one)
            if batch is not None:
                yield batch
            del batch  # released before the next one is taken

    def finish(self) -> None:
        """Drop micro-batches that were not taken, so that the next step begins with its own."""
        while self.ahead is not None and self.taken < len(self.step):
            self.ahead.take()
            self.taken += 1


class _Ahead:
    """Queue of micro-batches being read, in order, within the bound in bytes."""

    def __init__(self, loader: Loader, pool: ThreadPoolExecutor, waiting: deque[MicroBatch]):
        self.loader, self.pool, self.waiting = loader, pool, waiting
        self.reading: deque[tuple[int, Future[tuple[Batch | None, list[UnreadableLog]]]]] = deque()
        self.held = self.lent = 0
        self._fill()

    def take(self) -> tuple[Batch | None, list[UnreadableLog]]:
        """Return the next micro-batch; the memory of the one before counts as free."""
        self.held -= self.lent
        self.lent = 0
        self._fill()
        self.lent, future = self.reading.popleft()
        return future.result()

    def _fill(self) -> None:
        while self.waiting and len(self.reading) < 4 * self.loader.workers:
            size = self.loader.bytes_of(self.waiting[0])
            if self.held and self.held + size > self.loader.prefetch_bytes:
                return
            self.held += size
            future = self.pool.submit(self.loader.read, self.waiting.popleft())
            self.reading.append((size, future))

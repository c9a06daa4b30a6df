"""Archives of synthetic logs: drawn once on all cores, restartable, or anew at every reading."""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path

import cv2

from veernet.data import archive
from veernet.data.archive import SPLITS, Archive, Log, PictureFormat, Row, SplitName
from veernet.errors import ArchiveError, OptionError
from veernet.files import parse, sweep
from veernet.synth.logs import SynthLogs


def make(
    root: Path,
    logs: SynthLogs,
    counts: tuple[int, int, int],
    *,
    pictures: PictureFormat = "tif",
    on_the_fly: bool = False,
    workers: int = 1,
    advance: Callable[[], object] = lambda: None,
) -> None:
    """Write an archive of `counts` logs for training, validation and test into `root`.

    Log numbers run through the splits, so that no log is in two of them. Run again after an
    interruption, it makes only what is missing. `advance` is called once a log.

    Args:
        on_the_fly: write sizes only; `open_archive` draws the logs wherever they are asked for.

    Raises:
        OptionError: no logs to train on.
        ArchiveError: `root` holds an archive made with other settings.
    """
    if counts[0] < 1 or min(counts) < 0:
        raise OptionError(f"an archive needs at least one log to train on; got {counts}")
    made = _Made(synth=logs, counts=counts, pictures=pictures)
    archive.begin(root, classes=logs.classes, made_by=asdict(made), drawn=on_the_fly)
    write = _drawn if on_the_fly else partial(_written, workers=workers)
    for split in SPLITS:
        if numbers := made.numbers(split):
            rows = [*write(root / split, logs, numbers, pictures, advance)]
            archive.finish(root / split, rows)


def open_archive(root: Path) -> Archive:
    """Open an archive, whether its logs are to be read or to be drawn.

    Raises:
        ArchiveError: there is none, it is not finished, or nothing here can draw it.
    """
    found = Archive.open(root)
    if not found.drawn:
        return found
    made = parse(_Made, found.made_by, where=str(root / "archive.json"), error=ArchiveError)

    def draw(split: SplitName, index: int) -> Log:
        return made.synth.log(made.numbers(split)[index])

    return replace(found, draw=draw)


@dataclass(frozen=True, kw_only=True)
class _Made:
    """What `make` writes of itself."""

    synth: SynthLogs
    counts: tuple[int, int, int]
    pictures: PictureFormat

    def numbers(self, split: SplitName) -> range:
        """Of the logs of a split."""
        place = SPLITS.index(split)
        ends = [*accumulate(self.counts, initial=0)]
        return range(ends[place], ends[place + 1])


def _drawn(
    _: Path,
    logs: SynthLogs,
    numbers: Sequence[int],
    pictures: PictureFormat,
    advance: Callable[[], object],
) -> Iterator[Row]:
    for number in numbers:
        yield logs.row(number, pictures=pictures)
        advance()


def _written(
    folder: Path,
    logs: SynthLogs,
    numbers: Sequence[int],
    pictures: PictureFormat,
    advance: Callable[[], object],
    *,
    workers: int,
) -> Iterator[Row]:
    """Draw and write what is missing, on `workers` processes."""
    sweep(folder)
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_settle_worker
    ) as pool:
        try:
            jobs = [pool.submit(_write, folder, logs, number, pictures) for number in numbers]
            for job in as_completed(jobs):
                job.result()
                advance()
        except BrokenProcessPool as lost:
            raise ArchiveError(
                f"{folder}: a process that draws was lost, perhaps for want of memory; the same "
                "command makes only what is missing, and --workers 1 takes least"
            ) from lost
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    for job in jobs:
        yield job.result()


def _settle_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    cv2.setNumThreads(1)  # the processes share the cores already


def _write(folder: Path, logs: SynthLogs, number: int, pictures: PictureFormat) -> Row:
    row = logs.row(number, pictures=pictures)
    if archive.is_written(folder, row):
        return archive.with_digests(folder, row)
    return archive.write_log(folder, row, logs.log(number))

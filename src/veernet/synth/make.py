"""Archives of synthetic logs: drawn once on all cores, restartable, or drawn on the fly."""

import os
import signal
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context, parent_process, resource_tracker
from pathlib import Path
from threading import Thread

import cv2

from veernet.data import writing
from veernet.data.logs import SPLITS, PictureFormat, Row, changed_files, image_name
from veernet.errors import ArchiveError, ArchiveWarning, OptionError
from veernet.synth.drawn import MadeBy, doubt_about, read_made_by
from veernet.synth.generator import LogFamily, generator_of
from veernet.synth.opening import open_archive as open_archive


def make(
    root: Path,
    logs: LogFamily,
    counts: tuple[int, int, int],
    *,
    pictures: PictureFormat = "tif",
    on_the_fly: bool = False,
    workers: int = 1,
    advance: Callable[[], object] = lambda: None,
) -> None:
    """Write an archive of `counts` logs for training, validation and test into `root`.

    Log numbers run through the splits, so that no log is in two of them. A second run writes
    only missing or changed files. `advance` is called once per log.

    Args:
        on_the_fly: write metadata only; `open_archive` draws logs each time they are read.

    Raises:
        OptionError: no logs to train on.
        ArchiveError: `root` holds an archive made with other settings, or an unfinished one that
            may be of another generator; or another process writes there.
    """
    if counts[0] < 1 or min(counts) < 0:
        raise OptionError(f"an archive needs at least one log to train on; got {counts}")
    now = generator_of(logs)
    made = MadeBy(synth=logs, counts=counts, pictures=pictures, generator=now)
    begun = writing.begun(
        root,
        classes=logs.classes,
        made_by=asdict(made),
        drawn=on_the_fly,
        present=lambda found: asdict(read_made_by(root, found)),
    )
    with begun as made_by, _painters(workers) as painters:
        write = _drawn if on_the_fly else partial(_written, painters=painters)
        doubt = doubt_about(root, read_made_by(root, made_by).generator, now)
        for split in SPLITS:
            if numbers := made.numbers(split):
                known = writing.recorded(root / split)
                found = [known.get(image_name(number, f".{pictures}")) for number in numbers]
                if not doubt:
                    found = [*map(made.as_written, numbers, found)]
                if doubt and None in found:
                    raise ArchiveError(doubt)
                rows = write(root / split, made, [*zip(numbers, found, strict=True)], advance)
                writing.finish(root / split, rows)
    if doubt and on_the_fly:
        warnings.warn(doubt, ArchiveWarning, stacklevel=2)


def _drawn(
    _: Path,
    made: MadeBy,
    found: Sequence[tuple[int, Row | None]],
    advance: Callable[[], object],
) -> list[Row]:
    """Return the rows of the logs, computing those that are missing."""
    rows = list[Row]()
    for number, row in found:
        rows.append(row or made.synth.row(number, pictures=made.pictures))
        advance()
    return rows


def _painters(workers: int) -> ProcessPoolExecutor:
    """Pool of processes that draw; they start only when there is something to draw."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_settle_worker)


def _written(
    folder: Path,
    made: MadeBy,
    found: Sequence[tuple[int, Row | None]],
    advance: Callable[[], object],
    *,
    painters: ProcessPoolExecutor,
) -> list[Row]:
    """Draw and write logs that are missing or damaged; returns the rows of all."""
    there = {number: row for number, row in found if row is not None}
    rows = _whole(folder, there, advance)
    known = {row.file_name: row for row in there.values()}
    with writing.journal(folder, known) as note:
        try:
            with _deaf_to_ctrl_c():
                jobs = {
                    painters.submit(_write, folder, made, number, row): number
                    for number, row in found
                    if number not in rows
                }
            for job in as_completed(jobs):
                rows[jobs[job]] = job.result()
                note(job.result())
                advance()
        except BrokenProcessPool as lost:
            raise ArchiveError(
                f"{folder}: a process that draws was lost, perhaps for want of memory; the same "
                "command makes only what is missing, and --workers 1 takes least"
            ) from lost
        except BaseException:
            painters.shutdown(cancel_futures=True)
            raise
    return [rows[number] for number, _ in found]


def _whole(folder: Path, there: Mapping[int, Row], advance: Callable[[], object]) -> dict[int, Row]:
    """Return the rows of the logs whose files are all as recorded, by their numbers."""
    found = dict[int, Row]()
    with ThreadPoolExecutor() as readers:
        try:
            changes = readers.map(partial(changed_files, folder), there.values())
            for (number, row), changed in zip(there.items(), changes, strict=True):
                if not changed:
                    found[number] = row
                    advance()
        except BaseException:
            readers.shutdown(cancel_futures=True)
            raise
    return found


@contextmanager
def _deaf_to_ctrl_c() -> Generator[None]:
    """Mask Ctrl-C during the block, so that processes started there never receive it, not even
    while they import; this process receives it when the block ends. Where no signal can be
    masked, nothing is."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows; `_settle_worker` ignores Ctrl-C there
        yield
        return
    resource_tracker.ensure_running()  # started later, it would unblock Ctrl-C
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _settle_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)  # the processes already use all cores
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent has ended, however that was."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _write(folder: Path, made: MadeBy, number: int, row: Row | None) -> Row:
    row = row or made.synth.row(number, pictures=made.pictures)
    return writing.write_log(folder, row, made.synth.log(number))

"""Archives of synthetic logs, made on all cores and restartable."""

import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from veernet.data import archive
from veernet.data.archive import SPLITS
from veernet.errors import OptionError
from veernet.synth.logs import SynthLogs


def make(
    root: Path,
    logs: SynthLogs,
    counts: tuple[int, int, int],
    *,
    workers: int = 1,
    advance: Callable[[], object] = lambda: None,
) -> None:
    """Write an archive of `counts` logs for training, validation and test into `root`.

    Log numbers run through the splits, so that no log is in two of them. Run again after an
    interruption, it makes only what is missing. `advance` is called once a log.

    Raises:
        OptionError: no logs to train on.
        ArchiveError: `root` holds an archive made with other settings.
    """
    if counts[0] < 1 or min(counts) < 0:
        raise OptionError(f"an archive needs at least one log to train on; got {counts}")
    made_by = {"synth": asdict(logs), "counts": list(counts)}
    archive.begin(root, classes=logs.classes, made_by=made_by)
    numbers = iter(range(sum(counts)))
    with ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),
        initializer=signal.signal,  # Ctrl-C is for the parent
        initargs=(signal.SIGINT, signal.SIG_IGN),
    ) as pool:
        for split, count in zip(SPLITS, counts, strict=True):
            indices = [next(numbers) for _ in range(count)]
            try:
                jobs = [pool.submit(_write, root / split, logs, index) for index in indices]
                for job in as_completed(jobs):
                    job.result()
                    advance()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            if indices:
                archive.finish(root / split, [logs.row(index) for index in indices])


def _write(folder: Path, logs: SynthLogs, index: int) -> None:
    row = logs.row(index)
    if not archive.is_written(folder, row):
        archive.write_log(folder, row, logs.log(index))

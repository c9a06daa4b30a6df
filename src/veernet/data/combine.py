"""Archives made from archives: several merged into one, or a subset of one."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from veernet.data import writing
from veernet.data.archive import Archive
from veernet.data.logs import SPLITS, PictureFormat, Row, SplitName, changed_files, sha256
from veernet.data.split import Split
from veernet.errors import ArchiveError, OptionError
from veernet.files import atomic_write

Chosen = Mapping[SplitName, Sequence[tuple[Split, int]]]
"""Logs of every split of a new archive, each as its old split and its index there."""


def merge(
    root: Path,
    archives: Sequence[Archive],
    *,
    pictures: PictureFormat = "tif",
    workers: int = 1,
    advance: Callable[[], object] = lambda: None,
) -> None:
    """Write all logs of `archives` into a new one in `root`, split by split, one after the other.

    Files are copied and keep their recorded digests; logs of archives that draw on the fly are
    drawn and written as `pictures`. A second run writes only missing or changed files. `advance` is
    called once per log; `workers` logs are written at a time.

    Raises:
        ArchiveError: their classes differ, or `root` holds something else, or another process
            writes there.
    """
    first = archives[0]
    for other in archives[1:]:
        if other.classes != first.classes:
            raise ArchiveError(
                f"{other.root} has the classes {', '.join(other.classes)}, where {first.root} has "
                f"{', '.join(first.classes)}; only archives of the same classes merge"
            )
    found = [one.splits() for one in archives]
    chosen: dict[SplitName, list[tuple[Split, int]]] = {}
    for splits in found:
        for name, split in splits.items():
            chosen.setdefault(name, []).extend((split, i) for i in range(len(split)))
    made_by = {
        "merged": [{name: split.fingerprint for name, split in splits.items()} for splits in found]
    }
    _gather(root, first.classes, chosen, made_by, pictures, workers, advance)


def subset(
    root: Path,
    whole: Archive,
    counts: Mapping[SplitName, int],
    *,
    seed: int = 0,
    pictures: PictureFormat = "tif",
    workers: int = 1,
    advance: Callable[[], object] = lambda: None,
) -> None:
    """Write `counts[split]` random logs of `whole`, in their order, into a new archive.

    Writes as `merge` does.

    Raises:
        OptionError: `counts` asks for more logs than there are, or for none at all.
        ArchiveError: `root` holds something else, or another process writes there.
    """
    splits: dict[SplitName, Split] = {
        name: whole.split(name) for name, count in counts.items() if count
    }
    if not splits:
        raise OptionError("a subset needs at least one log")
    chosen: dict[SplitName, list[tuple[Split, int]]] = {}
    for name, split in splits.items():
        if not 0 < counts[name] <= len(split):
            raise OptionError(
                f"{counts[name]} logs of {whole.root}/{name} were asked for; it has {len(split)}"
            )
        rng = np.random.default_rng([seed, SPLITS.index(name)])
        numbers = np.sort(rng.choice(len(split), counts[name], replace=False))
        chosen[name] = [(split, index) for index in numbers.tolist()]
    made_by = {
        "subset_of": {name: split.fingerprint for name, split in splits.items()},
        "counts": dict(counts),
        "seed": seed,
    }
    _gather(root, whole.classes, chosen, made_by, pictures, workers, advance)


def _gather(
    root: Path,
    classes: Sequence[str],
    chosen: Chosen,
    made_by: dict[str, Any],
    pictures: PictureFormat,
    workers: int,
    advance: Callable[[], object],
) -> None:
    begun = writing.begun(root, classes=classes, made_by=made_by)
    with begun, ThreadPoolExecutor(workers) as pool:
        for name, logs in chosen.items():
            folder, rows = root / name, list[Row]()
            known = writing.recorded(folder)
            jobs = [
                pool.submit(_bring, folder, number, split, index, pictures, known)
                for number, (split, index) in enumerate(logs)
            ]
            try:
                with writing.journal(folder, known) as note:
                    for job in jobs:
                        rows.append(job.result())
                        note(rows[-1])
                        advance()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            writing.finish(folder, rows)


def _bring(
    folder: Path,
    number: int,
    split: Split,
    index: int,
    pictures: PictureFormat,
    known: Mapping[str, Row],
) -> Row:
    """Write one log into `folder` as its log `number`, unless it is already there."""
    old, drawn = split.rows[index], split.draw is not None
    row = old.renumbered(number, pictures if drawn else None)
    row = known.get(row.file_name, row)
    changed = changed_files(folder, row)
    if drawn and changed:
        return writing.write_log(folder, row, split.log(index))
    recorded = row.sha256 or (None,) * len(row.files)
    for name, new, digest in zip(old.files, row.files, recorded, strict=True):
        if new in changed:
            with atomic_write(folder / new) as temporary:
                shutil.copyfile(split.folder / name, temporary)
                if digest not in (None, sha256(temporary)):
                    raise ArchiveError(
                        f"{split.folder / name}: not the file that was recorded (SHA-256 differs), "
                        "so nothing was made of it; `veernet inspect` names all that are damaged"
                    )
    return row

"""Sets of files that are replaced as one."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

from veernet.errors import VeerNetError
from veernet.files import flush_names, lock, read_json, write_json

SET = ".veernet-set-"
"""Beginning of the names of folders in which sets of files are made, inside the folder where they
go. With the key of a set alone: it is whole. With more: it is being made."""

_GONE = ".gone.json"
"""Names of files that go when a set is put in place, inside its folder."""

_TIMEOUT = 10.0
"""Longest wait for the lock of a folder, s. Sets are put in place in far less; whoever holds it for
longer does something else there, like training a run."""


@contextmanager
def atomic_write_set(
    folder: Path, main: str, *, older: Callable[[], Iterable[str]] = tuple
) -> Generator[Path]:
    """Make files that belong together in a folder of their own, whose path is yielded; they go to
    `folder` as one when the block ends well.

    If the block raises, an older set is as it was. The file `main` says that a set is whole: it is
    taken away before the first of the others is replaced, and put in place after the last. Where
    the process is killed in between, `whole_set` and the next `replacing_set` put the rest in
    place.

    Args:
        older: names of the files of an older set, asked for while nobody else puts a set in place;
            what the new set has not, goes. What it raises refuses the new set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        _finish(folder, main)
        made = Path(tempfile.mkdtemp(prefix=f"{_ready(folder, main).name}-", dir=folder))
        handle = os.open(made, os.O_RDONLY)
        _lock(handle)  # says that it is still being made
    try:
        with _naming_in(folder, made):
            yield made
        with _locked(folder):
            _finish(folder, main)  # of another process
            new = {path.name for path in made.iterdir()}
            write_json(made / _GONE, sorted({*older()} - new))
            flush_names(made)
            made.rename(_ready(folder, main))  # from here on it is the set
            _finish(folder, main)
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(handle)


@contextmanager
def whole_set(folder: Path, main: str) -> Generator[None]:
    """Keep a set of files as it is while the block reads it; one that is being put in place is
    whole before."""
    with _locked(folder):
        _finish(folder, main)
        yield


def _ready(folder: Path, main: str) -> Path:
    return folder / f"{SET}{hashlib.sha256(os.fsencode(main)).hexdigest()[:16]}"


def _finish(folder: Path, main: str) -> None:
    """Put a set in place that is whole, if there is one, and remove what nobody makes any more."""
    ready = _ready(folder, main)
    if (ready / main).exists():
        gone = read_json(ready / _GONE, error=VeerNetError, missing=f"{ready / _GONE}: missing")
        (folder / main).unlink(missing_ok=True)
        for name in gone:
            (folder / Path(name).name).unlink(missing_ok=True)
        for path in sorted(ready.iterdir()):
            if path.name not in (main, _GONE):
                path.replace(folder / path.name)
        flush_names(folder)
        (ready / main).replace(folder / main)
        flush_names(folder)
    shutil.rmtree(ready, ignore_errors=True)
    for stray in folder.glob(f"{SET}*-*"):
        with suppress(FileNotFoundError):  # whoever made it has just removed it
            handle = os.open(stray, os.O_RDONLY)
            if _lock(handle):
                shutil.rmtree(stray, ignore_errors=True)
            os.close(handle)


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Be the only one who puts sets in place there, where the system has locks for folders."""
    handle, limit = os.open(folder, os.O_RDONLY), time.monotonic() + _TIMEOUT
    try:
        while not _lock(handle) and time.monotonic() < limit:
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        return lock(handle)
    except OSError:  # some network file systems lock no folders
        return True


@contextmanager
def _naming_in(folder: Path, made: Path) -> Generator[None]:
    """Have errors of the disk name a file by where it would have gone."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and Path(str(error.filename)).parent == made:
            error.filename = str(folder / Path(str(error.filename)).name)
        raise

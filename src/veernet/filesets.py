"""Sets of files that are replaced together or not at all."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

from veernet.errors import VeerNetError
from veernet.files import flush_names, read_json, write_json
from veernet.locks import lock, lockable

SET = ".veernet-set-"
"""Prefix of the folders in which sets of files are written, inside their destination. A name of
prefix and key alone is a complete set; a longer one is still being written."""

_GONE = ".gone.json"
"""File, inside the set's folder, with the names to delete when the set is put in place."""

_TIMEOUT = 10.0
"""Longest wait for the lock of a folder, s. Putting a set in place takes far less; a process that
holds it for longer does something else there, like training a run."""


@contextmanager
def atomic_write_set(
    folder: Path, main: str, *, older: Callable[[], Iterable[str]] = tuple
) -> Generator[Path]:
    """Yield a temporary folder for files that belong together; move them to `folder` as one when
    the block ends well.

    If the block raises, an older set stays as it was. The file `main` marks a complete set: it is
    removed before the first of the others is replaced, and put in place after the last. If the
    process is killed in between, `whole_set` and the next `atomic_write_set` put the rest in place.

    Args:
        older: returns the names of the files of an older set, called while no other process puts a
            set in place; those that the new set lacks are deleted. If it raises, the new set is
            dropped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        _finish(folder, main)
        staging = Path(tempfile.mkdtemp(prefix=f"{_ready(folder, main).name}-", dir=folder))
        handle = lockable(staging)
        _lock(handle)  # marks it as still being written
    try:
        with _naming_in(folder, staging):
            yield staging
        with _locked(folder):
            _finish(folder, main)  # a set of another process
            new = {path.name for path in staging.iterdir()}
            write_json(staging / _GONE, sorted({*older()} - new))
            flush_names(staging)
            staging.rename(_ready(folder, main))  # the set is complete from here on
            _finish(folder, main)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(handle)


@contextmanager
def whole_set(folder: Path, main: str) -> Generator[None]:
    """Keep a set of files unchanged while the block reads it; a set left half in place is completed
    first."""
    with _locked(folder):
        _finish(folder, main)
        yield


def _ready(folder: Path, main: str) -> Path:
    return folder / f"{SET}{hashlib.sha256(os.fsencode(main)).hexdigest()[:16]}"


def _finish(folder: Path, main: str) -> None:
    """Put a complete set in place, if there is one, and remove sets whose process has ended."""
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
        with suppress(FileNotFoundError):  # its process has just removed it
            handle = lockable(stray)
            if _is_abandoned(handle):
                shutil.rmtree(stray, ignore_errors=True)
            os.close(handle)


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Hold the lock for putting sets in place in a folder, where the system has such locks."""
    handle, limit = lockable(folder), time.monotonic() + _TIMEOUT
    try:
        while not _lock(handle) and time.monotonic() < limit:
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        return lock(handle)
    except OSError:  # some network file systems cannot lock folders
        return True


def _is_abandoned(handle: int) -> bool:
    """Return whether nobody writes in a set's folder any more; where folders cannot be locked, that
    is not known, and the folder stays."""
    try:
        return lock(handle)
    except OSError:
        return False


@contextmanager
def _naming_in(folder: Path, made: Path) -> Generator[None]:
    """Name a file by its destination in disk errors from the block."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and Path(str(error.filename)).parent == made:
            error.filename = str(folder / Path(str(error.filename)).name)
        raise

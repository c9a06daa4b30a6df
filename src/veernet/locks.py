"""Locks of folders, which end with the process that holds them, however that ends."""

import errno
import hashlib
import os
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor

from veernet.errors import VeerNetError

OPENS_FOLDERS = os.name != "nt"
"""True where a folder can be opened, and so locked itself."""


@contextmanager
def claimed(folder: Path, taken: VeerNetError) -> Generator[None]:
    """Claim a folder for this process during the block; the claim ends with the process, however
    that ends.

    Where the system has no locks, there is a warning, and no claim.

    Raises:
        taken: another process holds the claim.
    """
    handle = lockable(folder)
    try:
        if not _lock_or_warn(handle):
            raise taken
        yield
    finally:
        os.close(handle)


def lockable(folder: Path) -> int:
    """Open what is locked for a folder, and return its descriptor: the folder; on Windows, which
    opens none, a file named after it among the temporary ones of the user."""
    if OPENS_FOLDERS:
        return os.open(folder, os.O_RDONLY)
    locks = Path(tempfile.gettempdir()) / "veernet-locks"
    locks.mkdir(exist_ok=True)
    name = os.path.normcase(folder.resolve(strict=True))
    return os.open(locks / hashlib.sha256(os.fsencode(name)).hexdigest(), os.O_RDWR | os.O_CREAT)


def lock(handle: int) -> bool:
    """Lock what `lockable` opened until it is closed; return False if it is locked already.

    Raises:
        OSError: the system, or the file system, has no such locks.
    """
    return lock_descriptor(handle, blocking=False)


def _lock_or_warn(handle: int) -> bool:
    try:
        return lock(handle)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
    warnings.warn(
        "this system has no locks of files; see that no two commands write to one folder at once",
        RuntimeWarning,
        stacklevel=4,
    )
    return True

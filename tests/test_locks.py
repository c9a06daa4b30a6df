"""A folder is of one process at a time, as long as that process lives."""

import errno
import os
import subprocess
import sys
from functools import partial

import pytest

from veernet import locks
from veernet.errors import ArchiveError
from veernet.locks import claimed

HOLDING = """
import sys
from pathlib import Path
from veernet import locks
from veernet.errors import ArchiveError
locks.OPENS_FOLDERS = sys.argv[1] == "True"
with locks.claimed(Path(sys.argv[2]), ArchiveError("taken")):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=[True, False], ids=["the folder", "a file in its place"])
def lockable(request, monkeypatch, tmp_path):
    """Systems that lock a folder itself, and one that opens none."""
    monkeypatch.setattr(locks, "OPENS_FOLDERS", request.param)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


def test_a_folder_is_claimed_by_one_and_free_when_it_is_gone(lockable):
    claim = partial(claimed, lockable, ArchiveError("taken"))
    with claim(), pytest.raises(ArchiveError, match="taken"), claim():
        pass
    with claim():
        pass
    other = lockable.with_name("other")
    other.mkdir()
    with claim(), claimed(other, ArchiveError("of another folder")):
        pass
    assert not [*lockable.iterdir()]


def test_the_claim_of_a_process_ends_when_it_is_killed(lockable):
    words = [sys.executable, "-c", HOLDING, str(locks.OPENS_FOLDERS), str(lockable)]
    with subprocess.Popen(
        words, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(ArchiveError, match="taken"), claimed(lockable, ArchiveError("taken")):
            pass
        process.kill()
        process.wait()
        with claimed(lockable, ArchiveError("taken")):
            pass


def test_a_folder_that_is_not_there_is_not_claimed(lockable):
    gone = lockable / "gone"
    with pytest.raises(FileNotFoundError), claimed(gone, ArchiveError("taken")):
        pass


def test_a_system_without_locks_says_so_where_one_is_needed(tmp_path, monkeypatch):
    def missing(_, *, blocking):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(locks, "lock_descriptor", missing)
    with (
        pytest.warns(RuntimeWarning, match="this system has no locks of files"),
        claimed(tmp_path, ArchiveError("taken")),
    ):
        pass

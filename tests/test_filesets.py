"""Sets of files are replaced as one, whatever ends it."""

import errno
import os
import pathlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from veernet import locks
from veernet.files import write_text
from veernet.filesets import atomic_write_set, whole_set

SET = "a.txt", "b.txt", "main.txt"


def write_set(folder, version, names=SET):
    with atomic_write_set(folder, "main.txt", older=lambda: SET) as made:
        for name in names:
            write_text(made / name, version)


def versions(folder, names=SET):
    return [(folder / name).read_text() for name in names if (folder / name).exists()]


def full_after(n):
    """A disk that takes so many files."""
    left = [n]

    def fsync(_):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return fsync


def test_a_set_of_files_that_fails_leaves_the_older_one_whole(tmp_path, monkeypatch):
    write_set(tmp_path, "old")
    (tmp_path / "notes.txt").write_text("mine")
    monkeypatch.setattr(os, "fsync", full_after(1))
    with pytest.raises(OSError, match=rf"No space left on device: '{tmp_path}/b.txt'"):
        write_set(tmp_path, "new")
    monkeypatch.undo()
    assert versions(tmp_path) == ["old"] * 3
    assert len([*tmp_path.iterdir()]) == 4
    write_set(tmp_path, "new", SET[1:])
    assert versions(tmp_path) == ["new"] * 2  # and a.txt went with the older set
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_set_is_written_and_read_where_folders_cannot_be_locked(tmp_path, monkeypatch):
    def missing(_, *, blocking):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks, "lock_descriptor", missing)
    write_set(tmp_path, "old")
    write_set(tmp_path, "new", SET[1:])
    with whole_set(tmp_path, "main.txt"):
        assert versions(tmp_path) == ["new"] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [*SET[1:]]


class Killed(BaseException):
    """Nothing is tidied after it."""


def killed_after(n, monkeypatch):
    """The process ends when it has changed so many names."""
    left = [n]

    def counted(real):
        def change(*args, **kwargs):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(*args, **kwargs)

        return change

    for name in ("rename", "replace", "unlink"):
        monkeypatch.setattr(pathlib.Path, name, counted(getattr(pathlib.Path, name)))


def test_a_set_that_was_killed_while_it_was_put_in_place_is_whole_when_it_is_read(
    tmp_path, monkeypatch
):
    """At every change of a name: until then nobody sees parts of two sets beside the main file."""
    seen = []
    for changes in range(30):
        folder = tmp_path / str(changes)
        write_set(folder, "old")
        with monkeypatch.context() as patched, suppress(Killed):
            killed_after(changes, patched)
            write_set(folder, "new", SET[1:])
        before = versions(folder)
        assert before in (["old"] * 3, ["new"] * 2) or not (folder / "main.txt").exists()
        with whole_set(folder, "main.txt"):
            assert versions(folder) in (["old"] * 3, ["new"] * 2)
            seen.append((len(before), *versions(folder)))
        assert not [*folder.glob(".*")]
    assert len({*seen}) > 3  # before, after, and places in between


def test_sets_that_are_put_in_place_at_once_lose_nothing(tmp_path):
    """By three writers of one set and one of another; whoever reads sees one of them, whole."""

    def write(number):
        for turn in range(8):
            write_set(tmp_path, f"{number} {turn}")

    def write_other(_):
        for turn in range(8):
            with atomic_write_set(tmp_path, "other.txt") as made:
                write_text(made / "other.txt", f"{turn}")

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(write, number) for number in range(3)] + [pool.submit(write_other, 3)]
        while not all(one.done() for one in done):
            with whole_set(tmp_path, "main.txt"):
                assert len({*versions(tmp_path)}) <= 1
                assert len(versions(tmp_path)) in (0, 3)
        assert [one.result() for one in done] == [None] * 4
    assert sorted(path.name for path in tmp_path.iterdir()) == [*SET, "other.txt"]
    assert (tmp_path / "other.txt").read_text() == "7"

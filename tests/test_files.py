"""Files appear whole or not at all."""

import errno
import os
import pathlib
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest

from veernet.errors import ArchiveError, RunError
from veernet.files import (
    claimed,
    is_temporary,
    read_json_lines,
    replacing,
    replacing_set,
    sweep,
    whole_set,
    write_json_lines,
    write_text,
)


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with replacing(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(UnicodeEncodeError), replacing(path) as temporary:
        temporary.write_text("half \ud800", encoding="utf-8")
    assert path.read_text() == "old"
    assert [*path.parent.iterdir()] == [path]


def read(path, **options):
    return read_json_lines(path, error=RunError, missing="no log", **options)


def test_a_line_cut_off_while_it_was_written_is_dropped_only_where_it_may_be(tmp_path):
    path = tmp_path / "log.jsonl"
    with pytest.raises(RunError, match="^no log$"):
        read(path)
    write_json_lines(path, [{"a": 1}, {"b": "é"}])
    with path.open("a") as file:
        file.write('{"c": ')
    assert read(path, may_be_cut=True) == [{"a": 1}, {"b": "é"}]
    with pytest.raises(RunError, match=r"log.jsonl: damaged \(line 3, the last, is cut off\)"):
        read(path)
    write_json_lines(path, [{"name": "a\u2028b"}])
    assert read(path) == [{"name": "a\u2028b"}]
    path.write_text("3\n")
    with pytest.raises(RunError, match="line 1 is not a JSON object"):
        read(path)


KILLED = """
import os, signal, sys
from pathlib import Path
from veernet.files import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_while_writing(path):
    """What a process left that was killed while it wrote `path`."""
    assert subprocess.run([sys.executable, "-c", KILLED, path]).returncode == -9
    (stray,) = set(path.parent.iterdir())
    return stray


def test_what_a_killed_process_left_is_removed_and_no_file_of_a_user(tmp_path):
    stray = killed_while_writing(tmp_path / "deep" / "log.tif")
    users = [
        ".2024-11-02-notes.md",
        f".{2**22 + 1}-000001.tif",  # as an older version left them, or a user's
        ".veernet-notes.md",
        ".veernet-0123abcd-1-0123abcd-1.txt",
        stray.name[1:],
        f"x{stray.name}",
    ]
    for name in users:
        (tmp_path / "deep" / name).touch()
    sweep(tmp_path)
    assert not stray.exists()
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {*users}


def test_what_may_still_be_written_is_left_alone(tmp_path):
    with replacing(tmp_path / "own.json") as own:
        own.write_text("{}")
        machine, process, life, rest = re.split(r"(?<=[0-9a-f])-", own.name, maxsplit=3)
        others = {
            f"{machine}-{os.getppid()}-{life}-{rest}": True,
            f"{machine}-{process}-{'0' * 8}-{rest}": False,  # an earlier life of this process
            f"{machine}-{2**22 + 1}-{life}-{rest}": False,
            f".veernet-{'0' * 8}-{2**22 + 1}-{life}-{rest}": True,  # on another machine
            f".veernet-{'1' * 8}-{2**22 + 1}-{life}-{rest}": False,  # and a day ago
        }
        for name in others:
            (tmp_path / name).touch()
            assert is_temporary(tmp_path / name)
        yesterday = time.time() - 25 * 3600
        os.utime(tmp_path / [*others][-1], (yesterday, yesterday))
        sweep(tmp_path)
        assert own.exists()
    assert {name: (tmp_path / name).exists() for name in others} == others


@pytest.mark.parametrize(
    "name", ["x" * 251 + ".tif", "x." + "y" * 253, "m\udcfchle.\udcff", "a.b\nc", ".hidden"]
)
def test_a_file_may_have_any_name_that_the_disk_takes(tmp_path, name):
    with replacing(tmp_path / name) as temporary:
        temporary.write_text("whole")
        assert is_temporary(temporary)
    assert [os.fsencode(path) for path in tmp_path.iterdir()] == [os.fsencode(tmp_path / name)]


def test_writers_that_share_a_name_do_not_share_a_temporary_file(tmp_path):
    with replacing(tmp_path / "a") as one, replacing(tmp_path / "a") as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a").read_text() == "one"


def test_a_folder_is_claimed_by_one_and_free_when_it_is_gone(tmp_path):
    claim = partial(claimed, tmp_path, ArchiveError("taken"))
    with claim(), pytest.raises(ArchiveError, match="taken"), claim():
        pass
    with claim():
        pass
    assert not [*tmp_path.iterdir()]


SET = "a.txt", "b.txt", "main.txt"


def write_set(folder, version, names=SET):
    with replacing_set(folder, "main.txt", older=lambda: SET) as made:
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
            with replacing_set(tmp_path, "other.txt") as made:
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

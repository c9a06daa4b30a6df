"""Files appear whole or not at all."""

import errno
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from pydantic import BeforeValidator

from veernet.errors import RunError
from veernet.files import (
    atomic_write,
    formerly,
    is_temporary,
    read_json_lines,
    remove_stale,
    spelt,
    validate,
    write_json_lines,
    write_text,
)


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(UnicodeEncodeError), atomic_write(path) as temporary:
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
from veernet.files import atomic_write
with atomic_write(Path(sys.argv[1])) as temporary:
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
    remove_stale(tmp_path)
    assert not stray.exists()
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {*users}


def test_what_may_still_be_written_is_left_alone(tmp_path):
    with atomic_write(tmp_path / "own.json") as own:
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
        remove_stale(tmp_path)
        assert own.exists()
    assert {name: (tmp_path / name).exists() for name in others} == others


@pytest.mark.parametrize(
    "name", ["x" * 251 + ".tif", "x." + "y" * 253, "m\udcfchle.\udcff", "a.b\nc", ".hidden"]
)
def test_a_file_may_have_any_name_that_the_disk_takes(tmp_path, name):
    with atomic_write(tmp_path / name) as temporary:
        temporary.write_text("whole")
        assert is_temporary(temporary)
    assert [os.fsencode(path) for path in tmp_path.iterdir()] == [os.fsencode(tmp_path / name)]


def test_writers_that_share_a_name_do_not_share_a_temporary_file(tmp_path):
    with atomic_write(tmp_path / "a") as one, atomic_write(tmp_path / "a") as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a").read_text() == "one"


@pytest.mark.parametrize("wrong", ["copy", "write", "another", "no number"])
def test_an_error_of_the_disk_names_the_file_that_it_is_about(tmp_path, wrong):
    path, other = tmp_path / "file.tif", tmp_path / "other"
    full = os.strerror(errno.ENOSPC)

    def fail(temporary):
        match wrong:
            case "copy":
                raise OSError(errno.ENOSPC, full, str(other), None, str(temporary))
            case "write":
                raise OSError(errno.ENOSPC, full)
            case "another":
                raise OSError(errno.EIO, full, str(other))
            case _:
                raise OSError("encoder error -2")

    with pytest.raises(OSError) as message, atomic_write(path) as temporary:  # noqa: PT011
        fail(temporary)
    named = other if wrong == "another" else path
    assert (message.value.filename, message.value.filename2) == (str(named), None)
    assert [*tmp_path.iterdir()] == []


@dataclass(frozen=True, kw_only=True)
class Inner:
    side: Literal["left", "right"]
    length: float

    def __post_init__(self):
        if self.length < 0:
            raise ValueError(f"a length is not below 0, got {self.length}")


@dataclass(frozen=True, kw_only=True)
class Outer:
    inner: tuple[Inner, ...]
    name: str = ""


GOOD = {"side": "left", "length": 2}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "inner: missing"),
        ({"inner": [], "nmae": "a"}, "nmae: no such name here; did you mean name?"),
        (
            {"inner": [{**GOOD, "lenght": 1}]},
            "inner.0.lenght: no such name here; did you mean length?",
        ),
        ({"inner": [], "lenght": 1}, "lenght: no such name here; did you mean inner.length?"),
        ({"inner": [], "name": 3}, "name: should be a valid string; got 3"),
        ({"inner": "abc"}, "inner: should be a list; got 'abc'"),
        ({"inner": [GOOD, 7]}, "inner.1: should be a table of names and values; got 7"),
        (
            {"inner": [GOOD, {**GOOD, "side": "up"}]},
            "inner.1.side: should be 'left' or 'right'; got 'up'",
        ),
        ({"inner": [{**GOOD, "length": -2}]}, "inner.0: a length is not below 0, got -2.0"),
        ([], "file: should be a table of names and values; got []"),
        ({"inner": [], "name": ["x" * 9] * 99}, "name: should be a valid string; got ["),
    ],
)
def test_what_does_not_fit_is_told_by_its_place_and_what_came(value, message):
    with pytest.raises(RunError) as refused:
        validate(Outer, value, where="f.toml", error=RunError)
    assert str(refused.value).startswith(f"f.toml: {message}")
    assert len(str(refused.value)) < 120


@dataclass(frozen=True, kw_only=True)
class Renamed:
    line_width: Annotated[int, formerly("pen")]


@dataclass(frozen=True, kw_only=True)
class Page:
    lines: Annotated[tuple[Renamed, ...], spelt("line")]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"line": [{}]}, "line.0.line_width: missing"),
        ({"line": [{"line_width": "a"}]}, "line.0.line_width: should be"),
        ({"line": [{"pen": "a"}]}, "line.0.pen: should be"),
        ({}, "line: missing"),
    ],
)
def test_a_field_is_told_by_its_name_in_files_and_a_missing_one_by_the_present_name(value, message):
    with pytest.raises(RunError, match=f"^f.toml: {message}"):
        validate(Page, value, where="f.toml", error=RunError)


@dataclass(frozen=True, kw_only=True)
class Network:
    out_channels: Annotated[int, formerly("planes"), BeforeValidator(int)] = 3


@dataclass(frozen=True, kw_only=True)
class Run:
    networks: Annotated[tuple[Network, ...], formerly("network")]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"networks": [{}, {"planes": 2, "out_channels": 2}]},
            "networks.1.out_channels: given as planes too",
        ),
        ({"network": [], "networks": []}, "networks: given as network too"),
        ({"networks": [], "out_channels": 2}, "out_channels: no such name here"),
        ({"network": [{"planes": 2, "plane": 2}]}, "network.0.plane: no such name here"),
    ],
)
def test_a_field_given_by_its_present_and_its_former_name_is_refused_by_both(value, message):
    with pytest.raises(RunError, match=rf"^f\.toml: {message}"):
        validate(Run, value, where="f.toml", error=RunError)


def test_what_is_no_ordinary_file_is_not_replaced(tmp_path):
    """A device, like /dev/null, would become a file."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(FileExistsError, match="exists, and is no ordinary file"):
            write_text(path, "some")
    assert (tmp_path / "pipe").is_fifo()
    assert [*tmp_path.iterdir()] == [tmp_path / "pipe"]

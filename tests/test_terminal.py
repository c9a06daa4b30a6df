"""What a terminal is shown, and what happens where nobody, or nothing, takes it."""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.table import Table

from veernet.data.raster import write_picture
from veernet.terminal import Screen, lasting_streams, one_line, say, visible

UNSEEN = {
    "escape": ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
    "c1": ("\x9b31m", "\\x9b31m"),
    "carriage return": ("a\rb", "a\\x0db"),
    "right to left": ("a\u202eb", "a\\u202eb"),
    "line separator": ("a\u2028b", "a\\u2028b"),
    "tag": ("a\U000e0041b", "a\\U000e0041b"),
    "byte that is not UTF-8": (os.fsdecode(b"caf\xe9"), "caf\\xe9"),
}


@pytest.mark.parametrize("case", UNSEEN)
def test_what_a_terminal_would_obey_is_shown_by_its_number(case, capsys):
    text, shown = UNSEEN[case]
    assert visible(text) == shown
    assert visible("µ 5 × 3\n\tGR ±1, Müller, 井") == "µ 5 × 3\n\tGR ±1, Müller, 井"
    assert one_line(Path(f"a\n{text}\tb")) == f"a\\n{shown}\\tb"
    table = Table("name", box=None, title=text)
    table.add_row(text)
    screen = Screen()
    screen.print(table)
    screen.print(f"wrote {text}", soft_wrap=True)
    screen.rule(text)
    say(text)
    out, err = capsys.readouterr()
    assert out.count(shown) == 4
    assert err == f"veernet: {shown}\n"
    assert all(one.isprintable() or one == "\n" for one in out + err)


def stream(encoding):
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", "5 x 3 # 2-3 \\xfc \\u4e95"),
        ("latin-1", "5 × 3 # 2-3 ü \\u4e95"),
        ("utf-8", "5 × 3 █ 2–3 ü 井"),
    ],
)
def test_a_terminal_of_any_encoding_takes_all_that_is_said(monkeypatch, encoding, shown):
    out = stream(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    with lasting_streams():
        print("5 × 3 █ 2–3 ü 井")
    assert out.buffer.getvalue().decode(encoding) == f"{shown}\n"
    assert out.errors == "strict"


def test_a_disk_that_takes_no_output_is_told_when_the_work_is_done(monkeypatch):
    done = []

    def work():
        with lasting_streams():
            print("some", flush=True)
            done.append("work")
            print("more")

    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(OSError, match="No space left on device: 'standard output'"):
            work()
    assert done == ["work"]


def python(*words, **options):
    command = [sys.executable, "-m", "veernet", *map(str, words)]
    return subprocess.run(command, stderr=subprocess.PIPE, timeout=120, check=False, **options)


def test_help_that_the_disk_does_not_take_is_a_failure():
    with Path("/dev/full").open("w") as full:
        done = python("--help", stdout=full)
    message = b"veernet: standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, message)


@pytest.mark.parametrize(
    ("words", "code"), [(["plan", "--help"], 0), (["--version"], 0), (["digitise", "x"], 2)]
)
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_command_works_without_the_streams_that_it_was_started_without(words, code, closed):
    """What is told of an error is no output, either."""
    shell = ["bash", "-c", f'"$0" -m veernet "$@" {closed}', sys.executable, *words]
    done = subprocess.run(shell, capture_output=True, timeout=120, check=False)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
    assert (done.stdout == b"") == (code == 2 or closed != "2>&-")


@pytest.mark.parametrize("colour", [False, True])
def test_no_color_holds_for_the_help(colour):
    end, terminal = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "NO_COLOR": "" if colour else "1"}
    done = python("report", "--help", stdout=terminal, env=env)
    os.close(terminal)
    message = os.read(end, 65536)
    os.close(end)
    assert (done.returncode, b"--digitised" in message) == (0, True)
    assert (b"\x1b[" in message) == colour


def test_commands_work_where_the_locale_is_ascii(small_archive, tmp_path):
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    picture = tmp_path / "größe.png"
    words = ("inspect", small_archive, "--draw", picture)
    done = python(*words, stdout=subprocess.PIPE, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    assert re.search(rb"wrote .*gr\\xc3\\xb6\\xc3\\x9fe.png\n", done.stdout)
    assert picture.exists()


CALIBRATION = """\
[depth]
unit = "ft"
step = 0.5
ties = [[0.0, 1000.0], [90.0, 1045.0]]
[[track]]
left = 0
right = 60
top = 0
bottom = 99
[[track.curve]]
mnemonic = "GR"
unit = "API"
left = 0.0
right = 150.0
"""


def test_files_whose_names_are_not_utf_8_are_read_and_written(veernet, tmp_path, capsys):
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    name = os.fsdecode(b"b\xfcndel")
    scan = np.full((100, 61), 255, np.uint8)
    scan[:, 30:32] = 0
    write_picture(odd / f"{name}.png", scan)
    (odd / f"{name}.toml").write_text(CALIBRATION)
    options = ("--calibration", odd / f"{name}.toml", "--out", odd / "out")
    assert veernet("digitise", odd / f"{name}.png", *options) == 0
    assert (odd / "out" / f"{name}.las").exists()
    archive = odd / "archive"
    counts = ("--train", 1, "--val", 1, "--test", 0, "--workers", 1)
    size = ("--height", 32, 40, "--width", 64, 90)
    assert veernet("synth", archive, *size, *counts) == 0
    assert veernet("merge", odd / "both", archive, archive) == 0
    assert veernet("inspect", odd / "both") == 0
    assert "\\xfcndel.las" in capsys.readouterr().out


@pytest.mark.parametrize("words", [("train",), ("demo",)])
def test_a_run_whose_name_cannot_be_written_is_refused_before_it_begins(
    veernet, small_archive, tmp_path, capsys, words
):
    run = tmp_path / os.fsdecode(b"r\xfcn")
    archive = [small_archive] if words == ("train",) else []
    assert veernet(*words, *archive, "--out", run) == 2
    assert "r\\xfcn: a name that is not UTF-8" in capsys.readouterr().err
    assert not run.exists()


def test_a_key_of_a_file_does_not_reach_the_terminal_as_it_is(veernet, tmp_path, capsys):
    scan, calibration = tmp_path / "scan.png", tmp_path / "c.toml"
    write_picture(scan, np.full((100, 61), 255, np.uint8))
    calibration.write_text(f'{CALIBRATION}"\\u001b]0;title\\u0007" = 1\n')
    assert veernet("digitise", scan, "--calibration", calibration) == 2
    output = capsys.readouterr().err
    assert (
        output == f"veernet: {calibration}: track.0.curve.0.\\x1b]0;title\\x07: no such name here\n"
    )

"""Signals end a command with a code that says how, and never cost a checkpoint."""

import os
import pty
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch
from kills import HOW
from rich.console import Console

from runs import newest
from veernet import Archive, distributed
from veernet.cli import demo
from veernet.train.checkpoint import checkpoints
from veernet.train.log import read_log
from veernet.train.run import start
from veernet.train.signals import stop_signals
from veernet.train.trainer import Trainer, fit

CPU, QUIET = torch.device("cpu"), Console(quiet=True)
TRAINER = sys.modules[Trainer.__module__]
ENV = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def run(small_archive, tmp_path):
    start(tmp_path / "run", Archive.open(small_archive), HOW)
    return tmp_path / "run"


def python(code, *words):
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=120)


IMPORTING = """
import os, signal, sys
from veernet import __main__

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)

_, module = sys.argv
sys.argv[1:] = ["plan", "--help"]
sys.meta_path.insert(0, Finder())
signal.signal(signal.SIGINT, signal.default_int_handler)
__main__.main()
"""


@pytest.mark.parametrize("module", ["veernet.cli", "torch.nn.modules", "tyro"])
def test_ctrl_c_while_libraries_are_imported_is_one_line(module):
    done = python(IMPORTING, module)
    assert (done.returncode, done.stderr) == (130, "veernet: interrupted\n")


LOST = """
import os, signal, sys, weakref
from dataclasses import dataclass
from veernet.cli import main as cli

@dataclass
class Lost:
    '''A command.'''

    def run(self, console):
        here = {1}
        there = weakref.ref(here, lambda _: os.kill(os.getpid(), signal.SIGINT))
        del here
        print("went on")

cli.command_class = lambda _: Lost
sys.argv = ["veernet", "plan"]
signal.signal(signal.SIGINT, signal.default_int_handler)
cli.main()
"""


def test_ctrl_c_in_a_callback_where_python_would_go_on_is_one_line():
    """Planning frees tensors by the thousand, each with a callback."""
    done = python(LOST)
    assert (done.returncode, done.stderr) == (130, "veernet: interrupted\n")
    assert "went on" not in done.stdout


TRAIN = ["--epochs", 1, "--effective-batch", 4, "--workers", 0, "--device", "cpu"]


@pytest.mark.parametrize("place", ["dry_run", "train_step"])
def test_ctrl_c_before_the_first_step_stops_at_once_and_after_it_pauses(
    veernet, small_archive, tmp_path, monkeypatch, place, capsys
):
    real = getattr(Trainer, place)

    def interrupted(*args, **kwargs):
        signal.raise_signal(signal.SIGINT)
        return real(*args, **kwargs)

    monkeypatch.setattr(Trainer, place, interrupted)
    run = tmp_path / "run"
    code = veernet("train", small_archive, "--out", run, *TRAIN, "--memory", "9GiB")
    output = capsys.readouterr().err
    if place == "dry_run":
        assert (code, output, checkpoints(run)) == (130, "veernet: interrupted\n", [])
    else:
        assert (code, output, newest(run).progress.step) == (75, "", 1)


def test_a_second_ctrl_c_ends_the_command_with_130(veernet, run, monkeypatch, capsys):
    def interrupted(*_, **__):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(TRAINER, "train_step", interrupted)
    assert veernet("train", "--resume", run, "--workers", 0, "--device", "cpu") == 130
    assert capsys.readouterr().err == "veernet: interrupted\n"


def test_a_pause_ends_with_75_alone_and_with_0_under_torchrun(veernet, run, tmp_path, monkeypatch):
    options = "--workers", 0, "--device", "cpu", "--stop-after", 1
    assert veernet("train", "--resume", run, *options) == 75
    monkeypatch.setattr(demo, "run_recipe", lambda *_, **__: False)
    assert veernet("demo", "--out", tmp_path / "demo", "--device", "cpu") == 75
    monkeypatch.setattr(demo, "run_recipe", lambda *_, **__: True)
    assert veernet("demo", "--out", tmp_path / "demo", "--device", "cpu") == 0
    monkeypatch.setattr(distributed, "launched", lambda: True)
    monkeypatch.setattr(distributed.dist, "is_initialized", lambda: True)
    with distributed.single_process():
        assert veernet("train", "--resume", run, *options) == 0


def test_sighup_pauses_a_run_but_under_nohup():
    before = signal.getsignal(signal.SIGHUP)
    with stop_signals(None, QUIET) as pausing:
        signal.raise_signal(signal.SIGHUP)
        assert pausing.requested
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_signals(None, QUIET) as pausing:
            signal.raise_signal(signal.SIGHUP)
            assert not pausing.requested
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("how", ["terminal", "pipe"])
def test_a_run_goes_on_where_what_it_prints_goes_nowhere(run, monkeypatch, how):
    """A terminal that is closed, and `veernet train … | head`."""
    theirs, ours = pty.openpty() if how == "terminal" else os.pipe()
    console = Console(file=os.fdopen(ours, "w"), force_terminal=how == "terminal")
    real, closing = TRAINER.train_step, [theirs]

    def step(*args, **kwargs):
        while closing:
            os.close(closing.pop())
        return real(*args, **kwargs)

    monkeypatch.setattr(TRAINER, "train_step", step)
    assert fit(run, device=CPU, console=console)
    console.file.close()


def test_a_run_whose_terminal_is_closed_writes_a_checkpoint_and_ends_with_75(run):
    """A real one: the kernel sends SIGHUP, and every write to it fails from then on."""
    child, terminal = pty.fork()
    if child == 0:
        words = [sys.executable, "-m", "veernet", "train", "--resume", str(run), "--workers", "0"]
        os.execve(sys.executable, [*words, "--device", "cpu"], ENV)
    threading.Thread(target=drain, args=[terminal], daemon=True).start()
    limit = time.monotonic() + 120
    while not ((run / "log.jsonl").exists() and read_log(run)) and time.monotonic() < limit:
        time.sleep(0.002)
    os.kill(child, signal.SIGSTOP)
    done = [row["step"] for row in read_log(run) if row["kind"] == "step"]
    os.close(terminal)
    os.kill(child, signal.SIGCONT)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 75
    assert len(checkpoints(run)) >= 1
    assert newest(run).progress.step + 3 * newest(run).progress.epoch >= done[-1]


def drain(terminal):
    while True:
        try:
            os.read(terminal, 4096)
        except OSError:
            return

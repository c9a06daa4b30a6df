"""Commands run where Python lacks what Linux alone has."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from veernet.data.raster import write_picture

LACKING = """
import os, signal, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "resource"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in ("fcntl", "resource"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Refuse())
for module, name in (
    (signal, "SIGHUP"), (signal, "pthread_sigmask"), (os, "EX_TEMPFAIL"), (os, "sysconf")
):
    delattr(module, name)
from veernet.__main__ import main
main()
"""


def lacking(*words):
    """Run a command as Windows would have it, in as far as Linux can; returns what it printed."""
    command = [sys.executable, "-W", "ignore", "-c", LACKING, *map(str, words)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def scan(tmp_path):
    """A scan of one empty track with depth lines."""
    grey = np.full((700, 320), 255, np.uint8)
    grey[40::60, 30:291] = 0
    grey[:, 30:32] = grey[:, 289:291] = 0
    write_picture(tmp_path / "scan.png", grey)
    return tmp_path / "scan.png"


def test_the_help_is_printed_without_modules_and_signals_of_linux():
    code, out, message = lacking("--help")
    assert (code, message) == (0, "")
    assert out.startswith("usage: veernet COMMAND")


def test_a_scan_is_calibrated_and_digitised_without_modules_and_signals_of_linux(scan, tmp_path):
    calibration, out = tmp_path / "c.toml", tmp_path / "out"
    ties = ["--tie", 40, 300, 640, 310, "--curve", "1:GR:API:0:150"]
    code, _, message = lacking("calibrate", scan, "--out", calibration, *ties)
    assert (code, calibration.exists()) == (0, True), message
    words = ["digitise", scan, "--calibration", calibration, "--out", out, "--json"]
    code, found, message = lacking(*words)
    assert code == 0, message
    assert len(json.loads(found)["curves"]) == 1
    written = {"scan.300.csv", "scan.GR.png", "scan.csv", "scan.las"}
    assert {path.name for path in out.iterdir()} == written


def test_two_steps_are_trained_without_modules_and_signals_of_linux(small_archive, tmp_path):
    run = tmp_path / "run"
    settings = ["--effective-batch", 1, "--pixel-budget", 9000, "--workers", 0, "--stop-after", 2]
    words = ["train", small_archive, "--out", run, "--device", "cpu", "--json", *settings]
    code, found, message = lacking(*words)
    assert code == 75, message
    assert json.loads(found)["step"] == 2

"""`veernet synth` that is killed at random moments and run again, against one never disturbed.

    PYTHONPATH=tests/faults .venv/bin/python tests/faults/killed_synth.py KILLS [SEED]

The command is a process as a user starts it, killed by SIGKILL or SIGTERM alone, so that those that
draw for it are left. Prints what was found, as JSON.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from veernet.files import is_temporary

COUNTS = ("--train", "60", "--val", "20", "--test", "10")
SIZES = ("--height", "480", "560", "--width", "640", "1600")
PATIENCE = 20.0
"""Seconds in which the processes of a killed command must have ended."""

AIMED = 0.5
"""Share of the kills that wait until a file is being written."""


def command(root: Path, *more: str, counts: tuple[str, ...] = COUNTS) -> list[str]:
    """The command that makes the archive."""
    synth = [sys.executable, "-m", "veernet", "synth", str(root), *counts, *SIZES]
    return [*synth, "--workers", "2", *more]


def begin(root: Path, *, counts: tuple[str, ...] = COUNTS) -> subprocess.Popen[bytes]:
    """Start the command in a group of processes of its own."""
    return subprocess.Popen(
        command(root, counts=counts),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def group(leader: int) -> list[int]:
    """The processes of a group that run."""
    found = list[int]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp, *_ = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(pgrp) == leader and state != "Z":
            found.append(int(stat.parent.name))
    return found


def left(leader: int) -> list[int]:
    """The processes of a group that have not ended when patience has."""
    limit = time.monotonic() + PATIENCE
    while (found := group(leader)) and time.monotonic() < limit:
        time.sleep(0.02)
    for process in found:
        os.kill(process, signal.SIGKILL)
    return found


def files(root: Path) -> dict[str, bytes]:
    """Every file under a folder."""
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def wait_for_writing(root: Path, most: float, process: subprocess.Popen[bytes]) -> None:
    """Wait until a file is half written, as long as the command runs or so many seconds."""
    limit = time.monotonic() + most
    while process.poll() is None and time.monotonic() < limit:
        if any(map(is_temporary, root.rglob(".veernet-*"))):
            return


def main(kills: int, seed: int) -> None:
    """Make archives under so many kills, and print how they came out."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        began = time.monotonic()
        assert begin(folder / "calm").wait() == 0
        whole, calm = time.monotonic() - began, files(folder / "calm")
        results = {
            "kills": 0,
            "of_these_before_the_first_log": 0,
            "of_these_while_a_file_was_written": 0,
            "archives": 0,
            "archives_that_differ": 0,
            "processes_left": 0,
        }
        while results["kills"] < kills:
            root = folder / f"archive {results['archives']}"
            while True:
                process = begin(root)
                time.sleep(chance.uniform(0, whole))
                if chance.random() < AIMED:
                    wait_for_writing(root, whole, process)
                process.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM]))
                code = process.wait()
                results["processes_left"] += len(left(process.pid))
                if code == 0:
                    break
                assert code in (-signal.SIGKILL, -signal.SIGTERM), code
                found = [*root.rglob("*")]
                results["kills"] += 1
                results["of_these_before_the_first_log"] += not [*root.rglob("*.tif")]
                results["of_these_while_a_file_was_written"] += any(map(is_temporary, found))
            results["archives"] += 1
            results["archives_that_differ"] += files(root) != calm
        print(json.dumps(results))


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *(0,)[len(given) - 1 :])

"""Training that is killed by SIGKILL at random moments and resumed, against one never disturbed.

    PYTHONPATH=tests .venv/bin/python tests/faults/kills.py KILLS [RANKS [SEED]]

Every life is a process of its own, forked from this one, which does no work itself; it writes a
checkpoint after every step, so that many kills fall into the writing of one. Of several ranks one
is killed, and the others must end by themselves. Prints what was found, as JSON.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cv2
import torch
import torch.distributed as dist
from rich.console import Console

from runs import newest
from veernet import Archive, Schedule, VeerNetConfig
from veernet.synth.appearance import PLAIN
from veernet.synth.logs import SynthLogs
from veernet.synth.make import make
from veernet.train.checkpoint import CHECKPOINTS
from veernet.train.log import read_log
from veernet.train.run import start
from veernet.train.trainer import CheckpointPolicy, fit
from veernet.training import Training

LOGS = SynthLogs(
    height=(40, 56), width=(70, 130), seed=3, appearance=replace(PLAIN, line_width=(1, 1))
)
HOW = Training(
    network=VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1),
    schedule=Schedule(effective_batch=2, pixel_budget=8000),
    epochs=4,
)
SAVING = CheckpointPolicy(steps=1, keep=2)
AIMED = 0.5
"""Share of the kills that wait until a checkpoint is being written."""

PATIENCE = 30.0
"""Seconds that ranks wait for each other; those that are left must end in twice as many."""


def born(do: Callable[[], object]) -> int:
    """A process that does something and ends: well, or with 1 if it raises."""
    if (child := os.fork()) != 0:
        return child
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what a lost process makes gloo say
        do()
        code = 0
    finally:
        os._exit(code)


def ended(child: int, within: float | None = None) -> int | None:
    """How a process ended, None if it did not within so many seconds."""
    limit = None if within is None else time.monotonic() + within
    while True:
        found, status = os.waitpid(child, 0 if limit is None else os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if limit is not None and time.monotonic() > limit:
            return None
        time.sleep(0.002)


def live(run: Path, rank: int, ranks: int, store: Path) -> None:
    """Train from where the run is to its end, as one of so many processes."""
    if ranks > 1:
        where = f"file://{store}"
        dist.init_process_group(
            "gloo", where, rank=rank, world_size=ranks, timeout=timedelta(seconds=PATIENCE)
        )
        store.with_name(f"joined {rank}").touch()
    fit(run, device=torch.device("cpu"), workers=1, checkpoints=SAVING, console=Console(quiet=True))
    if ranks > 1:
        dist.destroy_process_group()


def lives(run: Path, ranks: int) -> tuple[list[int], Path]:
    """The processes of one life, and where they find each other."""
    store = Path(tempfile.mkdtemp(dir=run.parent)) / "store"
    return [born(lambda rank=rank: live(run, rank, ranks, store)) for rank in range(ranks)], store


def half_written(run: Path) -> list[Path]:
    """Checkpoints that have no name yet."""
    return [*(run / CHECKPOINTS).glob(".*")]


def wait_for_writing(run: Path, most: float) -> None:
    """Wait until a checkpoint is being written, or so many seconds."""
    limit = time.monotonic() + most
    while not half_written(run) and time.monotonic() < limit:
        pass


def same(a: Path, b: Path) -> bool:
    """Whether two runs ended alike, to the bit: all that a checkpoint holds, the best weights, and
    what the log says."""
    one, other = newest(a), newest(b)
    logs = [
        [
            {**row, "seconds": 0, "epoch_seconds": 0}
            for row in read_log(run)
            if row["kind"] != "memory"
        ]
        for run in (a, b)
    ]
    return (
        one.progress == other.progress
        and one.settings == other.settings
        and {*one.tensors} == {*other.tensors}
        and all(torch.equal(one.tensors[name], value) for name, value in other.tensors.items())
        and (a / "best.safetensors").read_bytes() == (b / "best.safetensors").read_bytes()
        and logs[0] == logs[1]
    )


def main(kills: int, ranks: int, seed: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        assert ended(born(lambda: make(folder / "archive", LOGS, (5, 2, 0)))) == 0
        archive = Archive.open(folder / "archive")
        start(folder / "calm", archive, HOW)
        began = time.monotonic()
        assert [ended(child) for child in lives(folder / "calm", ranks)[0]] == [0] * ranks
        whole = time.monotonic() - began
        results = {
            "kills": 0,
            "of_these_while_a_checkpoint_was_written": 0,
            "ranks": ranks,
            "runs": 0,
            "runs_that_differ": 0,
            "ranks_left_that_did_not_end": 0,
        }
        while results["kills"] < kills:
            run = folder / f"run {results['runs']}"
            start(run, archive, HOW)
            while True:
                children, store = lives(run, ranks)
                time.sleep(chance.uniform(0, whole) ** 2 / whole)
                if chance.random() < AIMED:
                    wait_for_writing(run, whole)
                chance.shuffle(children)
                joined = len([*store.parent.glob("joined*")]) == ranks
                # Those that have not found each other yet are for their launcher to end.
                for doomed in children[: 1 if joined else ranks]:
                    os.kill(doomed, signal.SIGKILL)
                codes = [ended(child, 2 * PATIENCE) for child in children]
                if codes == [0] * ranks:
                    break
                results["kills"] += codes[0] == -signal.SIGKILL
                results["of_these_while_a_checkpoint_was_written"] += any(
                    f"-{child}-" in path.name for path in half_written(run) for child in children
                )
                for child, code in zip(children, codes, strict=True):
                    if code is None:
                        results["ranks_left_that_did_not_end"] += 1
                        os.kill(child, signal.SIGKILL)
                        ended(child)
            results["runs"] += 1
            results["runs_that_differ"] += not same(run, folder / "calm")
        print(json.dumps(results))


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*given, *(1, 0)[len(given) - 1 :])

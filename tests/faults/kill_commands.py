"""Commands killed by SIGKILL at random moments and run again, against ones never disturbed.

    PYTHONPATH=tests .venv/bin/python tests/faults/kill_commands.py COMMAND KILLS [SEED]

COMMAND is train, evaluate or digitise. `train` is begun with --pixel-budget, and checkpoints are
rare, so that many kills fall before the first. The others replace an older set of files; after
every kill their main file must be absent, or stand beside one whole set. Every life is a process
of its own, forked from this one, which does no work itself. Prints what was found, as JSON.
"""

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from kills import LOGS, born, ended, same
from rich.console import Console

from veernet.cli.digitise import Digitise
from veernet.cli.evaluate import Evaluate
from veernet.cli.train import Train
from veernet.demo import draw_scan
from veernet.filesets import SET
from veernet.model import VeerNet, VeerNetConfig
from veernet.synth.make import make
from veernet.train.checkpoint import checkpoints
from veernet.train.run import CONFIG
from veernet.weights import BEST, save_weights

QUIET = Console(quiet=True)
LEFT_ALONE = 0.4
"""Share of the processes that are not killed."""

SMALL = VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1)
Files = dict[str, bytes]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A command, and how to tell what it left."""

    prepare: Callable[[Path], object]
    """Fills a new folder with what is there before the command."""
    command: Callable[[Path], object]
    """Runs it in that folder, from the beginning or from where it is."""
    files: Callable[[Path], Files]
    """What it made, by names."""
    main: str | None = None
    """The file that says that a set is whole."""
    place: str = "."
    """Where it makes sets, inside the folder."""


def begin_train(folder: Path) -> None:
    make(folder / "archive", LOGS, (5, 2, 2))


def train(folder: Path) -> None:
    run = folder / "run"
    options = {"workers": 0, "device": "cpu"}
    if (run / CONFIG).exists():
        Train(resume=run, **options).run(QUIET)
        return
    settings = {"epochs": 2, "effective_batch": 4, "pixel_budget": 8000}
    Train(archive=folder / "archive", out=run, **settings, **options).run(QUIET)


def begin_evaluate(folder: Path) -> None:
    """A run whose evaluation is of other weights than it has now."""
    train_small(folder)
    evaluate(folder)
    other_weights(folder / "run")


def train_small(folder: Path) -> None:
    begin_train(folder)
    Train(
        archive=folder / "archive",
        out=folder / "run",
        epochs=1,
        effective_batch=4,
        pixel_budget=8000,
        workers=0,
        device="cpu",
    ).run(QUIET)


def other_weights(run: Path) -> None:
    torch.manual_seed(5)
    save_weights(run / BEST, VeerNet(SMALL))


def evaluate(folder: Path) -> None:
    Evaluate(folder=folder / "run", device="cpu").run(QUIET)


def begin_digitise(folder: Path) -> None:
    """Two curves of a scan that were digitised before one was taken out of the calibration."""
    scan, calibration = draw_scan(folder / "scan", LOGS, number=9)
    other_weights(folder)
    digitise(folder)
    text = calibration.read_text()
    calibration.write_text(text[: text.rindex("[[track.curve]]")])
    assert scan.exists()


def digitise(folder: Path) -> None:
    scan = folder / "scan"
    Digitise(
        scan=scan / "scan.png",
        calibration=scan / "calibration.toml",
        weights=str(folder / BEST),
        out=folder / "out",
        overwrite=True,
        device="cpu",
    ).run(QUIET)


def whole(folder: Path) -> Files:
    """The files of a folder that have their names."""
    found = folder.iterdir() if folder.exists() else ()
    return {p.name: p.read_bytes() for p in found if not p.name.startswith(".")}


def settings(folder: Path) -> Files:
    """Those of a run, but for where its archive lies."""
    text = (folder / "run" / CONFIG).read_text()
    return {CONFIG: json.dumps({**json.loads(text), "archive": ""}).encode()}


def evaluation(folder: Path) -> Files:
    """Those of an evaluation, but for where its weights and its archive lie."""
    files = whole(folder / "run/evaluation/test")
    if (summary := files.get("summary.json")) is not None:
        files["summary.json"] = json.dumps({**json.loads(summary), "scored": ""}).encode()
    return files


CASES = {
    "train": Case(
        prepare=begin_train,
        command=train,
        files=settings,
        place="run",
    ),
    "evaluate": Case(
        prepare=begin_evaluate,
        command=evaluate,
        files=evaluation,
        main="summary.json",
        place="run/evaluation/test",
    ),
    "digitise": Case(
        prepare=begin_digitise,
        command=digitise,
        files=lambda folder: whole(folder / "out"),
        main="scan.las",
        place="out",
    ),
}


def wait_for_a_set(place: Path, most: float) -> bool:
    """Wait until a whole set is about to be put in place, or so many seconds."""
    limit = time.monotonic() + most
    while time.monotonic() < limit:
        if any("-" not in p.name.removeprefix(SET) for p in place.glob(f"{SET}*")):
            return True
        time.sleep(0.0002)
    return False


def main(name: str, kills: int, seed: int = 0) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    case, chance = CASES[name], random.Random(seed)
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        assert ended(born(lambda: case.prepare(root / "before"))) == 0
        older = case.files(root / "before") if case.main else {}
        calm = shutil.copytree(root / "before", root / "calm")
        began = time.monotonic()
        assert ended(born(lambda: case.command(calm))) == 0
        long, undisturbed = time.monotonic() - began, case.files(calm)
        found = {"command": name, "kills": 0, "before_a_checkpoint_or_set": 0, "in_place": 0}
        found |= {"lives": 0, "mixed": 0, "differ": 0, "left": 0}
        while found["kills"] < kills:
            folder = root / f"killed {found['lives']}"
            shutil.copytree(root / "before", folder)
            while True:
                child = born(lambda folder=folder: case.command(folder))
                if chance.random() < LEFT_ALONE:
                    assert ended(child) == 0
                    break
                aimed = case.main is not None and chance.random() < 0.5
                if not aimed or not wait_for_a_set(folder / case.place, 2 * long):
                    time.sleep(chance.uniform(0, long) ** 2 / long)
                else:
                    time.sleep(chance.uniform(0, 0.002))
                os.kill(child, signal.SIGKILL)
                if ended(child) == 0:
                    break
                found["kills"] += 1
                if case.main is None:
                    found["before_a_checkpoint_or_set"] += not checkpoints(folder / "run")
                    continue
                files = case.files(folder)
                found["before_a_checkpoint_or_set"] += files == older
                found["in_place"] += case.main not in files
                found["mixed"] += case.main in files and files not in (older, undisturbed)
            found["lives"] += 1
            found["differ"] += case.files(folder) != undisturbed
            if case.main is None:
                found["differ"] += not same(folder / "run", calm / "run")
            found["left"] += len([*folder.glob(f"{case.place}/**/.*")])
        print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))

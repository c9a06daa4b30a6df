"""The folder of a run: one process begins it, and its settings decide all that it computes."""

import io
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from kills import HOW, same
from rich.console import Console

from veernet import Archive
from veernet.errors import RunError
from veernet.files import read_json, write_json
from veernet.memory import plan as planning
from veernet.memory import system
from veernet.train.checkpoint import checkpoints
from veernet.train.log import read_log
from veernet.train.run import CONFIG, read_config, start
from veernet.train.trainer import Trainer, fit

CPU, QUIET = torch.device("cpu"), Console(quiet=True)
TRAINER = sys.modules[Trainer.__module__]


def killed(*_, **__):
    raise KeyboardInterrupt


TRAIN = ["--epochs", 1, "--effective-batch", 4, "--workers", 0, "--device", "cpu"]


def cuts(run):
    return [row["micro_batches"] for row in read_log(run) if row["kind"] == "step"]


def test_a_run_killed_before_its_first_checkpoint_keeps_its_pixel_budget(
    veernet, small_archive, tmp_path, monkeypatch
):
    """A plan would put the logs of a step together."""
    calm, run = tmp_path / "calm", tmp_path / "run"
    budget = "--pixel-budget", 8000
    assert veernet("train", small_archive, "--out", calm, *TRAIN, *budget) == 0
    with monkeypatch.context() as patched:
        patched.setattr(TRAINER, "train_step", killed)
        assert veernet("train", small_archive, "--out", run, *TRAIN, *budget) == 130
    assert not checkpoints(run)
    assert veernet("train", "--resume", run, "--workers", 0, "--device", "cpu") == 0
    assert cuts(run) == cuts(calm) == [4, 1]
    assert same(run, calm)


def test_a_run_is_made_longer_where_it_is_resumed(veernet, small_archive, tmp_path, capsys):
    run, options = tmp_path / "run", ["--workers", 0, "--device", "cpu"]
    assert veernet("train", small_archive, "--out", run, *TRAIN) == 0
    longer = ["train", "--resume", run, "--epochs", 3, *options]
    assert veernet(*longer, "--stop-after", 1) == 75
    assert veernet(*longer) == 0
    training = read_config(run).training
    assert (training.epochs, training.warm_restarts) == (3, (1,))
    assert [row["epoch"] for row in read_log(run) if row["kind"] == "epoch"] == [0, 1, 2]
    capsys.readouterr()
    assert veernet("train", "--resume", run, "--epochs", 2, *options) == 2
    assert f"{run}: it has 3 epochs, and takes no fewer; got 2" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["dry_run", "save"])
def test_a_plan_is_a_setting_of_the_run_and_is_made_once(
    veernet, small_archive, tmp_path, monkeypatch, place
):
    """Killed between plan and first checkpoint, and resumed where less memory is free; and made
    again from its settings."""
    calm, run, again = (tmp_path / name for name in ("calm", "run", "again"))
    memory = "--memory", "9GiB"
    assert veernet("train", small_archive, "--out", calm, *TRAIN, *memory) == 0
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, place, killed)
        assert veernet("train", small_archive, "--out", run, *TRAIN, *memory) == 130
    assert not checkpoints(run)
    plan = read_config(run).plan
    assert plan == read_config(calm).plan
    assert plan is not None
    assert (plan.memory, plan.activation_checkpointing) == (9 << 30, "none")
    monkeypatch.setattr(planning, "plan", killed)
    monkeypatch.setattr(system, "available_memory", lambda _: 1)
    assert veernet("train", "--resume", run, "--workers", 0, "--device", "cpu") == 0
    assert same(run, calm)
    assert [row["kind"] for row in read_log(run)].count("memory") == 1
    made = ["train", "--config", run / CONFIG, "--out", again, "--workers", 0]
    assert veernet(*made, "--device", "cpu") == 0
    assert (again / CONFIG).read_bytes() == (run / CONFIG).read_bytes()
    assert same(again, calm)


def test_a_run_keeps_to_the_threads_that_it_was_begun_with(small_archive, tmp_path, monkeypatch):
    run, used, found = tmp_path / "run", [], Console(file=io.StringIO(), record=True, width=200)
    start(run, Archive.open(small_archive), replace(HOW, epochs=1), device=CPU)
    settings = read_json(run / CONFIG, error=RunError, missing="")
    write_json(run / CONFIG, {**settings, "threads": 2, "device": "cuda"})
    real = TRAINER.train_step

    def step(*args, **kwargs):
        used.append(torch.get_num_threads())
        return real(*args, **kwargs)

    monkeypatch.setattr(TRAINER, "train_step", step)
    assert fit(run, device=CPU, console=found)
    assert {*used} == {2}
    assert torch.get_num_threads() == 1
    text = found.export_text()
    assert "begun with 2 thread(s) a process, where PyTorch would take 1 here: it keeps" in text
    assert "begun on cuda, this is cpu: rounding may differ" in text
    write_json(run / CONFIG, {**settings, "threads": 10**9})
    with pytest.raises(RunError, match="config.json: .*threads must be from 1 to 1024"):
        read_config(run)


def test_a_run_begun_to_leave_out_what_cannot_be_read_goes_on_so(veernet, small_archive, tmp_path):
    archive, run = tmp_path / "archive", tmp_path / "run"
    shutil.copytree(small_archive, archive)
    next((archive / "train/images").iterdir()).unlink()
    settings = [*TRAIN[2:], "--epochs", 2, "--pixel-budget", 8000, "--on-error", "skip"]
    veernet("train", archive, "--out", run, *settings, "--stop-after", 1)
    assert veernet("train", "--resume", run, "--workers", 0, "--device", "cpu") == 0
    assert sum(row["kind"] == "skipped" for row in read_log(run)) == 2  # of two epochs


def test_settings_from_before_plans_were_among_them_are_read(small_archive, tmp_path):
    run = tmp_path / "run"
    start(run, Archive.open(small_archive), replace(HOW, epochs=1))
    settings = read_json(run / CONFIG, error=RunError, missing="")
    for name in ("plan", "on_error", "device"):
        del settings[name]
    write_json(run / CONFIG, settings)
    assert fit(run, device=CPU, console=QUIET)


BEGIN = """
import sys, time
from dataclasses import replace
from pathlib import Path
from kills import HOW
from veernet import Archive, VeerNet
from veernet.errors import RunError
from veernet.train.run import start

archive, folder, seed = Archive.open(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])
how, first = replace(HOW, schedule=replace(HOW.schedule, seed=seed)), VeerNet(HOW.network)
print("ready", flush=True)
at = float(input())
for number in range(20):
    while time.time() < at + number / 10:
        pass
    try:
        start(folder / str(number), archive, how, first=first)
        print("won", flush=True)
    except RunError as error:
        print(error, flush=True)
"""


def test_of_two_processes_that_begin_a_run_at_once_one_wins_and_the_other_is_told(
    small_archive, tmp_path
):
    """Twenty times: its settings and its first weights are those of the one that won."""
    tests = Path(__file__).parents[1]
    paths = [tests, tests / "faults", *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(map(str, paths))}
    words = [sys.executable, "-c", BEGIN, str(small_archive), str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": env}
    both = [subprocess.Popen([*words, str(seed)], **pipes) for seed in range(2)]
    for one in both:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    soon = f"{time.time() + 0.5}\n"
    for one in both:
        assert one.stdin is not None
        one.stdin.write(soon)
        one.stdin.flush()
    said = [one.communicate(timeout=120)[0].splitlines() for one in both]
    for number in range(20):
        run, found = tmp_path / str(number), [lines[number] for lines in said]
        assert found.count("won") == 1, found
        assert any("holds a run already" in one or "another process" in one for one in found)
        assert read_config(run).training.schedule.seed == found.index("won")
        assert not fit(run, device=CPU, stop_after=1, console=QUIET)
    assert json.loads((tmp_path / "0" / CONFIG).read_text())["first"]

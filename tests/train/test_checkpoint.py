"""Checkpoints: whole or not used, of this run or refused, never more than asked for."""

import io
import json
import os
import resource
import shutil
import signal
import sys
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file, save_file

from runs import newest
from veernet import Archive, Schedule, VeerNetConfig
from veernet.distributed import digest
from veernet.errors import CheckpointError, OptionError, RunError
from veernet.files import atomic_write, read_json, write_json
from veernet.train.checkpoint import CHECKPOINTS, checkpoints, read_checkpoint
from veernet.train.log import read_log
from veernet.train.run import CONFIG, FIRST, start
from veernet.train.signals import stop_signals
from veernet.train.trainer import CheckpointPolicy, fit
from veernet.training import Training
from veernet.weights import load_weights

CPU, QUIET = torch.device("cpu"), Console(quiet=True)
TINY = Training(
    network=VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1),
    schedule=Schedule(effective_batch=2, pixel_budget=8000),
    epochs=2,
)
EVERY_STEP = CheckpointPolicy(steps=1)


@pytest.fixture(scope="module")
def undisturbed(small_archive, tmp_path_factory):
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    start(run, Archive.open(small_archive), TINY)
    assert fit(run, device=CPU, console=QUIET)
    return run


@pytest.fixture
def run(small_archive, tmp_path):
    """A run that was paused after two steps, with a checkpoint after each."""
    start(tmp_path / "run", Archive.open(small_archive), TINY)
    assert not fit(
        tmp_path / "run", device=CPU, checkpoints=EVERY_STEP, stop_after=2, console=QUIET
    )
    return tmp_path / "run"


def same(a, b):
    a, b = newest(a), newest(b)
    return a.progress == b.progress and all(
        torch.equal(a.tensors[n], b.tensors[n]) for n in b.tensors
    )


def cut(data):
    return data[: len(data) // 2]


def flip(data):
    """One bit of the last weight."""
    return data[:-1] + bytes([data[-1] ^ 1])


def empty(_):
    return b""


@pytest.mark.parametrize("damage", [cut, flip, empty])
def test_a_damaged_checkpoint_is_put_aside_and_the_one_before_is_used(run, undisturbed, damage):
    last, before = checkpoints(run)
    last.write_bytes(damage(last.read_bytes()))
    found = Console(record=True, width=300, file=io.StringIO())
    assert fit(run, device=CPU, console=found)
    assert f"put aside: {last}" in found.export_text()
    assert same(run, undisturbed)
    assert last.with_name(last.name + ".damaged").exists()
    assert before.name == "00000001.safetensors"


def test_where_no_checkpoint_is_whole_nothing_is_begun_anew(run):
    for path in checkpoints(run):
        path.write_bytes(cut(path.read_bytes()))
    with pytest.raises(CheckpointError, match="none of the 2 checkpoints here is whole"):
        fit(run, device=CPU, console=QUIET)


def test_the_last_few_checkpoints_stay(run):
    assert fit(run, device=CPU, checkpoints=CheckpointPolicy(steps=1, keep=2), console=QUIET)
    names = [path.name for path in (run / CHECKPOINTS).iterdir()]
    assert sorted(names) == ["00000005.safetensors", "00000006.safetensors"]


def test_what_a_killed_process_left_half_written_is_swept_away(run):
    with atomic_write(run / CHECKPOINTS / "00000003.safetensors") as temporary:
        temporary.touch()
    process = f"-{os.getpid()}-"
    stray = temporary.with_name(temporary.name.replace(process, "-99999999-"))
    (run / CHECKPOINTS / "00000003.safetensors").unlink()
    stray.write_bytes(b"half of it")
    assert fit(run, device=CPU, console=QUIET)
    assert not stray.exists()


class Code:
    def __reduce__(self):
        return print, ("code was run",)


def test_a_checkpoint_that_carries_code_is_refused_unread(run, capsys):
    for path in checkpoints(run):
        torch.save({"model": Code()}, path)
    with pytest.raises(CheckpointError, match="not readable as safetensors"):
        fit(run, device=CPU, console=QUIET)
    assert "code was run" not in capsys.readouterr().out


def test_weights_that_carry_code_or_promise_too_much_are_refused(undisturbed, tmp_path, capsys):
    torch.save({"model": Code()}, tmp_path / "best.safetensors")
    with pytest.raises(CheckpointError, match="not readable as safetensors"):
        load_weights(tmp_path)
    assert "code was run" not in capsys.readouterr().out
    tensors = load_file(undisturbed / "best.safetensors")
    for network in (
        '{"widths": [65536, 65536, 65536], "heads": 4}',
        '{"layers": 1000000000}',
        "[" * 100_000,
    ):
        save_file(tensors, tmp_path / "best.safetensors", {"network": network})
        with pytest.raises(CheckpointError, match="best.safetensors: "):
            load_weights(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("threads", 7), ("deterministic", True), ("on_error", "skip"), ("first", "0" * 64)],
)
def test_whatever_a_run_computes_by_stays_what_it_was(run, name, value):
    settings = read_json(run / CONFIG, error=RunError, missing="")
    write_json(run / CONFIG, {**settings, name: value})
    (run / FIRST).touch()
    with pytest.raises((RunError, CheckpointError), match=name.replace("first", "safetensors")):
        fit(run, device=CPU, console=QUIET)


def test_a_users_files_beside_checkpoints_are_neither_read_nor_removed(run):
    newest_of = checkpoints(run)[0]
    users = ["0-first.safetensors", "99-best.safetensors", "0000002.safetensors", "9.safetensors"]
    for name in users:
        shutil.copy(checkpoints(run)[-1], run / CHECKPOINTS / name)
    assert checkpoints(run)[0] == newest_of
    assert fit(run, device=CPU, checkpoints=CheckpointPolicy(steps=1, keep=1), console=QUIET)
    assert {*users} < {path.name for path in (run / CHECKPOINTS).iterdir()}


def test_a_run_that_lost_its_checkpoints_does_not_begin_anew(undisturbed, tmp_path):
    run = shutil.copytree(undisturbed, tmp_path / "run")
    shutil.rmtree(run / CHECKPOINTS)
    with pytest.raises(CheckpointError, match="its checkpoints are gone"):
        fit(run, device=CPU, console=QUIET)
    assert (run / "log.jsonl").read_text() == (undisturbed / "log.jsonl").read_text()


def test_settings_that_were_changed_since_are_refused_with_the_difference(run):
    settings = read_json(run / CONFIG, error=RunError, missing="")
    changed = {**settings, "training": {**settings["training"], "weight_decay": 0.5}}
    write_json(run / CONFIG, changed)
    with pytest.raises(RunError, match="changed .*weight_decay: found 0.01, asked for 0.5"):
        fit(run, device=CPU, console=QUIET)
    write_json(run / CONFIG, settings)
    assert not fit(run, device=CPU, stop_after=1, console=QUIET)


def test_a_checkpoint_of_another_network_is_refused(run, small_archive, tmp_path):
    other = replace(TINY, network=VeerNetConfig(out_channels=3, channels=(2, 4, 16), num_heads=2))
    start(tmp_path / "other", Archive.open(small_archive), other)
    shutil.copytree(run / CHECKPOINTS, tmp_path / "other" / CHECKPOINTS)
    with pytest.raises(RunError, match="training.network.channels: found \\[2, 4, 8\\], asked for"):
        fit(tmp_path / "other", device=CPU, console=QUIET)


@contextmanager
def files_of_at_most(n):
    """A disk that is full after so many bytes of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_named_and_the_run_goes_on_once_there_is_room(run, undisturbed):
    old = {path: path.read_bytes() for path in checkpoints(run)}
    size = len(next(iter(old.values())))
    with (
        files_of_at_most(size // 2),
        pytest.raises(CheckpointError, match=r"00000003.safetensors: could not be written"),
    ):
        fit(run, device=CPU, checkpoints=EVERY_STEP, console=QUIET)
    assert {path: path.read_bytes() for path in checkpoints(run)} == old
    assert not list(run.glob("**/.*"))
    assert fit(run, device=CPU, console=QUIET)
    assert same(run, undisturbed)


@pytest.mark.parametrize("asking", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_and_sighup_end_the_step_as_ctrl_c_does(run, undisturbed, monkeypatch, asking):
    trainer = sys.modules["veernet.train.trainer"]
    real = trainer.train_step

    def step(*args, **kwargs):
        signal.raise_signal(asking)
        signal.raise_signal(asking)
        return real(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "train_step", step)
        assert not fit(run, device=CPU, console=QUIET)
    assert newest(run).progress.step == 3
    assert fit(run, device=CPU, console=QUIET)
    assert same(run, undisturbed)


def test_ctrl_c_while_validating_stops_there_and_the_next_time_validates(
    run, undisturbed, monkeypatch
):
    looked_at, evaluated = [], sys.modules["veernet.train.validation"]
    predict = evaluated.curve_probabilities

    def interrupted(*args, **kwargs):
        looked_at.append(1)
        signal.raise_signal(signal.SIGINT)
        return predict(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(evaluated, "curve_probabilities", interrupted)
        assert not fit(run, device=CPU, console=QUIET)
    assert len(looked_at) == 1  # of two logs
    assert (newest(run).progress.epoch, newest(run).progress.step) == (0, 3)
    assert fit(run, device=CPU, console=QUIET)
    assert same(run, undisturbed)
    epochs = [[r for r in read_log(one) if r["kind"] == "epoch"] for one in (run, undisturbed)]
    assert [r["curves"] for r in epochs[0]] == [r["curves"] for r in epochs[1]]


def test_a_second_ctrl_c_stops_at_once(run, monkeypatch):
    trainer = sys.modules["veernet.train.trainer"]

    def step(*_, **__):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(trainer, "train_step", step)
    with pytest.raises(KeyboardInterrupt):
        fit(run, device=CPU, console=QUIET)
    assert newest(run).progress.step == 2


def test_random_numbers_go_on_where_they_were(small_archive, tmp_path, monkeypatch):
    """A step that draws some; whoever calls `fit` keeps those that were coming."""
    trainer = sys.modules["veernet.train.trainer"]
    real, drawn = trainer.train_step, []

    def step(*args, **kwargs):
        drawn.append(torch.rand(1).item())
        return real(*args, **kwargs)

    monkeypatch.setattr(trainer, "train_step", step)
    before = torch.get_rng_state()
    start(tmp_path / "whole", Archive.open(small_archive), TINY)
    fit(tmp_path / "whole", device=CPU, console=QUIET)
    whole, drawn = drawn, []
    start(tmp_path / "paused", Archive.open(small_archive), TINY)
    for _ in range(3):
        fit(tmp_path / "paused", device=CPU, stop_after=2, console=QUIET)
    assert drawn == whole
    assert len({*whole}) == 6
    assert torch.equal(torch.get_rng_state(), before)


def test_a_run_is_trained_by_one_at_a_time(run, monkeypatch):
    trainer = sys.modules["veernet.train.trainer"]
    real, found = trainer.train_step, []

    def step(*args, **kwargs):
        with pytest.raises(RunError, match="another process trains this run already") as refused:
            fit(run, device=CPU, console=QUIET)
        found.append(refused)
        return real(*args, **kwargs)

    monkeypatch.setattr(trainer, "train_step", step)
    assert not fit(run, device=CPU, stop_after=1, console=QUIET)
    assert len(found) == 1
    assert newest(run).progress.step == 3


def test_a_pause_is_heard_where_nobody_reads_what_is_printed(run):
    """As in `veernet train … | tee log`, where Ctrl-C ends `tee` too."""
    read, write = os.pipe()
    os.close(read)
    pipe = os.fdopen(write, "w")
    with stop_signals(None, Console(file=pipe)) as pausing:
        signal.raise_signal(signal.SIGINT)
        assert pausing.requested
    with suppress(OSError):
        pipe.close()


def resealed(path, change):
    """A checkpoint that is whole, and holds something else."""
    checkpoint = read_checkpoint(path)
    about = {"state": asdict(checkpoint.progress), "config": checkpoint.config}
    about |= {"plain": checkpoint.settings}
    tensors = dict(checkpoint.tensors)
    change(about, tensors)
    message = json.dumps(about)
    digested = digest([message, sorted(tensors.items())])
    save_file(tensors, path, {"checkpoint": json.dumps({"sha256": digested, "about": message})})


CHANGES = {
    "no settings": lambda about, _: about.update(config=[]),
    "no groups": lambda about, _: about.update(plain=[]),
    "betas in words": lambda about, _: about["plain"]["param_groups"][0].update(betas="x"),
    "a negative step": lambda about, _: about["state"].update(step=-1),
    "a step too far": lambda about, _: about["state"].update(step=10**6),
    "an epoch too far": lambda about, _: about["state"].update(epoch=10**6),
    "no random numbers": lambda _, tensors: tensors.pop("random.cpu"),
    "random numbers that are none": lambda _, t: t.update({"random.cpu": torch.zeros(3)}),
    "a moment without a name": lambda _, t: t.update({"optimizer.x": torch.zeros(3)}),
    "a moment of another shape": lambda _, t: t.update({"optimizer.0.exp_avg": torch.zeros(7)}),
    "a weight of another shape": lambda _, t: t.update({next(iter(t)): torch.zeros(7)}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_whole_checkpoint_of_something_else_is_refused(run, change):
    for path in checkpoints(run):
        resealed(path, CHANGES[change])
    with pytest.raises(CheckpointError, match=r"0000000\d.safetensors: "):
        fit(run, device=CPU, console=QUIET)


def test_resealing_alone_changes_nothing(run, undisturbed):
    for path in checkpoints(run):
        resealed(path, lambda *_: None)
    assert fit(run, device=CPU, console=QUIET)
    assert same(run, undisturbed)


@pytest.mark.parametrize("wrong", [{"minutes": 0.0}, {"steps": 0}, {"keep": 0}])
def test_saving_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(OptionError):
        CheckpointPolicy(**wrong)


def test_a_deterministic_run_learns_the_same_and_leaves_torch_as_it_was(
    small_archive, tmp_path, undisturbed
):
    start(tmp_path / "run", Archive.open(small_archive), TINY, deterministic=True)
    assert fit(tmp_path / "run", device=CPU, console=QUIET)
    assert same(tmp_path / "run", undisturbed)
    assert not torch.are_deterministic_algorithms_enabled()

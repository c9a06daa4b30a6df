"""Settings of a run: a recipe, then a file, then options, then --set; merged and checked once."""

import json
import shutil
import tomllib
from typing import get_args

import pytest
import torch

from runs import newest
from veernet import losses
from veernet.cli.options import LossName
from veernet.losses import CrossEntropy, Tversky
from veernet.synth.appearance import PLAIN
from veernet.synth.logs import SynthLogs
from veernet.synth.make import make
from veernet.train.run import CONFIG, SETTINGS, read_config
from veernet.train.settings import merged, parse_set

SMALL = ["network.channels=[2,4,8]", "network.num_heads=2", "network.num_layers=1"]
QUICK = ["--workers", 0, "--device", "cpu"]


@pytest.fixture
def failed(veernet, capsys):
    """Run a command that must fail; returns its message."""

    def run(*words):
        capsys.readouterr()
        assert veernet(*words) == 2
        return capsys.readouterr().err

    return run


def test_every_loss_is_chosen_by_its_name():
    assert {*get_args(LossName)} == {kind.__name__ for kind in get_args(losses.AnyLoss)}


@pytest.mark.parametrize("name", get_args(LossName))
def test_a_loss_trains_with_its_own_defaults(veernet, small_archive, tmp_path, name):
    archive, recipe, channels = small_archive, "multiclass", 3
    if name == "BCE":  # of one curve, on one channel
        archive, recipe, channels = tmp_path / "one", "binary", 1
        logs = SynthLogs(n_curves=1, height=(40, 40), width=(70, 70), appearance=PLAIN)
        make(archive, logs, (1, 1, 0))
    words = ["--recipe", recipe, "--loss", name, "--set", *SMALL, "--epochs", 1, *QUICK]
    assert veernet("train", archive, "--out", tmp_path / "run", *words) == 0
    found = read_config(tmp_path / "run").training
    assert found.loss == getattr(losses, name)()
    assert found.network.out_channels == channels
    step = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[1])
    assert step["kind"] == "step"
    assert step["loss"] > 0


def test_what_is_nearer_to_the_command_wins(veernet, small_archive, tmp_path):
    """The recipe has a batch of 16, a weight decay of 0.01, 50 epochs and Tversky of 0.3 and
    0.7."""
    file = tmp_path / "mine.toml"
    file.write_text(
        f"""
        archive = {json.dumps(str(small_archive))}
        epochs = 3
        learning_rate = 0.25
        weight_decay = 0.5
        [network]
        channels = [2, 4, 8]
        num_heads = 2
        [loss]
        alpha = 0.45
        [schedule]
        effective_batch = 7
        seed = 4
        """
    )
    words = ["--epochs", 2, "--seed", 5, "--learning-rate", 0.125, *QUICK, "--stop-after", 1]
    words += ["--set", "schedule.seed=6", "weight_decay=0", "--set", "network.num_layers=1"]
    veernet("train", "--config", file, "--out", tmp_path / "run", *words)
    found = read_config(tmp_path / "run").training
    assert found.loss == Tversky(alpha=0.45, beta=0.7)
    assert (found.network.channels, found.network.num_layers) == ((2, 4, 8), 1)
    assert (found.epochs, found.learning_rate, found.weight_decay) == (2, 0.125, 0.0)
    assert (found.schedule.effective_batch, found.schedule.seed) == (7, 6)


@pytest.mark.parametrize("budget", [["--pixel-budget", 9000], []])
def test_a_run_made_again_from_its_own_toml_ends_in_the_same_bits(
    veernet, small_archive, tmp_path, budget
):
    """With a plan of memory, and with a pixel budget in its place."""
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    words = ["--loss", "CrossEntropy", "--set", *SMALL, "loss.class_weights=[0.1, 2, 0.75]"]
    words += ["warmup=0.3", "weight_decay=1e-05", "--epochs", 1, "--effective-batch", 2]
    words += ["--seed", 9, "--deterministic", "--on-error", "skip", *budget, *QUICK]
    assert veernet("train", small_archive, "--out", first, *words) == 0
    assert read_config(first).training.loss == CrossEntropy(class_weights=(0.1, 2.0, 0.75))
    assert veernet("train", "--config", first / SETTINGS, "--out", again, *QUICK) == 0
    assert (again / CONFIG).read_text() == (first / CONFIG).read_text()
    assert (again / SETTINGS).read_text() == (first / SETTINGS).read_text()
    one, two = newest(first), newest(again)
    assert {*one.tensors} == {*two.tensors}
    assert all(torch.equal(one.tensors[name], value) for name, value in two.tensors.items())
    changed = ["--set", "network.channels=[4,8,16]", *QUICK, "--stop-after", 1]
    veernet("train", "--config", first / SETTINGS, "--out", other, *changed)
    wider, plan = read_config(other), read_config(first).plan
    assert wider.training.network.channels == (4, 8, 16)
    assert (plan is None) == bool(budget)
    assert (wider.plan is None) == bool(budget)  # a plan for other steps is made anew
    assert plan is None or (wider.plan and wider.plan.predicted > plan.predicted)


def test_a_value_is_toml_and_a_bare_word_is_text():
    words = ["a.b=[8,16]", "a.c=0.1", "d=true", "e=bf16", 'f="x = 1"', "g=a b/c", "a.b2=1_000"]
    assert parse_set(words) == {
        "a": {"b": [8, 16], "c": 0.1, "b2": 1000},
        "d": True,
        "e": "bf16",
        "f": "x = 1",
        "g": "a b/c",
    }


def test_a_loss_by_its_kind_takes_the_place_of_another_whole():
    table = {"loss": {"kind": "Tversky", "alpha": 0.4}, "network": {"num_heads": 2, "channels": 1}}
    over = {"loss": {"kind": "Dice"}, "network": {"channels": 5}}
    assert merged(table, over) == {
        "loss": {"kind": "Dice"},
        "network": {"num_heads": 2, "channels": 5},
    }
    assert merged(table, {"loss": {"beta": 0.1}})["loss"] == {
        "kind": "Tversky",
        "alpha": 0.4,
        "beta": 0.1,
    }


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["wieght_decay=0"], ["--set wieght_decay=0", "did you mean weight_decay?"]),
        (["smooth=0.1"], ["smooth: no such name here; did you mean loss.smooth?"]),
        (["network.chanels=[8]"], ["network.chanels", "did you mean channels?"]),
        (["loss.gama=2"], ["loss.Tversky.gama: no such name here; did you mean gamma?"]),
        (["network.channels=8"], ["network.channels: should be a list; got 8"]),
        (["epochs=many"], ["epochs: ", "integer", "got 'many'"]),
        (["network=3"], ["network: should be a table"]),
        (["loss.kind=BCE"], ["BCE needs one channel of logits", "out_channels=3"]),
        (["loss.kind=Jaccard"], ["loss.kind: should be one of 'BCE', ", "'Dice'", "got 'Jaccard'"]),
        (["loss=Dice"], ["loss: should be a table of names and values; got 'Dice'"]),
        (["loss.kind=Dice", "loss.alpha=1"], ["loss.Dice.alpha: no such name here\n"]),
        (["recipe=binary"], ["recipe: no such name here\n"]),
        (["clip=-1"], ["veernet: --set clip=-1: clip must be > 0"]),
        (["first=abc"], ["veernet: --set first: that run began from weights"]),
        (["on_error=ignore"], ["on_error: ", "'ignore'"]),
        (["weight_decay"], ["--set takes key=value", "ARCHIVE comes before"]),
        (["network.channels=[8,16"], ["neither TOML nor a word"]),
        (["a..b=1"], ["--set takes key=value"]),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(failed, small_archive, tmp_path, words, parts):
    message = failed("train", small_archive, "--out", tmp_path / "run", "--set", *words, *QUICK)
    assert all(part in message for part in parts), message
    assert message.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_loss_that_does_not_fit_is_named_by_its_option(failed, small_archive, tmp_path):
    words = ["--out", tmp_path / "run", "--loss", "BCE", "--set", "clip=1"]
    message = failed("train", small_archive, *words, *QUICK)
    assert "--loss BCE, --set clip=1: BCE needs one channel of logits" in message


def test_settings_in_a_file_are_refused_under_its_name(failed, small_archive, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[schedule]\nseeed = 3\n")
    words = [small_archive, "--config", file, "--out", tmp_path / "run"]
    assert f"{file}: schedule.seeed: no such name here; did you mean seed?" in failed(
        "train", *words
    )
    unnamed = tmp_path / "mine.conf"
    unnamed.write_text("epochs: 3")
    assert f"{unnamed}: not a TOML file" in failed("train", *words[:2], unnamed, *words[3:])
    file.write_text("epochs = 3")
    assert "train needs ARCHIVE" in failed("train", *words[1:])
    assert "leave out --loss, --set" in failed(
        "train", "--resume", "run", "--loss", "Dice", "--set", "epochs=3"
    )
    assert "leave out --set schedule.pixel_budget" in failed(
        "train", *words, "--memory", "8GiB", "--set", "schedule.pixel_budget=9"
    )


def test_settings_in_toml_are_what_toml_says(veernet, small_archive, tmp_path):
    """Read by Python's own reader, from a folder with quotation marks and letters of Greek."""
    archive = tmp_path / 'λ "x" \\'
    shutil.copytree(small_archive, archive)
    words = [archive, "--out", tmp_path / "run", "--set", *SMALL, *QUICK, "--stop-after", 1]
    veernet("train", *words, "--pixel-budget", 9000)
    found = tomllib.loads((tmp_path / "run" / SETTINGS).read_text())
    config = json.loads((tmp_path / "run" / CONFIG).read_text())["training"]
    assert found["loss"] == config["loss"]
    assert found["network"] == config["network"]
    assert found["schedule"]["pixel_budget"] == 9000
    assert found["archive"] == read_config(tmp_path / "run").archive


def test_a_network_that_the_initial_weights_are_not_of_is_refused(failed, small_archive, tmp_path):
    """In a file as on the command line: otherwise one of the two would be dropped unsaid."""
    path = tmp_path / "mine.toml"
    path.write_text("[network]\nchannels = [2, 4]\n")
    words = ("train", small_archive, "--out", tmp_path / "run", "--init-weights", "pretrained")
    message = failed(*words, "--config", path)
    assert f"{path}: network.channels is [2, 4], and the initial weights" in message
    assert "of another network" in failed(*words, "--set", "network.num_layers=1")

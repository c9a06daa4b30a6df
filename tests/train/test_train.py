"""The loop: what it learns does not depend on interruptions, and its files are whole."""

import json
import math
import os
import shutil
import signal
import sys
from dataclasses import asdict, replace

import pytest
import torch
from rich.console import Console
from safetensors.torch import save_file

from runs import newest
from veernet import BCE, Archive, Schedule, StepResult, Tversky, VeerNet, VeerNetConfig, collate
from veernet.data.loader import Loader
from veernet.errors import CheckpointError, ImageError, OptionError, RunError
from veernet.evaluation.evaluate import evaluate
from veernet.evaluation.summary import summarise
from veernet.synth.logs import SynthLogs
from veernet.synth.make import make
from veernet.train.checkpoint import checkpoints
from veernet.train.run import FIRST, SETTINGS, lengthen, read_config, start
from veernet.train.trainer import CheckpointPolicy, fit
from veernet.training import Training
from veernet.weights import BEST, load_weights, save_weights

CPU = torch.device("cpu")
TINY = Training(
    network=VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1),
    schedule=Schedule(effective_batch=2, pixel_budget=8000),
    epochs=2,
)
QUIET = Console(quiet=True)


def rows(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.fixture
def run(small_archive, tmp_path):
    start(tmp_path / "run", Archive.open(small_archive), TINY)
    return tmp_path / "run"


@pytest.fixture(scope="module")
def undisturbed(small_archive, tmp_path_factory):
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    start(run, Archive.open(small_archive), TINY)
    assert fit(run, device=CPU, console=QUIET)
    return run


@pytest.mark.parametrize("pauses", [[1, 1, 1, 1, 1], [2], [3, 2], [5]])
def test_a_resumed_run_ends_in_the_same_weights_bit_for_bit(run, undisturbed, pauses):
    for steps in pauses:
        assert not fit(run, device=CPU, stop_after=steps, console=QUIET)
    assert fit(run, device=CPU, console=QUIET)
    a, b = newest(run), newest(undisturbed)
    assert a.progress == b.progress
    assert (a.progress.epoch, a.progress.step) == (2, 0)
    for name, value in b.weights.items():
        assert torch.equal(a.weights[name], value), name
    assert a.settings == b.settings
    assert {*a.tensors} == {*b.tensors}
    assert all(torch.equal(a.tensors[name], value) for name, value in b.tensors.items())
    keys = ("kind", "step", "loss", "learning_rate", "training_loss", "validation_loss", "best")
    found = [[[row.get(key) for key in keys] for row in rows(r)] for r in (run, undisturbed)]
    assert found[0] == found[1]


def test_a_run_is_adamw_on_the_mean_loss_of_each_window(small_archive, tmp_path):
    """The whole loop against one written out: every log alone, one after the other."""
    how = replace(
        TINY,
        loss=Tversky(alpha=0.6, beta=0.4),
        learning_rate=0.05,
        warmup=0.4,
        weight_decay=0.3,
        clip=0.05,
        schedule=replace(TINY.schedule, seed=7),
    )
    archive = Archive.open(small_archive)
    start(tmp_path / "run", archive, how)
    fit(tmp_path / "run", device=CPU, console=QUIET)

    torch.manual_seed(7)
    model, split = VeerNet(how.network), archive.split("train")
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.3)
    windows = [w for epoch in (0, 1) for w in how.schedule.draw(len(split), epoch)]
    for number, window in enumerate(windows):
        optimizer.param_groups[0]["lr"] = how.learning_rate_at(number, len(windows))
        optimizer.zero_grad()
        for index in window:
            alone = collate([split[index]]).to(CPU)
            (how.loss.total(model(alone.image), alone) / len(window)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)
        optimizer.step()
    for name, value in newest(tmp_path / "run").weights.items():
        torch.testing.assert_close(value, model.state_dict()[name], atol=2e-3, rtol=1e-2)


def test_a_run_begins_from_given_weights_also_when_resumed(small_archive, tmp_path):
    """A run whose rate is 0 keeps them; they are in the run's folder, and no others are taken."""
    torch.manual_seed(99)
    first, archive = VeerNet(TINY.network), Archive.open(small_archive)
    still = replace(TINY, learning_rate=1e-30, weight_decay=0.0)
    start(tmp_path / "run", archive, still, first=first)
    assert not fit(tmp_path / "run", device=CPU, stop_after=1, console=QUIET)
    shutil.rmtree(tmp_path / "run" / "checkpoints")  # as if it had been killed before the first
    assert fit(tmp_path / "run", device=CPU, console=QUIET)
    for name, value in newest(tmp_path / "run").weights.items():
        torch.testing.assert_close(value, first.state_dict()[name], rtol=0, atol=1e-20)
    save_weights(tmp_path / "run" / FIRST, VeerNet(TINY.network))
    with pytest.raises(RunError, match="first.safetensors: not the weights"):
        fit(tmp_path / "run", device=CPU, console=QUIET)
    with pytest.raises(RunError, match="another network to begin from"):
        start(
            tmp_path / "b",
            archive,
            replace(TINY, network=VeerNetConfig(out_channels=3)),
            first=first,
        )


def test_validation_is_on_the_validation_logs(undisturbed, small_archive):
    epochs = [row for row in rows(undisturbed) if row["kind"] == "epoch"]
    assert [row["logs"] for row in epochs] == [2, 2]
    assert not {"left_out", "worst", "scored"} & {*epochs[0]}
    archive = Archive.open(small_archive)
    val, model = archive.split("val"), VeerNet(TINY.network)
    model.load_state_dict(newest(undisturbed).weights)
    summary = summarise(evaluate(model, val, range(2), read_curves=False), archive.classes)
    assert epochs[1]["curves"] == asdict(summary)["curves"]


def test_an_epoch_is_logged_with_the_losses_of_every_log(undisturbed, small_archive):
    """The loss of training is the mean over logs, of which the last step has one and the others
    two; that of validation the mean of the logs alone, by the weights at the end of the epoch."""
    epochs = [row for row in rows(undisturbed) if row["kind"] == "epoch"]
    steps = [row for row in rows(undisturbed) if row["kind"] == "step"]
    for epoch, row in enumerate(epochs):
        mine = [one["loss"] for one in steps if one["epoch"] == epoch]
        assert [one["labelled"] for one in steps if one["epoch"] == epoch] == [2, 2, 1]
        assert row["training_loss"] == pytest.approx((2 * mine[0] + 2 * mine[1] + mine[2]) / 5)
        assert row["epoch_seconds"] > 0
    val, model = Archive.open(small_archive).split("val"), VeerNet(TINY.network)
    model.load_state_dict(newest(undisturbed).weights)
    alone = []
    for sample in (val[0], val[1]):
        batch = collate([sample]).to(CPU)
        alone.append(TINY.loss.total(model.eval()(batch.image), batch).item())
    assert alone[0] != pytest.approx(alone[1])
    assert epochs[1]["validation_loss"] == pytest.approx(sum(alone) / 2, rel=1e-6)
    f1 = [mean_f1(row) for row in epochs]
    assert [row["best"] for row in epochs] == [True, f1[1] > f1[0]]


def mean_f1(row):
    scores = [curve["within_1_px"]["f1"] for curve in row["curves"].values()]
    return sum(scores) / len(scores)


@pytest.mark.parametrize(
    ("saving", "written"),
    [(CheckpointPolicy(minutes=1e-9), 2), (CheckpointPolicy(steps=2), 2), (CheckpointPolicy(), 0)],
)
def test_a_checkpoint_is_due_after_some_time_or_steps(run, monkeypatch, saving, written):
    trainer = sys.modules["veernet.train.trainer"]
    real, steps = trainer.train_step, []

    def power_cut(*args, **kwargs):
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(trainer, "train_step", power_cut)
    with pytest.raises(KeyboardInterrupt):
        fit(run, device=CPU, checkpoints=saving, console=QUIET)
    assert len(checkpoints(run)) == (0 if not written else 2 if saving.steps is None else 1)
    assert not written or newest(run).progress.step == written


def test_bf16_reaches_the_network_in_training_and_validation(small_archive, tmp_path, monkeypatch):
    seen = []
    plain = VeerNet.forward

    def watched(self, image, sizes=None):
        out = plain(self, image, sizes)
        seen.append((self.training, out.dtype, next(self.parameters()).dtype))
        return out

    monkeypatch.setattr(VeerNet, "forward", watched)
    start(tmp_path / "run", Archive.open(small_archive), replace(TINY, precision="bf16", epochs=1))
    assert fit(tmp_path / "run", device=CPU, console=QUIET)
    assert {*seen} == {(mode, torch.bfloat16, torch.float32) for mode in (True, False)}


def test_steps_logged_after_the_last_checkpoint_are_forgotten(run, undisturbed):
    assert not fit(run, device=CPU, stop_after=1, console=QUIET)
    with (run / "log.jsonl").open("a") as log:
        log.write('{"kind": "step", "step": 2, "epoch": 0, "loss": 99.0}\n{"kind": "st')
    assert fit(run, device=CPU, console=QUIET)
    assert [row["step"] for row in rows(run)] == [row["step"] for row in rows(undisturbed)]
    assert 99.0 not in [row.get("loss") for row in rows(run)]


def test_ctrl_c_ends_the_step_and_writes_a_checkpoint(run, monkeypatch):
    steps = []

    def step(*args, **kwargs):
        steps.append(real(*args, **kwargs))
        os.kill(os.getpid(), signal.SIGINT)
        return steps[-1]

    trainer = sys.modules["veernet.train.trainer"]
    real = trainer.train_step
    monkeypatch.setattr(trainer, "train_step", step)
    assert not fit(run, device=CPU, console=QUIET)
    assert len(steps) == 1
    assert newest(run).progress.step == 1


def test_workers_change_nothing(run, undisturbed):
    assert fit(run, device=CPU, workers=2, console=QUIET)
    for name, value in newest(undisturbed).weights.items():
        assert torch.equal(newest(run).weights[name], value)


def test_a_log_that_cannot_be_read_is_named_as_it_is_from_a_worker(small_archive, tmp_path):
    shutil.copytree(small_archive, tmp_path / "archive")
    split = Archive.open(tmp_path / "archive").split("train")
    (split.folder / split.rows[3].file_name).unlink()
    with (
        pytest.raises(ImageError, match=r"^\S+/000003.tif: no such picture$"),
        Loader(split=split, workers=1).steps([((0, 3),)]) as loaded,
    ):
        next(iter(next(loaded)))


def test_the_learning_rate_rises_in_a_line_and_falls_in_a_cosine():
    how = Training(learning_rate=2.0, warmup=0.1)
    rates = [how.learning_rate_at(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    assert rates[55] == pytest.approx(1.0)
    assert rates[99] == pytest.approx(1 + math.cos(math.pi * 89 / 90))


@pytest.mark.parametrize("pauses", [[(4, [2, 2, 1])], [(4, []), (5, [2])], [(3, [])]])
def test_a_run_made_longer_is_one_planned_with_the_learning_rate_anew(
    small_archive, tmp_path, pauses
):
    """A finished run made longer, once or twice, and paused in the new epochs or not: it ends in
    the same bits as a run that had its epochs and warm restarts from the beginning."""
    run, planned = tmp_path / "run", tmp_path / "planned"
    how, archive = replace(TINY, warmup=0.4), Archive.open(small_archive)
    start(run, archive, how)
    assert fit(run, device=CPU, console=QUIET)
    for epochs, stops in pauses:
        lengthen(run, epochs)
        for steps in stops:
            assert not fit(run, device=CPU, stop_after=steps, console=QUIET)
        assert fit(run, device=CPU, console=QUIET)
    ends = [2, *(epochs for epochs, _ in pauses)]
    start(planned, archive, replace(how, epochs=ends[-1], warm_restarts=tuple(ends[:-1])))
    assert fit(planned, device=CPU, console=QUIET)
    a, b = newest(run), newest(planned)
    assert a.progress == b.progress
    assert a.progress.epoch == ends[-1]
    assert {*a.tensors} == {*b.tensors}
    assert all(torch.equal(a.tensors[name], value) for name, value in b.tensors.items())
    keys = ("kind", "step", "loss", "learning_rate")
    found = [[[row.get(key) for key in keys] for row in rows(r)] for r in (run, planned)]
    assert found[0] == found[1]
    assert read_config(run) == read_config(planned)
    assert (run / SETTINGS).read_text() == (planned / SETTINGS).read_text()


def test_when_a_run_is_made_longer_changes_nothing(run, undisturbed, tmp_path):
    """In the middle of its second epoch, and after it has ended."""
    late = tmp_path / "late"
    shutil.copytree(undisturbed, late)
    assert not fit(run, device=CPU, stop_after=4, console=QUIET)
    for one in (run, late):
        lengthen(one, 3)
        lengthen(one, 3)  # as where the same command resumes it
        assert fit(one, device=CPU, console=QUIET)
        assert read_config(one).training == replace(TINY, epochs=3, warm_restarts=(2,))
    a, b = newest(run).tensors, newest(late).tensors
    assert all(torch.equal(a[name], value) for name, value in b.items())
    with pytest.raises(OptionError, match="it has 3 epochs, and takes no fewer; got 2"):
        lengthen(run, 2)


def test_the_learning_rate_of_new_epochs_is_that_of_a_run_of_their_number():
    """Seven steps an epoch: three epochs, then two more, then four."""
    how = Training(epochs=3, learning_rate=0.5, warmup=0.3).longer(5).longer(9)
    rates = [how.learning_rate_at(step, 63) for step in range(63)]
    alone = [replace(how, epochs=n, warm_restarts=()) for n in (3, 2, 4)]
    wanted = [
        one.learning_rate_at(step, n)
        for one in alone
        for n in [7 * one.epochs]
        for step in range(n)
    ]
    assert rates == wanted
    assert max(rates[21:35]) == pytest.approx(0.5)


@pytest.mark.parametrize("wrong", [(0,), (3, 2), (2, 2), (4,), (5,)])
def test_warm_restarts_rise_inside_the_run(wrong):
    with pytest.raises(OptionError, match="warm_restarts must rise from 1 to below epochs, 4"):
        Training(epochs=4, warm_restarts=wrong)


def test_the_settings_of_a_run_are_read_back(run):
    assert read_config(run).training == TINY


def test_both_losses_are_told_apart_in_a_config(tmp_path):
    how = Training(network=VeerNetConfig(out_channels=1), loss=BCE(positive_weight=3.0))
    make(tmp_path / "archive", SynthLogs(n_curves=1, height=(32, 32), width=(64, 64)), (1, 1, 0))
    start(tmp_path / "run", Archive.open(tmp_path / "archive"), how)
    assert read_config(tmp_path / "run").training == how
    with pytest.raises(OptionError, match="BCE needs one channel"):
        Training(network=VeerNetConfig(out_channels=3), loss=BCE())


def test_weights_are_read_back(tmp_path):
    model = VeerNet(TINY.network)
    save_weights(tmp_path / BEST, model)
    again = load_weights(tmp_path)
    assert again.config == TINY.network
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)


def save_without_digest(path, model):
    """As weights were written before they had digests."""
    tensors = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, path, {"network": json.dumps(asdict(model.config))})


def test_damaged_weights_are_refused_and_those_from_before_digests_are_read(tmp_path):
    model, path = VeerNet(TINY.network), tmp_path / BEST
    save_weights(path, model)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # one bit of the last weight
    with pytest.raises(CheckpointError, match=r"best.safetensors: not whole weights .*SHA-256"):
        load_weights(path)
    save_without_digest(path, model)
    again = load_weights(path).state_dict()
    assert all(torch.equal(again[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_neither_read_nor_written(tmp_path, bad):
    model, path = VeerNet(TINY.network), tmp_path / BEST
    save_weights(path, model)
    before = path.read_bytes()
    first = next(iter(model.state_dict()))
    model.state_dict()[first].view(-1)[3] = bad
    refused = rf"best.safetensors: 1 of the \d+ weights of {first} are NaN or infinite"
    with pytest.raises(CheckpointError, match=refused):
        save_weights(path, model)
    assert path.read_bytes() == before
    save_without_digest(path, model)
    with pytest.raises(CheckpointError, match=refused):
        load_weights(path)


def test_a_step_into_infinity_is_neither_a_checkpoint_nor_the_best_weights(run, monkeypatch):
    """The gradient of the third step is finite, and AdamW adds more than float32 can hold."""
    assert not fit(run, device=CPU, stop_after=2, console=QUIET)
    before = {path: path.read_bytes() for path in run.rglob("*.safetensors")}
    trainer = sys.modules["veernet.train.trainer"]
    real = trainer.train_step

    def far(model, *args, **kwargs):
        result = real(model, *args, **kwargs)
        next(model.parameters()).data.fill_(math.inf)
        return result

    monkeypatch.setattr(trainer, "train_step", far)
    with pytest.raises(RunError, match=r"run: after step 3, .* are NaN or infinite. A lower learn"):
        fit(run, device=CPU, console=QUIET)
    assert {path: path.read_bytes() for path in run.rglob("*.safetensors")} == before


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "not readable as safetensors"),
        (b"\x08\0\0\0\0\0\0\0{}      ", "not written by VeerNet"),
    ],
)
def test_weights_of_something_else_are_refused(tmp_path, content, found):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"weights.safetensors: .*{found}"):
        load_weights(path)
    with pytest.raises(CheckpointError, match="no such weights"):
        load_weights(tmp_path / "none")


def test_a_run_is_not_begun_twice_or_on_other_classes(run, small_archive, tmp_path):
    archive = Archive.open(small_archive)
    with pytest.raises(RunError, match="holds a run already"):
        start(run, archive, TINY)
    with pytest.raises(RunError, match=r"has 3 classes .* 1 out_channels"):
        start(tmp_path / "other", archive, Training(network=VeerNetConfig(out_channels=1)))
    assert not (tmp_path / "other").exists()
    with pytest.raises(RunError, match="no run here"):
        fit(tmp_path / "other", device=CPU)


def test_a_run_goes_on_with_the_archive_it_was_begun_on_only(small_archive, tmp_path):
    archive, run = tmp_path / "archive", tmp_path / "run"
    shutil.copytree(small_archive, archive)
    start(run, Archive.open(archive), TINY)
    metadata = archive / "val" / "metadata.jsonl"
    first, _ = metadata.read_text().splitlines()
    metadata.write_text(first + "\n")
    with pytest.raises(RunError, match=r"another archive .*split val was 2 logs, .* is 1 logs, "):
        fit(run, device=CPU, console=QUIET)
    shutil.copy(small_archive / "val" / "metadata.jsonl", metadata)
    assert not fit(run, device=CPU, stop_after=1, console=QUIET)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"warmup": 1.0}, {"learning_rate": 0.0}])
def test_training_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(OptionError):
        Training(**wrong)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_gradient_that_is_not_finite_stops_before_anything_is_saved(
    small_archive, tmp_path, monkeypatch, precision
):
    """In fp16 too, where the gradient's norm overflows in float32: no scale of the loss helps."""
    run = tmp_path / "run"
    start(run, Archive.open(small_archive), replace(TINY, precision=precision))
    assert not fit(run, device=CPU, stop_after=1, console=QUIET)
    before = {path: path.read_bytes() for path in checkpoints(run)}
    endless = torch.tensor(math.inf)
    trainer = sys.modules["veernet.train.trainer"]
    monkeypatch.setattr(
        trainer,
        "train_step",
        lambda *_, **__: StepResult(endless, endless, False, None, torch.ones(())),
    )
    with pytest.raises(RunError, match="the gradient is not finite"):
        fit(run, device=CPU, console=QUIET)
    assert {path: path.read_bytes() for path in checkpoints(run)} == before

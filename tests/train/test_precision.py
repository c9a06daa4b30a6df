"""Precision changes how numbers are held, never which step is done: scaling the loss is no option
of learning, and a step that overflowed has not happened."""

import json
import math
from dataclasses import dataclass, replace
from functools import partial

import laws
import pytest
import torch
from rich.console import Console
from torch import nn

from runs import newest
from veernet import Archive, Schedule, Tversky, VeerNet, VeerNetConfig, collate, train_step
from veernet.errors import RunError
from veernet.train.checkpoint import checkpoints
from veernet.train.run import start
from veernet.train.trainer import fit
from veernet.training import Training

CPU, QUIET = torch.device("cpu"), Console(quiet=True)
FP16 = Training(
    network=VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1),
    schedule=Schedule(effective_batch=2, pixel_budget=8000),
    epochs=2,
    precision="fp16",
)


def batches():
    logs = laws.scans(laws.SIZES)
    return [collate(logs[:2]), collate(logs[2:])]


def changed(model, batches, **options):
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    result = train_step(model, optimizer, Tversky(), batches, device=CPU, **options)
    return [a.detach() - b for a, b in zip(model.parameters(), before, strict=True)], result


@pytest.mark.parametrize("clip", [0.01, 100.0])
def test_a_scaled_loss_gives_the_same_step_and_is_told_unscaled(clip):
    plain, expected = changed(laws.network(), batches(), clip=clip)
    scaler = torch.amp.GradScaler("cpu", init_scale=4096.0)
    scaled, found = changed(laws.network(), batches(), clip=clip, scaler=scaler)
    assert laws.error(scaled, plain) < 1e-10
    measured = [[r.loss, r.grad_norm] for r in (found, expected)]
    assert laws.error(*measured) < 1e-10
    assert 0.01 < expected.grad_norm < 100.0
    assert found.applied


@dataclass(frozen=True)
class Steep(Tversky):
    """A loss whose gradient leaves float32 when it is scaled by 2^127, or is infinite itself."""

    slope: float = 1e6

    def total(self, logits, batch):
        return self.slope * super().total(logits, batch)


@pytest.mark.parametrize(("scale", "slope"), [(2.0**127, 1e6), (None, math.inf)])
def test_a_step_whose_gradient_is_not_finite_changes_nothing_but_the_scale(scale, slope):
    model, tiny = laws.network().float(), [collate(laws.scans([(3, 4)]))]
    optimizer = torch.optim.AdamW(model.parameters())
    train_step(model, optimizer, Tversky(), tiny, device=CPU)

    def state():
        moments = [value for s in optimizer.state.values() for value in s.values()]
        return [x.detach().clone() for x in (*model.parameters(), *moments)]

    before = state()
    scaler = scale and torch.amp.GradScaler("cpu", init_scale=scale)
    result = train_step(model, optimizer, Steep(slope=slope), tiny, device=CPU, scaler=scaler)
    assert not result.applied
    assert scaler is None or scaler.get_scale() == scale / 2
    assert all(map(torch.equal, state(), before))


class Affine(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.ones(1))

    def forward(self, image, sizes):
        return image * self.a


@dataclass(frozen=True)
class Many:
    """A loss of 1 an image, of batches that stand for many images."""

    images: int

    def weight(self, batch):
        return self.images

    def total(self, logits, batch):
        return (logits * 0 + 1).mean() * self.images


@pytest.mark.parametrize(("dtype", "images"), [(torch.bfloat16, 255), (torch.float16, 2047)])
def test_weight_and_loss_of_a_network_in_half_precision_are_added_up_in_float32(dtype, images):
    """As many images a batch as the dtype can count, and 40 batches."""
    model = Affine().to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    result = train_step(model, optimizer, Many(images), batches() * 20, device=CPU)
    assert result.loss.dtype == torch.float32
    assert result.loss == pytest.approx(1.0, rel=1e-6)


def test_parameters_that_are_only_added_have_gradients_of_their_own():
    """Autograd gives both the same tensor, and clipping is done in place."""

    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = (nn.Parameter(torch.ones(1, 1, 1, 1)) for _ in range(2))

        def forward(self, image, sizes):
            return (self.a + self.b) * image

    class Mean(Tversky):
        def total(self, logits, batch):
            return logits.mean((1, 2, 3)).sum()

    model = Sum()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    train_step(model, optimizer, Mean(), batches(), device=CPU, clip=math.sqrt(2) / 100)
    assert model.a.item() == model.b.item() == pytest.approx(0.99)


def rows(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def scaling(monkeypatch, **options):
    """The scaler of a run, in a state that changes within a few steps."""
    scaler = partial(torch.amp.GradScaler, **options)
    monkeypatch.setattr(torch.amp, "GradScaler", scaler)


def test_a_step_that_overflowed_is_tried_again_under_a_lower_scale(
    small_archive, tmp_path, monkeypatch
):
    runs = {}
    for name, scale in (("calm", 2.0**12), ("wild", 2.0**30)):
        with monkeypatch.context() as patch:
            scaling(patch, init_scale=scale)
            runs[name] = tmp_path / name
            start(runs[name], Archive.open(small_archive), FP16)
            assert fit(runs[name], device=CPU, console=QUIET)
    wild = rows(runs["wild"])
    retries = [row for row in wild if row["kind"] == "retry"]
    assert len(retries) > 5
    assert [row["scale"] for row in retries] == [2.0 ** (29 - i) for i in range(len(retries))]
    assert all(wild[wild.index(row) + 1]["step"] == row["step"] for row in retries)
    found = [
        [(row["step"], row["learning_rate"]) for row in rows(run) if row["kind"] == "step"]
        for run in runs.values()
    ]
    assert found[0] == found[1]
    calm, wild = (newest(run) for run in runs.values())
    for name, value in calm.weights.items():
        torch.testing.assert_close(wild.weights[name], value, atol=2e-3, rtol=1e-2)


def test_a_resumed_run_in_fp16_ends_in_the_same_weights_bit_for_bit(
    small_archive, tmp_path, monkeypatch
):
    scaling(monkeypatch, init_scale=2.0**20, growth_interval=2)
    for name in ("paused", "whole"):
        start(tmp_path / name, Archive.open(small_archive), FP16)
    for _ in range(5):
        assert not fit(tmp_path / "paused", device=CPU, stop_after=1, console=QUIET)
    for name in ("paused", "whole"):
        assert fit(tmp_path / name, device=CPU, console=QUIET)
    paused, whole = (newest(tmp_path / name) for name in ("paused", "whole"))
    assert paused.settings["scaler"] == whole.settings["scaler"]
    assert all(torch.equal(paused.weights[name], value) for name, value in whole.weights.items())


@pytest.mark.parametrize(("precision", "tries"), [("fp16", 17), ("bf16", 1), ("fp64", 1)])
def test_a_gradient_that_is_never_finite_ends_the_run(
    small_archive, tmp_path, monkeypatch, precision, tries
):
    """From a scale of 2^16 down to 1/2, the first below 1."""
    how = replace(FP16, precision=precision)
    start(tmp_path / "run", Archive.open(small_archive), how)
    forward, calls = VeerNet.forward, []

    def endless(self, *args):
        calls.append(1)
        return forward(self, *args) * math.nan

    monkeypatch.setattr(VeerNet, "forward", endless)
    with pytest.raises(RunError, match="the gradient is not finite"):
        fit(tmp_path / "run", device=CPU, console=QUIET)
    micro_batches = len(calls) / tries
    assert micro_batches in (1, 2)
    assert not checkpoints(tmp_path / "run")


def test_fp64_trains_and_validates_in_float64(small_archive, tmp_path, monkeypatch):
    seen, forward = [], VeerNet.forward

    def watched(self, image, sizes=None):
        out = forward(self, image, sizes)
        seen.append((self.training, out.dtype, image.dtype))
        return out

    monkeypatch.setattr(VeerNet, "forward", watched)
    start(tmp_path / "run", Archive.open(small_archive), replace(FP16, precision="fp64", epochs=1))
    assert fit(tmp_path / "run", device=CPU, console=QUIET)
    assert {*seen} == {(mode, torch.float64, torch.float64) for mode in (True, False)}

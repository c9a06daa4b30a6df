"""The planner: what fits, what it costs, and that a plan changes nothing that is learned."""

import io
import json
import math
import re
import subprocess
import sys
from dataclasses import replace

import laws
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from test_memory import Full

from runs import newest
from veernet import Archive, Schedule, Tversky, VeerNet, VeerNetConfig, collate
from veernet.data.schedule import padding_waste
from veernet.errors import OptionError
from veernet.memory import plan as planning
from veernet.memory import system
from veernet.memory.estimate import MemoryEstimate, Stage
from veernet.memory.plan import plan, sample_sizes
from veernet.memory.system import available_memory, parse_bytes, rss
from veernet.step import dry_run
from veernet.train.run import start
from veernet.train.trainer import fit
from veernet.training import Training

CPU, GPU = torch.device("cpu"), torch.device("cuda")
PIXEL = {"none": 500, "blocks": 400, "stages": 300, "tiles": 200}
"""Bytes a pixel of a made-up network, which takes 10,000 more."""


def linear(training, size, images=1, *, activation_checkpointing, workspaces):
    peak = 10_000 + PIXEL[activation_checkpointing] * images * math.prod(size)
    stage = Stage(name="stem", peak=peak, kept=0, temporary=0, workspace=0)
    return MemoryEstimate(persistent=0, allocator_slack=0, stages=(stage,))


@pytest.fixture
def made_up(monkeypatch):
    monkeypatch.setattr(planning, "estimate_step", linear)


side = st.integers(1, 400)


@settings(max_examples=60)
@given(st.lists(st.tuples(side, side), min_size=1, max_size=40), st.integers(1, 10**9))
def test_as_many_of_the_widest_fit_as_the_line_says(sizes, memory):
    """On a GPU, where image and target come with the batch, a byte a pixel each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "estimate_step", linear)
        found = plan(Training(), np.array(sizes), memory, device=GPU)
    h, w = found.size
    assert h * w == max(math.prod(size) for size in sizes)
    for choice in found.choices:
        a_pixel = PIXEL[choice.activation_checkpointing] + 2
        assert choice.per_pixel == pytest.approx(a_pixel)
        assert choice.images == max(0, (memory - 10_000) // (a_pixel * h * w))
        assert choice.pixel_budget <= max(1, choice.images) * h * w
    fitting_ones = [choice for choice in found.choices if choice.images]
    assert found.fits == bool(fitting_ones)
    if fitting_ones:
        assert found.best is fitting_ones[0]
    else:
        with pytest.raises(OptionError, match="activation checkpointing tiles, takes"):
            found.best  # noqa: B018


def test_a_plan_names_the_waste_and_the_micro_batches_of_its_budget(made_up):
    sizes = np.array([(50, 100 + 10 * i) for i in range(40)])
    schedule = Schedule(effective_batch=8)
    (choice, *_) = plan(Training(schedule=schedule), sizes, 10**9, device=GPU).choices
    steps = replace(schedule, pixel_budget=choice.pixel_budget).steps(sizes, 0)
    assert choice.padding_share == padding_waste(steps, sizes)
    assert choice.micro_batches == sum(map(len, steps)) / len(steps)


def test_small_logs_share_a_micro_batch_and_large_ones_do_not_pay_for_it(made_up):
    """Padding costs pixels, calls cost a number of pixels: which is more decides."""
    ample = {"device": GPU, "first": True}
    small = plan(Training(), np.array([(40, 90), (40, 100)] * 16), 10**12, **ample)
    large = plan(Training(), sample_sizes((480, 640), (3200, 12_800)), 10**12, **ample)
    assert small.best.micro_batches < 3
    assert large.best.micro_batches > 8


def test_the_memory_of_a_cpu_is_that_of_the_process_with_its_data(made_up):
    (choice, *_) = plan(Training(), np.array([(500, 500)] * 16), 10**12, device=CPU).choices
    assert choice.fixed > 16 * 2 * 500 * 500
    assert choice.peak == choice.fixed + choice.widest.peak


def test_what_is_fixed_on_a_cpu_is_the_process_its_libraries_and_the_data_of_a_step(
    made_up, monkeypatch
):
    """Image and target of the most padded pixels of a step, a byte each."""
    monkeypatch.setattr(planning, "rss", lambda: 123_456)
    sizes = np.array([(40, 50), (20, 50), (20, 50)])
    how = Training(schedule=Schedule(effective_batch=3))
    (choice, *_) = plan(how, sizes, 10**12, device=CPU).choices
    assert choice.fixed == 123_456 + (48 << 20) + 2 * 3 * 40 * 50
    (choice, *_) = plan(how, sizes, 10**12, device=GPU).choices
    assert choice.fixed == 0


PROCESS = """
import sys
from veernet.cli.main import main
from veernet.memory import plan
rss = plan.rss
def resident():
    print(rss(), file=sys.stderr)
    return rss()
plan.rss = resident
sys.argv = ["veernet", *sys.argv[1:]]
main()
"""


def test_a_plan_counts_the_process_of_a_training_and_not_its_own(small_archive, tmp_path):
    """Charts, which a plan can draw, take 15 MiB; the libraries of a training, 30."""
    train = "train", small_archive, "--out", tmp_path / "run", "--stop-after", 1
    found = []
    for words in (("plan", small_archive), train):
        command = [sys.executable, "-c", PROCESS, *map(str, words), "--memory", "8GiB"]
        ran = subprocess.run(command, capture_output=True, text=True)
        found.append(int(re.findall(r"^\d+$", ran.stderr, re.MULTILINE)[0]))
    planned, trained = found
    assert planned == pytest.approx(trained, abs=6 << 20)


def test_a_plan_says_that_computing_slabs_again_takes_nearly_half_as_long_again(made_up):
    """Padding and calls apart, which are those of the pixel budget alone."""
    found = plan(Training(), np.array([(50, 100)] * 16), 10**12, device=GPU)
    cost = {choice.activation_checkpointing: choice.cost for choice in found.choices}
    assert len({choice.pixel_budget for choice in found.choices}) == 1
    assert cost["none"] == pytest.approx(1 + 20_000 / (16 * 50 * 100))
    assert [cost[name] / cost["none"] for name in ("blocks", "stages")] == [1, 1]
    assert cost["tiles"] / cost["none"] == pytest.approx(1.45)


@pytest.mark.parametrize(
    ("text", "expected"), [("8GiB", 8 << 30), ("100 MB", 100_000_000), ("12", 12)]
)
def test_amounts_are_read_with_their_units(text, expected):
    assert parse_bytes(text, CPU) == expected


@pytest.mark.parametrize("text", ["much", "-1GiB", "8GiBs", ""])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(OptionError, match="like 8GiB"):
        parse_bytes(text, CPU)


def test_auto_leaves_a_tenth_of_what_is_free_and_shares_it(monkeypatch):
    monkeypatch.setattr(system, "available_memory", lambda device: 1000)
    assert parse_bytes("auto", CPU) == 900
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert parse_bytes("auto", CPU) == 300
    assert parse_bytes("auto", GPU) == 900


def test_what_is_free_is_more_than_this_process_holds():
    assert available_memory(CPU) > rss() > 0


def test_drawn_sizes_fill_the_range_and_hold_its_largest():
    sizes = sample_sizes((480, 640), (3200, 12_800))
    assert (sizes.min(0) >= (480, 3200)).all()
    assert sizes[sizes.prod(1).argmax()].tolist() == [640, 12_800]


def test_a_rehearsal_leaves_nothing_behind_and_finds_what_memory_holds():
    batch = collate(laws.scans(laws.SIZES))
    model = laws.network()
    before = [p.detach().clone() for p in model.parameters()]
    assert dry_run(model, Tversky(), batch, device=CPU) is None
    Full(pixels=10_000)(model)
    room = dry_run(model, Tversky(), batch, device=CPU)
    assert room is not None
    assert room < 10_000
    assert all(p.grad is None for p in model.parameters())
    pairs = zip(model.parameters(), before, strict=True)
    assert all(torch.equal(now, then) for now, then in pairs)


TRAINING = Training(
    network=VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1),
    schedule=Schedule(effective_batch=3),
    epochs=2,
    precision="fp64",
)


def only(activation_checkpointing, budget):
    """A planner that knows one plan."""

    def planner(training, sizes, memory, **options):
        found = plan(training, sizes, memory, **options)
        (first, *_) = found.choices
        forced = replace(
            first, activation_checkpointing=activation_checkpointing, pixel_budget=budget, images=1
        )
        return replace(found, choices=(forced,))

    return planner


@pytest.mark.parametrize(("activation_checkpointing", "budget"), [("tiles", 1), ("stages", 10**6)])
def test_a_run_learns_the_same_however_its_memory_is_planned(
    activation_checkpointing, budget, small_archive, tmp_path, monkeypatch
):
    """Paused and resumed without being asked again, it goes on with its plan."""
    quiet = Console(file=io.StringIO(), record=True, width=200)
    for name in ("plain", "planned"):
        start(tmp_path / name, Archive.open(small_archive), TRAINING)
    assert fit(tmp_path / "plain", device=CPU, console=quiet)
    monkeypatch.setattr(planning, "plan", only(activation_checkpointing, budget))
    used = []
    monkeypatch.setattr(
        VeerNet, "train", lambda self, mode=True: used.append(self.activation_checkpointing)
    )
    assert not fit(tmp_path / "planned", device=CPU, memory=10**10, stop_after=1, console=quiet)
    assert fit(tmp_path / "planned", device=CPU, console=quiet)
    assert set(used[1:]) == {activation_checkpointing}

    first = json.loads((tmp_path / "planned/log.jsonl").read_text().splitlines()[0])
    sizes = Archive.open(small_archive).split("train").sizes
    largest = sizes.prod(1).max() if budget == 1 else first["pixels"]
    assert (first["kind"], first["step"], first["pixels"]) == ("memory", 0, largest)
    assert "predicted" in quiet.export_text()
    plain, planned = (newest(tmp_path / name) for name in ("plain", "planned"))
    assert planned.progress == replace(
        plain.progress, pixel_budget=budget, activation_checkpointing=activation_checkpointing
    )
    names = plain.weights
    found, expected = ([state.weights[n] for n in names] for state in (planned, plain))
    assert laws.error(found, expected) < 1e-10

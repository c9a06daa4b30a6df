"""What a step is said to need of memory is what it takes; and what was taken is seen."""

import gc
from functools import cache
from itertools import pairwise
from mmap import mmap
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from veernet import Batch, VeerNet, VeerNetConfig, train_step
from veernet.losses import sums
from veernet.memory import estimate as module
from veernet.memory.estimate import ALLOCATOR_SLACK, LOSS, MemoryEstimate, estimate_step
from veernet.memory.system import PeakMemory
from veernet.model import ActivationCheckpointing
from veernet.nn import blocks
from veernet.nn import tiles as tiling
from veernet.training import Precision, Training

CPU = torch.device("cpu")
POLICIES = "none", "blocks", "stages", "tiles"
PRECISIONS = [("fp32", 1), ("bf16", 2)]
"""And how many images."""
HEIGHT, WIDTH = 64, 384
NETWORK = VeerNetConfig(out_channels=3, channels=(8, 16, 32), num_heads=2, num_layers=1)
TILES = 12
"""Of an image of that width."""


@pytest.fixture(autouse=True, scope="module")
def small():
    """What is worked on at a time is small beside a small image, as it is beside a large one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "NORM_STRIP", {"cpu": 1 << 11})
        patch.setattr(sums, "LOSS_STRIP", {"cpu": 1 << 12})
        patch.setattr(tiling, "TILE_COLUMNS", WIDTH // TILES)
        patch.setattr(module, "TRACED_WIDTH", WIDTH)
        yield


def needed(
    policy: ActivationCheckpointing = "none",
    precision: Precision = "fp32",
    images=1,
    width=WIDTH,
    epochs=997,
    **how,
) -> MemoryEstimate:
    """Told of a run of so many epochs, which no other test has: what was told once is kept."""
    training = Training(network=NETWORK, precision=precision, epochs=epochs)
    how = {"workspaces": False, **how}
    return estimate_step(training, (HEIGHT, width), images, activation_checkpointing=policy, **how)


@cache
def _told(*how) -> MemoryEstimate:
    return needed(*how)


def message(policy="none", precision="fp32", images=1, width=WIDTH) -> MemoryEstimate:
    """The same, asked once."""
    return _told(policy, precision, images, width)


def stage(need, name):
    (found,) = [stage for stage in need.stages if stage.name == name]
    return found


def ends(events):
    """When operations end that no other operation calls."""
    end = 0
    for event in sorted(events, key=lambda event: (event.start_ns(), -event.duration_ns())):
        if event.name().startswith(("aten::", "veernet::")) and event.start_ns() >= end:
            end = event.start_ns() + event.duration_ns()
            yield end


def taken(policy, precision, images):
    """The most that weights, the optimizer's state and the results of operations take at once in
    a step, bytes: what PyTorch's allocator handed out, whenever an operation has ended."""
    torch.manual_seed(0)
    how = Training(network=NETWORK, precision=precision)
    model = VeerNet(NETWORK)
    model.activation_checkpointing = policy
    optimizer = torch.optim.AdamW(model.parameters())
    batch = Batch(
        image=torch.randint(0, 255, (images, 1, HEIGHT, WIDTH), dtype=torch.uint8),
        target=torch.randint(0, 3, (images, HEIGHT, WIDTH), dtype=torch.uint8),
        sizes=torch.tensor([(HEIGHT, WIDTH)] * images),
    )

    def run():
        train_step(model, optimizer, how.loss, [batch], device=CPU, autocast=how.autocast)

    run()
    optimizer.zero_grad()
    state = [x for of_one in optimizer.state.values() for x in of_one.values()]
    total = peak = sum(x.nbytes for x in [*model.parameters(), *state])
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        run()
    assert watched.profiler is not None
    assert watched.profiler.kineto_results is not None
    events: list[Any] = [*watched.profiler.kineto_results.events()]
    changes = [(event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"]
    for _, change in sorted([*changes, *((end, 0) for end in ends(events))], key=lambda at: at[0]):
        total += change
        peak = peak if change else max(peak, total)
    return peak


@pytest.mark.parametrize(("precision", "images"), PRECISIONS)
@pytest.mark.parametrize("policy", POLICIES)
def test_a_step_takes_what_it_is_said_to_need(policy, precision, images):
    """Convolutions' and attention's own workspaces apart, which are gone when they end."""
    found = message(policy, precision, images).peak
    assert found == pytest.approx(taken(policy, precision, images), rel=0.015)


@pytest.mark.parametrize(("precision", "images"), PRECISIONS)
def test_every_policy_needs_less_than_the_one_before(precision, images):
    peaks = [message(policy, precision, images).peak for policy in POLICIES]
    assert all(less < 0.95 * more for more, less in pairwise(peaks))


@pytest.mark.parametrize("policy", POLICIES[:-1])
def test_the_need_grows_with_the_width_along_a_line(policy):
    third, two_thirds, whole = (message(policy, width=WIDTH * n // 3).peak for n in (1, 2, 3))
    assert whole - third > 0.3 * whole
    assert two_thirds == pytest.approx((third + whole) / 2, rel=0.01)


@pytest.mark.parametrize("policy", POLICIES)
def test_what_a_wide_image_needs_is_told_from_narrow_ones(policy, monkeypatch):
    """The most, and what every part keeps: all that is needed as the image grows."""
    direct = message(policy)
    monkeypatch.setattr(module, "TRACED_WIDTH", 2 * WIDTH // TILES)
    from_narrow = needed(policy)
    assert from_narrow.persistent == direct.persistent
    assert from_narrow.peak == pytest.approx(direct.peak, rel=0.01)
    for part in direct.stages:
        assert stage(from_narrow, part.name).kept == pytest.approx(part.kept, rel=0.01)


def test_a_need_is_told_of_the_parts_of_the_network_and_is_the_same_when_asked_again():
    first = message()
    again = needed(epochs=998)
    assert again == first
    names = {stage.name for stage in again.stages}
    assert names == {
        *("stem", "down.0", "down.1", "bottleneck", "bottleneck.0", "up.0", "up.1", "head", LOSS)
    }


@pytest.mark.parametrize(
    ("policy", "maps", "numbers"),
    [("none", 2, 2), ("blocks", 1, 0), ("stages", 1, 0), ("tiles", 0, 0)],
)
def test_the_stem_keeps_what_its_norm_reads_or_what_the_next_stage_reads(policy, maps, numbers):
    """What its convolution and its activation give, of 8 channels in float32, and the norm's two
    numbers a channel; or the activation alone; or nothing of full resolution."""
    kept = 4 * 8 * (maps * HEIGHT * WIDTH + numbers)
    assert stage(message(policy), "stem").kept == kept


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", [LOSS, "head"])
def test_what_is_temporary_comes_on_top_of_all_that_is_kept(policy, name):
    """All of it is there when the backward begins: at the loss, and at the head beside it."""
    found = message(policy)
    kept = sum(stage.kept for stage in found.stages)
    assert kept > 0
    assert stage(found, name).peak == found.persistent + kept + stage(found, name).temporary


def test_what_the_backward_takes_is_that_of_the_part_that_it_is_of():
    """All that is kept is still there when it comes to the first stage of full resolution."""
    most = max(message().stages, key=lambda stage: stage.peak)
    assert most.name == "up.1"
    assert most.peak > message().persistent + sum(stage.kept for stage in message().stages)


def test_telling_draws_no_random_numbers():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    needed(width=40)
    assert torch.equal(torch.rand(1), expected)


def test_the_head_keeps_the_logits():
    assert stage(message(), "head").kept == 4 * 3 * HEIGHT * WIDTH


def test_weights_two_moments_and_a_count_a_tensor_are_there_always():
    weights = [p.nbytes for p in VeerNet(NETWORK).parameters()]
    assert {message(policy).persistent for policy in POLICIES} == {
        3 * sum(weights) + 4 * len(weights)
    }


def test_only_parts_with_convolutions_have_workspaces(monkeypatch):
    """Where every operation that is asked takes a tebibyte."""

    class Full:
        def __init__(self, device):
            assert device == CPU

        def peak(self):
            return 1 << 40

    monkeypatch.setattr(module, "PeakMemory", Full)
    found = needed(width=208, workspaces=True)
    without = {stage.name for stage in found.stages if stage.workspace == 0}
    assert without == {LOSS, "bottleneck", "bottleneck.0"}
    assert all(s.workspace > 1 << 39 for s in found.stages if s.name not in without)


def test_workspaces_and_small_blocks_come_on_top():
    bare, full = message(width=128), needed(width=128, workspaces=True)
    assert full.allocator_slack == ALLOCATOR_SLACK
    assert full.peak >= bare.peak + ALLOCATOR_SLACK
    for a, b in zip(bare.stages, full.stages, strict=True):
        assert (a.name, a.kept, a.temporary) == (b.name, b.kept, b.temporary)
        assert a.peak <= b.peak <= a.peak + b.workspace


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="asks Linux")
def test_a_watch_sees_what_was_taken_since_it_began_also_when_it_is_gone():
    """Taken from Linux itself: PyTorch's may be what it was given before and freed."""

    def take(n):
        return torch.frombuffer(mmap(-1, n * mega), dtype=torch.uint8).fill_(1)

    mega = 1 << 20
    gc.collect()
    before = take(32)
    first = PeakMemory(CPU)
    assert abs(first.peak()) < mega
    take(64)
    assert abs(first.peak() - 64 * mega) < 2 * mega
    assert abs(PeakMemory(CPU).peak()) < mega
    assert before.all()

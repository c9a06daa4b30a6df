"""A step does not depend on memory: a micro-batch that ran out of it and was cut is the same step.

Also run as a script, as one process of two:  test_memory.py RANK RANKS STORE OUT
"""

import gc
import io
import json
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import laws
import pytest
import torch
import torch.distributed as dist
from rich.console import Console

from runs import newest
from veernet import Archive, Schedule, Tversky, VeerNet, VeerNetConfig, collate, shard, train_step
from veernet.train.run import start
from veernet.train.trainer import fit
from veernet.training import Training

CPU = torch.device("cpu")
CUT = (0, 1), (2, 3), (4, 5)
"""On canvases of 2 × 50 × 97 = 9700, 2 × 64 × 65 = 8320 and 2 × 45 × 90 = 8100 px."""
ERRORS = {
    "cuda": lambda: torch.OutOfMemoryError("CUDA out of memory"),
    "python": MemoryError,
    "cpu": lambda: torch.empty(2**50),
}
"""What raises, or makes, the error of each kind."""


@dataclass
class Full:
    """Memory that runs out in some passes of a network, counted from 0, or over some pixels."""

    where: str = "forward"
    passes: frozenset[int] = frozenset()
    pixels: float = float("inf")
    error: Callable[..., Any] = ERRORS["cuda"]
    count: int = -1
    hits: int = 0

    def __call__(self, model):
        model.register_forward_hook(self.forward)
        # The gradient of the first layer comes last, when all others are computed.
        next(model.parameters()).register_hook(lambda _: self.strike("backward"))

    def forward(self, model, inputs, logits):
        if torch.is_grad_enabled():
            self.count += 1
            n, _, h, w = inputs[0].shape
            self.now = self.count in self.passes or (n > 1 and n * h * w > self.pixels)
            self.strike("forward")

    def strike(self, where):
        if where == self.where and self.now:
            self.hits += 1
            raise self.error()


def batches(cut):
    logs = laws.scans(laws.SIZES)
    return [collate([logs[i] for i in batch]) for batch in cut]


WHOLE = (0, 1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def undisturbed():
    return laws.stepped(batches([WHOLE]))


@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_step_does_not_depend_on_the_micro_batch_that_ran_out(where, number, undisturbed):
    full = Full(where, frozenset([number]))
    assert laws.error(laws.stepped(batches(CUT), prepare=full), undisturbed) < 1e-10
    assert (full.hits, full.count) == (1, 4)


@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize("kind", ERRORS)
def test_step_does_not_depend_on_cuts_down_to_single_images(where, kind, undisturbed):
    full = Full(where, pixels=0, error=ERRORS[kind])
    assert laws.error(laws.stepped(batches([WHOLE]), prepare=full), undisturbed) < 1e-10
    assert full.hits == 5


def budget(full, batches):
    model = laws.network()
    full(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    return train_step(model, optimizer, Tversky(), batches, device=CPU).pixel_budget


@pytest.mark.parametrize(
    ("passes", "pixels", "expected"),
    [
        ([], float("inf"), None),
        ([0], float("inf"), 8320),  # what fits whole, not the halves of 33 × 97 and 50 × 41
        ([1], float("inf"), 8100),
        ([2], float("inf"), 45 * 45),  # what fits, but is larger than what does not, says nothing
        ([], 0, 64 * 65),
    ],
)
def test_the_budget_is_the_most_that_fits_below_what_does_not(passes, pixels, expected):
    assert budget(Full(passes=frozenset(passes), pixels=pixels), batches(CUT)) == expected


def test_an_image_that_does_not_fit_alone_is_told_with_its_size():
    with pytest.raises(torch.OutOfMemoryError, match="an image of 64 × 65 px"):
        budget(Full(passes=frozenset([1, 3])), batches(CUT))


def test_other_errors_are_not_taken_for_full_memory():
    with pytest.raises(TypeError, match="sizes"):
        budget(Full(passes=frozenset([0]), error=laws.scans), batches(CUT))


def test_the_activations_are_gone_before_the_halves_run():
    alive = []

    def watch(model):
        model.register_forward_pre_hook(lambda *_: alive.append(seen and seen[-1]() is not None))
        model.register_forward_hook(lambda m, x, logits: seen.append(weakref.ref(logits)))
        Full("backward", frozenset([0]))(model)

    seen: list[weakref.ref[torch.Tensor]] = []
    gc.disable()
    try:
        laws.stepped(batches(CUT), prepare=watch)
    finally:
        gc.enable()
    assert alive[1] is False


CASES = [(where, victims) for where in ("forward", "backward") for victims in ([0], [1], [0, 1])]
"""Where memory runs out, and in which of two processes."""


def one_of_two(rank: int, ranks: int, store: Path, out: Path) -> None:
    """Take this process's share of one step a case."""
    dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=ranks)
    mine = batches(shard(((0, 1, 3), (2, 4, 5)), rank, ranks))
    results = []
    for where, victims in CASES:
        fulls = [Full(where, frozenset([0] if rank in victims else [])) for _ in range(2)]
        change = laws.stepped(mine, prepare=fulls[0])
        results.append((change, fulls[0].hits, budget(fulls[1], mine)))
    torch.save(results, f"{out}{rank}")
    dist.destroy_process_group()


def test_step_does_not_depend_on_the_process_that_ran_out(tmp_path, undisturbed):
    laws.run_together(__file__, 2, tmp_path / "store", tmp_path / "out")
    for rank in (0, 1):
        results = torch.load(tmp_path / f"out{rank}", weights_only=True)
        for (change, hits, least), (_, victims) in zip(results, CASES, strict=True):
            assert laws.error(change, undisturbed) < 1e-10
            assert hits == (rank in victims)
            # The larger half of each: 33 × 97 with 50 × 41, and 45 × 45. Both know the smaller.
            assert least == min((2 * 50 * 97, 45 * 45)[victim] for victim in victims)


@pytest.mark.parametrize("pause", [1, None])
def test_a_run_remembers_what_memory_holds(small_archive, tmp_path, monkeypatch, pause):
    """Also when it is paused and resumed; and it learns what it would have learned."""
    how = Training(
        network=VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1),
        schedule=Schedule(effective_batch=3, pixel_budget=10**6),
        epochs=2,
        precision="fp64",
    )
    quiet, fulls = Console(record=True, width=200, file=io.StringIO()), []
    for name in ("whole", "cut"):
        start(tmp_path / name, Archive.open(small_archive), how)
    assert fit(tmp_path / "whole", device=CPU, console=Console(quiet=True))

    made = VeerNet.__init__

    def limited(self, network):
        made(self, network)
        fulls.append(Full(pixels=9_000))
        fulls[-1](self)

    monkeypatch.setattr(VeerNet, "__init__", limited)
    for steps in (pause, None):
        fit(tmp_path / "cut", device=CPU, stop_after=steps, console=quiet)
    assert [full.hits for full in fulls] == [2, 0]

    rows = [json.loads(line) for line in (tmp_path / "cut/log.jsonl").read_text().splitlines()]
    found = [(row["kind"], row["step"]) for row in rows]
    assert found[:3] == [("step", 1), ("budget", 1), ("step", 2)]
    least = rows[1]["pixel_budget"]
    assert least < 9_000
    assert f"memory ran out and the step was cut finer; the pixel budget is {least:,}" in (
        quiet.export_text()
    )
    whole, cut = (newest(tmp_path / name) for name in ("whole", "cut"))
    assert cut.progress == replace(whole.progress, pixel_budget=least)
    names = cut.weights
    assert laws.error([names[n] for n in names], [whole.weights[n] for n in names]) < 1e-10


if __name__ == "__main__":
    one_of_two(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))

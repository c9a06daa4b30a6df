"""Which precisions a processor has units for, and what is said where it has none."""

import io
import json
import math
import os
import platform
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from rich.console import Console

from veernet import Archive, Schedule, VeerNetConfig
from veernet.memory import plan as planning
from veernet.memory.estimate import MemoryEstimate, Stage
from veernet.memory.system import drawback, support
from veernet.train.run import start
from veernet.train.trainer import fit
from veernet.training import Training

CPU, GPU = torch.device("cpu"), torch.device("cuda")
SMALL = Training(
    network=VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1),
    schedule=Schedule(effective_batch=5),
    epochs=2,
)
NO_UNITS = "this processor has no units for it"


@pytest.fixture
def processor(monkeypatch):
    """Give the processor other units than it has, as oneDNN and PyTorch tell of them."""

    def has(*, bf16=True, fp16=False, avx512=True, avx512_bf16=True):
        found = {"_is_mkldnn_bf16_supported": bf16, "_is_mkldnn_fp16_supported": fp16}
        for name, value in found.items():
            monkeypatch.setattr(torch.ops.mkldnn, name, lambda value=value: value)
        found = {"_is_avx512_supported": avx512, "_is_avx512_bf16_supported": avx512_bf16}
        for name, value in found.items():
            monkeypatch.setattr(torch.cpu, name, lambda value=value: value)

    return has


KINDS = {
    "AVX-512 with bfloat16": ({}, "native", "missing"),
    "AVX-512 with both": ({"fp16": True}, "native", "native"),
    "AVX-512 alone": ({"avx512_bf16": False}, "emulated", "missing"),
    "AVX2 alone": ({"bf16": False, "avx512": False, "avx512_bf16": False}, "missing", "missing"),
    "units that are not AVX-512's": ({"avx512": False, "avx512_bf16": False}, "native", "missing"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_precision_is_native_where_the_processor_has_units_for_it(processor, kind):
    units, bf16, fp16 = KINDS[kind]
    processor(**units)
    assert [support(name, CPU) for name in ("bf16", "fp16")] == [bf16, fp16]
    assert {support(name, CPU) for name in ("fp32", "fp64")} == {"native"}
    assert {support(name, GPU) for name in ("fp32", "bf16", "fp16")} == {"native"}
    assert (drawback("bf16", CPU) is None) == (bf16 == "native")
    assert (drawback("fp16", CPU) is None) == (fp16 == "native")


def test_a_pytorch_without_onednn_has_no_convolutions_of_lower_precision(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert {support(name, CPU) for name in ("bf16", "fp16")} == {"missing"}


WITHOUT = """
import torch
from veernet import VeerNetConfig
from veernet.training import Training
from veernet.memory.allocator import configure_allocator
from veernet.memory.system import support
from veernet.memory.estimate import estimate_step
configure_allocator()
torch.set_num_threads(1)
how = Training(network=VeerNetConfig(channels=(8, 16), num_heads=2, num_layers=1), precision="bf16")
(last,) = [stage for stage in estimate_step(how, (64, 512)).stages if stage.name == "up.0"]
print(support("bf16", torch.device("cpu")))
print(last.workspace)
"""


@pytest.mark.skipif(
    platform.machine() != "x86_64" or platform.system() != "Linux",
    reason="limits oneDNN to an instruction set of x86-64, and asks Linux for memory",
)
def test_a_convolution_that_the_processor_has_no_units_for_writes_out_its_input_nine_times():
    """As an image to columns; the plan's workspace counts it. Here it is the one that merges eight
    channels of the encoder with eight of the decoder, at full resolution."""
    env = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    words = [sys.executable, "-c", WITHOUT]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    output, workspace = done.stdout.split()
    assert output == "missing"
    assert int(workspace) == pytest.approx(9 * 2 * (8 + 8) * 64 * 512, rel=0.05)


def linear(training, size, images=1, *, activation_checkpointing, workspaces):
    """Twice as much in float32, and more the less is computed again."""
    a_pixel = {"none": 5, "blocks": 4, "stages": 3, "tiles": 2}[activation_checkpointing]
    peak = 10_000 + (2 if training.precision == "fp32" else 1) * a_pixel * math.prod(size)
    stage = Stage(name="stem", peak=peak, kept=0, temporary=0, workspace=0)
    return MemoryEstimate(persistent=0, allocator_slack=0, stages=(stage,))


PLAN = "plan", "--height", 40, 40, "--width", 90, 90, "--memory", "60GiB", "--device"


@pytest.mark.parametrize(
    ("units", "device", "precisions", "message"),
    [
        ({"bf16": False}, "cpu", {"fp32"}, "no less memory than fp32, and several times as long"),
        ({"bf16": False}, "cuda", {"fp32", "bf16"}, None),
        ({"avx512_bf16": False}, "cpu", {"fp32", "bf16"}, "less memory than fp32, and longer"),
        ({}, "cpu", {"fp32", "bf16"}, None),
    ],
)
def test_bf16_is_not_planned_for_where_it_saves_neither_time_nor_memory(
    processor, monkeypatch, capsys, units, device, precisions, message, veernet
):
    """Where it saves memory and no time, it is planned for, and that is said."""
    processor(**units)
    monkeypatch.setattr(planning, "estimate_step", linear)
    assert veernet(*PLAN, device, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {choice["precision"] for choice in found["choices"]} == precisions
    assert found["choices"][found["best"]]["precision"] == "fp32"
    if message is None:
        assert found["note"] is None
    else:
        assert f"bf16 takes {message}: {NO_UNITS}" in found["note"]
        assert ("left out" in found["note"]) == ("bf16" not in precisions)


@pytest.mark.parametrize("precision", [None, "bf16", "fp16"])
def test_a_plan_says_which_precision_is_slow_here_and_makes_it_when_asked(
    processor, monkeypatch, capsys, precision, veernet
):
    processor(bf16=False)
    monkeypatch.setattr(planning, "estimate_step", linear)
    assert veernet(*PLAN, "cpu", *(["--precision", precision] if precision else [])) == 0
    seen = capsys.readouterr().out
    assert f"{precision or 'bf16'} takes no less memory than fp32" in seen
    assert ("left out; --precision bf16 plans for it all the same" in seen) == (precision is None)


@pytest.mark.parametrize(
    ("precision", "units", "slow"),
    [
        ("bf16", {"bf16": False}, True),
        ("bf16", {"avx512_bf16": False}, True),
        ("fp16", {}, True),
        ("bf16", {}, False),
        ("fp32", {"bf16": False}, False),
    ],
)
def test_training_in_a_precision_without_units_says_so_in_one_line_and_trains(
    processor, small_archive, tmp_path, precision, units, slow
):
    """As it begins, and as it goes on."""
    processor(**units)
    start(tmp_path / "run", Archive.open(small_archive), replace(SMALL, precision=precision))
    for stop_after in (1, None):
        found = Console(file=io.StringIO(), record=True, width=200)
        done = fit(tmp_path / "run", device=CPU, stop_after=stop_after, console=found)
        assert done == (stop_after is None)
        assert found.export_text().count(NO_UNITS) == slow

"""A step whose gradient is not finite is written down, and taken again log by log."""

import json
import shutil

import pytest
import torch
from rich.console import Console

from veernet import Archive, Schedule, VeerNet, VeerNetConfig
from veernet.errors import CheckpointError, RunError
from veernet.train.fault import replay
from veernet.train.run import start
from veernet.train.trainer import fit
from veernet.training import Training

CPU, QUIET = torch.device("cpu"), Console(quiet=True)
HOW = Training(
    network=VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1),
    schedule=Schedule(effective_batch=3, pixel_budget=9000, seed=4),
    epochs=2,
)


@pytest.fixture
def poisonous(small_archive, monkeypatch):
    """The logits of one log alone are not finite."""
    split = Archive.open(small_archive).split("train")
    width, forward = split.rows[1].width, VeerNet.forward
    assert [row.width for row in split.rows].count(width) == 1

    def poisoned(self, image, sizes=None):
        logits = forward(self, image, sizes)
        if sizes is not None and self.training and (sizes[:, 1] == width).any():
            logits = logits * torch.nan
        return logits

    monkeypatch.setattr(VeerNet, "forward", poisoned)
    return split.rows[1].file_name


def test_the_step_is_written_down_and_the_log_found(small_archive, tmp_path, poisonous):
    run = tmp_path / "run"
    start(run, Archive.open(small_archive), HOW)
    with pytest.raises(RunError, match="veernet replay .*/faults/0000000"):
        fit(run, device=CPU, console=QUIET)
    (folder,) = (run / "faults").iterdir()
    results = json.loads((folder / "fault.json").read_text())
    assert (results["step"], results["seed"], results["loss"]) == (int(folder.name), 4, "nan")
    logs = [log for batch in results["micro_batches"] for log in batch]
    window = HOW.schedule.draw(5, 0)[results["step"] - 1]
    assert {log["index"] for log in logs} == {*window}

    found = replay(folder, device=CPU)
    taken = [(log, one) for log, one in found.per_log if one is not None]
    assert len(taken) == len(found.per_log)
    assert [log.file_name for log, one in taken if not one.applied] == [poisonous]
    assert found.whole is not None
    assert not found.whole.applied


def test_a_step_that_is_finite_again_gives_the_loss_it_should(small_archive, tmp_path, monkeypatch):
    """The network breaks once; what `replay` then finds is what the step would have been."""
    runs = [tmp_path / "calm", tmp_path / "broken"]
    for run in runs:
        start(run, Archive.open(small_archive), HOW)
    assert fit(runs[0], device=CPU, console=QUIET)
    rows = [json.loads(line) for line in (runs[0] / "log.jsonl").read_text().splitlines()]
    expected = next(row for row in rows if row["kind"] == "step" and row["step"] == 2)
    assert not fit(runs[1], device=CPU, stop_after=1, console=QUIET)
    with monkeypatch.context() as patched:
        forward = VeerNet.forward
        patched.setattr(VeerNet, "forward", lambda *args: forward(*args) * torch.inf)
        with pytest.raises(RunError, match="not finite"):
            fit(runs[1], device=CPU, console=QUIET)
    found = replay(runs[1] / "faults" / "00000002", device=CPU)
    assert found.whole is not None
    assert found.whole.loss.item() == expected["loss"]
    assert found.whole.grad_norm.item() == expected["grad_norm"]
    losses = [one.loss.item() for _, one in found.per_log if one is not None]
    mean = sum(losses) / len(found.per_log)
    assert mean == pytest.approx(expected["loss"])


def test_a_log_that_is_gone_is_told_and_the_others_are_taken(small_archive, tmp_path, poisonous):
    shutil.copytree(small_archive, tmp_path / "archive")
    archive, run = Archive.open(tmp_path / "archive"), tmp_path / "run"
    (archive.root / "train" / poisonous.replace("1", "2")).unlink()
    start(run, archive, HOW)
    with pytest.raises(RunError, match="veernet replay"):
        fit(run, device=CPU, on_error="skip", console=QUIET)
    (folder,) = (run / "faults").iterdir()
    found = replay(folder, device=CPU)
    assert [log.file_name for log, one in found.per_log if one and not one.applied] == [poisonous]
    results = json.loads((folder / "fault.json").read_text())
    results["micro_batches"][0][0]["index"] = 999
    (folder / "fault.json").write_text(json.dumps(results))
    with pytest.raises(RunError, match="is not log 999 of the archive"):
        replay(folder, device=CPU)


def test_a_folder_that_holds_no_such_step_is_refused(tmp_path):
    with pytest.raises(RunError, match="no step that went wrong here"):
        replay(tmp_path, device=CPU)
    (tmp_path / "fault.json").write_text("{}")
    with pytest.raises(RunError, match=r"fault.json: .*: missing"):
        replay(tmp_path, device=CPU)
    fault = {"step": 1, "epoch": 0, "seed": 0, "loss": "nan", "grad_norm": "nan"}
    fault |= {"learning_rate": 0.1, "micro_batches": []}
    (tmp_path / "fault.json").write_text(json.dumps(fault))
    with pytest.raises(CheckpointError, match="before.safetensors"):
        replay(tmp_path, device=CPU)

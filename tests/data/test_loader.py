"""What is read ahead is what the schedule says, in its order, and never more than so many bytes."""

import io
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from runs import newest
from veernet import Archive, Schedule, VeerNetConfig, collate
from veernet.data.batch import Sample
from veernet.data.loader import Loader
from veernet.data.logs import Row
from veernet.data.raster import write_picture
from veernet.data.split import Split
from veernet.errors import ImageError, RunError
from veernet.report.page import write_report
from veernet.train.log import read_log
from veernet.train.run import start
from veernet.train.trainer import fit
from veernet.training import Training

TINY = Training(
    network=VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1),
    schedule=Schedule(effective_batch=2, pixel_budget=8000),
    epochs=1,
)


class MadeUp(Split):
    """Logs of given sizes, whose pixels are their numbers; it watches what is being read."""

    def __init__(self, sizes):
        rows = [Row.of(i, height=h, width=w, curves=()) for i, (h, w) in enumerate(sizes)]
        super().__init__(Path("nowhere"), rows, 3)
        self.started = []

    def __getitem__(self, index):
        self.started.append(index)
        time.sleep(0.0002)
        return self.scan(index)

    def scan(self, index):
        h, w = self.sizes[index].tolist()
        image = torch.full((1, h, w), index % 256, dtype=torch.uint8)
        return Sample(image=image, target=torch.zeros((h, w), dtype=torch.uint8))

    def batch(self, indices):
        return collate([self.scan(i) for i in indices])


def threads():
    return [t for t in threading.enumerate() if t.name.startswith("veernet-load")]


def same(a, b):
    return torch.equal(a.image, b.image) and torch.equal(a.sizes, b.sizes)


sizes = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 60)), min_size=1, max_size=24)


@settings(max_examples=40)
@given(sizes, st.integers(1, 7), st.integers(1, 900), st.integers(0, 3), st.integers(1, 6000))
def test_batches_are_those_of_a_plain_loop_and_the_bound_holds(
    sizes, effective, budget, workers, bound
):
    """The bound: of all micro-batches begun, less those that were let go of."""
    split = MadeUp(sizes)
    steps = Schedule(effective_batch=effective, pixel_budget=budget).steps(split.sizes, epoch=0)
    loader = Loader(split=split, workers=workers, prefetch_bytes=bound)
    order = [batch for step in steps for batch in step]
    ends = np.cumsum([len(batch) for batch in order])
    done = 0
    with loader.steps(steps) as loaded:
        for step, batches in zip(steps, loaded, strict=True):
            for indices, batch in zip(step, batches, strict=True):
                assert same(batch, split.batch(indices))
                begun = 1 + int(np.searchsorted(ends, len(split.started)))
                held = sum(loader.bytes_of(one) for one in order[done:begun])
                assert held <= max(bound, loader.bytes_of(indices))
                done += 1
    assert done == len(order)
    assert not threads()


def test_a_second_pass_reads_the_same_again_and_a_pass_cut_short_shifts_nothing():
    split = MadeUp([(3, 5 + i) for i in range(12)])
    steps = Schedule(effective_batch=4, pixel_budget=40).steps(split.sizes, epoch=0)
    with Loader(split=split, workers=2).steps(steps) as loaded:
        for number, batches in enumerate(loaded):
            if number == 1:
                next(iter(batches))
                continue
            for _ in range(2):
                assert all(map(same, batches, map(split.batch, steps[number])))


def test_a_consumer_that_stops_leaves_no_thread():
    split = MadeUp([(4, 30)] * 40)
    steps = Schedule(effective_batch=2, pixel_budget=200).steps(split.sizes, epoch=0)
    with Loader(split=split, workers=3).steps(steps) as loaded:
        next(iter(next(loaded)))
        assert threads()
    assert not threads()
    assert len(split.started) < 40


@pytest.fixture
def damaged(small_archive, tmp_path):
    """An archive of 5 + 2 + 2 logs; one to train on is cut, and one to validate on is gone."""
    shutil.copytree(small_archive, tmp_path / "archive")
    cut = tmp_path / "archive" / "train" / "images" / "000003.tif"
    cut.write_bytes(cut.read_bytes()[:100])
    next((tmp_path / "archive" / "val" / "images").iterdir()).unlink()
    return Archive.open(tmp_path / "archive")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_log_that_cannot_be_read_is_named_or_left_out_as_asked(damaged, workers):
    split, steps = damaged.split("train"), [((0, 3), (3,)), ((1, 2),)]
    with (
        pytest.raises(ImageError, match="000003.tif: not a readable"),
        Loader(split=split, workers=workers).steps(steps) as loaded,
    ):
        next(iter(next(loaded)))
    assert not threads()
    results = []
    loader = Loader(split=split, workers=workers, on_error="skip", skipped=results.append)
    with loader.steps(steps) as loaded:
        found = [list(batches) for batches in loaded]
    assert [len(batches) for batches in found] == [1, 1]  # nothing is left of the second
    assert same(found[0][0], collate([split[0]]))
    assert [one.file_name for one in results] == ["images/000003.tif"] * 2
    assert "not a readable" in results[0].reason


def test_logs_that_are_left_out_are_told_once_however_often_a_run_pauses(damaged, tmp_path):
    cpu, quiet, found = torch.device("cpu"), Console(quiet=True), []
    for name in ("whole", "paused"):
        run = tmp_path / name
        start(run, damaged, replace(TINY, epochs=2))
        pause = 1 if name == "paused" else None
        options = {"device": cpu, "on_error": "skip", "stop_after": pause, "console": quiet}
        while not fit(run, **options):
            pass
        rows = [row for row in read_log(run) if row["kind"] == "skipped"]
        found.append([(row["step"], row["epoch"], row["file_name"]) for row in rows])
    assert found[0] == found[1]
    assert len(found[0]) == 4


def lose(split):
    """None of its logs can be read any more."""
    for image in (split.folder / "images").iterdir():
        image.unlink()


def forget(split):
    """Nobody labelled any of its logs."""
    for row in split.rows:
        unknown = np.full((row.height, row.width), 255, np.uint8)
        write_picture(split.folder / row.mask_file_name, unknown)


@pytest.mark.parametrize("spoil", [lose, forget])
def test_weights_are_not_called_best_where_no_log_tells(small_archive, tmp_path, spoil):
    """Validation logs that cannot be read or have no label: F1 is nobody's then, and not 1."""
    shutil.copytree(small_archive, tmp_path / "archive")
    archive, run, found = Archive.open(tmp_path / "archive"), tmp_path / "run", io.StringIO()
    spoil(archive.split("val"))
    start(run, archive, TINY)
    assert fit(run, device=torch.device("cpu"), on_error="skip", console=Console(file=found))
    assert not (run / "best.safetensors").exists()
    assert newest(run).progress.best == -1
    (epoch,) = (row for row in read_log(run) if row["kind"] == "epoch")
    assert {curve["within_1_px"]["f1"] for curve in epoch["curves"].values()} == {None}
    assert "curve 1: no score" in found.getvalue()
    assert "no best weights" in found.getvalue()
    write_report(tmp_path / "report.html", run)


@pytest.mark.parametrize("spoil", [lose, forget])
@pytest.mark.parametrize("pause", [None, 1])
def test_a_run_that_nothing_was_learned_in_does_not_end_as_trained(
    small_archive, tmp_path, spoil, pause
):
    """No log to train on can be read, or none has a label."""
    shutil.copytree(small_archive, tmp_path / "archive")
    archive, run = Archive.open(tmp_path / "archive"), tmp_path / "run"
    spoil(archive.split("train"))
    start(run, archive, TINY)
    options = {"device": torch.device("cpu"), "on_error": "skip", "console": Console(quiet=True)}

    def trained():
        return fit(run, stop_after=pause, **options) or trained()

    with pytest.raises(RunError, match="nothing was learned in epoch 1, for none of the 5 logs"):
        trained()
    assert not (run / "best.safetensors").exists()
    shutil.copytree(small_archive, archive.root, dirs_exist_ok=True)
    assert fit(run, **options)  # goes on where the archive was mended


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_a_step_of_which_nothing_can_be_read_changes_nothing(small_archive, tmp_path, precision):
    shutil.copytree(small_archive, tmp_path / "archive")
    archive, run = Archive.open(tmp_path / "archive"), tmp_path / "run"
    next((archive.root / "train/images").iterdir()).unlink()
    schedule = Schedule(effective_batch=1, pixel_budget=8000)
    start(run, archive, replace(TINY, schedule=schedule, precision=precision))
    options = {"device": torch.device("cpu"), "console": Console(quiet=True)}
    assert fit(run, on_error="skip", **options)
    losses = [row["loss"] for row in read_log(run) if row["kind"] == "step"]
    assert len(losses) == 5
    assert losses.count(None) == 1


def test_a_run_that_leaves_logs_out_says_which_and_learns_from_the_others(damaged, tmp_path):
    cpu, quiet = torch.device("cpu"), Console(quiet=True)
    start(tmp_path / "run", damaged, TINY)
    with pytest.raises(ImageError):
        fit(tmp_path / "run", device=cpu, console=quiet)
    assert fit(tmp_path / "run", device=cpu, workers=2, on_error="skip", console=quiet)
    log = read_log(tmp_path / "run")
    names = sorted(row["file_name"] for row in log if row["kind"] == "skipped")
    assert names[0] == "images/000003.tif"
    assert len(names) == 2
    assert [row["logs"] for row in log if row["kind"] == "epoch"] == [1]
    assert all(np.isfinite(row["loss"]) for row in log if row["kind"] == "step")
    write_report(tmp_path / "report.html", tmp_path / "run")
    assert "images/000003.tif: " in (tmp_path / "report.html").read_text()

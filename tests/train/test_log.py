"""What a run says of itself: lines on the console, numbers and pictures in TensorBoard."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from veernet import Archive, Schedule, StepResult, VeerNetConfig
from veernet.train import log as logging
from veernet.train.log import RunLog, duration, read_log
from veernet.train.run import start
from veernet.train.trainer import fit
from veernet.train.validation import mean_loss, picture
from veernet.training import Training

CPU = torch.device("cpu")
TINY = Training(
    network=VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1),
    schedule=Schedule(effective_batch=2, pixel_budget=8000),
    epochs=2,
)


@pytest.fixture(scope="module")
def said(small_archive, tmp_path_factory):
    """A run, and what it printed through a pipe."""
    run, out = tmp_path_factory.mktemp("log") / "run", io.StringIO()
    start(run, Archive.open(small_archive), TINY)
    assert fit(run, device=CPU, console=Console(file=out, width=80))
    return run, out.getvalue().splitlines()


def test_the_line_of_an_epoch_has_losses_scores_seconds_and_the_best_so_far(said):
    run, lines = said
    epochs = [row for row in read_log(run) if row["kind"] == "epoch"]
    assert len(lines) == len(epochs) == 2  # in seconds, no line of progress is due
    for line, row in zip(lines, epochs, strict=True):
        assert line.startswith(
            f"epoch {row['epoch'] + 1}  training loss {row['training_loss']:.4f}  "
            f"validation loss {row['validation_loss']:.4f}  "
        )
        for name, curve in row["curves"].items():
            assert f"{name}: F1 within 1 px {curve['within_1_px']['f1']:.3f}" in line
        assert f"  {duration(row['epoch_seconds'])}" in line
        assert line.endswith("* best so far") == row["best"]


def test_tensorboard_has_the_same_numbers_and_two_pictures_an_epoch(said):
    run, _ = said
    board = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0}).Reload()
    epochs = [row for row in read_log(run) if row["kind"] == "epoch"]
    for name in ("training_loss", "validation_loss"):
        found = [(one.step, one.value) for one in board.Scalars(f"epoch/{name}")]
        assert found == [(row["step"], pytest.approx(row[name])) for row in epochs]
    seconds = [one.value for one in board.Scalars("epoch/seconds")]
    assert seconds == pytest.approx([row["epoch_seconds"] for row in epochs], abs=1e-3)
    assert len(board.Scalars("learning_rate")) == 6
    for k in (1, 2):
        pictures = board.Images(f"validation/log {k}")
        assert [one.step for one in pictures] == [3, 6]
        assert all(one.width <= 1600 for one in pictures)
        assert pictures[0].encoded_image_string != pictures[1].encoded_image_string


def test_a_picture_shows_the_middle_of_scan_truth_and_probability(small_archive):
    """The middle of 2,000 columns, enlarged to 240 rows and at most 1,600 columns; red where the
    first curve is certain, white where none is."""
    log = Archive.open(small_archive).split("val").log(0)
    h = len(log.grey)
    zoom = -(-240 // h)
    n = 1600 // zoom
    first = (2000 - n) // 2
    wide = replace(
        log,
        grey=np.tile(log.grey, (1, 40))[:, :2000],
        mask=np.tile(log.mask, (1, 40))[:, :2000],
        curves=replace(
            log.curves,
            rows=np.tile(log.curves.rows, (1, 40))[:, :2000],
            values=np.tile(log.curves.values, (1, 40))[:, :2000],
        ),
    )
    probability = np.zeros((2, h, 2000), np.float32)
    probability[0, :, :first], probability[0, 7, first + 3] = 1, 1
    probability[1, 9, first + n - 1] = 0.5
    drawn = picture(wide, probability)
    page = drawn[-zoom * h :]
    assert drawn.shape == (3 * zoom * h + 8, zoom * n, 3)
    assert page[zoom * 7, zoom * 3].tolist() == [214, 39, 40]
    assert page[zoom * 9, zoom * n - 1].tolist() == [143, 187, 218]  # half of (31, 119, 180)
    assert (page != 255).any(-1).sum() == 2 * zoom**2


def test_through_a_pipe_a_line_a_minute_tells_step_loss_and_time_left(tmp_path, monkeypatch):
    """A step takes 25 s: lines after 75, 150 and 225 s, of 20 steps of which 10 were done."""
    clock = [1000.0]
    monkeypatch.setattr(logging.time, "monotonic", lambda: clock[0])
    out = io.StringIO()
    (tmp_path / "run").mkdir()
    console = Console(file=out, width=80)
    with RunLog(tmp_path / "run", epoch=1, done=10, n_steps=20, console=console) as log:
        for number in range(11, 20):
            clock[0] += 25
            value = torch.tensor(number / 100)
            log.step(number, 1, StepResult(value, value, True, None, torch.tensor(3.0)), 1e-3, 1)
    assert out.getvalue().splitlines() == [
        "step 13 of 20  epoch 2  loss 0.1300  3 min left",
        "step 16 of 20  epoch 2  loss 0.1600  2 min left",
        "step 19 of 20  epoch 2  loss 0.1900  25 s left",
    ]


def test_on_a_terminal_a_bar_stands_in_place_of_the_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(logging, "SAY_AFTER", 0.0)
    out = io.StringIO()
    (tmp_path / "run").mkdir()
    console = Console(file=out, width=80, force_terminal=True)
    with RunLog(tmp_path / "run", epoch=0, done=0, n_steps=2, console=console) as log:
        one = torch.ones(())
        log.step(1, 0, StepResult(one, one, True, None, one), 1e-3, 1)
    assert "1/2" in out.getvalue()
    assert "step 1 of 2" not in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.234, "0.2 s"), (12.6, "13 s"), (99.4, "99 s"), (99.6, "2 min"), (7200, "2 h")],
)
def test_a_duration_has_about_two_digits(seconds, text):
    assert duration(seconds) == text


def test_a_mean_loss_weighs_every_log_once():
    assert mean_loss([(0.5, 1), (2.0, 4), (0.0, 0)]) == pytest.approx(0.5)
    assert mean_loss([(0.0, 0)]) is None

"""Weights are scored on any archive as a run is on its own."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from rich.console import Console

from networks import SeesInk
from veernet import Archive, VeerNet, VeerNetConfig
from veernet.errors import ArchiveError, OptionError, RunError
from veernet.evaluation.evaluate import evaluate
from veernet.report.page import write_report
from veernet.synth.make import make
from veernet.train.run import start
from veernet.train.score import evaluate_run, evaluate_weights
from veernet.training import Training
from veernet.weights import BEST, save_weights

SMALL = VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1)
HOW = {"device": torch.device("cpu"), "console": Console(quiet=True)}


@pytest.fixture
def run(small_archive, tmp_path):
    """A run in bf16, whose best weights are random ones."""
    training = Training(network=SMALL, precision="bf16")
    start(tmp_path / "run", Archive.open(small_archive), training)
    torch.manual_seed(4)
    save_weights(tmp_path / "run" / BEST, VeerNet(SMALL))
    return tmp_path / "run"


def test_weights_score_in_float32_what_their_run_scores_in_its_own_precision(
    run, small_archive, tmp_path
):
    """The pictures and rows are those of the same logs."""
    of_run = evaluate_run(run, "val", **HOW)
    files = [run / "evaluation/val", tmp_path / "own", tmp_path / "file"]
    of_weights = [
        evaluate_weights(str(weights), small_archive, "val", folder, **HOW)
        for weights, folder in zip((run, run / BEST), files[1:], strict=True)
    ]
    assert of_weights[0] == replace(of_weights[1], scored=of_weights[0].scored)
    assert of_weights[0].scored == {
        "weights": str(run),
        "archive": str(small_archive),
        "split": "val",
    }
    assert of_weights[0].curves != of_run.curves
    config = json.loads((run / "config.json").read_text())
    config["training"]["precision"] = "fp32"
    (run / "config.json").write_text(json.dumps(config))
    assert evaluate_run(run, "val", **HOW).curves == of_weights[0].curves
    found = [json.loads((folder / "summary.json").read_text()) for folder in files[1:]]
    assert found == json.loads(json.dumps([asdict(summary) for summary in of_weights]))
    rows = [(folder / "logs.jsonl").read_text() for folder in files]
    assert rows[0] == rows[1] == rows[2]
    assert len({*[tuple(sorted(p.name for p in folder.glob("*.png"))) for folder in files]}) == 1


def test_a_network_is_scored_only_on_logs_of_as_many_curves_as_it_tells_apart(
    run, small_archive, small_logs, tmp_path
):
    """In neither direction; and nothing is written."""
    make(tmp_path / "single", replace(small_logs, n_curves=1), (1, 1, 1))
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    save_weights(one, VeerNet(replace(SMALL, out_channels=1)))
    save_weights(two, VeerNet(replace(SMALL, out_channels=2)))
    for weights, archive, found, there in (
        (one, small_archive, 1, r"2 \(curve 1, curve 2\)"),
        (two, small_archive, 1, r"2 \(curve 1, curve 2\)"),
        (run, tmp_path / "single", 2, r"1 \(curve 1\)"),
    ):
        message = rf"{weights}: the network tells {found} curve.* apart, and {archive} has {there}"
        with pytest.raises(RunError, match=message):
            evaluate_weights(str(weights), archive, "test", tmp_path / "out", **HOW)
        assert not (tmp_path / "out").exists()
    for weights in (one, two):
        evaluate_weights(str(weights), tmp_path / "single", "test", tmp_path / weights.stem, **HOW)
    save_weights(run / BEST, VeerNet(replace(SMALL, out_channels=1)))
    with pytest.raises(RunError, match="the network tells 1 curve"):
        evaluate_run(run, "test", **HOW)
    with pytest.raises(OptionError, match="tells 1 curve.* and the logs of .* have 2"):
        evaluate(SeesInk(), Archive.open(small_archive).split("val"), [0])


def test_a_split_that_an_archive_lacks_is_refused_with_those_it_has(run, small_logs, tmp_path):
    make(tmp_path / "own", small_logs, (2, 1, 0))
    with pytest.raises(ArchiveError, match="no split test; choose with --split train or val"):
        evaluate_weights(str(run), tmp_path / "own", "test", tmp_path / "out", **HOW)


def test_an_evaluation_has_no_page_of_its_own_and_is_on_that_of_a_run_in_its_folder(
    run, small_archive, tmp_path
):
    (run / "log.jsonl").write_text("")
    evaluate_weights("pretrained", small_archive, "test", tmp_path / "own", **HOW)
    with pytest.raises(RunError, match="own: an evaluation, and no run"):
        write_report(tmp_path / "page.html", tmp_path / "own")
    evaluate_weights("pretrained", small_archive, "test", run / "evaluation/own", **HOW)
    write_report(tmp_path / "page.html", run)
    page = (tmp_path / "page.html").read_text()
    assert "Evaluation: own, 2 logs" in page
    assert f"Scored: pretrained on test of {small_archive}" in " ".join(page.split())


def test_the_scores_of_other_weights_are_not_replaced(run, small_archive, tmp_path):
    """Figures before a fine-tuning stay beside those after it; the same ones may be made again."""
    for _ in range(2):
        evaluate_weights(str(run), small_archive, "val", tmp_path / "before", **HOW)
    kept = (tmp_path / "before/summary.json").read_bytes()
    with pytest.raises(OptionError, match=f"has an evaluation of weights {run}; choose another"):
        evaluate_weights(str(run / BEST), small_archive, "val", tmp_path / "before", **HOW)
    with pytest.raises(OptionError, match="has an evaluation of split val; choose another"):
        evaluate_weights(str(run), small_archive, "test", tmp_path / "before", **HOW)
    for folder, kind in ((run, "a run"), (small_archive, "an archive")):
        with pytest.raises(OptionError, match=f"the folder of {kind}; choose another"):
            evaluate_weights(str(run), small_archive, "val", folder, **HOW)
    assert (tmp_path / "before/summary.json").read_bytes() == kept

"""An evaluation of predictions whose scores are known beforehand."""

import json

import numpy as np
import pytest
import torch

from veernet import Archive, Network, VeerNet
from veernet.data.archive import ink
from veernet.evaluate import (
    LogResult,
    classes_of,
    evaluate,
    mean_f1,
    predict,
    summarise,
    write_evaluation,
)


@pytest.fixture
def split(small_archive):
    return Archive.open(small_archive).split("test")


def truth(split, index):
    mask = split.log(index).mask
    return np.stack([mask == 1, mask == 2]).astype(np.float32)


def test_the_truth_scores_full_marks(split):
    results = [LogResult.of(split.rows[i], split.log(i), truth(split, i)) for i in range(2)]
    summary = summarise(results, ("background", "curve 1", "curve 2"))
    assert summary["logs"] == 2
    for curve in summary["curves"].values():
        assert curve["strict"] == {"f1": 1, "iou": 1, "precision": 1, "recall": 1}
        for sampling in ("columns", "points_300"):
            assert curve[sampling]["r2"]["median"] > 0.98
            assert curve[sampling]["mae"]["median"] < 0.02
            assert curve[sampling]["pearson_r"]["worst_tenth"] > 0.98
            assert curve[sampling]["within_4_px"]["worst_tenth"] > 0.95
    assert mean_f1(summary) == 1


def test_a_shift_of_one_row_is_met_within_a_pixel_and_is_the_error_of_the_values(split):
    log, row = split.log(0), split.rows[0]
    shifted = np.roll(truth(split, 0), 1, axis=1)
    result = LogResult.of(row, log, shifted)
    straight = LogResult.of(row, log, truth(split, 0))
    one_row = 1 / (row.curves[0].track[1] - row.curves[0].track[0])
    for k in range(2):
        assert result.counts[k]["strict"].f1 < 0.8
        assert result.counts[k]["within_1_px"].f1 == 1
        assert result.errors[k]["columns"].mae == pytest.approx(
            one_row, abs=straight.errors[k]["columns"].mae
        )


def test_nothing_predicted_is_no_curve_read(split):
    result = LogResult.of(split.rows[0], split.log(0), 0 * truth(split, 0))
    summary = summarise([result], ("background", "curve 1", "curve 2"))
    assert summary["curves"]["curve 1"]["columns"]["r2"]["median"] is None
    assert summary["curves"]["curve 1"]["columns"]["coverage"]["median"] == 0
    assert mean_f1(summary) == 0


def test_the_class_of_a_pixel_is_the_most_probable_one():
    p = np.array([[[0.2, 0.6, 0.3, 0.4]], [[0.1, 0.3, 0.5, 0.4]]])
    assert classes_of(p).tolist() == [[0, 1, 2, 1]]
    assert classes_of(np.array([[[0.4, 0.6]]])).tolist() == [[0, 1]]


def test_a_network_is_evaluated_as_it_predicts(split, small_archive, tmp_path):
    torch.manual_seed(0)
    model = VeerNet(Network(planes=3, widths=(2, 4, 8), heads=2, layers=1)).eval()
    called = []
    results = evaluate(model, split, [1, 0], advance=lambda: called.append(1))
    assert [r.file_name for r in results] == [split.rows[i].file_name for i in (1, 0)]
    assert len(called) == 2
    expected = LogResult.of(split.rows[1], split.log(1), predict(model, ink(split.log(1).grey)))
    assert results[0].counts == expected.counts
    classes = Archive.open(small_archive).classes
    summary = write_evaluation(tmp_path, model, split, results, classes)
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    assert len((tmp_path / "logs.jsonl").read_text().splitlines()) == 2
    assert len([*tmp_path.glob("*.png")]) == 2

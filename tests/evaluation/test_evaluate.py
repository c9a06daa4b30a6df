"""An evaluation of predictions whose scores are known beforehand."""

import json
import sys
from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest
import torch
from rich.console import Console

from networks import SeesInk
from veernet import Archive, VeerNet, VeerNetConfig
from veernet.curves.error import CurveError
from veernet.data.logs import Curves, Log
from veernet.errors import OptionError
from veernet.evaluation.evaluate import LogResult, PixelCounts, ValueErrors, evaluate
from veernet.evaluation.pictures import draw, tinted, write_evaluation
from veernet.evaluation.pixels import Counts
from veernet.evaluation.summary import PixelScores, summarise
from veernet.inference import predict
from veernet.report.tables import print_summary
from veernet.synth.appearance import PLAIN
from veernet.synth.logs import SynthLogs


@pytest.fixture
def split(small_archive):
    return Archive.open(small_archive).split("test")


def truth(split, index):
    mask = split.log(index).mask
    return np.stack([mask == 1, mask == 2]).astype(np.float32)


def test_the_truth_scores_full_marks(split):
    results = [LogResult.of(split.rows[i], split.log(i), truth(split, i)) for i in range(2)]
    summary = summarise(results, ("background", "curve 1", "curve 2"))
    assert summary.logs == 2
    for curve in summary.curves.values():
        assert curve.strict == PixelScores(f1=1, iou=1, precision=1, recall=1)
        for values in (curve.columns, curve.points_300):
            assert (values.r2.median or 0) > 0.98
            assert (values.mae.median or 0) < 0.02
            assert (values.pearson_r.worst_tenth or 0) > 0.98
            assert (values.within_4_px.worst_tenth or 0) > 0.95
    assert summary.mean_f1 == 1


def test_a_shift_of_one_row_is_met_within_a_pixel_and_is_the_error_of_the_values(split):
    log, row = split.log(0), split.rows[0]
    shifted = np.roll(truth(split, 0), 1, axis=1)
    result = LogResult.of(row, log, shifted)
    straight = LogResult.of(row, log, truth(split, 0))
    one_row = 1 / (row.curves[0].track[1] - row.curves[0].track[0])
    for k in range(2):
        assert result.counts[k].strict.f1 < 0.8
        assert result.counts[k].within_1_px.f1 == 1
        assert result.errors[k].columns.mae == pytest.approx(
            one_row, abs=straight.errors[k].columns.mae
        )


def test_nothing_predicted_is_no_curve_read(split):
    result = LogResult.of(split.rows[0], split.log(0), 0 * truth(split, 0))
    summary = summarise([result], ("background", "curve 1", "curve 2"))
    assert summary.curves["curve 1"].columns.r2.median is None
    assert summary.curves["curve 1"].columns.coverage.median == 0
    assert summary.curves["curve 1"].columns.r2.logs == 0
    assert summary.curves["curve 1"].columns.coverage.logs == 1
    assert (summary.curves["curve 1"].unread, summary.nothing_read) == (1, 1)
    assert summary.mean_f1 == 0


CLASSES = "background", "curve 1", "curve 2"


def test_logs_without_a_label_have_no_score(split):
    """A network that draws nothing is not right there, and one that draws is not wrong."""
    log = split.log(0)
    blank = replace(log, mask=np.full_like(log.mask, 255))
    for seen in (truth(split, 0), 0 * truth(split, 0)):
        result = LogResult.of(split.rows[0], blank, seen)
        assert result.worst_f1 is None
        summary = summarise([result], CLASSES)
        assert summary.unlabelled == 1
        assert {*asdict(summary.curves["curve 1"].strict).values()} == {None}
        assert summary.mean_f1 is None
    assert summarise([], CLASSES).mean_f1 is None


def test_a_curve_that_is_labelled_nowhere_has_no_part_in_the_mean(split):
    log = split.log(0)
    one = replace(log, mask=np.where(log.mask == 2, 0, log.mask).astype(np.uint8))
    seen = truth(split, 0)
    summary = summarise([LogResult.of(split.rows[0], one, seen)], CLASSES)
    assert summary.curves["curve 2"].within_1_px.f1 is None
    assert summary.mean_f1 == 1


def test_medians_say_over_how_many_logs_and_leave_out_those_without_the_curve(split, capsys):
    log, row, seen = split.log(0), split.rows[0], truth(split, 0)
    without = replace(log, curves=replace(log.curves, values=log.curves.values * [[1], [np.nan]]))
    results = [
        LogResult.of(row, log, seen),
        LogResult.of(row, log, seen * [[[1]], [[0]]]),
        LogResult.of(row, without, seen),
    ]
    summary = summarise(results, CLASSES)
    with pytest.raises(OptionError, match=r"2 classes are named, and the results have 1 \+ 2"):
        summarise(results, CLASSES[:2])
    second = summary.curves["curve 2"]
    read = second.columns
    assert (read.r2.logs, read.mae.logs, read.coverage.logs) == (1, 1, 2)
    assert read.coverage.median == pytest.approx(0.5, abs=0.01)
    assert (second.unread, summary.nothing_read) == (1, 0)
    print_summary(Console(width=200), summary)
    output = capsys.readouterr().out
    assert (
        "curve 1: on 3 logs, nothing of it read on 0; R² over 3 logs, MAE over 3, r over 3"
        in output
    )
    assert (
        "curve 2: on 2 logs, nothing of it read on 1; R² over 1 logs, MAE over 1, r over 1"
        in output
    )
    assert "of 3 logs, 0 on which nothing was read" in output


def test_a_log_of_which_nothing_was_read_ranks_last_whatever_its_pixels(small_archive, tmp_path):
    """Pixels here and there are no curve, though half of them be right."""
    archive = Archive.open(small_archive)
    split, model = (
        archive.split("train"),
        VeerNet(VeerNetConfig(out_channels=3, channels=(2, 4), num_heads=1)),
    )
    shares = [1.0, 0.5, 1.0, 0.5]
    results = [
        LogResult.of(
            split.rows[i],
            split.log(i),
            np.where(np.arange(split.rows[i].width) % 4 < 4 * share, truth(split, i), 0),
        )
        for i, share in enumerate(shares)
    ]
    nothing = LogResult.of(split.rows[1], split.log(1), 0 * truth(split, 1))
    results[1] = replace(results[1], errors=nothing.errors)
    results[2] = replace(results[2], labelled=False)
    assert results[3].worst_f1 is not None
    assert results[1].counts[0].within_1_px.f1 > results[3].worst_f1 - 0.1
    assert results[1].worst_f1 == 0
    summary = write_evaluation(tmp_path, model, split, results, archive.classes)
    assert (summary.nothing_read, summary.unlabelled) == (1, 1)
    first, second, third, last = sorted(path.name for path in tmp_path.glob("*.png"))
    assert first == "001 of 4 from the worst, F1 0.00, 000001.png"
    assert (second[-10:-4], third[-10:-4]) == ("000003", "000000")
    assert last == "004 of 4 from the worst, no label, 000002.png"


def test_pixels_taken_for_a_curve_that_a_log_lacks_lower_its_score_by_how_many_they_are(split):
    """The F1 is 2 n / (2 n + k), where the n pixels of the first curve are found and k others are
    taken for the second: one wrong pixel does not make the log the worst."""
    row, log = split.rows[0], split.log(0)
    mask = np.where(log.mask == 2, 0, log.mask).astype(np.uint8)
    values = log.curves.values * [[1], [np.nan]]
    without = replace(log, mask=mask, curves=replace(log.curves, values=values))
    n = int((mask == 1).sum())
    for wrong in (0, 1, n):
        seen = np.stack([mask == 1, mask == 9]).astype(np.float32)
        far = np.argwhere(cv2.dilate((mask == 1).astype(np.uint8), np.ones((5, 5))) == 0)[:wrong]
        seen[1][tuple(far.T)] = 1
        found = LogResult.of(row, without, seen).worst_f1
        assert found == pytest.approx(2 * n / (n + n + wrong))
    nothing = replace(without, mask=0 * mask)
    assert LogResult.of(row, nothing, 0 * seen, read_curves=False).worst_f1 == 1
    assert LogResult.of(row, nothing, seen, read_curves=False).worst_f1 == 0


def result_of(name, f1=1.0, *, read=True, labelled=True, errors=()):
    """A result whose curve has an F1 score: so many pixels in a thousand are right."""
    counts = Counts(predicted=1000, predicted_met=round(1000 * f1), true=1000, true_met=0)
    counts = replace(counts, true_met=counts.predicted_met)
    coverage = replace(ERROR, coverage=1.0 if read else 0.0)
    return LogResult(
        file_name=name,
        labelled=labelled,
        counts=(PixelCounts(strict=counts, within_1_px=counts),),
        errors=errors or (ValueErrors(columns=coverage, points_300=coverage),),
    )


ERROR = CurveError(mae=0, mse=0, r2=1, pearson_r=1, within_px=(1, 1, 1), coverage=1)


def pictures_of(results, tmp_path):
    """Numbers of the logs that an evaluation shows, by their rank."""
    logs = SynthLogs(n_curves=1, height=(32, 32), width=(64, 64), appearance=PLAIN)
    write_evaluation(
        tmp_path, SeesInk(), logs.split(len(results)), results, ("background", "curve 1")
    )
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert all(f" of {len(results)} from the worst" in name for name in names)
    return {int(name[:3]): int(name[-10:-4]) for name in names}


def test_logs_rank_from_those_not_read_over_the_worst_scores_to_those_without_label(tmp_path):
    """Whatever order they come in."""
    name = "images/00000{}.tif".format
    results = [
        result_of(name(0), 0.9),
        result_of(name(1), 0.4),
        result_of(name(2), labelled=False),
        result_of(name(3), 0.7, read=False),
        result_of(name(4), 0.0),
        result_of(name(5), 0.5),
        result_of(name(6), read=False, labelled=False),
    ]
    expected = dict(enumerate([3, 6, 4, 1, 5, 0, 2], start=1))
    for number, order in enumerate((range(7), range(6, -1, -1), [2, 4, 6, 0, 1, 5, 3])):
        folder = tmp_path / f"{number}"
        assert pictures_of([results[i] for i in order], folder) == expected


def test_the_ten_worst_logs_are_shown_and_five_evenly_from_the_worst_to_the_best(tmp_path):
    """Log i of 41 is better the larger 7 i modulo 41 is."""
    results = [result_of(f"images/{i:06d}.tif", (7 * i % 41) / 41) for i in range(41)]
    shown = pictures_of(results, tmp_path)
    assert [*shown] == [*range(1, 12), 21, 31, 41]
    assert all(7 * i % 41 == rank - 1 for rank, i in shown.items())


def error_of(x):
    return CurveError(mae=x, mse=x, r2=x, pearson_r=x, within_px=(x, x / 2, x / 4), coverage=x)


def test_a_tenth_of_the_logs_is_worse_than_what_is_told_of_every_measure():
    """Errors are worse the larger they are, agreement the smaller it is: of 11 logs the second
    worst is told, and the sixth is the median."""
    levels = np.arange(11) / 20
    results = [
        result_of(
            f"{i}",
            errors=(ValueErrors(columns=error_of(x), points_300=error_of(x)),),
        )
        for i, x in enumerate(levels[[3, 9, 0, 7, 1, 10, 5, 2, 8, 4, 6]].tolist())
    ]
    found = asdict(summarise(results, ("background", "curve 1")).curves["curve 1"].columns)
    scale = {"within_2_px": 2, "within_4_px": 4}
    for name, measure in found.items():
        worst = 9 if name in ("mae", "mse") else 1
        assert measure["median"] * scale.get(name, 1) == pytest.approx(levels[5])
        assert measure["worst_tenth"] * scale.get(name, 1) == pytest.approx(levels[worst])
    assert {"mae", "mse", "r2", "pearson_r", "coverage", "within_1_px", *scale} == {*found}


def test_a_curve_is_scored_by_what_shows_of_it_beside_the_one_drawn_over_it():
    """Two rows of its six show for thirty columns; read off these it would be 2 px off there."""
    row = replace(SynthLogs().row(0), height=100, width=300, traits=())
    row = replace(row, curves=tuple(replace(curve, track=(0, 99)) for curve in row.curves))
    mask = np.zeros((100, 300), np.uint8)
    mask[40:46] = 2
    mask[42:48, 100:130] = 1
    heights = np.array([np.full(300, 44.5), np.full(300, 42.5)], np.float32)
    curves = Curves(rows=heights, values=(99 - heights) / 99)
    log = Log(grey=np.full_like(mask, 255), mask=mask, curves=curves)
    seen = np.stack([mask == 1, mask == 2]).astype(np.float32)
    _, second = LogResult.of(row, log, seen).errors
    assert second.columns.mae * 99 < 0.75 * 2 * 30 / 300


@pytest.mark.parametrize("number", range(8))
def test_the_picture_shows_the_curve_that_is_scored(number, monkeypatch):
    """Where it wraps too: drawn where its value is printed."""
    appearance = replace(PLAIN, wrapped=1, skew=(0, 0), drift=(0, 0), hatched=0)
    logs = SynthLogs(n_curves=1, height=(160, 160), width=(600, 600), appearance=appearance, seed=3)
    row, log = logs.row(number), logs.log(number)
    log = replace(log, grey=np.where(log.mask == 1, 0, 255).astype(np.uint8))
    pictures, scores = (
        sys.modules[f"veernet.evaluation.{name}"] for name in ("pictures", "evaluate")
    )
    drawn, scored = [], []
    overlay, curve_error = pictures.overlay, scores.curve_error

    def watched_overlay(grey, rows):
        drawn.append(rows)
        return overlay(grey, rows)

    def watched_error(read, true, **how):
        scored.append(read)
        return curve_error(read, true, **how)

    monkeypatch.setattr(pictures, "overlay", watched_overlay)
    monkeypatch.setattr(scores, "curve_error", watched_error)
    draw(log, row, SeesInk())
    LogResult.of(row, log, (log.mask == 1)[None].astype(np.float32))
    (shown,), (values, _) = drawn[-1], scored
    top, bottom = row.curves[0].track
    away = np.mod(shown - (bottom - values * (bottom - top)), bottom - top)
    assert np.nanmax(np.minimum(away, bottom - top - away)) < 1
    assert np.isfinite(shown[np.isfinite(values)]).mean() > 0.98  # the rest is where it jumps


def test_the_tint_of_a_pixel_is_the_mean_of_the_colours_by_their_probabilities():
    """White stands for the background, and a small picture is enlarged by whole pixels."""
    probability = np.zeros((2, 3, 4), np.float32)
    probability[:, 1, 2] = 0.5, 0.25
    probability[1, 0, 3] = 1
    picture = tinted(probability)
    zoom = -(-240 // 3)
    assert picture.shape == (3 * zoom, 4 * zoom, 3)
    red, blue = (214, 39, 40), (31, 119, 180)
    mixed = [0.5 * r + 0.25 * b + 0.25 * 255 for r, b in zip(red, blue, strict=True)]
    expected = np.full((3, 4, 3), 255)
    expected[1, 2], expected[0, 3] = np.rint(mixed), blue
    np.testing.assert_array_equal(picture, np.repeat(np.repeat(expected, zoom, 0), zoom, 1))


def test_pictures_say_what_is_to_be_seen_on_the_worst_logs_and_what_their_panels_show(
    small_archive, tmp_path, monkeypatch
):
    """So do the rows of the logs, and the summary, which has the worst first."""
    archive = Archive.open(small_archive)
    split, shares = archive.split("train"), [1, 0.3, 0.6]
    traits = ["dashed", "stained, twice"], [], ["bilevel"]
    split.rows = [
        replace(row, traits=tuple(some)) for row, some in zip(split.rows, traits, strict=False)
    ]
    results = [
        LogResult.of(
            row,
            split.log(i),
            np.where(np.arange(row.width) < share * row.width, truth(split, i), 0),
        )
        for i, (row, share) in enumerate(zip(split.rows, shares, strict=True))
    ]
    pictures, words = sys.modules["veernet.evaluation.pictures"], []
    caption = pictures.caption

    def watched(texts, *, width):
        words.append(" ".join(text for text, _ in texts))
        return caption(texts, width=width)

    monkeypatch.setattr(pictures, "caption", watched)
    model = VeerNet(VeerNetConfig(out_channels=3, channels=(2, 4), num_heads=1))
    summary = write_evaluation(tmp_path, model, split, results, archive.classes)
    titles = words[4::5]
    for title, i in zip(titles, (1, 2, 0), strict=True):
        assert f"images/{i:06d}.tif, {split.rows[i].height} x {split.rows[i].width} px" in title
        assert title.endswith(", ".join(traits[i]) or "no traits are recorded")
    panels = "scan", "truth", "probability by the network", "reading"
    key = " curve 1 curve 2"
    assert words[:4] == [panels[0], *(f"{panel}{key}" for panel in panels[1:])]
    assert [*summary.worst.items()] == [
        (split.rows[i].file_name, tuple(traits[i])) for i in (1, 2, 0)
    ]
    rows = map(json.loads, (tmp_path / "logs.jsonl").read_text().splitlines())
    assert [row["traits"] for row in rows] == [*traits]


def test_a_network_is_evaluated_as_it_predicts(split, small_archive, tmp_path):
    torch.manual_seed(0)
    model = VeerNet(
        VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1)
    ).eval()
    called = []
    results = evaluate(model, split, [1, 0], advance=lambda: called.append(1))
    assert [r.file_name for r in results] == [split.rows[i].file_name for i in (1, 0)]
    assert len(called) == 2
    expected = LogResult.of(split.rows[1], split.log(1), predict(model, split.log(1).grey))
    assert results[0].counts == expected.counts
    classes = Archive.open(small_archive).classes
    summary = write_evaluation(tmp_path, model, split, results, classes)
    written = json.loads((tmp_path / "summary.json").read_text())
    assert written == json.loads(json.dumps(asdict(summary)))
    assert len((tmp_path / "logs.jsonl").read_text().splitlines()) == 2
    assert len([*tmp_path.glob("*.png")]) == 2

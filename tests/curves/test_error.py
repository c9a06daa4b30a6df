"""Counts made by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veernet.curves.error import curve_error, resample
from veernet.evaluation.pixels import Counts, count


def grid(*rows):
    return np.array([[int(c) if c != "x" else 255 for c in row] for row in rows], np.uint8)


def test_strict_counts():
    truth = grid("1100", "0022", "xx00")
    guess = grid("1010", "0002", "1100")
    c = count(guess, truth, cls=1, radius=0)
    assert c == Counts(predicted=2, predicted_met=1, true=2, true_met=1)
    assert (c.precision, c.recall, c.f1, c.iou) == (0.5, 0.5, 0.5, pytest.approx(1 / 3))
    assert count(guess, truth, cls=2, radius=0) == Counts(
        predicted=1, predicted_met=1, true=2, true_met=1
    )


def test_within_one_pixel_diagonals_count_and_two_pixels_do_not():
    truth = grid("10000", "00000", "00001")
    guess = grid("00000", "01000", "00100")
    assert count(guess, truth, cls=1, radius=1) == Counts(
        predicted=2, predicted_met=1, true=2, true_met=1
    )


def test_a_prediction_that_reaches_over_unlabelled_pixels_is_not_counted_there():
    assert count(grid("1x1"), grid("1x0"), cls=1, radius=1) == Counts(
        predicted=2, predicted_met=1, true=1, true_met=1
    )


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_iou_is_the_intersection_over_the_union(tp, fp, fn):
    c = Counts(predicted=tp + fp, predicted_met=tp, true=tp + fn, true_met=tp)
    if tp + fp + fn:
        assert c.iou == pytest.approx(tp / (tp + fp + fn))
    else:
        assert c.iou == 1


def test_counts_of_logs_add_up(rng):
    a, b = (rng.integers(0, 3, (4, 9)).astype(np.uint8) for _ in range(2))
    parts = [count(a[:, s], b[:, s], cls=2, radius=0) for s in (slice(4), slice(4, 9))]
    assert parts[0] + parts[1] == count(a, b, cls=2, radius=0)


def test_curve_errors_by_hand():
    nan = np.nan
    read, true = np.array([0.1, 0.3, nan, 0.9]), np.array([0.0, 0.3, 0.5, nan])
    found = curve_error(read, true, height=25)
    assert found.mae == pytest.approx(0.05)
    assert found.mse == pytest.approx(0.005)
    assert found.r2 == pytest.approx(1 - 0.01 / 0.045)
    assert found.coverage == pytest.approx(2 / 3)
    assert found.pearson_r == pytest.approx(1)
    assert found.within_px == pytest.approx((1 / 3, 1 / 3, 2 / 3))  # 2.5 px, 0 px, and not read


def test_the_correlation_is_numpys(rng):
    read, true = rng.standard_normal((2, 50))
    found = curve_error(read, true)
    assert found.pearson_r == pytest.approx(np.corrcoef(read, true)[0, 1])


def test_a_curve_drawn_out_is_linear_between_columns_and_keeps_its_gaps():
    nan = np.nan
    np.testing.assert_allclose(resample(np.array([0.0, 1.0, 3.0]), 5), [0, 0.5, 1, 2, 3])
    found = resample(np.array([0.0, nan, 3.0, 4.0]), 7)
    np.testing.assert_allclose(found, [0, nan, nan, nan, 3, 3.5, 4])


def test_a_curve_that_was_not_read_has_no_error_and_no_coverage():
    found = curve_error(np.full(3, np.nan), np.array([0.1, 0.2, 0.3]))
    assert found.coverage == 0
    assert np.isnan([found.mae, found.mse, found.r2]).all()


def test_where_there_is_no_true_curve_there_is_nothing_to_measure():
    """Neither read nor missed: such a log would raise every median."""
    for read in (np.full(3, np.nan), np.array([0.1, 0.2, 0.3])):
        found = curve_error(read, np.full(3, np.nan), height=9)
        assert np.isnan([found.mae, found.r2, found.coverage, *found.within_px]).all()

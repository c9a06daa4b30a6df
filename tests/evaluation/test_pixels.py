"""Counts of pixels made by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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

"""A synthetic log is what its number says, and its mask is where its ink is."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veernet.errors import OptionError
from veernet.synth.logs import SynthLogs

numbers = st.integers(0, 10_000)


@settings(max_examples=10)
@given(numbers)
def test_a_log_depends_on_seed_and_number_alone(number):
    logs = SynthLogs(height=(40, 90), width=(70, 200), seed=5)
    one, again = logs.log(number), SynthLogs(height=(40, 90), width=(70, 200), seed=5).log(number)
    np.testing.assert_array_equal(one.grey, again.grey)
    np.testing.assert_array_equal(one.mask, again.mask)
    other = SynthLogs(height=(40, 90), width=(70, 200), seed=6).log(number)
    assert one.grey.shape != other.grey.shape or (one.grey != other.grey).any()


@settings(max_examples=20)
@given(numbers)
def test_the_metadata_is_known_before_the_log_is_drawn(number):
    logs = SynthLogs(height=(40, 90), width=(70, 200))
    row, log = logs.row(number), logs.log(number)
    assert log.grey.shape == log.mask.shape == (row.height, row.width)
    assert 40 <= row.height <= 90
    assert 70 <= row.width <= 200


@settings(max_examples=20)
@given(numbers)
def test_the_mask_of_a_curve_is_one_unbroken_line_even_through_dashes(number):
    log = SynthLogs(n_curves=1, height=(60, 90), width=(90, 300)).log(number)
    assert cv2.connectedComponents(log.mask, connectivity=8)[0] - 1 == 1
    present = np.isfinite(log.curves.rows[0])
    assert (log.mask.any(0) == present).all()


@settings(max_examples=20)
@given(numbers)
def test_the_mask_goes_through_the_true_rows(number):
    log = SynthLogs(height=(60, 90), width=(90, 300)).log(number)
    rows = log.curves.rows[0]
    x = np.flatnonzero(np.isfinite(rows))
    assert (log.mask[np.rint(rows[x]).astype(int), x] == 1).all()
    assert set(np.unique(log.mask)) == {0, 1, 2}


@settings(max_examples=20)
@given(numbers)
def test_a_value_is_the_height_in_the_track(number):
    """Where the paper is not skewed: in the middle column, which skew does not move."""
    logs = SynthLogs(height=(60, 90), width=(91, 91))
    (top, bottom), curves = logs.row(number).curves[0].track, logs.log(number).curves
    expected = (bottom - curves.rows[:, 45]) / (bottom - top)
    np.testing.assert_allclose(curves.values[:, 45], expected, atol=1e-5)
    assert np.nanmin(curves.values) >= 0
    assert np.nanmax(curves.values) <= 1


def test_curves_are_darker_than_the_page_on_their_trace(small_logs):
    for number in range(20):
        log = small_logs.log(number)
        assert log.grey[log.mask == 1].mean() < log.grey[log.mask == 0].mean() - 40


def test_solid_curves_are_inked_throughout_and_broken_ones_are_not():
    """On pages without grid lines in the way: the share of trace pixels that are dark."""
    dark = {1: [], 2: []}
    for number in range(30):
        log = SynthLogs(height=(80, 80), width=(300, 300)).log(number)
        threshold = (int(log.grey.max()) + int(log.grey.min())) / 2
        for k, shares in dark.items():
            shares.append((log.grey[log.mask == k] < threshold).mean())
    assert np.median(dark[1]) > 0.9
    assert np.median(dark[2]) < 0.8


def test_ink_and_mask_move_together_with_a_skewed_page():
    """Pages of 480 px drift by up to 27 px; a solid curve stays under its mask to both ends."""
    logs = SynthLogs(n_curves=1, height=(480, 480), width=(300, 300))
    for number in range(12):
        log = logs.log(number)
        threshold = (int(log.grey.max()) + int(log.grey.min())) / 2
        for part in (slice(40, 90), slice(240, 290)):
            trace = log.mask[:, part] == 1
            assert (log.grey[:, part][trace] < threshold).mean() > 0.8


def test_every_kind_of_scanner_and_paper_occurs():
    levels = [np.unique(SynthLogs(height=(64, 64), width=(90, 90)).log(i).grey) for i in range(40)]
    bilevel = sum(len(found) <= 2 for found in levels)
    assert 4 <= bilevel <= 20
    assert sum(len(found) > 60 for found in levels) >= 10
    paper = [found.max() for found in levels if len(found) > 2]
    assert min(paper) < 240


def test_the_native_range_is_the_default():
    rows = [SynthLogs().row(i) for i in range(300)]
    widths, heights = [r.width for r in rows], [r.height for r in rows]
    assert 3200 <= min(widths) < 3400
    assert 12_600 < max(widths) <= 12_800
    assert 480 <= min(heights) < 490
    assert 630 < max(heights) <= 640


@pytest.mark.parametrize(
    "wrong",
    [{"height": (90, 60)}, {"height": (8, 60)}, {"width": (10, 60)}, {"n_curves": 3}, {"seed": -1}],
)
def test_a_family_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(OptionError):
        SynthLogs(**wrong)

"""Errors of curves by hand, and by independent code."""

import numpy as np
import pytest

from veernet.curves.error import curve_error, resample


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

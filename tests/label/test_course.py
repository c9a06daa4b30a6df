"""The course of a curve is the middle of its pixels, where they say one."""

import numpy as np

from veernet.digitisation.strip import Strip
from veernet.label.course import course_of


def course(mine, wraps=False):
    grey = np.full(mine.shape, 255, np.uint8)
    w = mine.shape[1]
    strip = Strip(grey=grey, top=20, bottom=120, first=0, last=w - 1, span=(0, w - 1))
    return course_of(mine, np.zeros_like(mine), strip, wraps=wraps)


def test_pixels_of_another_track_are_no_part_of_the_course(rng):
    mine = np.zeros((141, 30), bool)
    rows = rng.integers(30, 110, 30)
    mine[rows, np.arange(30)] = True
    mine[[5, 135]] = True  # in both margins, all along
    np.testing.assert_allclose(course(mine), (120 - rows) / 100)


def test_a_stroke_across_the_track_where_a_curve_goes_round_is_no_place_of_it():
    """As a line drawn in one go has: from the upper edge down to the lower one."""
    mine = np.zeros((141, 9), bool)
    mine[22, :4] = mine[118, 5:] = mine[22:119, 4] = True
    assert np.isnan(course(mine, wraps=True)[4])
    np.testing.assert_allclose(course(mine, wraps=True)[[0, 8]], [0.98, 1.02])
    np.testing.assert_allclose(course(mine)[[0, 4, 8]], [0.98, 0.5, 0.02])

"""A curve as the pixels that a line of some width covers."""

import numpy as np
import pytest

from veernet.curves.strokes import draw_mask, stroke_pixels


@pytest.mark.parametrize(
    ("row", "width", "expected"),
    [
        (10.1, 2, [10, 11]),  # 0.4 of row 9, all of 10, 0.6 of 11
        (9.9, 2, [9, 10]),
        (10.5, 1, [10, 11]),  # half of both
        (10.45, 1.2, [10, 11]),  # 0.65 and 0.55
        (10.4, 1.1, [10]),  # 0.65 and 0.45
    ],
)
def test_a_pixel_is_of_the_curve_where_its_line_covers_half_of_it(row, width, expected):
    mask = np.zeros((20, 30), np.uint8)
    draw_mask(mask, np.full(30, row), index=2, width=width)
    assert [*np.flatnonzero((mask == 2).all(1))] == expected
    assert (mask != 0).sum() == 30 * len(expected)


def test_length_along_a_line_is_that_of_its_point_nearest_to_the_pixel():
    """Of a straight one, whose first column counts as one pixel."""
    slope = 0.75  # 1.25 px of line in every column
    line = stroke_pixels(20 + slope * np.arange(60), width=6, first=0, last=99)
    x, y = line.x, line.y - 20.0
    expected = 1 + (x + slope * y) / np.hypot(1, slope)
    inner = (x > 0) & (x < 59)
    np.testing.assert_allclose(line.arc_length[inner], expected[inner], atol=1e-9)
    assert np.ptp((line.y - 20 - slope * x)[inner]) > 5

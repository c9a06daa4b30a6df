"""What is read changes at the constants of tracing, and not before."""

from itertools import pairwise

import numpy as np
import pytest

from veernet.curves.trace import read_trace
from veernet.curves.wraps import track_wraps


def worth(probability, path, *, wide=()):
    """Sum of log p along a path less what its moves cost: a nat for every hundredth of the page's
    height on paper, and 0.15 back on ink but for the rows that are `wide`."""
    h = len(probability)
    gain = np.where(probability >= 0.5, 15.0 * probability, 0)
    gain[[*wide]] = 0
    cost = (100.0 * (1 - probability) - gain) / h
    total = np.log(np.maximum(probability[path, np.arange(len(path))], 1e-3)).sum()
    for x, (a, b) in enumerate(pairwise(path), start=1):
        low, high = sorted((a, b))
        total -= ((cost[low:high, x] + cost[low + 1 : high + 1, x]) / 2).sum()
    return total


def test_a_way_across_paper_costs_a_hundred_nats_for_the_height_of_the_page():
    """A detour of ten rows in a hundred to ink that is surer is worth it from 28 columns on."""
    taken = []
    for n in (26, 27, 28, 29):
        detour = slice(100, 100 + n)
        probability = np.zeros((100, 300))
        probability[20] = 0.9
        probability[20, detour], probability[30, detour] = 0.5, 0.99
        straight = np.full(300, 20)
        around = straight.copy()
        around[detour] = 30
        better = worth(probability, around, wide=(20, 30)) > worth(
            probability, straight, wide=(20, 30)
        )
        np.testing.assert_array_equal(read_trace(probability).rows, around if better else straight)
        taken.append(better)
    assert taken == [False, False, True, True]


def peak(n, *, side):
    """A line, and on top of it a faint plateau of `n` columns between sides of dark ink, so many
    columns wide."""
    probability = np.zeros((200, 400))
    probability[150] = 0.99
    probability[50, 200 - side : 200 + n + side] = 0.5
    probability[51:150, 200 - side : 200] = probability[51:150, 200 + n : 200 + n + side] = 0.99
    return probability


def test_a_way_along_ink_is_worth_fifteen_nats_for_the_height_of_the_page():
    """A plateau half as sure as the line below it is followed while its sides weigh more."""
    followed = []
    for n in (18, 19, 20, 21):
        probability = peak(n, side=1)
        straight = np.full(400, 150)
        over = straight.copy()
        over[199], over[200 : 200 + n] = 51, 50
        better = worth(probability, over, wide=(50, 150)) > worth(
            probability, straight, wide=(50, 150)
        )
        read = read_trace(probability).rows
        np.testing.assert_array_equal(read[200 : 200 + n], 50 if better else 150)
        followed.append(better)
    assert followed == [True, True, False, False]


def test_ink_eight_columns_wide_is_no_side_of_a_spike():
    assert (read_trace(peak(9, side=7)).rows[200:209] == 50).all()
    assert (read_trace(peak(9, side=8)).rows[200:209] == 150).all()


def test_a_way_along_ink_eight_columns_wide_is_worth_nothing_and_costs_nothing():
    """What is six nats surer than the line is reached along it."""
    probability = peak(9, side=8)
    probability[50, 200:209], probability[150, 200:209] = 0.99, 0.5
    np.testing.assert_array_equal(read_trace(probability).rows[200:209], 50)


def test_the_row_of_a_stroke_is_that_of_its_middle_whatever_hangs_on_it():
    """A bar of nine rows, and a line one column wide that leads fifty rows down from it."""
    probability = np.zeros((120, 300))
    probability[40:49] = 0.99
    probability[49:99, 150] = 0.99
    read = read_trace(probability).rows
    np.testing.assert_allclose(read, 44, atol=0.1)


def test_the_row_of_a_blot_is_in_its_middle_and_not_where_it_is_widest():
    """Of 600 rows, 240 columns wide and from the 200th on 800: all of it deeper than a stroke."""
    probability = np.zeros((640, 900))
    probability[20:220, 330:570] = probability[220:620, 50:850] = 0.99
    row = read_trace(probability).rows[450]
    assert row == pytest.approx((20 + 619) / 2, abs=1)


def test_a_long_page_is_read_alike_in_all_of_its_columns():
    """In the middle of its stroke, though it is surer at its lower edge."""
    probability = np.zeros((20, 9000))
    probability[7:10] = 0.9
    probability[9] = 0.99
    np.testing.assert_allclose(read_trace(probability).rows, 8, atol=1e-9)


def test_a_quarter_of_a_narrow_page_is_a_curve():
    for n, columns in ((24, 0), (25, 25)):
        probability = np.zeros((20, 100))
        probability[7, 30 : 30 + n] = 0.9
        assert np.isfinite(read_trace(probability).rows).sum() == columns


def test_no_column_speaks_against_a_path_with_more_than_a_thousandth():
    """A hole of one column in a line is crossed where ink beside it is too far off."""
    crossed = []
    for away in (32, 33, 34, 35, 36):
        probability = np.zeros((1000, 200))
        probability[20] = 0.99
        probability[20, 100], probability[20 + away, 100] = 0, 0.99
        straight = np.full(200, 20)
        around = straight.copy()
        around[100] += away
        better = worth(probability, straight, wide=(20,)) > worth(probability, around, wide=(20,))
        assert read_trace(probability).rows[100] == (20 if better else 20 + away)
        crossed.append(better)
    assert crossed == sorted(crossed)
    assert len({*crossed}) == 2


def test_a_column_counts_with_the_curve_from_a_probability_of_one_half():
    probability = np.zeros((20, 300))
    probability[7] = 0.9
    probability[7, 100:130], probability[7, 200:230] = 0.5, 0.499
    read = read_trace(probability, max_gap=0).rows
    assert [*np.flatnonzero(np.isnan(read))] == [*range(200, 230)]


def test_forty_columns_without_ink_are_bridged_and_forty_one_are_not():
    probability = np.zeros((20, 500))
    probability[7] = 0.9
    probability[7, 120:160] = probability[7, 300:341] = 0
    read = read_trace(probability).rows
    assert [*np.flatnonzero(np.isnan(read))] == [*range(300, 341)]


@pytest.mark.parametrize("gap", [40, 41])
def test_pieces_up_to_forty_columns_apart_are_one_curve_though_nothing_is_bridged(gap):
    """Of 60 columns each, which alone is too little; across a gap of 40 they make 120."""
    probability = np.zeros((20, 600))
    probability[7, 200:260] = probability[7, 260 + gap : 320 + gap] = 0.9
    read = read_trace(probability, max_gap=0).rows
    assert np.isfinite(read).sum() == (120 if gap == 40 else 0)


def test_a_curve_must_be_seen_in_half_of_its_columns():
    """In every other one it is; in two of five it is not."""
    for pattern, holds in (([1, 0], True), ([1, 1, 0, 0, 0], False)):
        probability = np.zeros((20, 600))
        probability[7] = 0.99 * np.resize(pattern, 600)
        assert np.isfinite(read_trace(probability).rows).any() == holds


def test_a_column_beyond_an_edge_costs_a_twentieth_of_a_nat():
    """A curve goes out at the upper edge and is printed at the lower one to the end of the log.
    That it went round explains it at 3 nats, for three rows of paper, and 0.05 a column; that it
    crossed the track, at 95: as much after 1,840 columns."""
    for n, wraps in ((1836, 1), (1844, 0)):
        probability = np.zeros((101, 2200 + n))
        probability[2, :2200] = probability[98, 2200:] = 0.99
        read = read_trace(probability, wrap_edges=(0, 100)).rows
        np.testing.assert_array_equal(read[:2200], 2)
        np.testing.assert_array_equal(read[2200:], 98 - 100 * wraps)


def test_a_curve_has_gone_round_from_a_two_hundredth_of_the_track_beyond_an_edge():
    near = np.array([0.5, 1.0049, 1.0051, 0.9951, 0.9949, -0.0049, -0.0051])
    np.testing.assert_array_equal(track_wraps(near), [0, 0, 1, 1, 0, 0, -1])


@pytest.mark.parametrize(("wraps", "followed"), [(2, True), (3, False), (-1, True), (-2, False)])
def test_a_curve_is_followed_twice_round_its_track_upwards_and_once_downwards(wraps, followed):
    """From the middle of the track, a lap in a hundred columns, and back."""
    up, n = 100 * abs(wraps), 800 + 200 * abs(wraps)
    rows = np.rint(50 - 100 * np.interp(range(n), [400, 400 + up, 400 + 2 * up], [0, wraps, 0]))
    probability = np.zeros((101, n))
    probability[np.mod(rows, 100).astype(int), range(n)] = 0.99
    probability[100, np.mod(rows, 100) == 0] = 0.99
    read = read_trace(probability, wrap_edges=(0, 100)).rows
    assert (np.abs(read - rows).max() < 1) == followed

"""The path is the best one, and a curve survives being drawn and read again."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veernet.curves.strokes import draw_mask, paint_class, wrapped_stroke_pixels
from veernet.curves.trace import best_path, bridge, read_trace
from veernet.curves.wraps import printed_rows, track_wraps, wrap_columns
from veernet.inference import read_curve


@settings(max_examples=50)
@given(st.integers(1, 4), st.integers(1, 5), st.floats(0, 2), st.integers(0, 1000))
def test_no_other_path_is_better(h, w, most, seed):
    """Against every path there is; moving through a row costs, or earns, something else in every
    pixel."""
    rng = np.random.default_rng(seed)
    score, step_cost = rng.standard_normal((h, w)), rng.uniform(-most, most, (h, w))

    def worth(path):
        moved = 0
        for x, (a, b) in enumerate(pairwise(path), start=1):
            through = range(min(a, b), max(a, b))
            moved += sum((step_cost[row, x] + step_cost[row + 1, x]) / 2 for row in through)
        return score[list(path), range(w)].sum() - moved

    best = max(worth(path) for path in product(range(h), repeat=w))
    assert worth(best_path(score, step_cost)) == pytest.approx(best)


def test_a_gap_is_bridged_up_to_its_limit_and_never_invented():
    nan = np.nan
    rows = np.array([nan, 1.0, nan, nan, 4.0, nan, nan, nan, 8.0, nan])
    found = bridge(rows, max_gap=2)
    np.testing.assert_array_equal(np.isnan(found), [1, 0, 0, 0, 0, 1, 1, 1, 0, 1])
    np.testing.assert_array_equal(found[[1, 4, 8]], [1, 4, 8])
    straight = bridge(np.array([1.0, nan, nan, 4.0]), max_gap=2)
    np.testing.assert_allclose(straight, [1, 2, 3, 4])


@given(st.integers(0, 10**6))
def test_a_bridge_stays_between_its_ends_and_leaves_what_was_read(seed):
    rng = np.random.default_rng(seed)
    rows = rng.uniform(0, 50, 60)
    whole = rows.copy()
    rows[rng.random(60) < 0.5] = np.nan
    known = np.flatnonzero(np.isfinite(rows))
    found = bridge(rows, max_gap=60)
    np.testing.assert_array_equal(found[known], whole[known])
    for a, b in pairwise(known):
        low, high = sorted(whole[[a, b]])
        assert (found[a : b + 1] >= low - 1e-9).all()
        assert (found[a : b + 1] <= high + 1e-9).all()


def test_a_blank_page_has_no_curve():
    trace = read_trace(np.zeros((20, 30)))
    assert np.isnan(trace.rows).all()
    assert (trace.confidence == 0).all()


def test_a_false_blob_does_not_lead_the_path_astray():
    probability = np.zeros((60, 200))
    probability[20] = 0.9
    probability[50, 90:95] = 1.0  # a longer detour than five columns are worth
    np.testing.assert_array_equal(read_trace(probability).rows, 20)


def test_a_curve_less_likely_than_not_is_not_read():
    probability = np.zeros((20, 200))
    probability[7] = 0.9
    probability[7, 60:115] = 0.3
    trace = read_trace(probability)
    assert [*np.flatnonzero(np.isnan(trace.rows))] == [*range(60, 115)]
    np.testing.assert_array_equal(trace.confidence, probability[7])


def test_a_short_stretch_and_a_patchy_one_are_no_curve():
    """99 columns, and one column in three over 450: both are joined over gaps, neither holds; a
    hundred columns with a gap in them do, and a quarter of a page that is narrower."""
    probability = np.zeros((20, 1000))
    probability[7, 50:149] = probability[7, 250:700:3] = 0.99
    probability[7, 800:860] = probability[7, 870:910] = 0.99
    read = read_trace(probability).rows
    assert [*np.flatnonzero(np.isfinite(read))] == [*range(800, 910)]
    assert np.isfinite(read_trace(probability[:, 50:149]).rows).all()
    assert np.isnan(read_trace(probability[:, 120:220]).rows).sum() == 71
    assert np.isnan(read_trace(probability[:, 130:230]).rows).all()


def test_a_near_vertical_excursion_is_worth_its_way():
    """300 px up and down again along ink that has gaps, for three columns at the top; not across
    paper to a line that is there at the same time."""
    rows = np.full(60, 310)
    rows[26:31] = 10
    probability = np.full((320, 60), 1e-6)
    probability[rows, range(60)] = 0.99
    probability[10:311, [26, 30]] = 0.999
    probability[100:102, [26, 30]] = 1e-6  # where another line crosses
    probability[200, :24] = probability[200, 33:] = 0.995
    read = read_trace(probability).rows
    np.testing.assert_array_equal(read[:26], 310)
    np.testing.assert_array_equal(read[31:], 310)
    np.testing.assert_array_equal(read[27:30], 10)


@settings(max_examples=60)
@given(st.integers(20, 120), st.integers(0, 10**6), st.sampled_from([1.0, -0.9]))
def test_a_curve_that_goes_round_is_unrolled(height, seed, most):
    """A curve from within the track to beyond an edge and back, printed modulo the track."""
    rng = np.random.default_rng(seed)
    steps = rng.uniform(0.5, 1.5, 480)
    shape = np.interp(np.cumsum(steps), [0, 160, 240, 320, 480], [0.5, 0.5, 0.5 + most, 0.5, 0.5])
    top, bottom = 3, 3 + height
    rows = np.rint(bottom - shape * height)
    printed = top + np.mod(rows - top, height)
    probability = np.full((height + 9, 480), 1e-6)
    probability[printed.astype(int), range(480)] = 0.98
    probability[bottom, printed == top] = 0.98
    found = read_trace(probability, wrap_edges=(top, bottom))
    np.testing.assert_allclose(found.rows, rows, atol=1e-9)
    wraps = np.floor((bottom - rows) / height).astype(int)
    expected = [(int(x), wraps[x]) for x in np.flatnonzero(np.diff(wraps, prepend=0))]
    assert wrap_columns(np.floor((bottom - np.rint(found.rows)) / height)) == expected
    assert len(expected) >= 2


def test_a_peak_that_goes_round_twice_is_followed_though_its_sides_are_broken():
    """What a network sees of a peak of two laps within 60 columns: a stretch of 40 rows is missing
    on both sides of either lap."""
    top, bottom, x = 5, 205, np.arange(200)
    rows = bottom - 60 - 430 * np.exp(-(((x - 100) / 16) ** 2))
    mask = np.zeros((220, 200), np.uint8)
    for line in wrapped_stroke_pixels(
        rows, np.arange(3), wrap_height=200, width=3, first=top, last=bottom
    ):
        paint_class(mask, line, index=1)
    probability = mask.astype(np.float32)
    probability[70:110] = 0
    read = read_trace(probability, wrap_edges=(top, bottom)).rows
    assert np.abs(read - rows)[[*range(60), 100, *range(140, 200)]].max() <= 3
    assert np.abs(read - rows).max() <= 23  # what one column covers where it is steepest


@settings(max_examples=30)
@given(st.floats(0.3, 0.6), st.floats(3, 4), st.floats(2, 4))
def test_a_curve_under_another_is_read_off_what_shows_on_both_sides(slope, pen, other_pen):
    """Shallow crossings, where the stroke is hidden from one side for many columns."""
    rows = 60 + slope * (np.arange(160) - 80)
    mask = np.zeros((120, 160), np.uint8)
    draw_mask(mask, rows, index=2, width=pen)
    draw_mask(mask, np.full(160, 60.0), index=1, width=other_pen)
    first, second = ((mask == k).astype(np.float32) for k in (1, 2))
    found, alone = (read_trace(second, occluders=over).rows - rows for over in ([first], []))
    assert np.abs(found[50:110]).max() < 0.8 * np.abs(alone[50:110]).max()


def test_a_stroke_cut_in_two_by_another_curve_is_one():
    """A step of 40 rows, crossed in the middle: its row is that of the whole."""
    rows = np.r_[np.full(30, 10.0), 30, np.full(30, 50.0)]
    mask = np.zeros((60, 61), np.uint8)
    draw_mask(mask, rows, index=2, width=1)
    mask[24:28] = 1
    first, second = ((mask == k).astype(np.float32) for k in (1, 2))
    assert abs(read_trace(second, occluders=[first]).rows[30] - 30) <= 0.5
    assert abs(read_trace(second).rows[30] - 30) > 3


def test_two_curves_side_by_side_are_both_read():
    """They touch all along: nothing is hidden, or nothing can be told of it."""
    first, second = np.zeros((2, 100, 300), np.float32)
    first[47:50], second[50:53] = 1, 1
    np.testing.assert_array_equal(read_trace(second, occluders=[first]).rows, 51)


@pytest.mark.parametrize("width", [3, 30])
def test_a_peak_that_touches_another_curve_keeps_its_tip(width):
    """As narrow as the pen, and a plateau."""
    first, second = np.zeros((2, 200, 400), np.float32)
    sides = np.array([200, 200 + width])
    second[159:162] = 1
    second[59:162, sides] = 1
    second[159:162, sides[0] + 1 : sides[1]], second[59:62, sides[0] : sides[1] + 1] = 0, 1
    first[56:59] = 1
    rows = read_trace(second, occluders=[first]).rows
    assert rows[sides[0] + 1 : sides[1]] == pytest.approx(60)
    assert rows[:200] == pytest.approx(160)


def test_columns_in_doubt_are_no_more_than_gaps_where_nothing_is_bridged():
    probability = np.zeros((20, 600))
    probability[7] = 0.9
    probability[7, ::50] = 0.4
    read = read_trace(probability, max_gap=0).rows
    assert [*np.flatnonzero(np.isnan(read))] == [*range(0, 600, 50)]


def test_a_thick_blot_is_not_worth_a_detour():
    probability = np.zeros((60, 600))
    probability[40:43] = 0.99
    probability[10:38, 300:330] = 0.99
    np.testing.assert_allclose(read_trace(probability).rows, 41, atol=1e-6)


def test_both_sides_of_a_spike_are_kept():
    rows = np.full(101, 60.0)
    rows[45:56] = [50, 40, 30, 20, 10, 5, 10, 20, 30, 40, 50]
    mask = np.zeros((80, 101), np.uint8)
    draw_mask(mask, rows, index=1, width=1)
    read = read_trace((mask == 1).astype(float)).rows
    assert np.abs(read - rows).max() <= 5  # half of what one column covers
    assert read[50] <= 10


def test_a_curve_on_an_edge_does_not_go_to_and_fro():
    nan = np.nan
    wraps = track_wraps(np.array([0.9, 1.004, nan, 0.999, 1.2, 1.999, 2.003, 0.998, 0.99, -0.1]))
    np.testing.assert_array_equal(wraps, [0, 0, nan, 0, 1, 1, 1, 1, 0, -1])


def test_a_curve_followed_beyond_its_track_is_shown_where_it_is_printed():
    nan = np.nan
    rows = np.array([20.0, 12.0, 8.0, 5.0, 12.0, nan, 33.0, 28.0])
    np.testing.assert_array_equal(
        printed_rows(rows, (10, 30)), [20, 12, nan, 25, nan, nan, 13, nan]
    )


def test_a_curve_is_read_off_what_shows_of_it_beside_those_before_it():
    rows = 60 + 0.4 * (np.arange(160) - 80)
    mask = np.zeros((120, 160), np.uint8)
    draw_mask(mask, rows, index=2, width=3)
    draw_mask(mask, np.full(160, 60.0), index=1, width=3)
    both = np.stack([mask == 1, mask == 2]).astype(np.float32)
    expected = read_trace(both[1], occluders=[both[0]], max_gap=50, wrap_edges=(10, 100))
    found = read_curve(both, 1, max_gap=50, wrap_edges=(10, 100))
    np.testing.assert_array_equal(found.rows, expected.rows)
    assert (found.rows != read_trace(both[1], max_gap=50, wrap_edges=(10, 100)).rows).any()


def test_a_line_along_an_edge_of_its_track_is_read_on_its_own_lap():
    """The edge of one lap is that of the next one too, and both explain the ink."""
    top, bottom = 4, 64
    for row in (top, bottom):
        probability = np.zeros((70, 200))
        probability[row] = 0.98
        np.testing.assert_array_equal(read_trace(probability, wrap_edges=(top, bottom)).rows, row)


def test_ink_on_the_lower_edge_hides_a_curve_of_a_track_as_it_does_of_a_page():
    """A stroke of three rows, of which another line hides the lowest for twenty columns."""
    top, bottom = 4, 64
    second = np.zeros((70, 200))
    second[bottom - 2 : bottom + 1] = 0.98
    first = np.zeros_like(second)
    first[bottom, 90:110], second[bottom, 90:110] = 0.98, 0
    for turn in (None, (top, bottom)):
        read = read_trace(second, occluders=[first], wrap_edges=turn).rows
        np.testing.assert_allclose(read, bottom - 1, atol=1e-9)

"""A synthetic log is what its number says, and its mask is where its ink is."""

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veernet.errors import OptionError
from veernet.synth.appearance import PLAIN, Appearance, field_infos, read_appearance
from veernet.synth.curves import lay_on_paper
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
def test_a_piece_is_cut_out_of_the_log_of_the_same_number(number):
    logs = SynthLogs(height=(40, 90), width=(100, 200))
    whole, pieces = logs.log(number), replace(logs, crop=(5, 60))
    piece, row = pieces.log(number), pieces.row(number)
    assert piece.grey.shape == (row.height, row.width)
    assert 5 <= row.width <= 60
    starts = range(whole.grey.shape[1] - row.width + 1)
    cuts = (slice(start, start + row.width) for start in starts)
    assert any(
        np.array_equal(whole.grey[:, cut], piece.grey)
        and np.array_equal(whole.mask[:, cut], piece.mask)
        and np.array_equal(whole.curves.rows[:, cut], piece.curves.rows, equal_nan=True)
        and np.array_equal(whole.curves.values[:, cut], piece.curves.values, equal_nan=True)
        for cut in cuts
    )


@settings(max_examples=20)
@given(numbers)
def test_the_mask_of_a_curve_is_one_unbroken_line_even_through_dashes(number):
    log = SynthLogs(n_curves=1, height=(60, 90), width=(90, 300), appearance=PLAIN).log(number)
    assert cv2.connectedComponents(log.mask, connectivity=8)[0] - 1 == 1
    present = np.isfinite(log.curves.rows[0])
    assert (log.mask.any(0) == present).all()


@settings(max_examples=40)
@given(numbers)
def test_the_mask_goes_through_the_true_rows(number):
    """Wherever a curve is on paper, whatever it does at the edges and wherever it is absent."""
    log = SynthLogs(height=(60, 90), width=(90, 300)).log(number)
    rows = log.curves.rows[0]
    x = np.flatnonzero(np.isfinite(rows))
    assert (log.mask[np.rint(rows[x]).astype(int), x] == 1).all()
    assert {*np.unique(log.mask)} <= {0, 1, 2}


@settings(max_examples=40)
@given(numbers)
def test_a_value_is_the_height_in_the_track_but_for_whole_laps(number):
    """Where the paper is neither skewed nor drifting."""
    appearance = replace(Appearance(), skew=(0, 0), drift=(0, 0))
    logs = SynthLogs(height=(60, 90), width=(90, 200), appearance=appearance)
    row, curves = logs.row(number), logs.log(number).curves
    for curve, rows, values in zip(row.curves, curves.rows, curves.values, strict=True):
        top, bottom = curve.track
        height = (bottom - rows) / (bottom - top)
        wraps = values - height
        seen = np.isfinite(rows)
        np.testing.assert_array_equal(seen, np.isfinite(values))
        np.testing.assert_allclose(wraps[seen], np.rint(wraps[seen]), atol=1e-4)
        assert np.nanmin(height, initial=0) >= -1e-4
        assert np.nanmax(height, initial=0) <= 1 + 1e-4
        assert (np.abs(wraps[seen]) > 0.5).any() <= ("wrapped" in row.traits)


def test_a_wrapped_curve_is_interrupted_where_it_jumps_and_hatched_beside():
    course = np.array([0.8, 0.9, 1.05, 1.2, 1.1, 0.95, -0.1, 0.1])
    curve = lay_on_paper(course, "wrapped")
    np.testing.assert_array_equal(curve.wraps, [0, 0, 1, 1, 1, 0, -1, 0])
    nan = np.nan
    np.testing.assert_allclose(curve.positions, [0.8, 0.9, nan, 0.2, 0.1, nan, nan, nan])
    np.testing.assert_allclose(curve.values, [0.8, 0.9, nan, 1.2, 1.1, nan, nan, nan])


def test_a_curve_off_scale_is_held_at_the_edge_or_gone():
    course = np.array([0.5, 1.3, -0.2, 0.4])
    np.testing.assert_array_equal(lay_on_paper(course, "clipped").positions, [0.5, 1, 0, 0.4])
    np.testing.assert_array_equal(
        lay_on_paper(course, "off scale").positions, [0.5, np.nan, np.nan, 0.4]
    )


def edges_of(ending, *, pen=4):
    """Masks of pages whose curve leaves its track, and its track's edges."""
    still = {"skew": (0, 0), "drift": (0, 0), "margin": (0.1, 0.1), "amplitude": (0.7, 0.7)}
    appearance = replace(PLAIN, **{ending: 1}, line_width=(pen, pen), **still)
    logs = SynthLogs(n_curves=1, height=(480, 480), width=(500, 600), appearance=appearance)
    for number in range(6):
        top, bottom = logs.row(number).curves[0].track
        inked = np.flatnonzero((logs.log(number).mask == 1).any(1))
        yield inked[0], inked[-1], round(top), round(bottom)


def test_ink_of_a_curve_that_leaves_its_track_ends_at_the_edge_and_that_of_a_held_one_beyond():
    """By half a pen, for a pen of four pixels at an edge covers two of them on either side."""
    for ending in ("off_scale", "wrapped"):
        ends = [*edges_of(ending)]
        assert all(top <= first and last <= bottom for first, last, top, bottom in ends)
        assert any(first == top or last == bottom for first, last, top, bottom in ends)
    held = [*edges_of("clipped")]
    assert {max(top - first, last - bottom) for first, last, top, bottom in held} == {2}


def interrupted(log):
    return np.isnan(log.curves.rows[0, 1:-1]).any()


SEEN = {
    "wrapped": ({"wrapped": 1}, lambda log: np.ptp(np.floor(values(log))) > 0),
    "clipped": ({"clipped": 1}, lambda log: np.isin(values(log), (0, 1)).sum() > 2),
    "off scale": ({"off_scale": 1}, interrupted),
    "gaps": ({"gaps": 1}, interrupted),
    "absent": ({"absent": 1}, lambda log: not log.mask.any() and len(values(log)) == 0),
    "bilevel": ({"bilevel": 1, "jpeg": 0}, lambda log: len(np.unique(log.grey)) <= 2),
    "grain": (
        {"grain": (9, 9), "jpeg": 0, "bilevel": 0},
        lambda log: np.diff(log.grey[0].astype(int)).std() > 5,
    ),
    "no grid": ({"grid": 0}, lambda log: (log.grey < 128).mean() < 0.05),
}


def values(log):
    return log.curves.values[0][np.isfinite(log.curves.values[0])]


@pytest.mark.parametrize("trait", SEEN)
def test_traits_tell_what_is_on_the_page(trait):
    """All logs have it where its share is 1, and say so; none does where it is 0."""
    changes, seen = SEEN[trait]
    calm = replace(
        PLAIN, paper=(220, 220), grain=(0, 0), jpeg=0, bilevel=0, grid_darkness=(255, 255)
    )
    for appearance, expected in ((replace(calm, **changes), True), (calm, False)):
        logs = SynthLogs(n_curves=1, height=(200, 220), width=(600, 700), appearance=appearance)
        for number in range(8):
            assert (trait in logs.row(number).traits) == expected
            assert seen(logs.log(number)) == expected, number


def test_everything_that_a_look_knows_occurs():
    rows = [SynthLogs(height=(128, 160), width=(200, 300)).row(i) for i in range(400)]
    seen = {trait for row in rows for trait in row.traits}
    assert seen >= {
        *("solid", "dashed", "dotted", "dash-dot", "thick-thin", "wrapped", "hatched", "clipped"),
        *("off scale", "gaps", "absent", "2 tracks", "3 tracks", "log grid", "no grid"),
        "depth column",
        *("track numbers", "header", "footer", "ticks", "handwriting", "stamp", "skew", "drift"),
        *("faded", "uneven light", "stains", "folds", "photocopy", "grain", "JPEG", "bilevel"),
    }
    plain = [SynthLogs(appearance=PLAIN).row(i).traits for i in range(60)]
    assert not {"wrapped", "gaps", "2 tracks", "stamp"} & {t for row in plain for t in row}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"grain": (3, 1)}, "grain is a range from 0 to 255 at most, the least first; got 3 to 1"),
        ({"folds": 1.5}, "folds is a share from 0 to 1; got 1.5"),
        ({"jpeg": 0.7, "bilevel": 0.7}, "jpeg, bilevel exclude each other; their sum is 1.4"),
        ({"line_width": (0.2, 3)}, "line_width must be 1 px and more"),
    ],
)
def test_a_look_that_makes_no_sense_is_refused(wrong, message):
    with pytest.raises(OptionError, match=message):
        Appearance(**wrong)


EXCLUSIVE = (
    *("two_tracks", "three_tracks", "dotted", "dash_dot", "thick_thin"),
    *("wrapped", "clipped", "off_scale", "jpeg", "bilevel"),
)


@pytest.mark.parametrize("name", [*field_infos(Appearance)])
def test_a_log_is_drawn_at_the_limits_of_every_nuisance(name):
    most = field_infos(Appearance)[name].most
    for height, end in ((64, 0), (64, most), (300, 0), (300, most)):
        least = max(end, 1) if name == "line_width" else end
        value = (least, least) if isinstance(getattr(Appearance(), name), tuple) else end
        appearance = replace(Appearance(), **{**dict.fromkeys(EXCLUSIVE, 0), name: value})
        logs = SynthLogs(height=(height, height), width=(100, 120), appearance=appearance)
        for number in range(2):
            log = logs.log(number)
            assert log.grey.shape == log.mask.shape


def test_every_field_of_a_look_is_told_with_its_unit():
    assert [*field_infos(Appearance)] == [field.name for field in fields(Appearance)]
    assert all(found.unit and found.what for found in field_infos(Appearance).values())


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
            if (log.mask == k).any():
                shares.append((log.grey[log.mask == k] < threshold).mean())
    assert np.median(dark[1]) > 0.9
    assert np.median(dark[2]) < 0.8


def test_ink_and_mask_move_together_with_a_skewed_page():
    """Pages of 480 px, 29 px lower at one end; a solid curve stays under its mask to both ends."""
    appearance = replace(PLAIN, skew=(0.06, 0.06))
    logs = SynthLogs(n_curves=1, height=(480, 480), width=(300, 300), appearance=appearance)
    for number in range(12):
        log = logs.log(number)
        threshold = (int(log.grey.max()) + int(log.grey.min())) / 2
        for part in (slice(40, 90), slice(240, 290)):
            trace = log.mask[:, part] == 1
            assert (log.grey[:, part][trace] < threshold).mean() > 0.8


def test_a_skewed_page_is_turned_about_its_middle():
    """As far up at one end as down at the other: by half of 6 % of its height."""
    appearance = replace(PLAIN, skew=(0.06, 0.06), drift=(0, 0))
    logs = SynthLogs(n_curves=1, height=(480, 480), width=(301, 301), appearance=appearance)
    sides = set()
    for number in range(6):
        curve, curves = logs.row(number).curves[0], logs.log(number).curves
        top, bottom = curve.track
        shift = curves.rows[0] - (bottom - curves.values[0] * (bottom - top))
        half = 0.03 * 480 * np.sign(np.nanmean(shift[150:]))
        seen = np.isfinite(shift)
        np.testing.assert_allclose(shift[seen], np.linspace(-half, half, 301)[seen], atol=1e-3)
        sides.add(np.sign(half))
    assert sides == {-1, 1}


CLEAN = {"grain": (0, 0), "jpeg": 0, "bilevel": 0, "uneven_light": 0, "paper": (200, 200)}


def test_a_photocopy_has_specks_of_three_shades_everywhere_and_streaks_along_the_feed():
    """Of a blank page: specks on 2 to 60 of 100,000 pixels, a third of them wider either way, and
    up to three rows that are darker throughout."""
    blank = replace(PLAIN, **CLEAN, photocopy=1, absent=1, grid=0, depth_track=0)
    streaks, shares = [], []
    for number in range(12):
        logs = SynthLogs(n_curves=1, height=(480, 480), width=(600, 600), appearance=blank)
        grey = logs.log(number).grey
        paper = np.median(grey)
        streak = (grey < paper).mean(1) > 0.9
        specks = (grey != paper) & ~streak[:, None]
        streaks.append(streak.sum())
        shares.append(specks.mean())
        assert {*np.unique(grey[specks])} <= {20, 90, 255}
        assert all(np.median(row) >= np.floor(0.75 * paper) for row in grey[streak])
        assert specks[:240].any()
        assert specks[240:].any()
    assert all(1e-5 < share < 1e-3 for share in shares)
    assert max(shares) > 4 * min(shares)
    assert {*streaks} == {0, 1, 2, 3}


def test_hatching_lies_between_a_wrapped_curve_and_the_edge_that_it_came_in_from():
    """Below a curve that went out above, above one that went out below, and on no other column."""
    still = {**CLEAN, "wrapped": 1, "bleed": (0.3, 0.3)}
    logs = SynthLogs(n_curves=1, height=(480, 480), width=(600, 600))
    sides = {-1: 0, 1: 0}
    for number in range(10):
        hatched, bare = (
            replace(logs, appearance=replace(PLAIN, **still, hatched=share)).log(number)
            for share in (1, 0)
        )
        np.testing.assert_array_equal(hatched.mask, bare.mask)
        values, rows = hatched.curves.values[0], hatched.curves.rows[0]
        darker = hatched.grey.astype(int) < bare.grey.astype(int) - 60
        inside = np.convolve((values >= 0) & (values <= 1), np.ones(5))[2:-2] == 5
        assert not darker[:, inside].any()
        for side, there in ((1, (values > 1) & (values < 2)), (-1, values < 0)):
            y, x = np.nonzero(darker & there)
            assert (side * (y - rows[x]) > -4).all()
            sides[side] += len(y)
    assert min(sides.values()) > 300


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
    [
        {"height": (90, 60)},
        {"height": (8, 60)},
        {"width": (10, 60)},
        {"crop": (0, 60)},
        {"width": (100, 200), "crop": (60, 101)},
        {"n_curves": 3},
        {"seed": -1},
    ],
)
def test_a_family_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(OptionError):
        SynthLogs(**wrong)


def test_a_look_is_read_from_toml_and_an_unknown_word_is_refused(tmp_path):
    path = tmp_path / "look.toml"
    path.write_text("folds = 1.0\ngrain = [2, 3]\n")
    assert read_appearance(path) == Appearance(folds=1, grain=(2, 3))
    for content, message in (
        ("fold = 1.0", "fold: "),
        ("grain = [3, 2]", "least"),
        ("x", "not a TOML file"),
    ):
        path.write_text(content)
        with pytest.raises(OptionError, match=f"look.toml: .*{message}"):
            read_appearance(path)
    with pytest.raises(OptionError, match="no such file"):
        read_appearance(tmp_path / "none.toml")

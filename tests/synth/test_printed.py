"""A printed log is what its metadata and its truth say, curve by curve."""

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from torch import nn

from veernet.data.logs import BY_FILL, BY_WORDS, Row, Word
from veernet.errors import OptionError, RunError
from veernet.evaluation.evaluate import evaluate
from veernet.las import LasCurve, write_las
from veernet.synth.appearance import PLAIN, Appearance
from veernet.synth.degradation import paper_shift
from veernet.synth.fills import Fill, filled_rows, paint_fill
from veernet.synth.kinship import MEMBERS
from veernet.synth.make import make
from veernet.synth.opening import open_archive
from veernet.synth.paint import Line, paint_curves
from veernet.synth.pens import STYLES
from veernet.synth.printed import PrintedLogs, _depths, _well_at
from veernet.synth.tracks import Tracks
from veernet.train.run import start
from veernet.training import Training

numbers = st.integers(0, 10_000)
LAS: dict[str, Any] = {"unit": "ft", "step": 1.0, "decimals": 2}


def covered(log):
    assert log.curves.covered is not None
    return log.curves.covered


SMALL = PrintedLogs(height=(150, 240), width=(400, 700), tracks=Tracks(dpi=(100, 300)), seed=3)
FLAT = replace(Appearance(), skew=(0, 0), drift=(0, 0))
LEVEL = replace(SMALL, appearance=FLAT, tracks=replace(SMALL.tracks, joined=0, stepped=0))


@settings(max_examples=10)
@given(numbers)
def test_a_printed_log_depends_on_seed_and_number_alone(number):
    one, again = SMALL.log(number), replace(SMALL).log(number)
    np.testing.assert_array_equal(one.picture, again.picture)
    np.testing.assert_array_equal(one.mask, again.mask)
    np.testing.assert_array_equal(one.curves.covered, again.curves.covered)
    assert one.words == again.words
    other = replace(SMALL, seed=4).log(number)
    assert one.picture.shape != other.picture.shape or (one.picture != other.picture).any()


@settings(max_examples=20)
@given(numbers)
def test_the_metadata_of_a_printed_log_is_known_before_it_is_drawn(number):
    row, log = SMALL.row(number), SMALL.log(number)
    assert log.grey.shape == log.mask.shape == (row.height, row.width)
    assert log.curves.rows.shape == covered(log).shape == (len(row.curves), row.width)
    assert ("colour" in row.traits) == (log.colour is not None)
    assert log.mask.max() <= len(row.curves)


def test_tracks_hold_one_to_six_curves_in_any_mix_of_styles():
    """Among 400 layouts: every number from 1 to 6, every style, twice the same in one track, and
    pens, dashes and gaps within the limits of the printers."""
    counts, styles, twice = Counter[int](), Counter[str](), 0
    logs = PrintedLogs(seed=8)
    for number in range(400):
        layout, _ = logs._layout(number)
        for track in range(len(layout.page.tracks)):
            there = [curve.line for curve in layout.curves if curve.track == track]
            counts[len(there)] += 1
            styles.update(line.style for line in there)
            twice += len({line.style for line in there}) < len(there)
        for curve in layout.curves:
            pen = curve.line.pen
            assert 0.75 <= pen.width <= 10
            assert (pen.pattern == ()) == (curve.line.style == "solid")
            assert all(2 <= gap <= 30 for gap in pen.pattern[1::2])
            assert curve.line.style in ("solid", "dotted") or 4 <= pen.pattern[0] <= 60
    assert {*counts} == {1, 2, 3, 4, 5, 6}
    assert {*styles} == {*STYLES}
    assert twice > 20


@settings(max_examples=30)
@given(numbers)
def test_the_index_of_a_curve_is_where_its_row_is_unless_another_lies_over_it(number):
    row, log = SMALL.row(number), SMALL.log(number)
    for k, rows in enumerate(log.curves.rows):
        x = np.flatnonzero(np.isfinite(rows))
        found = log.mask[np.rint(rows[x]).astype(int), x].astype(int)
        above = [0, *(curve.order for curve in row.curves)]
        assert (found > 0).all()
        assert all(above[index] >= row.curves[k].order for index in found)


@settings(max_examples=30)
@given(numbers)
def test_a_value_is_the_height_in_the_track_but_for_three_laps_at_most(number):
    row, curves = LEVEL.row(number), LEVEL.log(number).curves
    for curve, rows, values in zip(row.curves, curves.rows, curves.values, strict=True):
        top, bottom = curve.track
        wraps = values - (bottom - rows) / (bottom - top)
        seen = np.isfinite(rows)
        np.testing.assert_array_equal(seen, np.isfinite(values))
        np.testing.assert_allclose(wraps[seen], np.rint(wraps[seen]), atol=1e-3)
        assert np.abs(wraps[seen]).max(initial=0) < 3.5


@settings(max_examples=20)
@given(numbers)
def test_the_ink_of_a_curve_lies_about_its_row_also_where_another_covers_it(number):
    """Each curve printed alone from its own truth: the middle of its ink against its row."""
    errors = list[float]()
    quiet = replace(LEVEL, tracks=replace(LEVEL.tracks, filled=0, another_curve=0.9))
    log, row = quiet.log(number), quiet.row(number)
    for k, (rows, curve) in enumerate(zip(log.curves.rows, row.curves, strict=True)):
        below, above = (int(edge) for edge in curve.track[::-1])
        width = curve.line_width or 0
        inside = (rows > above + width) & (rows < below - width)
        slope = np.abs(np.gradient(np.where(inside, rows, np.nan)))
        for x in np.flatnonzero(inside & (slope < 1) & (covered(log)[k] == 0)):
            mine = np.flatnonzero(log.mask[:, x] == k + 1)
            errors += [] if not mine.size else [abs(mine.mean() - rows[x])]
    assert not errors or np.median(errors) <= 0.5


def test_a_centre_is_covered_by_a_curve_where_that_curve_has_ink_there():
    """Against the ink of the other curves, each printed alone on an empty page."""
    only = replace(Tracks(), dpi=(200, 200), filled=0, remarks=0, another_curve=1, joined=0)
    logs, under = replace(LEVEL, tracks=only), 0
    for number in range(6):
        log, (layout, well) = logs.log(number), logs._layout(number)
        curves = logs._curves(number, layout, well)
        inks = list[np.ndarray]()
        for curve, drawn in zip(layout.curves, curves, strict=True):
            inks.append(np.zeros(log.grey.shape, np.uint8))
            flat = np.zeros(layout.page.width)
            line = replace(curve.line, pen=replace(curve.line.pen, darkness=200), hatch=0)
            paint_curves(inks[-1], [Line(layout=line, curve=drawn, shift=flat)])
        shift = paper_shift(logs._degradation(number, layout), layout.page.width)
        assert np.abs(shift).max() < 1e-9
        for k, rows in enumerate(log.curves.rows):
            x = np.flatnonzero(np.isfinite(rows))
            y = np.rint(rows[x]).astype(int)
            others = np.stack([(j != k) * one[y, x] for j, one in enumerate(inks)])
            named = covered(log)[k, x].astype(int)
            by_curve = (named > 0) & (named < 250)
            under += by_curve.sum()
            assert (others[named[by_curve] - 1, np.flatnonzero(by_curve)] > 90).all()
            assert (others.max(0)[named == 0] < 110).all()
    assert under > 100


def of_scales(curve, values):
    """Values in the unit of a curve's scales, by the metadata alone."""
    found = np.full(len(values), np.nan)
    for one in curve.scales:
        at, (left, right) = values[one.start : one.stop], (one.left, one.right)
        found[one.start : one.stop] = (
            left * (right / left) ** at if one.logarithmic else left + (right - left) * at
        )
    return found


def test_the_values_of_a_curve_are_those_of_the_well_on_every_scale_that_it_has():
    """By the metadata alone; where the zero of a curve floats, but for one and the same shift."""
    logs = replace(LEVEL, tracks=replace(LEVEL.tracks, scale_change=1, straight=0, kinship=1))
    seen = Counter[bool]()
    for number in range(60):
        row, (layout, well) = logs.row(number), logs._layout(number)
        rng = logs._rng(number, purpose=1)
        known = _well_at(rng, layout, _depths(layout), well)
        for curve, drawn in zip(row.curves, logs._curves(number, layout, well), strict=True):
            member = MEMBERS[curve.mnemonic]
            factors = {one.unit or member.unit: one.factor for one in member.scales}
            values = known[curve.mnemonic] * factors[curve.unit or ""]
            off = of_scales(curve, drawn.values) - values
            inside = (drawn.positions > 1e-3) & (drawn.positions < 1 - 1e-3)
            inside &= np.abs(drawn.values - 0.5) < 0.49
            if inside.any():
                seen[len(curve.scales or ()) > 1] += 1
                off -= np.nanmedian(off[inside]) if member.floating else 0
                assert np.abs(off[inside]).max() < 1e-6 * np.abs(values[inside]).max() + 1e-6
    assert seen[True] > 30


@pytest.mark.parametrize("kinship", [0, 1])
def test_a_repeat_shows_the_values_of_its_depths_again(kinship):
    """On the scale of the first time, wherever a curve has one scale."""
    again = replace(LEVEL.tracks, repeat=1, kinship=kinship, scale_change=0, starts_or_ends=0)
    logs, seen = replace(LEVEL, width=(1500, 1600), tracks=again), 0
    for number in range(6):
        sections = logs.row(number).sections
        assert sections
        first, last = sections[0], sections[-1]
        x = np.arange(last.start + 1, last.stop - 1)
        depth = last.depth + last.feet_per_px * (x - last.start)
        before = first.start + (depth - first.depth) / first.feet_per_px
        for values in logs.log(number).curves.values:
            off = values[x] - np.interp(before, np.arange(first.stop), values[: first.stop])
            off = off[(before > first.start) & (before < first.stop - 1) & np.isfinite(off)]
            seen += off.size
            assert not off.size or np.median(np.abs(off)) < 0.01
    assert seen > 1000


def test_a_curve_is_absent_where_the_paper_moves_it_off_the_page():
    """Pages joined with an offset of half their height."""
    far = replace(Tracks(), joined=1, join_offset=(80, 100), dpi=(200, 200))
    logs, lost = PrintedLogs(height=(150, 200), width=(500, 600), tracks=far), 0
    for number in range(12):
        row, log = logs.row(number), logs.log(number)
        there = np.isfinite(log.curves.rows)
        np.testing.assert_array_equal(there, np.isfinite(log.curves.values))
        assert not covered(log)[~there].any()
        lost += (~there).sum()
        rows = log.curves.rows[there]
        assert ((rows > -0.5) & (rows < row.height - 0.5)).all()
        k, x = np.nonzero(there)
        assert (log.mask[np.rint(rows).astype(int), x] > 0).all()
        assert len(k) == len(x)
    assert lost


@pytest.mark.parametrize("mark", ["handwriting", "stamp", "integration_pips"])
def test_a_centre_under_a_mark_is_covered_by_it(mark):
    """Nothing else covers a centre on these pages."""
    calm = replace(Appearance(), handwriting=0, stamp=0, integration_pips=0, header=0, footer=0)
    calm = replace(calm, track_numbers=0, depth_track=1)
    only = replace(SMALL.tracks, filled=0, remarks=0, scale_change=0)
    plain, marked = (
        replace(SMALL, appearance=replace(calm, **{mark: share}), tracks=only) for share in (0, 1)
    )
    hidden = [
        int((covered(logs.log(number)) == BY_WORDS).sum())
        for logs in (plain, marked)
        for number in range(20)
    ]
    assert not any(hidden[:20])
    assert any(hidden[20:])


@pytest.mark.parametrize("height", [60, 240, 480, 600])
def test_depths_are_as_far_apart_as_resolution_and_depth_scale_say(height):
    """Sections are at 1, 2, 2.4, 5, 6 or 10 inches per 100 ft."""
    for number in range(10):
        row = PrintedLogs(height=(height, height), width=(400, 500)).row(number)
        for section in row.sections or ():
            inches = 100 / (section.feet_per_px * (row.dpi or 0))
            assert min(abs(inches - one) for one in (1, 2, 2.4, 5, 6, 10)) < 0.01 * inches


def test_curves_that_no_well_has_are_of_no_file(tmp_path):
    depth = np.arange(900.0)
    write_las(tmp_path / "a.las", depth, [LasCurve(mnemonic="GR", values=depth % 97)], **LAS)
    logs = replace(SMALL, wells=str(tmp_path))
    for share, source in ((0, ""), (1, "a.las")):
        tracks = replace(logs.tracks, kinship=share, straight=0)
        rows = [replace(logs, tracks=tracks).row(number) for number in range(5)]
        assert {curve.source for row in rows for curve in row.curves} == {source}
    straight = replace(logs, tracks=replace(logs.tracks, straight=1)).row(0)
    assert {curve.source for curve in straight.curves} == {""}


def test_a_centre_under_hatching_is_covered_by_a_fill():
    tracks = replace(Tracks(), dpi=(200, 200), filled=1, fill_to_curve=0, another_curve=0.9)
    logs = replace(LEVEL, tracks=tracks)
    assert any((covered(logs.log(number)) == BY_FILL).any() for number in range(8))


@settings(max_examples=20)
@given(numbers)
def test_a_number_of_the_depth_column_is_at_its_depth(number):
    """By the sections of the metadata, to within a pixel."""
    row, log = SMALL.row(number), SMALL.log(number)
    for word in (word for word in log.words if word.kind == "depth"):
        middle = (word.box[1] + word.box[3] - 1) / 2
        found = [
            abs(one.depth + one.feet_per_px * (middle - one.start) - float(word.text))
            / one.feet_per_px
            for one in row.sections or ()
            if one.start - 1 <= middle <= one.stop
        ]
        assert min(found) <= 1


def test_sections_go_on_in_depth_and_a_repeat_prints_depths_again():
    seen = Counter[bool]()
    for number in range(200):
        sections = PrintedLogs(seed=1).row(number).sections
        assert sections
        first = sections[0]
        last_depth = first.depth + first.feet_per_px * (first.stop - first.start)
        for before, after in pairwise(sections):
            assert before.stop <= after.start
        for one in sections:
            seen[one.repeat] += 1
            if one.repeat:
                assert first.depth <= one.depth < last_depth
                assert one.feet_per_px == first.feet_per_px
    assert seen[True] > 8


@settings(max_examples=15)
@given(numbers)
def test_a_crop_has_the_truth_of_its_part_of_the_log(number):
    pieces = replace(SMALL, crop=(60, 200))
    whole, piece, row = SMALL.log(number), pieces.log(number), pieces.row(number)
    width = row.width
    starts = [
        start
        for start in range(whole.grey.shape[1] - width + 1)
        if np.array_equal(whole.mask[:, start : start + width], piece.mask)
        and np.array_equal(whole.picture[:, start : start + width], piece.picture)
    ]
    assert starts
    boxes = {(word.text, word.box[1] + starts[0]) for word in piece.words}
    assert boxes <= {(word.text, word.box[1]) for word in whole.words} or len(starts) > 1
    before, after = SMALL.row(number).sections or (), row.sections or ()
    for one in after:
        depth = one.depth - one.feet_per_px * (one.start + starts[0])
        assert min(abs(s.depth - s.feet_per_px * s.start - depth) for s in before) < 1e-6


@pytest.mark.parametrize("drawn", [False, True])
def test_an_archive_of_printed_logs_gives_back_all_their_truth(tmp_path, drawn):
    make(tmp_path / "a", SMALL, (5, 1, 1), on_the_fly=drawn)
    split = open_archive(tmp_path / "a").split("train")
    for number in range(5):
        log, drawn_log, row = split.log(number), SMALL.log(number), SMALL.row(number)
        np.testing.assert_array_equal(log.grey, drawn_log.grey)
        np.testing.assert_array_equal(log.picture, drawn_log.picture)
        np.testing.assert_array_equal(log.curves.covered, drawn_log.curves.covered)
        assert log.words == drawn_log.words
        assert replace(split.rows[number], sha256=()) == row
        target = split[number].target.numpy()
        for k, curve in enumerate(row.curves, start=1):
            assert {*np.unique(target[log.mask == k])} <= {1 + STYLES.index(curve.style)}
        assert (target[log.mask == 0] == 0).all()


def test_a_network_is_not_trained_or_scored_where_curves_share_a_class(tmp_path):
    make(tmp_path / "a", SMALL, (1, 1, 1))
    archive = open_archive(tmp_path / "a")
    network = replace(Training().network, out_channels=len(STYLES) + 1)
    with pytest.raises(RunError, match=r"styles of lines, and several curves may share one"):
        start(tmp_path / "run", archive, replace(Training(), network=network))
    with pytest.raises(OptionError, match=r"one class for each curve"):
        evaluate(nn.Identity(), archive.split("train"))


def test_the_same_pen_is_as_many_times_wider_as_the_resolution_is_higher():
    """One log at 100 and at 300 dpi: lengths of pens, grids and text, within their limits."""
    for number in range(20):
        low, high = (
            replace(
                PrintedLogs(seed=2),
                height=(480, 480),
                tracks=replace(Tracks(), dpi=(dpi, dpi)),
            )._layout(number)[0]
            for dpi in (100, 300)
        )
        assert high.scale == pytest.approx(3 * low.scale)


def test_a_plotter_in_steps_reaches_only_rows_that_far_apart():
    tracks = replace(Tracks(), stepped=1, plotter_step=(4, 4), dpi=(200, 200), joined=0)
    logs = PrintedLogs(height=(480, 480), width=(400, 500), appearance=FLAT, tracks=tracks)
    row, log = logs.row(0), logs.log(0)
    for curve, rows in zip(row.curves, log.curves.rows, strict=True):
        seen = (curve.track[1] - rows[np.isfinite(rows)]) / 4
        at_edge = np.isin(rows[np.isfinite(rows)], curve.track)
        assert (np.abs(seen - np.rint(seen)) < 1e-3)[~at_edge].mean() > 0.95


def test_a_fill_lies_between_its_curve_and_what_it_reaches_to():
    fill = Fill(
        curve=0,
        other=None,
        edge=0.0,
        both_sides=False,
        pattern="solid",
        spacing=6,
        angle=0,
        width=2,
        darkness=200,
    )
    rows = np.array([10.0, 12.0, np.nan, 30.0])
    ink = np.zeros((40, 4), np.uint8)
    first, last = filled_rows(fill, rows, np.full(4, 20.0))
    paint_fill(ink, fill, first, last)
    expected = np.zeros((40, 4), bool)
    expected[10:21, 0] = expected[12:21, 1] = True
    np.testing.assert_array_equal(ink == 200, expected)
    lines = np.zeros((40, 4), np.uint8)
    paint_fill(lines, replace(fill, pattern="lines", width=1), first, last)
    np.testing.assert_array_equal(np.flatnonzero(lines[:, 0]) % 6, 0)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"dpi": (5, 300)}, "dpi must be at least 20"),
        ({"solid": 0.9, "dotted": 0.3}, "exclude each other"),
        ({"laps": (1, 9)}, "laps is a range from 0 to 3"),
        ({"filled": 2.0}, "filled is a share"),
    ],
)
def test_settings_of_tracks_that_make_no_sense_are_refused(setting, words):
    with pytest.raises(OptionError, match=words):
        Tracks(**setting)


def test_a_word_has_its_place_in_the_picture():
    """Ink in the box of a depth number, on a calm page."""
    logs = replace(LEVEL, appearance=replace(PLAIN, skew=(0, 0), drift=(0, 0), depth_track=1))
    words = 0
    for number in range(5):
        log = logs.log(number)
        for word in log.words:
            assert isinstance(word, Word)
            top, left, bottom, right = (max(0, edge) for edge in word.box)
            if word.kind == "depth" and log.grey[top:bottom, left:right].size:
                words += 1
                assert log.grey[top:bottom, left:right].min() < log.grey.max() - 40
    assert words > 5


@settings(max_examples=20)
@given(numbers)
def test_a_row_is_the_same_text_after_it_was_read(number):
    row = SMALL.row(number)
    text = json.dumps(row.written())
    assert json.dumps(TypeAdapter(Row).validate_python(json.loads(text)).written()) == text

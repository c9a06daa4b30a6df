"""The ink of a printed log is what its metadata says: colour, width, dashes, place."""

from dataclasses import replace

import numpy as np
import pytest

from veernet.synth.appearance import PLAIN
from veernet.synth.inks import Inks
from veernet.synth.layout import Pen
from veernet.synth.paint import Line
from veernet.synth.pens import STYLES
from veernet.synth.press import paint_fills
from veernet.synth.printed import PrintedLogs, _between
from veernet.synth.tracks import Tracks

CALM = replace(
    PLAIN,
    **dict.fromkeys(("skew", "drift", "bleed", "grain"), (0, 0)),
    **dict.fromkeys(("grid", "jpeg", "bilevel", "uneven_light"), 0),
    ink=(1, 1),
    paper=(255, 255),
    depth_track=1,
    line_width=(1, 4),
)
FLAT = Tracks(
    dpi=(200, 200),
    another_curve=0,
    solid=0.2,
    dotted=0.2,
    dash_dot=0.3,
    straight=1,
    on_line=0,
    framed=0,
    filled=0,
    remarks=0,
    joined=0,
    stepped=0,
    scale_change=0,
    starts_or_ends=0,
    colour_scan=1,
    colour_pens=1,
    two_sections=0,
    repeat=0,
)
LINES = PrintedLogs(height=(480, 480), width=(900, 1000), appearance=CALM, tracks=FLAT)


def runs(inked: np.ndarray) -> tuple[list[int], list[int]]:
    """Lengths of whole stretches with and without ink."""
    edges = np.flatnonzero(np.diff(inked)) + 1
    lengths, first = np.diff(edges), bool(inked[edges[0]]) if edges.size else True
    found = [lengths[::2].tolist(), lengths[1::2].tolist()]
    return (found[0], found[1]) if first else (found[1], found[0])


def check_dashes(inked: np.ndarray, style: str | None, pen: Pen) -> None:
    if style == "solid":
        assert inked.all()
        return
    dashes, gaps = runs(inked)
    assert abs(np.median(gaps) - pen.pattern[1]) <= 1
    longest, shortest = max(dashes), min(dashes)
    assert abs(longest - pen.pattern[0]) <= 1
    assert (longest > 2 * shortest) == (style == "dash-dot")
    assert (longest <= pen.width + 1) == (style == "dotted")


def test_a_straight_line_has_the_colour_the_width_and_the_dashes_that_its_metadata_say():
    seen = set[str | None]()
    for number in range(24):
        row, log, (layout, _) = LINES.row(number), LINES.log(number), LINES._layout(number)
        assert log.colour is not None
        for k, (curve, rows) in enumerate(zip(row.curves, log.curves.rows, strict=True)):
            if any(
                np.nanmin(np.abs(other - rows)) < 30 for other in np.delete(log.curves.rows, k, 0)
            ):
                continue
            x = np.flatnonzero(np.isfinite(rows))[20:-20]
            y, pen = int(np.rint(rows[x[0]])), layout.curves[k].line.pen
            dark = 255 - log.colour[max(0, y - 12) : y + 13, x].astype(float)
            ink = 1 - np.array([int(str(curve.colour)[i : i + 2], 16) for i in (1, 3, 5)]) / 255
            strong = int(ink.argmax())
            inked = dark[..., strong].max(0) > 0.3 * pen.darkness * min(1, pen.width)
            full = dark[:, inked].max(0)
            np.testing.assert_allclose(
                full / full[:, [strong]], ink / ink[strong] + 0 * full, atol=0.05
            )
            width = dark[:, inked, strong].sum(0) / (pen.darkness * ink[strong])
            assert np.median(width) == pytest.approx(curve.line_width, abs=0.15)
            labelled = np.median((log.mask[:, x] == k + 1).sum(0))
            assert abs(labelled - max(1, pen.width)) <= 1
            check_dashes(inked, curve.style, pen)
            assert curve.class_index == 1 + STYLES.index(curve.style or "solid")
            seen.add(curve.style)
    assert seen == {*STYLES}


def test_the_curves_of_a_log_are_printed_one_after_the_other():
    for number in range(10):
        orders = [curve.order for curve in PrintedLogs().row(number).curves]
        assert sorted(orders, key=lambda order: order or 0) == [*range(len(orders))]


def test_words_and_their_boxes_go_where_joints_and_skew_move_the_paper():
    """Depth numbers in the box of a word, from edge to edge but for the steps of the shift."""
    moved = replace(CALM, skew=(0.03, 0.03))
    tracks = replace(FLAT, joined=1, join_offset=(6, 8), colour_scan=0, straight=0)
    logs, words = replace(LINES, appearance=moved, tracks=tracks), 0
    for number in range(6):
        log, joints = logs.log(number), [x for x, _ in logs._layout(number)[0].joints]
        for word in (one for one in log.words if one.kind == "depth"):
            top, left, bottom, right = word.box
            if not any(left <= x < right for x in joints):
                part = log.grey[top:bottom, left:right] < 250
                assert all(edge.any() for edge in (part[:2], part[-2:], part[:, 0], part[:, -1]))
                words += 1
    assert words > 10


def test_the_scales_of_a_crop_are_those_of_its_columns():
    logs = replace(LINES, tracks=replace(FLAT, straight=0, scale_change=1))
    crops, changes = replace(logs, crop=(300, 600)), 0
    for number in range(12):
        whole, crop = logs.row(number), crops.row(number)
        start = crops._kept_columns(number, crops._layout(number)[0]).start
        for before, after in zip(whole.curves, crop.curves, strict=True):
            assert after.scales
            assert (after.scales[0].start, after.scales[-1].stop) == (0, crop.width)
            for x in range(0, crop.width, 7):
                (one,) = (s for s in before.scales or () if s.start <= x + start < s.stop)
                (other,) = (s for s in after.scales if s.start <= x < s.stop)
                assert replace(one, start=0, stop=0) == replace(other, start=0, stop=0)
            changes += len(after.scales) > 1
    assert changes > 3


def test_a_line_is_interrupted_where_its_scale_changes():
    logs, seen = replace(LINES, tracks=replace(FLAT, straight=0, scale_change=1)), 0
    for number in range(6):
        row, log = logs.row(number), logs.log(number)
        for curve, rows in zip(row.curves, log.curves.rows, strict=True):
            for scale in (curve.scales or ())[1:]:
                assert np.isnan(rows[scale.start])
                seen += 1
    assert seen > 3


@pytest.mark.parametrize("laps", [0, 1])
def test_a_wrapped_curve_goes_round_as_often_as_the_setting_says(laps):
    wrapping = replace(CALM, wrapped=1, clipped=0, off_scale=0)
    once = replace(FLAT, straight=0, laps=(laps, laps))
    logs = replace(LINES, appearance=wrapping, tracks=once)
    most = [np.nanmax(np.abs(logs.log(number).curves.wraps), initial=0) for number in range(12)]
    assert max(most) == laps


def test_a_fill_to_another_curve_lies_between_the_two():
    tracks = replace(FLAT, another_curve=1, filled=1, fill_to_curve=1, straight=0)
    logs, seen = replace(LINES, tracks=tracks), 0
    for number in range(4):
        layout, well = logs._layout(number)
        flat, there = np.zeros(layout.page.width), logs._curves(number, layout, well)
        lines = [
            Line(layout=one.line, curve=drawn, shift=flat)
            for one, drawn in zip(layout.curves, there, strict=True)
        ]
        inks = Inks(shape=(layout.page.height, layout.page.width))
        for fill, (first, last) in zip(layout.fills, paint_fills(inks, layout, lines), strict=True):
            assert fill.other is not None
            filled = last >= first
            between = np.sort([lines[fill.curve].rows, lines[fill.other].rows], axis=0)
            np.testing.assert_array_equal([first[filled], last[filled]], between[:, filled])
            seen += filled.sum()
    assert seen > 100


def test_curves_begin_and_end_within_the_strip_where_the_setting_says():
    gapless = replace(CALM, gaps=0)
    for share in (0, 1):
        tracks = replace(FLAT, starts_or_ends=share)
        logs = replace(LINES, appearance=gapless, tracks=tracks)
        for number in range(4):
            (start, stop), log = logs._layout(number)[0].page.span, logs.log(number)
            there = np.isfinite(log.curves.rows).sum(axis=1)
            assert (there < stop - start).all() if share else (there == stop - start).all()


def test_a_scan_in_colour_is_not_black_and_white():
    logs = replace(LINES, appearance=replace(CALM, bilevel=1, jpeg=0))
    assert not any("bilevel" in logs.row(number).traits for number in range(8))
    grey = replace(logs, tracks=replace(FLAT, colour_scan=0))
    assert all("bilevel" in grey.row(number).traits for number in range(8))


def test_a_log_grid_has_the_decades_and_digits_of_the_first_log_scale_of_its_track():
    seen = set[int]()
    for number in range(40):
        layout, _ = PrintedLogs(seed=4)._layout(number)
        for k, track in enumerate(layout.page.tracks):
            scales = [curve.scales[0][1] for curve in layout.curves if curve.track == k]
            log = next((scale for scale in scales if scale.log), None)
            if log is not None:
                assert 10**track.decades == pytest.approx(log.right / log.left)
                assert np.log10(log.left / track.first) % 1 == pytest.approx(0, abs=1e-9)
                seen.add(track.decades)
    assert len(seen) > 1


def test_a_pen_that_rounds_off_follows_a_ramp_and_lies_within_its_samples():
    ramp, at = np.arange(20.0), np.linspace(1, 18, 77)
    np.testing.assert_allclose(_between(ramp, at, smooth=True), at)
    np.testing.assert_allclose(_between(ramp, at, smooth=False), at)
    jagged = np.random.default_rng(0).random(20)
    found = _between(jagged, at, smooth=True)
    assert jagged.min() <= found.min() <= found.max() <= jagged.max()

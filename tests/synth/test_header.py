"""What is written on a printed log is true, and its boxes hold it."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from veernet.data.logs import BY_WORDS, Word
from veernet.synth.appearance import PLAIN
from veernet.synth.header import print_headers
from veernet.synth.header_style import LAYOUTS, HeaderStyle, draw_header_style
from veernet.synth.inks import Inks
from veernet.synth.kinship import MEMBERS
from veernet.synth.layout import Pen
from veernet.synth.paint import line_sample
from veernet.synth.printed import PrintedLogs
from veernet.synth.printed_layout import PrintedLayout, lay_out_printed
from veernet.synth.tracks import Tracks

STRIP = replace(PLAIN, header=1, footer=1, wrapped=0.5, track_numbers=0.3, two_tracks=0.5)
CURVES = Tracks(dpi=(75, 300), repeat=0.5, remarks=1, scale_change=0.3)
LOGS = PrintedLogs(seed=5, height=(300, 420), width=(1500, 2000), appearance=STRIP, tracks=CURVES)


def layout_of(index: int, height: int = 400, width: int = 2400) -> PrintedLayout:
    rng = np.random.default_rng(index)
    return lay_out_printed(rng, STRIP, CURVES, height=height, width=width, well=None)


def style_of(index: int, **changes: object) -> HeaderStyle:
    return replace(draw_header_style(np.random.default_rng(index), 0), **changes)


def printed(layout: PrintedLayout, style: HeaderStyle) -> tuple[np.ndarray, list[Word]]:
    inks = Inks(shape=(layout.page.height, layout.page.width))
    words, _ = print_headers(inks, layout, style)
    return np.max([*inks.planes.values()], axis=0, initial=0), words


@pytest.mark.parametrize("index", range(12))
def test_the_boxes_of_a_header_hold_all_its_ink_and_end_where_it_ends(index: int):
    ink, words = printed(layout_of(index), style_of(index, ruled=""))
    assert any(word.kind == "line" for word in words)
    for word in words:
        top, left, bottom, right = word.box
        part = ink[top:bottom, left:right]
        assert part.shape == (bottom - top, right - left)
        assert all(edge.any() for edge in (part[0], part[-1], part[:, 0], part[:, -1]))
    for word in words:
        top, left, bottom, right = word.box
        ink[top:bottom, left:right] = 0
    assert not ink.any()


@pytest.mark.parametrize("index", range(12))
def test_words_of_a_header_do_not_overlap_and_leave_the_tracks_alone(index: int):
    layout = layout_of(index)
    _, words = printed(layout, style_of(index))
    for one, other in combinations([word.box for word in words], 2):
        assert one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
    for word in words:
        if word.curve is not None:
            track = layout.curves[word.curve].line.track
            assert track.top < word.box[0]
            assert word.box[2] <= track.bottom
    for section in layout.page.sections:
        assert all(w.box[3] <= section.start or w.box[1] >= section.stop for w in words)


@pytest.mark.parametrize("index", range(12))
def test_a_header_prints_name_unit_and_style_of_each_curve_and_the_scale_of_its_section(index: int):
    layout = layout_of(index)
    _, words = printed(layout, style_of(index))
    starts = [section.start for section in layout.page.sections]
    for word in words:
        if word.curve is None:
            continue
        curve = layout.curves[word.curve]
        member = MEMBERS[curve.mnemonic]
        column = next((at for at in starts if at >= word.box[3]), layout.page.width)
        scale = [scale for start, scale in curve.scales if start <= column][-1]
        beyond = 2 * scale.right - scale.left
        wraps = curve.line.ending == "wrapped" and not scale.log
        ends = {
            "left": {scale.left, scale.right} if wraps else {scale.left},
            "right": {scale.right, beyond} if wraps else {scale.right},
        }
        match word.kind:
            case "left" | "right":
                assert min(abs(float(word.text) - end) for end in ends[word.kind]) < 1e-9
            case "unit":
                assert word.text.strip("()") == curve.unit
            case "mnemonic":
                assert word.text.upper() in {member.title, curve.mnemonic, *member.aliases}
            case _:
                assert (word.kind, word.text) == ("line", curve.line.style)


@pytest.mark.parametrize("rows", LAYOUTS.values(), ids=LAYOUTS)
def test_where_there_is_room_a_cell_shows_all_that_its_layout_has(rows: tuple[str, ...]):
    layout = layout_of(3, height=640, width=9000)
    style = style_of(0, rows=rows, names="mnemonic", backup="", at_the_end=False, size=0.65)
    _, words = printed(layout, style)
    kinds = {"left", "right", "mnemonic", "line", *(["unit"] if "unit" in str(rows) else [])}
    for number in range(len(layout.curves)):
        assert {word.kind for word in words if word.curve == number} == kinds


@pytest.mark.parametrize(
    ("numbers", "ends", "texts"),
    [
        ("plain", (0.2, 2000), ("0.2", "2000")),
        ("plain", (0.45, -0.15), ("0.45", "-0.15")),
        ("even", (0.45, -0.1), ("0.45", "-0.10")),
        ("one decimal", (6, 16), ("6.0", "16.0")),
        ("bare", (0.45, -0.15), (".45", "-.15")),
        ("bare", (0, 10.5), ("0", "10.5")),
    ],
)
def test_the_ends_of_a_scale_are_written_in_the_way_of_the_vendor(
    numbers: str, ends: tuple[float, float], texts: tuple[str, str]
):
    assert style_of(0, numbers=numbers).numbers_of(*ends) == texts


def test_the_sample_of_a_line_has_the_width_and_the_dashes_of_its_pen():
    pen = Pen(width=3, darkness=200, pattern=(6, 4))
    patch = line_sample(pen, 26).patch
    dash, gap = np.full((6, 3), 200), np.zeros((4, 3))
    assert np.array_equal(patch[::-1], np.vstack([dash, gap, dash, gap, dash]))


@pytest.mark.parametrize("index", range(8))
def test_depths_are_printed_in_the_column_of_their_depth(index: int):
    logs = replace(LOGS, crop=(900, 1200), appearance=replace(STRIP, depth_track=0.7))
    row = logs.row(index)
    found = 0
    for word in logs.log(index).words:
        text = word.text.removesuffix(" FT")
        if word.kind == "depth" or word.text.endswith(" FT"):
            middle = (word.box[1] + word.box[3] - 1) / 2
            (section,) = (s for s in row.sections or () if s.start <= middle < s.stop)
            depth = section.depth + section.feet_per_px * (middle - section.start)
            assert abs(depth - float(text)) <= 0.5 * section.feet_per_px + 1e-6
            found += 1
    assert found or "depth column" not in row.traits


def test_a_depth_that_is_written_in_a_track_is_one_of_its_section():
    """On pages whose sections are only a few feet long."""
    short = Tracks(dpi=(1200, 1200), remarks=1, two_sections=1, repeat=1)
    logs, found = replace(LOGS, width=(1000, 1200), tracks=short), 0
    for index in range(24):
        row = logs.row(index)
        for word in (one for one in logs.log(index).words if one.text.endswith(" FT")):
            middle = (word.box[1] + word.box[3] - 1) / 2
            (section,) = (s for s in row.sections or () if s.start <= middle < s.stop)
            depth = section.depth + section.feet_per_px * (middle - section.start)
            assert abs(depth - float(word.text[:-3])) <= section.feet_per_px
            found += 1
    assert found


@pytest.mark.parametrize("index", range(4))
def test_words_of_a_crop_are_those_of_the_log_that_lie_in_it(index: int):
    whole, crop = LOGS, replace(LOGS, crop=(700, 900))
    kept = crop._kept_columns(index, crop._layout(index)[0])
    expected = [
        replace(word, box=(top, left - kept.start, bottom, right - kept.start))
        for word in whole.log(index).words
        for top, left, bottom, right in [word.box]
        if kept.start <= left and right <= kept.stop
    ]
    words = crop.log(index).words
    assert list(words) == expected
    assert all(0 <= w.box[0] < w.box[2] <= crop.row(index).height for w in words)


def test_words_that_the_scan_cuts_off_are_not_recorded():
    """On pages without a margin that are skewed by a tenth of their height."""
    skewed = replace(STRIP, margin=(0, 0), skew=(0.1, 0.1), depth_track=1, two_tracks=0)
    for index in range(6):
        log = replace(LOGS, appearance=skewed).log(index)
        assert all(0 <= w.box[0] < w.box[2] <= len(log.grey) for w in log.words)


def test_remarks_in_a_track_cover_the_curves_below_them():
    covered = 0
    for index in range(6):
        log = LOGS.log(index)
        assert log.curves.covered is not None
        for word in (word for word in log.words if word.kind == "remark"):
            top, left, bottom, right = word.box
            rows = log.curves.rows[:, left:right]
            below = (rows >= top) & (rows < bottom)
            marked = log.curves.covered[:, left:right][below]
            assert ((marked == BY_WORDS) | (marked <= len(rows)) & (marked > 0)).all()
            covered += int((marked == BY_WORDS).sum())
    assert covered


def test_a_change_of_scale_is_announced_at_its_column_in_some_logs():
    said = list[float]()
    for index in range(24):
        row, log = LOGS.row(index), LOGS.log(index)
        for word in log.words:
            if word.kind == "remark" and " TO " in word.text and word.curve is not None:
                left, right = word.text.split(" TO ")
                scales = row.curves[word.curve].scales
                assert scales is not None
                scale = scales[1]
                assert (float(left.split()[-1]), float(right)) == (scale.left, scale.right)
                said.append(word.box[1] - scale.start)
    assert said
    assert all(0 < distance < 60 for distance in said)

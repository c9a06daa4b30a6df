"""Beyond its scale a curve has no value: it is said where, and nothing else changes."""

import json

import cv2
import lasio
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from veernet import VeerNet, VeerNetConfig
from veernet.data.raster import write_picture
from veernet.digitisation import (
    Calibration,
    CurveScale,
    Depth,
    Track,
    digitise,
    digitise_file,
    summarise_curves,
)
from veernet.digitisation.strip import MOST_DARK, cut_strip, dark_share
from veernet.inference import read_curve
from veernet.las import Las

MARGIN, WIDTH = 30, 600

CALIBRATION = """
depth_axis = "right"
depth = { step = 0.25, ties = [[0.0, 1000.0], [599.0, 1299.5]] }
[[track]]
left = 0
right = 599
top = 30
bottom = 330
[[track.curve]]
mnemonic = "DT"
left = 140.0
right = 40.0
"""


class SeesBlack(VeerNet):
    """Calls every black pixel the curve; grids and frames are grey."""

    def __init__(self):
        super().__init__(VeerNetConfig(out_channels=1, channels=(2, 4), num_heads=1))

    def forward(self, image, sizes=None):
        return 40 * (image - 0.8)


def page(height, course, *, pen=2, frame=0, ink=0, frame_ink=110, outside=False):
    """A log on its side with one curve, from 0 at the lower edge of its track to 1 at the upper."""
    top, bottom = MARGIN, MARGIN + height
    curve = np.full((height + 1 + 2 * MARGIN, len(course)), 255, np.uint8)
    points = np.stack([np.arange(len(course)), bottom - height * course], axis=1)
    for part in np.split(points, np.flatnonzero(np.isnan(course))):
        fixed = np.rint(16 * part[np.isfinite(part[:, 1])]).astype(np.int32)
        cv2.polylines(curve, [fixed], False, ink, pen, shift=4)
    if not outside:
        curve[:top] = curve[bottom + 1 :] = 255
    grey = np.full_like(curve, 255)
    grey[top : bottom + 1, ::20] = 150
    for edge in (top, bottom):
        grey[edge - frame // 2 : edge - frame // 2 + frame] = frame_ink
    return np.minimum(grey, curve)


def calibration(height, width=WIDTH, **curve):
    scale = CurveScale(**{"mnemonic": "DT", "left": 140.0, "right": 40.0, **curve})
    track = Track(left=0, right=width - 1, top=MARGIN, bottom=MARGIN + height, curves=(scale,))
    depth = Depth(ties=((0.0, 1000.0), (width - 1.0, 1000.0 + (width - 1) / 2)), step=0.25)
    return Calibration(depth=depth, tracks=(track,), depth_axis="right")


def swing(rng, n=WIDTH, *, peak=1.3):
    """A course around the middle of the track that leaves it at both edges."""
    x = np.arange(n)
    turns = rng.uniform(1, 2.2) * 2 * np.pi / n
    return 0.5 + (peak - 0.5) * np.sin(turns * x + rng.uniform(0, 6))


heights, pens, frames = st.integers(160, 420), st.integers(1, 4), st.integers(0, 8)
seeds = st.integers(0, 10**6)


@settings(max_examples=12)
@given(heights, pens, frames, st.booleans(), seeds)
def test_a_curve_held_at_the_edge_is_off_scale_there_and_nowhere_else(
    height, pen, frame, black, seed
):
    """Whether the network calls the frame the curve or not; but of a line one pixel wide along a
    frame that it calls the curve a quarter of the pages is read otherwise."""
    assume(pen > 1 or not black)
    course = swing(np.random.default_rng(seed))
    held = course.clip(0, 1)
    grey = page(height, held, pen=pen, frame=frame, frame_ink=0 if black else 110)
    (printed,) = digitise(grey, calibration(height), SeesBlack()).readings
    side = np.sign(course - held)
    assert (printed.beyond[side != 0] == side[side != 0]).all()
    far = height * np.minimum(held, 1 - held) > frame / 2 + pen / 2 + 6
    near_frame = height * np.abs(1 - printed.positions - 0.5) > height / 2 - 6  # it is followed
    assert not printed.beyond[far & ~near_frame].any()
    assert (printed.confidence[side != 0] == 0).all()


@settings(max_examples=12)
@given(heights, pens, st.integers(0, 2), st.booleans(), st.booleans(), seeds)
def test_a_curve_that_leaves_its_track_is_off_scale_until_it_comes_back(
    height, pen, frame, outside, short, seed
):
    """Nothing is drawn between, or all of it beyond the track; bridged, or too far for that."""
    rng = np.random.default_rng(seed)
    half, at = (15, 150) if short else (70, 300)
    x = np.arange(WIDTH)
    side = int(rng.choice([-1, 1]))
    spike = 0.5 + side * (0.5 + 1.5 * (1 - np.abs(x - at) / half) * (np.abs(x - at) < 2 * half))
    course = np.where(np.abs(x - at) < 1.33 * half, spike, 0.5)
    grey = page(height, course, pen=pen, frame=frame, outside=outside)
    found = digitise(grey, calibration(height), SeesBlack())
    (printed,) = found.readings
    gone = np.abs(x - at) < half - 3
    assert (printed.beyond[gone] == side).all()
    assert not printed.beyond[np.abs(x - at) > half + 6].any()
    edge = {1: "right", -1: "left"}[side]
    (stretch,) = printed.off_scale
    assert stretch.edge == edge
    ends = 1000 + (at + np.array([-half, half])) / 2
    np.testing.assert_allclose([stretch.first, stretch.last], ends, atol=3)
    inside = (found.depth > ends[0] + 2) & (found.depth < ends[1] - 2)
    assert np.isnan(found.values[0, inside]).all()


@settings(max_examples=20)
@given(heights, st.integers(1, 3), st.integers(0, 1), st.booleans())
def test_a_straight_curve_five_pixels_from_the_edge_is_on_its_scale(height, pen, frame, upper):
    course = np.full(WIDTH, 1 - 5 / height if upper else 5 / height)
    found = digitise(page(height, course, pen=pen, frame=frame), calibration(height), SeesBlack())
    assert not found.beyond.any()
    np.testing.assert_allclose(found.values[0], 140 - 100 * course[0], atol=100 / height)


@settings(max_examples=10)
@given(heights, pens, frames, seeds)
def test_values_on_scale_are_those_of_the_path_to_the_bit(height, pen, frame, seed):
    course = swing(np.random.default_rng(seed)).clip(0, 1)
    grey, settings_ = page(height, course, pen=pen, frame=frame), calibration(height)
    found = digitise(grey, settings_, SeesBlack())
    strip = cut_strip(grey, settings_, settings_.tracks[0])
    black = 1 / (1 + np.exp(-40 * ((255 - strip.grey) / 255 - 0.8)))
    trace = read_curve(black[None, strip.top : strip.bottom + 1].astype(np.float32), 0)
    at = np.interp(settings_.depth.pixel_of(found.depth), strip.pixels(), 1 - trace.rows / height)
    expected = settings_.curves[0].value(at)
    on_scale = found.beyond[0] == 0
    np.testing.assert_array_equal(found.values[0, on_scale], expected[on_scale])
    assert np.isnan(found.values[0, ~on_scale]).all()


def wrapped(height, course, **look):
    wraps = [page(height, course - wrap, **look) for wrap in (-1, 0, 1)]
    return np.min(wraps, axis=0)


@settings(max_examples=10)
@given(heights, st.integers(1, 3), st.integers(0, 2), st.booleans(), st.booleans(), seeds)
def test_a_curve_that_goes_round_unasked_is_off_scale_while_it_is_beyond(
    height, pen, frame, up, asked, seed
):
    """On a backup scale it is never off scale by passing the edges."""
    rng = np.random.default_rng(seed)
    x = np.arange(WIDTH)
    course = 0.5 + (0.8 if up else -0.8) * np.sin(np.pi * x / (WIDTH - 1)) ** int(
        2 * rng.integers(2, 5)
    )
    grey = wrapped(height, course, pen=pen, frame=frame)
    found = digitise(grey, calibration(height, wraps=asked), SeesBlack())
    (printed,) = found.readings
    if asked:
        assert not found.beyond.any()
        return
    beyond = np.where(course > 1, 1, np.where(course < 0, -1, 0))
    near = height * np.minimum(np.abs(course), np.abs(1 - course)) < 10
    steep = np.abs(np.gradient(course)) * height > 4
    sure = ~near & ~(steep & near)
    np.testing.assert_array_equal(printed.beyond[sure], beyond[sure])


def test_a_step_that_is_drawn_from_edge_to_edge_goes_round_nothing():
    course = np.where(np.arange(WIDTH) < 350, 0.03, 0.97)
    found = digitise(page(300, course, pen=3), calibration(300), SeesBlack())
    assert not found.beyond.any()


@pytest.mark.parametrize("n", [90, 130])
def test_a_curve_on_a_backup_scale_that_rests_on_an_edge_for_long_is_told(n):
    """The frame may have been taken for it; 47 px of it were true on a Kansas log."""
    x = np.arange(WIDTH)
    away = np.maximum(np.abs(x - 300) - n / 2, 0)
    course = 1 - np.minimum(away / 60, 0.5)
    found = digitise(page(300, course, pen=2), calibration(300, wraps=True), SeesBlack())
    (printed,) = found.readings
    assert len(printed.off_scale) == (n > 100)
    assert (printed.beyond[np.abs(x - 300) < n / 2] == (n > 100)).all()


@pytest.mark.parametrize("off_scale", ["null", "edge"])
def test_what_stands_off_scale_is_asked_for_and_written_down(tmp_path, off_scale):
    course = 0.5 + np.where(np.abs(np.arange(WIDTH) - 200) < 30, 0.5, 0.2)
    write_picture(tmp_path / "scan.png", page(300, course, pen=2, frame=2))
    (tmp_path / "c.toml").write_text(CALIBRATION)
    written = digitise_file(
        tmp_path / "scan.png",
        tmp_path / "c.toml",
        SeesBlack(),
        tmp_path / "out",
        off_scale=off_scale,
        confidence=True,
    )
    las = lasio.read(written.las)
    inside = (las["DEPT"] >= 1086) & (las["DEPT"] <= 1114)
    beside = (las["DEPT"] < 1084) | (las["DEPT"] > 1116)
    assert (np.isnan(las["DT"]) if off_scale == "null" else las["DT"] == 40)[inside].all()
    np.testing.assert_allclose(las["DT"][beside], 70, atol=0.5)
    assert (las["DT_CONF"][inside] == 0).all()
    assert (las["DT_CONF"][beside] > 0.9).all()
    (remark,) = las.other.splitlines()[3:]
    name, *_, first, last = remark.split()
    assert (name, "right edge" in las.other) == ("DT", True)
    np.testing.assert_allclose([float(first), float(last)], [1085, 1115], atol=1.1)
    (found,) = written.summaries
    assert found.off_scale_share == pytest.approx(30 / 300, abs=0.01)
    assert found.coverage == (1 if off_scale == "edge" else pytest.approx(0.9, abs=0.01))
    picture = cv2.imread(str(written.pictures[0]))
    assert picture is not None
    picture = picture.astype(int)
    blue = np.any(picture[..., 0] - picture[..., 2] > 60, axis=0)
    assert blue[175:226].all()
    assert not blue[:160].any()


def reference(calibration_, course, **others):
    depth = 1000 + np.arange(WIDTH) / 2
    values = calibration_.curves[0].value(course)
    return Las(depth=depth, unit="ft", curves={"DT": values, **others})


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_reference_is_compared_where_it_is_on_scale(scale):
    """Held at the edge for most of its length, where the well has anything: r is that of the rest.
    Half of the scale is not drawn at all."""
    rng = np.random.default_rng(5)
    x = np.arange(WIDTH)
    true = 0.5 + 0.3 * np.sin(x / 15) + 3 * (x > 250)
    drawn = np.where((x >= 100) & (x < 175), np.nan, true).clip(0, 1)
    true += np.where(x > 250, rng.normal(0, 1, WIDTH).clip(-2, 2), 0)
    settings_ = calibration(
        300, scale=scale, **({"left": 0.2, "right": 2000} if scale == "log" else {})
    )
    found = digitise(page(300, drawn, pen=2), settings_, SeesBlack())
    (results,) = summarise_curves(found, reference(settings_, true))
    assert results.pearson_r is not None
    assert results.pearson_r > 0.99
    depths = 2 * (250 - 75)
    assert results.compared == pytest.approx(depths, abs=8)
    assert results.reference_coverage == pytest.approx(175 / 250, abs=0.02)
    assert results.mae is not None
    if scale == "log":
        assert results.mae_decades is not None
        assert results.mae_decades < 4 / 300
        at_middle = 20 * np.log(10) * results.mae_decades
        assert 0.2 * at_middle < results.mae < 20 * at_middle
    else:
        assert results.mae < 100 / 300
        assert results.mae_decades is None


def test_where_a_curve_is_not_as_the_reference_has_it_is_told():
    """Read as 0.5 throughout; the reference has another value in one stretch, in the next one that
    is off scale, and none at its end."""
    settings_ = calibration(300)
    found = digitise(page(300, np.full(WIDTH, 0.5), pen=2), settings_, SeesBlack())
    x = np.arange(WIDTH)
    course = np.where((x >= 100) & (x < 160), 0.62, 0.5)
    course = np.where((x >= 200) & (x < 220), 1.4, course)
    course[[199, 220, *range(580, WIDTH)]] = np.nan  # it does not pass the rest of its scale
    (results,) = summarise_curves(found, reference(settings_, course))
    curve = settings_.curves[0]
    expected = curve.value(np.array([0.5])) - curve.value(np.array([0.62]))
    assert results.largest_error == pytest.approx(expected[0], rel=0.05)
    assert results.largest_error_at is not None
    assert 1050 <= results.largest_error_at < 1080
    assert results.share_far == pytest.approx(60 / 560, abs=0.01)
    np.testing.assert_allclose(
        results.read_off_reference, [(1100, 1109.5), (1290, 1299.5)], atol=1.1
    )


def test_laps_of_a_backup_scale_are_on_scale_in_a_reference():
    x = np.arange(WIDTH)
    course = 0.5 + 0.8 * np.sin(np.pi * x / (WIDTH - 1)) ** 4
    settings_ = calibration(300, wraps=True)
    found = digitise(wrapped(300, course, pen=2), settings_, SeesBlack())
    spoilt = np.where(x < 20, 9.0, course)  # further round than a curve is followed
    (results,) = summarise_curves(found, reference(settings_, spoilt))
    assert results.pearson_r is not None
    assert results.pearson_r > 0.999
    assert results.reference_coverage == 1
    assert results.compared == pytest.approx(2 * (WIDTH - 20), abs=4)


def test_a_reference_that_is_never_on_scale_is_compared_nowhere():
    settings_ = calibration(300)
    found = digitise(page(300, np.full(WIDTH, 0.5)), settings_, SeesBlack())
    (results,) = summarise_curves(found, reference(settings_, np.full(WIDTH, 1.5)))
    assert (results.compared, results.reference_coverage, results.mae, results.pearson_r) == (
        0,
        None,
        None,
        None,
    )
    (results,) = summarise_curves(
        found, reference(settings_, np.where(np.arange(WIDTH) == 300, 0.5, 9.0))
    )
    assert (results.compared, results.reference_coverage) == (1, 1)
    assert (results.mae, results.pearson_r) == (None, None)


@pytest.mark.parametrize("height", [100, 160, 161, 192, 225])
def test_a_narrow_track_in_a_frame_lies_on_paper(height):
    """Its last row alone may begin the last square that is looked at."""
    assert dark_share(page(height, np.full(WIDTH, 0.5), frame=3)[MARGIN:-MARGIN]) < MOST_DARK


@pytest.fixture
def on_disk(tmp_path, monkeypatch):
    """Write a scan and its calibration; returns the words of a command that digitises it."""
    monkeypatch.setattr("veernet.cli.digitise.load_weights", lambda _: SeesBlack())

    def write(grey, text=CALIBRATION):
        write_picture(tmp_path / "scan.png", grey)
        (tmp_path / "c.toml").write_text(text)
        files = tmp_path / "scan.png", "--calibration", tmp_path / "c.toml"
        return "digitise", *files, "--out", tmp_path / "out", "--overwrite"

    return write


def test_a_frame_that_is_taken_for_the_curve_gives_no_values_and_is_told(on_disk, veernet, capsys):
    """As the pretrained weights do at 600 dpi."""
    words = on_disk(page(300, np.full(WIDTH, np.nan), frame=8, frame_ink=0))
    assert veernet(*words, "--json") == 0
    (output,) = json.loads(capsys.readouterr().out)["curves"]
    assert (output["coverage"], output["confidence"]) == (0, 0)
    assert output["off_scale_share"] > 0.9
    assert {one["edge"] for one in output["off_scale"]} <= {"left", "right"}
    assert veernet(*words) == 0
    said = capsys.readouterr().out
    assert "DT: lies on an edge of its track" in said
    assert "DT: the frame of the track may have been taken for it" in said
    assert "wraps = true" in said
    assert "DT: nothing was read" in said


def test_where_nothing_is_printed_nothing_is_read_and_that_is_said(on_disk, veernet, capsys):
    assert veernet(*on_disk(page(300, np.full(WIDTH, np.nan)))) == 0
    said = capsys.readouterr().out
    assert "DT: nothing was read" in said
    assert "edge" not in said

"""From pixels to values: with a network that sees ink, the curve that was drawn comes back."""

import csv
import re

import cv2
import lasio
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from hand_made import pdf, scanned
from networks import SeesInk
from veernet.data.raster import read_grey, to_depth_right, to_grey, write_picture
from veernet.digitisation import (
    Calibration,
    CurveScale,
    Depth,
    Track,
    digitise,
    digitise_file,
    read_calibration,
)
from veernet.digitisation.strip import span_of
from veernet.errors import CalibrationError, ImageError, LasError, OptionError
from veernet.las import Las, LasHeader
from veernet.report.tables import print_written

TOML = """
depth_axis = "down"
[depth]
unit = "ft"
step = 0.5
ties = [[10.0, 1000.0], [210.0, 1020.0], [410.0, 1030.0]]
[[track]]
left = 20
right = 220
top = 10
bottom = 410
[[track.curve]]
mnemonic = "GR"
unit = "API"
left = 0
right = 150
[[track]]
left = 20
right = 220
top = 10
bottom = 411
[[track.curve]]
mnemonic = "ILD"
unit = "OHMM"
left = 2000.0
right = 0.2
scale = "log"
"""
"""The same place twice but for a row, so that one network reads the same curve on two scales."""

ONE = TOML[: TOML.rindex("[[track]]")]
"""The first of them alone."""


@pytest.fixture
def calibration(tmp_path):
    path = tmp_path / "calibration.toml"
    path.write_text(TOML)
    return path


def position(y):
    """Where the drawn curve is across the track, 0 to 1, in image row y."""
    return 0.5 + 0.3 * np.sin(y / 40)


@pytest.fixture
def scan():
    """A curve of 3 px ink down the whole page."""
    page = np.full((450, 260), 255, np.uint8)
    y = np.arange(450)
    points = np.stack([20 + 200 * position(y), y], axis=1)
    fixed = np.rint(16 * points).astype(np.int32)
    cv2.polylines(page, [fixed], False, 0, 3, cv2.LINE_AA, shift=4)
    return page


def colours(path):
    """Blue, green and red of a picture as numbers that may be subtracted."""
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture.astype(int)


def test_values_by_depth_are_those_that_were_drawn(scan, calibration):
    found = digitise(scan, read_calibration(calibration), SeesInk())
    assert found.depth[0] == 1000.0
    assert found.depth[-1] == 1030.0
    assert np.allclose(np.diff(found.depth), 0.5)
    y = np.interp(found.depth, [1000, 1020, 1030], [10, 210, 410])
    one_pixel = 1 / 200
    np.testing.assert_allclose(found.values[0] / 150, position(y), atol=one_pixel)
    decades = np.log10(found.values[1] / 2000) / -4
    np.testing.assert_allclose(decades, position(y), atol=one_pixel)
    assert (found.confidence > 0.9).all()


@pytest.mark.parametrize("scale", ["", 'scale = "log"\n'])
@pytest.mark.parametrize("height", [0.9, -0.7])
def test_a_curve_on_a_backup_scale_goes_on_beyond_the_edges(tmp_path, scale, height):
    """Printed from 0 to 1 across the track and again one track beside it, so that what leaves at
    one edge comes in at the other; the depths at which it does are in the LAS file."""
    y = np.arange(10, 411)
    across = 0.5 + height * np.sin((y - 10) / 400 * np.pi) ** 4
    page = np.full((450, 260), 255, np.uint8)
    for wrap in (-1, 0, 1):
        points = np.stack([20 + 200 * (across - wrap), y], axis=1)
        fixed = np.rint(16 * points).astype(np.int32)
        cv2.polylines(page, [fixed], False, 0, 3, cv2.LINE_AA, shift=4)
    page[:, :20] = page[:, 221:] = 255
    write_picture(tmp_path / "scan.png", page)
    text = ONE.replace("left = 0\nright = 150", f"left = 1\nright = 100\n{scale}wraps = true")
    (tmp_path / "c.toml").write_text(text)
    written = digitise_file(tmp_path / "scan.png", tmp_path / "c.toml", SeesInk(), tmp_path / "out")
    coloured = np.ptp(colours(written.pictures[0])[:, :402], axis=2) > 60
    assert (coloured.sum(1) < 0.4 * coloured.shape[1]).all()  # no line across where it wraps
    assert written.summaries[0].wrap_count == 2
    read = lasio.read(written.las)
    rows = np.interp(read["DEPT"], [1000, 1020, 1030], [10, 210, 410])
    expected = np.interp(rows, y, across)
    found = np.log10(read["GR"]) / 2 if scale else (read["GR"] - 1) / 99
    np.testing.assert_allclose(found, expected, atol=1.5 / 200)
    wrap = 1 if height > 0 else -1
    crossing = (1 if height > 0 else 0) - expected
    (i,) = np.flatnonzero(np.diff(np.sign(crossing[:41])))
    results = [line.split() for line in read.other.splitlines()[3:]]
    assert [(line[0], line[-1]) for line in results] == [("GR", f"{wrap:+d}"), ("GR", "+0")]
    assert float(results[0][-2]) == pytest.approx(read["DEPT"][i], abs=0.6)


def test_a_scan_on_its_side_gives_the_same_values(scan, calibration):
    """Turned, x = y and y = 259 - x; the left edge of the track is its lower one."""
    upright = read_calibration(calibration)
    lying = Calibration(
        tracks=tuple(
            Track(left=10, right=t.bottom, top=259 - 220, bottom=259 - 20, curves=t.curves)
            for t in upright.tracks
        ),
        depth=upright.depth,
        depth_axis="right",
    )
    a = digitise(scan, upright, SeesInk())
    b = digitise(to_depth_right(scan), lying, SeesInk())
    np.testing.assert_array_equal(a.values, b.values)
    np.testing.assert_array_equal(a.readings[0].rows, b.readings[0].rows)
    np.testing.assert_array_equal(a.readings[0].grey, b.readings[0].grey)


SECOND = """
[[track]]
left = 25
right = 225
top = 210
bottom = 410
[[track.curve]]
mnemonic = "DT"
left = 140
right = 40
"""


@pytest.mark.parametrize("axis", ["down", "right"])
@pytest.mark.parametrize("degrees", [-2.0, 0.7, 3.0])
def test_a_skewed_scan_gives_the_same_values(scan, calibration, degrees, axis):
    """Turned, as a sheet on a scanner; corners and ties turned with it. The second track lies
    deeper and to the right, so that its rows count from the first one's edge."""
    calibration.write_text(TOML + SECOND)
    straight = read_calibration(calibration)
    turn = cv2.getRotationMatrix2D((130, 225), degrees, 1)
    turn[:, 2] += 20
    turned = cv2.warpAffine(scan, turn, (300, 490), flags=cv2.INTER_AREA, borderValue=255)

    def moved(x, y):
        x, y = turn @ [x, y, 1]
        return (x, y) if axis == "down" else (y, 299 - x)

    tracks = []
    for t in straight.tracks:
        around = ((t.left, t.top), (t.right, t.top), (t.right, t.bottom), (t.left, t.bottom))
        tracks.append(Track(corners=tuple(moved(x, y) for x, y in around), curves=t.curves))
    along = [moved(20, y)[1 if axis == "down" else 0] for y in (10, 210, 410)]
    ties = tuple(zip(along, (1000.0, 1020.0, 1030.0), strict=True))
    found = digitise(
        turned if axis == "down" else to_depth_right(turned),
        Calibration(depth=Depth(ties=ties, step=0.5), tracks=tuple(tracks), depth_axis=axis),
        SeesInk(),
    )
    expected = digitise(scan, straight, SeesInk())
    there = np.isfinite(expected.values)  # the last depth may be lost to rounding
    inside = found.depth[-1] == expected.depth[-1]
    n = len(found.depth)
    assert n >= len(expected.depth) - 1
    a, b = found.values, expected.values[:, -n:] if inside else expected.values[:, :n]
    for k, width in enumerate((150, None, 100)):
        error = np.abs(a[k] - b[k]) / width if width else np.abs(np.log10(a[k] / b[k])) / 4
        assert np.nanmax(error) < 1 / 200
        assert np.isnan(error).sum() - np.isnan(b[k]).sum() <= 2
    assert there.any()


def test_corners_out_of_order_are_refused(calibration):
    box = "left = 20\nright = 220\ntop = 10\nbottom = 410\n"
    corners = "corners = [[220, 10], [20, 10], [20, 410], [220, 410]]\n"
    for text, message in (
        (corners, "as one reads the track with depth down"),
        (box + corners, "got 4 sides and 4 corners"),
        ("left = 20\nright = 220\n", "got 2 sides and 0 corners"),
        ("corners = [[20, 10], [220, 10], [220, 410]]\n", "3 corners"),
        ("corners = [[20, 10], [220, 10], [220, 410], [20, nan]]\n", "as one reads"),
    ):
        calibration.write_text(TOML.replace(box, text))
        with pytest.raises(CalibrationError, match=message):
            read_calibration(calibration)


def test_two_tracks_of_different_depths_share_one_column_of_depth(scan, calibration, tmp_path):
    """The second is the first 25 px to the right, on the lower half of the scan."""
    calibration.write_text(TOML + SECOND)
    write_picture(tmp_path / "scan.png", scan)
    written = digitise_file(tmp_path / "scan.png", calibration, SeesInk(), tmp_path / "out")
    pictures = ["scan.GR.png", "scan.ILD.png", "scan.DT.png"]
    assert [path.name for path in written.files[3:]] == pictures
    las = lasio.read(written.las)
    assert las.keys() == ["DEPT", "GR", "ILD", "DT"]
    lower = las["DEPT"] >= 1020
    assert np.isnan(las["DT"][~lower]).all()
    expected = 140 - 100 * (las["GR"] / 150 - 5 / 200)
    np.testing.assert_allclose(las["DT"][lower], expected[lower], atol=1e-3)


def test_a_track_that_is_not_on_paper_is_refused_before_the_network_sees_any(scan, calibration):
    """The second of two, which reaches 25 px beyond the first, into the dark."""

    class SeesNothing(SeesInk):
        def forward(self, image, sizes=None):
            raise AssertionError("the first track was read")

    second = SECOND.replace("left = 25", "left = 45").replace("right = 225", "right = 245")
    calibration.write_text(TOML + second)
    scan[:, 215:] = 20
    with pytest.raises(CalibrationError, match=r"x = 45, .* not on the paper of a log"):
        digitise(scan, read_calibration(calibration), SeesNothing())


@given(st.floats(-2, 3))
def test_value_and_position_are_each_others_inverse(position):
    for scale in (
        CurveScale(mnemonic="DT", left=140.0, right=40.0),
        CurveScale(mnemonic="ILD", left=0.2, right=2000.0, scale="log"),
    ):
        there = scale.position(scale.value(np.array([position])))
        np.testing.assert_allclose(there, [position], atol=1e-9)


def test_a_blank_track_gives_no_values(calibration):
    blank = np.full((450, 260), 255, np.uint8)
    found = digitise(blank, read_calibration(calibration), SeesInk())
    assert np.isnan(found.values).all()
    assert found.confidence.max() < 0.01


def test_lasio_reads_back_what_was_digitised(scan, calibration, tmp_path):
    scan[100:200] = 255  # a gap too long to bridge
    write_picture(tmp_path / "well 7.png", scan)
    written = digitise_file(
        tmp_path / "well 7.png",
        calibration,
        SeesInk(),
        tmp_path / "out",
        header=LasHeader(items={"WELL": "Heinen 1-4"}),
    )
    expected = digitise(scan, read_calibration(calibration), SeesInk())
    assert np.isnan(expected.values).any()
    read = lasio.read(written.las)
    assert read.version.VERS.value == 2.0
    assert read.well.NULL.value == -999.25
    assert read.well.WELL.value == "Heinen 1-4"
    assert (read.well.STRT.value, read.well.STOP.value, read.well.STEP.value) == (1000, 1030, 0.5)
    assert [(c.mnemonic, c.unit) for c in read.curves] == [
        ("DEPT", "FT"),
        ("GR", "API"),
        ("ILD", "OHMM"),
    ]
    np.testing.assert_array_equal(read["DEPT"], expected.depth)
    for name, values in zip(("GR", "ILD"), expected.values, strict=True):
        np.testing.assert_array_equal(read[name], np.round(values, 5))
    raw = written.las.read_text().split("~ASCII")[1]
    assert raw.count("-999.25") == np.isnan(expected.values).sum()
    with written.csv.open() as file:
        rows = [*csv.DictReader(file)]
    assert [float(row["DEPT_ft"]) for row in rows] == expected.depth.tolist()
    assert [row["GR"] == "" for row in rows] == np.isnan(expected.values[0]).tolist()


def test_nothing_is_written_where_the_scan_cannot_be_read(calibration, tmp_path):
    (tmp_path / "scan.tif").write_bytes(b"II*\0")
    with pytest.raises(ImageError):
        digitise_file(tmp_path / "scan.tif", calibration, SeesInk(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("[210.0, 1020.0]", "[210.0, 1040.0]", "not monotone"),
        ("[210.0, 1020.0]", "[5.0, 1020.0]", "not monotone"),
        (
            "ties = [[10.0, 1000.0], [210.0, 1020.0], [410.0, 1030.0]]",
            "ties = [[1, 2]]",
            "two rows",
        ),
        ("step = 0.5", "step = 0", "step must be > 0"),
        ("step = 0.5", "stride = 0.5", "depth.step: missing"),
        ("left = 20\n", "left = 500\n", "left < right"),
        ("left = 20\n", "left = 20.5\n", "track.0.left: .*integer"),
        ("right = 0.2", "right = -1", "log scale needs values > 0"),
        ("right = 150", "right = 0", "two different values"),
        ('"ILD"', '"GR"', "different mnemonics"),
        ('"ILD"', '"gr"', "different mnemonics"),
        ('"ILD"', '"GR_CONF"', "different mnemonics"),
        ('"OHMM"', '"OHMM"\ndescription = "depth: 12"', "without colons"),
        ('"ILD"', '"RES.A"', "mnemonic must be letters"),
        ('"ILD"', '"DEPT"', "not DEPT"),
        ('"OHMM"', '"OHM M"', "without spaces"),
        ("step = 0.5", "step = 1" + 5000 * "0", "not a TOML file"),
        ('"down"', '"up"', "depth_axis: should be 'down' or 'right'; got 'up'"),
        ("[[track]]", "[[track", "not a TOML file"),
        ("[[track.curve]]", "[[curve]]", r"tracks are written \[\[track\]\]"),
    ],
)
def test_a_calibration_that_cannot_be_is_refused(calibration, old, new, found):
    assert old in TOML
    calibration.write_text(TOML.replace(old, new))
    with pytest.raises(CalibrationError, match=f"calibration.toml: .*{found}"):
        read_calibration(calibration)


def test_a_single_track_that_is_not_written_as_one_of_several_is_refused(calibration):
    calibration.write_text(ONE.replace("[[track]]", "[track]"))
    with pytest.raises(CalibrationError, match=r"tracks are written \[\[track\]\]"):
        read_calibration(calibration)


def test_an_unknown_setting_is_refused(calibration):
    calibration.write_text("depht_axis = 'down'\n" + TOML)
    with pytest.raises(CalibrationError, match="depht_axis"):
        read_calibration(calibration)


@pytest.mark.parametrize("step", ["1e-8", "400.0"])
def test_an_absurd_number_of_depths_is_refused(scan, calibration, tmp_path, step):
    write_picture(tmp_path / "scan.png", scan)
    ties = "ties = [[10.0, 1001.0], [210.0, 1020.0], [410.0, 1030.0]]"
    old = TOML.replace("ties = [[10.0, 1000.0], [210.0, 1020.0], [410.0, 1030.0]]", ties)
    calibration.write_text(old.replace("step = 0.5", f"step = {step}"))
    with pytest.raises(CalibrationError, match=r"calibration.toml: a step of .* depths"):
        digitise_file(tmp_path / "scan.png", calibration, SeesInk(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_gap_longer_than_the_calibration_allows_has_no_values(scan, calibration):
    """Without ink from 110 to 140 px, which is 3 ft."""
    scan[110:141] = 255
    found = digitise(scan, read_calibration(calibration), SeesInk())
    assert np.isfinite(found.values).all()
    calibration.write_text(TOML.replace("step = 0.5", "step = 0.5\nmax_gap = 2.0"))
    found = digitise(scan, read_calibration(calibration), SeesInk())
    inside = (found.depth > 1010) & (found.depth < 1013)
    assert np.isnan(found.values[:, inside]).all()
    assert np.isfinite(found.values[:, found.depth < 1009.9]).all()


def test_a_gap_is_as_many_whole_pixels_as_the_mean_scale_of_the_ties_makes_it(scan, calibration):
    """400 px in 30 ft: 2 ft are 26.7 px, of which 26 are bridged and 27 are not."""
    calibration.write_text(ONE.replace("step = 0.5", "step = 0.1\nmax_gap = 2.0"))
    for n in (26, 27):
        page = scan.copy()
        page[110 : 110 + n] = 255
        found = digitise(page, read_calibration(calibration), SeesInk())
        assert np.isfinite(found.values).all() == (n == 26)


def test_a_depth_is_read_half_a_pixel_beyond_its_track_and_no_further(scan, calibration):
    """Depths of two fifths of a pixel, and a second track from row 210 to row 300."""
    ties = "ties = [[10.0, 1000.0], [410.0, 1040.0]]"
    text = re.sub("ties = .*", ties, (ONE + SECOND).replace("step = 0.5", "step = 0.04"))
    calibration.write_text(text.replace("top = 210\nbottom = 410", "top = 210\nbottom = 300"))
    found = digitise(scan, read_calibration(calibration), SeesInk())
    rows = 10 * (found.depth - 1000) + 10
    seen = rows[np.isfinite(found.values[1])]
    np.testing.assert_allclose(seen[[0, -1]], [209.6, 300.4])
    np.testing.assert_array_equal(np.isfinite(found.confidence[1]), np.isfinite(found.values[1]))


def test_the_ends_of_a_track_have_values_though_rounding_puts_them_beyond(scan, calibration):
    """By a millionth of a pixel, as a person's ties may."""
    ties = "ties = [[10.0, 1000.0000004], [410.0, 1029.9999996]]"
    calibration.write_text(re.sub("ties = .*", ties, ONE))
    found = digitise(scan, read_calibration(calibration), SeesInk())
    assert (found.depth[0], found.depth[-1]) == (1000, 1030)
    assert np.isfinite(found.values).all()


def test_the_confidence_told_of_a_curve_is_reached_at_half_of_its_depths(
    scan, calibration, tmp_path
):
    """Where three in ten of them have no ink, it is that of the others."""
    scan[130:250] = 255
    write_picture(tmp_path / "scan.png", scan)
    written = digitise_file(tmp_path / "scan.png", calibration, SeesInk(), tmp_path / "out")
    sure = digitise(scan, read_calibration(calibration), SeesInk()).confidence
    assert (sure < 0.1).mean() > 0.25
    for found, of_one in zip(written.summaries, sure, strict=True):
        assert (of_one >= found.confidence).mean() == pytest.approx(0.5, abs=0.05)
        assert found.confidence > 0.99


def test_a_long_scan_is_read_in_windows_like_in_one(scan, calibration):
    """By a network that looks at its pixel alone, so that nothing but the seams could differ."""
    calibration.write_text(ONE)
    seen = []

    class Watch(SeesInk):
        def forward(self, image, sizes=None):
            seen.append(image.shape[-1])
            return super().forward(image)

    whole = digitise(scan, read_calibration(calibration), SeesInk())
    parts = digitise(scan, read_calibration(calibration), Watch(), window=100)
    assert seen == [100] * 5  # of 421 columns, sharing 6 at least
    np.testing.assert_allclose(parts.values, whole.values, rtol=1e-5)
    np.testing.assert_allclose(parts.confidence, whole.confidence, rtol=1e-5)


def test_the_header_is_taken_from_options_and_from_another_las_file(scan, calibration, tmp_path):
    other = lasio.LASFile()
    other.well["COMP"].value, other.well["WELL"].value = "Acme Oil", "Old 1"
    other.well["UWI"] = lasio.HeaderItem("UWI", value="15-131-20042", descr="API number")
    other.params["RM"] = lasio.HeaderItem("RM", "OHMM", 0.31, "Mud resistivity")
    other.append_curve("DEPT", np.arange(7, 9.0), unit="M")
    other.write(str(tmp_path / "old.las"), version=2.0)
    write_picture(tmp_path / "scan.png", scan)
    header = LasHeader.from_las(tmp_path / "old.las", {"WELL": "Heinen 1-4", "kb": "1,203 ft"})
    written = digitise_file(
        tmp_path / "scan.png", calibration, SeesInk(), tmp_path / "out", header=header
    )
    read = lasio.read(written.las)
    found = {item.mnemonic: item.value for item in read.well}
    assert found["WELL"] == "Heinen 1-4"
    assert found["COMP"] == "Acme Oil"
    assert found["UWI"] == "15-131-20042"
    assert found["KB"] == "1,203 ft"
    assert (found["STRT"], found["STOP"], found["NULL"]) == (1000, 1030, -999.25)
    assert (read.params.RM.unit, read.params.RM.value) == ("OHMM", 0.31)


def test_a_header_is_taken_over_as_text_and_the_first_of_two_counts(scan, calibration, tmp_path):
    old = """~Version
VERS. 2.0 :
WRAP. NO :
~Well
STRT.FT 1 :
NULL. -999 : one
NULL. -9999 : two
COMP. A : first
COMP. B : second
KB.FT 1,203 : kelly bushing
EDF.FT : drill floor
LIC. 0012345 :
DATE. 01052020 :
~Parameter
TDEP. 3,083 : depth
~A
"""
    (tmp_path / "old.las").write_text(old)
    write_picture(tmp_path / "scan.png", scan)
    header = LasHeader.from_las(tmp_path / "old.las")
    written = digitise_file(
        tmp_path / "scan.png", calibration, SeesInk(), tmp_path / "out", header=header
    )
    lines = [" ".join(line.split()) for line in written.las.read_text().splitlines()]
    for line in ("COMP. A : first", "KB .FT 1,203 : kelly bushing", "LIC . 0012345 :"):
        assert line in lines
    assert "DATE. 01052020 :" in lines
    assert "EDF .FT : drill floor" in lines  # and no 0
    assert "TDEP. 3,083 : depth" in lines
    assert sum(line.startswith(("NULL", "COMP")) for line in lines) == 2
    assert lasio.read(written.las).well.NULL.value == -999.25


def test_numbers_have_the_digits_that_their_scale_needs(scan, calibration, tmp_path):
    calibration.write_text(TOML.replace("left = 2000.0\nright = 0.2", "left = 1e-4\nright = 1e-7"))
    write_picture(tmp_path / "scan.png", scan)
    written = digitise_file(tmp_path / "scan.png", calibration, SeesInk(), tmp_path / "out")
    expected = digitise(scan, read_calibration(calibration), SeesInk()).values[1]
    np.testing.assert_allclose(lasio.read(written.las)["ILD"], expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("edges", "step", "digits"),
    [
        ("left = 0\nright = 150", 0.5, 5),
        ("left = 2.0\nright = 1.9", 0.5, 5),
        ("left = 2.0\nright = 1.92", 0.5, 6),  # 0.08 / 10,000 is 8 in the sixth place
        ("left = 1e-4\nright = 0", 0.5, 8),
        ("left = 0.003\nright = 30\nscale = 'log'", 0.5, 7),
        ("left = 0\nright = 150", 0.05, 6),
    ],
)
def test_a_ten_thousandth_of_a_scale_and_of_the_step_is_written(
    scan, calibration, tmp_path, edges, step, digits
):
    text = ONE.replace("left = 0\nright = 150", edges).replace("step = 0.5", f"step = {step}")
    calibration.write_text(text)
    write_picture(tmp_path / "scan.png", scan)
    written = digitise_file(tmp_path / "scan.png", calibration, SeesInk(), tmp_path / "out")
    with written.csv.open() as file:
        numbers = [n for row in [*csv.reader(file)][1:] for n in row]
    assert {len(n.partition(".")[2]) for n in numbers} == {digits}


def test_nothing_is_written_where_a_picture_cannot_be_drawn(
    scan, calibration, tmp_path, monkeypatch
):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr("veernet.digitisation.files.draw_quality", full)
    write_picture(tmp_path / "scan.png", scan)
    with pytest.raises(MemoryError):
        digitise_file(tmp_path / "scan.png", calibration, SeesInk(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_reference_without_the_curves_is_refused(scan, calibration, tmp_path):
    write_picture(tmp_path / "scan.png", scan)
    las = Las(depth=np.arange(3.0), unit="ft", curves={"SP": np.zeros(3)})
    with pytest.raises(OptionError, match=r"none of the curves GR, ILD; it has SP"):
        digitise_file(
            tmp_path / "scan.png", calibration, SeesInk(), tmp_path / "out", reference=las
        )


@pytest.mark.parametrize(
    ("curves", "las", "message"),
    [
        (("GR:1", "GR:2"), "", "curve GR may be GR:1, GR:2"),
        (("GR",), "GR:1", "none of the curves GR:1, ILD; it has GR"),
        (("GR:1", "GR:2"), "GR:1", None),
        (("GR (RAW)",), "gr (raw)", None),
        (("GR",), "", None),
    ],
)
def test_the_reference_is_asked_for_a_curve_by_its_name_there(
    scan, calibration, tmp_path, curves, las, message, capsys
):
    write_picture(tmp_path / "scan.png", scan)
    calibration.write_text(TOML.replace('mnemonic = "GR"', f'mnemonic = "GR"\nlas = "{las}"'))
    values = {name: np.full(3, 50.0) for name in curves}
    reference = Las(depth=np.array([1000.0, 1010, 1040]), unit="ft", curves=values)
    paths = tmp_path / "scan.png", calibration, SeesInk(), tmp_path / "out"
    if message is not None:
        with pytest.raises((OptionError, LasError), match=message):
            digitise_file(*paths, reference=reference)
        return
    written = digitise_file(*paths, reference=reference)
    gr, ild = written.summaries
    assert gr.mae is not None
    assert ild.mae is None
    print_written(Console(), written)
    said = capsys.readouterr().out
    assert "ILD: the reference has no curve of that name" in said
    assert "GR: the reference" not in said


def test_a_reference_with_text_in_the_curve_is_refused(scan, calibration, tmp_path):
    write_picture(tmp_path / "scan.png", scan)
    nothing = {"GR": "line 7 has 'bad'"}
    reference = Las(depth=np.arange(3.0), unit="ft", curves={}, texts=nothing)
    with pytest.raises(LasError, match="column GR has text .*: line 7 has 'bad'"):
        digitise_file(
            tmp_path / "scan.png", calibration, SeesInk(), tmp_path / "out", reference=reference
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("las", ["\\u001b[2J", "GR\\nSP"])
def test_a_name_in_las_files_with_control_characters_is_refused(calibration, las):
    calibration.write_text(TOML.replace('mnemonic = "GR"', f'mnemonic = "GR"\nlas = "{las}"'))
    with pytest.raises(CalibrationError, match="las must be printable") as refused:
        read_calibration(calibration)
    assert str(refused.value).isprintable()


def test_a_curve_that_lies_on_an_edge_does_not_go_round(rng, calibration):
    """A thin line at the left edge of a backup scale, and one that trembles at the right one."""
    calibration.write_text(ONE + "wraps = true\n")
    y = np.arange(450)
    for x in (np.full(450, 20), 220 - rng.integers(0, 2, 450)):
        page = np.full((450, 260), 255, np.uint8)
        page[y, x] = 0
        found = digitise(page, read_calibration(calibration), SeesInk(), off_scale="edge")
        np.testing.assert_array_equal(found.values[0], 150 * (x[0] > 100))
        assert found.wraps == ((),)


def test_a_click_beside_a_corner_of_a_far_track_moves_its_depths_little(calibration):
    """A track of 30 px, 1,000 px to the right of the first one of 200 px; a corner 1 px too low."""
    far = "".join(
        f"""
[[track]]
corners = [[1020, {10 + off}], [1050, 10], [1050, 410], [1020, 410]]
[[track.curve]]
mnemonic = "F{off}"
left = 0
right = 1
"""
        for off in (0, 1)
    )
    calibration.write_text(ONE + far)
    found = read_calibration(calibration)
    spans = [span_of(found, track) for track in found.tracks]
    assert spans[0] == (10, 410)
    np.testing.assert_allclose(spans[1:], [(10, 410)] * 2, atol=5)


@pytest.mark.parametrize("item", [{"STRT": "5"}, {"A B": "x"}, {"WELL": "a\n~A"}])
def test_a_header_item_that_would_break_the_file_is_refused(item):
    with pytest.raises(OptionError, match=next(iter(item))):
        LasHeader(items=item)


def test_a_reference_in_metres_tells_how_far_off_the_curve_is(scan, calibration, tmp_path):
    """The reference is what was drawn, and 6 API more below 1,020 ft."""
    write_picture(tmp_path / "scan.png", scan)
    depth = np.linspace(1000, 1030, 401)
    y = np.interp(depth, [1000, 1020, 1030], [10, 210, 410])
    drawn = 150 * position(y)
    reference = Las(
        depth=depth * 0.3048, unit="m", curves={"GR": np.where(depth > 1020, drawn + 6, drawn)}
    )
    plain, compared = (
        digitise_file(tmp_path / "scan.png", calibration, SeesInk(), tmp_path / name, reference=las)
        for name, las in (("plain", None), ("compared", reference))
    )
    gr, ild = compared.summaries
    assert gr.mae == pytest.approx(2, abs=0.5)
    assert gr.pearson_r is not None
    assert gr.pearson_r > 0.95
    assert ild.mae is ild.pearson_r is None
    assert (gr.coverage, gr.confidence) == (1, pytest.approx(1, abs=0.01))
    narrow, wide = (colours(one.pictures[0]) for one in (plain, compared))
    assert wide.shape[1] == narrow.shape[1] + 126
    residual = wide[26:-4, -120:]
    blue = (residual[..., 0] - residual[..., 2] > 60).sum(1)
    np.testing.assert_allclose(blue[420:], 0.04 / 0.05 * 59, atol=8)  # enlarged twice
    assert blue[:390].max() < 8


def test_the_picture_of_a_curve_shows_its_line_and_its_confidence(scan, calibration, tmp_path):
    scan[100:200] = 255  # longer than is bridged
    write_picture(tmp_path / "scan.png", scan)
    written = digitise_file(tmp_path / "scan.png", calibration, SeesInk(), tmp_path / "out")
    picture = colours(written.pictures[0])[26:-4]
    assert picture.shape[:2] == (802, 402 + 6 + 120)  # enlarged twice
    line = picture[:, :402, 2] - picture[:, :402, 0] > 60
    rows = 2 * np.array([40, 80, 250, 390])
    at = [np.flatnonzero(line[row]).mean() / 2 for row in rows]
    np.testing.assert_allclose(at, 200 * position(rows / 2 + 10), atol=1)
    assert not line[190:370].any()
    scale = picture[:, 408:]
    green = (scale[..., 1] - scale[..., 2] > 60).sum(1)
    assert (green[rows] > 110).all()
    assert (green[190:370] == 0).all()


def test_confidence_and_300_points_are_written_where_asked(scan, calibration, tmp_path):
    write_picture(tmp_path / "scan.png", scan)
    written = digitise_file(
        tmp_path / "scan.png", calibration, SeesInk(), tmp_path / "out", confidence=True
    )
    read = lasio.read(written.las)
    assert read.keys() == ["DEPT", "GR", "ILD", "GR_CONF", "ILD_CONF"]
    assert (read["GR_CONF"] > 0.9).all()
    whole, some = (np.genfromtxt(path, delimiter=",", names=True) for path in written.files[1:3])
    assert len(some) == 300
    for name in ("GR", "ILD"):
        expected = np.interp(some["DEPT_ft"], whole["DEPT_ft"], whole[name])
        np.testing.assert_allclose(some[name], expected, rtol=1e-3)


def test_nothing_is_overwritten_unasked(scan, calibration, tmp_path):
    """A LAS file beside the scan may be the only one there is."""
    write_picture(tmp_path / "scan.png", scan)
    (tmp_path / "scan.las").write_text("precious")
    with pytest.raises(OptionError, match=r"scan.las: exists"):
        digitise_file(tmp_path / "scan.png", calibration, SeesInk(), tmp_path)
    assert (tmp_path / "scan.las").read_text() == "precious"
    before = (tmp_path / "scan.png").read_bytes()
    digitise_file(tmp_path / "scan.png", calibration, SeesInk(), tmp_path, overwrite=True)
    assert (tmp_path / "scan.png").read_bytes() == before
    assert lasio.read(tmp_path / "scan.las").keys() == ["DEPT", "GR", "ILD"]


def test_a_calibration_of_a_scan_of_another_size_is_refused(scan, calibration, tmp_path):
    """A page of a PDF at another resolution would be read at other depths and values."""
    pdf_file = tmp_path / "scan.pdf"
    pdf_file.write_bytes(pdf(scanned(scan, 200)))
    h, w = scan.shape
    calibration.write_text(f"size = [{w}, {h}]\n{TOML}")
    found = digitise_file(pdf_file, calibration, SeesInk(), tmp_path / "out").summaries
    assert found[0].coverage > 0.5
    with pytest.raises(CalibrationError, match=f"scan of {w} × {h} px .* this one has"):
        digitise_file(pdf_file, calibration, SeesInk(), tmp_path / "other", dpi=300)
    assert not (tmp_path / "other").exists()


def numbers(las):
    return las.read_text().partition("~ASCII")[2]


def test_two_pages_of_a_scan_have_files_of_their_own(scan, calibration, tmp_path):
    """The values are those of the page as a scan of its own, whether it is kept in TIFF or PDF."""
    other = np.ascontiguousarray(scan[::-1])
    first, second = Image.fromarray(scan), Image.fromarray(other)
    first.save(tmp_path / "both.tif", save_all=True, append_images=[second])
    (tmp_path / "both.pdf").write_bytes(pdf(scanned(scan, 200), scanned(other, 200)))
    write_picture(tmp_path / "alone.png", other)
    alone = digitise_file(tmp_path / "alone.png", calibration, SeesInk(), tmp_path / "out")
    for name in ("both.tif", "both.pdf"):
        out = tmp_path / f"out of {name}"
        for page in (1, 2):
            written = digitise_file(tmp_path / name, calibration, SeesInk(), out, page=page)
        assert written.las.name == "both.p2.las"
        assert numbers(written.las) == numbers(alone.las)
        assert written.csv.read_bytes() == alone.csv.read_bytes()
        assert numbers(out / "both.las") != numbers(alone.las)


def test_a_calibration_must_fit_the_scan_and_the_network(scan, calibration, tmp_path):
    write_picture(tmp_path / "scan.png", scan[:, :200])
    with pytest.raises(CalibrationError, match=r"x = 220, .* outside the scan of 200 × 450 px"):
        digitise_file(tmp_path / "scan.png", calibration, SeesInk(), tmp_path)
    write_picture(tmp_path / "scan.png", scan)
    calibration.write_text(TOML.replace('"API"', '"API"\ntrace = 2'))
    with pytest.raises(CalibrationError, match=r"GR has curve_class 2; the network knows 1"):
        digitise_file(tmp_path / "scan.png", calibration, SeesInk(), tmp_path)


ties = st.lists(st.tuples(st.floats(1, 50), st.floats(0.1, 9)), min_size=2, max_size=5).map(
    lambda steps: tuple(map(tuple, np.cumsum(steps, axis=0).tolist()))
)


@given(ties, st.floats(-100, 500))
def test_pixel_and_depth_are_each_others_inverse(ties, pixel):
    depth = Depth(ties=ties, step=0.5)
    there = depth.at(np.array([pixel]))
    np.testing.assert_allclose(depth.pixel_of(there), [pixel], atol=1e-6)
    assert (np.diff(depth.at(np.arange(300.0))) > 0).all()


@given(ties, st.sampled_from([0.1, 0.1524, 0.5, 1.0]))
def test_output_depths_are_the_multiples_of_the_step_inside_the_track(ties, step):
    depth = Depth(ties=ties, step=step)
    first, last = ties[0][0], ties[-1][0]
    top, bottom = depth.at(np.array([first, last]))
    if bottom - top < step:  # there may be none, which is refused
        return
    grid = depth.grid(first, last)
    np.testing.assert_allclose(grid / step, np.rint(grid / step), atol=1e-6)
    assert grid[0] >= top - 1e-5
    assert grid[-1] <= bottom + 1e-5
    assert len(grid) >= int((bottom - top) / step)


def test_scales_at_the_edges_and_the_middle():
    x = np.array([0.0, 0.5, 1.0])
    linear = CurveScale(mnemonic="DT", left=140.0, right=40.0)
    log = CurveScale(mnemonic="ILD", left=0.2, right=2000.0, scale="log")
    np.testing.assert_allclose(linear.value(x), [140, 90, 40])
    np.testing.assert_allclose(log.value(x), [0.2, 20, 2000])


def test_the_network_sees_some_paper_around_the_track(scan, calibration):
    """5 % of the track's 200 px above, below and beside it."""
    calibration.write_text(ONE)
    seen = []

    class Watch(SeesInk):
        def forward(self, image, sizes=None):
            seen.append(tuple(image.shape[2:]))
            return super().forward(image)

    digitise(scan, read_calibration(calibration), Watch())
    assert seen == [(201 + 20, 401 + 20)]
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("channels", [0, 3, 4])
def test_a_scan_in_memory_reads_as_its_file_does(scan, calibration, tmp_path, channels):
    """In colour too, and by path; the calibration by its file or as it was read."""
    ink = np.where(scan < 128, 0, 255).astype(np.uint8)
    picture = np.dstack([ink] * 3 + [np.full_like(ink, 255)])[..., :channels] if channels else ink
    write_picture(tmp_path / "scan.png", ink)
    by_path = digitise(str(tmp_path / "scan.png"), str(calibration), SeesInk())
    found = digitise(picture, read_calibration(calibration), SeesInk())
    np.testing.assert_array_equal(found.values, by_path.values)


def test_colours_become_the_grey_levels_that_a_file_of_them_has(rng, tmp_path):
    picture = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "scan.png")
    np.testing.assert_array_equal(to_grey(picture), read_grey(tmp_path / "scan.png"))


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((9, 9)),
        np.zeros((9, 9), np.uint16),
        np.zeros((9, 9), bool),
        np.zeros((9, 9, 2), np.uint8),
        np.zeros((9, 0, 3), np.uint8),
        np.zeros(9, np.uint8),
    ],
    ids=lambda picture: f"{picture.dtype} {picture.shape}",
)
def test_an_array_that_is_no_picture_is_refused(picture):
    with pytest.raises(ImageError, match=r"grey \(h, w\).* got "):
        to_grey(picture)


def test_a_table_has_a_row_per_depth_and_a_column_per_curve_and_confidence(scan, calibration):
    found = digitise(scan, calibration, SeesInk())
    table = found.to_dataframe()
    assert table.index.name == "DEPT_ft"
    assert [*table.columns] == ["GR", "ILD", "GR_confidence", "ILD_confidence"]
    np.testing.assert_array_equal(table.index, found.depth)
    np.testing.assert_array_equal(table["ILD"], found.values[1])
    np.testing.assert_array_equal(table["GR_confidence"], found.confidence[0])


def test_a_calibration_built_in_python_is_the_one_of_its_file(calibration):
    gr = CurveScale(mnemonic="GR", unit="API", left=0, right=150)
    ild = CurveScale(mnemonic="ILD", unit="OHMM", left=2000.0, right=0.2, scale="log")
    tracks = tuple(
        Track(left=20, right=220, top=10, bottom=bottom, curves=(curve,))
        for bottom, curve in ((410, gr), (411, ild))
    )
    depth = Depth(ties=((10.0, 1000.0), (210.0, 1020.0), (410.0, 1030.0)), step=0.5)
    assert Calibration(depth=depth, tracks=tracks) == read_calibration(calibration)

"""The picture of a calibration shows what it says, where it says it."""

import json

import numpy as np
import pytest
from PIL import Image

from veernet.data.raster import read_rgb, to_depth_down, to_depth_right, write_picture
from veernet.digitisation import Calibration, CurveScale, Depth, Track, propose, read_calibration
from veernet.digitisation.chart import LONGEST, draw_calibration
from veernet.digitisation.track import Axis

BLUE, GREEN, RED = (0, 90, 220), (0, 160, 60), (220, 0, 40)


def page(*, colour=False):
    """A track ruled every 20 px, every fifth line thick, and in colour a red and a blue pen."""
    grey = np.full((700, 500), 240, np.uint8)
    for number, row in enumerate(range(40, 661, 20)):
        grey[row : row + (3 if number % 5 == 0 else 1), 100:401] = 60
    for x in np.linspace(100, 400, 11).round().astype(int):
        grey[40:661, x] = 60
    grey[:, 99:102] = grey[:, 399:402] = np.where(np.arange(700)[:, None] // 620 == 1, 240, 60)
    rgb = np.repeat(grey[..., None], 3, axis=2)
    rgb[60:640, 180:183], rgb[60:640, 310:313] = (200, 20, 20), (20, 40, 190)
    return rgb if colour else grey


def calibration(axis: Axis = "down", shape=(700, 500)):
    curve = CurveScale(mnemonic="GR", unit="API", left=0, right=150)
    depth = Depth(ties=((40, 1000), (640, 1060)), step=1)
    track = Track(curves=(curve,), left=100, right=400, top=40, bottom=640)
    if axis == "right":
        track = Track(curves=(curve,), left=40, right=640, top=99, bottom=399)
    return Calibration(depth=depth, tracks=(track,), depth_axis=axis, size=shape[::-1])


def near(picture, y, x, colour):
    part = picture[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3].astype(int)
    return (np.abs(part - colour).max(-1) < 30).any()


@pytest.mark.parametrize("axis", ["down", "right"])
def test_box_lines_and_ties_stand_where_the_calibration_has_them(axis):
    upright = page()
    scan = upright if axis == "down" else to_depth_right(upright)
    picture = draw_calibration(scan, calibration(axis, scan.shape), propose(upright))
    turned = picture if axis == "down" else to_depth_down(picture)
    assert turned.shape == (*upright.shape, 3)
    for row, column in ((330, 100), (330, 400), (40, 250), (640, 250)):
        assert near(turned, row, column, BLUE) or near(turned, row, column, RED)
    assert near(turned, 40, 93, RED)
    assert near(turned, 640, 93, RED)
    thick = sum(
        (np.abs(turned[row - 2 : row + 5, 331].astype(int) - GREEN).max(-1) < 9).sum()
        for row in (140, 240)
    )
    thin = sum(
        (np.abs(turned[row - 2 : row + 5, 331].astype(int) - GREEN).max(-1) < 9).sum()
        for row in (160, 260)
    )
    assert thick >= 3 * thin > 0


def test_a_very_long_scan_is_drawn_small_enough_to_open():
    grey = np.full((40_000, 120), 240, np.uint8)
    track = Track(left=20, right=100, top=0, bottom=39_999, curves=calibration().curves)
    made = Calibration(depth=Depth(ties=((0, 0), (39_999, 4000)), step=1), tracks=(track,))
    picture = draw_calibration(grey, made)
    assert picture.shape == (LONGEST, 48, 3)
    assert near(picture, 8000, 8, BLUE)


@pytest.mark.parametrize("axis", ["down", "right"])
def test_the_picture_is_written_beside_the_file_and_drawn_again_for_one_that_exists(
    tmp_path, veernet, axis, capsys
):
    scan, out = tmp_path / "s.png", tmp_path / "c.toml"
    write_picture(scan, page() if axis == "down" else to_depth_right(page()))
    words = ["calibrate", scan, "--axis", axis, "--out", out, "--tie", 40, 1000, "--line", 2]
    assert veernet(*words, "--curve", "1:GR:API:0:150") == 0
    first = np.array(Image.open(tmp_path / "c.png"))
    show = ["calibrate", scan, "--show", out]
    assert veernet(*show) == 2
    assert "c.png: exists" in capsys.readouterr().err
    assert veernet(*show, "--overlay", tmp_path / "again.png") == 0
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "again.png")), first)
    assert veernet(*show, "--split", 250, "--overlay", tmp_path / "none.png") == 2
    assert not (tmp_path / "none.png").exists()


def test_what_was_found_is_drawn_before_anything_is_known_of_it(tmp_path, veernet):
    write_picture(tmp_path / "s.png", page())
    words = ["calibrate", tmp_path / "s.png", "--out", tmp_path / "c.toml"]
    assert veernet(*words, "--overlay", tmp_path / "found.png") == 0
    assert near(np.array(Image.open(tmp_path / "found.png")), 330, 100, BLUE)
    assert not (tmp_path / "c.toml").exists()
    assert veernet(*words, "--overlay", tmp_path / "found.jpg") == 2


@pytest.mark.parametrize("axis", ["down", "right"])
def test_a_track_is_split_and_joined_where_its_reader_says(tmp_path, veernet, axis, capsys):
    write_picture(tmp_path / "s.png", page() if axis == "down" else to_depth_right(page()))
    words = ["calibrate", tmp_path / "s.png", "--axis", axis, "--out", tmp_path / "c.toml"]
    pixel = 250 if axis == "down" else 499 - 250
    assert veernet(*words, "--split", pixel, "--json") == 0
    tracks = json.loads(capsys.readouterr().out)["tracks"]
    assert len(tracks) == 2
    assert tracks[0]["right"] == tracks[1]["left"]
    assert tracks[0]["right"] == pytest.approx(pixel, abs=1)
    assert veernet(*words, "--split", 5) == 2
    assert veernet(*words, "--join", 1) == 2


def test_the_inks_of_a_colour_scan_are_in_the_file_and_in_the_json(tmp_path, veernet, capsys):
    write_picture(tmp_path / "s.png", page(colour=True))
    out = tmp_path / "c.toml"
    words = ["calibrate", tmp_path / "s.png", "--out", out, "--tie", 40, 1000, "--line", 2]
    assert veernet(*words, "--curve", "1:GR:API:0:150", "--json") == 0
    inks = json.loads(capsys.readouterr().out)["tracks"][0]["inks"]
    assert {ink["colour"] for ink in inks} == {"#3c3c3c", "#c81414", "#1428be"}
    assert "# inks of track 1: #3c3c3c " in out.read_text()
    assert read_calibration(out).curves[0].mnemonic == "GR"


def test_a_grey_scan_and_a_palette_are_told_apart(tmp_path):
    write_picture(tmp_path / "grey.png", page())
    assert read_rgb(tmp_path / "grey.png") is None
    Image.fromarray(page(colour=True)).quantize(8).save(tmp_path / "few.png")
    found = read_rgb(tmp_path / "few.png")
    assert found is not None
    assert found.shape == (700, 500, 3)

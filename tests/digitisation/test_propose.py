"""Tracks and depth lines are found where they were printed."""

import math
import sys
import tomllib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from veernet.cli.calibrate import Calibrate
from veernet.cli.main import main
from veernet.data.raster import to_depth_right, write_picture
from veernet.digitisation import CurveScale, cut_strip, propose, read_calibration
from veernet.digitisation.calibrate import calibrate
from veernet.digitisation.calibration import calibration_of
from veernet.errors import CalibrationError, OptionError


def page(rng, spacing, edges, rows=1900, width=620, log=False):
    """Two tracks with grids and curves, a depth column with ticks, and grain."""
    grey = np.full((rows, width), 235, np.uint8)
    lines = np.rint(np.arange(30, rows - 20, spacing)).astype(int)
    for left, right in edges:
        for number, row in enumerate(lines):
            grey[row : row + (3 if number % 5 == 0 else 1), left : right + 1] = 40
        places = np.log10(np.arange(1, 11)) if log else np.linspace(0, 1, 11)
        for place in places:
            x = round(left + place * (right - left))
            grey[lines[0] : lines[-1] + 1, x] = 60
        curve = left + (right - left) * (0.5 + 0.4 * np.sin(np.arange(rows) / rng.uniform(20, 60)))
        grey[np.arange(rows), np.rint(curve).astype(int)] = 20
    grey[lines[::5], edges[0][1] + 30 : edges[0][1] + 60] = 30  # depths
    return (grey + rng.integers(-15, 16, grey.shape)).clip(0, 255).astype(np.uint8), lines


@settings(max_examples=25)
@given(
    st.floats(12, 45),
    st.integers(0, 30),
    st.integers(150, 250),
    st.integers(80, 120),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_edges_are_found_within_two_pixels_and_spacing_within_half_a_percent(
    spacing, left, first, column, log, seed
):
    rng = np.random.default_rng(seed)
    edges = [(left, left + first), (left + first + column, left + first + column + 200)]
    grey, lines = page(rng, spacing, edges, log=log)
    found = propose(grey)
    assert len(found.tracks) == 2
    np.testing.assert_allclose(found.tracks, edges, atol=2)
    assert found.spacing == pytest.approx(spacing, rel=0.005)
    near = np.abs(found.lines[:, None] - lines).min(1)
    assert (near <= 1.05).all()  # the middle of a line of three pixels
    assert found.thick.sum() == pytest.approx(len(lines) / 5, abs=2)


def ruled(*, thin=1, thick=3, edges=((30, 230), (330, 530)), rows=1900, width=620):
    """Two tracks ruled every 20 px, every fifth line thicker."""
    grey = np.full((rows, width), 235, np.uint8)
    for left, right in edges:
        for number, row in enumerate(range(30, rows - 20, 20)):
            grey[row : row + (thin if number % 5 else thick), left : right + 1] = 40
        for place in np.linspace(left, right, 11).round().astype(int):
            grey[30 : rows - 20, place] = 60
    return grey


@pytest.mark.parametrize(
    ("thin", "thick", "heavy"), [(1, 2, True), (3, 4, False), (3, 5, True), (5, 7, False)]
)
def test_a_line_is_heavy_from_four_tenths_thicker_than_most_on(thin, thick, heavy):
    found = propose(ruled(thin=thin, thick=thick))
    np.testing.assert_array_equal(found.thick, heavy & (np.arange(len(found.lines)) % 5 == 0))


@pytest.mark.parametrize("n", [24, 25])
def test_a_track_goes_on_where_up_to_two_dozen_columns_of_its_lines_are_worn(n):
    grey = ruled()
    grey[:, 132 : 132 + n] = 235
    found = propose(grey).tracks
    if n == 24:
        np.testing.assert_allclose(found, [(30, 230), (330, 530)], atol=1)
    else:
        np.testing.assert_allclose(found, [(30, 130), (157, 230), (330, 530)], atol=1)


@pytest.mark.parametrize("gap", [4, 5])
def test_two_tracks_with_edges_of_their_own_are_two_from_five_pixels_apart_on(gap):
    found = propose(ruled(edges=((30, 230), (230 + gap + 1, 530)))).tracks
    there = [(30, 230), (230 + gap + 1, 530)] if gap == 5 else [(30, 530)]
    np.testing.assert_allclose(found, there, atol=1)


@pytest.mark.parametrize("seed", range(12))
def test_a_scan_that_is_askew_is_looked_at_turned_back(seed):
    """The corners of both tracks are found on the scan as it is, and the rows of the depth lines
    where they cross the left edge of the first one. (Of 60 other pages one was 0.2 degrees off.)"""
    rng = np.random.default_rng(seed)
    spacing, degrees = rng.uniform(14, 45), rng.uniform(0.3, 2.5) * rng.choice([-1, 1])
    edges = [(30, 230), (330, 530)]
    grey, lines = page(np.random.default_rng(seed), spacing, edges, rows=3400)
    turn = cv2.getRotationMatrix2D((0, 0), -degrees, 1)
    turn[:, 2] += 160, 40
    skewed = cv2.warpAffine(grey, turn, (960, 3560), borderValue=235)
    found = propose(skewed)
    assert math.degrees(found.skew) == pytest.approx(degrees, abs=0.06)
    assert found.spacing == pytest.approx(spacing, rel=0.005)
    assert len(found.tracks) == 2
    (x, _), (far, _) = found.to_scan(0, 0), found.to_scan(0, 1000)
    assert x == 0
    assert far == pytest.approx(-1000 * math.sin(math.radians(degrees)), abs=1.1)
    for (left, right), there in zip(edges, found.tracks, strict=True):
        for column, edge in ((left, there[0]), (right, there[1])):
            for row in (lines[0], lines[-1]):
                x, y = turn @ [column, row, 1]
                back_x = x * math.cos(found.skew) + y * math.sin(found.skew)
                assert edge == pytest.approx(back_x, abs=2)
    crossing = np.array([turn @ [edges[0][0], line, 1] for line in lines])[:, 1]
    near = np.abs(found.line_rows()[:, None] - crossing).min(1)
    assert (near <= 1.5).mean() > 0.98


def test_on_a_terminal_it_asks_for_what_it_cannot_know(rng, tmp_path, monkeypatch):
    """What is of no use, or a curve of a name that is there already, is asked for again."""
    grey, lines = page(rng, 20.0, [(30, 230), (330, 530)])
    write_picture(tmp_path / "scan.png", grey)
    curves = ["GR:API:0:150:wraps", "GR API", "gr:MV:0:1", "", "DT:US/FT:140:40", ""]
    ties = [f"{lines[40]} 180", "here 100", f"{lines[0]} 100", ""]
    answers = iter([*curves, *ties])
    monkeypatch.setattr("builtins.input", lambda *_: next(answers))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    out = tmp_path / "c.toml"
    Calibrate(scan=tmp_path / "scan.png", out=out).run(Console(force_terminal=True))
    found = read_calibration(out)
    assert [(c.mnemonic, c.left, c.right) for c in found.curves] == [
        ("GR", 0, 150),
        ("DT", 140, 40),
    ]
    np.testing.assert_allclose(found.depth.ties, [(lines[0], 100), (lines[40], 180)], atol=1.05)
    assert next(answers, None) is None


def test_the_last_word_of_a_curve_is_the_style_in_which_it_is_drawn(rng, tmp_path, veernet, capsys):
    grey, lines = page(rng, 20.0, [(30, 230), (330, 530)])
    write_picture(tmp_path / "scan.png", grey)
    ties = "--tie", lines[0], "100", "--line", "2"
    words = "calibrate", tmp_path / "scan.png", "--out", tmp_path / "c.toml", *ties
    curves = ["1:GR:API:0:150", "2:ILD:OHMM:0.2:20:log:dash-dot", "1:SP:MV:-80:20:solid"]
    for wrong, word in (
        (":dashes", "'dashes' is none of log, wraps, solid, dashed"),
        (":1:2", "1 and 2"),
    ):
        assert veernet(*words, "--curve", curves[0] + wrong) == 2
        assert word in capsys.readouterr().err
    assert not (tmp_path / "c.toml").exists()
    assert veernet(*words, "--curve", *curves, "1:CALI:IN:6:16:2", "2:SN:OHMM:0:20:1") == 0
    found = {c.mnemonic: c for c in read_calibration(tmp_path / "c.toml").curves}
    assert [(name, c.style, c.curve_class, c.kind) for name, c in found.items()] == [
        ("GR", None, None, None),
        ("SP", "solid", None, "solid"),
        ("CALI", None, 2, "broken"),
        ("ILD", "dash-dot", None, "broken"),
        ("SN", None, 1, "solid"),
    ]
    assert found["ILD"].scale == "log"


@pytest.mark.parametrize("kind", ["blank", "noise", "a photograph"])
def test_a_page_without_lines_is_refused(rng, kind):
    y, x = np.mgrid[:900, :700]
    pages = {
        "blank": np.full((900, 700), 240),
        "noise": rng.integers(0, 256, (900, 700)),
        "a photograph": 127 + 120 * np.sin(x / 90) * np.cos(y / 130),
    }
    with pytest.raises(CalibrationError, match="no evenly spaced depth lines"):
        propose(pages[kind].astype(np.uint8))


@pytest.mark.parametrize("askew", [False, True])
@pytest.mark.parametrize("axis", ["down", "right"])
def test_a_calibration_is_written_that_cuts_the_tracks_out(rng, tmp_path, monkeypatch, axis, askew):
    upright, lines = page(rng, 20.0, [(30, 230), (330, 530)])
    if askew:
        turn = cv2.getRotationMatrix2D((30, 0), -1.2, 1)
        turn[:, 2] += 50, 10
        upright = cv2.warpAffine(upright, turn, (720, 1960), borderValue=235)
        lines = np.array([turn @ [30, line, 1] for line in lines])[:, 1]
    scan = upright if axis == "down" else to_depth_right(upright)
    write_picture(tmp_path / "scan.png", scan)
    monkeypatch.chdir(tmp_path)
    words = ["calibrate", "scan.png", "--axis", axis, "--unit", "m", "--step", "0.1"]
    curves = ["--curve", "2:ILD:OHMM:0.2:200:log:2", "1:GR:API:0:150:wraps"]

    def run(*more):
        monkeypatch.setattr(sys, "argv", ["veernet", *words, *more])
        main()

    run()
    assert not (tmp_path / "calibration.toml").exists()
    with pytest.raises(SystemExit):
        run(*curves)  # no depths
    run(*curves, "--tie", str(round(lines[5]) + 3), "100", "--line", "2")
    found = read_calibration(tmp_path / "calibration.toml")
    depths = found.depth.at(lines[[5, 55]].astype(float))
    np.testing.assert_allclose(depths, [100, 200], atol=0.2)
    assert [bool(track.corners) for track in found.tracks] == [askew, askew]
    assert [curve.mnemonic for curve in found.curves] == ["GR", "ILD"]
    assert (found.curves[0].wraps, found.curves[1].scale, found.curves[1].curve_class) == (
        True,
        "log",
        2,
    )
    for track, (left, right) in zip(found.tracks, [(30, 230), (330, 530)], strict=True):
        strip = cut_strip(scan, found, track)
        assert strip.height == pytest.approx(right - left, abs=2)
        edge = strip.grey[strip.bottom, strip.first : strip.last]
        near = strip.grey[strip.bottom - 2 : strip.bottom + 3, strip.first : strip.last].min(0)
        assert ((near if askew else edge) < 190).mean() > 0.9
    with pytest.raises(SystemExit):
        run(*curves, "--tie", "130", "100", "330", "120")  # the file exists
    before = (tmp_path / "calibration.toml").read_bytes()
    for curve in ('1:G"R:API:0:150', "1:GR:API:5:5", "1:G R:API:0:150"):
        with pytest.raises(SystemExit):
            run("--curve", curve, "--tie", "130", "100", "330", "120", "--overwrite")
    assert (tmp_path / "calibration.toml").read_bytes() == before
    with pytest.raises(SystemExit):
        run("--curve", "3:SP:MV:0:1", "--tie", "130", "100", "330", "120", "--overwrite")
    for tie in (
        ["nan", "1"],
        ["130", "inf"],
        [str((lines[3] + lines[4]) / 2), "100"],
    ):  # on no line
        with pytest.raises(SystemExit):
            run("--curve", "1:SP:MV:0:1", "--tie", *tie, "--line", "2", "--overwrite")
    assert (tmp_path / "calibration.toml").read_bytes() == before
    run("--curve", "2:SP:MV:0:1", "--tie", "330", "120", "130", "100", "--overwrite")
    assert len(read_calibration(tmp_path / "calibration.toml").tracks) == 1


def test_the_page_that_was_calibrated_is_named_in_the_file(rng, tmp_path, veernet):
    upright, _ = page(rng, 20.0, [(30, 230)])
    cover = Image.new("L", (50, 40), 255)
    cover.save(tmp_path / "s.tif", save_all=True, append_images=[Image.fromarray(upright)])
    out, message = tmp_path / "c.toml", ("--curve", "1:GR:API:0:150", "--tie", 130, 100, 330, 120)
    assert veernet("calibrate", tmp_path / "s.tif", "--page", 2, "--out", out, *message) == 0
    assert out.read_text().startswith("# Calibration of 's.tif', page 2.")
    assert read_calibration(out).size == upright.shape[::-1]
    assert veernet("calibrate", tmp_path / "s.tif", "--page", 3, "--out", out, *message) == 2


def test_what_calibrate_lacks_to_write_a_file_is_told(rng, tmp_path, capsys, veernet):
    upright, _ = page(rng, 20.0, [(30, 230)])
    write_picture(tmp_path / "s.png", upright)
    out = tmp_path / "c.toml"
    assert veernet("calibrate", tmp_path / "s.png", "--out", out) == 0
    assert f"veernet: {out} was not written: say what the tracks hold" in capsys.readouterr().err
    assert not out.exists()
    words = ("--curve", "1:GR:API:0:150", "--tie", 130, 100, 330, 120)
    assert veernet("calibrate", tmp_path / "s.png", "--out", out, *words) == 0
    found = read_calibration(out)
    first, last = found.depth.at(np.array([found.tracks[0].top, found.tracks[0].bottom], float))
    assert f"{first:.1f} to {last:.1f} ft; if the log goes on" in capsys.readouterr().out


def test_lines_are_counted_where_the_paper_has_stretched(rng):
    """By 1 % over a part of it, below a rule of a header that is off the grid, and where the file
    has a curve in the second track alone."""
    gaps = np.where(np.arange(240) % 100 < 40, 20.2, 20.0)
    rows = np.rint(200 + np.cumsum(gaps)).astype(int)
    grey = np.full((5200, 620), 235, np.uint8)
    for left, right in ((30, 230), (330, 530)):
        for row in [91, *rows]:
            grey[row, left : right + 1] = 40
        for x in np.linspace(left, right, 11).round().astype(int):
            grey[91 : rows[-1] + 1, x] = 60
    found = propose(grey)
    row = float(rows[100])
    curves = [(2, CurveScale(mnemonic="A", left=0, right=1))]
    calibration = calibrate(found, grey.shape, curves, [(row + 2, 300.0)], line=2.0)
    depths = calibration.depth.at(rows.astype(float))
    np.testing.assert_allclose(depths, 300 + 2 * (np.arange(240) - 100), atol=0.15)
    assert calibration.tracks[0].top == pytest.approx(rows[0], abs=1)


def test_a_skewed_track_that_leaves_the_scan_ends_at_the_last_line_on_it(rng, tmp_path):
    grey, _ = page(rng, 20.0, [(6, 230), (330, 530)], rows=2000, width=560)
    turn = cv2.getRotationMatrix2D((280, 1000), -1.5, 1)
    skewed = cv2.warpAffine(grey, turn, (560, 2000), borderValue=235)
    found = propose(skewed)
    curves = [(n, CurveScale(mnemonic=name, left=0, right=1)) for n, name in ((1, "A"), (2, "B"))]
    calibration = calibrate(found, skewed.shape, curves, [(30.0, 1.0), (1900.0, 2.0)])
    text = calibration.to_toml(about="of a scan")
    assert calibration_of(tomllib.loads(text), where="s") == calibration
    for track in calibration.tracks:
        strip = cut_strip(skewed, calibration, track)
        assert strip.last - strip.first > 1000


def test_where_no_curve_is_told_nothing_else_is_asked(rng, tmp_path, monkeypatch):
    grey, _ = page(rng, 20.0, [(30, 230), (330, 530)])
    write_picture(tmp_path / "scan.png", grey)
    answers = iter(["", ""])
    monkeypatch.setattr("builtins.input", lambda *_: next(answers))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    with pytest.raises(OptionError, match="no curve was told; nothing was written"):
        Calibrate(scan=tmp_path / "scan.png").run(Console(force_terminal=True))


def test_where_the_answers_end_nothing_is_written(rng, tmp_path, monkeypatch):
    grey, _ = page(rng, 20.0, [(30, 230), (330, 530)])
    write_picture(tmp_path / "scan.png", grey)
    answers = iter(["GR:API:0:150"])

    def answer(*_):
        try:
            return next(answers)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    out = tmp_path / "c.toml"
    with pytest.raises(OptionError, match="ended before the last"):
        Calibrate(scan=tmp_path / "scan.png", out=out).run(Console(force_terminal=True))
    assert not out.exists()


def test_a_track_that_leaves_the_scan_is_no_fault_of_the_numbers_given(rng):
    """It is told apart from numbers that make no calibration."""
    grey, _ = page(rng, 20.0, [(30, 230)], rows=1200, width=560)
    found, curve = propose(grey), CurveScale(mnemonic="A", left=0, right=1)
    ties = [(200.0, 1.0), (900.0, 2.0)]
    with pytest.raises(OptionError, match="leaves the scan"):
        calibrate(found, (1200, 100), [(1, curve)], ties)
    with pytest.raises(CalibrationError, match="step must be > 0"):
        calibrate(found, grey.shape, [(1, curve)], ties, step=0.0)

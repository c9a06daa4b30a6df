"""Tracks and depth lines are found where they were printed."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veernet.cli import main
from veernet.data.raster import lay_on_side, write_picture
from veernet.digitise import cut_strip, propose, read_calibration
from veernet.errors import CalibrationError


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
    assert (near <= 1).all()
    assert found.heavy.sum() == pytest.approx(len(lines) / 5, abs=2)


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


@pytest.mark.parametrize("axis", ["down", "right"])
def test_a_calibration_is_written_that_cuts_the_tracks_out(rng, tmp_path, monkeypatch, axis):
    upright, lines = page(rng, 20.0, [(30, 230), (330, 530)])
    scan = upright if axis == "down" else lay_on_side(upright)
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
    run(*curves, "--tie", str(lines[5] + 3), "100", "--line", "2")
    found = read_calibration(tmp_path / "calibration.toml")
    expected = 100 + (np.array([lines[5], lines[55]]) - lines[5]) / 20 * 2
    np.testing.assert_allclose(found.depth.at(lines[[5, 55]].astype(float)), expected, atol=0.2)
    assert [curve.mnemonic for curve in found.curves] == ["GR", "ILD"]
    assert (found.curves[0].wraps, found.curves[1].scale, found.curves[1].trace) == (True, "log", 2)
    for track, (left, right) in zip(found.track, [(30, 230), (330, 530)], strict=True):
        strip = cut_strip(scan, found, track)
        assert strip.height == pytest.approx(right - left, abs=2)
        edge = strip.grey[strip.bottom, strip.first : strip.last]
        assert (edge < 128).mean() > 0.9
    with pytest.raises(SystemExit):
        run(*curves, "--tie", "130", "100", "330", "120")  # the file exists
    before = (tmp_path / "calibration.toml").read_bytes()
    for curve in ('1:G"R:API:0:150', "1:GR:API:5:5", "1:G R:API:0:150"):
        with pytest.raises(SystemExit):
            run("--curve", curve, "--tie", "130", "100", "330", "120", "--overwrite")
    assert (tmp_path / "calibration.toml").read_bytes() == before
    with pytest.raises(SystemExit):
        run("--curve", "3:SP:MV:0:1", "--tie", "130", "100", "330", "120", "--overwrite")

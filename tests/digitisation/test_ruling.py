"""Depth lines are told from what else is drawn across the page, and tracks from one another."""

from pathlib import Path

import numpy as np
import pytest

from veernet.data.raster import read_grey, to_depth_down, to_depth_right
from veernet.digitisation import CurveScale, propose
from veernet.digitisation.calibrate import calibrate
from veernet.digitisation.inks import find_inks
from veernet.digitisation.remarks import remarks_on

ROOT = Path(__file__).parents[2]
SCANS = [
    path
    for folder in (ROOT / "shared/data", ROOT.parent / "shared/data")
    for path in (folder / "heinen").glob("*.tif")
]

A_CURVE = CurveScale(mnemonic="GR", left=0, right=150)


def ruled(rows, edges, *, height=1900, width=900, divisions=(), dark=60, middle=1):
    """Tracks with the given depth lines, ten divisions unless others or a logarithmic grid ("log")
    are given, edges of three pixels, and a middle line of another width."""
    grey = np.full((height, width), 235, np.uint8)
    first, last = rows[0], rows[-1] + 1
    for (left, right), n in zip(edges, divisions or [10] * len(edges), strict=True):
        for row in rows:
            grey[row, left : right + 1] = dark
        places = np.log10(np.arange(1, 101)) / 2 if n == "log" else np.linspace(0, 1, n + 1)
        if n == "log":
            places = (
                np.concatenate([np.log10(np.arange(1, 11)), 1 + np.log10(np.arange(1, 11))]) / 2
            )
        for place in places:
            x = round(left + place * (right - left))
            wide = 1 if place in (0, 1) else (middle - 1) // 2 if abs(place - 0.5) < 1e-9 else 0
            grey[first:last, max(0, x - wide) : x + wide + 1] = 40
    return grey


def rows_of(spacing, first=60, last=1840):
    return np.rint(np.arange(first, last, spacing)).astype(int)


@pytest.mark.parametrize("axis", ["down", "right"])
def test_two_tracks_that_share_an_edge_are_two_whichever_way_the_scan_lies(axis):
    upright = ruled(rows_of(20.3), [(20, 270), (333, 583), (583, 833)])
    scan = upright if axis == "down" else to_depth_right(upright)
    found = propose(scan if axis == "down" else to_depth_down(scan))
    np.testing.assert_allclose(found.tracks, [(20, 270), (333, 583), (583, 833)], atol=1)
    curves = [(n, CurveScale(mnemonic=f"C{n}", left=0, right=1)) for n in (2, 3)]
    made = calibrate(found, scan.shape, curves, [(float(found.lines[5]), 100.0)], line=2, axis=axis)
    sides = [t.read(axis)[:2, 1] for t in made.tracks]
    off = 0 if axis == "down" else -(upright.shape[1] - 1)
    np.testing.assert_allclose(np.array(sides) - off, [(333, 583), (583, 833)], atol=1)
    depths = made.depth.at(rows_of(20.3).astype(float))
    np.testing.assert_allclose(depths, 100 + 2 * (np.arange(len(depths)) - 5), atol=0.1)


def test_a_linear_track_beside_a_logarithmic_one_is_told_by_its_grid():
    edges = [(30, 330), (330, 700)]
    found = propose(ruled(rows_of(20.3), edges, divisions=[8, "log"]))
    np.testing.assert_allclose(found.tracks, edges, atol=1)


@pytest.mark.parametrize("divisions", [4, 8, 10, "log"])
def test_a_heavy_line_in_the_middle_of_a_track_is_no_edge(divisions):
    grey = ruled(rows_of(20.3), [(30, 430)], divisions=[divisions], middle=3)
    grey[60:1840, 229:232] = 40
    np.testing.assert_allclose(propose(grey).tracks, [(30, 430)], atol=1)


def test_a_track_of_double_width_is_one_where_the_header_above_is_one():
    """Its grid is that of two tracks; the scale above goes over both."""
    rows = rows_of(20.3, first=500)
    grey = ruled(rows, [(30, 280), (350, 600), (600, 850)])
    two = grey.copy()
    for x in (30, 280, 350, 850):
        grey[380:470, x - 1 : x + 1] = two[380:470, x - 1 : x + 1] = 40
    two[380:470, 599:601] = 40
    np.testing.assert_allclose(propose(grey).tracks, [(30, 280), (350, 850)], atol=1)
    assert len(propose(two).tracks) == 3


def test_counting_goes_on_where_a_line_is_seen_twice():
    """As at a joint of the paper; each is a line of the scan, one is no step of depth."""
    rows = rows_of(20.3)
    grey = ruled(rows, [(30, 330), (430, 730)])
    for row in (rows[40] + 5, rows[60] - 6):
        grey[row, 30:331] = grey[row, 430:731] = 60
    made = calibrate(propose(grey), grey.shape, [(1, A_CURVE)], [(float(rows[3]), 100.0)], line=2)
    np.testing.assert_allclose(
        made.depth.at(rows.astype(float)), 94 + 2 * np.arange(len(rows)), atol=0.15
    )
    assert made.tracks[0].bottom == pytest.approx(rows[-1], abs=1)


@pytest.mark.parametrize(("above", "below"), [(7, 8), (11, 5), (14, 13)])
def test_frame_and_header_rule_are_no_depth_lines(above, below):
    rows = rows_of(20.3, first=200)
    grey = ruled(rows, [(30, 330), (430, 730)])
    frame = (rows[0] - above, rows[-1] + below)
    for left, right in ((30, 330), (430, 730)):
        for row in (*frame, frame[0] - 95):
            grey[row - 2 : row + 3, left : right + 1] = 30
        for x in (left, right):
            grey[frame[0] - 95 : frame[1], x - 1 : x + 2] = 30
    found = propose(grey)
    np.testing.assert_allclose(found.lines, rows, atol=0.6)
    assert not found.thick.any()


def test_faint_lines_beside_heavy_ones_are_lines():
    """Every fifth is black, the others a tenth as dark, in grain of a third of that."""
    rows = rows_of(15.0)
    grey = ruled(rows, [(30, 330)], dark=212).astype(int)
    grey[rows[::5], 30:331] = 30
    grain = np.random.default_rng(4).normal(0, 7, grey.shape)
    found = propose((grey + grain).clip(0, 255).astype(np.uint8))
    assert found.spacing == pytest.approx(15.0, rel=1e-3)
    assert len(found.lines) == len(rows)
    np.testing.assert_array_equal(found.thick, np.arange(len(rows)) % 5 == 0)


def test_parts_at_two_depth_scales_are_two_sections():
    """Also where one scale is twice the other: neither is counted through into the other."""
    first, second = rows_of(20.0, last=1000), rows_of(10.0, first=1247)
    grey = ruled(first, [(30, 330)])
    grey[first[-1] + 1 :] = ruled(second, [(30, 330)])[first[-1] + 1 :]
    found = propose(grey)
    lines = [found.lines[one] for one in found.sections()]
    assert [len(one) for one in lines] == [len(first), len(second)]
    np.testing.assert_allclose(np.concatenate(lines), [*first, *second], atol=0.6)


def test_edges_are_found_on_paper_that_sways_in_the_feed():
    """By more than the space between two tracks; the edges are those of most rows."""
    grey = ruled(rows_of(20.3, last=3900), [(60, 330), (340, 700)], height=4000)
    sway = np.rint(12 * np.sin(np.arange(4000) / 400)).astype(int)
    swaying = np.array([np.roll(row, shift) for row, shift in zip(grey, sway, strict=True)])
    middle = np.median(sway[60:3900])
    there = np.array([(60, 330), (340, 700)]) + middle
    np.testing.assert_allclose(propose(swaying).tracks, there, atol=2)


def test_what_is_missing_is_said_with_its_pixels():
    rows = rows_of(20.0)
    grey = ruled(rows, [(30, 330), (430, 730)])
    grey[rows[20] - 2 : rows[21] + 3] = grey[rows[20] - 5]
    words = " ".join(remarks_on(propose(grey), lambda column: column))
    assert f"2 depth lines were not found: 2 from {rows[19]} to {rows[22]} px" in words
    assert "no depth column was found" in words


def test_uneven_spacing_is_said_with_its_pixels():
    gaps = np.full(120, 20.0)
    gaps[40:80] = 21.0
    rows = np.rint(60 + np.cumsum(gaps)).astype(int)
    grey = ruled(rows, [(30, 330)], height=2700)
    (words,) = [one for one in remarks_on(propose(grey), abs) if "evenly" in one]
    assert f"21.00 px apart from {rows[40]} to {rows[60]} px" in words


def test_a_space_with_a_curve_and_no_depth_lines_is_named():
    grey = ruled(rows_of(20.0), [(30, 330)])
    y = np.arange(60, 1840)
    x = np.rint(500 + 60 * np.sin(y / 30)).astype(int)
    for wide in range(3):
        grey[y, x + wide] = 40
    found = propose(grey)
    assert found.unruled == ((331, 899),)
    words = remarks_on(found, lambda column: 899 - column)
    assert any(
        "from 0 to 568 px across there is print all along, and no depth lines" in w for w in words
    )


def test_numbers_between_tracks_make_the_depth_column():
    rows = rows_of(20.0)
    grey = ruled(rows, [(30, 330), (430, 730)])
    for row in rows[::5]:
        grey[row - 8 : row + 8, 360:400] = 30
    found = propose(grey)
    assert found.depth_column == pytest.approx((331, 429), abs=2)
    assert not [words for words in remarks_on(found, abs) if "depth column" in words]


def test_the_inks_of_a_track_are_told_however_thin_the_pens():
    """A pixel half covered by a pen has that pen's hue, at half its distance from the paper."""
    rgb = np.full((900, 300, 3), 240.0)
    rgb[::20] = 90
    for x, colour, share in (
        (60, (200, 30, 30), 1.0),
        (150, (20, 60, 200), 1.0),
        (240, (20, 60, 200), 0.6),
    ):
        rgb[:, x : x + 3] += share * (np.array(colour) - rgb[:, x : x + 3])
    grain = np.random.default_rng(1).normal(0, 4, rgb.shape)
    found = find_inks((rgb + grain).clip(0, 255).astype(np.uint8))
    assert len(found) == 3
    assert {ink.name for ink in found} >= {"dimgray", "firebrick"}
    levels = [[int(ink.colour[at : at + 2], 16) for at in (1, 3, 5)] for ink in found]
    for colour in ((90, 90, 90), (200, 30, 30), (20, 60, 200)):
        assert np.abs(np.array(levels) - colour).max(1).min() < 12
    assert sum(ink.share for ink in found) == pytest.approx(1, abs=0.02)


def test_a_white_track_has_no_inks():
    assert find_inks(np.full((100, 100, 3), 240, np.uint8)) == ()


@pytest.mark.skipif(not SCANS, reason="no scan of a well beside the project")
def test_a_real_scan_has_two_tracks_and_a_repeat():
    """Track 2 has the grid of two, the scale above it goes over both: DT from 140 to 40."""
    found = propose(read_grey(SCANS[0]))
    np.testing.assert_allclose(found.tracks, [(0, 500), (665, 1663)], atol=2)
    for section in found.sections():
        rows, steps = found.lines[section], found.steps[section]
        np.testing.assert_array_equal(steps, np.arange(len(rows)))
        assert rows[-1] - rows[0] == pytest.approx(20.3 * steps[-1], rel=1e-3)
    assert len(found.sections()) == 2
    lines = (found.lines[found.sections()[0]] - 38) / 20.3  # one every 2 ft, from 246 ft on
    np.testing.assert_allclose(lines, 123 + np.arange(len(lines)), atol=0.45)
    assert found.depth_column == pytest.approx((500, 664), abs=2)

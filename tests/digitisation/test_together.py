"""Curves of one track are read by name: each its own, or it is said that it cannot be told."""

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from veernet import Calibration, CurveScale, Depth, Track, VeerNet, VeerNetConfig, digitise
from veernet.digitisation.doubts import doubts_of
from veernet.digitisation.identity import pieces_of
from veernet.errors import OptionError

HEIGHT, WIDTH, MARGIN = 300, 900, 30
INK = {"black": (0, 0, 0), "red": (200, 20, 20), "blue": (20, 30, 200)}


class SeesDark(VeerNet):
    """Calls dark pixels a solid curve."""

    def __init__(self):
        super().__init__(VeerNetConfig(out_channels=3, channels=(2, 4), num_heads=1))

    def forward(self, image, sizes=None):
        solid = 40 * (image - 0.55)
        return torch.cat([0 * solid, solid, 0 * solid - 40], 1)


@pytest.fixture(scope="module")
def network():
    return SeesDark().eval()


def courses(seed, *, gap=0.0):
    """Two smooth courses that cross, or keep apart by `gap` of the track."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, WIDTH)
    swing = 0.12 * np.sin(2 * np.pi * (2 * x + rng.uniform()))
    slope = rng.choice([-1, 1]) * 0.4 * (x - rng.uniform(0.35, 0.65))
    if gap:
        return 0.5 + gap / 2 + swing / 3, 0.5 - gap / 2 - swing / 4
    return 0.5 + slope + swing / 3, 0.5 - slope + swing / 5


def page(places, inks=("black", "black"), *, pens=(2, 2), dashes=(None, None)):
    paper = np.full((HEIGHT + 1 + 2 * MARGIN, WIDTH, 3), 255, np.uint8)
    paper[MARGIN : MARGIN + HEIGHT + 1 : 60] = 200
    for place, ink, pen, dash in zip(places, inks, pens, dashes, strict=True):
        rows = MARGIN + HEIGHT * (1 - place)
        points = np.rint(16 * np.stack([np.arange(WIDTH), rows], 1)).astype(np.int32)
        drawn = np.ones(WIDTH, bool) if dash is None else np.arange(WIDTH) % sum(dash) < dash[0]
        for part in np.split(points, np.flatnonzero(np.diff(drawn.astype(int))) + 1):
            if drawn[part[0, 0] // 16]:
                cv2.polylines(paper, [part], False, INK[ink], pen, cv2.LINE_AA, shift=4)
    return paper


def calibration(*hints):
    curves = tuple(
        CurveScale(mnemonic=f"C{k}", left=0, right=1, **hint) for k, hint in enumerate(hints)
    )
    track = Track(left=0, right=WIDTH - 1, top=MARGIN, bottom=MARGIN + HEIGHT, curves=curves)
    depth = Depth(ties=((0, 0), (WIDTH - 1, WIDTH - 1)), step=1)
    return Calibration(depth=depth, tracks=(track,), depth_axis="right")


def off(found, places):
    """Share of the depths of each curve that are off by more than 2 % of the track."""
    return [(np.abs(v - p) > 0.02).mean() for v, p in zip(found.values, places, strict=True)]


def read(paper, network, *hints):
    return digitise(paper, calibration(*hints), network, scale=1.0)


@settings(max_examples=6)
@given(st.integers(0, 10**6))
def test_two_curves_in_two_colours_are_told_apart_where_they_cross(seed):
    places = courses(seed)
    hints = {"style": "solid", "colour": "red"}, {"style": "solid", "colour": "#1020c8"}
    found = read(page(places, ("red", "blue")), SeesDark().eval(), *hints)
    assert max(off(found, places)) < 0.02
    swapped = read(page(places, ("red", "blue")), SeesDark().eval(), *hints[::-1])
    np.testing.assert_allclose(swapped.values[::-1], found.values, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_one_point_of_a_curve_tells_two_of_a_look_apart(seed, network):
    places = courses(seed, gap=0.3)
    at = 100 + 200 * seed
    for k in (0, 1):
        hints: list[dict[str, Any]] = [{"style": "solid"}, {"style": "solid"}]
        hints[k]["points"] = ((float(at), float(places[k][at])),)
        found = read(page(places), network, *hints)
        assert max(off(found, places)) < 0.02
        assert not any(one.twins for one in found.readings)


def test_a_heavy_and_a_thin_curve_are_told_apart_where_they_cross(network):
    places = courses(3)
    hints = {"style": "solid", "weight": "heavy"}, {"style": "solid", "weight": "thin"}
    found = read(page(places, pens=(5, 1)), network, *hints)
    assert max(off(found, places)) < 0.03


def test_two_curves_that_nothing_tells_apart_are_both_read_and_named_in_doubt(network, tmp_path):
    """Two columns of their own, at a confidence of one half at most, and the LAS file says why."""
    places = courses(5, gap=0.25)
    found = read(page(places), network, {"style": "solid"}, {"style": "solid"})
    either = off(found, places), off(found, places[::-1])
    assert min(max(one) for one in either) < 0.02
    assert [one.twins for one in found.readings] == [("C1",), ("C0",)]
    assert (found.confidence <= 0.5).all()
    found.to_las(tmp_path / "c.las")
    text = (tmp_path / "c.las").read_text()
    assert "C0 and C1: nothing in the calibration tells one from the other" in text
    assert "C0 is in doubt, nothing tells it from another curve: " in text


def test_a_dashed_curve_that_runs_under_a_solid_one_keeps_its_place_there(network):
    """It has the other's value, and is said to be covered."""
    x = np.linspace(0, 1, WIDTH)
    solid = 0.5 + 0.1 * np.sin(8 * x)
    dashed = solid - 0.2 * np.clip(np.abs(x - 0.5) / 0.1 - 1, 0, 1)
    paper = page((solid, dashed), dashes=(None, (12, 7)))
    found = read(paper, network, {"style": "solid"}, {"style": "dashed"})
    assert max(off(found, (solid, dashed))) < 0.03
    under = np.abs(x - 0.5) < 0.07
    assert np.isfinite(found.values[1][under]).all()
    assert found.confidence[1][under].max() < found.confidence[0][under].min()
    whys = [one.why for one in found.readings[1].doubts if one.first < WIDTH / 2 < one.last]
    assert whys == ["covered by another curve"]


@settings(max_examples=4)
@given(st.integers(0, 1000), st.sampled_from([(0, 10), (10, 30), (30, 80)]))
def test_a_larger_gap_never_reads_less(seed, gaps):
    rng = np.random.default_rng(seed)
    places = courses(seed, gap=0.3)
    paper = page(places)
    for at in rng.integers(50, WIDTH - 50, 6):
        paper[:, at : at + rng.integers(5, 60)] = 255
    reads = []
    for gap in gaps:
        one = calibration({"style": "solid"}, {"style": "dashed"})
        depth = Depth(ties=one.depth.ties, step=1, max_gap=float(gap))
        one = Calibration(depth=depth, tracks=one.tracks, depth_axis="right")
        found = digitise(paper, one, SeesDark().eval(), scale=1.0)
        reads.append(np.isfinite(found.values))
    assert (reads[1] | ~reads[0]).all()


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_a_reading_at_another_scale_has_the_rows_of_the_scan(scale, network):
    places = courses(8, gap=0.3)
    paper = page(places, pens=(3, 3))
    one = calibration({"style": "solid"}, {"style": "solid", "points": ((450.0, places[1][450]),)})
    found = digitise(paper, one, network, scale=scale)
    assert {one.scale for one in found.readings} == {scale}
    error = np.abs(found.values - places)
    assert np.nanmean(error) * HEIGHT < 1.2 / scale
    assert np.isfinite(error).mean() > 0.98


@pytest.mark.parametrize("scale", [0.0, -1.0, 11.0, float("nan")])
def test_a_scale_that_makes_no_picture_is_refused(scale, network):
    with pytest.raises(OptionError, match=r"scale is above 0 and at most 10.*got"):
        digitise(page(courses(1)), calibration({"style": "solid"}), network, scale=scale)


def test_paths_are_cut_where_they_touch_or_both_have_left():
    a, b = np.full(40, 10), np.full(40, 30)
    b[10:15], a[30:], b[30:] = 12, -1, -1
    assert pieces_of(a, b, 100, 4.0) == [(0, 10), (15, 30)]


def test_doubts_are_told_from_where_to_where_and_why():
    """Short breaks do not cut a stretch; what is shorter than three columns is not told."""
    doubtful, reasons = np.zeros(200, bool), np.full(200, 6)
    doubtful[20:30] = doubtful[40:60] = doubtful[100:102] = True
    reasons[40:60] = 3
    (found,) = doubts_of(np.arange(200) / 2, doubtful, reasons)
    assert (found.first, found.last, found.why) == (10.0, 29.5, "covered by another curve")

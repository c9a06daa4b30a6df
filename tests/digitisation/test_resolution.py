"""A track is read at the size at which its pens are those that the network knows."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from veernet.data.raster import read_grey
from veernet.digitisation import Calibration, CurveScale, Depth, Strip, Track, cut_strip
from veernet.digitisation.calibration import read_calibration
from veernet.digitisation.pen_width import pen_width
from veernet.digitisation.resolution import (
    SCALES,
    Rescaled,
    reading_scale,
    resample,
    rescaled,
)

ROOT = Path(__file__).parents[2]
SCANS = [
    path
    for folder in (ROOT / "shared/data", ROOT.parent / "shared/data")
    for path in (folder / "heinen").glob("*.tif")
]
FINE = 4
"""Drawings are made this many times as large, and reduced, so that their pens have any width."""


def drawn(seed, *, dpi=200, pen=0.01, inches=2.5, per_ft=0.05, grid=True, more=lambda paper: None):
    """Strip of a track whose curve wanders: 10 divisions, a depth line every tenth of an inch."""
    rng = np.random.default_rng(seed)
    height = round(inches * dpi)
    length = round(dpi * rng.uniform(5, 8))
    paper = np.full((FINE * (height + 1), FINE * (length + 1)), 255, np.uint8)
    if grid:
        for x in np.arange(0, length + 1, 0.1 * dpi):
            cv2.line(paper, (round(FINE * x), 0), (round(FINE * x), len(paper)), 110, FINE)
        for y in np.linspace(0, height, 11):
            cv2.line(paper, (0, round(FINE * y)), (paper.shape[1], round(FINE * y)), 110, FINE)
    more(paper)
    x = np.arange(0, length + 1, dpi / 20)
    y = height * (0.5 + 0.42 * np.sin(np.cumsum(rng.normal(0, 0.35, len(x)))))
    points = np.rint(FINE * np.stack([x, y], 1)).astype(np.int32)
    cv2.polylines(paper, [points], False, 0, round(FINE * pen * dpi))
    grey = cv2.resize(paper, (length + 1, height + 1), interpolation=cv2.INTER_AREA)
    return strip_of(grey), calibration(height, length, per_px=1 / (per_ft * dpi))


def strip_of(grey):
    h, w = grey.shape
    return Strip(grey=grey, top=0, bottom=h - 1, first=0, last=w - 1, span=(0.0, w - 1.0))


def calibration(height, length, *, per_px):
    curve = CurveScale(mnemonic="GR", left=0, right=150)
    return Calibration(
        depth=Depth(ties=((0, 1000), (length, 1000 + length * per_px)), step=0.5),
        tracks=(Track(left=0, right=height, top=0, bottom=length, curves=(curve,)),),
    )


def at_scale(strip, made, scale):
    """The same track, scanned at another resolution, and its calibration."""
    grey = resample(strip.grey, scale)
    (_, depth), (last, deepest) = made.depth.ties
    return strip_of(grey), replace(
        made, depth=replace(made.depth, ties=((0, depth), (last * scale, deepest)))
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("dpi", "factor"), [(75, 2), (100, 1.5), (150, 1), (200, 1), (300, 2 / 3), (400, 0.5)]
)
def test_the_scale_undoes_the_resolution_of_the_scan(seed, dpi, factor):
    strip, made = drawn(seed, dpi=600)
    assert reading_scale(strip, made) == pytest.approx(1 / 3)
    assert reading_scale(*at_scale(strip, made, dpi / 600)) == pytest.approx(factor, rel=0.15)


@pytest.mark.parametrize(
    ("inches", "per_ft"), [(5.0, 0.05), (2.0, 0.05), (3.75, 0.05), (2.5, 0.02), (2.5, 0.01)]
)
def test_a_wide_track_or_another_scale_of_depth_is_no_other_resolution(inches, per_ft):
    assert reading_scale(*drawn(5, inches=inches, per_ft=per_ft)) == 1


def framed(paper):
    cv2.rectangle(paper, (0, 0), (paper.shape[1] - 1, len(paper) - 1), 0, 12 * FINE)


def hatched(paper):
    for x in range(-len(paper), paper.shape[1], 14 * FINE):
        cv2.line(paper, (x, len(paper)), (x + len(paper) // 2, len(paper) // 2), 0, FINE)


def ruled_heavily(paper):
    for x in range(0, paper.shape[1], 100 * FINE):
        cv2.line(paper, (x, 0), (x, len(paper)), 0, 5 * FINE)


def specked(paper):
    rng = np.random.default_rng(1)
    for x, y in rng.integers(0, paper.shape[::-1], (4_000, 2)):
        paper[y : y + 2 * FINE, x : x + 2 * FINE] = 0


def shaded(paper):
    paper[len(paper) // 2 :] = np.minimum(paper[len(paper) // 2 :], 190)


@pytest.mark.parametrize("more", [framed, hatched, ruled_heavily, specked, shaded])
@pytest.mark.parametrize(("dpi", "scale"), [(200, 1), (400, 0.5)])
def test_what_else_is_printed_changes_nothing(more, dpi, scale):
    assert reading_scale(*drawn(3, dpi=dpi, more=more)) == scale
    found = reading_scale(*drawn(3, dpi=dpi, per_ft=0.031, more=more))  # no customary scale
    assert abs(np.log(found / scale)) <= np.log(1.51)


@pytest.mark.parametrize("dpi", [180, 200, 250])
def test_heavy_pens_are_shown_smaller(dpi):
    strip, made = drawn(7, dpi=dpi, pen=9 / dpi)
    assert pen_width(strip) == pytest.approx(9, rel=0.25)
    assert reading_scale(strip, made) * 9 < 6.1


def test_a_drawing_of_no_customary_lengths_is_left_as_it_is():
    for seed in range(4):
        assert reading_scale(*drawn(seed, inches=1.55, per_ft=0.143, pen=0.011, grid=False)) == 1


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (47, 30)])
def test_a_track_too_small_to_tell_is_left_as_it_is(size):
    h, w = size
    paper = np.full((h + 1, w + 1), 255, np.uint8)
    assert reading_scale(strip_of(paper), calibration(h, w, per_px=0.1)) == 1


@pytest.mark.parametrize("width", [1.0, 1.7, 3.3, 6.4])
@pytest.mark.parametrize("slope", [0.3, -0.8, 3.0])
def test_the_width_of_a_pen_does_not_depend_on_its_slope(width, slope):
    """Zigzag of strokes whose width is exact: pixels hold the share of them that is inked."""
    h, w, fine = 260, 520, 8
    y, x = (np.mgrid[: h * fine, : w * fine] + 0.5) / fine
    period = min(2 * 200 / abs(slope), 400)
    middle = 130 + abs(slope) * (abs((x % period) - period / 2) - period / 4)
    ink = abs(y - middle) < 0.5 * width * np.hypot(1, slope)
    grey = 255 - 255 * ink.reshape(h, fine, w, fine).mean((1, 3))
    strip = strip_of(np.rint(grey).astype(np.uint8))
    assert pen_width(strip) == pytest.approx(width, rel=0.1, abs=0.32)
    blurred = cv2.GaussianBlur(strip.grey, (0, 0), 0.25 * width)
    assert pen_width(strip_of(blurred)) == pytest.approx(width, rel=0.2, abs=0.32)


def test_no_stroke_has_no_width():
    strip, _ = drawn(0, pen=0)
    paper = strip_of(np.full_like(strip.grey, 255))
    assert np.isnan(pen_width(paper))


@pytest.mark.parametrize("scale", [1 / 3, 0.4, 0.75, 1.0, 1.5, 3.0])
def test_places_go_to_the_copy_and_back(scale):
    """A blob's centre of mass lies on the copy where the mapping says, whatever the rounding."""
    rng = np.random.default_rng(2)
    for _ in range(5):
        h, w = rng.integers(90, 140, 2).tolist()
        middle = rng.uniform(40, 50, 2)
        y, x = np.mgrid[:h, :w]
        blob = np.exp(-0.5 * ((y - middle[0]) ** 2 + (x - middle[1]) ** 2) / 5**2)
        copy = resample(np.rint(200 * blob).astype(np.uint8), scale).astype(float)
        moved = rescaled((h, w), scale)
        assert moved.copy == copy.shape
        for axis, at in enumerate(np.indices(copy.shape)):
            centre = float((copy * at).sum() / copy.sum())
            there = moved.to_copy(middle[axis : axis + 1], axis)
            assert centre == pytest.approx(float(there[0]), abs=0.03)
            np.testing.assert_allclose(moved.from_copy(there, axis), middle[axis], rtol=1e-12)


def test_the_outer_edges_of_pixels_stay_the_outer_edges():
    moved = Rescaled(shape=(100, 7), copy=(33, 21))
    np.testing.assert_allclose(moved.to_copy(np.array([-0.5, 99.5]), 0), [-0.5, 32.5])
    np.testing.assert_allclose(moved.to_copy(np.array([-0.5, 0.0, 6.5]), 1), [-0.5, 1.0, 20.5])


def test_colours_are_resampled_channel_by_channel():
    rgb = np.random.default_rng(4).integers(0, 256, (61, 43, 3), dtype=np.uint8)
    for scale in SCALES:
        copy = resample(rgb, scale)
        assert copy.dtype == np.uint8
        for channel in range(3):
            alone = resample(np.ascontiguousarray(rgb[..., channel]), scale)
            off = abs(copy[..., channel].astype(int) - alone)
            assert off.max() <= 1  # OpenCV may round them differently


@pytest.mark.skipif(not SCANS, reason="the real scan is not here")
@pytest.mark.parametrize(
    ("size", "scales"),
    [(0.5, (1.5, 2)), (0.75, (1, 1.5)), (1, (1,)), (1.5, (2 / 3, 0.75)), (2, (0.5,))],
)
def test_a_real_log_at_any_size(size, scales):
    whole = read_calibration(ROOT / "benchmarks/heinen.toml")
    scan = read_grey(SCANS[0])[3000:6000]
    moved = rescaled(scan.shape, size)
    ends = np.rint(moved.to_copy(np.array([83.0, 2990.0]), 0)).astype(int).tolist()
    for track in whole.tracks:
        sides = moved.to_copy(np.array([track.left, track.right], float), 1)
        left, right = np.rint(sides.clip(0)).astype(int).tolist()
        there = replace(track, left=left, right=right, top=ends[0], bottom=ends[1])
        ties = tuple(((y - 2999.5) * size - 0.5, depth) for y, depth in whole.depth.ties)
        made = replace(whole, size=None, tracks=(there,), depth=replace(whole.depth, ties=ties))
        found = reading_scale(cut_strip(resample(scan, size), made, there), made)
        assert found in scales

"""A track that is scanned at another resolution is read as well: the pen is the unit of length."""

import cv2
import numpy as np
import pytest

from veernet import Calibration, CurveScale, Depth, Track, digitise

INCHES, FEET = 2.5, 100


def scanned(dpi, seed):
    """A track at 5 inches per 100 ft in a heavy frame: a solid and a dashed curve that cross."""
    h, w, margin = round(INCHES * dpi), round(5 * FEET / 100 * dpi), round(0.2 * dpi)
    rng = np.random.default_rng(seed)
    x = np.arange(w)
    slow = np.sin(2 * np.pi * (x / w * rng.uniform(1.5, 2.5) + rng.uniform()))
    places = 0.5 + 0.25 * slow, 0.45 - 0.2 * slow + 0.05 * np.sin(40 * x / w)
    pen, paper = max(1, round(0.011 * dpi)), np.full((h + 1 + 2 * margin, w), 250, np.uint8)
    for k in range(11):
        cv2.line(paper, (0, y := margin + k * h // 10), (w, y), 150, max(1, dpi // 200))
    for at in np.arange(0, w, 0.1 * dpi):
        cv2.line(paper, (round(at), margin), (round(at), margin + h), 150, max(1, dpi // 200))
    for place, dash in zip(places, (0.0, 0.07), strict=True):
        points = np.rint(16 * np.stack([x, margin + h * (1 - place)], 1)).astype(np.int32)
        along = np.cumsum(np.hypot(1, np.diff(points[:, 1], prepend=points[0, 1]) / 16)) / dpi
        drawn = (along % (1.5 * dash) < dash) if dash else np.ones(w, bool)
        for part in np.split(points, np.flatnonzero(np.diff(drawn.astype(int))) + 1):
            if drawn[part[0, 0] // 16]:
                cv2.polylines(paper, [part], False, 0, pen, cv2.LINE_AA, shift=4)
    for edge in (margin, margin + h):
        paper[edge - pen : edge + pen] = 0
    track = Track(
        left=0,
        right=w - 1,
        top=margin,
        bottom=margin + h,
        curves=(
            CurveScale(mnemonic="RHOB", left=2.0, right=3.0, style="solid"),
            CurveScale(mnemonic="NPHI", left=45.0, right=-15.0, style="dashed"),
        ),
    )
    depth = Depth(ties=((0, 1000), (w - 1, 1000 + FEET)), step=0.5)
    return paper, Calibration(depth=depth, tracks=(track,), depth_axis="right"), places


@pytest.mark.parametrize("dpi", [100, 200, 400, 600])
def test_curves_are_read_at_any_resolution_and_the_frame_is_none(dpi):
    paper, calibration, places = scanned(dpi, 4)
    found = digitise(paper, calibration)
    columns = (found.depth - 1000) / FEET * (len(places[0]) - 1)
    for curve, values, place in zip(calibration.curves, found.values, places, strict=True):
        error = np.abs(
            curve.position(values, found.depth) - np.interp(columns, range(len(place)), place)
        )
        assert np.isfinite(error).mean() > 0.95
        assert (error[np.isfinite(error)] > 0.02).mean() < 0.03

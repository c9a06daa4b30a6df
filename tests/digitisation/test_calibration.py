"""What a calibration says of a curve is kept as it is said, and what cannot be is refused."""

import math
import tomllib
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veernet.digitisation import Calibration, CurveScale, Depth, Track
from veernet.digitisation.calibration import calibration_of
from veernet.digitisation.edges import ScaleChange
from veernet.digitisation.result import decimals
from veernet.digitisation.track import Style, Weight
from veernet.errors import CalibrationError

GR = CurveScale(mnemonic="GR", left=0, right=150)
ILD = CurveScale(mnemonic="ILD", left=0.2, right=200, scale="log")


def calibrated(*curves):
    track = Track(left=0, right=500, top=0, bottom=900, curves=curves)
    return Calibration(depth=Depth(ties=((0, 1000), (900, 1090)), step=0.5), tracks=(track,))


@st.composite
def hints(draw):
    """Draw what may be said of a curve together, with positions in place of values."""
    style = draw(st.none() | st.sampled_from(get_args(Style)))
    laps = draw(st.none() | st.integers(0, 10))
    said = {
        "style": style,
        "curve_class": draw(st.sampled_from([None, 3, 1 if style in (None, "solid") else 2])),
        "weight": draw(st.none() | st.sampled_from(get_args(Weight))),
        "colour": draw(st.sampled_from(["", "#0000c8", "red", "rgb(1, 2, 3)", "#abc"])),
        "laps": laps,
        "wraps": draw(st.booleans()) if laps is None else laps > 0,
        "unit": draw(st.sampled_from(["", "API", "µs/ft"])),
        "description": draw(st.sampled_from(["", 'a "deep" one \\'])),
    }
    depths = draw(st.lists(st.floats(-1e9, 1e9), unique=True, max_size=5))
    places = draw(st.lists(st.floats(0, 1), min_size=len(depths), max_size=len(depths)))
    changes = draw(st.lists(st.floats(-1e9, 1e9), unique=True, max_size=3).map(sorted))
    return draw(st.booleans()), draw(st.booleans()), changes, said, depths, places


def hinted(log, backup, changes, said, depths, places):
    curve = replace(ILD if log else GR, **said)
    if backup and curve.laps != 0:
        curve = replace(curve, backup=(200, 2e4) if log else (150, 450))
    later = [
        ScaleChange(depth=d, left=150 + n, right=n, scale="linear") for n, d in enumerate(changes)
    ]
    curve = replace(curve, changes=tuple(later))
    up, down = (min(laps, 2) for laps in curve.laps_up_down)  # within the numbers that there are
    values = curve.value((1 + up + down) * np.array(places) - down, np.array(depths))
    return replace(curve, points=tuple(zip(depths, values.tolist(), strict=True)))


@given(hints(), hints())
def test_a_calibration_is_read_back_as_it_was_written(one, other):
    made = calibrated(hinted(*one), replace(hinted(*other), mnemonic="X"))
    assert calibration_of(tomllib.loads(made.to_toml()), where="c") == made


def test_only_what_was_said_is_written():
    assert GR.to_toml()[2:] == ['mnemonic = "GR"', "left = 0.0", "right = 150.0"]
    blue = replace(GR, style="long-dash", colour="#0000c8", weight="heavy", laps=1)
    assert blue.to_toml()[5:] == [
        'style = "long-dash"',
        'weight = "heavy"',
        'colour = "#0000c8"',
        "wraps = true",
        "laps = 1",
    ]


@pytest.mark.parametrize(
    ("style", "number", "kind", "mask"),
    [
        (None, None, None, 1),
        (None, 1, "solid", 1),
        (None, 2, "broken", 2),
        (None, 3, None, 3),
        ("solid", None, "solid", 1),
        ("solid", 1, "solid", 1),
        ("dotted", None, "broken", 2),
        ("long-dash", 2, "broken", 2),
        ("dashed", 5, "broken", 5),
    ],
)
def test_a_curve_is_solid_or_broken_by_its_style_or_else_by_its_class(style, number, kind, mask):
    curve = replace(GR, style=style, curve_class=number)
    assert (curve.kind, curve.mask_class) == (kind, mask)


@pytest.mark.parametrize(
    ("colour", "rgb"),
    [
        ("#0000c8", (0, 0, 200)),
        ("#f80", (255, 136, 0)),
        ("Red", (255, 0, 0)),
        ("#102030ff", (16, 32, 48)),
        ("", None),
    ],
)
def test_a_colour_is_a_number_or_a_name(colour, rgb):
    assert replace(GR, colour=colour).rgb == rgb


@pytest.mark.parametrize(
    "colour", ["bluish", "#0000c880", "rgb(300,0,0)", "#ff", "red\n", "x" * 200]
)
def test_another_colour_is_refused_with_what_is_taken(colour):
    with pytest.raises(CalibrationError, match=r'colour of GR must be one like "#0000c8"'):
        replace(GR, colour=colour)


def test_a_curve_goes_round_as_often_as_is_said():
    assert GR.laps_up_down == (0, 0)
    assert replace(GR, wraps=True).laps_up_down == (2, 1)
    three = replace(GR, laps=3)
    assert (three.wraps, three.laps_up_down) == (True, (3, 3))
    assert not replace(GR, laps=0).wraps
    with pytest.raises(CalibrationError, match=r"GR has wraps = true and laps = 0"):
        replace(GR, wraps=True, laps=0)
    for laps in (-1, 11):
        with pytest.raises(CalibrationError, match=f"laps of GR must be from 0 to 10, got {laps}"):
            replace(GR, laps=laps)


def test_a_style_and_a_class_that_contradict_each_other_are_refused():
    for style, number in (("solid", 2), ("dotted", 1)):
        with pytest.raises(CalibrationError, match=f'GR has style = "{style}" and .* = {number}'):
            replace(GR, style=style, curve_class=number)


@pytest.mark.parametrize(
    ("curve", "points", "said"),
    [
        (GR, [(1000, 40), (1000, 50)], "points of GR need different depths"),
        (GR, [(1000, 40), (1010, 151)], "point of GR at depth 1010 has the value 151"),
        (GR, [(1000, math.nan)], "points of GR reach from"),
        (GR, [(math.inf, 1)], "points of GR reach from"),
        (GR, [(d, 40) for d in range(10_001)], "at most 10,000, got 10,001"),
        (ILD, [(1000, -1)], "has no place between 0.2 and 200"),
        (replace(GR, laps=1), [(1000, 301)], "nor 1 laps beyond the right edge and 1 beyond the"),
        (replace(GR, wraps=True), [(1000, -151)], "nor 2 laps beyond the right edge and 1 beyond"),
    ],
)
def test_a_point_has_a_place_on_its_scale(curve, points, said):
    with pytest.raises(CalibrationError, match=said):
        replace(curve, points=tuple((float(d), float(v)) for d, v in points))


def test_points_on_the_edges_and_on_the_last_lap_are_taken():
    for curve, values in (
        (GR, (0, 150)),
        (ILD, (0.2, 200)),
        (replace(GR, laps=1), (-150, 300)),
        (replace(GR, wraps=True), (-150, 450)),
    ):
        points = tuple((1000.0 - n, float(value)) for n, value in enumerate(values))
        assert replace(curve, points=points).points == points


def test_a_track_has_up_to_eight_curves_of_any_styles():
    curves = [replace(GR, mnemonic=f"C{n}") for n in range(9)]
    assert len(calibrated(*curves[:8]).curves) == 8
    with pytest.raises(CalibrationError, match="at most 8 curves of one track can be read, got 9"):
        calibrated(*curves)
    one = calibrated(*curves[:4])
    halves = [replace(one.tracks[0], curves=tuple(part)) for part in (curves[:4], curves[4:])]
    with pytest.raises(CalibrationError, match="at most 8 curves of one track can be read, got 9"):
        replace(one, tracks=tuple(halves))


CHANGED = replace(
    GR,
    changes=(
        ScaleChange(depth=1010, left=100, right=0),
        ScaleChange(depth=1020, left=1, right=100, scale="log"),
        ScaleChange(depth=1030, left=10, right=1000),
    ),
)


def test_from_the_depth_of_a_change_on_the_edges_have_other_values():
    """Its scale stays what it was: the last change is logarithmic too."""
    depth = np.array([990, 1009.9, 1010, 1019, 1020, 1029.9, 1030, 1e6])
    there = np.array([0.2, 0.2, 0.2, 1, 0.5, 0.5, 0.5, 0.25])
    values = CHANGED.value(there, depth)
    np.testing.assert_allclose(values, [30, 30, 80, 0, 10, 10, 100, 10 * 100**0.25])
    np.testing.assert_allclose(CHANGED.position(values, depth), there)
    assert not CHANGED.logarithmic
    for of in (CHANGED.value, CHANGED.position):
        with pytest.raises(CalibrationError, match="the scale of GR changes: give the depths too"):
            of(there)


def test_a_point_is_on_the_scale_of_its_depth():
    assert replace(CHANGED, points=((1005.0, 120.0), (1030.0, 900.0))).points
    with pytest.raises(
        CalibrationError, match="at depth 1015 has the value 120.* between 100 and 0"
    ):
        replace(CHANGED, points=((1015.0, 120.0),))


def test_changes_that_do_not_go_down_the_log_or_make_no_scale_are_refused():
    first, second = CHANGED.changes[:2]
    for changes in ((second, first), (first, first)):
        with pytest.raises(CalibrationError, match="changes of GR go from the shallowest to the"):
            replace(GR, changes=changes)
    wrong = replace(second, left=0)
    with pytest.raises(CalibrationError, match="change of GR at depth 1020: a log scale needs"):
        replace(GR, changes=(first, wrong))
    with pytest.raises(CalibrationError, match="the depth of a change is from"):
        replace(first, depth=math.nan)


@pytest.mark.parametrize(
    ("curve", "backup", "expected"),
    [
        (GR, (150, 300), [-300, -150, -75, 0, 75, 150, 225, 300, 450]),
        (GR, (150, 450), [-600, -300, -150, 0, 75, 150, 300, 450, 750]),
        (GR, (-300, 0), [-600, -300, -150, 0, 75, 150, 300, 450, 750]),
        (replace(GR, left=140, right=40), (240, 140), [340, 240, 190, 140, 90, 40, -10, -60, -160]),
    ],
)
def test_laps_are_as_long_as_the_backup_scale_on_both_sides(curve, backup, expected):
    """A backup scale of the scale's own length is how values go on without one."""
    there, curve = np.array([-2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3]), replace(curve, backup=backup)
    np.testing.assert_allclose(curve.value(there), expected)
    np.testing.assert_allclose(curve.position(curve.value(there)), there, atol=1e-12)
    assert curve.wraps


def test_a_logarithmic_lap_has_as_many_decades_as_its_backup_scale():
    curve = replace(ILD, backup=(200, 2000))
    there = np.array([-1, 0, 0.5, 1, 1.5, 2, 3])
    values = [0.02, 0.2, 0.2 * 1000**0.5, 200, 200 * 10**0.5, 2000, 20000]
    np.testing.assert_allclose(curve.value(there), values)
    np.testing.assert_allclose(curve.position(np.array(values)), there, atol=1e-12)


@pytest.mark.parametrize("backup", [(0, 500), (160, 310), (150, 0), (150, 150), (300, 150)])
def test_a_backup_scale_that_does_not_go_on_is_refused(backup):
    with pytest.raises(CalibrationError, match=r"as 150 to 300 does after|two different values"):
        replace(GR, backup=backup)
    with pytest.raises(CalibrationError, match="GR has a backup scale and laps = 0"):
        replace(GR, backup=(150, 300), laps=0)


def test_numbers_have_the_digits_that_the_finest_of_all_scales_needs():
    assert decimals(calibrated(GR)) == 5
    fine = ScaleChange(depth=1, left=1e-4, right=1, scale="log")
    assert decimals(calibrated(replace(GR, changes=(fine,)))) == 8
    assert decimals(calibrated(replace(GR, backup=(150, 150.001)))) == 7

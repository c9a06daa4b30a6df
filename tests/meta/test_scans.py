"""The tracks of benchmarks/curves.py have the truth on their ink, and its measures are right."""

import numpy as np
import pytest
from scans import paper, track, wells
from scans.measures import Reading, auroc, confidence_of, exchanged, pairs
from scans.pens import Pen

from veernet.digitisation.calibration import calibration_of
from veernet.las import LasCurve, write_las

DEPTH = np.arange(1000, 1150.25, 0.5)


def trace(off_scale: wells.OffScale = "leave", position=None) -> wells.Trace:
    wave = 0.5 + 0.35 * np.sin(DEPTH / 7) + 0.1 * np.sin(DEPTH / 1.3)
    return wells.Trace(
        mnemonic="GR",
        unit="API",
        left=0.0,
        right=150.0,
        scale="linear",
        off_scale=off_scale,
        depth=DEPTH,
        position=wave if position is None else position,
    )


def ink_at(image, corners, position, depth):
    """Darkness at places across a track and depths, from the corners of the track alone."""
    along = (depth - DEPTH[0]) / (DEPTH[-1] - DEPTH[0])
    left, right, deep_right, deep_left = corners[:, None]
    shallow = left + position[:, None] * (right - left)
    deep = deep_left + position[:, None] * (deep_right - deep_left)
    x, y = np.rint(shallow + along[:, None] * (deep - shallow)).astype(int).T
    return image[y.clip(0, len(image) - 1), x.clip(0, image.shape[1] - 1)].mean(1)


@pytest.mark.parametrize("dpi", [75, 200])
@pytest.mark.parametrize("angle", [0.0, 0.1])
@pytest.mark.parametrize("laps", [1, 3])
def test_truth_of_a_lone_clean_curve_lies_on_its_ink(dpi, angle, laps):
    one = trace("wrap", laps * trace().position)
    box = paper.Box(
        left=20, top=31, width=2.5 * dpi, height=7.5 * dpi, per_ft=dpi / 20, first=1000, dpi=dpi
    )
    pen = Pen(
        style="solid", weight="thin", colour="black", width=0.012 * dpi, dashes=(), round=False
    )
    page = (round(box.right + 30), round(box.bottom + 20))
    middle = np.array(page) / 2 - 0.5
    image = track.render(track.sheet([paper.curve(one, pen, box)], page, (angle, middle)))
    rows = DEPTH[0] + np.arange(1, round(box.height)) / box.per_ft
    position = one.at(rows) % 1
    dark = ink_at(image, track.turned(box, angle, middle), position, rows)
    assert (dark < 200).mean() > 0.99


def test_whole_numbers_are_the_centres_of_pixels():
    line = paper.data(np.array([[10.0, 3.0], [10.0, 17.0]]))
    drawn = f'<path stroke="#000" stroke-width="3" d="{line}"/>'
    image = track.render(track.sheet([drawn], (21, 30), (0.0, np.zeros(2))))
    rows = image[4:16, :, 0]
    assert (rows[:, 9:12] == 0).all()
    assert (np.delete(rows, [9, 10, 11], axis=1) == 255).all()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """One well with every kind of curve, in the place of the test wells."""
    monkeypatch.setattr(wells, "WELLS", ("0",))
    monkeypatch.setattr(track, "DPI", (75,) * len(track.DPI))
    wells.well.cache_clear()
    depth, curves = np.arange(1000, 1600, 0.5), list[LasCurve]()
    for number, kind in enumerate(wells.KINDS.values()):
        left, right = kind.edges[0] if kind.edges else (-100.0, 0.0)
        place = 0.5 + 0.3 * np.sin(depth / (5 + number))
        values = left * (right / left) ** place if kind.scale == "log" else None
        values = left + (right - left) * place if values is None else values
        curves.append(LasCurve(mnemonic=kind.names[0], unit=kind.unit, values=values))
    write_las(tmp_path / "0.las", depth, curves, unit="ft", step=0.5, decimals=4)
    return tmp_path


@pytest.mark.parametrize("number", [0, 3, 8])
def test_a_track_is_a_function_of_seed_and_number_with_a_calibration_that_is_read(folder, number):
    one, same, other = (track.draw(folder, 5, n) for n in (number, number, number + 1))
    np.testing.assert_array_equal(one.image, same.image)
    assert one.table(hints=True) == same.table(hints=True)
    assert one.image.shape != other.image.shape or (one.image != other.image).any()
    for name in (curve.mnemonic for curve in one.traces):
        read = calibration_of(one.table([name], hints=False), where="test")
        assert [curve.mnemonic for curve in read.curves] == [name]


def reading(shift=0.0, sure=1.0, part=1.0, truth=None) -> Reading:
    truth = 0.5 + 0.4 * np.sin(np.arange(400) / 9) if truth is None else truth
    position = np.where(np.arange(400) < 400 * part, truth + shift, np.nan)
    shown = (truth >= 0) & (truth <= 1)
    return Reading(position=position, confidence=np.full(400, sure), truth=truth, shown=shown)


def kinds(one: Reading) -> list[str]:
    return [k for k in ("usable", "honest", "blank", "silently_wrong") if getattr(one, k)]


def test_measures_of_readings_made_by_hand():
    assert kinds(reading()) == ["usable", "honest"]
    assert kinds(reading(shift=3.1 / 500)) == ["usable"]
    assert kinds(reading(part=0.94)) == ["honest"]
    assert kinds(reading(part=0.05)) == ["blank"]
    flat = np.full(400, 0.5) + 0.01 * np.sin(np.arange(400))
    wrong = Reading(**{**vars(reading()), "position": flat + 0.3})
    assert kinds(wrong) == ["silently_wrong"]
    assert kinds(Reading(**{**vars(wrong), "confidence": np.full(400, 0.89)})) == []


def test_exchanged_names_are_found():
    a, b = reading(), reading(truth=0.3 + 0.2 * np.cos(np.arange(400) / 5))
    crossed = [
        Reading(**{**vars(one), "position": other.position}) for one, other in ((a, b), (b, a))
    ]
    assert not any(one.usable for one in crossed)
    assert all(one.usable for one in exchanged(crossed))
    assert all(one.usable for one in exchanged([a, b]))


def test_a_pair_read_as_one_counts_where_the_truths_are_apart():
    a = reading(truth=np.full(400, 0.3))
    b = reading(truth=np.where(np.arange(400) < 100, 0.3, 0.5))
    same = Reading(**{**vars(b), "position": a.position + 0.001})
    lap = Reading(**{**vars(b), "position": a.position + 2})
    assert [(one.apart, one.together) for one in pairs([a, b])] == [(300, 0)]
    assert [(one.apart, one.together) for one in pairs([a, same, lap])][:2] == [(300, 300)] * 2


def test_auroc_of_known_cases():
    right = np.array([True, True, False, False])
    assert auroc(right, np.array([0.9, 0.8, 0.3, 0.1])) == 1
    assert auroc(right, np.array([0.9, 0.2, 0.3, 0.1])) == 0.75
    assert auroc(right, np.full(4, 0.5)) == 0.5
    assert auroc(np.ones(3, bool), np.arange(3.0)) is None


def test_confidence_of_three_right_depths_in_four():
    off = np.where(np.arange(400) % 4 == 0, 0.021, 0.019)
    one = Reading(**{**vars(reading(sure=0.95)), "position": reading().truth + off})
    found = confidence_of([one])
    assert (found["depths"], found["right"], found["wrong_at_0.9"]) == (400, 0.75, 0.25)
    assert found["right_above_0.9"] == 1
    assert found["expected_calibration_error"] == pytest.approx(0.2)
    assert found["reliability"][9] == {
        "from": 0.9,
        "depths": 400,
        "confidence": 0.95,
        "right": 0.75,
    }

"""Curves of one well hang together, drawn or read from LAS files."""

from collections import Counter

import lasio
import numpy as np
import pytest

from veernet.errors import OptionError
from veernet.las import LasCurve
from veernet.las import write_las as write_field_las
from veernet.synth.drawn_wells import draw_well
from veernet.synth.kinship import FAMILIES, MEMBERS, draw_members, draw_scales, member_of
from veernet.synth.wells import (
    Well,
    choose_well,
    courses,
    fitted_scales,
    read_wells,
    take,
    wells_passed_over,
)

STEP = 0.5


@pytest.fixture(scope="module")
def drawn() -> list[Well]:
    return [draw_well(np.random.default_rng([3, seed]), 3000, STEP) for seed in range(12)]


def together(wells: list[Well], *names: str) -> np.ndarray:
    """Values of several members at the depths of all wells where all of them are."""
    rows = np.concatenate([np.stack([w.curves[name] for name in names]) for w in wells], axis=1)
    return rows[:, np.isfinite(rows).all(0)]


def write_las(path, curves: dict[str, np.ndarray], *, step: float = STEP, unit: str = "FT"):
    file = lasio.LASFile()
    n = len(next(iter(curves.values())))
    file.append_curve("DEPT", 1000 + step * np.arange(n), unit=unit)
    for name, values in curves.items():
        file.append_curve(name, values)
    file.write(str(path), version=2.0)


def test_a_well_depends_on_its_seed_alone():
    one, two, other = (draw_well(np.random.default_rng(seed), 700, STEP) for seed in (5, 5, 6))
    for name in MEMBERS:
        np.testing.assert_array_equal(one.curves[name], two.curves[name])
    assert not np.array_equal(one.curves["GR"], other.curves["GR"], equal_nan=True)


@pytest.mark.parametrize(("n", "step"), [(1, 0.5), (2, 2.0), (37, 0.05), (801, 1.0), (4000, 0.1)])
def test_a_well_has_all_members_in_the_length_asked_for(n, step):
    well = draw_well(np.random.default_rng(n), n, step)
    assert {name: len(values) for name, values in well.curves.items()} == dict.fromkeys(MEMBERS, n)
    assert well.depth_ft[-1] - well.depth_ft[0] == pytest.approx((n - 1) * step)


def test_every_value_is_one_that_a_tool_can_give(drawn):
    for well in drawn:
        for name, values in well.curves.items():
            low, high = MEMBERS[name].bounds
            there = values[np.isfinite(values)]
            assert low <= there.min() <= there.max() <= high, name
            assert len(there) >= 0.7 * len(values)


def test_a_curve_is_absent_at_its_ends_only(drawn):
    for well in drawn:
        for values in well.curves.values():
            inside = np.flatnonzero(np.isfinite(values))
            assert len(inside) == inside[-1] - inside[0] + 1


def test_tools_end_at_depths_of_their_own(drawn):
    ends = [
        {int(np.flatnonzero(np.isfinite(w.curves[name]))[-1]) for name in ("GR", "ILD", "NPHI")}
        for w in drawn
    ]
    assert Counter(len(one) for one in ends).keys() == {1, 3}


def test_medium_resistivity_lies_between_deep_and_shallow_at_most_depths(drawn):
    deep, medium, shallow = np.log(together(drawn, "ILD", "ILM", "SFL"))
    apart = np.abs(deep - shallow) > 0.3
    between = (medium - deep) * (medium - shallow) <= 0
    assert between[apart].mean() > 0.7
    assert 0.02 < (~between).mean() < 0.6  # and they cross


def test_density_and_neutron_separate_in_shale(drawn):
    gamma, density, neutron = together(drawn, "GR", "RHOB", "NPHI")
    scales = {name: MEMBERS[name].scales[0] for name in ("RHOB", "NPHI")}
    apart = scales["RHOB"].positions(density) - scales["NPHI"].positions(neutron)
    clean, shale = gamma < 40, gamma > 100
    assert np.median(apart[shale]) > np.median(apart[clean]) + 0.15


def test_porous_rock_is_slow_and_light(drawn):
    porosity, transit, density = together(drawn, "NPHI", "DT", "RHOB")
    assert np.corrcoef(porosity, transit)[0, 1] > 0.6
    assert np.corrcoef(porosity, density)[0, 1] < -0.2


def test_washouts_are_corrected_in_density(drawn):
    caliper, bit, correction = together(drawn, "CALI", "BS", "DRHO")
    washed = caliper - bit > 1.5
    assert correction[washed].mean() > correction[~washed].mean() + 0.02


def test_deep_induction_sees_less_detail_than_the_shallow_tool(drawn):
    deep, shallow = np.log(together(drawn, "ILD", "SFL"))
    assert np.abs(np.diff(deep)).mean() < 0.6 * np.abs(np.diff(shallow)).mean()


def test_bit_size_is_a_straight_line(drawn):
    assert all(np.nanstd(well.curves["BS"]) == 0 for well in drawn)


@pytest.mark.parametrize(
    ("alias", "mnemonic"),
    [("RILD", "ILD"), ("dcal", "CALI"), ("RHOZ", "RHOB"), ("PEFZ", "PE"), ("MN", "MNOR")],
)
def test_aliases_of_several_vendors_name_one_member(alias, mnemonic):
    found = member_of(alias)
    assert found
    assert found.mnemonic == mnemonic
    assert member_of("NOSUCH") is None


@pytest.mark.parametrize("name", MEMBERS)
def test_scales_have_the_left_edge_at_0_and_go_round(name):
    for scale in MEMBERS[name].scales:
        ends = np.array([scale.left, scale.right]) / scale.factor
        np.testing.assert_allclose(scale.positions(ends), [0, 1], atol=1e-12)
        there = np.array([0.1, 0.7, 1.2])
        np.testing.assert_allclose(scale.positions(scale.values(there)), there)


def test_scales_of_a_group_go_together():
    rng, ohm = np.random.default_rng(0), set[object]()
    for _ in range(40):
        scales = draw_scales(rng, ("ILD", "ILM", "SFL"))
        assert len({*scales.values()}) == 1
        ohm |= {*scales.values()}
        porosity = draw_scales(rng, ("RHOB", "NPHI"))
        limestone = porosity["RHOB"].positions(np.array([2.71])) - porosity["NPHI"].positions(
            np.array([0.0])
        )
        assert abs(limestone[0]) < 0.07
    assert len(ohm) > 3


def test_a_track_shows_members_that_the_well_has():
    rng = np.random.default_rng(1)
    seen = {draw_members(rng, FAMILIES["resistivity"], ("SFL", "GR", "ILD")) for _ in range(50)}
    assert seen == {("ILD",), ("ILD", "SFL")}


def test_a_track_shows_density_or_the_porosity_computed_from_it():
    rng = np.random.default_rng(2)
    seen = [{*draw_members(rng, FAMILIES["porosity"], MEMBERS)} for _ in range(100)]
    assert {"RHOB", "DPHI"} == {
        one for members in seen for one in members & {"RHOB", "DPHI"} if len(members) > 1
    }
    assert not any(members >= {"RHOB", "DPHI"} for members in seen)


def test_potential_is_shifted_into_its_track(drawn):
    for well in drawn:
        shifted = Well(top_ft=0, step_ft=STEP, curves={"SP": well.curves["SP"] + 300})
        scales = {"SP": MEMBERS["SP"].scales[0]}
        course = courses(shifted, scales, well.n_samples)["SP"]
        assert np.nanquantile(course, [0.02, 0.98]).mean() == pytest.approx(0.5, abs=0.051)
        printed = fitted_scales(shifted, scales)["SP"]
        assert printed.right - printed.left == scales["SP"].right - scales["SP"].left


def test_a_course_is_straight_between_samples_on_the_paper():
    """Two decades between two samples of a logarithmic track: the middle is one decade up."""
    well = Well(top_ft=0, step_ft=1, curves={"ILD": np.array([2.0, 200.0, np.nan])})
    course = courses(well, {"ILD": MEMBERS["ILD"].scales[0]}, 5)["ILD"]
    np.testing.assert_allclose(course, [0.25, 0.5, 0.75, np.nan, np.nan])


def test_a_folder_of_las_files_gives_families_in_one_unit(tmp_path):
    n = 400
    wave = np.sin(np.arange(n) / 20)
    write_las(tmp_path / "a.las", {"RILD": 10.0**wave, "CNLS": 20 + 10 * wave, "ODD": wave})
    write_las(
        tmp_path / "b.las",
        {"AHT90": 10.0**wave, "TNPH": 0.2 + 0.1 * wave, "RHOZ": 2500 + 100 * wave},
        step=0.1524,
        unit="M",
    )
    (tmp_path / "c.las").write_text("broken")
    a, b = read_wells(str(tmp_path))
    assert (a.source, {*a.curves}) == ("a.las", {"ILD", "NPHI"})
    assert (b.source, {*b.curves}) == ("b.las", {"ILD", "NPHI", "RHOB"})
    np.testing.assert_allclose(a.curves["NPHI"], b.curves["NPHI"], atol=1e-3)
    assert b.step_ft == pytest.approx(0.5, rel=1e-3)
    assert b.curves["RHOB"].mean() == pytest.approx(2.5, abs=0.05)
    assert len(wells_passed_over(str(tmp_path))) == 1
    assert choose_well(np.random.default_rng(0), (a, b), ("RHOB", "ILD")) is b


def test_a_file_whose_depths_jump_far_beyond_its_steps_is_passed_over(tmp_path):
    """It would take 10^11 samples at its usual step."""
    depth = np.append(1e-5 * np.arange(400), 1e6)
    wave = LasCurve(mnemonic="GR", values=np.full(len(depth), 50.0))
    write_field_las(tmp_path / "a.las", depth, [wave], unit="ft", step=1e-5, decimals=5)
    with pytest.raises(OptionError, match=r"a\.las: 0 to 1e\+06 ft are more than 1,000,000 of its"):
        read_wells(str(tmp_path))


def test_a_folder_without_wells_is_refused(tmp_path):
    with pytest.raises(OptionError, match="no LAS file there"):
        read_wells(str(tmp_path))


@pytest.mark.parametrize("n", [1, 2, 150, 300, 1000])
@pytest.mark.parametrize("step", [0.2, 0.5, 1.3])
def test_a_stretch_has_the_samples_asked_for_and_no_jumps(n, step):
    """A ramp, mirrored where it ends: its slope keeps its size."""
    well = Well(top_ft=10, step_ft=STEP, curves={"GR": np.arange(300.0), "SP": np.arange(300.0)})
    taken = take(np.random.default_rng(n), well, ("GR", "SP"), n_samples=n, step_ft=step)
    assert (taken.n_samples, taken.step_ft) == (n, step)
    for values in taken.curves.values():
        assert np.isfinite(values).all()
        assert np.abs(np.diff(values)).max(initial=0) <= step / STEP + 1e-9


def test_a_stretch_lies_where_the_wanted_curves_are():
    values = np.full(2000, np.nan)
    values[1500:1900] = 5.0
    well = Well(top_ft=0, step_ft=STEP, curves={"GR": np.arange(2000.0), "PE": values})
    for seed in range(10):
        taken = take(np.random.default_rng(seed), well, ("PE", "GR"), n_samples=300, step_ft=STEP)
        assert np.isfinite(taken.curves["PE"]).mean() > 0.85
        assert taken.top_ft == pytest.approx(taken.curves["GR"][0] * STEP)
    with pytest.raises(OptionError, match="no curve DT"):
        take(np.random.default_rng(0), well, ("DT",), n_samples=300, step_ft=STEP)

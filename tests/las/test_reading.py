"""What a LAS file means, and what is refused by name."""

import re

import numpy as np
import pytest

from veernet.errors import LasError
from veernet.las import read_las

HEAD = """~Version
VERS. 2.0 : CWLS
WRAP. NO :
~Well
STRT.{unit} 100 :
STOP.{unit} 101 :
STEP.{unit} 0.5 :
NULL. {null} :
WELL. Heinen #1-4: : with a colon too many
~Curve
DEPT.{unit} : Depth
GR.API : Gamma ray
GR.API : again
~A
"""

NAN = np.nan


@pytest.fixture
def las(tmp_path):
    def write(rows, unit="FT", null="-999.25", head=HEAD):
        path = tmp_path / "well.las"
        path.write_text(head.format(unit=unit, null=null) + "\n".join(rows) + "\n")
        return path

    return write


def test_values_are_read_and_nulls_of_every_kind_are_nan(las):
    found = read_las(las(["100 50.5 -9999", "100.5 -999.25 -999", "101 60 7"], unit="Feet"))
    assert found.unit == "ft"
    np.testing.assert_array_equal(found.depth, [100, 100.5, 101])
    np.testing.assert_array_equal(found.curves["GR:1"], [50.5, NAN, 60])
    np.testing.assert_array_equal(found.curves["GR:2"], [NAN, NAN, 7])
    assert found.notes == ()


def test_a_log_recorded_upwards_is_turned(las):
    found = read_las(las(["101 3 1", "100.5 2 1", "100 1 1"], unit="M"))
    assert found.unit == "m"
    np.testing.assert_array_equal(found.depth, [100, 100.5, 101])
    np.testing.assert_array_equal(found.curves["GR:1"], [1, 2, 3])


@pytest.mark.parametrize("null", [0, 100, 101])
def test_null_is_never_a_depth(las, null):
    found = read_las(las(["0 5 0", "100 101 100", "101 7 5"], null=null))
    np.testing.assert_array_equal(found.depth, [0, 100, 101])
    values = np.array([[5, 101, 7], [0, 100, 5]], dtype=float)
    expected = np.where(values == null, NAN, values)
    np.testing.assert_array_equal([found.curves["GR:1"], found.curves["GR:2"]], expected)


def test_a_curve_is_found_whatever_its_capitals_if_one_is_meant(las):
    head = HEAD.replace("GR.API : again", "Rt (deep).ohmm :")
    found = read_las(las(["100 5 1", "101 6 2"], head=head))
    for name in ("GR", "Gr", " gr "):
        assert name in found
        assert found.find(name) == "GR"
    assert found.find("rt (Deep)") == "RT (DEEP)"
    np.testing.assert_array_equal(
        found.at("gr", np.array([99, 100.5, 102]), unit="ft"), [NAN, 5.5, NAN]
    )
    with pytest.raises(LasError, match=r"well.las: no curve SP; it has GR, RT \(DEEP\)"):
        found.find("SP")
    assert "SP" not in found


def test_one_of_two_curves_of_a_name_must_be_said(las):
    found = read_las(las(["100 5 1", "101 6 2"]))
    assert "gr" in found
    with pytest.raises(LasError, match=r'well.las: curve gr may be GR:1, GR:2; .* las = "GR:1"'):
        found.find("gr")
    assert found.find("Gr:2") == "GR:2"


def test_curves_without_a_mnemonic_have_one(las):
    found = read_las(las(["100 5 1", "101 6 2"], head=HEAD.replace("GR.API :", " .API :")))
    assert [*found.curves] == ["UNKNOWN:1", "UNKNOWN:2"]


@pytest.mark.parametrize("text", ["bad", "1,234", "1_000", "1.2.3", "12:30:00", "0x10"])
def test_text_in_a_curve_is_refused_where_the_curve_is_asked_for(las, text):
    rows = [f"{100 + i} {i} {2 * i}" for i in range(500)]
    rows[300] = f"400 {text} 600"
    found = read_las(las(rows))
    assert [*found.curves] == ["GR:2"]
    np.testing.assert_array_equal(found.curves["GR:2"], 2 * np.arange(500))
    with pytest.raises(
        LasError, match=rf"well.las: column GR:1 has text .*: line 315 has '{text[:20]}"
    ):
        found.find("gr:1")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["100 5 1", "bad 5 1", "101 6 1"], r"a depth \(DEPT\) is no number: line 16 has 'bad'"),
        (["100 5 1", "1,000 5 1", "1001 6 1"], r"a depth \(DEPT\) is no number: line 16"),
        (["100 5 1", "NaN 5 1", "101 6 1"], r"no depth \(DEPT\) on line 16"),
        (["100 5 1", "101 5 1", "-999.25 6 1"], "line 17 has -999.25 after 101"),
        (
            ["100 5 1", "99 5 1", "101 5 1"],
            r"neither increase nor decrease .* line 16 has 99 after",
        ),
        (["100 5 1", "101 5 1", "101 5 2"], "depth 101 .* on line 16 and on line 17, with diff"),
        (["100 5 1"], "1 depths"),
        (["100 5 1", "100 5 1"], "one depth"),
        ([], "no values after the line ~A"),
        (["# none"], "no values after the line ~A"),
        (["100 5 1", "100.5 5", "101 5 1"], r"line 16 has 2 values where 3 belong \('100.5 5'\)$"),
        (["100 5 1", "100.5 5 1", "101 5"], "line 17 has 2 values .* was the file cut off"),
        (["100 5 1", "100.5 5 1 7", "101 5 1"], "line 16 has 4 values where 3 belong"),
        (["100 5", "5 1", "101 5 1"], "lines 15 to 16 have 4 values"),
        (["100,5,55,1,7", "101,5,55,2,8"], "line 15: .* may be delimiters or decimal commas"),
        (["~A", "100 5 1", "101 5 1"], "several sections with data, at lines 14 and 15"),
    ],
)
def test_data_that_make_no_sense_are_refused_by_their_lines(las, rows, message):
    with pytest.raises(LasError, match=f"well.las: .*{message}"):
        read_las(las(rows))


def test_a_date_is_not_taken_apart_where_values_are_missing(las):
    """100 2013-05-01 is no depth with two values."""
    with pytest.raises(LasError, match="line 16 has 1 values where 3 belong"):
        read_las(las(["100 5 1", "2013-05-01", "101 6 1"]))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["100", "5 1", "101", "6"], "lines 17 to the last have 2 values where 3 belong"),
        (["100", "5 1", "101", "6 1 2"], "lines 17 to 18 have 4 values, in lines of 1, 3, where 3"),
    ],
)
def test_wrapped_lines_of_another_number_of_values_are_refused(las, rows, message):
    with pytest.raises(LasError, match=f"well.las: {message}"):
        read_las(las(rows, head=HEAD.replace("NO", "YES")))


@pytest.mark.parametrize(
    ("n", "row"), [(16, 8), (16, 16), (5, 1), (1000, 7), (1000, 1000), (6, 2), (4, 3)]
)
@pytest.mark.parametrize("said", ["YES", "NO"])
def test_wrapped_lines_of_any_length_make_the_same_curves(tmp_path, rng, n, row, said):
    values = np.round(rng.normal(size=(9, n)), 4)
    values[:, 0] = np.arange(9) / 2 + 100
    head = HEAD.format(unit="M", null=-999.25).replace("NO", said)
    curves = "".join(f"C{i}. :\n" for i in range(1, n))
    lines = [
        " ".join(f"{x:.4f}" for x in depth[i : i + row])
        for depth in values
        for i in range(0, n, row)
    ]
    path = tmp_path / "well.las"
    path.write_text(head.split("GR.API")[0] + curves + "~A\n" + "\n".join(lines))
    found = read_las(path)
    np.testing.assert_array_equal(found.depth, values[:, 0])
    np.testing.assert_array_equal([*found.curves.values()], values[:, 1:].T)
    assert bool(found.notes) == (said == "NO" and row < n)


def test_a_line_that_says_again_what_the_one_before_says_counts_once(las):
    rows = ["100 5 -999.25", "100.5 5 1", "100.5 5 1", "101 6 2", "101 6 2"]
    found = read_las(las(rows))
    np.testing.assert_array_equal(found.depth, [100, 100.5, 101])
    np.testing.assert_array_equal(found.curves["GR:1"], [5, 5, 6])
    assert found.notes == ("2 lines repeat the lines before, from line 17 on, and count once",)
    np.testing.assert_array_equal(read_las(las(rows[::-1])).depth, [100, 100.5, 101])


@pytest.mark.parametrize(
    ("old", "new", "rows", "note"),
    [
        (
            "",
            "",
            ["100 5 1 7", "101 6 1 7"],
            "4 values and its header 3 curves; the last 1 of every",
        ),
        (
            "",
            "",
            ["100 5", "101 6"],
            "2 values and its header 3 curves; the last 1 curves have none",
        ),
        ("DEPT", "ruler\nDEPT", ["100 5 1", "101 6 1"], "line 11 of ~C names no curve"),
        (
            "STOP.{unit} 101",
            "STOP.{unit} 900",
            ["100 5 1", "101 6 1"],
            "to 900; its data end at 101",
        ),
        ("", "", ["100 5 1", "101 6 1", "102 1.5678.123"], "line 17 .* no space between them"),
        (
            "DEPT.{unit} : Depth\nGR.API",
            "GR.API : x\nDEPT",
            ["5 100 1", "5 101 1"],
            "depth is DEPT, col",
        ),
    ],
)
def test_what_a_person_might_have_to_know_is_told(las, old, new, rows, note):
    found = read_las(las(rows, head=HEAD.replace(old, new, 1)))
    np.testing.assert_array_equal(found.depth[:2], [100, 101])
    (message,) = found.notes
    assert re.search(note, message)


def test_only_the_curves_that_are_beyond_the_lines_have_no_values(las):
    found = read_las(las(["100 5", "101 6"]))
    np.testing.assert_array_equal(found.curves["GR:1"], [5, 6])
    assert np.isnan(found.curves["GR:2"]).all()


def test_no_value_is_made_where_rows_are_missing(las):
    rows = [f"{depth:g} {depth} 1" for depth in (*np.arange(100, 110, 0.5), *range(150, 160))]
    found = read_las(las(rows))
    depth = np.array([109, 109.25, 109.5, 109.75, 120, 149.9, 150, 150.3])
    np.testing.assert_allclose(
        found.at("GR:1", depth, unit="ft"), [109, 109.25, 109.5, NAN, NAN, NAN, 150, 150.3]
    )


def test_text_in_a_column_that_no_curve_names_is_left_out_with_it(las):
    found = read_las(las(["100 1 2 a", "100.5 3 4 b", "101 5 6 c"]))
    np.testing.assert_array_equal(found.curves["GR:2"], [2, 4, 6])
    assert found.texts == {}
    assert "the last 1 of every line were left out" in found.notes[0]


@pytest.mark.parametrize("unit", ["furlong", "", "S/M"])
def test_a_unit_of_depth_that_the_file_does_not_give_is_said(las, unit):
    path = las(["100 5 1", "101 6 1"], unit=unit)
    with pytest.raises(
        LasError, match=f"well.las: depth is in '{unit}'.* mm and km.*--las-unit ft or --las-unit m"
    ):
        read_las(path)
    for said in ("ft", "m"):
        found = read_las(path, depth_unit=said)
        assert found.unit == said
        np.testing.assert_array_equal(found.depth, [100, 101])
        assert found.notes == (f"depth is read as {said}, as its header gives no known unit",)


def test_a_unit_of_depth_that_the_file_gives_is_not_contradicted(las):
    path = las(["100 5 1", "101 6 1"], unit="M")
    assert read_las(path, depth_unit="m").unit == "m"
    with pytest.raises(LasError, match="well.las: depth is in 'M', as DEPT says, and not in ft"):
        read_las(path, depth_unit="ft")
    path = las(["1200 5 1", "1320 6 1"], unit=".1IN")
    np.testing.assert_array_equal(read_las(path).depth, [10, 11])
    with pytest.raises(LasError, match="depth is in '.1IN'"):
        read_las(path, depth_unit="ft")


@pytest.mark.parametrize("start", [100, 328])
def test_two_units_of_depth_agree_where_the_numbers_do(las, start):
    """328.1 ft are 100 m."""
    head = HEAD.replace("STRT.{unit} 100", f"STRT.M {start}").replace("DEPT.{unit}", "DEPT.FT")
    path = las(["328.1 5 1", "329 6 1"], head=head, unit="M")
    if start == 100:
        assert read_las(path).unit == "ft"
        return
    with pytest.raises(LasError, match="in ft as DEPT says, in m as STRT says. Say it: --las-unit"):
        read_las(path)
    assert read_las(path, depth_unit="m").unit == "m"


@pytest.mark.parametrize("curve", ["TIME.S", "ETIM.MIN", "TIME.", "INDEX.SEC"])
def test_curves_by_time_are_refused(las, curve):
    for rest in ("GR.API", "DEPT.FT"):
        head = HEAD.replace("DEPT.{unit}", curve).replace("GR.API : G", f"{rest} : G")
        with pytest.raises(
            LasError, match=f"well.las: its curves go by time .*{curve.split('.')[0]}"
        ):
            read_las(las(["100 5 1", "101 6 1"], head=head))


@pytest.mark.parametrize("rows", [["100 5 1", "101 6 2"], ["100", "5 1", "101", "6 2"]])
@pytest.mark.parametrize("line", ["GR", "SP Spontaneous potential"])
def test_a_line_of_the_curves_without_a_period_counts_where_a_column_is_there(las, rows, line):
    said = "YES" if len(rows) == 4 else "NO"
    head = HEAD.replace("NO", said).replace("GR.API : Gamma ray", line)
    found = read_las(las(rows, head=head))
    first = "GR:1" if line == "GR" else "SP"
    np.testing.assert_array_equal(found.curves[first], [5, 6])
    ruled = read_las(
        las(rows, head=HEAD.replace("NO", said).replace("GR.API : a", "a\nGR.API : a"))
    )
    assert [*ruled.curves] == ["GR:1", "GR:2"]
    assert "line 13 of ~C names no curve" in ruled.notes[0]


def test_a_line_that_names_no_curve_and_fits_no_column_is_refused(las):
    head = HEAD.replace("DEPT", "a ruler\nanother\nDEPT")
    with pytest.raises(LasError, match="line 11 of ~C .* neither 3 nor 5 columns"):
        read_las(las(["100 5 1 7", "101 6 1 7"], head=head))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no section"),
        (b"\x00\x01~A" * 100, "no section"),
        (b"hello\n", "no section"),
        (b"LASF" + bytes(200), "laser points"),
        (b"~A\n1 2\n", "no section ~C"),
        (
            b"~V\n~W\nSTRT.FT 1:\n~C\nDEPT.FT:\n1 2\n",
            "no section ~A .* its sections are ~V, ~W, ~C",
        ),
        (b"~V\n~C\nDEPT.FT:\n~Core_Data\n1 2\n", "no section ~A"),
    ],
)
def test_what_is_no_las_file_is_refused(tmp_path, content, message):
    (tmp_path / "well.las").write_bytes(content)
    with pytest.raises(LasError, match=f"well.las: .*{message}"):
        read_las(tmp_path / "well.las")


def test_what_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(LasError, match="none.las: no such LAS file"):
        read_las(tmp_path / "none.las")
    with pytest.raises(LasError, match=f"{tmp_path}: cannot be read"):
        read_las(tmp_path)


def test_a_file_of_gigabytes_is_refused_before_it_is_read(las):
    with pytest.raises(LasError, match="more than the 10 allowed"):
        read_las(las(["100 5 1"]), max_bytes=10)


def test_the_first_of_several_runs_of_version_3_is_read_and_told(las):
    head = HEAD.replace("2.0", "3.0").replace("~Curve", "~Log_Definition[1]")
    head = head.replace("~A\n", "~Log_Data[1] | Log_Definition[1]\n")
    second = "~Log_Definition[2]\nDEPT.M :\nSP.MV :\n~Log_Data[2] | Log_Definition[2]\n1 2\n2 3"
    found = read_las(las(["100 5 1", "101 6 1", second], head=head))
    assert [*found.curves] == ["GR:1", "GR:2"]
    np.testing.assert_array_equal(found.depth, [100, 101])
    assert found.notes == (
        "the first of 2 sections with data was read, ~Log_Data[1] | Log_Definition[1]",
    )


@pytest.mark.parametrize(
    ("curves", "row"),
    [
        ("IDX. : number\nDEPT.FT : Depth\nTVD.FT : vertical", "{i} {d} {t}"),
        ("IDX. : number\nTVD.FT : vertical\nMD.FT : Depth", "{i} {t} {d}"),
    ],
)
def test_of_several_depths_behind_a_count_the_measured_one_is_depth(las, curves, row):
    head = HEAD.replace("DEPT.{unit} : Depth\nGR.API : Gamma ray\nGR.API : again", curves)
    rows = [row.format(i=i, d=100 + i / 2, t=90 + i / 2) for i in range(3)]
    found = read_las(las(rows, head=head))
    np.testing.assert_array_equal(found.depth, [100, 100.5, 101])
    assert any(note.startswith("depth is ") for note in found.notes)


def test_a_count_is_not_depth_where_another_column_goes_from_start_to_stop(las):
    head = HEAD.replace("DEPT.{unit} : Depth", "IDX. : number").replace("GR.API : G", "TIEFE. : G")
    with pytest.raises(LasError, match="IDX, should be depth, but TIEFE goes from 100 to 101"):
        read_las(las(["1 100 5", "2 100.5 5", "3 101 6"], head=head))


@pytest.mark.parametrize("rows", [["100 ft 5 1"], ["100 2001-02-03 5 6"]])
def test_text_in_lines_with_more_values_than_curves_shifts_no_curve(las, rows):
    rows = [*rows, *(row.replace("100", "101", 1) for row in rows)]
    with pytest.raises(LasError, match="text in column 2.*which value is of which curve"):
        read_las(las(rows))


def test_thousands_are_not_taken_for_decimal_commas(las):
    with pytest.raises(LasError, match="a depth .DEPT. is no number: line 15 has '1,000'"):
        read_las(las(["1,000 2,000 3,001", "1,001 2,007 3,002"]))


@pytest.mark.parametrize("line", ["~A DEPT  SP  GR", "~ASCII SP, GR, DEPT"])
def test_another_order_of_names_behind_the_data_section_is_told(las, line):
    head = HEAD.replace("GR.API : again", "SP.MV : potential").replace("~A", line)
    found = read_las(las(["100 5 1", "101 6 2"], head=head))
    np.testing.assert_array_equal(found.curves["GR"], [5, 6])
    (note,) = found.notes
    assert "another order" in note


@pytest.mark.parametrize("old", [b"Gamma ray", b"~A\n", b"\n~Version", b"\n"])
def test_zero_bytes_between_words_are_no_reason_to_refuse(las, old):
    path = las(["100 5 1", "101 6 2"])
    data = b"\n" + path.read_bytes()
    path.write_bytes(data.replace(old, b"\0" + old + b"\0\0" if old != b"\n" else b"\0\n"))
    np.testing.assert_array_equal(read_las(path).curves["GR:1"], [5, 6])


@pytest.mark.parametrize(("unit", "said", "wrong"), [("FT", "ft", "m"), (".1IN", "ft", "m")])
def test_a_unit_that_only_start_has_does_not_change_that_of_the_numbers(las, unit, said, wrong):
    parts = 1 if unit == "FT" else 120
    head = HEAD.replace("STRT.{unit} 100", "STRT.M 304.8").replace("DEPT.{unit}", f"DEPT.{unit}")
    path = las([f"{1000 * parts} 5 1", f"{1001 * parts} 6 1"], head=head, unit="FT")
    np.testing.assert_array_equal(read_las(path, depth_unit=said).depth, [1000, 1001])
    with pytest.raises(LasError, match=f"and the numbers say, and not in {wrong}"):
        read_las(path, depth_unit=wrong)

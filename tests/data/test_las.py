"""LAS files as they come: read where they make sense, refused by name where they do not."""

import numpy as np
import pytest

from veernet.data.las import read_las
from veernet.errors import LasError

HEAD = """~Version
VERS. 2.0 : CWLS
WRAP. NO :
~Well
STRT.{unit} 100 :
STOP.{unit} 101 :
STEP.{unit} 0.5 :
NULL. -999.25 :
WELL. Heinen #1-4: : with a colon too many
~Curve
DEPT.{unit} : Depth
GR.API : Gamma ray
GR.API : again
~A
"""


@pytest.fixture
def las(tmp_path):
    def write(rows, unit="FT", head=HEAD):
        path = tmp_path / "well.las"
        path.write_text(head.format(unit=unit) + "\n".join(rows) + "\n")
        return path

    return write


def test_values_are_read_and_nulls_of_every_kind_are_nan(las):
    found = read_las(las(["100 50.5 -9999", "100.5 -999.25 -999", "101 60 7"], unit="Feet"))
    assert found.unit == "ft"
    np.testing.assert_array_equal(found.depth, [100, 100.5, 101])
    np.testing.assert_array_equal(found.curves["GR:1"], [50.5, np.nan, 60])
    np.testing.assert_array_equal(found.curves["GR:2"], [np.nan, np.nan, 7])


def test_a_log_recorded_upwards_is_turned(las):
    found = read_las(las(["101 3 1", "100.5 2 1", "100 1 1"], unit="M"))
    assert found.unit == "m"
    np.testing.assert_array_equal(found.curves["GR:1"], [1, 2, 3])


@pytest.mark.parametrize(
    ("rows", "unit", "told"),
    [
        (["100 5 1", "100.5 bad 1", "101 6 1"], "FT", r"column GR:1 has text .*'bad'"),
        (["100 5 1", "99 5 1", "101 5 1"], "FT", "neither increase nor decrease"),
        (["100 5 1"], "FT", "1 depths"),
        (["100 5 1", "101 5 1"], "furlong", "depth is in 'furlong'"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_by_name(las, rows, unit, told):
    with pytest.raises(LasError, match=f"well.las: .*{told}"):
        read_las(las(rows, unit))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no section"),
        (b"\x00\x01~A" * 100, "no section"),
        (b"hello\n", "no section"),
        (b"~A\n1 2\n", "not a readable LAS file|unit|depth"),
    ],
)
def test_what_is_no_las_file_is_refused(tmp_path, content, told):
    (tmp_path / "well.las").write_bytes(content)
    with pytest.raises(LasError, match=told):
        read_las(tmp_path / "well.las")
    with pytest.raises(LasError, match="no such LAS file"):
        read_las(tmp_path / "none.las")


SAME = "".join(f"{name}. :\n" for name in ("gr", "GR", "Gr", "gR")) * 50


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("~A\n", SAME + "~A\n", r".*'GR' 202 times"),
        ("~Curve\n", "#" * 2**20 + "\n~Curve\n" + SAME, r".*'GR' 202 times"),
        ("~Version\n", "~A\n1 2 3\n~Parameter\n" + SAME + "~Version\n", r".*'GR' 202 times"),
        ("~A\n", "".join(f"P{i}. :\n" for i in range(5000)) + "~A\n", "headers of 5,01"),
    ],
)
def test_a_header_that_never_ends_is_refused_at_once(las, old, new, told):
    path = las(["100 5 1", "101 6 1"], head=HEAD.replace(old, new))
    with pytest.raises(LasError, match=f"well.las: {told}"):
        read_las(path)


def test_many_depths_and_blank_lines_are_no_header(las):
    rows = [f"{100 + i / 2} 5 1" for i in range(6000)]
    for section in ("~A", "~Ascii", "  ~A  DEPT  GR"):
        found = read_las(las(rows, head=HEAD.replace("~A", "\n" * 40_000 + section)))
        assert len(found.depth) == 6000


def test_a_file_of_gigabytes_is_refused_before_it_is_read(las):
    with pytest.raises(LasError, match="more than the 10 allowed"):
        read_las(las(["100 5 1"]), max_bytes=10)

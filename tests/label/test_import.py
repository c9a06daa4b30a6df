"""Labels lie on the ink: known curves, printed out of place, are found where they are printed."""

import re
from dataclasses import replace

import cv2
import lasio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from veernet import Archive
from veernet.data.combine import merge
from veernet.data.raster import to_depth_right, write_picture
from veernet.data.verify import verify
from veernet.digitisation.strip import Strip
from veernet.errors import ArchiveError, CalibrationError, ImageError, LabelError, LasError
from veernet.evaluation.evaluate import LogResult
from veernet.label import LasLabels, MaskLabels, import_scans
from veernet.label.labels import TracedCurve, paint_labels, rows_of
from veernet.label.snap import snap

TOML = """
depth_axis = "down"
[depth]
unit = "ft"
step = 0.5
ties = [[0.0, 1000.0], [400.0, 1040.0]]
[[track]]
left = 20
right = 220
top = 10
bottom = 390
[[track.curve]]
mnemonic = "GR"
left = 0
right = 150
"""


def position(y):
    """Where the curve lies across the track at row y; beyond 1 it has gone round."""
    return 0.6 + 0.55 * np.sin(y / 25)


def print_curve(page, y, shown, pen=3):
    """Ink along x = 20 + 200 position, lap by lap."""
    for wrap in (-1, 0, 1):
        part = page[:, 20:221]
        points = np.stack([200 * (shown - wrap), y], axis=1)
        fixed = np.rint(16 * points).astype(np.int32)
        cv2.polylines(part, [fixed], False, 0, pen - 1, cv2.LINE_AA, shift=4)  # 2 are 3 px wide


def write_las(folder, course):
    """GR along a course across the track, by row of the scan."""
    las = lasio.LASFile()
    depth = np.arange(995, 1045, 0.1)
    las.append_curve("DEPT", depth, unit="FT")
    las.append_curve("GR", 150 * course((depth - 1000) * 10), unit="API")
    las.write(str(folder / "well.las"), version=2.0, fmt="%.4f")


@pytest.fixture
def well(tmp_path):
    """A scan whose print lies 5 px lower and 2 px to the right of what its LAS file says."""
    page = np.full((420, 260), 255, np.uint8)
    page[::20, 20:221] = page[:, 20:221:25] = 0
    y = np.arange(-10, 430)
    print_curve(page, y + 5, position(y) + 2 / 200)
    write_picture(tmp_path / "well.png", page)
    write_las(tmp_path, position)
    (tmp_path / "c.toml").write_text(TOML)
    return tmp_path


def test_a_page_of_a_scan_is_imported_as_a_scan_of_its_own(well):
    page = Image.open(well / "well.png")
    other = Image.new("L", (30, 20), 200)
    other.save(well / "two.tif", save_all=True, append_images=[page])
    labels = LasLabels(path=well / "well.las")
    for name, chosen in (("well.png", None), ("two.tif", 2)):
        import_scans(well / f"{chosen}", [well / name], well / "c.toml", labels, page=chosen)
    alone, second = (Archive.open(well / f"{chosen}").split("train") for chosen in (None, 2))
    np.testing.assert_array_equal(second.log(0).grey, alone.log(0).grey)
    np.testing.assert_array_equal(second.log(0).mask, alone.log(0).mask)


def test_labels_from_a_las_file_lie_on_the_print_and_the_offset_is_found(well):
    (found,) = import_scans(
        well / "out", [well / "well.png"], well / "c.toml", LasLabels(path=well / "well.las")
    )
    assert found.labelled > 0.99
    assert found.offset == (5, -2)
    assert found.line_width == pytest.approx(3, abs=1)
    split = Archive.open(well / "out").split("train")
    row, log = split.rows[0], split.log(0)
    assert (row.source, row.curves[0].mnemonic) == ("well.png", "GR")
    top, bottom = row.curves[0].track
    columns = np.arange(log.grey.shape[1])  # the margin reaches back to row 0 of the scan
    expected = position(columns - 5) + 2 / 200
    seen = np.isfinite(log.curves.rows[0])
    assert seen.mean() > 0.9
    error = np.abs(log.curves.values[0] - expected)[seen] * (bottom - top)
    assert np.median(error) < 0.5
    assert np.quantile(error, 0.95) < 1.5
    labelled = log.mask == 1
    assert (log.grey[labelled] < 128).mean() > 0.85
    assert verify(split).faults == ()


def test_a_curve_that_wraps_by_its_calibration_is_read_so_in_an_evaluation(well):
    """Read as one that stays in its track, it is off by its width wherever it has wrapped."""
    labels, r2 = LasLabels(path=well / "well.las"), {}
    for name, more in (("stays", ""), ("wraps", "wraps = true\n")):
        (well / "c.toml").write_text(TOML + more)
        import_scans(well / name, [well / "well.png"], well / "c.toml", labels)
        split = Archive.open(well / name).split("train")
        row, log = split.rows[0], split.log(0)
        assert row.traits == (("wrapped",) if more else ())
        seen = np.stack([log.mask == 1, log.mask == 2]).astype(np.float32)
        r2[name] = LogResult.of(row, log, seen).errors[0].columns.r2
    assert r2["wraps"] > 0.99 > 0.9 > r2["stays"]


def test_a_las_file_in_metres_labels_a_scan_in_feet_alike(well):
    labels = LasLabels(path=well / "well.las")
    import_scans(well / "ft", [well / "well.png"], well / "c.toml", labels)
    las = lasio.LASFile()
    depth = np.arange(995, 1045, 0.1)
    las.append_curve("DEPT", depth * 0.3048, unit="M")
    las.append_curve("GR", 150 * position((depth - 1000) * 10), unit="API")
    las.write(str(well / "well.las"), version=2.0, fmt="%.6f")
    import_scans(well / "m", [well / "well.png"], well / "c.toml", labels)
    a, b = (Archive.open(well / unit).split("train").log(0) for unit in ("ft", "m"))
    np.testing.assert_array_equal(a.mask, b.mask)


@pytest.mark.parametrize(
    ("mnemonic", "las", "column"),
    [
        ("gr", "", "GR"),
        ("GAM", "Gr", "GR"),
        ("GR", "gr (2), raw", "GR (2), raw"),
        ("A", "ГК", "ГК"),
    ],
)
def test_a_curve_may_go_by_another_name_in_the_las_file(well, mnemonic, las, column):
    named = f'mnemonic = "{mnemonic}"\nlas = "{las}"'
    (well / "c.toml").write_text(TOML.replace('mnemonic = "GR"', named))
    text = re.sub(r"(?m)^GR *\.API", f"{column} .API", (well / "well.las").read_text())
    (well / "well.las").write_text(text)
    labels = LasLabels(path=well / "well.las")
    (found,) = import_scans(well / "out", [well / "well.png"], well / "c.toml", labels)
    assert (found.mnemonic, found.offset) == (mnemonic, (5, -2))
    assert found.labelled > 0.99


def test_one_of_two_curves_of_a_name_is_said_in_the_calibration(well):
    """The first is as it was drawn, the second is nothing."""
    text = (well / "well.las").read_text()
    head, rows = text.split("~ASCII")
    title, *rows = rows.splitlines()
    double = "\n".join([f"~ASCII{title}", *(f"{row} -999.25" for row in rows)])
    (well / "well.las").write_text(re.sub(r"(?m)^(GR .*)$", r"\1\n\1", head) + double)
    labels = LasLabels(path=well / "well.las")
    with pytest.raises(LasError, match=r'well.las: curve GR may be GR:1, GR:2; .*las = "GR:1"'):
        import_scans(well / "out", [well / "well.png"], well / "c.toml", labels)
    (well / "c.toml").write_text(TOML + 'las = "GR:1"\n')
    (found,) = import_scans(well / "out", [well / "well.png"], well / "c.toml", labels)
    assert found.labelled > 0.99


def test_what_a_person_should_know_of_the_las_file_is_told(well):
    text = (well / "well.las").read_text().replace(".FT", ".")
    (well / "well.las").write_text(f"{text}{text.splitlines()[-1]}\n")
    found = []
    labels = LasLabels(path=well / "well.las", unit="ft")
    import_scans(well / "out", [well / "well.png"], well / "c.toml", labels, report=found.append)
    assert [one.partition("well.las: ")[2][:17] for one in found] == [
        "line 528 repeats ",
        "depth is read as ",
    ]
    with pytest.raises(LasError, match="--las-unit ft or --las-unit m"):
        import_scans(well / "no", [well / "well.png"], well / "c.toml", replace(labels, unit=None))


def test_the_command_takes_a_unit_of_depth_and_says_so_on_one_line(well, veernet, capfd):
    text = (well / "well.las").read_text().replace(".FT", ".")
    (well / "well.las").write_text(text)
    words = (
        "import",
        well / "well.png",
        "--calibration",
        well / "c.toml",
        "--las",
        well / "well.las",
    )
    assert veernet(*words, "--out", well / "no") == 2
    assert "--las-unit ft or --las-unit m" in capfd.readouterr().err
    assert veernet(*words, "--out", well / "out", "--las-unit", "ft") == 0
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("veernet: ")
    assert "well.las: depth is read as ft" in line


@pytest.mark.parametrize(
    ("tolerance", "code"), [("-1", 2), ("0", 2), ("0.1", 0), ("50", 0), ("50.1", 2), ("nan", 2)]
)
def test_a_tolerance_is_above_0_and_up_to_50_pixels(well, veernet, capfd, tolerance, code):
    words = "import", well / "well.png", "--calibration", well / "c.toml"
    labels = "--las", well / "well.las", "--out", well / "out", "--tolerance", tolerance
    assert veernet(*words, *labels) == code
    assert ("--tolerance must be from 0 to 50 px" in capfd.readouterr().err) == (code == 2)


def test_labels_of_a_skewed_scan_are_those_of_the_straight_one(well):
    """Turned by 2 degrees, the corners given; mask and LAS file alike."""
    turn = cv2.getRotationMatrix2D((0, 0), -2, 1)
    turn[:, 2] += 30, 5
    page = np.array(Image.open(well / "well.png"))
    skewed = cv2.warpAffine(page, turn, (300, 450), flags=cv2.INTER_AREA, borderValue=255)
    write_picture(well / "skewed.png", skewed)
    corners = [[20, 10], [220, 10], [220, 390], [20, 390]]
    there = [(turn @ [x, y, 1]).round(3).tolist() for x, y in corners]
    box = "left = 20\nright = 220\ntop = 10\nbottom = 390\n"
    assert box in TOML
    rows = [(turn @ [20, y, 1])[1] for y in (0, 400)]
    ties = f"ties = [[{rows[0]}, 1000.0], [{rows[1]}, 1040.0]]"
    text = re.sub("ties = .*", ties, TOML.replace(box, f"corners = {there}\n"))
    (well / "skewed.toml").write_text(text)
    labels = LasLabels(path=well / "well.las")
    import_scans(well / "a", [well / "well.png"], well / "c.toml", labels)
    (found,) = import_scans(well / "b", [well / "skewed.png"], well / "skewed.toml", labels)
    assert found.labelled > 0.99
    assert found.offset == (5, -2)
    logs = [Archive.open(well / name).split("train") for name in ("a", "b")]
    a, b = (split.log(0).curves.values[0] for split in logs)
    assert np.nanmedian(np.abs(a - b)[10:391]) < 0.5 / 200
    assert np.isfinite(b[10:391]).mean() > 0.9


def test_a_column_where_no_ink_is_near_is_not_labelled(well):
    page = np.array(Image.open(well / "well.png"))
    page[200:240] = 255
    write_picture(well / "well.png", page)
    (found,) = import_scans(
        well / "out", [well / "well.png"], well / "c.toml", LasLabels(path=well / "well.las")
    )
    log = Archive.open(well / "out").split("train").log(0)
    assert (log.mask[:, 205:235] == 255).all()
    assert (log.mask[:, 50:190] != 255).mean() > 0.98
    assert 0.85 < found.labelled < 0.93


def test_labels_from_a_las_file_lie_on_faint_print_too(well):
    page = np.array(Image.open(well / "well.png")).astype(float)
    write_picture(well / "well.png", (150 + page * 80 / 255).astype(np.uint8))
    labels = LasLabels(path=well / "well.las")
    (found,) = import_scans(well / "out", [well / "well.png"], well / "c.toml", labels)
    assert found.labelled > 0.98
    assert found.offset == (5, -2)
    assert found.line_width == pytest.approx(3, abs=1)


@settings(max_examples=25)
@given(
    dx=st.integers(-9, 9),
    dy=st.integers(-3, 3),
    period=st.floats(20, 90),
    swing=st.floats(0.05, 0.45),
)
def test_the_offset_of_a_print_is_found_to_a_pixel(dx, dy, period, swing):
    x = np.arange(-20, 420)
    course = 0.5 + swing * np.sin(x / period * 2.1) * np.cos(x / 50)
    grey = np.full((240, 400), 255, np.uint8)
    points = np.stack([x + dx, 220 - 200 * course + dy], axis=1)
    cv2.polylines(grey, [np.rint(16 * points).astype(np.int32)], False, 0, 2, cv2.LINE_AA, shift=4)
    strip = Strip(grey=grey, top=20, bottom=220, first=0, last=399, span=(0, 399))
    found = snap(strip, course[20:420])
    rows = rows_of(strip, found)
    expected = np.interp(np.arange(400), points[:, 0], points[:, 1])
    slope = np.abs(np.gradient(expected))
    seen = np.isfinite(rows)
    assert seen.mean() > 0.9
    assert np.median((np.abs(rows - expected) / np.hypot(1, slope))[seen]) < 0.75
    mask = paint_labels(strip, {1: found})
    assert (grey[mask == 1] < 200).mean() > 0.9


@pytest.mark.parametrize("edge", ["upper", "lower"])
def test_a_line_along_an_edge_is_labelled_two_pixels_beyond_it_and_no_further(edge):
    """A pen of nine pixels, whose ink is held at an edge; three rows of its strip lie beyond."""
    strip = Strip(
        grey=np.full((40, 30), 255, np.uint8), top=8, bottom=28, first=0, last=29, span=(0, 29)
    )
    there, nowhere = np.ones(30, bool), np.zeros(30, bool)
    at = np.full(30, 0.999 if edge == "upper" else 0.001)
    traced = TracedCurve(positions=at, on_ink=there, given=there, absent=nowhere, line_width=9)
    mask = paint_labels(strip, {1: traced})
    rows = range(6, 13) if edge == "upper" else range(24, 31)
    assert [*np.flatnonzero((mask == 1).all(1))] == [*rows]
    assert (mask == 1).sum() == 30 * len(rows)


@pytest.mark.parametrize("n", [2, 3])
def test_a_stretch_of_a_few_columns_is_snapped_like_any_other(n):
    grey = np.full((60, 30), 255, np.uint8)
    grey[29:32] = 0
    strip = Strip(grey=grey, top=10, bottom=50, first=0, last=29, span=(0, 29))
    positions = np.full(30, np.nan)
    positions[12 : 12 + n] = 0.5
    found = snap(strip, positions)
    assert found.on_ink.tolist() == [12 <= x < 12 + n for x in range(30)]
    assert found.given.sum() == n


def test_a_long_track_becomes_several_logs_that_join_a_synthetic_archive(well, small_archive):
    labels = LasLabels(path=well / "well.las")
    scans, calibration = [well / "well.png"], well / "c.toml"
    import_scans(well / "whole", scans, calibration, labels)
    import_scans(well / "cut", scans, calibration, labels, window=150)
    whole, cut = (Archive.open(well / name).split("train") for name in ("whole", "cut"))
    assert max(row.width for row in cut.rows) <= 150
    for part in ("grey", "mask"):
        joined = np.concatenate([getattr(cut.log(i), part) for i in range(len(cut))], axis=1)
        np.testing.assert_array_equal(joined, getattr(whole.log(0), part))
    import_scans(well / "cut", scans, calibration, labels, split="val")
    with pytest.raises(ArchiveError, match="has a split val already"):
        import_scans(well / "cut", scans, calibration, labels, split="val")
    merge(well / "all", [Archive.open(well / "cut"), Archive.open(small_archive)])
    assert len(Archive.open(well / "all").split("train")) == len(cut) + 5


def lying_tiff(path):
    """A header that declares 140 times the rows there are."""
    Image.new("L", (260, 420), 255).save(path, "TIFF", compression="tiff_adobe_deflate")
    data = bytearray(path.read_bytes())
    at = data.index((257).to_bytes(2, "little") + (3).to_bytes(2, "little"))
    data[at + 8 : at + 10] = (60_000).to_bytes(2, "little")
    path.write_bytes(data)


def bad(well, case):
    """Labels, the error they end in, and its words."""
    labels = LasLabels(path=well / "well.las")
    las = (well / "well.las").read_text()
    match case:
        case "truncated PNG":
            data = (well / "bad.png").read_bytes()
            (well / "bad.png").write_bytes(data[: len(data) // 2])
            return labels, ImageError, "bad.png: not a readable"
        case "TIFF with a lying header":
            lying_tiff(well / "bad.png")
            return labels, ImageError, "bad.png: some of its 239 strips are not there"
        case "0-byte mask":
            (well / "masks").mkdir()
            (well / "masks" / "bad.png").touch()
            return MaskLabels(path=well / "masks"), ImageError, "masks/bad.png: not a picture"
        case "mask of another size":
            write_picture(well / "mask.png", np.zeros((9, 9), np.uint8), palette=bytes(768))
            return MaskLabels(path=well / "mask.png"), LabelError, "9 × 9 px .* has 420 × 260"
        case "text in a numeric column":
            (well / "well.las").write_text(las.rsplit(" ", 1)[0] + " bad\n")
            return labels, LasError, "well.las: column GR has text"
        case "LAS of other depths":
            (well / "well.las").write_text(las.replace(".FT", ".M "))
            return labels, LabelError, "no values of GR between 1000 and 1040 ft"
        case "track outside the picture":
            write_picture(well / "bad.png", np.full((420, 100), 255, np.uint8))
            return labels, CalibrationError, "outside the scan of 100 × 420 px"
        case "a negative":
            page = np.full((420, 260), 255, np.uint8)
            print_curve(page, np.arange(430), position(np.arange(430)))
            write_picture(well / "bad.png", 255 - page)
            return labels, CalibrationError, "bad.png: the track .* not on the paper of a log"
        case "LAS of another well":
            write_las(well, lambda y: position(-y))
            return labels, LabelError, "well.las: GR lies on ink in .*% of the .* columns"
    raise AssertionError(case)


@pytest.mark.parametrize(
    "case",
    [
        *("truncated PNG", "TIFF with a lying header", "0-byte mask", "mask of another size"),
        *("text in a numeric column", "LAS of other depths", "track outside the picture"),
        *("a negative", "LAS of another well"),
    ],
)
def test_bad_input_stops_with_its_own_error_and_leaves_nothing(well, case):
    (well / "bad.png").write_bytes((well / "well.png").read_bytes())
    labels, error, message = bad(well, case)
    with pytest.raises(error, match=message):
        import_scans(well / "out", [well / "bad.png"], well / "c.toml", labels)
    assert not (well / "out").exists()


@pytest.mark.parametrize("case", ["truncated PNG", "track outside the picture"])
def test_a_scan_that_cannot_be_imported_is_passed_over_as_asked(well, case):
    (well / "bad.png").write_bytes((well / "well.png").read_bytes())
    labels, _, message = bad(well, case)
    said = []
    scans = [well / "bad.png", well / "well.png"]
    done = import_scans(
        well / "out", scans, well / "c.toml", labels, on_error="skip", report=said.append
    )
    assert [one.scan for one in done] == ["well.png"]
    assert len(said) == 1
    assert message.split(":")[0].split(".*")[0] in said[0]
    split = Archive.open(well / "out").split("train")
    assert len(split) == 1
    assert verify(split).faults == ()
    with pytest.raises(LabelError, match="none of 1 scans"):
        import_scans(well / "none", scans[:1], well / "c.toml", labels, on_error="skip")


SECOND = """
[[track.curve]]
mnemonic = "SP"
las = "GR"
left = 0
right = 150
"""


@pytest.mark.parametrize("where", ["in its table", "in a table of its own"])
def test_two_curves_of_one_class_in_one_place_have_no_masks(well, where):
    """A curve of no class is the solid one, and a broken style is class 2."""
    path = well / "c.toml"
    second = SECOND
    if where != "in its table":
        second = TOML[TOML.index("[[track]]") : TOML.index("[[track.curve]]")] + SECOND
    for n, style in enumerate(("", 'style = "solid"\n', "curve_class = 1\n")):
        path.write_text(TOML + second + style)
        with pytest.raises(LabelError, match=r"c.toml: GR and SP are both curve_class 1 of one"):
            import_scans(
                well / f"no {n}", [well / "well.png"], path, LasLabels(path=well / "well.las")
            )
    path.write_text(TOML + second + 'style = "long-dash"\n')
    found = import_scans(well / "a", [well / "well.png"], path, LasLabels(path=well / "well.las"))
    assert [(one.mnemonic, one.curve) for one in found] == [("GR", 1), ("SP", 2)]


def test_a_scan_on_its_side_is_labelled_alike(well):
    page = np.array(Image.open(well / "well.png"))
    write_picture(well / "lying.png", to_depth_right(page))
    lying = TOML.replace('"down"', '"right"').replace(
        "left = 20\nright = 220\ntop = 10\nbottom = 390",
        "left = 10\nright = 390\ntop = 39\nbottom = 239",
    )
    (well / "lying.toml").write_text(lying)
    labels = LasLabels(path=well / "well.las")
    import_scans(well / "a", [well / "well.png"], well / "c.toml", labels)
    import_scans(well / "b", [well / "lying.png"], well / "lying.toml", labels)
    a, b = (Archive.open(well / name).split("train").log(0) for name in "ab")
    np.testing.assert_array_equal(a.mask, b.mask)
    np.testing.assert_array_equal(a.grey, b.grey)

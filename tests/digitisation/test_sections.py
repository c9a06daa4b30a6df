"""A scan of several depth sections gives a set of files of each, which say where they come from."""

import hashlib
import json
import re
import tomllib
from dataclasses import replace

import cv2
import lasio
import numpy as np
import pytest
import torch

import veernet
from networks import SeesInk
from veernet import Digitisation, digitise, load_weights, save_weights
from veernet.data.raster import read_grey, write_picture
from veernet.digitisation import digitise_file, read_calibration, read_calibrations
from veernet.digitisation.calibration import calibrations_of
from veernet.digitisation.origin import origin_of
from veernet.errors import CalibrationError, LabelError, OptionError
from veernet.label import LasLabels, import_scans

VERSION = veernet.__version__

TOML = """
depth_axis = "down"
size = [260, 900]

[[section]]
name = "main"
[section.depth]
step = 0.5
ties = [[10.0, 1000.0], [410.0, 1040.0]]
[[section.track]]
left = 20
right = 220
top = 10
bottom = 410
[[section.track.curve]]
mnemonic = "GR"
left = 0
right = 150

[[section]]
name = "repeat-5"
[section.depth]
unit = "m"
step = 0.1
ties = [[500.0, 2000.0], [880.0, 2019.0]]
[[section.track]]
left = 20
right = 220
top = 500
bottom = 880
[[section.track.curve]]
mnemonic = "GR"
left = 0
right = 150
[[section.track.curve.change]]
depth = 2009.99
left = 100
right = 1000
scale = "log"
"""


def position(y):
    """Where the drawn curve is across the track, 0 to 1, in image row y."""
    return 0.5 + 0.3 * np.sin(y / 40)


@pytest.fixture
def scan(tmp_path):
    """A curve of 3 px ink down the whole page, and its calibration."""
    page = np.full((900, 260), 255, np.uint8)
    y = np.arange(900)
    points = np.stack([20 + 200 * position(y), y], axis=1)
    cv2.polylines(page, [np.rint(16 * points).astype(np.int32)], False, 0, 3, cv2.LINE_AA, shift=4)
    write_picture(tmp_path / "well.png", page)
    (tmp_path / "c.toml").write_text(TOML)
    return tmp_path / "well.png"


def test_each_section_has_its_own_depths_scale_and_files(scan, tmp_path):
    written = digitise_file(scan, tmp_path / "c.toml", SeesInk(), tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_file()) == sorted(
        f"well.{name}.{end}"
        for name in ("main", "repeat-5")
        for end in ("las", "csv", "300.csv", "GR.png")
    )
    assert {*written.files} == {path for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert [one.section for one in written.summaries] == ["main", "repeat-5"]
    main, repeat = (lasio.read(one.las) for one in written.sections)
    rows = np.interp(main["DEPT"], [1000, 1040], [10, 410])
    np.testing.assert_allclose(main["GR"] / 150, position(rows), atol=1 / 200)
    depth = repeat["DEPT"]
    assert (depth[0], depth[-1], len(depth)) == (2000, 2019, 191)
    there, deep = position(np.interp(depth, [2000, 2019], [500, 880])), depth > 2009.99
    np.testing.assert_allclose(repeat["GR"][~deep] / 150, there[~deep], atol=1 / 200)
    np.testing.assert_allclose(np.log10(repeat["GR"][deep] / 100), there[deep], atol=1 / 200)


def test_a_section_is_read_alone_where_it_is_named(scan, tmp_path):
    path = tmp_path / "c.toml"
    written = digitise_file(scan, path, SeesInk(), tmp_path / "out")
    found = digitise(scan, path, SeesInk(), section="repeat-5")
    assert isinstance(found, Digitisation)
    read = lasio.read(written.sections[1].las)
    np.testing.assert_allclose(found.values[0], read["GR"], atol=1e-5)
    assert found.calibration == read_calibrations(path)[1] == read_calibration(path, "repeat-5")
    with pytest.raises(CalibrationError, match=r"c.toml: has several sections, main, repeat-5: n"):
        digitise(scan, path, SeesInk())
    with pytest.raises(CalibrationError, match=r"c.toml: no section 'log'; it has main, repeat-5"):
        read_calibration(path, "log")
    with pytest.raises(CalibrationError, match="no section 'main'; it has repeat-5"):
        digitise(scan, found.calibration, SeesInk(), section="main")


def test_the_files_of_all_sections_are_written_or_none(scan, tmp_path):
    """The second section leaves the scan."""
    path, out = tmp_path / "c.toml", tmp_path / "out"
    path.write_text(TOML.replace("bottom = 880", "bottom = 980"))
    with pytest.raises(CalibrationError, match=r"c.toml: the track ends at x = 220, y = 980"):
        digitise_file(scan, path, SeesInk(), out)
    assert not out.exists()
    path.write_text(TOML)
    digitise_file(scan, path, SeesInk(), out)
    (out / "well.main.las").unlink()
    with pytest.raises(OptionError, match=r"well.main.csv: exists"):
        digitise_file(scan, path, SeesInk(), out)


def test_a_section_is_read_back_as_it_was_written():
    for one in calibrations_of(tomllib.loads(TOML), where="c"):
        assert calibrations_of(tomllib.loads(one.to_toml()), where="c") == (one,)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"repeat-5"', '"MAIN"', "sections need different names.* got main, MAIN"),
        ('"repeat-5"', '"the repeat"', "section the repeat: the name of a section is of"),
        ('name = "main"', "", 'section 1 needs a name, such as name = "repeat"'),
        ('name = "main"', "name = 1", "section 1 needs a name"),
        ('name = "main"', 'name = "main"\nsize = [1, 2]', "section main: size is common to all"),
        ("size = [260, 900]", "[depth]\nstep = 1", "c: depth outside the sections; each section"),
        ("[[section]]", "[[sections]]", r"c: sections: no such name here; it is written \[\[sec"),
        ("section.track", "section.tracks", r"tracks: no such name .* \[\[track\]\]"),
        ("track.curve]]", "track.curves]]", r"curves: no such name .* \[\[track.curve\]\]"),
        ("curve.change]]", "curve.changes]]", r"changes: .* \[\[track.curve.change\]\]"),
        ("ties = [[500.0", "tie = [[500.0", "c: section repeat-5: depth.tie"),
    ],
)
def test_sections_that_cannot_be_told_apart_or_are_misspelt_are_refused(old, new, said):
    text = TOML.replace(old, new)
    for part in ("depth", "track"):
        text = (
            text.replace(f"[section.{part}", f"[sections.{part}") if "sections]]" in text else text
        )
    with pytest.raises(CalibrationError, match=said):
        calibrations_of(tomllib.loads(text), where="c")


def test_one_table_in_place_of_sections_is_refused():
    with pytest.raises(CalibrationError, match=r"sections are written \[\[section\]\]"):
        calibrations_of({"section": {"name": "main"}}, where="c")
    with pytest.raises(CalibrationError, match="at most 100"):
        calibrations_of({"section": [{"name": f"s{n}"} for n in range(101)]}, where="c")


def test_labels_are_imported_for_one_section(scan, tmp_path):
    with pytest.raises(LabelError, match=r"c.toml: has several sections, main, repeat-5, and"):
        import_scans(
            tmp_path / "a", [scan], tmp_path / "c.toml", LasLabels(path=tmp_path / "none.las")
        )


def sha(data):
    return hashlib.sha256(data).hexdigest()


def test_the_las_file_and_the_json_name_weights_scan_and_calibration(
    scan, tmp_path, veernet, capsys
):
    words = "digitise", scan, "--calibration", tmp_path / "c.toml", "--device", "cpu"
    model = load_weights()
    save_weights(tmp_path / "mine.safetensors", model)
    more = "--weights", tmp_path / "mine.safetensors", "--out", tmp_path / "out", "--json"
    assert veernet(*words, *more) == 0
    origin = json.loads(capsys.readouterr().out)["origin"]
    digests = {
        name: {"name": file, "sha256": sha((tmp_path / file).read_bytes())}
        for name, file in (
            ("weights", "mine.safetensors"),
            ("scan", "well.png"),
            ("calibration", "c.toml"),
        )
    }
    assert origin == {"version": VERSION, **digests}
    told = lasio.read(tmp_path / "out" / "well.repeat-5.las").other.splitlines()
    assert told[:4] == [
        f"VeerNet {VERSION}; weights mine.safetensors sha256 {digests['weights']['sha256']}",
        f"scan well.png sha256 {digests['scan']['sha256']}",
        f"calibration c.toml sha256 {digests['calibration']['sha256']}",
        "section repeat-5",
    ]


def test_what_is_in_memory_is_named_by_its_content(scan, tmp_path):
    model, settings = SeesInk(), read_calibration(tmp_path / "c.toml", "main")
    page = read_grey(scan)

    def origin(page=page, settings=settings, model=model):
        return digitise(page, settings, model).origin

    first = origin()
    assert first == origin(page.copy())
    assert first.weights.name == first.scan.name == first.calibration.name == "in memory"
    assert first.calibration.sha256 == sha(settings.to_toml().encode())
    lighter = page.copy()
    lighter[0, 0] -= 1
    assert origin(lighter) == replace(first, scan=origin(lighter).scan) != first
    turned = origin_of(page.reshape(page.shape[::-1]), settings, model)
    assert turned.scan != first.scan  # the same bytes in another shape
    other = SeesInk()
    other.load_state_dict(model.state_dict())
    assert origin(model=other) == first
    with torch.no_grad():
        next(other.parameters()).view(-1)[0] += 1
    assert origin(model=other).weights != first.weights
    assert all(re.fullmatch("[0-9a-f]{64}", one.sha256) for one in (first.weights, first.scan))


def test_the_edge_that_is_written_is_that_of_its_depth(scan, tmp_path):
    """A page black at the right edge throughout: 150, and from the change on 1000."""
    page = np.full((900, 260), 255, np.uint8)
    page[:, 219:222] = 0
    settings = read_calibration(tmp_path / "c.toml", "repeat-5")
    found = digitise(page, settings, SeesInk(), off_scale="edge")
    assert (found.beyond == 1).all()
    np.testing.assert_allclose(found.values[0], np.where(found.depth < 2009.99, 150, 1000))

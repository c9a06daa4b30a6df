"""Files that an older version wrote are read, and give the numbers that they gave then."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from processor import processor
from veernet.las import read_las

HERE = Path(__file__).parent
EXPECTED = HERE / "expected"


SAME_BITS = processor() == (EXPECTED / "processor.txt").read_text().strip()


def check_same(found, expected, tolerance=1e-3):
    """Check numbers: to the bit on the processor that made them, to rounding on another."""
    bound = 0 if SAME_BITS else tolerance
    np.testing.assert_allclose(found, expected, rtol=bound, atol=bound)


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A copy to work on, and in: its run names its archive from there."""
    shutil.copytree(HERE / "written", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def numbers(value):
    """Numbers of nested JSON in its order, whatever they are called."""
    match value:
        case dict():
            return [number for one in value.values() for number in numbers(one)]
        case list():
            return [number for one in value for number in numbers(one)]
        case bool() | int() | float():
            return [float(value)]
        case _:
            return []


def test_a_run_of_an_older_version_is_evaluated(written, veernet, capsys):
    assert veernet("evaluate", "run", "--split", "val", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    check_same(numbers(found), numbers(json.loads((EXPECTED / "evaluated.json").read_text())))


def test_a_run_of_an_older_version_goes_on_to_the_weights_that_it_would_have_had(written, veernet):
    assert veernet("train", "--resume", "run") == 0
    for name, expected in (("best", "best"), ("checkpoints/00000009", "00000009")):
        found = load_file(written / f"run/{name}.safetensors")
        then = load_file(EXPECTED / f"{expected}.safetensors")
        assert found.keys() == then.keys()
        for key, value in then.items():
            check_same(found[key].astype(float), value.astype(float))
    told = [
        [json.loads(line) for line in path.read_text().splitlines()]
        for path in (written / "run/log.jsonl", EXPECTED / "log.jsonl")
    ]
    found, then = ([row["loss"] for row in rows if row["kind"] == "step"] for rows in told)
    check_same(found, then)


def test_a_step_of_an_older_version_that_went_wrong_is_taken_again(written, veernet, capsys):
    assert veernet("replay", "wild/faults/00000002", "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(
        (EXPECTED / "replayed.json").read_text()
    )


@pytest.mark.parametrize(
    ("expected", "options"),
    [("pretrained", ("--confidence",)), ("by_run", ("--weights", "run", "--off-scale", "edge"))],
)
def test_a_scan_with_a_calibration_of_an_older_version_is_digitised(
    written, veernet, expected, options
):
    calibration = ("--calibration", "scan/calibration.toml", "--out", "digitised")
    assert veernet("digitise", "scan/scan.png", *calibration, *options) == 0
    found, then = (
        read_las(path) for path in (written / "digitised/scan.las", EXPECTED / f"{expected}.las")
    )
    check_same(found.depth, then.depth)
    assert found.curves.keys() == then.curves.keys()
    together = {"GR", "ILD"}  # two curves of a track, whose values are others now
    for mnemonic, values in then.curves.items():
        if mnemonic.removesuffix("_CONF") in together:
            assert np.isfinite(found.curves[mnemonic]).mean() > 0.3
        else:
            check_same(found.curves[mnemonic], values)


def test_an_archive_that_an_older_version_drew_goes_on_with_its_look(written, veernet, capsys):
    for name, more in (("archive", ()), ("drawn", ("--on-the-fly", "--crop", 64, 90))):
        size = ("--height", 40, 56, "--width", *((200, 260) if more else (90, 150)))
        counts = (
            ("--train", 3, "--val", 1, "--test", 1)
            if more
            else ("--train", 5, "--val", 2, "--test", 2)
        )
        (written / name / "test" / "metadata.jsonl").unlink()
        look = ("--seed", 7, "--appearance", "look.toml")
        assert veernet("synth", name, *counts, *size, *more, *look) == 0
        for path in (HERE / "written" / name).glob("**/*.*"):
            if path.is_file() and path.name != "archive.json":
                assert (
                    written / path.relative_to(HERE / "written")
                ).read_bytes() == path.read_bytes()


def test_archives_of_an_older_version_are_verified_and_merged(written, veernet, capsys):
    for name in ("archive", "drawn"):
        assert veernet("inspect", name) == 0
    assert veernet("merge", "merged", "archive", "drawn") == 0
    assert veernet("report", "run", "--out", "report.html") == 0
    assert capsys.readouterr().err == ""

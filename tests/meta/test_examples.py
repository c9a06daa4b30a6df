"""Examples in docstrings run, and so do those in the folder of examples."""

import doctest
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import veernet

EXAMPLES = Path(__file__).parents[2] / "examples"

SHOWN = (
    "digitise",
    "load_weights",
    "Calibration",
    "read_calibration",
    "read_calibrations",
    "open_archive",
    "evaluate",
    "seal",
    "collate",
    "Schedule",
    "ScheduleSampler",
    "train_step",
)


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.usefixtures("world")
def test_the_example_of_a_public_name_prints_what_it_says(name):
    names = {name: getattr(veernet, name) for name in veernet.__all__} | {"torch": torch}
    (test, *_) = doctest.DocTestFinder(recurse=False).find(names[name], name, globs=names)
    assert test.examples
    lines: list[str] = []
    result = doctest.DocTestRunner().run(test, out=lines.append)
    assert result.failed == 0, "".join(lines)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_runs(path, tmp_path):
    words = [sys.executable, str(path), str(tmp_path)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

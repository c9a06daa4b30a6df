"""Damaged files are read or refused by name: no reader crashes, hangs, or raises anything else."""

import fuzz
import pytest


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds") / "all"
    folder.mkdir()
    fuzz.seeds(folder)
    return folder


def test_whole_files_are_read(seeds, tmp_path):
    for kind, chosen in fuzz.readers(seeds).items():
        for number, (path, put, read) in enumerate(chosen):
            work = tmp_path / f"{kind} {number}"
            work.mkdir()
            read(put(work, seeds, path.read_bytes()), seeds)


@pytest.mark.parametrize(
    "kind",
    [
        "image",
        "second page",
        "metadata",
        "curves",
        "calibration",
        "LAS",
        "mask",
        "polylines",
        "checkpoint",
        "config",
        "look",
    ],
)
def test_damaged_files_are_read_or_refused_by_name(seeds, kind):
    found = fuzz.fuzz(seeds, kind, 40)
    assert found["faults"] == {}
    assert found["read"] + found["refused"] == 40

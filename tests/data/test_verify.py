"""Verification finds every kind of damage, names it, and counts what is whole."""

import shutil

import numpy as np
import pytest
from PIL import Image

from veernet import Archive
from veernet.data.verify import verify


@pytest.fixture
def split(small_archive, tmp_path):
    shutil.copytree(small_archive, tmp_path / "archive")
    return Archive.open(tmp_path / "archive").split("train")


def test_a_whole_split_has_no_fault_and_its_classes_are_counted(split):
    found = verify(split, workers=2)
    masks = [split.log(i).mask for i in range(len(split))]
    assert found.faults == ()
    assert found.pixels == tuple(sum(int((mask == c).sum()) for mask in masks) for c in range(3))
    assert sum(found.shares) == pytest.approx(1)


def test_the_narrowest_emptiest_and_darkest_logs_are_named_with_their_figures(split):
    """A damaged log is in none of the lists; of a log half as wide, half the pixels are as many."""
    damage(split.folder / split.rows[2].files[0], "one bit")
    whole = [split.log(i) for i in (0, 1, 3, 4)]
    names = [split.rows[i].file_name for i in (0, 1, 3, 4)]
    found = verify(split)
    figures = {
        "narrowest": ("width", [log.grey.shape[1] for log in whole]),
        "emptiest": (
            "curve_pixels_per_column",
            [((log.mask == 1) | (log.mask == 2)).mean() * len(log.mask) for log in whole],
        ),
        "darkest": ("darkness", [1 - log.grey.mean() / 255 for log in whole]),
    }
    for word, (figure, expected) in figures.items():
        order = np.argsort(expected, kind="stable")[:: -1 if word == "darkest" else 1][:3]
        logs = getattr(found, word)
        assert [log.file_name for log in logs] == [names[i] for i in order]
        for log, i in zip(logs, order, strict=True):
            assert getattr(log, figure) == pytest.approx(expected[i], abs=1e-9)
            assert (log.height, log.width) == whole[i].grey.shape


def damage(path, how):
    whole = path.read_bytes()
    match how:
        case "one bit":  # of the header, where nothing but the digest tells
            picture = np.array(Image.open(path))
            picture[0, 0] ^= 1
            Image.fromarray(picture).save(path)
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "empty":
            path.write_bytes(b"")
        case "gone":
            path.unlink()


@pytest.mark.parametrize("how", ["one bit", "cut", "empty", "gone"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_damaged_file_is_named_and_the_others_are_still_looked_at(split, how, which):
    path = split.folder / split.rows[1].files[which]
    damage(path, how)
    seen = []
    found = verify(split, advance=lambda: seen.append(1))
    assert len(found.faults) == 1
    assert str(path) in found.faults[0]
    assert len(seen) == len(split)

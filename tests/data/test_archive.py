"""An archive gives back what was written, and says what is wrong with it."""

import json
import re
import shutil
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from veernet import Archive
from veernet.data.batch import to_ink
from veernet.data.raster import write_picture
from veernet.data.writing import begun
from veernet.errors import ArchiveError, ImageError
from veernet.files import atomic_write


@pytest.fixture
def archive(small_archive, tmp_path):
    """A copy that may be damaged."""
    shutil.copytree(small_archive, tmp_path / "archive")
    return Archive.open(tmp_path / "archive")


def test_what_was_drawn_is_read_back_bit_for_bit(small_archive, small_logs):
    numbers = iter(range(9))
    for name in ("train", "val", "test"):
        split = Archive.open(small_archive).split(name)
        for i in range(len(split)):
            drawn, read = small_logs.log(next(numbers)), split.log(i)
            np.testing.assert_array_equal(read.grey, drawn.grey)
            np.testing.assert_array_equal(read.mask, drawn.mask)
            np.testing.assert_array_equal(read.curves.rows, drawn.curves.rows)
            np.testing.assert_array_equal(read.curves.values, drawn.curves.values)


def test_a_scan_is_the_ink_of_the_picture(archive):
    split = archive.split("train")
    scan, log = split[2], split.log(2)
    assert torch.equal(scan.image, to_ink(log.grey))
    np.testing.assert_array_equal(255 - scan.image[0].numpy(), log.grey)
    np.testing.assert_array_equal(scan.target.numpy(), log.mask)


def test_the_metadata_alone_tells_the_sizes(archive):
    split = archive.split("train")
    shutil.rmtree(archive.root / "train" / "images")
    assert split.sizes.shape == (5, 2)
    np.testing.assert_array_equal(archive.split("train").sizes, split.sizes)


def test_the_layout_is_an_image_folder(archive):
    """`metadata.jsonl` beside the pictures, with a `file_name` that leads to one."""
    folder = archive.root / "val"
    for line in (folder / "metadata.jsonl").read_text().splitlines():
        row = json.loads(line)
        with Image.open(folder / row["file_name"]) as picture:
            assert picture.size == (row["width"], row["height"])
        with Image.open(folder / row["mask_file_name"]) as mask:
            assert mask.mode == "P"


def test_a_missing_archive_says_how_to_make_one(tmp_path):
    with pytest.raises(ArchiveError, match="no archive here .*veernet synth"):
        Archive.open(tmp_path)


def test_an_unfinished_split_is_not_opened(archive):
    (archive.root / "val" / "metadata.jsonl").unlink()
    assert [*archive.splits()] == ["train", "test"]
    with pytest.raises(ArchiveError, match=r"val/metadata.jsonl: missing"):
        archive.split("val")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "the split has no logs"),
        ("[1]\n", "damaged"),
        ("{\n", "damaged"),
        ('{"file_name": "a.png"', "damaged .*cut off"),
        ('{"file_name": "a.png"}\n', "mask_file_name: missing"),
    ],
)
def test_damaged_metadata_is_named(archive, content, found):
    (archive.root / "val" / "metadata.jsonl").write_text(content)
    with pytest.raises(ArchiveError, match=f"val/metadata.jsonl: .*{found}"):
        archive.split("val")


def test_a_mask_of_another_size_is_refused(archive):
    split = archive.split("train")
    h, w = split.sizes[0].tolist()
    path = split.folder / split.rows[0].mask_file_name
    Image.new("P", (w, h + 1)).save(path)
    with pytest.raises(ImageError, match=rf"{path.name}: {h + 1} × {w} px .*says {h} × {w}"):
        split[0]


def test_an_unknown_class_is_refused(archive):
    split = archive.split("train")
    path = split.folder / split.rows[0].mask_file_name
    h, w = split.sizes[0].tolist()
    write_picture(path, np.full((h, w), 7, np.uint8), palette=bytes(768))
    with pytest.raises(ArchiveError, match=r"index 7, where the log has 0 to 2"):
        split[0]


def test_a_missing_picture_is_named(archive):
    split = archive.split("train")
    (split.folder / split.rows[1].file_name).unlink()
    with pytest.raises(ImageError, match="000001.tif: no such picture"):
        split[1]


def test_curves_that_do_not_fit_are_refused(archive):
    split = archive.split("train")
    path = split.folder / split.rows[0].curves_file
    np.savez(path, rows=np.zeros((2, 3)), values=np.zeros((2, 3)))
    with pytest.raises(ArchiveError, match=r"curves of shape \(2, 3\)"):
        split.log(0)
    path.write_bytes(b"PK")
    with pytest.raises(ArchiveError, match="not a readable file of curves"):
        split.log(0)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").touch()
    begin = partial(begun, tmp_path, classes=("background", "curve 1"), made_by={})
    with pytest.raises(ArchiveError, match="not empty, and no archive"), begin():
        pass
    (tmp_path / "archive.json").write_text("{")
    with pytest.raises(ArchiveError, match="archive.json: damaged"), begin():
        pass


def test_a_folder_left_by_a_kill_in_the_first_moment_is_begun_in(tmp_path):
    """Whatever makes archives begins in a folder that is empty, or holds half of archive.json."""
    begin = partial(begun, tmp_path / "all", classes=("background", "curve 1"), made_by={"seed": 1})
    with atomic_write(tmp_path / "all" / "archive.json") as half:
        half.write_text("{")
        left = half.with_name(re.sub(r"-\d+-", f"-{2**22 + 1}-", half.name, count=1))
        shutil.copy(half, left)
    left.with_name("archive.json").unlink()
    with begin() as made_by:
        assert made_by == {"seed": 1}
    assert [path.name for path in left.parent.iterdir()] == ["archive.json"]


def test_one_of_two_that_begin_in_a_folder_at_once_wins(tmp_path):
    begin = partial(begun, tmp_path, classes=("background", "curve 1"))
    with begin(made_by={"seed": 1}):
        before = (tmp_path / "archive.json").read_bytes()
        for seed in (1, 2):
            other = begin(made_by={"seed": seed})
            with pytest.raises(ArchiveError, match="another process makes an archive"), other:
                pass
    assert (tmp_path / "archive.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["archive.json"]


def test_other_settings_do_not_mix_into_an_archive(archive):
    asked = begun(archive.root, classes=archive.classes, made_by={**archive.made_by, "seed": 1})
    with pytest.raises(ArchiveError, match=r"made_by.seed: found None, asked for 1"), asked:
        pass


def test_opening_an_archive_on_disk_imports_no_generator_nor_does_training(small_archive):
    code = (
        "import sys; from pathlib import Path; import veernet.train.trainer\n"
        "from veernet.synth.opening import open_archive\n"
        f"open_archive(Path({str(small_archive)!r}))\n"
        "print(*{'veernet.synth.generator', 'veernet.synth.paint', 'matplotlib'} & {*sys.modules})"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""

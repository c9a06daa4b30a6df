"""Making an archive can be interrupted anywhere and run again."""

import hashlib

import pytest
import torch

from veernet.data.archive import Archive
from veernet.errors import ArchiveError, OptionError
from veernet.synth.logs import SynthLogs
from veernet.synth.make import make, open_archive

LOGS = SynthLogs(height=(32, 40), width=(64, 80), seed=1)


def files(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_is_whole_is_kept_and_what_is_missing_is_made_the_same(tmp_path):
    make(tmp_path, LOGS, (3, 1, 1), workers=2)
    whole = files(tmp_path)
    kept = tmp_path / "train" / "images" / "000001.tif"
    time = kept.stat().st_mtime_ns
    (tmp_path / "train" / "images" / "000002.tif").unlink()
    (tmp_path / "train" / "metadata.jsonl").unlink()
    (tmp_path / "val" / "metadata.jsonl").unlink()
    (tmp_path / "val" / "images" / "000003.tif").unlink()
    (tmp_path / "val" / "masks" / "000003.tif").unlink()
    make(tmp_path, LOGS, (3, 1, 1))
    assert files(tmp_path) == whole
    assert kept.stat().st_mtime_ns == time


def test_an_interruption_does_not_wait_for_the_logs_that_are_left(tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, LOGS, (400, 1, 1), advance=interrupt)
    assert 1 <= len([*tmp_path.rglob("images/*.tif")]) <= 200


def test_other_settings_are_refused_before_anything_is_written(tmp_path):
    make(tmp_path, LOGS, (1, 1, 1))
    before = files(tmp_path)
    with pytest.raises(ArchiveError, match=r"synth.seed: found 1, asked for 2"):
        make(tmp_path, SynthLogs(height=(32, 40), width=(64, 80), seed=2), (1, 1, 1))
    assert files(tmp_path) == before


def test_an_archive_without_logs_is_refused(tmp_path):
    with pytest.raises(OptionError, match="at least one log"):
        make(tmp_path / "none", LOGS, (0, 1, 1))
    assert not (tmp_path / "none").exists()


def test_logs_drawn_on_the_fly_have_the_pixels_of_those_in_files(
    small_archive, small_logs, tmp_path
):
    make(tmp_path, small_logs, (5, 2, 2), on_the_fly=True)
    assert not [*tmp_path.rglob("*.tif")]
    drawn, read = open_archive(tmp_path), open_archive(small_archive)
    for name in ("train", "val", "test"):
        for i in range(len(read.split(name))):
            a, b = drawn.split(name)[i], read.split(name)[i]
            assert torch.equal(a.image, b.image)
            assert torch.equal(a.target, b.target)


def test_an_archive_that_is_drawn_needs_who_draws(small_logs, tmp_path):
    make(tmp_path, small_logs, (1, 0, 0), on_the_fly=True)
    with pytest.raises(ArchiveError, match="its logs are drawn"):
        Archive.open(tmp_path).split("train")


@pytest.mark.parametrize("pictures", ["tif", "png"])
def test_a_digest_is_that_of_the_file(small_logs, tmp_path, pictures):
    make(tmp_path, small_logs, (2, 0, 0), pictures=pictures)
    split = open_archive(tmp_path).split("train")
    for row in split.rows:
        digests = [hashlib.sha256((split.folder / f).read_bytes()).hexdigest() for f in row.files]
        assert [*row.sha256] == digests

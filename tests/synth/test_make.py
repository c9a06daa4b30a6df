"""Making an archive can be interrupted anywhere and run again."""

import pytest

from veernet.errors import ArchiveError, OptionError
from veernet.synth.logs import SynthLogs
from veernet.synth.make import make

LOGS = SynthLogs(height=(32, 40), width=(64, 80), seed=1)


def files(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_is_whole_is_kept_and_what_is_missing_is_made_the_same(tmp_path):
    make(tmp_path, LOGS, (3, 1, 1), workers=2)
    whole = files(tmp_path)
    kept = tmp_path / "train" / "images" / "000001.png"
    time = kept.stat().st_mtime_ns
    (tmp_path / "train" / "images" / "000002.png").unlink()
    (tmp_path / "train" / "metadata.jsonl").unlink()
    (tmp_path / "val" / "metadata.jsonl").unlink()
    (tmp_path / "val" / "images" / "000003.png").unlink()
    (tmp_path / "val" / "masks" / "000003.png").unlink()
    make(tmp_path, LOGS, (3, 1, 1))
    assert files(tmp_path) == whole
    assert kept.stat().st_mtime_ns == time


def test_an_interruption_does_not_wait_for_the_logs_that_are_left(tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, LOGS, (400, 1, 1), advance=interrupt)
    assert 1 <= len([*tmp_path.rglob("images/*.png")]) <= 200


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

"""Making an archive can be interrupted anywhere and run again."""

import hashlib
import json
import re
import shutil
import signal
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import lasio
import numpy as np
import pytest
import torch

from veernet.data.archive import Archive
from veernet.data.verify import verify
from veernet.errors import ArchiveError, ArchiveWarning, OptionError
from veernet.synth import generator, logs, paint
from veernet.synth.generator import generator_of
from veernet.synth.logs import SynthLogs
from veernet.synth.make import make
from veernet.synth.opening import open_archive

LOGS = SynthLogs(height=(32, 40), width=(64, 80), seed=1)
DRAWN = SynthLogs(height=(80, 100), width=(200, 300), seed=3)


def files(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An archive of 3 + 1 + 1 logs; read only."""
    root = tmp_path_factory.mktemp("made")
    make(root, LOGS, (3, 1, 1), workers=2)
    return root


@pytest.fixture
def copied(made, tmp_path):
    """A copy of it that may be damaged."""
    shutil.copytree(made, tmp_path / "archive")
    return tmp_path / "archive"


def times(root):
    return {path: path.stat().st_mtime_ns for path in root.glob("*/*/*")}


def flip(path):
    """Change one bit of a file, where it does not keep it from being opened."""
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def unfinish(folder, rows):
    """Make a split what a kill leaves that came after so many logs."""
    lines = (folder / "metadata.jsonl").read_text().splitlines(keepends=True)
    (folder / "metadata.jsonl").unlink()
    cut = lines[rows][: len(lines[rows]) // 2] if rows < len(lines) else ""
    (folder / "written.jsonl").write_text("".join(lines[:rows]) + cut)


def test_what_is_whole_is_kept_and_what_is_missing_is_made_the_same(made, copied):
    before = times(copied)
    gone = {copied / "train" / "images" / "000002.tif", copied / "val" / "masks" / "000003.tif"}
    for path in gone:
        path.unlink()
    make(copied, LOGS, (3, 1, 1))
    assert files(copied) == files(made)
    after = times(copied)
    assert {path for path in before if after[path] != before[path]} >= gone
    assert all(after[path] == time for path, time in before.items() if "000001" in path.name)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_changed_file_is_drawn_anew_and_its_digest_is_not_replaced(made, copied, which):
    """What a digest is for: the bytes that were written count, not those that are there."""
    path = copied / "train" / Archive.open(copied).split("train").rows[1].files[which]
    flip(path)
    make(copied, LOGS, (3, 1, 1))
    assert files(copied) == files(made)


@pytest.mark.parametrize(
    "change",
    [
        {"mask_file_name": "masks/000001.tif"},
        {"height": 99},
        {"traits": ["wrapped"]},
        {"curves_file": "curves/000000.npz"},
    ],
)
def test_metadata_that_says_something_else_of_a_log_is_not_believed(made, copied, change):
    path = copied / "train" / "metadata.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[2] |= change
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    make(copied, LOGS, (3, 1, 1))
    assert files(copied) == files(made)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_files_of_a_killed_command_count_as_far_as_their_digests_were_noted(made, copied, rows):
    """One is damaged that was noted, one that was not, one is of another generator."""
    train = copied / "train"
    unfinish(train, rows)
    flip(train / "images" / "000000.tif")
    (train / "curves" / "000001.npz").write_bytes(b"PK")
    shutil.copy(train / "masks" / "000000.tif", train / "masks" / "000002.tif")
    make(copied, LOGS, (3, 1, 1))
    assert files(copied) == files(made)


def test_a_log_that_was_noted_is_not_drawn_again(made, copied):
    unfinish(copied / "train", 2)
    before = times(copied)
    make(copied, LOGS, (3, 1, 1))
    assert files(copied) == files(made)
    changed = {path.stem for path, time in times(copied).items() if time != before[path]}
    assert changed == {"000002"}


def other_generator(root):
    """Have an archive say that something else drew it."""
    header = json.loads((root / "archive.json").read_text())
    header["made_by"]["generator"]["digest"] = "0" * 64
    (root / "archive.json").write_text(json.dumps(header))


def test_another_generator_goes_on_with_nothing_but_finds_what_is_whole_whole(copied):
    other_generator(copied)
    before = files(copied)
    make(copied, LOGS, (3, 1, 1))
    assert files(copied) == before
    unfinish(copied / "val", 0)
    before = files(copied)
    with pytest.raises(ArchiveError, match="made by generator 1 .00000000.*draws other logs"):
        make(copied, LOGS, (3, 1, 1))
    assert files(copied) == before


def test_a_damaged_file_that_would_be_drawn_otherwise_now_is_left_and_named(copied):
    """Here the row's digest is of other bytes than are drawn: as if the generator had changed."""
    path = copied / "train" / "metadata.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[0]["sha256"][1] = "0" * 64
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = files(copied)
    with pytest.raises(ArchiveError, match=r"masks/000000.tif: made anew, it is not the file"):
        make(copied, LOGS, (3, 1, 1))
    assert files(copied) == before


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


def worn_otherwise(monkeypatch, **change):
    degrade = logs.degrade
    monkeypatch.setattr(
        logs, "degrade", lambda rng, wear, page: degrade(rng, replace(wear, **change), page)
    )


def no_hatching(monkeypatch):
    paint_curves = logs.paint_curves

    def paint(page, lines):
        paint_curves(page, [replace(line, layout=replace(line.layout, hatch=0)) for line in lines])

    monkeypatch.setattr(logs, "paint_curves", paint)


def other_noise(monkeypatch):
    worn_otherwise(monkeypatch, grain=3.0)


def no_specks(monkeypatch):
    worn_otherwise(monkeypatch, photocopy=False)


def other_classes(monkeypatch):
    """The pixels of the scan stay as they were."""
    give = paint.paint_class
    monkeypatch.setattr(paint, "paint_class", lambda mask, band, k: give(mask, band, 3 - k))


def other_grid(monkeypatch):
    paint_page = logs.paint_page

    def painted(rng, layout):
        tracks = tuple(replace(track, decades=0, divisions=1) for track in layout.tracks)
        return paint_page(rng, replace(layout, tracks=tracks))

    monkeypatch.setattr(logs, "paint_page", painted)


def other_version(monkeypatch):
    monkeypatch.setattr(generator, "VERSION", generator.VERSION + 1)


CHANGES = [no_hatching, other_noise, no_specks, other_grid, other_classes, other_version]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """An archive whose 6 + 1 logs are drawn where they are read; read only."""
    root = tmp_path_factory.mktemp("drawn")
    make(root, DRAWN, (6, 1, 0), on_the_fly=True)
    return root


@pytest.mark.parametrize("change", CHANGES)
def test_logs_that_are_drawn_do_not_change_unseen_with_what_draws_them(drawn, monkeypatch, change):
    before = open_archive(drawn).splits()
    change(monkeypatch)
    with pytest.warns(ArchiveWarning, match="draws other logs. .*make it anew"):
        after = open_archive(drawn).splits()
    for name, split in after.items():
        assert split.fingerprint != before[name].fingerprint
        (fault,) = verify(split).faults
        assert "draws other logs" in fault


def test_the_same_generator_is_the_same_and_another_goes_on_with_a_word(drawn, tmp_path):
    one, other = (open_archive(drawn).split("train") for _ in range(2))
    assert one.fingerprint == other.fingerprint
    assert verify(one).faults == ()
    shutil.copytree(drawn, tmp_path / "other")
    other_generator(tmp_path / "other")
    before = files(tmp_path / "other")
    with pytest.warns(ArchiveWarning, match="draws other logs"):
        make(tmp_path / "other", DRAWN, (6, 1, 0), on_the_fly=True)
    assert files(tmp_path / "other") == before


def test_curves_from_other_las_files_are_another_generator(tmp_path):
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        file = lasio.LASFile()
        file.append_curve("DEPT", np.arange(400.0), unit="FT")
        file.append_curve("GR", np.random.default_rng(ord(name)).normal(size=400))
        file.write(str(folder / "well.las"), version=2.0)
    first, second = (replace(DRAWN, shapes=str(tmp_path / name)) for name in ("a", "b"))
    assert generator_of(first) != generator_of(second)


def test_an_archive_drawn_by_who_knows_what_is_opened_with_a_word(drawn, tmp_path):
    """It was made before archives recorded what draws their logs."""
    shutil.copytree(drawn, tmp_path / "old")
    header = json.loads((tmp_path / "old" / "archive.json").read_text())
    del header["made_by"]["generator"]
    (tmp_path / "old" / "archive.json").write_text(json.dumps(header))
    with pytest.warns(ArchiveWarning, match="made before archives recorded what draws"):
        split = open_archive(tmp_path / "old").split("train")
    new = open_archive(drawn).split("train")
    assert split.fingerprint == new.fingerprint.partition(", drawn by")[0]
    assert verify(split).faults == ()
    np.testing.assert_array_equal(split.log(0).grey, new.log(0).grey)


def test_a_log_drawn_at_another_size_than_the_metadata_says_is_a_fault(drawn):
    split = open_archive(drawn).split("train")
    split.rows[2] = replace(split.rows[2], width=split.rows[2].width + 1)
    (fault,) = verify(split).faults
    assert re.search(r"train/images/000002.tif: drawn with \d+ × \d+ px, where", fault)


@pytest.mark.parametrize("pictures", ["tif", "png"])
def test_a_digest_is_that_of_the_file(small_logs, tmp_path, pictures):
    make(tmp_path, small_logs, (2, 0, 0), pictures=pictures)
    split = open_archive(tmp_path).split("train")
    for row in split.rows:
        digests = [hashlib.sha256((split.folder / f).read_bytes()).hexdigest() for f in row.files]
        assert [*row.sha256] == digests


def test_ctrl_c_waits_while_processes_that_draw_are_started(tmp_path, monkeypatch):
    """They inherit what is blocked, and are deaf to it while they import."""

    def blocked():
        return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())

    heard, submit = [], ProcessPoolExecutor.submit

    def watched(*job):
        heard.append(blocked())
        started = submit(*job)
        heard.append(blocked())
        return started

    monkeypatch.setattr(ProcessPoolExecutor, "submit", watched)
    make(tmp_path / "archive", LOGS, (1, 1, 0), workers=1)
    assert heard == [True] * 4
    assert not blocked()

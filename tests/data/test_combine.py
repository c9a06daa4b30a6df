"""What is gathered from archives is what was in them."""

import numpy as np
import pytest

from veernet import Archive
from veernet.data.combine import merge, subset
from veernet.data.verify import verify
from veernet.errors import ArchiveError, OptionError
from veernet.synth.logs import SynthLogs
from veernet.synth.make import make
from veernet.synth.opening import open_archive


def files(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def same(a, b):
    for x, y in (
        (a.grey, b.grey),
        (a.mask, b.mask),
        (a.curves.rows, b.curves.rows),
        (a.curves.values, b.curves.values),
    ):
        np.testing.assert_array_equal(x, y)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Two logs that are drawn where they are read, in one split."""
    root = tmp_path_factory.mktemp("drawn")
    make(root, SynthLogs(height=(40, 56), width=(70, 130), seed=9), (2, 0, 0), on_the_fly=True)
    return root


def test_a_merged_archive_holds_the_logs_of_all_one_after_the_other(small_archive, drawn, tmp_path):
    parts = [open_archive(small_archive), open_archive(drawn)]
    seen = []
    merge(tmp_path / "all", parts, pictures="png", workers=2, advance=lambda: seen.append(1))
    merged = Archive.open(tmp_path / "all").splits()
    assert len(seen) == 5 + 2 + 2 + 2
    assert [*merged] == ["train", "val", "test"]
    for name, split in merged.items():
        found = [part.splits()[name] for part in parts if name in part.splits()]
        logs = [old.log(i) for old in found for i in range(len(old))]
        assert len(split) == len(logs)
        for i, log in enumerate(logs):
            same(split.log(i), log)
        assert verify(split).faults == ()
    assert {row.file_name[-4:] for row in merged["train"].rows} == {".tif", ".png"}


def test_a_merge_that_was_stopped_goes_on_and_makes_only_what_is_missing(small_archive, tmp_path):
    def stop():
        raise KeyboardInterrupt

    part, root = [Archive.open(small_archive)], tmp_path / "all"
    with pytest.raises(KeyboardInterrupt):
        merge(root, part, advance=stop)
    kept = {path: path.stat().st_mtime_ns for path in root.rglob("*.tif")}
    assert kept
    assert Archive.open(root).splits() == {}
    merge(root, part)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert [len(split) for split in Archive.open(root).splits().values()] == [5, 2, 2]


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("kill", [False, True])
def test_a_changed_file_of_a_merge_is_made_anew(small_archive, drawn, tmp_path, which, kill):
    """Logs 0 to 4 are copies, 5 and 6 were drawn: one is changed of either kind, one is gone."""
    parts, root = [open_archive(small_archive), open_archive(drawn)], tmp_path / "all"
    merge(root, parts)
    before = files(root)
    rows = Archive.open(root).split("train").rows
    for number in (1, 5):
        path = root / "train" / rows[number].files[which]
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    (root / "train" / rows[6].files[which]).unlink()
    if kill:  # before the last was noted
        metadata = (root / "train" / "metadata.jsonl").read_text()
        (root / "train" / "metadata.jsonl").unlink()
        (root / "train" / "written.jsonl").write_text(metadata[:-9])
    merge(root, parts)
    assert files(root) == before


def test_archives_of_other_classes_do_not_merge(small_archive, tmp_path):
    make(tmp_path / "one", SynthLogs(n_curves=1, height=(40, 40), width=(70, 70)), (1, 0, 0))
    parts = [Archive.open(small_archive), Archive.open(tmp_path / "one")]
    with pytest.raises(ArchiveError, match="background, curve 1, where .*curve 1, curve 2"):
        merge(tmp_path / "all", parts)
    assert not (tmp_path / "all").exists()


def test_damage_is_not_laundered_by_copying(small_archive, tmp_path):
    """Digests are those of the files that were written; what differs is named, and not taken."""
    merge(tmp_path / "a", [Archive.open(small_archive)])
    split = Archive.open(tmp_path / "a").split("val")
    path = split.folder / split.rows[0].curves_file
    np.savez(path, **{name: value + 1 for name, value in np.load(path).items()})
    with pytest.raises(ArchiveError, match=rf"{path}: not the file that was recorded"):
        merge(tmp_path / "b", [Archive.open(tmp_path / "a")])
    assert not (tmp_path / "b" / "val" / split.rows[0].curves_file).exists()
    with pytest.raises(ArchiveError, match=rf"{path}: not the file that was recorded"):
        subset(tmp_path / "c", Archive.open(tmp_path / "a"), {"val": len(split)}, seed=0)


def test_a_subset_is_drawn_by_its_seed_in_the_order_of_the_whole(small_archive, tmp_path):
    whole = Archive.open(small_archive)
    chosen = []
    for seed in range(8):
        subset(tmp_path / str(seed), whole, {"train": 2, "val": 0}, seed=seed)
        part = Archive.open(tmp_path / str(seed))
        assert [*part.splits()] == ["train"]
        digests = [row.sha256 for row in whole.split("train").rows]
        chosen.append(tuple(digests.index(row.sha256) for row in part.split("train").rows))
    assert all(a < b for a, b in chosen)
    assert len(set(chosen)) > 1
    subset(tmp_path / "again", whole, {"train": 2, "val": 0}, seed=0)
    assert (
        Archive.open(tmp_path / "again").split("train").fingerprint
        == Archive.open(tmp_path / "0").split("train").fingerprint
    )


@pytest.mark.parametrize("counts", [{"train": 6}, {"train": -1}, {"train": 0}])
def test_a_subset_of_more_than_there_is_or_of_nothing_is_refused(small_archive, tmp_path, counts):
    with pytest.raises(OptionError):
        subset(tmp_path / "part", Archive.open(small_archive), counts)
    assert not (tmp_path / "part").exists()

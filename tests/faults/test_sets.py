"""What belongs together is replaced together, whatever fails."""

import errno
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
from kills import HOW
from rich.console import Console

from veernet import Archive, VeerNet
from veernet.demo import draw_scan
from veernet.digitisation import digitise_file
from veernet.errors import OptionError
from veernet.evaluation.evaluate import evaluate
from veernet.evaluation.pictures import write_evaluation
from veernet.report.page import write_report
from veernet.synth.appearance import PLAIN
from veernet.synth.logs import SynthLogs
from veernet.train.run import start
from veernet.train.score import EVALUATIONS
from veernet.train.trainer import fit

CPU, QUIET = torch.device("cpu"), Console(quiet=True)


def network(seed):
    torch.manual_seed(seed)
    return VeerNet(HOW.network).eval()


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def full_after(monkeypatch, n):
    """A disk that takes so many files more."""
    left = [n]

    def fsync(_):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.fixture
def scan(tmp_path):
    """A scan and its calibration, of two curves."""
    logs = SynthLogs(height=(64, 64), width=(120, 120), appearance=PLAIN)
    return draw_scan(tmp_path / "scan", logs, number=7)


def without_the_second_curve(calibration):
    text = calibration.read_text()
    calibration.write_text(text[: text.rindex("[[track.curve]]")])


@pytest.mark.parametrize("n", range(4))
def test_an_evaluation_that_the_disk_does_not_take_leaves_the_older_one(
    small_archive, tmp_path, monkeypatch, n
):
    archive = Archive.open(small_archive)
    split, folder = archive.split("test"), tmp_path / "test"

    def write(seed):
        model = network(seed)
        write_evaluation(folder, model, split, evaluate(model, split, range(2)), archive.classes)

    write(0)
    (folder / "mine.png").write_bytes(b"of the user")
    annotated = next(folder.glob("001 of *.png")).stem + " (mine).png"
    (folder / annotated).write_bytes(b"of the user")
    older = files(folder)
    with monkeypatch.context() as patched:
        full_after(patched, n)
        with pytest.raises(OSError, match=rf"No space left on device: '{folder}/"):
            write(3)
    assert files(folder) == older
    write(3)
    newer = files(folder)
    assert newer.keys() != older.keys()
    assert len(newer) == 6
    assert newer["mine.png"] == newer[annotated] == b"of the user"


@pytest.mark.parametrize("n", range(5))
def test_a_digitisation_that_the_disk_does_not_take_leaves_the_older_one(
    scan: tuple[Path, Path], tmp_path, monkeypatch, n
):
    out = tmp_path / "out"
    digitise_file(*scan, network(0), out)
    older = files(out)
    assert len(older) == 5
    without_the_second_curve(scan[1])
    if n < 4:  # of its four files
        with monkeypatch.context() as patched:
            full_after(patched, n)
            with pytest.raises(OSError, match=rf"No space left on device: '{out}/"):
                digitise_file(*scan, network(0), out, overwrite=True)
        assert files(out) == older
    digitise_file(*scan, network(0), out, overwrite=True)
    assert {*older} - {*files(out)} == {"scan.ILD.png"}  # of a curve that is not there any more


def test_of_two_scans_of_one_name_digitised_at_once_one_wins_and_the_other_is_told(
    scan: tuple[Path, Path], tmp_path, monkeypatch
):
    """The second is as fast as the first, and begins after it and ends before."""
    at, out = sys.modules["veernet.digitisation.files"], tmp_path / "out"
    other = tmp_path / "other"
    shutil.copytree(scan[0].parent, other)
    without_the_second_curve(other / "calibration.toml")
    real = at.digitise_picture

    def slow(*args, **kwargs):
        monkeypatch.setattr(at, "digitise_picture", real)
        digitise_file(other / "scan.png", other / "calibration.toml", network(0), out)
        return real(*args, **kwargs)

    monkeypatch.setattr(at, "digitise_picture", slow)
    with pytest.raises(OptionError, match=r"scan.las: exists; choose another folder"):
        digitise_file(*scan, network(0), out)
    assert sorted(files(out)) == ["scan.300.csv", "scan.GR.png", "scan.csv", "scan.las"]


def test_a_report_that_the_disk_does_not_take_leaves_the_older_one(
    small_archive, tmp_path, monkeypatch
):
    """Nor is an evaluation shown whose first writing was killed."""
    run = tmp_path / "run"
    start(run, Archive.open(small_archive), HOW)
    assert not fit(run, device=CPU, stop_after=1, console=QUIET)
    (run / EVALUATIONS / "test" / ".veernet-set-0123-killed").mkdir(parents=True)
    page = tmp_path / "report.html"
    write_report(page, run)
    older = page.read_bytes()
    assert not [*(run / EVALUATIONS / "test").iterdir()]
    full_after(monkeypatch, 0)
    with pytest.raises(OSError, match=r"No space left on device: '.*report.html"):
        write_report(page, run)
    assert page.read_bytes() == older

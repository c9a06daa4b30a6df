"""The command line: the whole path on files, and one line for bad input."""

import json
import os
import re
import subprocess
import sys
import warnings
from dataclasses import fields

import lasio
import numpy as np
import pytest
import torch
from PIL import Image

from runs import newest
from veernet import Archive, VeerNet
from veernet.cli import COMMANDS, main
from veernet.data.raster import write_picture
from veernet.errors import ImageWarning
from veernet.recipes import draw_scan
from veernet.synth.logs import SynthLogs

SMALL = ["--height", "32", "40", "--width", "64", "90"]


@pytest.fixture
def veernet(monkeypatch, capsys):
    """Run a command; returns the exit code and what it wrote to both streams."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["veernet", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
        return (code, *capsys.readouterr())

    return run


def test_the_whole_path_from_nothing_to_a_las_file(veernet, tmp_path):
    archive, run, out = tmp_path / "archive", tmp_path / "run", tmp_path / "out"
    counts = ["--train", "4", "--val", "1", "--test", "2", "--workers", "1"]
    assert veernet("synth", archive, *SMALL, *counts)[0] == 0

    code, told, _ = veernet("inspect", archive)
    assert code == 0
    assert "train: 4 logs" in told
    assert "padding:" in told
    assert json.loads(veernet("inspect", archive, "--json")[1])["train"]["logs"] == 4

    assert veernet("merge", tmp_path / "both", archive, archive)[0] == 0
    assert veernet("subset", tmp_path / "part", tmp_path / "both", "--train", 5)[0] == 0
    picture = tmp_path / "part.png"
    code, told, _ = veernet("inspect", tmp_path / "part", "--draw", picture)
    assert code == 0
    assert "train: 5 logs" in told
    assert picture.exists()

    settings = ["--epochs", "2", "--effective-batch", "3", "--workers", "0"]
    code, told, _ = veernet("train", archive, "--out", run, *settings, "--stop-after", 3)
    assert code == 75
    assert f"veernet train --resume {run}" in told
    assert veernet("train", "--resume", run, "--workers", 0)[0] == 0

    tuned = ["--out", tmp_path / "tuned", "--start-from", run, "--epochs", 1, "--workers", 0]
    assert veernet("train", archive, *tuned)[0] == 0
    again = ["--recipe-json", tmp_path / "tuned" / "config.json", "--out", tmp_path / "again"]
    code, _, told = veernet("train", *again, "--workers", 0)
    assert code == 2
    assert "--start-from" in told

    code, told, _ = veernet("evaluate", run, "--json")
    assert code == 0
    assert json.loads(told)["logs"] == 2

    logs = SynthLogs(height=(64, 64), width=(100, 100))
    scan, calibration = draw_scan(tmp_path / "scan", logs, number=7)
    options = ["--calibration", calibration, "--weights", run, "--out", out]
    assert veernet("digitise", scan, *options, "--well", "A 1")[0] == 0
    assert lasio.read(out / "scan.las").keys() == ["DEPT", "GR", "ILD"]

    picture = out / "scan.GR.png"
    assert veernet("report", run, "--digitised", picture)[0] == 0
    page = (run / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2 + 1
    assert "<svg" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)  # nothing is fetched from elsewhere


BAD = {
    "no archive": ("inspect none", "none: no archive here", "veernet synth"),
    "no archive to train on": ("train none --out run", "none: no archive here"),
    "nothing to do": ("train", "ARCHIVE and --out RUN"),
    "no run": ("train --resume none", "none: no run here"),
    "no run to evaluate": ("evaluate none", "none: no run here"),
    "no run to report": ("report none", "none: no run here"),
    "settings on resume": ("train --resume none --epochs 3", "keeps its settings", "epochs"),
    "no weights": (
        "digitise scan.png --calibration c.toml --weights none",
        "none: no such weights",
    ),
    "weights of another network": (
        "digitise scan.png --calibration c.toml --weights other.safetensors",
        "other.safetensors: weights of another network",
    ),
    "no workers": ("synth none --workers 0", "--workers must be at least 1; got 0"),
    "a rate that is no number": ("train none --out run --learning-rate nan", "learning_rate must"),
    "a seed that torch does not take": ("train none --out run --seed 18446744073709551616", "seed"),
    "a device without numbers": ("train none --out run --device meta", "--device meta"),
    "a range upside down": ("synth none --height 90 40", "got 90 to 40"),
    "a plan and a budget": (
        "train none --out run --memory 8GiB --pixel-budget 9",
        "leave out --pixel-budget",
    ),
    "no amount of memory": ("train none --out run --memory much", "like 8GiB", "'much'"),
    "nothing to merge": ("merge all", "archives"),
    "a subset of nothing": ("subset part none", "none: no archive here"),
    "a chart that is no picture": ("inspect none --draw chart.txt", ".png or .svg"),
    "a plan that cannot exist": (
        "plan --memory 100MiB --precision fp32 --height 64 64 --width 300 300 --device cpu",
        "a log of 64 × 300 px does not fit into 100 MiB: the smallest plan, fp32 with",
    ),
    "a plan for a GPU elsewhere": ("plan --device cuda", "--memory: how much?"),
    "a profile that is no picture": ("plan --memory 8GiB --profile stages.txt", ".png or .svg"),
    "a plan for sizes upside down": ("plan --height 90 40 --memory 8GiB", "got 90 to 40"),
    "a plan for an archive and sizes": ("plan none --height 40 90", "leave out --height"),
    "no archive to plan for": ("plan none", "none: no archive here"),
    "no such device": ("evaluate none --device tpu9", "--device tpu9"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2(veernet, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    write_picture(tmp_path / "scan.png", np.full((40, 30), 255, np.uint8))
    (tmp_path / "c.toml").write_text("[[track]]\n")
    (tmp_path / "other.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    before = {*tmp_path.rglob("*")}
    words, *expected = BAD[case]
    code, _, told = veernet(*words.split())
    assert code == 2
    assert told.count("\n") == 1
    assert told.startswith("veernet: ")
    assert all(word in told for word in expected), told
    assert {*tmp_path.rglob("*")} == before


def test_a_mask_of_another_size_stops_training_with_one_line(veernet, tmp_path):
    archive = tmp_path / "archive"
    counts = ["--train", "2", "--val", "1", "--test", "0", "--workers", "1"]
    veernet("synth", archive, *SMALL, *counts)
    mask = archive / "train" / "masks" / "000001.tif"
    Image.new("P", (5, 6)).save(mask)
    for workers in (0, 1):
        run = tmp_path / f"run{workers}"
        code, _, told = veernet("train", archive, "--out", run, "--workers", workers)
        assert (code, told.count("\n")) == (2, 1)
        assert f"{mask}: 6 × 5 px" in told


@pytest.fixture
def archive(veernet, tmp_path):
    counts = ["--train", "4", "--val", "1", "--test", "2", "--workers", "1"]
    assert veernet("synth", tmp_path / "archive", *SMALL, *counts)[0] == 0
    return tmp_path / "archive"


def test_a_run_is_made_again_from_its_settings(veernet, archive, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    settings = ["--epochs", "1", "--effective-batch", "3", "--seed", "5", "--pixel-budget", "9000"]
    options = ["--workers", "0", "--keep", "1", "--checkpoint-steps", "1"]
    assert veernet("train", archive, "--out", first, *settings, "--deterministic", *options)[0] == 0
    config = first / "config.json"
    again = ["--recipe-json", config, "--out", second, "--pixel-budget", "9000", *options]
    assert veernet("train", *again)[0] == 0
    assert (second / "config.json").read_text() == config.read_text()
    one, other = newest(first), newest(second)
    assert all(torch.equal(one.tensors[name], value) for name, value in other.tensors.items())
    assert len([*(first / "checkpoints").iterdir()]) == 1
    code, _, told = veernet("train", "--recipe-json", tmp_path / "none", "--out", tmp_path / "x")
    assert (code, "none: no such settings of a run" in told) == (2, True)


def test_an_evaluation_leaves_out_what_cannot_be_read_if_asked(veernet, archive, tmp_path):
    run = tmp_path / "run"
    settings = ["--epochs", "1", "--effective-batch", "4", "--workers", "0"]
    assert veernet("train", archive, "--out", run, *settings)[0] == 0
    image = sorted((archive / "test/images").iterdir())[1]
    image.unlink()
    code, _, told = veernet("evaluate", run)
    assert (code, f"{image}: no such picture" in told) == (2, True)
    code, told, _ = veernet("evaluate", run, "--on-error", "skip", "--json")
    assert code == 0
    assert json.loads(told)["logs"] == 1
    assert [*json.loads(told)["left_out"]] == [f"images/{image.name}"]
    assert veernet("report", run)[0] == 0
    assert f"images/{image.name}: " in (run / "report.html").read_text()
    for image in (archive / "test/images").iterdir():
        image.unlink()
    code, _, told = veernet("evaluate", run, "--on-error", "skip")
    assert (code, "none of the 2 logs of test could be read" in told) == (2, True)


def test_a_step_that_was_not_finite_is_replayed(veernet, archive, tmp_path, monkeypatch):
    run = tmp_path / "run"
    settings = ["--epochs", "1", "--effective-batch", "4", "--workers", "0", "--pixel-budget", "1"]
    forward = VeerNet.forward
    with monkeypatch.context() as patched:
        patched.setattr(VeerNet, "forward", lambda *args: forward(*args) * torch.nan)
        code, _, told = veernet("train", archive, "--out", run, *settings)
    assert code == 2
    folder = re.search(r"`veernet replay (\S+)`", told)[1]
    code, told, _ = veernet("replay", folder)
    assert code == 0
    assert "Not finite alone: none" in told
    found = json.loads(veernet("replay", folder, "--json")[1])
    assert (found["then"], found["finite"], len(found["logs"])) == ("nan", True, 4)


def test_a_plan_tells_what_a_step_needs_and_draws_who_needs_it(veernet, tmp_path):
    picture = tmp_path / "stages.svg"
    words = ("plan", "--memory", "9GiB", "--height", 64, 80, "--width", 200, 400, "--device", "cpu")
    code, told, _ = veernet(*words, "--precision", "fp32", "--profile", picture)
    assert code == 0
    assert "widest log 80 × 400 px" in told
    assert all(word in told for word in ("nothing", "blocks", "stages", "slabs", "down.4"))
    assert "<svg" in picture.read_text()
    plan = json.loads(veernet(*words, "--precision", "fp32", "--json")[1])
    assert (plan["best"], plan["size"]) == (0, [80, 400])
    peaks = [row["peak"] for row in plan["choices"]]
    assert peaks == sorted(peaks, reverse=True)
    assert len(peaks) == 4


def test_training_says_how_it_is_launched_on_several_processes(veernet):
    assert "torchrun --nproc-per-node N -m veernet" in " ".join(
        veernet("train", "--help")[1].split()
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_its_options(veernet, command):
    code, told, _ = veernet(command, "--help")
    assert code == 0
    for option in fields(COMMANDS[command]):
        positional = option.name in (
            "root",
            "folder",
            "scan",
            "archive",
            "archives",
            "scans",
            "out",
        )
        assert positional or f"--{option.name.replace('_', '-')}" in told, option.name


@pytest.mark.parametrize("command", [["inspect"], ["subset", "SOME", "--val", "1"]])
def test_output_that_nobody_reads_ends_no_command(small_archive, tmp_path, command):
    """As `veernet inspect ARCHIVE | true` has it."""
    read, write = os.pipe()
    os.close(read)
    words = [str(tmp_path / "some") if word == "SOME" else word for word in command]
    at = 2 if "SOME" in command else 1
    done = subprocess.run(
        [sys.executable, "-m", "veernet", *words[:at], str(small_archive), *words[at:]],
        stdout=write,
        stderr=subprocess.PIPE,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
    assert at == 1 or len(Archive.open(tmp_path / "some").split("val")) == 1


def test_that_a_scan_has_more_pages_is_told_in_one_line(tmp_path, veernet):
    blank = Image.new("L", (60, 50), 255)
    blank.save(tmp_path / "s.tif", save_all=True, append_images=[blank])
    with pytest.warns(ImageWarning) as told:
        assert veernet("calibrate", tmp_path / "s.tif")[0] == 2  # there is nothing on it
    line = warnings.formatwarning(told[0].message, told[0].category, told[0].filename, 1)
    assert line == f"veernet: {tmp_path}/s.tif: page 1 of several is read; --page chooses another\n"

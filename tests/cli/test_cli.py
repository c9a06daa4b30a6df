"""The command line: the whole path on files, and one line for bad input."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
import warnings
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import lasio
import numpy as np
import pytest
import torch
import tyro
from PIL import Image

import veernet as package
from runs import newest
from veernet import Archive, VeerNet
from veernet.cli.main import COMMANDS, command_class, main
from veernet.cli.words import checked
from veernet.data.raster import write_picture
from veernet.demo import draw_scan
from veernet.errors import ImageWarning, OptionError
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
            code = end.code or 0
        return (code, *capsys.readouterr())

    return run


def test_the_whole_path_from_nothing_to_a_las_file(veernet, tmp_path):
    archive, run, out = tmp_path / "archive", tmp_path / "run", tmp_path / "out"
    counts = ["--train", "4", "--val", "1", "--test", "2", "--workers", "1"]
    assert veernet("synth", archive, *SMALL, *counts)[0] == 0

    code, message, _ = veernet("inspect", archive)
    assert code == 0
    assert "train: 4 logs" in message
    assert "padding:" in message
    assert json.loads(veernet("inspect", archive, "--json")[1])["train"]["logs"] == 4

    assert veernet("merge", tmp_path / "both", archive, archive)[0] == 0
    assert veernet("subset", tmp_path / "part", tmp_path / "both", "--train", 5)[0] == 0
    picture = tmp_path / "part.png"
    sheets = tmp_path / "sheets"
    words = ("inspect", tmp_path / "part", "--draw", picture, "--show", sheets)
    code, message, _ = veernet(*words)
    assert code == 0
    assert all(
        f"\n{word}: images/00000" in message for word in ("narrowest", "emptiest", "darkest")
    )
    assert f"wrote {sheets}/train-extremes.png" in message
    assert {path.name for path in sheets.iterdir()} == {"train.png", "train-extremes.png"}
    found = json.loads(veernet("inspect", tmp_path / "part", "--json")[1])["train"]["darkest"][0]
    assert {*found} == {"file_name", "height", "width", "curve_pixels", "darkness"}
    assert "train: 5 logs" in message
    assert picture.exists()

    settings = ["--epochs", "2", "--effective-batch", "3", "--workers", "0"]
    code, message, _ = veernet("train", archive, "--out", run, *settings, "--stop-after", 3)
    assert code == 75
    assert f"veernet train --resume {run}" in message
    assert veernet("train", "--resume", run, "--workers", 0)[0] == 0

    tuned = ["--out", tmp_path / "tuned", "--init-weights", run, "--epochs", 1, "--workers", 0]
    assert veernet("train", archive, *tuned)[0] == 0
    again = ["--config", tmp_path / "tuned" / "config.json", "--out", tmp_path / "again"]
    code, _, message = veernet("train", *again, "--workers", 0)
    assert code == 2
    assert "--init-weights" in message

    code, message, _ = veernet("evaluate", run, "--json")
    assert code == 0
    assert json.loads(message)["logs"] == 2

    options = ["--weights", run, "--archive", tmp_path / "part", "--split", "train"]
    code, message, _ = veernet("evaluate", *options, "--out", tmp_path / "before")
    assert (code, f"wrote {tmp_path / 'before'}\n" in message) == (0, True)
    assert json.loads((tmp_path / "before/summary.json").read_text())["logs"] == 5

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
    "nothing to evaluate": ("evaluate", "evaluate needs RUN, or --weights, --archive and --out"),
    "weights and no archive": ("evaluate --weights none", "--weights, --archive and --out"),
    "a run and an archive": (
        "evaluate run --archive none --out out",
        "leave out --archive, --out, or write --weights run --archive ARCHIVE --out FOLDER",
    ),
    "no archive to evaluate on": ("evaluate --archive none --out out", "none: no archive here"),
    "no run to report": ("report none", "none: no run here"),
    "settings on resume": (
        "train none --resume none --epochs 3 --precision bf16 --init-weights x",
        "keeps its settings",
        "leave out ARCHIVE, --init-weights, --precision",
    ),
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
    "settings of a resumed run": (
        "train none --resume run --init-weights none --effective-batch 2",
        "leave out ARCHIVE, --effective-batch, --init-weights",
    ),
    "no checkpoint to keep": (
        "train none --out run --keep-checkpoints 0",
        "--keep-checkpoints must be at least 1; got 0",
    ),
    "no amount of memory": ("train none --out run --memory much", "like 8GiB", "'much'"),
    "nothing to merge": ("merge all", "merge needs ARCHIVE"),
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
    "a command misspelt": ("inspekt none", "no command 'inspekt'; did you mean inspect?"),
    "a command in capitals": ("INSPECT none", "no command 'INSPECT'; did you mean inspect?"),
    "a command that is none": ("xyzzy none", "no command 'xyzzy' (`veernet --help` lists all)"),
    "an option misspelt": (
        "digitise scan.png --calibratoin c.toml",
        "digitise has no option --calibratoin; did you mean --calibration?",
    ),
    "an option before its command": ("--json inspect none", "the command comes first"),
    "a word too many": ("inspect none more", "inspect takes ARCHIVE; 'more' is one word too many"),
    "a word missing": ("inspect", "inspect needs ARCHIVE"),
    "an option missing": ("digitize scan.png", "digitise needs --calibration"),
    "a value missing": ("train none --out --json", "--out takes a value"),
    "half a range": ("synth none --height 90", "--height takes 2 values; got 90"),
    "half a tie": ("calibrate none --tie 5 9 7", "--tie takes groups of 2 values; got 5 9 7"),
    "a word for a number": ("train none --out run --epochs many", "a whole number; got 'many'"),
    "a choice that is none": ("synth none --recipe both", "--recipe is binary or multiclass"),
    "a value for a switch": ("inspect none --json=yes", "--json takes no value"),
    "an option twice": ("train none --out run --out other", "--out was given twice"),
    "a choice twice": ("evaluate none --split val --split=test", "--split was given twice"),
    "an item of the header twice": (
        "digitise scan.png --calibration c.toml --header FLD=A --header FLD=B",
        "--header: FLD was given twice",
    ),
    "the well twice": (
        "digitise scan.png --calibration c.toml --well A --header WELL=B",
        "--header: WELL was given twice",
    ),
    "a file for sheets": ("inspect none --show scan.png", "exists, and is no folder"),
    "a folder for a scan": ("calibrate .", ".: cannot be opened (Is a directory)"),
    "a seed below zero": (
        "subset out none --train 1 --seed -1",
        "--seed must be at least 0; got -1",
    ),
    "a switch twice": ("inspect none --json --json", "--json was given twice"),
    "a switch that nothing switches off": ("inspect none --no-json", "did you mean --json?"),
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
    code, _, message = veernet(*words.split())
    assert code == 2
    assert message.count("\n") == 1
    assert message.startswith("veernet: ")
    assert all(word in message for word in expected), message
    assert {*tmp_path.rglob("*")} == before


def test_a_mask_of_another_size_stops_training_with_one_line(veernet, tmp_path):
    archive = tmp_path / "archive"
    counts = ["--train", "2", "--val", "1", "--test", "0", "--workers", "1"]
    veernet("synth", archive, *SMALL, *counts)
    mask = archive / "train" / "masks" / "000001.tif"
    Image.new("P", (5, 6)).save(mask)
    for workers in (0, 1):
        run = tmp_path / f"run{workers}"
        code, _, message = veernet("train", archive, "--out", run, "--workers", workers)
        assert (code, message.count("\n")) == (2, 1)
        assert f"{mask}: 6 × 5 px" in message


@pytest.fixture
def archive(veernet, tmp_path):
    counts = ["--train", "4", "--val", "1", "--test", "2", "--workers", "1"]
    assert veernet("synth", tmp_path / "archive", *SMALL, *counts)[0] == 0
    return tmp_path / "archive"


def test_a_run_is_made_again_from_its_settings(veernet, archive, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    settings = ["--epochs", "1", "--effective-batch", "3", "--seed", "5", "--pixel-budget", "9000"]
    options = ["--workers", "0", "--keep-checkpoints", "1", "--checkpoint-steps", "1"]
    assert veernet("train", archive, "--out", first, *settings, "--deterministic", *options)[0] == 0
    config = first / "config.json"
    again = ["--config", config, "--out", second, "--pixel-budget", "9000", *options]
    assert veernet("train", *again)[0] == 0
    assert (second / "config.json").read_text() == config.read_text()
    one, other = newest(first), newest(second)
    assert all(torch.equal(one.tensors[name], value) for name, value in other.tensors.items())
    assert len([*(first / "checkpoints").iterdir()]) == 1
    code, _, message = veernet("train", "--config", tmp_path / "none", "--out", tmp_path / "x")
    assert (code, "none: no such settings of a run" in message) == (2, True)


def test_an_evaluation_leaves_out_what_cannot_be_read_if_asked(veernet, archive, tmp_path):
    run = tmp_path / "run"
    settings = ["--epochs", "1", "--effective-batch", "4", "--workers", "0"]
    assert veernet("train", archive, "--out", run, *settings)[0] == 0
    image = sorted((archive / "test/images").iterdir())[1]
    image.unlink()
    code, _, message = veernet("evaluate", run)
    assert (code, f"{image}: no such picture" in message) == (2, True)
    code, message, _ = veernet("evaluate", run, "--on-error", "skip", "--json")
    assert code == 0
    assert json.loads(message)["logs"] == 1
    assert [*json.loads(message)["left_out"]] == [f"images/{image.name}"]
    assert veernet("report", run)[0] == 0
    assert f"images/{image.name}: " in (run / "report.html").read_text()
    for image in (archive / "test/images").iterdir():
        image.unlink()
    code, _, message = veernet("evaluate", run, "--on-error", "skip")
    assert (code, "none of the 2 logs of test could be read" in message) == (2, True)


def test_a_step_that_was_not_finite_is_replayed(veernet, archive, tmp_path, monkeypatch):
    run = tmp_path / "run"
    settings = ["--epochs", "1", "--effective-batch", "4", "--workers", "0", "--pixel-budget", "1"]
    forward = VeerNet.forward
    with monkeypatch.context() as patched:
        patched.setattr(VeerNet, "forward", lambda *args: forward(*args) * torch.nan)
        code, _, message = veernet("train", archive, "--out", run, *settings)
    assert code == 2
    hint = re.search(r"`veernet replay (\S+)`", message)
    assert hint is not None
    code, message, _ = veernet("replay", hint[1])
    assert code == 0
    assert "Not finite alone: none" in message
    found = json.loads(veernet("replay", hint[1], "--json")[1])
    assert (found["then"], found["finite"], len(found["logs"])) == ("nan", True, 4)


def test_a_plan_tells_what_a_step_needs_and_draws_who_needs_it(veernet, tmp_path):
    picture = tmp_path / "stages.svg"
    words = ("plan", "--memory", "9GiB", "--height", 64, 80, "--width", 200, 400, "--device", "cpu")
    code, message, _ = veernet(*words, "--precision", "fp32", "--profile", picture)
    assert code == 0
    assert "widest log 80 × 400 px" in message
    assert all(word in message for word in ("none", "blocks", "stages", "tiles", "down.4"))
    assert "<svg" in picture.read_text()
    plan = json.loads(veernet(*words, "--precision", "fp32", "--json")[1])
    assert (plan["best"], plan["size"]) == (0, [80, 400])
    peaks = [row["peak"] for row in plan["choices"]]
    assert peaks == sorted(peaks, reverse=True)
    assert len(peaks) == 4


def parsed(words) -> Any:
    """A command as its words make it."""
    name, *others = words.split()
    return tyro.cli(command_class(name), args=checked(name, command_class(name), others))


@pytest.mark.parametrize(
    ("option", "values", "field"),
    [
        ("--curve", ["1:GR:API:0:150", "2:DT:US/F:140:40", "2:A::-1:1"], "curve"),
        ("--tie", ["-5 300", "1e3 310", "7 320.5"], "tie"),
    ],
)
def test_an_option_that_is_given_again_adds_to_what_was_given(option, values, field):
    one, *others = values
    again = " ".join(f"{option} {value}" for value in values)
    first = f"{option}={one.split()[0]} {' '.join([*one.split()[1:], *others])}"
    wanted = getattr(parsed(f"calibrate scan.png {option} {' '.join(values)}"), field)
    assert len(wanted) == 3
    for words in (
        f"scan.png {again} --unit m",
        f"{again} --unit m scan.png",
        f"{again} scan.png",
        f"scan.png {option} {one} --unit m {option} {' '.join(others)}",
        f"scan.png {first}",
        f"{again} -- scan.png",
    ):
        found = parsed(f"calibrate {words}")
        assert (getattr(found, field), found.scan.name) == (wanted, "scan.png"), words


@pytest.mark.parametrize("value", ["-b c=2", "--", "--out", "-x"])
def test_only_the_first_value_of_an_option_may_begin_with_a_hyphen(value):
    words = ["scan.png", "--calibration", "c.toml", f"--header={value}"]
    assert words[-1] in checked("digitise", command_class("digitise"), words)
    words.insert(3, "--header=A=1")
    with pytest.raises(OptionError, match="--header .*: only its first value may begin with a hy"):
        checked("digitise", command_class("digitise"), words)


def test_words_behind_two_hyphens_are_names_of_files():
    found = parsed("merge out a_b -- -a_b --digitized")
    assert [*map(str, found.archives)] == ["a_b", "-a_b", "--digitized"]
    assert str(parsed("report --digitised x.png --out page.html -- -run").folder) == "-run"


def test_the_version_is_told_by_the_command_and_the_package(veernet, monkeypatch):
    found = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text())
    version = found["project"]["version"]
    assert veernet("--version") == veernet("-V") == (0, f"veernet {version}\n", "")
    monkeypatch.delattr(package, "__version__")

    def missing(_):
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert package.__version__ == version


def test_the_other_spelling_of_a_command_is_taken(veernet):
    assert veernet("digitize", "--help") == veernet("digitise", "--help")


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_the_command_alone_tells_what_there_is(veernet, words):
    code, message, _ = veernet(*words)
    assert code == 0
    assert all(re.search(rf"^  {name} +[A-Z]", message, re.MULTILINE) for name in COMMANDS)
    assert max(map(len, message.splitlines())) <= 80


def test_the_json_of_a_command_is_all_of_its_stdout(veernet, small_archive, tmp_path):
    def message(*words):
        code, out, _ = veernet(*words, "--json")
        return code, json.loads(out)

    counts = ["--train", "2", "--val", "1", "--test", "0", "--workers", "1"]
    archive, both, part, run = (tmp_path / name for name in ("archive", "both", "part", "run"))
    logs = {"train": 2, "val": 1, "test": 0}
    assert message("synth", archive, *SMALL, *counts) == (
        0,
        {"archive": str(archive), "logs": logs},
    )
    logs = {"train": 7, "val": 3, "test": 2}
    found = message("merge", both, archive, small_archive)
    assert found == (0, {"archive": str(both), "logs": logs})
    logs = {"train": 3, "val": 0, "test": 1}
    found = message("subset", part, both, "--train", 3, "--test", 1)
    assert found == (0, {"archive": str(part), "logs": logs})
    settings = ["--epochs", 2, "--effective-batch", 1, "--pixel-budget", 9000, "--workers", 0]
    code, found = message("train", archive, "--out", run, *settings, "--stop-after", 3)
    assert (code, found["run"], found["step"], found["done"]) == (75, str(run), 3, False)
    assert found["validation"]["epoch"] == 0
    page = tmp_path / "page.html"
    assert message("report", run, "--out", page) == (0, {"files": [str(page)]})
    code, found = message("inspect", archive, "--quick", "--pixel-budget", 7000)
    assert (code, found["val"]["schedule"]["pixel_budget"]) == (0, 7000)
    assert (
        "micro-batches of at most 7,000 px"
        in veernet("inspect", archive, "--quick", "--pixel-budget", 7000)[1]
    )


def test_what_calibrate_found_is_told_as_json(veernet, tmp_path):
    scan, out = tmp_path / "scan.png", tmp_path / "c.toml"
    grey = np.full((700, 320), 255, np.uint8)
    grey[40::60, 30:291] = 0
    grey[:, 30:32] = grey[:, 289:291] = 0
    write_picture(scan, grey)
    words = ["calibrate", scan, "--out", out, "--json"]
    code, message, _ = veernet(*words)
    found = json.loads(message)
    assert (code, found["files"], len(found["tracks"]), out.exists()) == (0, [], 1, False)
    assert np.diff(found["lines"]) == pytest.approx(60)
    assert found["spacing"] == pytest.approx(60)
    ties = ["--tie", 40, 300, "--tie", 640, 310]
    code, message, _ = veernet(*words, *ties, "--curve", "1:GR:API:0:150")
    assert (code, json.loads(message)) == (
        0,
        {**found, "files": [str(out), str(out.with_suffix(".png"))]},
    )
    assert out.exists()
    assert found["sections"] == [[found["lines"][0], found["lines"][-1]]]
    assert found["depth_column"] is None
    assert any("no depth column" in remark for remark in found["remarks"])
    assert found["tracks"][0]["inks"] == []


def test_training_says_how_it_is_launched_on_several_processes(veernet):
    assert "torchrun --nproc-per-node N -m veernet" in " ".join(
        veernet("train", "--help")[1].split()
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_its_options(veernet, command):
    code, message, _ = veernet(command, "--help")
    assert code == 0
    assert "--json" in message
    kind = command_class(command)
    assert is_dataclass(kind)
    for option in fields(kind):
        positional = option.name in (
            "root",
            "folder",
            "scan",
            "archive",
            "archives",
            "scans",
            "out",
        )
        assert positional or f"--{option.name.replace('_', '-')}" in message, option.name


@pytest.mark.parametrize(
    "command", [["inspect", "--quick", "--json"], ["subset", "SOME", "--val", "1"]]
)
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
    with pytest.warns(ImageWarning) as text:
        assert veernet("calibrate", tmp_path / "s.tif")[0] == 2  # there is nothing on it
    line = warnings.formatwarning(text[0].message, text[0].category, text[0].filename, 1)
    assert line == f"veernet: {tmp_path}/s.tif: page 1 of several is read; --page chooses another\n"


def test_las_files_that_give_no_shapes_are_told(tmp_path, veernet):
    wells = tmp_path / "wells"
    wells.mkdir()
    depth = np.arange(0, 400, 0.5)
    file = lasio.LASFile()
    file.append_curve("DEPT", depth, unit="FT")
    file.append_curve("RAMP", np.abs(depth - 200) + 20.0)
    file.write(str(wells / "a.las"), version=2.0)
    (wells / "b.las").write_text("broken")
    counts = ("--train", "1", "--val", "0", "--test", "0", "--workers", "1")
    sizes = ("--height", "48", "48", "--width", "80", "80")
    code, _, message = veernet("synth", tmp_path / "a", *counts, *sizes, "--curves", wells)
    assert code == 0
    assert f"veernet: {wells}/b.las: " in message
    assert "passed over" in message


@pytest.mark.parametrize(
    ("words", "now"),
    [
        (("synth", "a", "--look", "x.toml"), "--appearance"),
        (("synth", "a", "--piece", 64, 90), "--crop"),
        (("train", "a", "--out", "r", "--in-flight=1GiB"), "--prefetch-bytes"),
        (("train", "a", "--out", "r", "--start_from", "r"), "--init-weights"),
        (("train", "--recipe-json", "c.json", "--out", "r"), "--config"),
        (("train", "--resume", "r", "--keep", 2), "--keep-checkpoints"),
    ],
)
def test_a_former_name_of_an_option_is_told_what_it_is_called_now(veernet, words, now):
    code, _, message = veernet(*words)
    assert code == 2
    assert f"it is {now} now" in message

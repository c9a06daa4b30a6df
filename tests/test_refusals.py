"""What the names of `veernet` say of arguments of another kind, where types are not checked."""

import json
import re
import subprocess
import sys

import pytest

REFUSED = {
    "CurveScale(mnemonic='GR', left=1, right=9, scale='logarithmic')": (
        "CalibrationError: CurveScale: scale: should be 'linear' or 'log'; got 'logarithmic'"
    ),
    "Depth(ties=((0, 1), (9, 2)), step=1, unit='feet')": (
        "CalibrationError: Depth: unit: should be 'ft' or 'm'; got 'feet'"
    ),
    "Calibration(depth=DEPTH, tracks=(TRACK,), depth_axis='across')": (
        "CalibrationError: Calibration: depth_axis: should be 'down' or 'right'; got 'across'"
    ),
    "Track(left=0, right=9, top=0, bottom=9, curves=('GR',))": (
        "CalibrationError: Track: curves.0: should be a table of names and values; got 'GR'"
    ),
    "Depth(ties=((0, 1), (9, 2)), step=None)": (
        "CalibrationError: Depth: step: should be a valid n"
    ),
    "CurveScale(mnemonic='GR', left=9, right=9)": (
        "CalibrationError: the edges need two different"
    ),
    "VeerNetConfig(activation='tanh')": (
        "OptionError: VeerNetConfig: activation: should be 'none', "
    ),
    "VeerNetConfig(channels=(8.5, 16))": (
        "OptionError: VeerNetConfig: channels.0: should be a valid"
    ),
    "Schedule(effective_batch=2.5)": (
        "OptionError: Schedule: effective_batch: should be a valid int"
    ),
    "Schedule(pixel_budget=float('nan'))": (
        "OptionError: Schedule: pixel_budget: should be a finite"
    ),
    "Tversky(alpha='x')": ("OptionError: Tversky: alpha: should be a valid number"),
    "ScheduleSampler(Schedule(), ARRAY)": (
        "OptionError: sizes are the \\(h, w\\) .* ndarray of shape \\(9, 9\\)"
    ),
    "ScheduleSampler(Schedule(), None)": (
        "OptionError: sizes are the \\(h, w\\) .* got a NoneType"
    ),
    "digitise(ARRAY, CALIBRATION, NETWORK, off_scale='egde')": (
        "OptionError: off_scale is null or edge; got 'egde'"
    ),
    "digitise(ARRAY, CALIBRATION, NETWORK, page=2)": "OptionError: page and dpi are of a file",
    "digitise(ARRAY, {}, NETWORK)": "CalibrationError: a calibration is .* got <class 'dict'>",
    "digitise(ARRAY, CALIBRATION, torch.nn.Conv2d(1, 2, 1))": "OptionError: weights are a VeerNet",
    "digitise(ARRAY.tolist(), CALIBRATION, NETWORK)": "ImageError: .* np.asarray .* 'list'",
    "predict(NETWORK, ARRAY / 255)": r"ImageError: .* got \(9, 9\) of float64",
    "predict(NETWORK, ARRAY > 99)": r"ImageError: .* got \(9, 9\) of bool",
    "read_calibration('.')": r"CalibrationError: \.: cannot be read \(Is a directory\)",
    "open_archive(sys.executable)": r"ArchiveError: .* cannot be read \(Not a directory\)",
    "Archive.open('none')": "ArchiveError: none: no archive here",
    "read_las('none.las')": "LasError: none.las: ",
    "fit('none', device=torch.device('cpu'))": "RunError: none: no run here",
    "digitise_file('none.png', 'none.toml', NETWORK, 'out')": "CalibrationError: none.toml: no",
    "save_weights(sys.executable + '/a', NETWORK)": "CheckpointError: .*/a: could not be written",
    "train_step(NETWORK, SGD(NETWORK), Dice(), [(ARRAY, ARRAY)])": (
        r"OptionError: a step takes batches, as collate\(\) makes them of samples; got a tuple"
    ),
    "train_step(NETWORK, SGD(torch.nn.Linear(1, 1)), Dice(), [])": (
        "OptionError: the optimizer trains none of the model's parameters"
    ),
    "evaluate(NETWORK, 'archive')": "OptionError: evaluate takes a network and a split, .*'str'",
    "digitise(ARRAY, CALIBRATION, NETWORK).to_csv('x.csv', points=1)": (
        "OptionError: points must be at least 2, .* got 1"
    ),
}
"""Wrong calls, and the beginnings of what is said of them."""


@pytest.fixture(scope="module")
def said():
    """What is said of each call in a process of its own, without the checks of types in tests."""
    script = """if True:
        import json, sys
        from pathlib import Path
        import numpy as np, torch
        from veernet import *
        ARRAY = np.full((9, 9), 255, np.uint8)
        DEPTH = Depth(ties=((0, 1), (8, 2)), step=0.1)
        assert Depth(ties=np.array([[0, 1], [8, 2]]), step=np.float64(0.1)) == DEPTH
        GR = CurveScale(mnemonic="GR", left=0, right=9)
        TRACK = Track(left=0, right=8, top=0, bottom=8, curves=(GR,))
        CALIBRATION = Calibration(depth=DEPTH, tracks=(TRACK,))
        NETWORK = VeerNet(VeerNetConfig(channels=(2, 4), num_heads=1, num_layers=0))
        SGD = lambda model: torch.optim.SGD(model.parameters(), 0.1)
        train_step(NETWORK, SGD(NETWORK), Dice(), [], device="cpu")
        told = {}
        for wrong in json.load(sys.stdin):
            try:
                eval(wrong)
            except Exception as error:
                told[wrong] = f"{type(error).__name__}: {error}"
        json.dump(told, sys.stdout)
    """
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(
        command, input=json.dumps([*REFUSED]), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("wrong", REFUSED)
def test_what_makes_no_sense_is_refused_in_words(said, wrong):
    found = said.get(wrong, "taken without a word")
    assert re.match(REFUSED[wrong], found), found

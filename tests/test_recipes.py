"""The recipes are the published ones, and a drawn scan carries the truth to the LAS file."""

from dataclasses import replace

import lasio
import numpy as np
import pytest
import torch
from rich.console import Console

from veernet import BCE, Tversky, VeerNet, VeerNetConfig
from veernet.data.raster import to_depth_down, write_picture
from veernet.demo import draw_scan, run_recipe
from veernet.digitisation import digitise_file
from veernet.recipes import RECIPES
from veernet.synth.logs import SynthLogs


class SeesShades(VeerNet):
    """Black is curve 1, middle grey is curve 2."""

    def __init__(self):
        super().__init__(VeerNetConfig(out_channels=3, channels=(2, 4), num_heads=1))

    def forward(self, image, sizes=None):
        first, second = image > 0.9, (image > 0.4) & (image < 0.6)
        return 40 * torch.cat([~(first | second), first, second], dim=1).float()


def test_the_recipes_are_the_published_ones():
    binary, multiclass = RECIPES["binary"], RECIPES["multiclass"]
    assert (sum(binary.counts), sum(multiclass.counts)) == (2_000, 15_000)
    assert binary.training.epochs == multiclass.training.epochs == 50
    assert binary.training.schedule.effective_batch == 1
    assert binary.training.learning_rate < multiclass.training.learning_rate  # for noisier steps
    assert multiclass.training.schedule.effective_batch == 16
    assert binary.training.loss == BCE(positive_weight=42.0)
    assert isinstance(multiclass.training.loss, Tversky)
    assert (len(binary.logs.classes), len(multiclass.logs.classes)) == (2, 3)


@pytest.mark.parametrize("name", ["binary", "multiclass"])
def test_a_recipe_runs_from_an_empty_folder_to_its_report(tmp_path, name):
    """The recipe itself, on three tiny logs and one epoch."""
    recipe = RECIPES[name]
    logs = replace(recipe.logs, height=(64, 64), width=(90, 90))
    training = replace(recipe.training, epochs=1)
    small = replace(recipe, logs=logs, counts=(1, 1, 1), training=training)
    run_recipe(small, tmp_path, device=torch.device("cpu"), workers=0, console=Console(quiet=True))
    assert (tmp_path / "report.html").exists()
    curves = ["GR", "ILD"][: len(logs.classes) - 1]
    assert lasio.read(tmp_path / "digitised" / "scan.las").keys() == ["DEPT", *curves]


def test_a_drawn_scan_and_its_calibration_give_back_the_true_values(tmp_path):
    """The picture is replaced by its mask, so that nothing but the way through files is tested."""
    logs, number = SynthLogs(height=(300, 300), width=(500, 500)), 5
    log = logs.log(number)
    scan, calibration = draw_scan(tmp_path, logs, number=number)
    write_picture(scan, to_depth_down(np.array([255, 0, 128], np.uint8)[log.mask]))
    las = digitise_file(scan, calibration, SeesShades(), tmp_path / "out", scale=1.0).las

    read = lasio.read(las)
    column = np.rint((read["DEPT"] - 1000) * 10).astype(int)
    for name, true, unscaled in (
        ("GR", log.curves.values[0], lambda v: v / 150),
        ("ILD", log.curves.values[1], lambda v: np.log10(v / 0.2) / 2),
    ):
        error = np.abs(unscaled(read[name]) - true[column])
        assert np.isfinite(error).mean() > 0.8
        assert np.nanmedian(error) < 0.06  # skew is not straightened: up to 5 % of the height
        assert (
            np.corrcoef(unscaled(read[name])[np.isfinite(error)], true[column][np.isfinite(error)])[
                0, 1
            ]
            > 0.97
        )

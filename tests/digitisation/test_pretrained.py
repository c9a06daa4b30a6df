"""The weights in the box read what is on a scan, and nothing where there is nothing."""

import cv2
import numpy as np
import pytest
from jaxtyping import UInt8
from numpy import ndarray

from veernet import VeerNet
from veernet.digitisation import Calibration, CurveScale, Depth, Track, digitise, summarise_curves
from veernet.digitisation.strip import MOST_DARK, dark_share
from veernet.errors import CalibrationError
from veernet.evaluation.evaluate import evaluate
from veernet.synth.logs import SynthLogs
from veernet.weights import PRETRAINED, load_weights

HEIGHT, WIDTH = 480, 900


@pytest.fixture(scope="module")
def pretrained() -> VeerNet:
    return load_weights()


def smooth(seed: int, spread: float) -> UInt8[ndarray, "h w"]:
    """Clouds: random grey, blurred."""
    noise = np.random.default_rng(seed).normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), spread)
    return (127 + 50 * blurred / blurred.std()).clip(0, 255).astype(np.uint8)


def grid() -> UInt8[ndarray, "h w"]:
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    page[:, ::20], page[30 : HEIGHT - 29 : 42], page[:, ::100] = 120, 90, 0
    return page


def scene() -> UInt8[ndarray, "h w"]:
    """A photograph: a dark figure before a light wall, a window, stripes."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    page = 210 - 60 * x / WIDTH
    page[np.hypot((x - 400) / 1.2, y - 430) < 230] = 35
    page[(x > 620) & (x < 780) & (y > 60) & (y < 220)] = 250
    page[(x > 650) & (y > 300) & (y % 24 < 12)] = 60
    noise = np.random.default_rng(3).normal(0, 6, page.shape)
    return cv2.GaussianBlur(page + noise, (0, 0), 1.2).clip(0, 255).astype(np.uint8)


NOTHING = {
    "blank": np.full((HEIGHT, WIDTH), 255, np.uint8),
    "grey paper": np.full((HEIGHT, WIDTH), 180, np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8),
    "a photograph of clouds": smooth(2, 6),
    "a grid alone": grid(),
}

REFUSED = {
    "a photograph": scene(),
    "a photograph out of focus": smooth(1, 20),
    "a negative": 255 - grid(),
}


def calibration() -> Calibration:
    """Both curves across the page."""
    curves = tuple(
        CurveScale(mnemonic=f"C{trace}", left=0.0, right=1.0, curve_class=trace) for trace in (1, 2)
    )
    track = Track(left=0, right=WIDTH - 1, top=24, bottom=HEIGHT - 24, curves=curves)
    depth = Depth(ties=((0.0, 1000.0), (WIDTH - 1.0, 1000.0 + WIDTH - 1)), step=1.0, unit="m")
    return Calibration(depth=depth, tracks=(track,), depth_axis="right")


@pytest.mark.parametrize("page", NOTHING.values(), ids=NOTHING.keys())
def test_of_a_page_without_a_curve_no_values_are_made(
    pretrained: VeerNet, page: UInt8[ndarray, "h w"]
) -> None:
    for found in summarise_curves(digitise(page, calibration(), pretrained), None):
        assert found.coverage < 0.02
        assert found.confidence < 0.5


@pytest.mark.parametrize("page", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_the_paper_of_a_log_is_refused(
    pretrained: VeerNet, page: UInt8[ndarray, "h w"]
) -> None:
    with pytest.raises(CalibrationError, match="not on the paper of a log"):
        digitise(page, calibration(), pretrained)


def test_of_hundred_logs_none_is_taken_for_a_photograph() -> None:
    """Stained, folded, faded, black and white: with all that the generator knows."""
    logs = SynthLogs(height=(160, 200), width=(300, 600), seed=21)
    assert max(dark_share(logs.log(number).grey) for number in range(100)) < MOST_DARK


def test_curves_of_a_log_that_no_network_was_trained_on_are_read_to_a_hundredth(
    pretrained: VeerNet,
) -> None:
    logs = SynthLogs(height=(480, 520), width=(900, 1000), seed=77)
    results = evaluate(pretrained, logs.split(4), range(4))
    errors = [one.columns.mae for result in results for one in result.errors]
    assert np.nanmedian(errors) < 0.01


def test_the_weights_are_small_enough_to_travel_with_the_package() -> None:
    assert PRETRAINED.stat().st_size < 10e6

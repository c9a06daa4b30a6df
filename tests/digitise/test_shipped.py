"""The weights in the box read what is on a scan, and nothing where there is nothing."""

import cv2
import numpy as np
import pytest
from jaxtyping import UInt8
from numpy import ndarray

from veernet import VeerNet
from veernet.digitise import Calibration, CurveScale, Depth, Track, digitise, tell
from veernet.evaluate import evaluate
from veernet.synth.logs import SynthLogs
from veernet.train.checkpoint import SHIPPED, load_weights

HEIGHT, WIDTH = 480, 900


@pytest.fixture(scope="module")
def shipped() -> VeerNet:
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


NOTHING = {
    "blank": np.full((HEIGHT, WIDTH), 255, np.uint8),
    "grey paper": np.full((HEIGHT, WIDTH), 180, np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8),
    "a photograph out of focus": smooth(1, 20),
    "a photograph of clouds": smooth(2, 6),
    "a grid alone": grid(),
}


@pytest.mark.parametrize("page", NOTHING.values(), ids=NOTHING.keys())
def test_of_a_page_without_a_curve_no_values_are_made(
    shipped: VeerNet, page: UInt8[ndarray, "h w"]
) -> None:
    curves = tuple(
        CurveScale(mnemonic=f"C{trace}", left=0.0, right=1.0, trace=trace) for trace in (1, 2)
    )
    track = Track(left=0, right=WIDTH - 1, top=24, bottom=HEIGHT - 24, curve=curves)
    depth = Depth(ties=((0.0, 1000.0), (WIDTH - 1.0, 1000.0 + WIDTH - 1)), step=1.0, unit="m")
    calibration = Calibration(depth=depth, track=(track,), depth_axis="right")
    for told in tell(digitise(page, calibration, shipped), None):
        assert told.read < 0.02
        assert told.confidence < 0.5


def test_curves_of_a_log_that_no_network_was_trained_on_are_read_to_a_hundredth(
    shipped: VeerNet,
) -> None:
    logs = SynthLogs(height=(480, 520), width=(900, 1000), seed=77)
    results = evaluate(shipped, logs.split(4), range(4))
    errors = [one["columns"].mae for result in results for one in result.errors]
    assert np.nanmedian(errors) < 0.01


def test_the_weights_are_small_enough_to_travel_with_the_package() -> None:
    assert SHIPPED.stat().st_size < 10e6

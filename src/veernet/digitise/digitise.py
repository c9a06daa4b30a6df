"""From a scan and its calibration to curves by depth."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray

from veernet.data.archive import ink
from veernet.data.raster import lay_on_side, stand_up
from veernet.digitise.calibration import Calibration
from veernet.errors import CalibrationError
from veernet.evaluate import predict
from veernet.model import VeerNet
from veernet.picture import overlay
from veernet.trace import read_trace

MARGIN = 0.05
"""Paper around the track that the network sees too, in heights of the track."""


@dataclass(frozen=True, kw_only=True)
class Digitised:
    """The curves of one scan.

    depth:      multiples of the calibration's step
    values:     of every curve at every depth, in its unit; NaN where none was found
    confidence: probability of the curve where it was followed, 0 to 1
    picture:    the track as it lies on the scan, with the curves drawn over it
    """

    calibration: Calibration
    depth: Float[ndarray, "n"]
    values: Float[ndarray, "K n"]
    confidence: Float[ndarray, "K n"]
    picture: UInt8[ndarray, "h w 3"]


def digitise(
    scan: UInt8[ndarray, "h w"],
    calibration: Calibration,
    model: VeerNet,
    *,
    autocast: torch.dtype | None = None,
) -> Digitised:
    """Read every curve of the calibration from a scan (255 = paper).

    Raises:
        CalibrationError: the track lies outside the scan, or the network does not know a trace.
    """
    _check(scan, calibration, model)
    page, box = _laid_on_side(scan, calibration)
    top, bottom, first, last = box
    track = page[top : bottom + 1, first : last + 1]
    margin = round(MARGIN * (bottom - top))
    up, before = min(margin, top), min(margin, first)
    seen = page[top - up : bottom + 1 + margin, first - before : last + 1 + margin]
    probability = predict(model, ink(seen), autocast=autocast)
    probability = probability[:, up : up + track.shape[0], before : before + track.shape[1]]

    traces = [read_trace(probability[curve.trace - 1]) for curve in calibration.curve]
    depth = calibration.depth.grid(first, last)
    at = calibration.depth.pixel_of(depth) - first
    columns = np.arange(track.shape[1])
    picture = overlay(track, [trace.rows for trace in traces])
    return Digitised(
        calibration=calibration,
        depth=depth,
        values=np.stack(
            [
                curve.value(1 - np.interp(at, columns, trace.rows) / (bottom - top))
                for curve, trace in zip(calibration.curve, traces, strict=True)
            ]
        ),
        confidence=np.stack([np.interp(at, columns, trace.confidence) for trace in traces]),
        picture=stand_up(picture) if calibration.depth_axis == "down" else picture,
    )


def _check(scan: UInt8[ndarray, "h w"], calibration: Calibration, model: VeerNet) -> None:
    (h, w), box = scan.shape, calibration.track
    if box.right >= w or box.bottom >= h:
        raise CalibrationError(
            f"the track ends at x = {box.right}, y = {box.bottom}, outside the scan of {w} × {h} px"
        )
    for curve in calibration.curve:
        if curve.trace > model.network.curves:
            raise CalibrationError(
                f"curve {curve.mnemonic} is trace {curve.trace}; the network knows "
                f"{model.network.curves}"
            )


def _laid_on_side(
    scan: UInt8[ndarray, "h w"], calibration: Calibration
) -> tuple[UInt8[ndarray, "H W"], tuple[int, int, int, int]]:
    """The scan with depth to the right, and there the track's top, bottom, first, last pixel."""
    box = calibration.track
    if calibration.depth_axis == "right":
        return scan, (box.top, box.bottom, box.left, box.right)
    lowest = scan.shape[1] - 1
    return lay_on_side(scan), (lowest - box.right, lowest - box.left, box.top, box.bottom)

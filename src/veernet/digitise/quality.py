"""How far a curve that was read is to be believed: its figures, and a picture of it."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from veernet.data.raster import stand_up
from veernet.digitise.digitise import Digitised
from veernet.digitise.track import Axis
from veernet.files import finite
from veernet.las import Las
from veernet.metrics import curve_error
from veernet.picture import overlay
from veernet.trace import THRESHOLD

RESIDUAL = 0.05
"""Difference from the reference at the end of its scale in a picture, in widths of the track."""

SCALE = 120
"""Width of the scales of confidence and residual in a picture, px."""

BAND = 26
"""Height of the words over a scale, px."""

_WHITE, _LINE = 255, (150, 150, 150)
_GOOD, _BAD, _SMALL = (44, 160, 44), (214, 39, 40), (31, 119, 180)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is told of a curve, over the depths of its track."""

    mnemonic: str
    unit: str
    read: float
    """Share of the depths with a value."""
    confidence: float
    """Median over all depths, 0 to 1."""
    rounds: int
    """How often it goes round its track, in or out."""
    mae: float | None = None
    """Mean absolute difference from the reference, in `unit`."""
    pearson_r: float | None = None
    """Correlation with the reference."""


def tell(digitised: Digitised, reference: Las | None) -> tuple[Told, ...]:
    """Figures of every curve; those against the reference where it has the curve."""
    return tuple(_tell(digitised, index, reference) for index in range(len(digitised.values)))


def _tell(digitised: Digitised, index: int, reference: Las | None) -> Told:
    curve, values = digitised.calibration.curves[index], digitised.values[index]
    confidence = digitised.confidence[index]
    inside = np.isfinite(confidence)
    true = _true(digitised, index, reference, digitised.depth)
    error = None if true is None else curve_error(values, true)
    return Told(
        mnemonic=curve.mnemonic,
        unit=curve.unit,
        read=float(np.isfinite(values[inside]).mean()) if inside.any() else 0.0,
        confidence=float(np.median(confidence[inside])) if inside.any() else 0.0,
        rounds=len(digitised.rounds[index]),
        mae=finite(error.mae) if error else None,
        pearson_r=finite(error.pearson_r) if error else None,
    )


def _true(
    digitised: Digitised, index: int, reference: Las | None, depth: Float[ndarray, "n"]
) -> Float[ndarray, "n"] | None:
    """What the reference says of a curve; None where it has no such curve."""
    name = digitised.calibration.curves[index].las_name
    if reference is None or name not in reference:
        return None
    return reference.at(name, depth, unit=digitised.calibration.depth.unit)


def draw_quality(
    digitised: Digitised, index: int, reference: Las | None = None
) -> UInt8[ndarray, "H W 3"]:
    """One curve over its scan, as the scan lies, and beside it how sure it is, green from
    `THRESHOLD` on; where the reference has the curve, also by how much it differs.
    """
    curve, printed = digitised.calibration.curves[index], digitised.prints[index]
    scan = overlay(printed.grey, [printed.rows])
    zoom = scan.shape[1] // printed.grey.shape[1]
    unit = f" {curve.unit}" if curve.unit else ""
    panels = [
        (scan, f"{curve.mnemonic}: {curve.left:g} to {curve.right:g}{unit}"),
        (_confidence(printed.confidence, zoom), "confidence 0-1"),
    ]
    if (true := _true(digitised, index, reference, printed.depth)) is not None:
        off = (printed.positions - curve.position(true)) / RESIDUAL
        panels.append((_residual(off, zoom), f"residual {RESIDUAL:.0%}"))
    axis = digitised.calibration.depth_axis
    return _beside([(_laid(panel, axis), words) for panel, words in panels], axis)


def _confidence(confidence: Float[ndarray, "w"], zoom: int) -> UInt8[ndarray, "H W 3"]:
    """Bars from 0, at the bottom, to 1, green from `THRESHOLD` on."""
    height = np.rint(np.nan_to_num(confidence).clip(0, 1) * (SCALE - 1)).astype(int)
    filled = np.arange(SCALE)[::-1, None] <= height
    return _coloured(filled, np.where((confidence >= THRESHOLD)[:, None], _GOOD, _BAD), zoom)


def _residual(off: Float[ndarray, "w"], zoom: int) -> UInt8[ndarray, "H W 3"]:
    """Bars from 0, in the middle, to -1 at the bottom and 1 at the top; red from there on."""
    middle = SCALE // 2
    end = np.rint(np.nan_to_num(off).clip(-1, 1) * (middle - 1)).astype(int)
    up = (middle - np.arange(SCALE))[:, None]
    filled = (up >= np.minimum(end, 0)) & (up <= np.maximum(end, 0)) & np.isfinite(off)
    return _coloured(filled, np.where((np.abs(off) <= 1)[:, None], _SMALL, _BAD), zoom)


def _coloured(
    filled: Bool[ndarray, "h w"], colours: Int[ndarray, "w 3"], zoom: int
) -> UInt8[ndarray, "h W 3"]:
    bars = np.where(filled[..., None], colours[None], _WHITE).astype(np.uint8)
    bars[len(bars) // 2] = np.where(filled[len(bars) // 2, :, None], bars[len(bars) // 2], _LINE)
    return bars.repeat(zoom, axis=1)


def _laid(panel: UInt8[ndarray, "h w 3"], axis: Axis) -> UInt8[ndarray, "_ _ 3"]:
    return stand_up(panel) if axis == "down" else panel


def _beside(
    panels: list[tuple[UInt8[ndarray, "_ _ 3"], str]], axis: Axis
) -> UInt8[ndarray, "H W 3"]:
    """Panels with words over each, side by side where depth runs down, else below one another."""
    titled = list[ndarray]()
    for panel, words in panels:
        band = np.full((BAND, panel.shape[1], 3), _WHITE, np.uint8)
        place = (3, BAND - 9)
        cv2.putText(band, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
        edge = np.full((4, panel.shape[1], 3), _WHITE, np.uint8)
        titled.append(np.concatenate([band, panel, edge]))
    if axis == "right":
        return np.concatenate(titled)
    gap = np.full((len(titled[0]), 6, 3), _WHITE, np.uint8)
    return np.concatenate([part for one in titled for part in (one, gap)][:-1], axis=1)

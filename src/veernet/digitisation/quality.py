"""Reliability of a digitised curve: its figures, and a picture of it."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from veernet.curves.error import curve_error
from veernet.curves.overlay import overlay
from veernet.curves.trace import THRESHOLD
from veernet.data.raster import to_depth_down
from veernet.digitisation.beyond import runs_of
from veernet.digitisation.doubts import Doubt
from veernet.digitisation.result import Digitisation, Stretch
from veernet.digitisation.track import Axis, CurveScale
from veernet.files import nan_to_none
from veernet.las import Las, Unit

RESIDUAL = 0.05
"""Difference from the reference at the ends of a picture's residual panel, in fractions of full
scale (the width of the track)."""

SCALE = 120
"""Width of the panels for confidence and residual in a picture, px."""

TITLE_HEIGHT = 26
"""Height of the caption over a panel, px."""

_WHITE, _LINE = 255, (150, 150, 150)
_GOOD, _BAD, _SMALL = (44, 160, 44), (214, 39, 40), (31, 119, 180)


@dataclass(frozen=True, kw_only=True)
class CurveSummary:
    """Summary of a digitised curve over the depths of its track."""

    mnemonic: str
    unit: str
    coverage: float
    """Share of the depths with a value."""
    confidence: float
    """Median over all depths, 0 to 1; it is 0 where the curve is off scale."""
    wrap_count: int
    """Number of times that the curve wraps, at either edge."""
    doubts: tuple[Doubt, ...]
    """Stretches in doubt, each with the reason."""
    twins: tuple[str, ...]
    """Curves of the track from which nothing in the calibration tells this one."""
    scale: float
    """Scale at which the network saw the track, 1 = as scanned."""
    off_scale: tuple[Stretch, ...]
    """Stretches where the curve is off scale, on an edge of its track."""
    depth_unit: Unit
    """Unit of all depths in the summary."""
    off_scale_share: float
    """Share of the depths at which the curve is off scale."""
    wraps: bool
    """True if the calibration says that the curve has a backup scale."""
    section: str = ""
    """Name of the depth section; empty for a scan of one."""
    compared: int | None = None
    """Number of depths at which the curve is compared with the reference: both are on scale, and
    the curve has a value."""
    reference_coverage: float | None = None
    """Share of the depths at which the reference is on scale that are compared."""
    mae: float | None = None
    """Mean absolute difference from the reference, in `unit`."""
    mae_decades: float | None = None
    """Mean absolute difference of logarithms to base 10, for a logarithmic scale."""
    pearson_r: float | None = None
    """Correlation with the reference; of logarithms, for a logarithmic scale."""
    largest_error: float | None = None
    """Largest difference from the reference, relative to the scale; in `unit`."""
    largest_error_at: float | None = None
    """Depth of that difference."""
    share_far: float | None = None
    """Share of the compared depths at which the difference exceeds `RESIDUAL` of full scale."""
    read_off_reference: tuple[tuple[float, float], ...] = ()
    """First and last depth of every stretch with values where the reference is off scale or has
    none."""


def summarise_curves(digitised: Digitisation, reference: Las | None) -> tuple[CurveSummary, ...]:
    """Summarise every curve; against the reference too where it has the curve."""
    return tuple(_summarise(digitised, index, reference) for index in range(len(digitised.values)))


def _summarise(digitised: Digitisation, index: int, reference: Las | None) -> CurveSummary:
    curve, values = digitised.calibration.curves[index], digitised.values[index]
    confidence, beyond = digitised.confidence[index], digitised.beyond[index]
    inside = np.isfinite(confidence)
    true = _true(digitised, index, reference, digitised.depth)
    read = np.where(beyond == 0, values, np.nan)
    return CurveSummary(
        mnemonic=curve.mnemonic,
        unit=curve.unit,
        coverage=float(np.isfinite(values[inside]).mean()) if inside.any() else 0.0,
        confidence=float(np.median(confidence[inside])) if inside.any() else 0.0,
        wrap_count=len(digitised.wraps[index]),
        doubts=digitised.readings[index].doubts,
        twins=digitised.readings[index].twins,
        scale=digitised.readings[index].scale,
        off_scale=digitised.readings[index].off_scale,
        depth_unit=digitised.calibration.depth.unit,
        off_scale_share=float((beyond[inside] != 0).mean()) if inside.any() else 0.0,
        wraps=curve.wraps,
        section=digitised.calibration.section,
        **(
            {}
            if true is None
            else _compared(curve, digitised.depth[inside], read[inside], true[inside])
        ),
    )


def _compared(
    curve: CurveScale,
    depth: Float[ndarray, "n"],
    read: Float[ndarray, "n"],
    true: Float[ndarray, "n"],
) -> dict[str, Any]:
    """Compute the figures of `CurveSummary` against the true values; no errors below two depths."""
    known = on_scale(curve, true, depth)
    error = curve_error(read, known)
    both = np.isfinite(read) & np.isfinite(known)
    alone = np.isfinite(read) & ~both
    figures: dict[str, Any] = {
        "compared": int(both.sum()),
        "reference_coverage": nan_to_none(error.coverage),
        "read_off_reference": tuple(
            (float(depth[a]), float(depth[b - 1])) for a, b in runs_of(alone)
        ),
    }
    if both.sum() < 2:
        return figures
    decades = curve_error(np.log10(read), np.log10(known)) if curve.logarithmic else None
    at = depth[both]
    off = np.abs(curve.position(read[both], at) - curve.position(known[both], at))
    worst = np.flatnonzero(both)[off.argmax()]
    return {
        **figures,
        "largest_error": float(read[worst] - known[worst]),
        "largest_error_at": float(depth[worst]),
        "share_far": float((off > RESIDUAL).mean()),
        "mae": nan_to_none(error.mae),
        "mae_decades": decades and nan_to_none(decades.mae),
        "pearson_r": nan_to_none((decades or error).pearson_r),
    }


def on_scale(
    curve: CurveScale, values: Float[ndarray, "n"], depth: Float[ndarray, "n"] | None = None
) -> Float[ndarray, "n"]:
    """Keep the values printed in the track: between its edges, or on a backup scale up to the
    greatest wrap counts that are followed; NaN for the others. The depths are needed where the
    scale changes."""
    above, below = curve.laps_up_down
    positions = curve.position(values, depth)
    return np.where((positions >= -below) & (positions <= 1 + above), values, np.nan)


def _true(
    digitised: Digitisation, index: int, reference: Las | None, depth: Float[ndarray, "n"]
) -> Float[ndarray, "n"] | None:
    """Values of a curve in the reference at `depth`; None if it has no such curve."""
    name = digitised.calibration.curves[index].las_name
    if reference is None or name not in reference:
        return None
    return reference.at(name, depth, unit=digitised.calibration.depth.unit)


def draw_quality(
    digitised: Digitisation, index: int, reference: Las | None = None
) -> UInt8[ndarray, "H W 3"]:
    """Draw one curve over its scan as the scan lies, red, and blue where it is off scale; beside it
    the confidence, green from `THRESHOLD` on; and if the reference has the curve, the difference
    where both are on scale."""
    curve, printed = digitised.calibration.curves[index], digitised.readings[index]
    beyond = printed.beyond != 0
    scan = overlay(
        printed.grey, [np.where(there, printed.rows, np.nan) for there in (~beyond, beyond)]
    )
    zoom = scan.shape[1] // printed.grey.shape[1]
    unit = f" {curve.unit}" if curve.unit else ""
    off_scale = "; blue: off scale" if beyond.any() else ""
    edges = ", ".join(f"{one.left:g} to {one.right:g}" for one in curve.edges[:3])
    more = ", ..." if len(curve.edges) > 3 else ""
    panels = [
        (scan, f"{curve.mnemonic}: {edges}{more}{unit}{off_scale}"),
        (_confidence(printed.confidence, zoom), "confidence 0-1"),
    ]
    if (true := _true(digitised, index, reference, printed.depth)) is not None:
        known = curve.position(on_scale(curve, true, printed.depth), printed.depth)
        off = (printed.positions - known) / RESIDUAL
        off[beyond] = np.nan
        panels.append((_residual(off, zoom), f"residual {RESIDUAL:.0%}"))
    axis = digitised.calibration.depth_axis
    return _beside([(_laid(panel, axis), words) for panel, words in panels], axis)


def _confidence(confidence: Float[ndarray, "w"], zoom: int) -> UInt8[ndarray, "H W 3"]:
    """Draw bars from 0, at the bottom, to 1; green from `THRESHOLD` on."""
    height = np.rint(np.nan_to_num(confidence).clip(0, 1) * (SCALE - 1)).astype(int)
    filled = np.arange(SCALE)[::-1, None] <= height
    return _coloured(filled, np.where((confidence >= THRESHOLD)[:, None], _GOOD, _BAD), zoom)


def _residual(off: Float[ndarray, "w"], zoom: int) -> UInt8[ndarray, "H W 3"]:
    """Draw bars from 0, in the middle, to -1 at the bottom and 1 at the top; red beyond these."""
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
    return to_depth_down(panel) if axis == "down" else panel


def _beside(
    panels: list[tuple[UInt8[ndarray, "_ _ 3"], str]], axis: Axis
) -> UInt8[ndarray, "H W 3"]:
    """Lay out captioned panels: side by side where depth runs down, else below one another."""
    titled = list[ndarray]()
    for panel, words in panels:
        band = np.full((TITLE_HEIGHT, panel.shape[1], 3), _WHITE, np.uint8)
        place = (3, TITLE_HEIGHT - 9)
        cv2.putText(band, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
        edge = np.full((4, panel.shape[1], 3), _WHITE, np.uint8)
        titled.append(np.concatenate([band, panel, edge]))
    if axis == "right":
        return np.concatenate(titled)
    gap = np.full((len(titled[0]), 6, 3), _WHITE, np.uint8)
    return np.concatenate([part for one in titled for part in (one, gap)][:-1], axis=1)

"""From a scan and its calibration to curves by depth."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray

from veernet.data.archive import ink
from veernet.data.raster import stand_up
from veernet.digitise.calibration import Calibration, Track
from veernet.digitise.strip import cut_strip
from veernet.errors import CalibrationError
from veernet.evaluate import predict
from veernet.model import VeerNet
from veernet.picture import overlay
from veernet.trace import Trace, jumps, read_trace


@dataclass(frozen=True, kw_only=True)
class Digitised:
    """The curves of one scan.

    depth:      multiples of the calibration's step, over all tracks
    values:     of every curve at every depth, in its unit; NaN where none was found
    confidence: probability of the curve where it was followed, 0 to 1; NaN outside its track
    rounds:     depths at which every curve with a backup scale has gone round its track, and how
                often it has then: 1 beyond its right edge, -1 beyond its left one
    pictures:   of every track as it lies on the scan, with the curves drawn over it
    """

    calibration: Calibration
    depth: Float[ndarray, "n"]
    values: Float[ndarray, "K n"]
    confidence: Float[ndarray, "K n"]
    rounds: tuple[tuple[tuple[float, int], ...], ...]
    pictures: tuple[UInt8[ndarray, "_ _ 3"], ...]


def digitise(
    scan: UInt8[ndarray, "h w"],
    calibration: Calibration,
    model: VeerNet,
    *,
    autocast: torch.dtype | None = None,
) -> Digitised:
    """Read every curve of the calibration from a scan (255 = paper).

    Raises:
        CalibrationError: a track lies outside the scan, or the network does not know a trace.
    """
    _check(calibration, model)
    along = [
        (t.top, t.bottom) if calibration.depth_axis == "down" else (t.left, t.right)
        for t in calibration.track
    ]
    depth = calibration.depth.grid(min(a for a, _ in along), max(b for _, b in along))
    at = calibration.depth.pixel_of(depth)
    values, confidence = list[ndarray](), list[ndarray]()
    pictures = list[UInt8[ndarray, "_ _ 3"]]()
    rounds = list[tuple[tuple[float, int], ...]]()
    for track, (first, last) in zip(calibration.track, along, strict=True):
        traces, picture = _read_track(scan, calibration, track, model, autocast)
        inside = (at > first - 0.5) & (at < last + 0.5)
        pixels = np.arange(first, last + 1)
        for curve, trace in zip(track.curve, traces, strict=True):
            found = curve.value(np.interp(at, pixels, trace.rows))
            rounds.append(_rounds(calibration, first, trace) if curve.wraps else ())
            values.append(np.where(inside, found, np.nan))
            confidence.append(np.where(inside, np.interp(at, pixels, trace.confidence), np.nan))
        pictures.append(picture)
    return Digitised(
        calibration=calibration,
        depth=depth,
        values=np.stack(values),
        confidence=np.stack(confidence),
        rounds=tuple(rounds),
        pictures=tuple(pictures),
    )


def _read_track(
    scan: UInt8[ndarray, "h w"],
    calibration: Calibration,
    track: Track,
    model: VeerNet,
    autocast: torch.dtype | None,
) -> tuple[list[Trace], UInt8[ndarray, "_ _ 3"]]:
    """The traces of a track's curves, as positions from its left edge, and a picture of them."""
    strip = cut_strip(scan, calibration, track)
    rows, columns = slice(strip.top, strip.bottom + 1), slice(strip.first, strip.last + 1)
    probability = predict(model, ink(strip.grey), autocast=autocast)[:, rows, columns]
    edges = 0, strip.height
    traces = [
        read_trace(
            probability[curve.trace - 1],
            max_gap=calibration.depth.gap(),
            turn=edges if curve.wraps else None,
        )
        for curve in track.curve
    ]
    printed = [
        _as_printed(trace.rows, strip.height) if curve.wraps else trace.rows
        for curve, trace in zip(track.curve, traces, strict=True)
    ]
    picture = overlay(strip.grey[rows, columns], printed)
    positions = [
        Trace(rows=1 - trace.rows / strip.height, confidence=trace.confidence) for trace in traces
    ]
    return positions, stand_up(picture) if calibration.depth_axis == "down" else picture


def _as_printed(rows: Float[ndarray, "w"], height: int) -> Float[ndarray, "w"]:
    """Rows inside the track of a curve that goes round it, its line interrupted where it does."""
    lap = np.floor(rows / height)
    return np.where(np.diff(lap, prepend=lap[:1]) == 0, np.mod(rows, height), np.nan)


def _rounds(calibration: Calibration, first: int, trace: Trace) -> tuple[tuple[float, int], ...]:
    """Depths at which a trace, as positions from the left edge, has gone round."""
    went = jumps(np.floor(trace.rows))
    depths = calibration.depth.at(np.array([first + column for column, _ in went], dtype=float))
    return tuple((float(depth), lap) for depth, (_, lap) in zip(depths, went, strict=True))


def _check(calibration: Calibration, model: VeerNet) -> None:
    for curve in calibration.curves:
        if curve.trace > model.network.curves:
            raise CalibrationError(
                f"curve {curve.mnemonic} is trace {curve.trace}; the network knows "
                f"{model.network.curves}"
            )

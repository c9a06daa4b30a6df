"""From a scan and its calibration to curves by depth."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray

from veernet.data.archive import ink
from veernet.digitise.calibration import Calibration
from veernet.digitise.strip import Strip, cut_from_paper, span_of
from veernet.digitise.track import CurveScale, Track
from veernet.errors import CalibrationError
from veernet.evaluate import WINDOW, predict
from veernet.model import VeerNet
from veernet.trace import Trace, jumps, laps_of, printed, read_curve


@dataclass(frozen=True, kw_only=True)
class Print:
    """One curve as it is printed, in every column of its track laid on its side.

    grey:       the track, 255 = paper
    positions:  across the track, 0 at its left edge and 1 at its right one, and beyond them where
                the curve has gone round; NaN where none was found
    confidence: probability of the curve where it was followed, 0 to 1
    depth:      of the columns
    """

    grey: UInt8[ndarray, "h w"]
    positions: Float[ndarray, "w"]
    confidence: Float[ndarray, "w"]
    depth: Float[ndarray, "w"]

    @property
    def rows(self) -> Float[ndarray, "w"]:
        """Rows of its centre on the track; NaN too where it goes round, to interrupt its line."""
        height = len(self.grey) - 1
        return printed(height * (1 - self.positions), (0, height))


@dataclass(frozen=True, kw_only=True)
class Digitised:
    """The curves of one scan, in the order of the calibration.

    depth:      multiples of the calibration's step, over all tracks
    values:     of every curve at every depth, in its unit; NaN where none was found
    confidence: probability of the curve where it was followed, 0 to 1; NaN outside its track
    rounds:     depths at which every curve with a backup scale has gone round its track, and how
                often it has then: 1 beyond its right edge, -1 beyond its left one
    prints:     of every curve
    """

    calibration: Calibration
    depth: Float[ndarray, "n"]
    values: Float[ndarray, "K n"]
    confidence: Float[ndarray, "K n"]
    rounds: tuple[tuple[tuple[float, int], ...], ...]
    prints: tuple[Print, ...]


def digitise(
    scan: UInt8[ndarray, "h w"],
    calibration: Calibration,
    model: VeerNet,
    *,
    window: int = WINDOW,
    autocast: torch.dtype | None = None,
) -> Digitised:
    """Read every curve of the calibration from a scan (255 = paper).

    Args:
        window: most pixels along the scan that the network sees at once; see `predict`.

    Raises:
        CalibrationError: a track lies outside the scan or not on paper, or the network does not
            know a trace.
    """
    _check(calibration, model)
    spans = np.array([span_of(calibration, track) for track in calibration.track])
    depth = calibration.depth.grid(float(spans.min()), float(spans.max()))
    at = calibration.depth.pixel_of(depth)
    values, confidence = list[ndarray](), list[ndarray]()
    rounds, prints = list[tuple[tuple[float, int], ...]](), list[Print]()
    strips = [cut_from_paper(scan, calibration, track) for track in calibration.track]
    for track, strip in zip(calibration.track, strips, strict=True):
        pixels = strip.pixels()[strip.first : strip.last + 1]
        inside = (at > pixels[0] - 0.5) & (at < pixels[-1] + 0.5)
        columns = calibration.depth.at(pixels)
        for curve, trace in _read(strip, calibration, track, model, window, autocast):
            positions = 1 - trace.rows / strip.height
            found = curve.value(np.interp(at, pixels, positions))
            values.append(np.where(inside, found, np.nan))
            confidence.append(np.where(inside, np.interp(at, pixels, trace.confidence), np.nan))
            rounds.append(_rounds(columns, positions) if curve.wraps else ())
            prints.append(
                Print(
                    grey=strip.track,
                    positions=positions,
                    confidence=trace.confidence,
                    depth=columns,
                )
            )
    return Digitised(
        calibration=calibration,
        depth=depth,
        values=np.stack(values),
        confidence=np.stack(confidence),
        rounds=tuple(rounds),
        prints=tuple(prints),
    )


def _read(
    strip: Strip,
    calibration: Calibration,
    track: Track,
    model: VeerNet,
    window: int,
    autocast: torch.dtype | None,
) -> Iterator[tuple[CurveScale, Trace]]:
    """The curves of a track and their traces, in rows and columns of the track alone. They are
    followed beyond both ends of it, where their strokes go on."""
    seen = predict(model, ink(strip.grey), window=window, autocast=autocast)
    seen, part = seen[:, strip.top : strip.bottom + 1], slice(strip.first, strip.last + 1)
    for curve in track.curve:
        turn = (0, strip.height) if curve.wraps else None
        trace = read_curve(seen, curve.trace - 1, max_gap=calibration.depth.gap(), turn=turn)
        yield curve, Trace(rows=trace.rows[part], confidence=trace.confidence[part])


def _rounds(
    depth: Float[ndarray, "w"], positions: Float[ndarray, "w"]
) -> tuple[tuple[float, int], ...]:
    """Depths at which a curve has gone round its track, from its positions across it."""
    return tuple((float(depth[column]), lap) for column, lap in jumps(laps_of(positions)))


def _check(calibration: Calibration, model: VeerNet) -> None:
    for curve in calibration.curves:
        if curve.trace > model.network.curves:
            raise CalibrationError(
                f"curve {curve.mnemonic} is trace {curve.trace}; the network knows "
                f"{model.network.curves}"
            )

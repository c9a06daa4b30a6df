"""Read the curves of one track: at the scale that the network knows, and back in its own pixels."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from veernet.curves.trace import THRESHOLD, Trace
from veernet.digitisation.asked import asked_of
from veernet.digitisation.beyond import beyond_scale
from veernet.digitisation.calibration import Calibration
from veernet.digitisation.confidence import confidence_of, reasons_of
from veernet.digitisation.decode import Followed, decode
from veernet.digitisation.doubts import FAINT, NO_INK, NOT_FOUND
from veernet.digitisation.ink import find_ink
from veernet.digitisation.resolution import reading_scale, resample, rescaled
from veernet.digitisation.result import TrackReading
from veernet.digitisation.strip import Strip
from veernet.digitisation.track import CurveScale, Track
from veernet.errors import OptionError
from veernet.inference import WINDOW, predict, read_curve
from veernet.model import VeerNet

MAX_SCALE = 10.0
"""Largest scale at which a track is read."""


@dataclass(frozen=True, kw_only=True)
class How:
    """Settings with which tracks are read.

    window:   most pixels along the scan that the network sees at once
    autocast: precision of the network; float32 if None
    scale:    scale at which tracks are read; estimated for each if None
    """

    window: int = WINDOW
    autocast: torch.dtype | None = None
    scale: float | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and not 0 < self.scale <= MAX_SCALE:
            raise OptionError(
                f"scale is above 0 and at most {MAX_SCALE:g}, 1 as scanned; got {self.scale}"
            )


def read_track(
    strip: Strip, calibration: Calibration, track: Track, model: VeerNet, how: How
) -> Iterator[tuple[CurveScale, TrackReading]]:
    """Read the curves of a track. They are followed beyond both ends of the track too, where their
    strokes go on.

    A curve that is alone, and of which the calibration says nothing but its class, is followed
    through its plane of the network at the scale of the scan; all others together, at the scale
    that the network knows.
    """
    alone = len(track.curves) == 1 and not track.curves[0].hinted
    read = _read_alone if alone else _read_together
    yield from zip(track.curves, read(strip, calibration, track, model, how), strict=True)


def _read_alone(
    strip: Strip, calibration: Calibration, track: Track, model: VeerNet, how: How
) -> Iterator[TrackReading]:
    (curve,) = track.curves
    scale = 1.0 if how.scale is None else how.scale
    seen = _resampled(strip, scale)
    planes = predict(model, seen.grey, window=how.window, autocast=how.autocast)
    planes = planes[:, seen.top : seen.bottom + 1]
    plane, part = curve.mask_class - 1, slice(seen.first, seen.last + 1)
    whole = read_curve(
        planes,
        plane,
        max_gap=round(calibration.depth.gap() * scale),
        wrap_edges=(0, seen.height) if curve.wraps else None,
        laps=curve.laps_up_down,
    )
    trace = Trace(rows=whole.rows[part], confidence=whole.confidence[part])
    beyond = np.zeros(len(whole.rows), np.int64)
    beyond[part] = beyond_scale(seen, planes[plane, :, part], trace, wraps=curve.wraps)
    doubts = [np.isnan(whole.rows), whole.confidence < THRESHOLD]
    yield _in_own_pixels(
        strip,
        seen,
        calibration,
        rows=whole.rows,
        confidence=whole.confidence,
        beyond=beyond,
        reasons=np.select(doubts, [NOT_FOUND, NO_INK], FAINT),
        scale=scale,
    )


def _read_together(
    strip: Strip, calibration: Calibration, track: Track, model: VeerNet, how: How
) -> Iterator[TrackReading]:
    scale = reading_scale(strip, calibration) if how.scale is None else how.scale
    seen = _resampled(strip, scale)
    planes = predict(model, seen.grey, window=how.window, autocast=how.autocast)
    ink = find_ink(seen.grey, seen.rgb, planes, slice(seen.top, seen.bottom + 1))
    depth = calibration.depth.at(seen.pixels())
    asked = tuple(asked_of(curve, depth, seen.height + 1) for curve in track.curves)
    gap = round(calibration.depth.gap() * scale)
    for curve, one in zip(track.curves, decode(ink, asked, max_gap=gap), strict=True):
        beyond = _beyond(seen, one, wraps=curve.wraps)
        yield _in_own_pixels(
            strip,
            seen,
            calibration,
            rows=one.rows,
            confidence=confidence_of(one),
            beyond=beyond,
            reasons=reasons_of(one),
            scale=scale,
            twins=one.twins,
        )


def _in_own_pixels(
    strip: Strip,
    seen: Strip,
    calibration: Calibration,
    *,
    rows: Float[ndarray, "n"],
    confidence: Float[ndarray, "n"],
    beyond: Int[ndarray, "n"],
    reasons: Int[ndarray, "n"],
    scale: float,
    twins: tuple[str, ...] = (),
) -> TrackReading:
    """Carry a reading of the strip as it was seen back to the columns of the track."""
    columns = _columns(strip, seen)
    nearest = np.rint(columns).astype(np.intp)
    on_scale = np.where(beyond, 0, confidence)
    return TrackReading(
        grey=strip.track,
        positions=_at(columns, 1 - _rows(seen, strip, rows) / strip.height),
        confidence=np.where(beyond[nearest], 0, np.interp(columns, np.arange(len(rows)), on_scale)),
        beyond=beyond[nearest],
        depth=calibration.depth.at(strip.pixels()[strip.first : strip.last + 1]),
        scale=scale,
        reasons=reasons[nearest],
        twins=twins,
    )


def _resampled(strip: Strip, scale: float) -> Strip:
    """Return the strip as it is read."""
    if scale == 1:
        return strip
    places = rescaled(strip.grey.shape, scale)
    top, bottom = np.rint(places.to_copy(np.array([strip.top, strip.bottom], float), 0))
    ends = places.to_copy(np.array([strip.first, strip.last], float), 1)
    first, last = np.rint(ends)
    pace = (strip.span[1] - strip.span[0]) / (ends[1] - ends[0])
    return replace(
        strip,
        grey=resample(strip.grey, scale),
        rgb=None if strip.rgb is None else resample(strip.rgb, scale),
        top=int(top),
        bottom=int(bottom),
        first=int(first),
        last=int(last),
        span=(
            strip.span[0] + (first - ends[0]) * pace,
            strip.span[1] + (last - ends[1]) * pace,
        ),
    )


def _columns(strip: Strip, seen: Strip) -> Float[ndarray, "w"]:
    """Return the column of the strip as it is read at each column of the track."""
    columns = np.arange(strip.first, strip.last + 1, dtype=float)
    if seen is strip:
        return columns
    places = rescaled(strip.grey.shape, seen.grey.shape[1] / strip.grey.shape[1])
    return places.to_copy(columns, 1).clip(0, seen.grey.shape[1] - 1)


def _rows(seen: Strip, strip: Strip, rows: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Return rows below the upper edge of the strip for those of the strip as it is read."""
    if seen is strip:
        return rows
    ratio = strip.grey.shape[0] / seen.grey.shape[0]
    return (rows + seen.top + 0.5) * ratio - 0.5 - strip.top


def _at(columns: Float[ndarray, "w"], values: Float[ndarray, "n"]) -> Float[ndarray, "w"]:
    """Interpolate between columns; NaN beside a column without a value, unless it is nearer to one
    with a value."""
    known = np.isfinite(values)
    nearest = np.rint(columns).astype(np.intp)
    before, after = np.floor(columns).astype(np.intp), np.ceil(columns).astype(np.intp)
    both = known[before] & known[after]
    share = columns - before
    between = (1 - share) * values[before] + share * values[after]
    return np.where(both, between, values[nearest])


def _beyond(seen: Strip, one: Followed, *, wraps: bool) -> Int[ndarray, "n"]:
    """Find the columns of the strip as it is read in which a curve is off scale: it has left the
    track, or lies on an edge."""
    part = slice(seen.first, seen.last + 1)
    trace = Trace(rows=one.rows[part], confidence=np.where(one.shown[part], one.fit[part], 0))
    on_edge = beyond_scale(seen, one.own[:, part], trace, wraps=wraps)
    beyond = one.left.copy()
    beyond[part] = np.where(one.left[part], one.left[part], on_edge)
    return beyond

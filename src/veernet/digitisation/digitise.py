"""Digitise a scan with its calibration: curves by depth."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from veernet.curves.trace import Trace
from veernet.curves.wraps import printed_rows, track_wraps, wrap_columns
from veernet.digitisation.beyond import beyond_scale
from veernet.digitisation.calibration import Calibration
from veernet.digitisation.strip import Strip, cut_from_paper, span_of
from veernet.digitisation.track import CurveScale, Track
from veernet.errors import CalibrationError
from veernet.inference import WINDOW, predict, read_curve
from veernet.model import VeerNet

OffScale = Literal["null", "edge"]
"""Value to write where a curve is off scale: none (`null`), or that of the track's edge."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Depths over which a curve is off scale, on one edge of its track."""

    first: float
    """Shallowest depth, in the unit of the calibration."""
    last: float
    """Deepest depth."""
    edge: Literal["left", "right"]
    """Edge of the track on which the curve lies."""


@dataclass(frozen=True, kw_only=True)
class TrackReading:
    """One curve as read from its track, column by column, with depth to the right.

    grey:       grey levels of the track, 255 = paper
    positions:  position of the curve across the track, 0 at its left edge and 1 at its right one,
                and beyond these where the curve has wrapped; NaN where it was not found
    confidence: probability of the curve along its path, 0 to 1; 0 where it is off scale
    beyond:     1 where the curve lies on the right edge, -1 on the left edge, 0 elsewhere
    depth:      depth of each column
    """

    grey: UInt8[ndarray, "h w"]
    positions: Float[ndarray, "w"]
    confidence: Float[ndarray, "w"]
    beyond: Int[ndarray, "w"]
    depth: Float[ndarray, "w"]

    @property
    def rows(self) -> Float[ndarray, "w"]:
        """Rows of the curve's centre on the track; NaN also where it wraps, to interrupt its
        line."""
        height = len(self.grey) - 1
        return printed_rows(height * (1 - self.positions), (0, height))

    @property
    def off_scale(self) -> tuple[Stretch, ...]:
        """Stretches where the curve is off scale, from the shallowest to the deepest."""
        begin = np.flatnonzero(np.diff(self.beyond, prepend=0))
        ends = [*begin[1:].tolist(), len(self.beyond)]
        return tuple(
            Stretch(
                first=float(self.depth[a]),
                last=float(self.depth[b - 1]),
                edge="right" if self.beyond[a] > 0 else "left",
            )
            for a, b in zip(begin.tolist(), ends, strict=False)
            if self.beyond[a] != 0
        )


@dataclass(frozen=True, kw_only=True)
class Digitisation:
    """The curves of one scan, in the order of the calibration.

    depth:      multiples of the calibration's step, over all tracks
    values:     value of each curve at each depth, in the curve's unit; NaN where it was not found
    confidence: probability of the curve along its path, 0 to 1; 0 where it is off scale, NaN
                outside its track
    beyond:     1 where a curve lies on the right edge, -1 on the left edge, 0 elsewhere
    wraps:      for each curve with a backup scale, the depths at which it wraps, each with the wrap
                count from there on: 1 beyond the right edge, -1 beyond the left one
    readings:   reading of each curve from its track
    """

    calibration: Calibration
    depth: Float[ndarray, "n"]
    values: Float[ndarray, "K n"]
    confidence: Float[ndarray, "K n"]
    beyond: Int[ndarray, "K n"]
    wraps: tuple[tuple[tuple[float, int], ...], ...]
    readings: tuple[TrackReading, ...]


def digitise(
    scan: UInt8[ndarray, "h w"],
    calibration: Calibration,
    model: VeerNet,
    *,
    off_scale: OffScale = "null",
    window: int = WINDOW,
    autocast: torch.dtype | None = None,
) -> Digitisation:
    """Read every curve of the calibration from a scan (255 = paper).

    A curve that lies on an edge of its track, and does not wrap there, is off scale: its value is
    not on the paper, and its confidence is 0.

    Args:
        off_scale: value where a curve is off scale: none, or that of the edge.
        window: most pixels along the scan that the network sees at once; see `predict`.

    Raises:
        CalibrationError: a track lies outside the scan or not on paper, or the network does not
            know a `curve_class`.
    """
    _check_classes(calibration, model)
    spans = np.array([span_of(calibration, track) for track in calibration.tracks])
    depth = calibration.depth.grid(float(spans.min()), float(spans.max()))
    at = calibration.depth.pixel_of(depth)
    strips = [cut_from_paper(scan, calibration, track) for track in calibration.tracks]
    read = [
        (_at(at, strip, curve, one, off_scale), _wraps_of(one) if curve.wraps else (), one)
        for track, strip in zip(calibration.tracks, strips, strict=True)
        for curve, one in _read_track(strip, calibration, track, model, window, autocast)
    ]
    at_depths, wraps, readings = zip(*read, strict=True)
    values, confidence, beyond = (np.stack(one) for one in zip(*at_depths, strict=True))
    return Digitisation(
        calibration=calibration,
        depth=depth,
        values=values,
        confidence=confidence,
        beyond=beyond,
        wraps=wraps,
        readings=readings,
    )


def _at(
    at: Float[ndarray, "n"], strip: Strip, curve: CurveScale, one: TrackReading, off_scale: OffScale
) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"], Int[ndarray, "n"]]:
    """Interpolate a curve's values, confidence and `beyond` at positions along the scan; a position
    between two columns is off scale if either column is."""
    pixels = strip.pixels()[strip.first : strip.last + 1]
    inside = (at > pixels[0] - 0.5) & (at < pixels[-1] + 0.5)
    column = np.interp(at, pixels, np.arange(len(pixels)))
    before, after = (one.beyond[end(column).astype(np.int64)] for end in (np.floor, np.ceil))
    beyond = np.where(inside, np.where(before, before, after), 0)
    values = curve.value(np.interp(at, pixels, one.positions))
    if off_scale == "edge":
        edges = np.where(one.beyond > 0, 1.0, 0.0)
        if curve.wraps:
            edges = np.rint(one.positions)
        edge = curve.value(edges[np.rint(column).astype(np.int64)])
    else:
        edge = np.nan
    confidence = np.interp(at, pixels, one.confidence)
    return (
        np.where(inside, np.where(beyond, edge, values), np.nan),
        np.where(inside, np.where(beyond, 0.0, confidence), np.nan),
        beyond,
    )


def _read_track(
    strip: Strip,
    calibration: Calibration,
    track: Track,
    model: VeerNet,
    window: int,
    autocast: torch.dtype | None,
) -> Iterator[tuple[CurveScale, TrackReading]]:
    """Read the curves of a track. They are followed beyond both ends of the track too, where their
    strokes go on."""
    seen = predict(model, strip.grey, window=window, autocast=autocast)
    seen, part = seen[:, strip.top : strip.bottom + 1], slice(strip.first, strip.last + 1)
    depth = calibration.depth.at(strip.pixels()[part])
    for curve in track.curves:
        wrap_edges = (0, strip.height) if curve.wraps else None
        whole = read_curve(
            seen, curve.curve_class - 1, max_gap=calibration.depth.gap(), wrap_edges=wrap_edges
        )
        trace = Trace(rows=whole.rows[part], confidence=whole.confidence[part])
        beyond = beyond_scale(strip, seen[curve.curve_class - 1, :, part], trace, wraps=curve.wraps)
        yield (
            curve,
            TrackReading(
                grey=strip.track,
                positions=1 - trace.rows / strip.height,
                confidence=np.where(beyond, 0, trace.confidence),
                beyond=beyond,
                depth=depth,
            ),
        )


def _wraps_of(one: TrackReading) -> tuple[tuple[float, int], ...]:
    """List the depths at which a curve wraps, each with the wrap count from there on."""
    counts = track_wraps(one.positions)
    return tuple((float(one.depth[column]), count) for column, count in wrap_columns(counts))


def _check_classes(calibration: Calibration, model: VeerNet) -> None:
    for curve in calibration.curves:
        if curve.curve_class > model.config.num_curves:
            raise CalibrationError(
                f"curve {curve.mnemonic} has curve_class {curve.curve_class}; the network knows "
                f"{model.config.num_curves}"
            )

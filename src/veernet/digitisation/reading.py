"""Digitise a scan with its calibration: curves by depth."""

from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from veernet.curves.wraps import track_wraps, wrap_columns
from veernet.data.raster import MAX_PIXELS, on_paper, read_picture
from veernet.digitisation.calibration import Calibration, chosen_section, read_calibration
from veernet.digitisation.origin import Origin, origin_of
from veernet.digitisation.result import Digitisation, TrackReading
from veernet.digitisation.strip import Strip, cut_from_paper, span_of
from veernet.digitisation.track import CurveScale
from veernet.digitisation.track_reading import How, read_track
from veernet.errors import CalibrationError, OptionError
from veernet.inference import WINDOW
from veernet.model import VeerNet, VeerNetConfig
from veernet.weights import load_weights

OffScale = Literal["null", "edge"]
"""Value to write where a curve is off scale: none (`null`), or that of the track's edge."""


def digitise(
    scan: str | Path | ndarray,
    calibration: str | Path | Calibration,
    weights: str | Path | VeerNet = "pretrained",
    *,
    section: str | None = None,
    page: int | None = None,
    dpi: float | None = None,
    max_pixels: int = MAX_PIXELS,
    off_scale: OffScale = "null",
    scale: float | None = None,
    window: int = WINDOW,
    autocast: torch.dtype | None = None,
) -> Digitisation:
    """Read every curve of the calibration from a scan.

    A curve that lies on an edge of its track, and does not wrap there, is off scale: its value is
    not on the paper, and its confidence is 0.

    >>> found = digitise("scan.png", "calibration.toml")
    >>> found.to_las("scan.las")
    >>> found.values.shape == (1, len(found.depth))
    True

    Args:
        scan: file of the scan, or the scan itself, uint8: grey levels (h, w) with 255 = paper, RGB
            (h, w, 3) or RGBA (h, w, 4).
        calibration: calibration of the scan, or its file.
        weights: network, its file or the folder of its run; or `pretrained`.
        section: name of the depth section to read, where the calibration's file has several.
        page: page of a TIFF or PDF of several, from 1; see `read_grey` for it and the next two.
        dpi: resolution at which a page of a PDF is drawn.
        max_pixels: largest scan to read.
        off_scale: value where a curve is off scale: none, or that of the edge.
        scale: scale at which the network sees the tracks, 0.5 at half their size; estimated for
            each track if None.
        window: most pixels along the scan that the network sees at once; see `predict`.

    Raises:
        ImageError: the scan cannot be read, or is no picture.
        CalibrationError: the calibration cannot be read; a track lies outside the scan or not on
            paper; or the network does not know a `curve_class`.
        CheckpointError: the weights cannot be loaded.
        OptionError: `off_scale` is neither, `weights` are no VeerNet, the scale is not above 0, or
            a page or a resolution is asked of an array.
    """
    if off_scale not in get_args(OffScale):
        raise OptionError(f"off_scale is null or edge; got {off_scale!r}")
    settings = calibration
    if isinstance(settings, str | Path):
        settings = read_calibration(settings, section)
    elif section is not None:
        settings = chosen_section([settings], section, where="the calibration")
    picture = scan
    if isinstance(picture, str | Path):
        picture = read_picture(Path(picture), page=page, dpi=dpi, max_pixels=max_pixels)
    elif page is not None or dpi is not None:
        raise OptionError("page and dpi are of a file; leave them out for a scan in memory")
    model = load_weights(weights) if isinstance(weights, str | Path) else weights
    check_classes(settings, model)
    return digitise_picture(
        on_paper(picture),
        settings,
        model,
        origin=origin_of(scan, calibration, weights),
        off_scale=off_scale,
        how=How(window=window, autocast=autocast, scale=scale),
    )


def digitise_picture(
    picture: UInt8[ndarray, "h w *rgb"],
    calibration: Calibration,
    model: VeerNet,
    *,
    origin: Origin,
    off_scale: OffScale,
    how: How,
) -> Digitisation:
    """Read every curve of a calibration that fits the network from a scan in grey or RGB, as
    `digitise` does."""
    spans = np.array([span_of(calibration, track) for track in calibration.tracks])
    depth = calibration.depth.grid(float(spans.min()), float(spans.max()))
    at = calibration.depth.pixel_of(depth)
    strips = [cut_from_paper(picture, calibration, track) for track in calibration.tracks]
    read = [
        (_at(at, depth, strip, curve, one, off_scale), _wraps_of(one) if curve.wraps else (), one)
        for track, strip in zip(calibration.tracks, strips, strict=True)
        for curve, one in read_track(strip, calibration, track, model, how)
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
        origin=origin,
    )


def _at(
    at: Float[ndarray, "n"],
    depth: Float[ndarray, "n"],
    strip: Strip,
    curve: CurveScale,
    one: TrackReading,
    off_scale: OffScale,
) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"], Int[ndarray, "n"]]:
    """Interpolate a curve's values, confidence and `beyond` at positions along the scan, whose
    depths are given; a position between two columns is off scale if either column is."""
    pixels = strip.pixels()[strip.first : strip.last + 1]
    inside = (at > pixels[0] - 0.5) & (at < pixels[-1] + 0.5)
    column = np.interp(at, pixels, np.arange(len(pixels)))
    before, after = (one.beyond[end(column).astype(np.int64)] for end in (np.floor, np.ceil))
    beyond = np.where(inside, np.where(before, before, after), 0)
    values = curve.value(np.interp(at, pixels, one.positions), depth)
    if off_scale == "edge":
        edges = np.where(one.beyond > 0, 1.0, 0.0)
        if curve.wraps:
            edges = np.rint(one.positions)
        edge = curve.value(edges[np.rint(column).astype(np.int64)], depth)
    else:
        edge = np.nan
    confidence = np.interp(at, pixels, one.confidence)
    return (
        np.where(inside, np.where(beyond, edge, values), np.nan),
        np.where(inside, np.where(beyond, 0.0, confidence), np.nan),
        beyond,
    )


def _wraps_of(one: TrackReading) -> tuple[tuple[float, int], ...]:
    """List the depths at which a curve wraps, each with the wrap count from there on."""
    counts = track_wraps(one.positions)
    return tuple((float(one.depth[column]), count) for column, count in wrap_columns(counts))


def check_classes(calibration: Calibration, model: VeerNet) -> None:
    """Check that the network knows every curve of the calibration, and that they are such.

    Raises:
        CalibrationError: it does not, or the calibration is none.
        OptionError: the network is none.
    """
    if not isinstance(calibration, Calibration):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise CalibrationError(
            f"a calibration is a Calibration, or the name of its file; got {type(calibration)}"
        )
    if not isinstance(getattr(model, "config", None), VeerNetConfig):  # a compiled one has it too
        raise OptionError(
            f"weights are a VeerNet, the name of their file, or pretrained; got {type(model)}"
        )
    for curve in calibration.curves:
        if curve.mask_class > model.config.num_curves:
            raise CalibrationError(
                f"curve {curve.mnemonic} has curve_class {curve.mask_class}; the network knows "
                f"{model.config.num_curves}"
            )

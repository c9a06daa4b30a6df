"""Labels from other tools: LAS files and index masks."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from veernet.data.batch import UNLABELLED
from veernet.data.raster import read_index
from veernet.digitisation.calibration import Calibration
from veernet.digitisation.strip import Strip, cut_strip
from veernet.digitisation.track import Track
from veernet.errors import LabelError
from veernet.label.course import course_of
from veernet.label.labels import (
    ScanLabels,
    TracedCurve,
    TrackLabels,
    complete_curves,
)
from veernet.label.snap import snap
from veernet.las import MAX_BYTES, Las, Unit, read_las

MAX_WRAPS = 20
"""Most wraps of a curve; values that lie further off are discarded."""

PICTURES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
"""Suffixes of masks in a folder."""


@dataclass(frozen=True, kw_only=True)
class LasLabels:
    """Curves of a LAS file, placed by the calibration and snapped to the ink."""

    path: Path
    tolerance: float = 4.0
    """Largest distance of the ink from where it is expected, px."""
    max_bytes: int = MAX_BYTES
    """Largest file to read."""
    unit: Unit | None = None
    """Unit of depth, if the file gives none."""

    def read(
        self, scan: Path, shape: tuple[int, int], calibration: Calibration, *, alone: bool = True
    ) -> ScanLabels:
        """Read the LAS file; its curves are then found on the strips.

        Raises:
            LasError: the file cannot be read, or lacks a curve.
        """
        las = read_las(self.path, depth_unit=self.unit, max_bytes=self.max_bytes)
        for curve in calibration.curves:
            las.find(curve.las_name)
        return ScanLabels(
            source=self.path,
            trace=partial(self._trace, las, calibration),
            remarks=tuple(f"{self.path}: {note}" for note in las.notes),
        )

    def _trace(self, las: Las, calibration: Calibration, strip: Strip, track: Track) -> TrackLabels:
        depth = calibration.depth.at(strip.pixels())
        traced: dict[int, TracedCurve] = {}
        for curve in track.curves:
            values = las.at(curve.las_name, depth, unit=calibration.depth.unit)
            if not np.isfinite(values).any():
                (top, bottom), unit = las.depth[[0, -1]], las.unit
                raise LabelError(
                    f"{self.path}: no values of {curve.las_name} between {depth[0]:g} and "
                    f"{depth[-1]:g} {calibration.depth.unit}, where its track lies; the file "
                    f"reaches from {top:g} to {bottom:g} {unit}"
                )
            positions = curve.position(values, depth)
            positions[np.abs(positions) > MAX_WRAPS] = np.nan
            traced[curve.mask_class] = snap(strip, positions, tolerance=self.tolerance)
        return TrackLabels(curves=traced)


@dataclass(frozen=True, kw_only=True)
class MaskLabels:
    """Index masks of the scan's own size: one file, or a folder of files named like the scans."""

    path: Path
    complete: tuple[str, ...] = ()
    """Curves that have pixels wherever they are printed: where such a curve has none, it is
    absent."""
    tolerance: float = 4.0
    """Largest distance of the ink from where the mask has a curve, px."""

    def read(
        self, scan: Path, shape: tuple[int, int], calibration: Calibration, *, alone: bool = True
    ) -> ScanLabels:
        """Read the mask of a scan; its classes are then found on the strips.

        Raises:
            ImageError: the mask cannot be read.
            LabelError: there is no mask, or it has another size, or a class that no curve has, or
                no pixel of any curve.
        """
        complete = complete_curves(self.complete, calibration)
        path = _mask_of(self.path, scan, alone)
        # The scan has been read, so that a mask of its size is not too large.
        mask = read_index(path, max_pixels=shape[0] * shape[1])
        if mask.shape != shape:
            raise LabelError(
                f"{path}: {mask.shape[0]} × {mask.shape[1]} px (h × w), where {scan} has "
                f"{shape[0]} × {shape[1]}"
            )
        _check_classes(path, mask, calibration)
        trace = partial(self._trace, mask, calibration, complete)
        return ScanLabels(source=path, trace=trace)

    def _trace(
        self,
        mask: UInt8[ndarray, "h w"],
        calibration: Calibration,
        complete: set[str],
        strip: Strip,
        track: Track,
    ) -> TrackLabels:
        labels = cut_strip(mask, calibration, track, interpolation=cv2.INTER_NEAREST).grey
        curves: dict[int, TracedCurve] = {}
        is_open = labels == UNLABELLED
        for curve in track.curves:
            mine = labels == curve.mask_class
            hiding = ~mine & ~is_open & (labels > 0)
            positions = course_of(mine, hiding, strip, wraps=curve.wraps)
            traced = snap(strip, positions, tolerance=self.tolerance, in_place=True)
            none = strip.inside & ~mine.any(0) & ~is_open.all(0) & (curve.mnemonic in complete)
            curves[curve.mask_class] = replace(traced, absent=none)
        return TrackLabels(curves=curves, open_pixels=is_open)


def _mask_of(path: Path, scan: Path, alone: bool) -> Path:
    """Find the mask of a scan: in a folder, the mask that is named like the scan.

    Raises:
        LabelError: there is no mask, or several, or one mask for several scans.
    """
    if not path.is_dir():
        if alone or path.stem.casefold() == scan.stem.casefold():
            return path
        raise LabelError(f"{path}: is not named as {scan.name}; give a folder with one mask a scan")
    named = [
        one
        for one in sorted(path.iterdir())
        if one.stem.casefold() == scan.stem.casefold() and one.suffix.lower() in PICTURES
    ]
    if not named:
        raise LabelError(f"{path}: no mask named {scan.stem}, as PNG, JPEG or TIFF")
    if len(named) > 1:
        found = ", ".join(one.name for one in named)
        raise LabelError(f"{path}: several masks of {scan.name}: {found}")
    return named[0]


def _check_classes(path: Path, mask: UInt8[ndarray, "h w"], calibration: Calibration) -> None:
    """Check that a mask has classes of the calibration, and no others.

    Raises:
        LabelError: the mask has other classes, or none.
    """
    counts = np.array(Image.fromarray(mask).histogram())
    held = ", ".join(f"{k} on {counts[k] / mask.size:.2%}" for k in np.flatnonzero(counts)[:9])
    known = {curve.mask_class: curve.mnemonic for curve in calibration.curves[::-1]}
    wanted = ", ".join(f"{trace} ({known[trace]})" for trace in sorted(known))
    unknown = [k for k in np.flatnonzero(counts).tolist() if k not in (0, UNLABELLED, *known)]
    if unknown:
        raise LabelError(
            f"{path}: class {unknown[0]}, where the calibration has {wanted}; it holds {held}"
        )
    if not counts[[*known]].any():
        unlabelled = (
            ". 255 means not labelled; write a curve as its class" if counts[UNLABELLED] else ""
        )
        raise LabelError(f"{path}: no pixel of class {wanted}; it holds {held} of them{unlabelled}")

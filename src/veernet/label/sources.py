"""Where labels come from: LAS files, index masks, and the polylines of annotators."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from veernet.data.batch import UNLABELLED
from veernet.data.raster import read_index
from veernet.digitise.calibration import Calibration
from veernet.digitise.strip import Strip, cut_strip
from veernet.digitise.track import Track
from veernet.errors import LabelError
from veernet.files import read_json
from veernet.label.labels import Traced, Tracer
from veernet.label.snap import snap
from veernet.las import MAX_BYTES, Las, Unit, read_las

MOST_LAPS = 20
"""How often a curve may go round its track; a value that lies further off is none."""

LINE = 3
"""Width of a polyline that an annotator drew, px."""


@dataclass(frozen=True, kw_only=True)
class LasLabels:
    """Curves projected through the calibration, and snapped to the ink."""

    path: Path
    tolerance: float = 4.0
    """Furthest that ink may lie from where it is expected, px."""
    max_bytes: int = MAX_BYTES
    """A larger file is refused."""
    unit: Unit | None = None
    """Unit of depth, where the file gives none."""
    report: Callable[[str], object] = lambda _: None
    """Told what a person should know of how the file was read."""

    def read(self, scan: Path, shape: tuple[int, int], calibration: Calibration) -> Tracer:
        """Read the LAS file, whose curves are then found on a strip.

        Raises:
            LasError: it cannot be read, or lacks a curve.
        """
        las = read_las(self.path, depth_unit=self.unit, max_bytes=self.max_bytes)
        for curve in calibration.curves:
            las.find(curve.las_name)
        for note in las.notes:
            self.report(f"{self.path}: {note}")
        return partial(self._trace, las, calibration)

    def _trace(
        self, las: Las, calibration: Calibration, strip: Strip, track: Track
    ) -> dict[int, Traced]:
        depth = calibration.depth.at(strip.pixels())
        traced: dict[int, Traced] = {}
        for curve in track.curve:
            values = las.at(curve.las_name, depth, unit=calibration.depth.unit)
            if not np.isfinite(values).any():
                (top, bottom), unit = las.depth[[0, -1]], las.unit
                raise LabelError(
                    f"{self.path}: no values of {curve.las_name} between {depth[0]:g} and "
                    f"{depth[-1]:g} {calibration.depth.unit}, where its track lies; the file "
                    f"reaches from {top:g} to {bottom:g} {unit}"
                )
            positions = curve.position(values)
            positions[np.abs(positions) > MOST_LAPS] = np.nan
            found_on_ink = snap(strip, positions, tolerance=self.tolerance)
            expected = found_on_ink.expected.copy()
            expected[: strip.first] = expected[strip.last + 1 :] = False
            traced[curve.trace] = replace(found_on_ink, expected=expected)
        return traced


@dataclass(frozen=True, kw_only=True)
class MaskLabels:
    """Index masks of the scan's own size, one file, or a folder of files named as the scans."""

    path: Path

    def read(self, scan: Path, shape: tuple[int, int], calibration: Calibration) -> Tracer:
        """Read the mask of a scan, whose classes are then found on a strip.

        Raises:
            ImageError: it cannot be read.
            LabelError: there is none, or it is of another size, or has a class that no curve has.
        """
        path = self.path
        if path.is_dir():
            named = sorted(one for one in path.iterdir() if one.stem == scan.stem)
            if not named:
                raise LabelError(f"{path}: no mask named {scan.stem}")
            path = named[0]
        # The scan has been read, so that a mask of its size is not too large.
        mask = read_index(path, max_pixels=shape[0] * shape[1])
        if mask.shape != shape:
            raise LabelError(
                f"{path}: {mask.shape[0]} × {mask.shape[1]} px (h × w), where {scan} has "
                f"{shape[0]} × {shape[1]}"
            )
        known = {0, UNLABELLED, *(curve.trace for curve in calibration.curves)}
        if unknown := {*np.unique(mask).tolist()} - known:
            raise LabelError(
                f"{path}: class {min(unknown)}, where the calibration's curves are traces "
                f"{', '.join(str(trace) for trace in sorted(known - {0, UNLABELLED}))}"
            )
        return partial(_trace_mask, mask, calibration)


@dataclass(frozen=True, kw_only=True)
class PolylineLabels:
    """Polylines drawn by hand: a JSON file of COCO or of Labelme.

    Their labels are mnemonics of the calibration, or the names of classes: curve 1, curve 2.
    """

    path: Path

    def read(self, scan: Path, shape: tuple[int, int], calibration: Calibration) -> Tracer:
        """Read the polylines of a scan, which are then found on a strip.

        Raises:
            LabelError: the file is of another kind, does not know the scan, or has a label that
                the calibration lacks.
        """
        table = read_json(
            self.path, error=LabelError, missing=f"{self.path}: no such file of polylines"
        )
        try:
            lines = [*_polylines(table, scan)]
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as broken:
            raise LabelError(
                f"{self.path}: neither COCO nor Labelme as they are written ({broken!r})"
            ) from broken
        if not lines:
            raise LabelError(f"{self.path}: no polylines for {scan.name}")
        classes = {curve.mnemonic: curve.trace for curve in calibration.curves}
        classes |= {f"curve {curve.trace}": curve.trace for curve in calibration.curves}
        mask = np.zeros(shape, np.uint8)
        for label, points in sorted(lines, key=lambda line: classes.get(line[0], 0), reverse=True):
            if label not in classes:
                raise LabelError(
                    f"{self.path}: a line is labelled {label!r}; the calibration has "
                    f"{', '.join(classes)}"
                )
            near = np.clip(points, -1e6, 1e6)  # OpenCV's coordinates end somewhere
            cv2.polylines(mask, [np.rint(near).astype(np.int32)], False, classes[label], LINE)
        return partial(_trace_mask, mask, calibration)


def _polylines(table: Any, scan: Path) -> Iterator[tuple[str, ndarray]]:
    """Label and points (x, y) of every line that a file has for a scan."""
    if "shapes" in table:  # Labelme: one file a picture
        for shape in table["shapes"]:
            if shape["shape_type"] in ("linestrip", "line", "polygon"):
                yield str(shape["label"]), _points(shape["points"])
        return
    names = {one["id"]: str(one["name"]) for one in table["categories"]}
    wanted = {one["id"] for one in table["images"] if Path(str(one["file_name"])).name == scan.name}
    for one in table["annotations"]:
        if one["image_id"] in wanted:
            for part in one["segmentation"]:
                yield names[one["category_id"]], _points(np.reshape(part, (-1, 2)))


def _points(listed: Any) -> ndarray:
    points = np.asarray(listed, dtype=float)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ValueError(f"points of shape {points.shape}, not all finite or not (x, y)")
    return points


def _trace_mask(
    mask: UInt8[ndarray, "h w"], calibration: Calibration, strip: Strip, track: Track
) -> dict[int, Traced]:
    """The centre of the pixels of every class of a mask of the whole scan, in every column."""
    labels = cut_strip(mask, calibration, track, interpolation=cv2.INTER_NEAREST).grey
    return {curve.trace: _of_mask(labels, strip, curve.trace) for curve in track.curve}


def _of_mask(labels: UInt8[ndarray, "h w"], strip: Strip, index: int) -> Traced:
    """A curve by the pixels of its class; in columns that are not labelled it is expected."""
    mine = labels == index
    n = mine.sum(0)
    rows = (np.arange(len(labels))[:, None] * mine).sum(0) / np.maximum(n, 1)
    unknown = (labels == UNLABELLED).all(0)
    present = (n > 0) & ~unknown
    return Traced(
        positions=np.where(present, (strip.bottom - rows) / strip.height, np.nan).clip(0, 1 - 1e-6),
        on_ink=present,
        expected=present | unknown,
        unknown=unknown,
        pen=float(np.clip(np.median(n[present]), 1, 5)) if present.any() else 1.0,
    )

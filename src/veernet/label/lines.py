"""Labels drawn by hand: lines, outlines and masks from annotation tools."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from veernet.data.raster import MAX_PIXELS
from veernet.digitisation.calibration import Calibration
from veernet.digitisation.strip import Strip, cut_strip
from veernet.digitisation.track import Axis, CurveScale, Track
from veernet.errors import LabelError
from veernet.label.annotations import Picture, Shape, read_annotations
from veernet.label.course import course_of
from veernet.label.labels import (
    ScanLabels,
    TracedCurve,
    TrackLabels,
    complete_curves,
)
from veernet.label.matching import best_matches
from veernet.label.snap import snap

LINE = 3
"""Width to draw an annotator's line with, px."""

OUTLINED = 1.5
"""Least path of a polygon along depth, in multiples of its own extent, for the polygon to be the
outline of a curve and not its course: an outline goes there and back, and so twice."""

_FAR = 1e6
"""Largest coordinate passed to OpenCV, whose coordinates are limited."""


@dataclass(frozen=True, kw_only=True)
class PolylineLabels:
    """Curves drawn by hand: a JSON file of COCO or of Labelme, or a folder of them.

    Labels are mnemonics of the calibration, or the names of classes: curve 1, curve 2. A shape
    labelled `no GR` says that GR is not printed at the depths that the shape spans.
    """

    path: Path
    complete: tuple[str, ...] = ()
    """Curves that are drawn wherever they are printed: where such a curve is not drawn, it is
    absent."""
    tolerance: float = 4.0
    """Largest distance of the ink from where a curve was drawn, px."""

    def read(
        self, scan: Path, shape: tuple[int, int], calibration: Calibration, *, alone: bool = True
    ) -> ScanLabels:
        """Read the shapes drawn on a scan; their curves are then found on its strips.

        Raises:
            LabelError: the file is of another kind, does not name the scan, was drawn on a picture
                of other proportions, or has a label that the calibration lacks or a shape that is
                no curve.
        """
        complete = complete_curves(self.complete, calibration)
        picture, named = _picture_of(self.path, scan, shape, alone)
        scale, sized = _scale_of(picture, shape)
        page = _Page(picture=picture, scale=scale, shape=shape, axis=calibration.depth_axis)
        drawn, absent = _by_curve(picture, calibration)

        def trace(strip: Strip, track: Track) -> TrackLabels:
            cut = partial(_cut_mask, calibration, track)
            curves: dict[int, TracedCurve] = {}
            for curve in track.curves:
                mine = cut(page.draw(drawn[curve.mnemonic]))
                positions = course_of(mine, np.zeros_like(mine), strip, wraps=curve.wraps)
                traced = snap(strip, positions, tolerance=self.tolerance, in_place=True)
                none = strip.inside & (curve.mnemonic in complete)
                if said := absent[curve.mnemonic]:
                    none |= cut(page.depths(said))[(strip.top + strip.bottom) // 2]
                curves[curve.mask_class] = replace(traced, absent=none & ~mine.any(0))
            return TrackLabels(curves=curves)

        remarks = tuple(filter(None, (named, sized)))
        return ScanLabels(source=picture.file, trace=trace, remarks=remarks)


def _picture_of(path: Path, scan: Path, shape: tuple[int, int], alone: bool) -> tuple[Picture, str]:
    """Find the picture of a file or folder that is the scan, and a remark on its name, or "".

    Raises:
        LabelError: no picture fits the scan, or several do.
    """
    pictures = _pictures(path, scan)
    found = [pictures[i] for i in best_matches(scan, [one.name for one in pictures])]
    if len(found) > 1:
        names = ", ".join(f"{one.name!r} in {one.file}" for one in found[:5])
        raise LabelError(f"{path}: cannot tell which of its pictures is {scan}: {names}")
    if found:
        (picture,) = found
        same = Path(picture.name.replace("\\", "/")).name.casefold() == scan.name.casefold()
        return picture, "" if same else f"{picture.file}: {picture.name!r} is taken for {scan.name}"
    own = [one for one in pictures if one.file.stem == scan.stem or (alone and len(pictures) == 1)]
    if len(own) == 1 and (not own[0].name or own[0].size == shape[::-1]):
        (picture,) = own
        name = f"{picture.name!r}" if picture.name else "a picture without a name"
        return picture, f"{picture.file}: drawn on {name}, taken for {scan.name}"
    names = Counter(one.name for one in pictures)
    listed = ", ".join(map(repr, [*names][:5])) + (", …" if len(names) > 5 else "")
    raise LabelError(f"{path}: nothing is drawn on {scan.name} in it; it is of {listed or 'none'}")


def _pictures(path: Path, scan: Path) -> list[Picture]:
    """Read all pictures of a file; of a folder, all pictures in it, or those of the one file in it
    that is named like the scan."""
    if not path.is_dir():
        return read_annotations(path)
    own = path / f"{scan.stem}.json"
    files = [own] if own.is_file() else sorted(path.glob("*.json"))
    if not files:
        held = ", ".join(sorted(one.name for one in path.iterdir())[:5]) or "nothing"
        raise LabelError(f"{path}: no JSON file of Labelme or COCO in this folder, but {held}")
    return [picture for file in files for picture in read_annotations(file)]


def _scale_of(picture: Picture, shape: tuple[int, int]) -> tuple[tuple[float, float], str]:
    """Return the pixels of the scan per pixel of the picture that the annotator saw, along x and y,
    and a remark on them, or "".

    Raises:
        LabelError: the sizes differ by more than a scale, or points lie outside the scan and the
            file gives no size.
    """
    (h, w), file = shape, picture.file
    if picture.size is None:
        points = np.concatenate([one.points for one in picture.shapes] or [np.zeros((1, 2))])
        if (points < -1).any() or (points > (w + 1, h + 1)).any():
            (x, y), (right, bottom) = points.min(0), points.max(0)
            raise LabelError(
                f"{file}: points reach from x = {x:g}, y = {y:g} to {right:g}, {bottom:g} on a "
                f"picture whose size it does not say; the scan has {w} × {h} px"
            )
        return (1, 1), f"{file}: says no width and height; taken to be drawn on {w} × {h} px"
    seen = picture.size
    if seen == (w, h):
        return (1, 1), ""
    drawn = f"{file}: drawn on {seen[0]} × {seen[1]} px (width × height)"
    least = max((seen[0] - 1) / w, (seen[1] - 1) / h)
    most = min((seen[0] + 1) / w, (seen[1] + 1) / h)
    if min(seen) < 1 or least > most:
        turned = seen[0] * w == seen[1] * h or seen == (h, w)
        hint = "; turned by its EXIF orientation? Save the scan upright, and draw on that"
        raise LabelError(f"{drawn}, where the scan has {w} × {h}{hint if turned else ''}")
    return (w / seen[0], h / seen[1]), f"{drawn}, and scaled to the scan's {w} × {h}"


def _by_curve(
    picture: Picture, calibration: Calibration
) -> tuple[dict[str, list[Shape]], dict[str, list[Shape]]]:
    """Group shapes by mnemonic: those that are the curve, and those that say where it is absent.

    Raises:
        LabelError: there is no shape, a label is not one of the calibration's, or a shape is no
            curve.
    """
    drawn, absent = ({c.mnemonic: list[Shape]() for c in calibration.curves} for _ in range(2))
    if not picture.shapes:
        raise LabelError(f"{picture.file}: nothing is drawn on {picture.name!r}")
    for one in picture.shapes:
        label = " ".join(one.label.split())
        bare = label[3:] if label.casefold().startswith("no ") else label
        curves = _named(bare, calibration.curves)
        if not curves:
            raise LabelError(_unknown(picture, one, calibration))
        _check_form(picture, one, said=bare != label)
        for curve in curves:
            (drawn if bare == label else absent)[curve.mnemonic].append(one)
    return drawn, absent


def _named(label: str, curves: Iterable[CurveScale]) -> list[CurveScale]:
    """Return the curve with this mnemonic, or the curves of this class."""
    name = label.casefold()
    return [c for c in curves if name in (c.mnemonic.casefold(), f"curve {c.mask_class}")]


def _unknown(picture: Picture, shape: Shape, calibration: Calibration) -> str:
    held = Counter(one.label for one in picture.shapes).most_common(9)
    known = [f"{c.mnemonic} (curve {c.mask_class})" for c in calibration.curves]
    return (
        f"{picture.file}: a shape is labelled {shape.label!r}; the calibration has "
        f"{', '.join(known)}, and the file {', '.join(f'{label!r} × {n}' for label, n in held)}"
    )


def _check_form(picture: Picture, shape: Shape, *, said: bool) -> None:
    """Check that a shape can be a curve or, if it says that a curve is absent, spans depths."""
    if shape.form not in ("line", "polygon", "mask", *(("rectangle",) if said else ())):
        what = "says of no depths that it is absent" if said else "is no curve"
        raise LabelError(
            f"{picture.file}: a shape labelled {shape.label!r} is a {shape.form}, which {what}; "
            f"draw it as a line, linestrip or polygon, or as a mask{' or rectangle' * said}"
        )
    if len(shape.points) < 2:
        raise LabelError(f"{picture.file}: a line labelled {shape.label!r} is a single point")


@dataclass(frozen=True, kw_only=True)
class _Page:
    """Scan on which to draw shapes that were drawn on a picture of it.

    scale: pixels of the scan per pixel of the picture, along x and y
    shape: (h, w) of the scan
    axis:  direction in which depth increases
    """

    picture: Picture
    scale: tuple[float, float]
    shape: tuple[int, int]
    axis: Axis

    def draw(self, shapes: Iterable[Shape]) -> UInt8[ndarray, "h w"]:
        """Draw shapes; their pixels are 1.

        Raises:
            LabelError: a mask is damaged, or differs in size from the picture.
        """
        canvas = np.zeros(self.shape, np.uint8)
        for one in shapes:
            if one.mask is not None:
                canvas |= self._pixels(one)
                continue
            points = self._points(one)
            fixed = [np.rint(points).astype(np.int32)]
            if one.form == "polygon" and _is_outline(points[:, self._along]):
                cv2.fillPoly(canvas, fixed, 1)
            else:
                cv2.polylines(canvas, fixed, False, 1, LINE)
        return canvas

    def depths(self, shapes: Iterable[Shape]) -> UInt8[ndarray, "h w"]:
        """Mark all pixels at the depths that shapes span with 1."""
        spanned = np.zeros(self.shape[1 - self._along], np.uint8)
        for one in shapes:
            if one.mask is None:
                places = self._points(one)[:, self._along]
            else:
                places = np.flatnonzero(self._pixels(one).any(self._along))
            if len(places):
                first, last = np.rint([places.min(), places.max()]).astype(int).clip(0).tolist()
                spanned[first : last + 1] = 1
        return np.broadcast_to(spanned[:, None] if self.axis == "down" else spanned, self.shape)

    @property
    def _along(self) -> int:
        """Index of the coordinate, in (x, y), that runs with depth."""
        return 1 if self.axis == "down" else 0

    def _points(self, one: Shape) -> Float[ndarray, "n 2"]:
        return np.clip(one.points * self.scale, -_FAR, _FAR)

    def _pixels(self, one: Shape) -> UInt8[ndarray, "h w"]:
        """Decode a mask at the size of the scan; a pixel that it covers in part counts as
        covered."""
        h, w = self.shape
        size = self.picture.size or (w, h)
        try:
            if one.mask is None or size[0] * size[1] > MAX_PIXELS:
                raise ValueError(f"masks of {size[0]} × {size[1]} px are too large")
            mask = one.mask.pixels(size).astype(np.uint8)
        except (ValueError, OverflowError) as broken:
            where = f"{self.picture.file}: labelled {one.label!r}"
            raise LabelError(f"{where}: {broken}") from broken
        if size == (w, h):
            return mask
        if size[0] < w:
            return cv2.resize(mask, (w, h), interpolation=cv2.INTER_NEAREST)
        shrunk = cv2.resize(255 * mask, (w, h), interpolation=cv2.INTER_AREA)
        return (shrunk > 0).astype(np.uint8)


def _is_outline(depths: Float[ndarray, "n"]) -> bool:
    """Return whether a polygon through these depths surrounds a curve rather than follows it."""
    return bool(np.abs(np.diff(depths)).sum() > OUTLINED * np.ptp(depths))


def _cut_mask(
    calibration: Calibration, track: Track, canvas: UInt8[ndarray, "h w"]
) -> Bool[ndarray, "_ _"]:
    return cut_strip(canvas, calibration, track, interpolation=cv2.INTER_NEAREST).grey == 1

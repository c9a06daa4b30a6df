"""Picture of a calibration over its scan, by which a reader checks it."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from veernet.digitisation.calibration import Calibration
from veernet.digitisation.propose import Proposal
from veernet.digitisation.strip import span_of
from veernet.digitisation.track import Axis, Track

LONGEST, MOST_PIXELS = 16_000, 24_000_000
"""Longest side of the picture, px, and its most pixels: longer scans are shrunk."""

MOST_TIES = 60
"""Most ties whose depth is written."""

_BOX, _LINE, _TIE = (0, 90, 220), (0, 160, 60), (220, 0, 40)

Place = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class _Sheet:
    """The scan that is drawn on, shrunk."""

    rgb: UInt8[ndarray, "h w 3"]
    scale: float

    def line(self, a: Place, b: Place, colour: tuple[int, int, int], width: int) -> None:
        (ax, ay), (bx, by) = (
            (round((x + 0.5) * self.scale - 0.5), round((y + 0.5) * self.scale - 0.5))
            for x, y in (a, b)
        )
        cv2.line(self.rgb, (ax, ay), (bx, by), colour, width)

    def write(self, words: str, at: Place, colour: tuple[int, int, int], *, anchor: float) -> None:
        """Write words on white, of which the share `anchor` stands to the left of a place."""
        size = min(0.7, max(0.4, min(self.rgb.shape[:2]) / 1600))
        (width, height), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
        h, w = self.rgb.shape[:2]
        x = int(np.clip(at[0] * self.scale - anchor * width, 2, max(2, w - width - 2)))
        y = int(np.clip(at[1] * self.scale + height // 2, height + 3, max(height + 3, h - 4)))
        cv2.rectangle(self.rgb, (x - 2, y - height - 3), (x + width + 1, y + 4), (255,) * 3, -1)
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(self.rgb, words, (x, y), font, size, colour, 1, cv2.LINE_AA)


def draw_calibration(
    scan: UInt8[ndarray, "h w *rgb"],
    calibration: Calibration | None = None,
    found: Proposal | None = None,
    *,
    axis: Axis = "down",
) -> UInt8[ndarray, "H W 3"]:
    """Draw over a scan, as it lies, what `propose` found and what a calibration says: depth lines
    green, thick ones bolder; boxes of tracks blue, with the values of curves at their edges; ties
    red, with their depths. A long scan is shrunk.

    Args:
        axis: direction of depth on the scan; that of the calibration if there is one.
    """
    h, w = scan.shape[:2]
    scale = min(1.0, LONGEST / max(h, w), (MOST_PIXELS / (h * w)) ** 0.5)
    size = max(1, round(w * scale)), max(1, round(h * scale))
    shrunk = scan if scale == 1 else cv2.resize(scan, size, interpolation=cv2.INTER_AREA)
    rgb = np.repeat(shrunk[..., None], 3, axis=2) if scan.ndim == 2 else shrunk.copy()
    sheet = _Sheet(
        rgb=128 + np.ascontiguousarray(rgb) // 2, scale=scale
    )  # what is drawn stands out
    axis = axis if calibration is None else calibration.depth_axis
    if found is not None:
        _draw_found(sheet, found, axis, h, boxes=calibration is None)
    if calibration is not None:
        for track in calibration.tracks:
            _draw_track(sheet, track, axis)
        _draw_ties(sheet, calibration)
    return sheet.rgb


def _draw_found(sheet: _Sheet, found: Proposal, axis: Axis, h: int, *, boxes: bool) -> None:
    """Draw depth lines across the tracks, and if asked the tracks themselves with their numbers."""

    def on_scan(column: float, row: float) -> Place:
        return found.place(column, row, axis=axis, height=h)

    for left, right in found.tracks:
        for row, thick in zip(found.lines.tolist(), found.thick.tolist(), strict=True):
            ends = on_scan(left, row), on_scan(right, row)
            sheet.line(*ends, _LINE, 3 if thick else 1)
    for number, (left, right) in enumerate(found.tracks, start=1):
        if boxes:
            first, last = float(found.lines[0]), float(found.lines[-1])
            corners = [(left, first), (right, first), (right, last), (left, last)]
            _draw_box(sheet, [on_scan(*corner) for corner in corners])
            sheet.write(f"track {number}", on_scan((left + right) / 2, first), _BOX, anchor=0.5)


def _draw_box(sheet: _Sheet, corners: Sequence[Place]) -> None:
    for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
        sheet.line(a, b, _BOX, 2)


def _draw_track(sheet: _Sheet, track: Track, axis: Axis) -> None:
    """Draw the box of a track, and its curves with their values at both edges, at its begin."""
    corners = [_placed(corner, axis) for corner in track.read(axis)]
    _draw_box(sheet, corners)
    begin = [np.array(corner) for corner in corners[:2]]
    along = np.array(corners[3]) - begin[0]
    along = along / max(1.0, float(np.linalg.norm(along)))
    pitch = 24 if axis == "down" else 110
    for number, curve in enumerate(track.curves):
        off = along * pitch * (number + 1) / sheet.scale
        left, right = (tuple((edge + off).tolist()) for edge in begin)
        middle = tuple(((begin[0] + begin[1]) / 2 + off).tolist())
        unit = f" {curve.unit}" if curve.unit else ""
        sheet.write(f"{curve.left:g}", left, _BOX, anchor=0.0 if axis == "down" else 0.5)
        sheet.write(f"{curve.mnemonic}{unit}", middle, _BOX, anchor=0.5)
        sheet.write(f"{curve.right:g}", right, _BOX, anchor=1.0 if axis == "down" else 0.5)


def _draw_ties(sheet: _Sheet, calibration: Calibration) -> None:
    """Draw ties across all tracks, at the slope of the first one's ends."""
    axis, first = calibration.depth_axis, calibration.tracks[0]
    start, stop = span_of(calibration, first)
    ends = first.read(axis)
    widest = [track.read(axis) for track in calibration.tracks]
    across = [np.concatenate([one[:, 1] for one in widest]).min() - 12 / sheet.scale]
    across.append(np.concatenate([one[:, 1] for one in widest]).max() + 12 / sheet.scale)
    rise = (ends[1] - ends[0])[0] / (ends[1] - ends[0])[1]
    ties = calibration.depth.ties
    for pixel, depth in ties[:: -(-len(ties) // MOST_TIES)]:
        share = (pixel - start) / (stop - start)
        left = ends[0] + share * (ends[3] - ends[0])
        a, b = (_placed(np.array([left[0] + rise * (y - left[1]), y]), axis) for y in across)
        sheet.line(a, b, _TIE, 1)
        sheet.write(f"{depth:g} {calibration.depth.unit}", b, _TIE, anchor=0.5)


def _placed(place: Float[ndarray, "2"], axis: Axis) -> Place:
    """Return the (x, y) of a place along and across the log."""
    along, across = place.tolist()
    return (across, along) if axis == "down" else (along, -across)

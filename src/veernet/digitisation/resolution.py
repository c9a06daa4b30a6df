"""Resolution of a track: the scale at which the network should see it.

The network was trained on tracks whose pens are 1 to 4 px wide, as on scans at 150 to 200 dpi. The
same track at 75 or 600 dpi is the same picture at another size, so its size is what to change. No
file says reliably how many pixels an inch of paper has; the track itself does: its height, its
scale of depth, the distance of its depth lines, and its pens are of customary lengths.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from veernet.digitisation.calibration import Calibration, Depth
from veernet.digitisation.depth_lines import find_depth_lines
from veernet.digitisation.pen_width import pen_width, reduced, reduction
from veernet.digitisation.strip import Strip
from veernet.las import Unit

SCALES = (1 / 3, 0.4, 0.5, 2 / 3, 0.75, 1.0, 1.5, 2.0, 3.0)
"""Scales that are chosen from."""

NATIVE = (150.0, 200.0)
"""Resolutions that the network reads as they are, px per inch."""

WIDEST_PEN = 5.0
"""Width of the widest pens that the network should see, px, with the ink that has bled."""

WIDEST_ENLARGED = 3.5
"""Width up to which pens are enlarged, px: wider ones need it not."""

_DPI = np.geomspace(40, 1200, 205)
"""Resolutions to weigh, 1.7 % apart."""

_USUAL_DPI = (200.0, 0.8)
"""Median and deviation (of the logarithm) of resolutions of scans, before anything is seen."""

Customary = tuple[tuple[float, float], ...]
"""Lengths and their shares, which add up to 1."""

_WIDTHS: Customary = ((2.5, 0.72), (5.0, 0.12), (2.0, 0.08), (3.75, 0.08))
"""Customary widths of tracks, inches, and their shares."""

_DEPTH_SCALES: dict[Unit, Customary] = {
    "ft": ((1 / 240, 0.64), (1 / 600, 0.22), (1 / 1200, 0.04), (1 / 200, 0.05), (1 / 500, 0.05)),
    "m": ((1 / 200, 0.45), (1 / 500, 0.3), (1 / 1000, 0.1), (1 / 240, 0.1), (1 / 600, 0.05)),
}
"""Customary scales of depth, length on paper per depth, and their shares: 5, 2 and 1 inch per
100 ft are 1:240, 1:600 and 1:1200."""

_PITCHES: Customary = ((0.1, 0.52), (0.2, 0.2), (0.25, 0.16), (0.5, 0.08), (0.394, 0.04))
"""Customary distances of lines of equal depth, inches, and their shares: 2 ft at 5 inches per
100 ft and 10 ft at 1 inch are 0.1 inch apart, 1 m at 1:200 is 0.2 inch."""

_INCHES: dict[Unit, float] = {"ft": 12.0, "m": 1 / 0.0254}
"""Inches in a unit of depth."""

_DEVIATION = 0.025
"""Deviation of a printed length from its customary one (of the logarithm): paper shrinks, and edges
are placed by hand."""

_PEN, _PEN_DEVIATION = 0.010, 0.35
"""Median width of pens, inches, and the deviation of its logarithm."""

_THINNEST = 1.1
"""Width at which the thinnest pens appear, px: no scanner resolves less."""

_PITCH_COLUMNS = 1500
"""Most columns, after a reduction of high strips, in which lines of equal depth are looked for."""

_LEAST_PAGE = 48
"""Least height and length of a track on which lines of equal depth are looked for, px."""

_ANY = 1 / np.log(100)
"""Density of the logarithm of a length of which nothing is known but its decades, two."""

_UNKNOWN = 0.05
"""Share of tracks of no customary lengths, such as drawings: they are left as they are."""

_KNOWN_PEN = 2.2
"""Median width of the pens that the network was trained on, px."""

_UNUSUAL = 0.12
"""Share of tracks with another width or depth scale than is customary."""

_UNUSUAL_PEN = 0.03
"""Weight of pens of any width beside that of the most customary one."""


@dataclass(frozen=True, kw_only=True)
class Rescaled:
    """Places on a picture and on a copy of it of another size, by the centres of pixels.

    A copy that is s times as high and t times as wide has the row y at (y + 1/2) s - 1/2 and the
    column x at (x + 1/2) t - 1/2. `resample` rounds the copy to whole pixels, and so s and t
    differ a little from the scale that was asked for.
    """

    shape: tuple[int, int]
    """Height and width of the picture, px."""
    copy: tuple[int, int]
    """Height and width of its copy, px."""

    def to_copy(self, at: Float[ndarray, "*n"], axis: int) -> Float[ndarray, "*n"]:
        """Return the places on the copy of rows (axis 0) or columns (axis 1) of the picture."""
        return (at + 0.5) * (self.copy[axis] / self.shape[axis]) - 0.5

    def from_copy(self, at: Float[ndarray, "*n"], axis: int) -> Float[ndarray, "*n"]:
        """Return the places on the picture of rows (axis 0) or columns (axis 1) of the copy; the
        inverse of `to_copy`."""
        return (at + 0.5) * (self.shape[axis] / self.copy[axis]) - 0.5


def rescaled(shape: tuple[int, int], scale: float) -> Rescaled:
    """Return how places move when a picture of this height and width is resampled."""
    h, w = shape
    copy = max(1, round(h * scale)), max(1, round(w * scale))
    return Rescaled(shape=(h, w), copy=copy)


def resample(picture: UInt8[ndarray, "h w *rgb"], scale: float) -> UInt8[ndarray, "_ _ *rgb"]:
    """Return a grey or RGB picture at another size; `rescaled` says where its pixels have gone."""
    h, w = picture.shape[:2]
    height, width = rescaled((h, w), scale).copy
    if (height, width) == (h, w):
        return picture
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(picture, (width, height), interpolation=interpolation)


def reading_scale(strip: Strip, calibration: Calibration) -> float:
    """Estimate the scale, one of `SCALES`, at which the network should see a strip: 1 as scanned,
    0.5 at half the size.

    Every resolution is weighed by how customary the track's width, its scale of depth, its depth
    lines and its pens would be at it; the density of each is a mixture of the customary lengths and
    of any length. Beside them stands a track of no customary lengths, whose scale is 1.
    The ideal scale is 1 for resolutions of `NATIVE`, and leads others to its nearer end; of its
    logarithm the mean is taken, so that in doubt between two scales one between them is chosen.
    It is less where pens were still wider than `WIDEST_PEN`, or `WIDEST_ENLARGED` above 1: the
    width of pens is what the network knows.
    """
    pen, depth = pen_width(strip), calibration.depth
    inches = _pixels_per_depth(strip, depth) / _INCHES[depth.unit]
    lengths = [(float(strip.height), _WIDTHS), (inches, _DEPTH_SCALES[depth.unit])]
    if pitch := _line_pitch(strip):
        lengths.append((pitch, _PITCHES))
    low, high = NATIVE
    ideal = np.where(low > _DPI, low / _DPI, np.minimum(1, high / _DPI))
    weight = _joint(lengths, pen)
    odds_of_1 = float(_pen_odds(pen, np.array([_KNOWN_PEN]))[0])
    weight_of_1 = _UNKNOWN * _ANY ** len(lengths) * odds_of_1
    mean = float(np.log(ideal) @ weight / (weight.sum() + weight_of_1))
    fit = [s for s in SCALES if not s * pen > (WIDEST_ENLARGED if s > 1 else WIDEST_PEN)]
    return min(fit or SCALES[:1], key=lambda scale: abs(np.log(scale) - mean))


def _joint(lengths: Sequence[tuple[float, Customary]], pen: float) -> Float[ndarray, "n"]:
    """Return the probability of every resolution of `_DPI` times the density of the lengths, px,
    and the odds of the pens at it."""
    usual, deviation = _USUAL_DPI
    weight = np.exp(-0.5 * (np.log(_DPI / usual) / deviation) ** 2)
    weight *= (1 - _UNKNOWN) / weight.sum()
    for length, customary in lengths:
        weight *= _density(length / _DPI, customary)
    return weight * _pen_odds(pen, np.hypot(_PEN * _DPI, _THINNEST))


def _pen_odds(pen: float, expected: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Return the odds of pens of a width, px, beside those of the width that is expected."""
    if np.isnan(pen):
        return np.ones(len(expected))
    odds = np.exp(-0.5 * (np.log(pen / expected) / _PEN_DEVIATION) ** 2)
    return odds + _UNUSUAL_PEN


def _density(length: Float[ndarray, "n"], customary: Customary) -> Float[ndarray, "n"]:
    """Return the density of the logarithms of lengths: of those that are customary, or of any."""
    lengths, shares = np.array(customary).T
    off = np.log(length[:, None] / lengths) / _DEVIATION
    density = np.exp(-0.5 * off**2) @ shares / (_DEVIATION * np.sqrt(2 * np.pi))
    return (1 - _UNUSUAL) * density + _UNUSUAL * _ANY


def _line_pitch(strip: Strip) -> float:
    """Return the distance of the lines of equal depth, px, on the middle of a strip; 0 if there
    are none."""
    size = reduction(strip.height)
    w = strip.track.shape[1]
    columns = min(w, _PITCH_COLUMNS * size)
    page = reduced(strip.track[:, (w - columns) // 2 :][:, :columns].T, size)
    if min(page.shape) < _LEAST_PAGE:
        return 0.0
    lines, _ = find_depth_lines(page)
    best = max(lines, key=lambda one: one.worth, default=None)
    return 0.0 if best is None else best.spacing * columns / len(page)


def _pixels_per_depth(strip: Strip, depth: Depth) -> float:
    """Return the pixels per unit of depth between most ties that the strip reaches."""
    start, stop = strip.span
    pairs = [
        (min(last, stop) - max(first, start), (last - first) / (below - above))
        for (first, above), (last, below) in pairwise(depth.ties)
    ]
    within = [(length, pace) for length, pace in pairs if length > 0]
    length, pace = np.array(sorted(within or pairs, key=lambda one: one[1])).T
    share = np.cumsum(length if within else np.ones(len(length)))
    return float(pace[np.searchsorted(share, 0.5 * share[-1])])

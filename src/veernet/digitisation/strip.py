"""Cut a track out of a scan, as the network sees it in training and in use."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from veernet.data.raster import to_depth_right, to_grey
from veernet.digitisation.calibration import Calibration
from veernet.digitisation.track import Track
from veernet.errors import CalibrationError

MARGIN = 0.05
"""Margin of paper on each side of the track, in fractions of full scale (the width of the
track)."""

OUTSIDE = 255
"""Value of pixels beyond the scan: white paper, or in a mask not labelled."""

MOST_DARK = 0.1
"""Largest share of a track that may be darker than paper: stamps and stains."""

MOST_INK = 0.6
"""Largest share of a track that may be darker than mid-grey: hatching and filled areas."""

_CHROMA, _LEAST_COLOURED = 40, 0.001
"""Difference of red, green and blue from which a pixel has a colour, and share of such pixels from
which a picture has."""

_FAINT = 0.35
"""Threshold of ink, as a fraction of the darkness of a picture's darkest hundredth."""

_CHUNK = 4096
"""Number of columns straightened at a time; OpenCV counts pixels in 16 bits."""

_BLOCK = 16
"""Side of the squares over which paper is judged, in every second pixel of every second row."""


@dataclass(frozen=True, kw_only=True)
class Strip:
    """One track laid on its side, with some paper around it."""

    grey: UInt8[ndarray, "h w"]
    """255 = paper."""
    top: int
    """Row of the upper edge, which is the track's right edge on the scan."""
    bottom: int
    """Row of the lower edge, which is the track's left edge."""
    first: int
    """First column of the track."""
    last: int
    """Last column of the track."""
    span: tuple[float, float]
    """First and last position of the track along the scan, in the pixels of the ties of depth."""
    rgb: UInt8[ndarray, "h w 3"] | None = None
    """Colours, of a scan in colour."""

    @property
    def height(self) -> int:
        """Number of rows between the edges."""
        return self.bottom - self.top

    @property
    def track(self) -> UInt8[ndarray, "_ _"]:
        """Pixels of the track without its margin."""
        return self.grey[self.top : self.bottom + 1, self.first : self.last + 1]

    @property
    def inside(self) -> Bool[ndarray, "w"]:
        """True for columns of the track, False for those of its margin."""
        columns = np.arange(self.grey.shape[1], dtype=np.int64)
        return (columns >= self.first) & (columns <= self.last)

    def pixels(self) -> Float[ndarray, "w"]:
        """Position of every column along the scan."""
        start, stop = self.span
        pace = (stop - start) / (self.last - self.first)
        return start + (np.arange(self.grey.shape[1], dtype=np.int64) - self.first) * pace


def dark_share(grey: UInt8[ndarray, "h w"]) -> float:
    """Share of a picture in which even the lightest tenth is darker than mid-grey; on paper it is
    near 0, whatever is printed there."""
    part = grey[::2, ::2]
    part = np.pad(part, [(0, -size % _BLOCK) for size in part.shape], mode="reflect")
    h, w = (size // _BLOCK for size in part.shape)
    light = np.quantile(part.reshape(h, _BLOCK, w, _BLOCK), 0.9, axis=(1, 3))
    return float((light < 128).mean())


def dark(grey: UInt8[ndarray, "h w"]) -> Bool[ndarray, "h w"]:
    """Find the pixels darker than the paper, which covers most of the picture."""
    darkest, paper = np.quantile(grey[::4, ::4], [0.01, 0.5]).tolist()
    return grey < paper - max(20.0, _FAINT * (paper - darkest))


def span_of(calibration: Calibration, track: Track) -> tuple[float, float]:
    """Return the first and last position of a track along the scan, px: where the lines of its
    first and last depth cross the left edge of the calibration's first track, at which ties are
    read. Lines of equal depth are taken to be parallel, at the mean slope of the ends of all
    tracks."""
    ends = [t.read(calibration.depth_axis) for t in calibration.tracks]
    sides = [b - a for one in ends for a, b in ((one[0], one[1]), (one[3], one[2]))]
    rise, run = np.sum(sides, axis=0)
    slope = rise / run
    edge_start, *_, edge_stop = ends[0]
    along, across = edge_stop - edge_start
    lean = across / along

    def at_edge(place: Float[ndarray, "2"]) -> float:
        beside = place[1] - edge_start[1] + lean * edge_start[0]
        return float((place[0] - slope * beside) / (1 - slope * lean))

    first_left, _, _, last_left = track.read(calibration.depth_axis)
    return at_edge(first_left), at_edge(last_left)


def cut_from_paper(
    scan: UInt8[ndarray, "h w *rgb"], calibration: Calibration, track: Track
) -> Strip:
    """Cut a track out of a scan as `cut_strip` does, and check that it lies on paper.

    Raises:
        CalibrationError: the track lies outside the scan, or is dark as on a negative or a
            photograph; or the calibration is for a scan of another size.
    """
    calibration.check_size(*scan.shape[:2])
    strip = cut_strip(scan, calibration, track)
    inked = float((strip.track < 128).mean())
    if inked > MOST_INK or dark_share(strip.track) > MOST_DARK:
        (x, y), (right, bottom) = track.places.min(0), track.places.max(0)
        raise CalibrationError(
            f"the track from x = {x:g}, y = {y:g} to {right:g}, {bottom:g} is not on the paper of "
            f"a log: {inked:.0%} of it is darker than mid-grey. Invert a negative, and make a dark "
            "scan lighter; a photograph has no curves to read"
        )
    return strip


def cut_strip(
    scan: UInt8[ndarray, "h w *rgb"],
    calibration: Calibration,
    track: Track,
    *,
    interpolation: int = cv2.INTER_LINEAR,
) -> Strip:
    """Cut a track out of a scan and lay it on its side; straighten it if it is skewed.

    Args:
        interpolation: OpenCV's interpolation for a skewed track; INTER_NEAREST for a mask.

    Raises:
        CalibrationError: the track lies outside the scan.
    """
    (h, w), (x, y), least = scan.shape[:2], track.places.max(0), track.places.min()
    if x > w - 0.5 or y > h - 0.5 or least < -0.5:
        raise CalibrationError(
            f"the track ends at x = {x:g}, y = {y:g}, outside the scan of {w} × {h} px"
            if least >= -0.5
            else f"a corner of the track, at {least:g}, lies outside the scan of {w} × {h} px"
        )
    span = span_of(calibration, track)
    if track.corners:
        picture, place = _straightened(scan, calibration, track, interpolation)
    else:
        picture, place = _cropped(scan, calibration, track)
    grey = picture if picture.ndim == 2 else to_grey(picture)
    coloured = picture.ndim == 3 and _coloured(picture)
    return Strip(grey=grey, span=span, rgb=picture if coloured else None, **place)


def _coloured(rgb: UInt8[ndarray, "h w 3"]) -> bool:
    """Return whether a picture has colours: a scanner may store grey as red, green and blue."""
    some = rgb[::3, ::3].astype(np.int16)
    spread = some.max(2) - some.min(2)
    return float((spread > _CHROMA).mean()) > _LEAST_COLOURED


def _cropped(
    scan: UInt8[ndarray, "h w *rgb"], calibration: Calibration, track: Track
) -> tuple[UInt8[ndarray, "_ _ *rgb"], dict[str, int]]:
    down = calibration.depth_axis == "down"
    corners = track.read(calibration.depth_axis).astype(int)
    (begin, left), (end, right) = corners[0].tolist(), corners[2].tolist()
    lowest = scan.shape[1] - 1 if down else 0
    across = lowest - right, lowest - left
    margin = round(MARGIN * (across[1] - across[0]))
    y, x = max(0, across[0] - margin), max(0, begin - margin)
    rows, columns = slice(y, across[1] + 1 + margin), slice(x, end + 1 + margin)
    if down:  # turning the part is cheaper than turning the whole
        w = scan.shape[1]
        grey = to_depth_right(scan[columns, max(0, w - rows.stop) : w - rows.start])
    else:
        grey = scan[rows, columns]
    place = {
        "top": across[0] - y,
        "bottom": across[1] - y,
        "first": begin - x,
        "last": end - x,
    }
    return np.ascontiguousarray(grey), place


def _straightened(
    scan: UInt8[ndarray, "h w *rgb"],
    calibration: Calibration,
    track: Track,
    interpolation: int,
) -> tuple[UInt8[ndarray, "_ _ *rgb"], dict[str, int]]:
    """Read every pixel of the strip off the scan, at the place that lies at the same fractions
    between the corners, by interpolation."""
    corners = track.read(calibration.depth_axis)
    first_left, first_right, last_right, last_left = corners
    height = _length(first_left - first_right, last_left - last_right)
    length = _length(last_left - first_left, last_right - first_right)
    margin = round(MARGIN * height)
    up = 1 - (np.arange(-margin, height + 1 + margin)[:, None] / height)
    shape = len(up), length + 1 + 2 * margin, *scan.shape[2:]
    grey = np.full(shape, OUTSIDE, np.uint8)
    for start in range(0, grey.shape[1], _CHUNK):
        columns = np.arange(start, min(start + _CHUNK, grey.shape[1]))
        on = (columns - margin) / length
        along, across = (
            (1 - on) * ((1 - up) * first_left[i] + up * first_right[i])
            + on * ((1 - up) * last_left[i] + up * last_right[i])
            for i in (0, 1)
        )
        x, y = (across, along) if calibration.depth_axis == "down" else (along, -across)
        grey[:, columns] = _sample(scan, x, y, interpolation)
    place = {
        "top": margin,
        "bottom": margin + height,
        "first": margin,
        "last": margin + length,
    }
    return grey, place


def _sample(
    scan: UInt8[ndarray, "h w *rgb"],
    x: Float[ndarray, "n m"],
    y: Float[ndarray, "n m"],
    interpolation: int,
) -> UInt8[ndarray, "n m *rgb"]:
    """Read the scan at fractional places; `OUTSIDE` beyond it."""
    left, top = (max(0, int(at.min()) - 1) for at in (x, y))
    part = scan[top : max(0, int(y.max()) + 3), left : max(0, int(x.max()) + 3)]
    if part.size == 0:
        return np.full((*x.shape, *scan.shape[2:]), OUTSIDE, np.uint8)
    return cv2.remap(
        part,
        (x - left).astype(np.float32),
        (y - top).astype(np.float32),
        interpolation,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(OUTSIDE,) * 3,
    )


def _length(*sides: Float[ndarray, "2"]) -> int:
    """Mean length of opposite sides, in whole pixels."""
    return max(1, round(float(np.mean([np.hypot(*side) for side in sides]))))

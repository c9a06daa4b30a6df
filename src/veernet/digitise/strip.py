"""A track cut out of a scan, as the network sees it in training and in use."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from veernet.data.raster import lay_on_side
from veernet.digitise.calibration import Calibration, Track
from veernet.errors import CalibrationError

MARGIN = 0.05
"""Paper around the track that the network sees too, in heights of the track."""


@dataclass(frozen=True, kw_only=True)
class Strip:
    """One track on its side, with some paper around it."""

    grey: UInt8[ndarray, "h w"]
    """255 = paper."""
    top: int
    """Row of the upper edge, where the value is that of the track's right edge on the scan."""
    bottom: int
    """Row of the lower edge."""
    first: int
    """Column where the track begins."""
    last: int
    """Its last column."""
    start: int
    """Pixel along the scan of column 0."""

    @property
    def height(self) -> int:
        """Rows between the edges."""
        return self.bottom - self.top

    def pixels(self) -> Float[ndarray, "w"]:
        """Position along the scan of every column."""
        return np.arange(self.grey.shape[1], dtype=float) + self.start


def cut_strip(scan: UInt8[ndarray, "h w"], calibration: Calibration, track: Track) -> Strip:
    """Cut a track out of a scan and lay it on its side.

    Raises:
        CalibrationError: it lies outside the scan.
    """
    (h, w), lowest = scan.shape, scan.shape[1] - 1
    if track.right >= w or track.bottom >= h:
        raise CalibrationError(
            f"the track ends at x = {track.right}, y = {track.bottom}, outside the scan of "
            f"{w} × {h} px"
        )
    if calibration.depth_axis == "right":
        across, along = (track.top, track.bottom), (track.left, track.right)
    else:
        across, along = (lowest - track.right, lowest - track.left), (track.top, track.bottom)
    margin = round(MARGIN * (across[1] - across[0]))
    y, x = max(0, across[0] - margin), max(0, along[0] - margin)
    rows, columns = slice(y, across[1] + 1 + margin), slice(x, along[1] + 1 + margin)
    if calibration.depth_axis == "right":
        grey = scan[rows, columns]
    else:  # turning the part is cheaper than turning the whole
        grey = lay_on_side(scan[columns, max(0, w - rows.stop) : w - rows.start])
    return Strip(
        grey=np.ascontiguousarray(grey),
        top=across[0] - y,
        bottom=across[1] - y,
        first=along[0] - x,
        last=along[1] - x,
        start=x,
    )

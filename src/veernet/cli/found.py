"""Tracks and lines that `veernet calibrate` found, told to people and as plain data."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from rich.console import Console

from veernet.data.raster import to_depth_down
from veernet.digitisation import Proposal
from veernet.digitisation.inks import Ink, find_inks
from veernet.digitisation.remarks import remarks_on
from veernet.digitisation.track import Axis

_HUE = 24
"""Least difference of red, green and blue of an ink that has a hue."""


def across(column: float, shape: tuple[int, ...], axis: Axis) -> float:
    """Convert a column of the scan with depth down the page to a pixel across the scan as it lies,
    or back."""
    return column if axis == "down" else shape[0] - 1 - column


def describe(
    found: Proposal, shape: tuple[int, ...], axis: Axis, rgb: UInt8[ndarray, "h w 3"] | None
) -> dict[str, Any]:
    """Return what was found as plain data: px along the scan and across it as it lies, degrees."""

    def sides(edges: tuple[int, int]) -> dict[str, float]:
        left, right = (across(edge, shape, axis) for edge in edges)
        return {"left": left, "right": right}

    marks, sections = found.line_rows().round(2), found.sections()
    inks = _inks(found, rgb, axis)
    return {
        "tracks": [
            {**sides(track), "inks": [asdict(ink) for ink in some]}
            for track, some in zip(found.tracks, inks, strict=True)
        ],
        "lines": marks.tolist(),
        "thick_lines": marks[found.thick].tolist(),
        "spacing": found.spacing,
        "sections": [[float(marks[one][end]) for end in (0, -1)] for one in sections],
        "depth_column": found.depth_column and sides(found.depth_column),
        "angle": math.degrees(found.skew),
        "remarks": remarks_on(found, lambda column: across(column, shape, axis)),
    }


def _inks(
    found: Proposal, rgb: UInt8[ndarray, "h w 3"] | None, axis: Axis
) -> list[tuple[Ink, ...]]:
    """Find the inks of every track; none on a grey scan."""
    if rgb is None or not (np.ptp(rgb[::4, ::4], axis=2) > _HUE).any():
        return [()] * len(found.tracks)
    upright = rgb if axis == "down" else to_depth_down(rgb)
    rows = slice(max(0, int(found.lines[0])), int(found.lines[-1]) + 1)
    return [find_inks(upright[rows, max(0, left) : right + 1]) for left, right in found.tracks]


def print_found(console: Console, what: dict[str, Any], *, lines: bool) -> None:
    """Print what was found, the thick lines only if asked."""
    for number, track in enumerate(what["tracks"], start=1):
        console.print(f"track {number}: {_between(track)} px across")
        if track["inks"]:
            console.print(f"  inks: {', '.join(_told(track['inks']))}", soft_wrap=True)
    if column := what["depth_column"]:
        console.print(f"depth column: {_between(column)} px across")
    console.print(f"{len(what['lines'])} depth lines, {what['spacing']:.3f} px apart")
    if what["angle"]:
        console.print(f"the scan is turned by {what['angle']:.2f} degrees")
    for remark in what["remarks"]:
        console.print(remark, soft_wrap=True)
    if lines:
        rows = what["thick_lines"][:: max(1, len(what["thick_lines"]) // 12)]
        console.print("thick ones at", ", ".join(f"{row:g}" for row in rows), soft_wrap=True)


def _between(edges: dict[str, Any]) -> str:
    return "{:g} to {:g}".format(*sorted((edges["left"], edges["right"])))


def ink_comments(what: dict[str, Any]) -> Iterator[str]:
    """Yield comments for the calibration file that name the inks of every track."""
    for number, track in enumerate(what["tracks"], start=1):
        if track["inks"]:
            yield f"# inks of track {number}: {', '.join(_told(track['inks']))}"


def _told(inks: list[dict[str, Any]]) -> list[str]:
    return [f"{ink['colour']} {ink['name']} {ink['share']:.0%}" for ink in inks]

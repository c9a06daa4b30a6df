"""Find on a scan what a calibration needs: depth lines, and the edges of tracks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray

from veernet.digitisation.depth_lines import DepthLines, find_depth_lines
from veernet.digitisation.shared_edges import header_lines, split_shared
from veernet.digitisation.skew import find_angle, turned_back
from veernet.digitisation.spaces import find_spaces
from veernet.digitisation.track import Axis
from veernet.digitisation.track_edges import (
    MIN_TRACK_WIDTH,
    columns_of,
    find_edges,
    paper_sway,
)
from veernet.errors import CalibrationError, OptionError


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Depth lines and tracks found on a scan with depth down the page.

    tracks:  columns of the left and right edge of each track, from left to right
    lines:   rows of the depth lines, from top to bottom
    thick:   True for lines that are thicker than most
    steps:   number of steps by which each line lies below the first one of its section; sections
             are stretches of lines that follow one another evenly
    spacing: mean distance between neighbouring depth lines of the longest section, px
    depth_column: columns of the left and right edge of the column of depth numbers, if it was found
    unruled: edges of spaces that hold a curve, but no depth lines
    doubtful: columns at which a track may be two that share an edge
    skew:    angle by which depth lines fall to the right, radians; the columns and rows above are
             those of the scan rotated back by it about its upper left corner
    """

    tracks: tuple[tuple[int, int], ...]
    lines: Float[ndarray, "n"]
    thick: Bool[ndarray, "n"]
    steps: Int[ndarray, "n"]
    spacing: float
    depth_column: tuple[int, int] | None = None
    unruled: tuple[tuple[int, int], ...] = ()
    doubtful: tuple[int, ...] = ()
    skew: float = 0.0

    def to_scan(self, column: float, row: float) -> tuple[float, float]:
        """Convert a column and row, as in `tracks` and `lines`, to a place (x, y) on the skewed
        scan."""
        cos, sin = math.cos(self.skew), math.sin(self.skew)
        return column * cos - row * sin, column * sin + row * cos

    def place(self, column: float, row: float, *, axis: Axis, height: int) -> tuple[float, float]:
        """Convert as `to_scan`, to a place on the scan as it lies: of that `height`, with depth
        along `axis`."""
        x, y = self.to_scan(column, row)
        return (x, y) if axis == "down" else (y, height - 1 - x)

    def line_rows(self, track: int = 0) -> Float[ndarray, "n"]:
        """Return the rows at which the depth lines cross the left edge of a track on the skewed
        scan. Ties are read at that of the first track of a calibration."""
        left = self.tracks[track][0]
        return left * math.sin(self.skew) + self.lines * math.cos(self.skew)

    def split_at(self, columns: Iterable[float]) -> "Proposal":
        """Return the same with the tracks in which the columns lie split there.

        Raises:
            OptionError: a column lies in no track, or within 10 px of an edge.
        """
        tracks = [*self.tracks]
        for column in columns:
            at = [n for n, (a, b) in enumerate(tracks) if a + 10 <= column <= b - 10]
            if not at:
                raise OptionError(f"--split {column:g}: no track has that pixel well inside it")
            left, right = tracks[at[0]]
            tracks[at[0] : at[0] + 1] = [(left, round(column)), (round(column), right)]
        doubtful = tuple(one for one in self.doubtful if any(a < one < b for a, b in tracks))
        return replace(self, tracks=tuple(tracks), doubtful=doubtful)

    def joined(self, numbers: Iterable[int]) -> "Proposal":
        """Return the same with tracks, counted from 1, each joined with the next one.

        Raises:
            OptionError: there is no such track, or it shares no edge with the next one.
        """
        tracks = [*self.tracks]
        for number in sorted(numbers, reverse=True):
            if not 1 <= number < len(tracks) or tracks[number - 1][1] != tracks[number][0]:
                raise OptionError(f"--join {number}: no track {number} shares its right edge")
            tracks[number - 1 : number + 1] = [(tracks[number - 1][0], tracks[number][1])]
        return replace(self, tracks=tuple(tracks))

    def sections(self) -> list[slice]:
        """Return the lines of every section."""
        begins = np.flatnonzero(self.steps == 0).tolist()
        return [slice(a, b) for a, b in zip(begins, [*begins[1:], len(self.steps)], strict=True)]

    def evenly_spaced_run(self, line: int) -> tuple[slice, Int[ndarray, "m"]]:
        """Return the lines of the section of number `line`, and the number of steps by which each
        lies below that line."""
        (section,) = [one for one in self.sections() if one.start <= line < one.stop]
        return section, self.steps[section] - self.steps[line]


def propose(scan: UInt8[ndarray, "h w"]) -> Proposal:
    """Find depth lines and tracks on a scan (255 = paper) with depth down the page.

    Tracks are the columns where depth lines are drawn: the depth column has none, whatever else is
    printed there. An edge lies on the middle of the line printed along it. A skewed scan, up to a
    slope of `MAX_SKEW`, is rotated back first.

    Raises:
        CalibrationError: there are no evenly spaced lines across the scan, or no tracks.
    """
    angle = find_angle(scan)
    top, left, page = turned_back(scan, angle)
    sections, roughly = find_depth_lines(page)
    sway = paper_sway(page, sections)
    if angle and sections:  # edges are longer than lines, so more exact
        angle -= _residual_skew(sway, sections)
        top, left, page = turned_back(scan, angle)
        sections, roughly = find_depth_lines(page)
        sway = paper_sway(page, sections)
    if not sections:
        raise CalibrationError(
            "no evenly spaced depth lines were found across the scan; is it straight, and does "
            "depth run down the page?"
        )
    columns = columns_of(page, sections, sway, roughly)
    edges, doubtful = split_shared(columns, find_edges(columns), header_lines(page, sections, sway))
    if not edges:
        raise CalibrationError(
            f"no track of {MIN_TRACK_WIDTH} px or more was found between the depth lines"
        )
    ink = np.concatenate([one.ink for one in sections])
    column, unruled = find_spaces(page, sections, sway, edges)
    return Proposal(
        tracks=tuple((first + left, last + left) for first, last in edges),
        lines=np.concatenate([one.rows for one in sections]) + top,
        thick=ink > 1.4001 * np.median(ink),
        steps=np.concatenate([one.steps for one in sections]),
        spacing=max(sections, key=lambda one: len(one.rows)).spacing,
        depth_column=column and (column[0] + left, column[1] + left),
        unruled=tuple((first + left, last + left) for first, last in unruled),
        doubtful=tuple(column + left for column in doubtful),
        skew=angle,
    )


def _residual_skew(sway: Int[ndarray, "h"], sections: list[DepthLines]) -> float:
    """Residual skew: drift of the edges of tracks to the right, px per row."""
    first, last = int(sections[0].rows[0]), int(sections[-1].rows[-1])
    rows = np.arange(first, last, 64)
    if len(rows) < 2:
        return 0.0
    return float(np.polyfit(rows, sway[rows], 1)[0])

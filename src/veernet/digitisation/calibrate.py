"""Make a calibration from what was found on a scan and what its reader says."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from veernet.digitisation.calibration import Calibration, Depth
from veernet.digitisation.propose import Proposal
from veernet.digitisation.track import Axis, CurveScale, Track
from veernet.errors import CalibrationError, OptionError
from veernet.las import Unit

TIE_REACH = 6
"""Greatest distance of a tie from the depth line that it means, px."""

SMOOTH = 8
"""Lines on either side of a tie that tell its row."""

TIES = 25
"""Most ties to write where depth lines are counted."""


def calibrate(
    found: Proposal,
    shape: tuple[int, int],
    curves: Sequence[tuple[int, CurveScale]],
    ties: Sequence[tuple[float, float]],
    *,
    axis: Axis = "down",
    line: float | None = None,
    step: float = 0.5,
    unit: Unit = "ft",
) -> Calibration:
    """Calibrate a scan by the lines and tracks that `propose` found on it.

    Every track reaches from the depth line of the first tie to that of the last, and over the lines
    that follow evenly beyond both; on a skewed scan it is given by its corners.

    Args:
        found: lines and tracks, found on the scan with depth down the page.
        shape: (h, w) of the scan as it lies, px.
        curves: pairs of a track's number, from 1, and a curve of it.
        ties: (pixel, depth) of depth lines, at the left edge of the first track with a curve; a
            pixel within `NEAR` of a line is moved onto it.
        axis: direction in which depth increases on the scan as it lies.
        line: depth from one line to the next; with it one tie is enough, for lines are counted.
        step: depth between two values of the output, in `unit`.

    Raises:
        OptionError: a tie or a track is missing, or the scan has no such line or track.
        CalibrationError: curves and ties make no valid calibration.
    """
    numbers = sorted({number for number, _ in curves})
    if not numbers or not 1 <= numbers[0] <= numbers[-1] <= len(found.tracks):
        raise OptionError(
            f"--curve: of tracks {', '.join(map(str, numbers)) or 'none'}; "
            f"{len(found.tracks)} were found"
        )
    marks = found.line_rows(numbers[0] - 1)
    tied = _tied(found, marks, ties, line)
    first, last = (
        found.evenly_spaced_run(_nearest(marks, tie[0]))[0] for tie in (tied[0], tied[-1])
    )
    lines = found.lines[first.start : last.stop]
    tracks = {
        number: _place(found.tracks[number - 1], found, lines, shape, axis) for number in numbers
    }
    try:
        return Calibration(
            depth=Depth(ties=tied, step=step, unit=unit),
            tracks=tuple(
                replace(track, curves=tuple(curve for n, curve in curves if n == number))
                for number, track in tracks.items()
            ),
            depth_axis=axis,
            size=(shape[1], shape[0]),
        )
    except ValueError as wrong:
        raise CalibrationError(str(wrong)) from wrong


def _place(
    edges: tuple[int, int],
    found: Proposal,
    lines: Float[ndarray, "n"],
    shape: tuple[int, int],
    axis: Axis,
) -> Track:
    """Place a track between two depth lines: a box, or on a skewed scan its corners, between the
    outermost depth lines that lie on the scan. It has no curves yet."""
    (left, right), (h, w), down = edges, shape, axis == "down"

    def on_scan(column: float, row: float) -> tuple[float, float]:
        return found.place(column, row, axis=axis, height=h)

    def inside(row: float) -> bool:
        ends = [on_scan(column, row) for column in edges]
        return all(-0.4 <= x <= w - 0.6 and -0.4 <= y <= h - 0.6 for x, y in ends)

    rows = [float(row) for row in lines if inside(float(row))]
    if len(rows) < 2:
        raise OptionError(f"the track from {left} to {right} px across leaves the scan")
    if found.skew:
        read = [(left, rows[0]), (right, rows[0]), (right, rows[-1]), (left, rows[-1])]
        places = (on_scan(*one) for one in read)
        return Track(corners=tuple((round(x, 1), round(y, 1)) for x, y in places))
    first, last = round(rows[0]), round(rows[-1])
    if down:
        return Track(left=left, right=right, top=first, bottom=last)
    return Track(left=first, right=last, top=h - 1 - right, bottom=h - 1 - left)


def _tied(
    found: Proposal,
    marks: Float[ndarray, "n"],
    ties: Sequence[tuple[float, float]],
    line: float | None,
) -> tuple[tuple[float, float], ...]:
    """Move ties onto their depth lines; where lines are counted, make ties over the whole
    stretch."""
    if not np.isfinite(ties).all() or not math.isfinite(line or 0):
        raise OptionError("--tie and --line take finite numbers")
    if len(ties) == 1 and line is not None:
        ((pixel, depth),) = ties
        return _counted(found, marks, pixel, depth, line)
    if len(ties) < 2:
        raise OptionError("give the depth of two lines by --tie, or of one and --line")
    return tuple(sorted((_onto_line(marks, pixel), float(depth)) for pixel, depth in ties))


def _counted(
    found: Proposal, marks: Float[ndarray, "n"], pixel: float, depth: float, line: float
) -> tuple[tuple[float, float], ...]:
    """Make ties by counting lines from the one at `pixel`: up to `TIES`, and the given one."""
    at = _nearest(marks, pixel)
    if abs(marks[at] - pixel) > TIE_REACH:
        raise OptionError(
            f"--line counts from a depth line; none within {TIE_REACH} px of {pixel:g}, the "
            f"nearest is at {marks[at]:g}"
        )
    lines, steps = found.evenly_spaced_run(at)
    some = np.unique(np.linspace(0, len(steps) - 1, TIES).round().astype(int))
    some = np.union1d(some, [at - lines.start])
    rows = [_smoothed(marks[lines], steps, one) for one in some.tolist()]
    tied = np.round(np.stack([rows, depth + steps[some] * line], axis=1), 4)
    return tuple((pixel, depth) for pixel, depth in tied.tolist())


def _smoothed(rows: Float[ndarray, "n"], steps: Int[ndarray, "n"], at: int) -> float:
    """Return the row of a line as the lines around it tell it, for each lies on whole pixels."""
    near = slice(max(0, at - SMOOTH), at + SMOOTH + 1)
    there: ndarray = steps[near] - steps[at]
    places = rows[near]
    off = np.abs(np.polyval(np.polyfit(there, places, 1), there) - places)
    good = off <= 1.5  # others follow a slip of the paper
    if good.sum() < 3 or not good[at - near.start]:
        return float(rows[at])
    return float(np.polyfit(there[good], places[good], 1)[1])


def _nearest(marks: Float[ndarray, "n"], pixel: float) -> int:
    """Return the number of the depth line nearest to a pixel."""
    return int(np.abs(marks - pixel).argmin())


def _onto_line(marks: Float[ndarray, "n"], pixel: float) -> float:
    nearest = float(marks[_nearest(marks, pixel)])
    return nearest if abs(nearest - pixel) <= TIE_REACH else float(pixel)

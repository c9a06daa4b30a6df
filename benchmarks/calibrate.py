"""Tracks and depth lines that `veernet calibrate` finds on printed logs.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/calibrate.py [COUNT] [SEED]

Draws COUNT logs (60) of 480–640 × 3,200–5,600 px by SEED with all that the generator knows, every
second one turned to depth down. Per log, against what was printed:

- whether all tracks with depth lines were found within 2 px of the median of each edge (the paper
  sways by more), and how many were found that are none;
- whether the lines of all sections are right: a median distance of 0.5 px or less from the printed
  ones, 95 % of these found within 1.1 px, 2 % or less of what was found false;
- whether the spacing is right, within 0.1 %;
- whether the depth that is counted from a line in the middle of the longest section is within a
  tenth of a line, or a pixel, at 98 % of that section, in the file for the scan as it lies.

Where only the heavy lines are dark enough to be seen, these are the printed ones. Writes
benchmarks/calibrate.json.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from veernet.data.raster import to_depth_down
from veernet.digitisation import CurveScale, Proposal, propose
from veernet.digitisation.calibrate import calibrate
from veernet.digitisation.track import Axis
from veernet.errors import VeerNetError
from veernet.synth.degradation import paper_shift
from veernet.synth.layout import Layout, Section
from veernet.synth.printed import PrintedLogs, _joint_shift
from veernet.synth.printed_layout import PrintedLayout

OUT = Path(__file__).with_suffix(".json")
SIZE, SEED = (3200, 5600), 90_210


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was found on one log."""

    log: int
    axis: Axis
    dpi: int
    sections: int
    ruled: int
    """Number of tracks with depth lines."""
    found: int = 0
    """Number of tracks found."""
    right: int = 0
    """Number of ruled tracks found within 2 px."""
    lines: bool = False
    spacing: bool = False
    counted: bool = False
    heavy_only: bool = False
    """True if the heavy lines alone were found."""
    error: str = ""


def main() -> None:
    """Draw the logs, calibrate them, and write what was found."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    logs = PrintedLogs(width=SIZE, seed=int(sys.argv[2]) if len(sys.argv) > 2 else SEED)
    outcomes = list[Outcome]()
    number = 0
    while len(outcomes) < count:
        layout = logs._layout(number)[0]
        if any(track.grid for track in layout.page.tracks):  # else there are no lines to find
            outcomes.append(judge(logs, number, layout, "right" if len(outcomes) % 2 else "down"))
            print(outcomes[-1], flush=True)
        number += 1
    table = summary(outcomes)
    shares = json.dumps(table, indent=1)
    each = ",\n  ".join(json.dumps(asdict(one)) for one in outcomes)
    OUT.write_text(f'{shares[:-2]},\n "logs": [\n  {each}\n ]\n}}\n')
    print(shares)


def judge(logs: PrintedLogs, number: int, layout: PrintedLayout, axis: Axis) -> Outcome:
    """Compare what is found on a log with what was printed there."""
    page = layout.page
    begun = {
        "log": number,
        "axis": axis,
        "dpi": round(layout.dpi),
        "sections": len(page.sections),
        "ruled": sum(track.grid for track in page.tracks),
    }
    lying = logs.log(number).grey
    scan = lying if axis == "right" else to_depth_down(lying)
    try:
        found = propose(to_depth_down(lying))
    except VeerNetError as refused:
        return Outcome(**begun, error=str(refused))
    lines, heavy_only = _lines_right(found, page)
    return Outcome(
        **begun,
        found=len(found.tracks),
        right=_tracks_right(logs, number, layout, found),
        lines=lines,
        spacing=any(
            abs(found.spacing / (times * section.line_step) - 1) <= 1e-3
            for section in page.sections
            for times in ((section.heavy_every,) if heavy_only else (1,))
        ),
        counted=_counted_right(found, scan, layout, axis, heavy_only=heavy_only),
        heavy_only=heavy_only,
    )


def _tracks_right(logs: PrintedLogs, number: int, layout: PrintedLayout, found: Proposal) -> int:
    page = layout.page
    shift = paper_shift(logs._degradation(number, layout), page.width) + _joint_shift(layout)
    off = float(np.median(shift[slice(*page.span)]))
    edges = np.array(found.tracks, dtype=float).reshape(-1, 2)
    right = 0
    for track in page.tracks:
        there = page.height - 1 - np.array([track.bottom + off, track.top + off])
        right += bool(track.grid and (np.abs(edges - there).max(1, initial=0) <= 2).any())
    return right


def _printed(page: Layout, sections: tuple[Section, ...], *, heavy_only: bool) -> ndarray:
    """Return the columns of the middles of the lines, which begin on whole pixels."""
    pens = page.light_pen, page.heavy_pen, page.heaviest_pen or page.heavy_pen
    return np.array(
        [
            round(x) + 0.5 * (int(pens[weight].width) % 2 == 0)
            for one in sections
            for x, weight in one.lines()
            if weight or not heavy_only
        ]
    )


def _lines_right(found: Proposal, page: Layout) -> tuple[bool, bool]:
    """Return whether the lines are right, and whether they are the heavy ones alone."""
    for heavy_only in (False, True):
        printed = _printed(page, page.sections, heavy_only=heavy_only)
        off = np.abs(found.lines[:, None] - printed)
        near = np.abs(off.min(1)), off.min(0)
        if (near[1] <= 1.1).mean() >= 0.95:
            return bool(np.median(near[0]) <= 0.5 and (near[0] <= 1.1).mean() >= 0.98), heavy_only
    return False, len(found.lines) < 0.5 * len(_printed(page, page.sections, heavy_only=False))


def _counted_right(
    found: Proposal, scan: ndarray, layout: PrintedLayout, axis: Axis, *, heavy_only: bool
) -> bool:
    section = max(layout.page.sections, key=lambda one: one.stop - one.start)
    depths = section.depths
    assert depths is not None
    feet = depths.line_feet * (section.heavy_every if heavy_only else 1)
    printed = _printed(layout.page, (section,), heavy_only=heavy_only)
    tie = float(printed[len(printed) // 2])
    depth = depths.first + (tie - section.start) * depths.feet_per_px
    curve = CurveScale(mnemonic="GR", left=0, right=1)
    try:
        made = calibrate(found, scan.shape, [(1, curve)], [(tie, depth)], line=feet, axis=axis)
    except (VeerNetError, IndexError):
        return False
    at = np.arange(section.start, section.stop, dtype=float)
    true = depths.first + (at - section.start) * depths.feet_per_px
    within = np.abs(made.depth.at(at) - true) <= max(0.1 * feet, depths.feet_per_px)
    track = made.tracks[0].read(axis)[:, 0]
    step = feet / depths.feet_per_px
    covered = (at >= track.min() - step) & (at <= track.max() + step)
    return bool((within & covered).mean() >= 0.98)


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    """Return shares over all logs, and every log."""

    def share(right: list[bool]) -> float:
        return round(float(np.mean(right)), 3)

    def shares(some: list[Outcome]) -> dict[str, Any]:
        return {
            "logs": len(some),
            "all_tracks": share([one.right == one.ruled for one in some]),
            "no_false_track": share([one.found <= one.right for one in some]),
            "false_tracks": sum(one.found - one.right for one in some),
            "lines": share([one.lines for one in some]),
            "spacing": share([one.spacing for one in some]),
            "lines_and_spacing": share([one.lines and one.spacing for one in some]),
            "counted": share([one.counted for one in some]),
            "refused": sum(bool(one.error) for one in some),
        }

    return {
        "all": shares(outcomes),
        **{
            f"axis {axis}": shares([o for o in outcomes if o.axis == axis])
            for axis in ("down", "right")
        },
        "one section": shares([one for one in outcomes if one.sections == 1]),
    }


if __name__ == "__main__":
    main()

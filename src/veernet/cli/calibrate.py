"""Proposing a calibration file."""

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from rich.console import Console
from rich.prompt import Prompt
from tyro.conf import Positional

from veernet.cli.console import print_json
from veernet.cli.options import SCAN, Repeated
from veernet.data.raster import MAX_PIXELS, read_grey, to_depth_down
from veernet.digitisation import CurveScale, Depth, Proposal, propose
from veernet.digitisation.calibrate import calibrate
from veernet.digitisation.calibration import Calibration
from veernet.digitisation.strip import span_of
from veernet.digitisation.track import Axis, Track
from veernet.errors import OptionError
from veernet.files import write_text
from veernet.las import Unit
from veernet.terminal import one_line, say

MISSING = (
    "say what the tracks hold by --curve TRACK:MNEMONIC:UNIT:LEFT:RIGHT, and the depth of two "
    "lines by --tie PIXEL DEPTH, or of one with --line"
)
"""Options that a calibration takes besides what is found on the scan."""


@dataclass(frozen=True, kw_only=True)
class Calibrate:
    """Propose a calibration of a scan: finds tracks and depth lines, takes the rest by options.

    Without --curve it says what it found: the edges of the tracks, and rows of thick depth lines
    whose depth you may read off the scan; on a terminal it asks for the rest, elsewhere it writes
    nothing. With two --tie, or one and --line, and a --curve or more it writes the file.
    """

    scan: Annotated[Positional[Path], SCAN]
    """The scan: PNG, JPEG, TIFF, BMP, WebP or PDF."""
    out: Path = Path("calibration.toml")
    """The file to write."""
    axis: Axis = "down"
    """Which way depth runs on the scan."""
    tie: Repeated[tuple[float, float]] = ()
    """Pixel and depth of a depth line or more, at the left edge of the first track with a curve; a
    pixel within 6 px of a line is moved onto it."""
    line: float | None = None
    """Depth from one line to the next, where one --tie is given: the lines are counted."""
    unit: Unit = "ft"
    """Of depth."""
    step: float = 0.5
    """Between two depths of the LAS file, in the same unit."""
    curve: Repeated[str] = ()
    """TRACK:MNEMONIC:UNIT:LEFT:RIGHT, the number of the track from 1 and the values of its edges;
    with :log, :wraps and :2 (the network's second trace) behind it, where it is so."""
    overwrite: bool = False
    """Replace the file of an earlier time."""
    page: int | None = None
    """Page of a TIFF or PDF, from 1. Not given: the first, with a word where there are more."""
    dpi: float | None = None
    """Resolution at which a page of a PDF is drawn. Not given: that of the scan on it."""
    max_pixels: int = MAX_PIXELS
    """Largest scan that is read."""
    json: bool = False
    """Print what was found and written as JSON; nothing is asked for."""

    def run(self, console: Console) -> None:
        """Find, say, ask, and write."""
        grey = read_grey(self.scan, page=self.page, dpi=self.dpi, max_pixels=self.max_pixels)
        found = propose(grey if self.axis == "down" else to_depth_down(grey))
        if not self.json:
            self._print_found(console, found)
        asks = not self.json and console.is_terminal and sys.stdin.isatty()
        if self.curve or asks:
            self._write(console, found, grey.shape)
        else:
            say(f"{self.out} was not written: {MISSING}")
        if self.json:
            files = [str(self.out)] if self.curve else []
            print_json(console, {**_plain(found), "files": files})

    def _print_found(self, console: Console, found: Proposal) -> None:
        for number, (left, right) in enumerate(found.tracks, start=1):
            console.print(f"track {number}: {left} to {right} px across")
        console.print(f"{len(found.lines)} depth lines, {found.spacing:.3f} px apart")
        if found.skew:
            console.print(f"the scan is turned by {math.degrees(found.skew):.2f} degrees")
        if not self.curve:
            rows = found.line_rows()[found.thick][:: max(1, int(found.thick.sum()) // 12)]
            console.print("thick ones at", ", ".join(f"{row:g}" for row in rows), soft_wrap=True)

    def _write(self, console: Console, found: Proposal, shape: tuple[int, int]) -> None:
        """Write the file, with what is asked for first, if it was not given."""
        if self.out.exists() and not self.overwrite:
            raise OptionError(f"{self.out}: exists; choose another name, or --overwrite")
        try:
            told = self if self.curve else self._asked(console, found)
        except EOFError as ended:
            raise OptionError("the answers ended before the last; nothing was written") from ended
        curves = [_curve(text) for text in told.curve]
        _check_traces(curves)
        calibration = calibrate(
            found,
            shape,
            curves,
            told.tie,
            axis=self.axis,
            line=self.line,
            step=self.step,
            unit=self.unit,
        )
        page = "" if self.page in (None, 1) else f", page {self.page}"
        write_text(
            self.out,
            calibration.to_toml(about=f"Calibration of '{one_line(self.scan.name)}'{page}."),
        )
        if not self.json:
            for track in calibration.tracks:
                console.print(_extent(calibration, track), soft_wrap=True)
            console.print(f"wrote {one_line(self.out)}", soft_wrap=True)

    def _asked(self, console: Console, found: Proposal) -> "Calibrate":
        """With the curves, and the ties if they are not given."""
        if not (curves := _ask_curves(console, len(found.tracks))):
            raise OptionError("no curve was told; nothing was written")
        enough = len(self.tie) > 1 or (len(self.tie) == 1 and self.line is not None)
        return replace(self, curve=curves, tie=self.tie if enough else _ask_ties(console))


def _extent(calibration: Calibration, track: Track) -> str:
    """Describe what a track covers."""
    names, ends = ", ".join(curve.mnemonic for curve in track.curves), span_of(calibration, track)
    (top, bottom), unit = calibration.depth.at(np.array(ends)), calibration.depth.unit
    return (
        f"{names}: from {ends[0]:.0f} to {ends[1]:.0f} px along the scan, {top:.1f} to "
        f"{bottom:.1f} {unit}; if the log goes on beyond, change the ends of its track in the file"
    )


def _plain(found: Proposal) -> dict[str, Any]:
    """Return what was found as plain data: px along the scan and across it, degrees."""
    marks = found.line_rows() if found.tracks else found.lines
    return {
        "tracks": [{"left": left, "right": right} for left, right in found.tracks],
        "lines": marks.tolist(),
        "thick_lines": marks[found.thick].tolist(),
        "spacing": found.spacing,
        "angle": math.degrees(found.skew),
    }


def _ask_curves(console: Console, tracks: int) -> tuple[str, ...]:
    console.print("curves, each as MNEMONIC:UNIT:LEFT:RIGHT (GR:API:0:150:wraps); empty: no more")
    curves, names = list[str](), set[str]()
    for number in range(1, tracks + 1):
        while text := _ask(console, f"track {number}"):
            try:
                _, curve = _curve(f"{number}:{text}")
                _check_traces([_curve(one) for one in (*curves, f"{number}:{text}")])
            except OptionError as wrong:
                console.print(str(wrong), soft_wrap=True)
                continue
            if curve.mnemonic.upper() in names:
                console.print(f"{curve.mnemonic} is there already")
                continue
            names.add(curve.mnemonic.upper())
            curves.append(f"{number}:{text}")
    return tuple(curves)


def _ask_ties(console: Console) -> tuple[tuple[float, float], ...]:
    console.print("rows of depth lines and their depths, two or more (3083 300); empty: no more")
    ties = list[tuple[float, float]]()
    while (text := _ask(console, "row and depth")) or len(ties) < 2:
        try:
            row, depth = map(float, text.split())
        except ValueError:
            console.print(f"a row and its depth, please; got {text!r}", soft_wrap=True)
            continue
        try:
            more = sorted([*ties, (row, depth)])
            Depth(ties=tuple(more if len(more) > 1 else [*more, (row + 1, depth + 1)]), step=1)
            ties = more
        except ValueError as wrong:
            console.print(str(wrong), soft_wrap=True)
    return tuple(ties)


def _ask(console: Console, question: str) -> str:
    return Prompt.ask(question, console=console, default="", show_default=False)


def _curve(text: str) -> tuple[int, CurveScale]:
    """Track and curve from TRACK:MNEMONIC:UNIT:LEFT:RIGHT and what follows."""
    parts = text.split(":")
    try:
        number, mnemonic, unit, left, right, *more = parts
        track, edges = int(number), (float(left), float(right))
    except ValueError as wrong:
        raise OptionError(f"--curve is TRACK:MNEMONIC:UNIT:LEFT:RIGHT; got {text!r}") from wrong
    if unknown := {*more} - {"log", "wraps", "1", "2"}:
        raise OptionError(f"--curve {text!r}: {min(unknown)!r} is none of log, wraps and 2")
    try:
        return track, CurveScale(
            mnemonic=mnemonic,
            unit=unit,
            left=edges[0],
            right=edges[1],
            curve_class=2 if "2" in more else 1,
            scale="log" if "log" in more else "linear",
            wraps="wraps" in more,
        )
    except ValueError as wrong:
        raise OptionError(f"--curve {text!r}: {wrong}") from wrong


def _check_traces(curves: Iterable[tuple[int, CurveScale]]) -> None:
    """Check that the curves of every track are told apart."""
    first = dict[tuple[int, int], str]()
    for number, curve in curves:
        other = first.setdefault((number, curve.curve_class), curve.mnemonic)
        if other != curve.mnemonic:
            raise OptionError(
                f"--curve: {other} and {curve.mnemonic} of track {number} would be read as one "
                f"curve, curve_class {curve.curve_class}; put :2 behind the one that is dashed or "
                "dotted, or, if both are solid or both broken, leave one out: only one can be read"
            )

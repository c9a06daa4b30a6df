"""`veernet calibrate`: propose a calibration file."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, get_args

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from rich.console import Console
from rich.prompt import Prompt
from tyro.conf import Positional, arg

from veernet.cli.console import print_json
from veernet.cli.found import across, describe, ink_comments, print_found
from veernet.cli.options import SCAN, Repeated
from veernet.data.raster import MAX_PIXELS, read_grey, read_rgb, to_depth_down, write_picture
from veernet.digitisation import CurveScale, Depth, Proposal, propose, read_calibration
from veernet.digitisation.calibrate import calibrate
from veernet.digitisation.calibration import Calibration
from veernet.digitisation.chart import draw_calibration
from veernet.digitisation.strip import span_of
from veernet.digitisation.track import Axis, Style, Track
from veernet.errors import CalibrationError, OptionError
from veernet.files import write_text
from veernet.las import Unit
from veernet.terminal import one_line, say

MISSING = (
    "say what the tracks hold by --curve TRACK:MNEMONIC:UNIT:LEFT:RIGHT, and the depth of two "
    "lines by --tie PIXEL DEPTH, or of one with --line"
)
"""Options for what cannot be found on the scan."""

STYLES: tuple[Style, ...] = get_args(Style)
"""Words of --curve for the style in which a curve is drawn."""

Picture = UInt8[ndarray, "h w *rgb"]


@dataclass(frozen=True, kw_only=True)
class Calibrate:
    """Propose a calibration of a scan: find tracks and depth lines, take the rest from options.

    Without --curve, print what was found: the edges of the tracks, the rows of thick depth lines,
    whose depths you may read off the scan, the inks of a colour scan, and what was not found. On a
    terminal you are then asked for the rest; elsewhere no file is written. With at least one
    --curve, and either two --tie or one --tie and --line, the file is written without questions,
    and beside it a picture of it over the scan. --show draws that picture for a file that exists.

    Examples:
        veernet calibrate scan.tif
        veernet calibrate scan.tif --tie 412 300 --line 10 --curve 1:DT:US/F:140:40:wraps
        veernet calibrate scan.tif --show calibration.toml
    """

    scan: Annotated[Positional[Path], SCAN]
    """The scan: PNG, JPEG, TIFF, BMP, WebP or PDF."""
    out: Path = Path("calibration.toml")
    """Calibration file to write."""
    axis: Axis = "down"
    """Direction in which depth increases on the scan."""
    tie: Annotated[Repeated[tuple[float, float]], arg(metavar="PIXEL DEPTH ...")] = ()
    """PIXEL DEPTH of a depth line, one or more: its pixel along the scan at the left edge of the
    first track with a curve. A pixel within 6 px of a depth line is moved onto it."""
    line: float | None = None
    """Depth between neighbouring depth lines. With it one --tie is enough: the lines are counted
    from there."""
    unit: Unit = "ft"
    """Unit of depth."""
    step: float = 0.5
    """Depth step of the LAS file, in the same unit."""
    curve: Annotated[Repeated[str], arg(metavar="CURVE ...")] = ()
    """TRACK:MNEMONIC:UNIT:LEFT:RIGHT: number of the track from 1, and values of its edges. Append
    :log for a logarithmic scale, :wraps for a backup scale, and the style in which the curve is
    drawn, :solid, :dashed, :long-dash, :dotted or :dash-dot (or :2 for a broken one)."""
    split: Annotated[Repeated[float], arg(metavar="PIXEL ...")] = ()
    """Pixels across the scan at which a track is split in two that share that edge."""
    join: Annotated[Repeated[int], arg(metavar="TRACK ...")] = ()
    """Tracks that are joined with the one to their right, as a track of double width is."""
    overlay: Path | None = None
    """PNG to draw the calibration in, over the scan. If omitted: beside the calibration file, with
    its name; none if no calibration is written."""
    show: Path | None = None
    """Calibration file to draw over the scan; no other is written, and nothing is asked."""
    section: Annotated[str | None, arg(metavar="NAME")] = None
    """Section that --show draws, of a file that has several."""
    overwrite: bool = False
    """Replace files that exist."""
    page: int | None = None
    """Page of a TIFF or PDF, from 1. If omitted: the first; a note says so where there are more."""
    dpi: float | None = None
    """Resolution at which a page of a PDF is rendered. If omitted: that of the scan on the page."""
    max_pixels: int = MAX_PIXELS
    """Largest scan to read, in pixels."""
    json: bool = False
    """Print what was found and written as JSON, and ask nothing."""

    def run(self, console: Console) -> None:
        """Print what was found, ask for what is missing, and write the file and its picture."""
        grey = read_grey(self.scan, page=self.page, dpi=self.dpi, max_pixels=self.max_pixels)
        rgb = read_rgb(self.scan, page=self.page, max_pixels=self.max_pixels)
        if self.show is not None:
            self._show(console, grey, rgb)
            return
        upright = grey if self.axis == "down" else to_depth_down(grey)
        found = propose(upright).joined(self.join)
        found = found.split_at([across(one, grey.shape, self.axis) for one in self.split])
        what = describe(found, grey.shape, self.axis, rgb)
        if not self.json:
            print_found(console, what, lines=not self.curve)
        if self.section is not None:
            raise OptionError("--section is of the file of --show")
        asks = not self.json and console.is_terminal and sys.stdin.isatty()
        files = list[Path]()
        if self.curve or asks:
            files = self._write(console, found, what, grey if rgb is None else rgb)
        else:
            say(f"{self.out} was not written: {MISSING}")
            if self.overlay is not None:
                self._check_absent(self.overlay)
                picture = draw_calibration(
                    grey if rgb is None else rgb, None, found, axis=self.axis
                )
                files = [self._drawn(console, self.overlay, picture)]
        if self.json:
            print_json(console, {**what, "files": [str(file) for file in files]})

    def _show(self, console: Console, grey: Picture, rgb: Picture | None) -> None:
        """Draw a calibration that exists over the scan, with the depth lines if there are any."""
        assert self.show is not None
        if self.curve or self.tie or self.split or self.join:
            raise OptionError("--show draws a file as it is: leave the other options out")
        calibration = read_calibration(self.show, self.section)
        calibration.check_size(*grey.shape)
        target = self.overlay or self.show.with_suffix(".png")
        self._check_absent(target)
        try:
            found = propose(grey if calibration.depth_axis == "down" else to_depth_down(grey))
        except CalibrationError as none:
            found = None
            say(f"the picture has no depth lines: {none}")
        picture = draw_calibration(grey if rgb is None else rgb, calibration, found)
        file = self._drawn(console, target, picture)
        if self.json:
            print_json(console, {"files": [str(file)]})

    def _check_absent(self, *paths: Path) -> None:
        for path in paths:
            if path.exists() and not self.overwrite:
                raise OptionError(f"{path}: exists; choose another name, or --overwrite")

    def _drawn(self, console: Console, path: Path, picture: Picture) -> Path:
        """Write a picture, and say so."""
        if path.suffix.lower() != ".png":
            raise OptionError(f"--overlay writes a .png; got {path.name!r}")
        write_picture(path, picture)
        if not self.json:
            console.print(f"wrote {one_line(path)}", soft_wrap=True)
        return path

    def _write(
        self, console: Console, found: Proposal, what: dict[str, Any], scan: Picture
    ) -> list[Path]:
        """Write the file and its picture; ask first for what no option gives."""
        overlay = self.overlay or self.out.with_suffix(".png")
        self._check_absent(self.out, overlay)
        try:
            answered = self if self.curve else self._asked(console, found)
        except EOFError as ended:
            raise OptionError("the answers ended before the last; nothing was written") from ended
        curves = [_curve(text) for text in answered.curve]
        calibration = calibrate(
            found,
            scan.shape[:2],
            curves,
            answered.tie,
            axis=self.axis,
            line=self.line,
            step=self.step,
            unit=self.unit,
        )
        page = "" if self.page in (None, 1) else f", page {self.page}"
        about = calibration.to_toml(about=f"Calibration of '{one_line(self.scan.name)}'{page}.")
        write_text(self.out, "\n".join([*about.splitlines(), *ink_comments(what), ""]))
        if not self.json:
            for track in calibration.tracks:
                console.print(_extent(calibration, track), soft_wrap=True)
            console.print(f"wrote {one_line(self.out)}", soft_wrap=True)
        return [self.out, self._drawn(console, overlay, draw_calibration(scan, calibration, found))]

    def _asked(self, console: Console, found: Proposal) -> "Calibrate":
        """Return this command with the curves answered for, and the ties unless options give
        them."""
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


def _ask_curves(console: Console, tracks: int) -> tuple[str, ...]:
    console.print("curves, each as MNEMONIC:UNIT:LEFT:RIGHT (GR:API:0:150:wraps); empty: no more")
    curves, names = list[str](), set[str]()
    for number in range(1, tracks + 1):
        while text := _ask(console, f"track {number}"):
            try:
                _, curve = _curve(f"{number}:{text}")
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
    """Parse TRACK:MNEMONIC:UNIT:LEFT:RIGHT and what follows it; return the track and its curve."""
    parts = text.split(":")
    try:
        number, mnemonic, unit, left, right, *more = parts
        track, edges = int(number), (float(left), float(right))
    except ValueError as wrong:
        raise OptionError(f"--curve is TRACK:MNEMONIC:UNIT:LEFT:RIGHT; got {text!r}") from wrong
    if unknown := {*more} - {"log", "wraps", "1", "2", *STYLES}:
        raise OptionError(
            f"--curve {text!r}: {min(unknown)!r} is none of log, wraps, {', '.join(STYLES)}, 1, "
            "which is solid, and 2, which is broken"
        )
    if len(drawn := [word for word in more if word in ("1", "2", *STYLES)]) > 1:
        raise OptionError(
            f"--curve {text!r}: a curve is drawn in one style, got {' and '.join(drawn)}"
        )
    try:
        return track, CurveScale(
            mnemonic=mnemonic,
            unit=unit,
            left=edges[0],
            right=edges[1],
            style=next((style for style in STYLES if style in more), None),
            curve_class=next((k for k in (1, 2) if str(k) in more), None),
            scale="log" if "log" in more else "linear",
            wraps="wraps" in more,
        )
    except ValueError as wrong:
        raise OptionError(f"--curve {text!r}: {wrong}") from wrong

"""Proposing a calibration file."""

import math
import sys
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from rich.console import Console
from rich.prompt import Prompt
from tyro.conf import Positional

from veernet.data.raster import MAX_PIXELS, read_grey, stand_up
from veernet.digitise import Proposal, propose
from veernet.digitise.calibration import calibration_of
from veernet.errors import OptionError
from veernet.files import write_text

HEAD = """\
# Of {scan}: what was found by itself, and what was told.
depth_axis = "{axis}"

[depth]
unit = "{unit}"
step = {step}
ties = {ties}    # [pixel, depth]
"""

BOX = """\
left = {left}
right = {right}
top = {top}
bottom = {bottom}
"""

CORNERS = """\
corners = {}    # shallow left, shallow right, deep right, deep left
"""

CURVE = """
[[track.curve]]
mnemonic = "{mnemonic}"
unit = "{unit}"
left = {left}
right = {right}
trace = {trace}
{more}"""


@dataclass(frozen=True, kw_only=True)
class Calibrate:
    """Propose a calibration of a scan: finds tracks and depth lines, takes the rest by options.

    Without --curve it says what it found: the edges of the tracks, and rows of thick depth lines
    whose depth you may read off the scan; on a terminal it asks for the rest, elsewhere it writes
    nothing. With two --tie, or one and --line, and a --curve or more it writes the file.
    """

    scan: Positional[Path]
    """The scan: PNG, JPEG or TIFF."""
    out: Path = Path("calibration.toml")
    """The file to write."""
    axis: Literal["down", "right"] = "down"
    """Which way depth runs on the scan."""
    tie: tuple[tuple[float, float], ...] = ()
    """Pixel and depth of a depth line or more; a pixel within 6 px of a line is moved onto it."""
    line: float | None = None
    """Depth from one line to the next, where one --tie is given."""
    unit: Literal["ft", "m"] = "ft"
    """Of depth."""
    step: float = 0.5
    """Between two depths of the LAS file, in the same unit."""
    curve: tuple[str, ...] = ()
    """TRACK:MNEMONIC:UNIT:LEFT:RIGHT, the number of the track from 1 and the values of its edges;
    with :log, :wraps and :2 (the network's second trace) behind it, where it is so."""
    overwrite: bool = False
    """Replace the file of an earlier time."""
    max_pixels: int = MAX_PIXELS
    """Largest scan that is read."""

    def run(self, console: Console) -> None:
        """Find, say, and write."""
        grey = read_grey(self.scan, max_pixels=self.max_pixels)
        found = propose(grey if self.axis == "down" else stand_up(grey))
        for number, (left, right) in enumerate(found.tracks, start=1):
            console.print(f"track {number}: {left} to {right} px across")
        console.print(f"{len(found.lines)} depth lines, {found.spacing:.3f} px apart")
        if found.turned:
            console.print(f"the scan is turned by {math.degrees(found.turned):.2f} degrees")
        if not self.curve:
            rows = found.marks[found.heavy][:: max(1, int(found.heavy.sum()) // 12)]
            console.print("thick ones at", ", ".join(f"{row:g}" for row in rows), soft_wrap=True)
            if not console.is_terminal or not sys.stdin.isatty():
                return
            asked = replace(self, curve=_ask_curves(console, found), tie=_ask_ties(console))
            asked.write(console, found, grey.shape)
            return
        self.write(console, found, grey.shape)

    def write(self, console: Console, found: Proposal, shape: tuple[int, int]) -> None:
        """Write the file from what was found on a scan of this shape, and what was told."""
        if self.out.exists() and not self.overwrite:
            raise OptionError(f"{self.out}: exists; choose another name, or --overwrite")
        text = self._text(found, shape)
        try:
            table = tomllib.loads(text)
        except ValueError as broken:
            raise OptionError(f"--curve with signs that TOML does not take ({broken})") from broken
        calibration_of(table, where=str(self.out))
        write_text(self.out, text)
        console.print(f"wrote {self.out}", soft_wrap=True)

    def _text(self, found: Proposal, shape: tuple[int, int]) -> str:
        ties = self._ties(found)
        head = HEAD.format(
            scan=ascii(self.scan.name),
            axis=self.axis,
            unit=self.unit,
            step=self.step,
            ties=[[float(pixel), float(depth)] for pixel, depth in ties],
        )
        parts = [head]
        for number, edges in enumerate(found.tracks, start=1):
            curves = [text for text in self.curve if text.split(":")[0] == str(number)]
            if curves:
                place = self._place(found, edges, lowest=shape[0] - 1)
                parts += ["\n[[track]]\n", place, *map(_curve, curves)]
        told = {text.split(":")[0] for text in self.curve}
        if absent := told - {str(n) for n in range(1, len(found.tracks) + 1)}:
            raise OptionError(f"--curve: no track {min(absent)}; {len(found.tracks)} were found")
        return "".join(parts)

    def _place(self, found: Proposal, edges: tuple[int, int], *, lowest: int) -> str:
        """The box of a track, or its corners where the scan is askew."""
        (left, right), down = edges, self.axis == "down"
        first, last = round(float(found.lines[0])), round(float(found.lines[-1]))
        if found.turned:
            read = [(left, first), (right, first), (right, last), (left, last)]
            places = [found.on_scan(*one) for one in read]
            if not down:  # as it lay before it was stood up
                places = [(y, lowest - x) for x, y in places]
            return CORNERS.format([[round(x, 1), round(y, 1)] for x, y in places])
        if down:
            return BOX.format(left=left, right=right, top=first, bottom=last)
        return BOX.format(left=first, right=last, top=lowest - right, bottom=lowest - left)

    def _ties(self, found: Proposal) -> list[tuple[float, float]]:
        ties = [(_onto_line(found, pixel), depth) for pixel, depth in self.tie]
        if len(ties) == 1 and self.line is not None:
            ((pixel, depth),) = ties
            far = float(max(found.marks[[0, -1]], key=lambda line: abs(line - pixel)))
            lines = round((far - pixel) / (found.spacing * math.cos(found.turned)))
            ties = sorted([(pixel, depth), (far, depth + lines * self.line)])
        if len(ties) < 2:
            raise OptionError("give the depth of two lines by --tie, or of one and --line")
        return ties


def _ask_curves(console: Console, found: Proposal) -> tuple[str, ...]:
    console.print("curves, each as MNEMONIC:UNIT:LEFT:RIGHT (GR:API:0:150:wraps); empty: no more")
    curves = list[str]()
    for number in range(1, len(found.tracks) + 1):
        while text := Prompt.ask(
            f"track {number}", console=console, default="", show_default=False
        ):
            try:
                _curve(f"{number}:{text}")
                curves.append(f"{number}:{text}")
            except OptionError as wrong:
                console.print(str(wrong), soft_wrap=True)
    return tuple(curves)


def _ask_ties(console: Console) -> tuple[tuple[float, float], ...]:
    console.print("rows of depth lines and their depths, two or more (3083 300); empty: no more")
    ties = list[tuple[float, float]]()
    while text := Prompt.ask("row and depth", console=console, default="", show_default=False):
        try:
            row, depth = map(float, text.split())
            ties.append((row, depth))
        except ValueError:
            console.print(f"two numbers, please; got {text!r}", soft_wrap=True)
    return tuple(sorted(ties))


def _onto_line(found: Proposal, pixel: float) -> float:
    nearest = float(found.marks[np.abs(found.marks - pixel).argmin()])
    return nearest if abs(nearest - pixel) <= 6 else pixel


def _curve(text: str) -> str:
    """A curve of the file from TRACK:MNEMONIC:UNIT:LEFT:RIGHT and what follows."""
    parts = text.split(":")
    try:
        _, mnemonic, unit, left, right, *more = parts
        edges = float(left), float(right)
    except ValueError as wrong:
        raise OptionError(f"--curve is TRACK:MNEMONIC:UNIT:LEFT:RIGHT; got {text!r}") from wrong
    if unknown := {*more} - {"log", "wraps", "1", "2"}:
        raise OptionError(f"--curve {text!r}: {min(unknown)!r} is none of log, wraps and 2")
    return CURVE.format(
        mnemonic=mnemonic,
        unit=unit,
        left=edges[0],
        right=edges[1],
        trace=2 if "2" in more else 1,
        more='scale = "log"\n' * ("log" in more) + "wraps = true\n" * ("wraps" in more),
    )

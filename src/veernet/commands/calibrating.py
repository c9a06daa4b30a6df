"""Proposing a calibration file."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from rich.console import Console
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

TRACK = """
[[track]]
left = {left}
right = {right}
top = {top}
bottom = {bottom}
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

    Without --curve it says what it found, and writes nothing: the edges of the tracks, and rows of
    thick depth lines whose depth you may read off the scan. With two --tie, or one and --line, and
    a --curve or more it writes the file.
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
        if not self.curve:
            rows = found.lines[found.heavy][:: max(1, int(found.heavy.sum()) // 12)]
            console.print("thick ones at", ", ".join(f"{row:g}" for row in rows), soft_wrap=True)
            return
        if self.out.exists() and not self.overwrite:
            raise OptionError(f"{self.out}: exists; choose another name, or --overwrite")
        text = self._text(found, grey.shape)
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
        first, last = round(float(found.lines[0])), round(float(found.lines[-1]))
        parts, lowest = [head], shape[0] - 1
        for number, (left, right) in enumerate(found.tracks, start=1):
            curves = [text for text in self.curve if text.split(":")[0] == str(number)]
            if not curves:
                continue
            box = {"left": left, "right": right, "top": first, "bottom": last}
            if self.axis == "right":  # the left edge lies below
                box = {"left": first, "right": last, "top": lowest - right, "bottom": lowest - left}
            parts += [TRACK.format(**box), *map(_curve, curves)]
        told = {text.split(":")[0] for text in self.curve}
        if absent := told - {str(n) for n in range(1, len(found.tracks) + 1)}:
            raise OptionError(f"--curve: no track {min(absent)}; {len(found.tracks)} were found")
        return "".join(parts)

    def _ties(self, found: Proposal) -> list[tuple[float, float]]:
        ties = [(_onto_line(found, pixel), depth) for pixel, depth in self.tie]
        if len(ties) == 1 and self.line is not None:
            ((pixel, depth),) = ties
            far = float(max(found.lines[[0, -1]], key=lambda line: abs(line - pixel)))
            lines = round((far - pixel) / found.spacing)
            ties = sorted([(pixel, depth), (far, depth + lines * self.line)])
        if len(ties) < 2:
            raise OptionError("give the depth of two lines by --tie, or of one and --line")
        return ties


def _onto_line(found: Proposal, pixel: float) -> float:
    nearest = float(found.lines[np.abs(found.lines - pixel).argmin()])
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

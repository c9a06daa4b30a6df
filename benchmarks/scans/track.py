"""A scanned track: its picture, its truth, and the calibration that a user would write."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import resvg_py
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from scans import paper, wear
from scans.paper import Box
from scans.pens import COLOURS, Pen, pens
from scans.wells import Trace, track_of

DPI = (75, 100, 150, 200, 300, 400, 600)
LONGEST = {75: 1.0, 100: 1.0, 150: 1.0, 200: 1.0, 300: 1.0, 400: 0.7, 600: 0.45}
"""Share of the longest length that is drawn, so that no picture takes minutes."""


@dataclass(frozen=True, kw_only=True)
class ScannedTrack:
    """One track on its scan, drawn by (seed, number) alone.

    image:   uint8, grey (h, w) or RGB (h, w, 3)
    corners: of the track on the scan: shallow left, shallow right, deep right, deep left
    hints:   what the calibration says of each curve, by the names of [[track.curve]]
    """

    seed: int
    number: int
    image: UInt8[ndarray, "..."]
    dpi: int
    box: Box
    corners: Float[ndarray, "4 2"]
    traces: tuple[Trace, ...]
    pens: tuple[Pen, ...]
    traits: frozenset[str]
    """Names of the categories that the whole track belongs to."""
    hints: tuple[dict[str, Any], ...]
    hinted: str
    """Which hints are given: none, style, colour, weight, points or all."""

    @property
    def step(self) -> float:
        """Step of the depths to read, ft."""
        return 0.5 if self.box.per_ft / self.dpi > 0.015 else 1.0

    def table(self, names: Sequence[str] = (), *, hints: bool) -> dict[str, Any]:
        """Return the calibration as TOML holds it.

        Args:
            names: curves that it names; all if empty.
            hints: give the hints in place of the class.
        """
        curves = [
            self._curve(number, hints=hints)
            for number, trace in enumerate(self.traces)
            if not names or trace.mnemonic in names
        ]
        left, right, deep_right, deep_left = self.corners
        skewed = max(abs(left[1] - right[1]), abs(left[0] - deep_left[0])) > 1.0
        if skewed:
            place: dict[str, Any] = {"corners": np.round(self.corners, 1).tolist()}
        else:
            sides = "left", "top", "right", "bottom"
            edges = np.rint([*left, *deep_right]).astype(int).tolist()
            place = dict(zip(sides, edges, strict=True))
        last = self.box.first + self.box.height / self.box.per_ft
        ties = [[round(float(left[1]), 2), self.box.first], [round(float(deep_left[1]), 2), last]]
        h, w = self.image.shape[:2]
        return {
            "depth_axis": "down",
            "size": [w, h],
            "depth": {"unit": "ft", "step": self.step, "ties": ties},
            "track": [{**place, "curve": curves}],
        }

    def _curve(self, number: int, *, hints: bool) -> dict[str, Any]:
        trace, pen = self.traces[number], self.pens[number]
        given = self.hints[number] if hints else {}
        return {
            "mnemonic": trace.mnemonic,
            "unit": trace.unit,
            "left": trace.left,
            "right": trace.right,
            "scale": trace.scale,
            "wraps": trace.off_scale == "wrap",
            **(given or {"curve_class": 1 if pen.style == "solid" else 2}),
        }

    def save(self, folder: Path) -> None:
        """Write the scan, its calibrations without and with hints, and the truth."""
        stem = folder / f"{self.seed:03}_{self.number:03}"
        Image.fromarray(self.image).save(stem.with_suffix(".png"))
        stem.with_suffix(".toml").write_text(toml(self.table(hints=False)))
        stem.with_suffix(".hints.toml").write_text(toml(self.table(hints=True)))
        span = self.traces[0].depth[[0, -1]]
        depth = np.arange(np.ceil(span[0] / self.step), span[1] / self.step) * self.step
        columns = [one.value(one.at(depth)) for one in self.traces]
        heads = ["DEPT", *(one.mnemonic for one in self.traces)]
        np.savetxt(
            stem.with_suffix(".csv"),
            np.stack([depth, *columns], 1),
            fmt="%.5g",
            delimiter=",",
            header=",".join(heads),
            comments="",
        )


def toml(table: dict[str, Any]) -> str:
    """Return the text of a calibration file."""
    depth, track = table["depth"], table["track"][0]
    place = {name: value for name, value in track.items() if name != "curve"}
    parts = [("", {name: table[name] for name in ("depth_axis", "size")}), ("[depth]", depth)]
    parts += [("[[track]]", place), *(("[[track.curve]]", one) for one in track["curve"])]
    return "\n".join(
        f"{head}\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in one.items())
        for head, one in parts
    ).lstrip()


def draw(folder: Path, seed: int, number: int) -> ScannedTrack:
    """Draw a track: a pure function of the wells in `folder`, the seed and the number."""
    rng = np.random.default_rng([seed, number])
    dpi = int(rng.choice(DPI, p=[0.08, 0.12, 0.16, 0.26, 0.18, 0.1, 0.1]))
    inches = float(rng.choice([0.05, 0.02, 0.01], p=[0.7, 0.25, 0.05]))
    shortest = {0.05: 150.0, 0.02: 200.0, 0.01: 300.0}[inches]
    longest = max(shortest, min(400.0, 400 * LONGEST[dpi] * (1 if inches == 0.05 else 2)))
    length = float(np.rint(shortest + (longest - shortest) * rng.beta(1, 1.6)))
    count = int(rng.choice([1, 2, 3, 4, 5], p=[0.38, 0.36, 0.17, 0.06, 0.03]))
    traces = track_of(folder, count, length, rng)
    traits = _traits(dpi, traces, rng)
    colour = "colour" in traits
    track_pens = pens(len(traces), dpi, colour, rng)
    box = _box(dpi, inches, length, traces, rng)
    page, angle = _page(box, rng), float(rng.uniform(-0.1, 0.1)) if "skewed" in traits else 0.0
    middle = np.array(page) / 2 - 0.5
    svg = _svg(folder, traces, track_pens, box, page, (angle, middle), traits, rng)
    image = _worn(render(svg), dpi, traits, rng)
    hints, hinted = _hints(traces, track_pens, colour, rng)
    return ScannedTrack(
        seed=seed,
        number=number,
        image=image,
        dpi=dpi,
        box=box,
        corners=turned(box, angle, middle),
        traces=tuple(traces),
        pens=tuple(track_pens),
        traits=frozenset(traits),
        hints=tuple(hints),
        hinted=hinted,
    )


def render(svg: str) -> UInt8[ndarray, "h w 3"]:
    """Draw SVG text as RGB."""
    png = resvg_py.svg_to_bytes(svg_string=svg, background="#ffffff", skip_system_fonts=True)
    with Image.open(BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"))


def _traits(dpi: int, traces: list[Trace], rng: np.random.Generator) -> set[str]:
    """Draw what is in and on the paper."""
    traits = {f"{traces[0].scale} grid"}
    if rng.random() < 1 / 3:
        traits |= {"filled", f"filled with {rng.choice(['lines', 'lines', 'dots', 'grey'])}"}
    if rng.random() < 0.35:
        kinds = ["aged", "thickened", "photocopied", "aged thickened"]
        wears = str(rng.choice(kinds, p=[0.35, 0.2, 0.3, 0.15]))
        traits |= {"worn", *wears.split()}
    if "worn" not in traits and dpi >= 150 and rng.random() < 0.12:
        traits.add("bilevel")
    if not traits & {"photocopied", "bilevel"}:
        traits |= {"jpeg"} if rng.random() < 0.25 else set()
        traits |= {"colour"} if rng.random() < 0.35 else set()
    dense = 0.25 if traits & {"filled", "worn"} else 0.08
    chances = {"skewed": 0.2, "dense grid": dense, "remarks": 0.3, "neighbour": 0.5, "lens": 0.5}
    traits |= {name for name, chance in chances.items() if rng.random() < chance}
    return traits


def _box(
    dpi: int, inches: float, length: float, traces: list[Trace], rng: np.random.Generator
) -> Box:
    """Draw the place of the track on its page."""
    wide = float(rng.choice([2.5, 2.0, 5.0], p=[0.8, 0.1, 0.1]))
    if wide == 5.0 and dpi > 300:
        wide = 2.5
    above = 0.15 + 0.3 * len(traces) + rng.uniform(0, 0.5)
    return Box(
        left=float(round(rng.uniform(0.1, 0.6) * dpi)),
        top=float(round(above * dpi)),
        width=float(round(wide * dpi)),
        height=length * inches * dpi,
        per_ft=inches * dpi,
        first=float(traces[0].depth[0]),
        dpi=dpi,
    )


def _page(box: Box, rng: np.random.Generator) -> tuple[int, int]:
    """Draw width and height of the page, px: a column of depths and a part of what follows."""
    beside = rng.uniform(0.75, 2.2) * box.dpi
    return round(box.right + beside), round(box.bottom + rng.uniform(0.1, 0.4) * box.dpi)


def turned(box: Box, angle: float, middle: Float[ndarray, "2"]) -> Float[ndarray, "4 2"]:
    """Return the corners of the track on a page turned by `angle` degrees about its middle."""
    x, y = (box.left, box.right), (box.top, box.bottom)
    corners = np.array([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])])
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return (corners - middle) @ np.array([[c, s], [-s, c]]) + middle


def _svg(
    folder: Path,
    traces: list[Trace],
    track_pens: list[Pen],
    box: Box,
    page: tuple[int, int],
    turn: tuple[float, Float[ndarray, "2"]],
    traits: set[str],
    rng: np.random.Generator,
) -> str:
    """Draw the page as SVG, with the centres of pixels at whole numbers."""
    dpi, colour, dense = box.dpi, "colour" in traits, "dense grid" in traits
    grid = paper.grid(traces[0], box, colour=colour, dense=dense, rng=rng)
    filled = _fill(traces, box, traits, rng)
    under = [filled, grid] if rng.random() < 0.5 else [grid, filled]
    curves = [paper.curve(trace, pen, box) for trace, pen in zip(traces, track_pens, strict=True)]
    rng.shuffle(curves)
    thick = rng.uniform(0.008, 0.03) if traits & {"filled", "worn"} else rng.uniform(0.004, 0.015)
    frame = paper.frame(box, float(np.clip(thick * dpi, 1, 8)))
    around = [paper.header(traces, track_pens, box, 0.3 * dpi)]
    around.append(paper.depth_numbers(box, box.right + 0.15 * dpi, rng))
    if "remarks" in traits:
        around.append(paper.remarks(traces, box, rng))
    if "neighbour" in traits:
        around.append(_neighbour(folder, box, colour, rng))
    layers = [*under, *([*curves, frame] if rng.random() < 0.5 else [frame, *curves]), *around]
    return sheet(layers, page, turn)


def sheet(
    layers: Sequence[str], page: tuple[int, int], turn: tuple[float, Float[ndarray, "2"]]
) -> str:
    """Return the SVG of a page that is turned by an angle (degrees) about a point.

    Whole numbers are the centres of pixels.
    """
    angle, (x, y) = turn
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{page[0]}" height="{page[1]}">'
        f'<g transform="translate(0.5 0.5) rotate({angle:.5f} {x} {y})">{"".join(layers)}</g></svg>'
    )


def _fill(traces: list[Trace], box: Box, traits: set[str], rng: np.random.Generator) -> str:
    for kind in ("lines", "dots", "grey"):
        if f"filled with {kind}" in traits:
            ink = str(rng.choice(["#000000", "#505050", "#808080"]))
            if "colour" in traits and rng.random() < 0.5:
                ink = str(rng.choice(["#c09030", "#c03030", "#3060c0", "#30a050"]))
            return paper.fill(traces, box, kind, ink, "fill", rng)
    return ""


def _neighbour(folder: Path, box: Box, colour: bool, rng: np.random.Generator) -> str:
    """Draw a track beside the depth column, which nobody asks for."""
    length = box.height / box.per_ft
    traces = track_of(folder, int(rng.integers(1, 3)), length, rng)
    beside = Box(
        left=box.right + 0.75 * box.dpi,
        top=box.top,
        width=2.5 * box.dpi,
        height=box.height,
        per_ft=box.per_ft,
        first=float(traces[0].depth[0]),
        dpi=box.dpi,
    )
    drawn = [
        paper.curve(trace, pen, beside)
        for trace, pen in zip(traces, pens(len(traces), box.dpi, colour, rng), strict=True)
    ]
    grid = paper.grid(traces[0], beside, colour=colour, dense=False, rng=rng)
    return "".join([grid, *drawn, paper.frame(beside, max(0.01 * box.dpi, 1))])


def _worn(
    image: UInt8[ndarray, "h w 3"], dpi: int, traits: set[str], rng: np.random.Generator
) -> UInt8[ndarray, "..."]:
    """Wear the paper and scan it: grey (h, w), or RGB where it is in colour."""
    picture = image.astype(np.float32) / 255
    if "colour" not in traits:
        picture = picture.mean(2, keepdims=True)
    if "thickened" in traits:
        picture = wear.thickened(picture, dpi, rng)
    if "aged" in traits:
        picture = wear.aged(picture, dpi, rng)
    if "photocopied" in traits:
        picture = wear.photocopied(picture, dpi, rng)
    elif "bilevel" in traits:
        picture = wear.bilevel(picture, rng)
    elif "lens" in traits:
        picture = wear.scanned(picture, rng)
    final = np.rint(255 * picture.clip(0, 1)).astype(np.uint8)
    final = np.ascontiguousarray(final if final.shape[2] == 3 else final[..., 0])
    return wear.jpeg(final, rng) if "jpeg" in traits else final


def _hints(
    traces: list[Trace], track_pens: list[Pen], colour: bool, rng: np.random.Generator
) -> tuple[list[dict[str, Any]], str]:
    """Draw what a user says of the curves: nothing for half of the tracks."""
    kind = "none"
    if rng.random() < 0.5:
        kind = str(rng.choice(["style", "mark", "points", "all"]))
    weights, inks = ({getattr(one, name) for one in track_pens} for name in ("weight", "colour"))
    if kind == "mark":  # what tells the curves apart at a glance
        several = colour and len(inks) == len(track_pens)
        kind = "colour" if several else "weight" if len(weights) > 1 else "points"
    hints = list[dict[str, Any]]()
    for trace, pen in zip(traces, track_pens, strict=True):
        ink = pen.colour if rng.random() < 0.5 else COLOURS[pen.colour]
        points = _points(trace, int(rng.integers(1, 4)), rng)
        given: dict[str, Any] = {}
        if kind in ("style", "all"):
            given["style"] = pen.style
        if kind in ("weight", "all") and len(weights) > 1:
            given["weight"] = pen.weight
        if kind in ("colour", "all") and colour:
            given["colour"] = ink
        if kind in ("points", "all"):
            given["points"] = points
        hints.append(given)
    return hints, kind


def _points(trace: Trace, n: int, rng: np.random.Generator) -> list[list[float]]:
    """Read points of a curve off the paper by eye: where it is calm, to 0.3 % of the track."""
    depth = np.arange(np.ceil(trace.depth[0]) + 2, trace.depth[-1] - 2, 0.5)
    place = trace.at(depth)
    calm = np.abs(np.gradient(place)) < 0.02
    fit = np.flatnonzero(calm & (place > 0.03) & (place < 0.97))
    chosen = np.sort(rng.choice(fit, min(n, len(fit)), replace=False))
    read = place[chosen] + rng.normal(0, 0.003, len(chosen)).clip(-0.005, 0.005)
    return [
        [round(float(d), 2), float(f"{v:.5g}")]
        for d, v in zip(depth[chosen], trace.value(read), strict=True)
    ]

"""What is printed around the curves: grids, fills, frames, headers, numbers and remarks."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from scans.letters import path, width
from scans.pens import Pen
from scans.wells import Trace

Line = Float[ndarray, "n 2"]
"""Vertices of a line: x and y."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """Place of a track, px: centres of its outermost pixels; and its scale of depth."""

    left: float
    top: float
    width: float
    height: float
    per_ft: float
    first: float
    """Depth of its top, ft."""
    dpi: int

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def y(self, depth: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
        return self.top + (depth - self.first) * self.per_ft

    def rectangle(self) -> str:
        return (
            f'x="{self.left:.2f}" y="{self.top:.2f}" width="{self.width:.2f}" '
            f'height="{self.height:.2f}"'
        )


def data(line: Line) -> str:
    """Return SVG path data of a line."""
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in line)


def lines(trace: Trace, box: Box) -> list[tuple[int, Line]]:
    """Cut a curve where it leaves the track; return its pieces on the paper, with their laps.

    A lap is the number of widths by which a piece is shifted: 0 but on backup scales.
    """
    depth, place = trace.depth, trace.position
    crossings = [depth]
    for edge in range(int(np.floor(place.min())), int(np.ceil(place.max())) + 1):
        above = place - edge
        at = np.flatnonzero(above[:-1] * above[1:] < 0)
        share = above[at] / (above[at] - above[at + 1])
        crossings.append(depth[at] + share * (depth[at + 1] - depth[at]))
    d = np.unique(np.concatenate(crossings))
    p = np.interp(d, depth, place)
    if trace.off_scale == "clip":
        return [(0, np.stack([box.left + box.width * p.clip(0, 1), box.y(d)], 1))]
    lap = np.floor((p[:-1] + p[1:]) / 2).astype(int)
    ends = [0, *(np.flatnonzero(np.diff(lap)) + 1).tolist(), len(lap)]
    pieces = list[tuple[int, Line]]()
    for a, b in pairwise(ends):
        if lap[a] == 0 or trace.off_scale == "wrap":
            x = box.left + box.width * (p[a : b + 1] - lap[a])
            pieces.append((int(lap[a]), np.stack([x, box.y(d[a : b + 1])], 1)))
    return pieces


def curve(trace: Trace, pen: Pen, box: Box) -> str:
    """Draw a curve with its pen."""
    return f'<path {pen.svg()} d="{"".join(data(line) for _, line in lines(trace, box))}"/>'


def _rules(places: Float[ndarray, "n"], box: Box, *, down: bool) -> str:
    """Return path data of rules through the track: at rows, or at columns where `down`."""
    if down:
        return "".join(f"M{x:.2f} {box.top:.2f}V{box.bottom:.2f}" for x in places)
    return "".join(f"M{box.left:.2f} {y:.2f}H{box.right:.2f}" for y in places)


def _columns(trace: Trace, box: Box, rng: np.random.Generator) -> list[Float[ndarray, "n"]]:
    """Return columns of the fine, the middle and the heavy rules of a track."""
    if trace.scale == "log":
        decades = np.arange(np.floor(np.log10(trace.left)) - 1, np.ceil(np.log10(trace.right)) + 1)
        ticks = (10 ** decades[:, None] * np.arange(1, 10)).ravel()
        place = np.log(ticks / trace.left) / np.log(trace.right / trace.left)
        heavy = np.tile(np.arange(9) == 0, len(decades))
    else:
        n, middle = ((10, 5), (10, 5), (20, 5), (20, 10), (4, 2), (8, 4))[int(rng.integers(6))]
        place, heavy = np.arange(n + 1) / n, np.arange(n + 1) % middle == 0
    inside = (place > 0.002) & (place < 0.998)
    x = box.left + box.width * place
    return [x[inside & ~heavy], x[inside & heavy], x[:0]]


def _rows(box: Box, rng: np.random.Generator) -> list[Float[ndarray, "n"]]:
    """Return rows of the fine, the middle and the heavy rules: every so many feet."""
    inches = box.per_ft / box.dpi
    if inches > 0.04:
        steps = (2, 10, 50) if rng.random() < 0.7 else (5, 10, 50)
    else:
        steps = (10, 50, 100) if rng.random() < 0.8 or inches < 0.015 else (5, 10, 50)
    last = box.first + box.height / box.per_ft
    depths = np.arange(np.ceil(box.first), last + 1e-6)
    fine, middle, heavy = (depths % step == 0 for step in steps)
    classes = (fine & ~middle, middle & ~heavy, heavy)
    return [box.y(depths[one]) for one in classes]


def grid(trace: Trace, box: Box, *, colour: bool, dense: bool, rng: np.random.Generator) -> str:
    """Draw the grid of a track; a dense one is black and as thick as the pens."""
    greys = ["#000000", "#404040", "#707070", "#808080", "#999999", "#b4b4b4"]
    tints = ["#8fbc8f", "#d2a679", "#7fa8d0", "#e0a0a0", "#a0c0a0"]
    ink = "#000000" if dense else str(rng.choice(greys + (tints if colour else [])))
    finest = rng.uniform(0.006, 0.010) if dense else rng.uniform(0.003, 0.006)
    steps = (1, rng.uniform(1.2, 1.8), rng.uniform(1.8, 2.8))
    dashes = ""
    if not dense and rng.random() < 0.1:
        dashes = f'stroke-dasharray="{0.012 * box.dpi:.2f} {0.02 * box.dpi:.2f}"'
    columns = _columns(trace, box, rng)
    rows = _rows(box, rng) if rng.random() < 0.93 else [columns[2]] * 3
    parts = list[str]()
    for across, along, step in zip(rows, columns, steps, strict=True):
        pen = max(finest * step * box.dpi, 0.6)
        d = _rules(across, box, down=False) + _rules(along, box, down=True)
        parts.append(
            f'<path fill="none" stroke="{ink}" stroke-width="{pen:.2f}" '
            f'{dashes if step == 1 else ""} d="{d}"/>'
        )
    return "".join(parts)


def frame(box: Box, px: float) -> str:
    return f'<rect {box.rectangle()} fill="none" stroke="#000" stroke-width="{px:.2f}"/>'


FillKind = Literal["lines", "dots", "grey"]


def _region(traces: list[Trace], box: Box, rng: np.random.Generator) -> str:
    """Return path data of an area between the first curve and an edge, a cutoff, or a curve."""
    first, draw = lines(traces[0], box), rng.random()
    far = [piece for lap, piece in first if lap != 0]
    if far and draw < 0.7:  # what has wrapped is filled to the edge that it came in at
        return "".join(_to(piece, box.left) for piece in far)
    near = [piece for lap, piece in first if lap == 0]
    if len(traces) > 1 and draw < 0.4:
        return _between(traces[0], traces[1], box, left=bool(rng.random() < 0.5))
    if draw < 0.65:
        cutoff = box.left + box.width * rng.uniform(0.3, 0.6)
        low = bool(rng.random() < 0.5)
        limit = np.minimum if low else np.maximum
        cut = [np.stack([limit(piece[:, 0], cutoff), piece[:, 1]], 1) for piece in near]
        return "".join(_to(piece, cutoff) for piece in cut)
    edge = box.left if rng.random() < 0.7 else box.right
    return "".join(_to(piece, edge) for piece in near)


def _to(piece: Line, x: float) -> str:
    return data(piece) + f"L{x:.2f} {piece[-1, 1]:.2f}L{x:.2f} {piece[0, 1]:.2f}Z"


def _between(one: Trace, other: Trace, box: Box, *, left: bool) -> str:
    """Return path data of the areas where the one curve is left (or right) of the other."""
    depth = np.unique(np.concatenate([one.depth, other.depth]))
    a, b = one.at(depth).clip(0, 1), other.at(depth).clip(0, 1)
    a = np.minimum(a, b) if left else np.maximum(a, b)
    sides = [np.stack([box.left + box.width * side, box.y(depth)], 1) for side in (a, b)]
    return data(np.concatenate([sides[0], sides[1][::-1]])) + "Z"


def fill(
    traces: list[Trace], box: Box, kind: FillKind, ink: str, name: str, rng: np.random.Generator
) -> str:
    """Draw a fill of lines at any angle, of dots or of grey."""
    region = _region(traces, box, rng)
    if kind == "grey":
        grey = str(rng.choice(["#a0a0a0", "#c0c0c0", "#d8d8d8"]))
        return f'<path fill="{grey}" d="{region}"/>'
    pitch, angle = rng.uniform(0.035, 0.11) * box.dpi, np.deg2rad(rng.uniform(-90, 90))
    if rng.random() < 0.3:
        angle = float(rng.choice([0, np.pi / 4, -np.pi / 4]))
    pen = max(rng.uniform(0.004, 0.012) * box.dpi, 0.7)
    middle = np.array([box.left + box.width / 2, box.top + box.height / 2])
    along = np.array([np.cos(angle), np.sin(angle)])
    normal, radius = np.array([-along[1], along[0]]), np.hypot(box.width, box.height) / 2
    reach = abs(normal[0]) * box.width / 2 + abs(normal[1]) * box.height / 2
    shifts = np.arange(-reach, reach, pitch)[:, None] * normal
    starts, stops = middle + shifts - radius * along, middle + shifts + radius * along
    d = "".join(data(np.stack(pair)) for pair in zip(starts, stops, strict=True))
    dots = f'stroke-linecap="round" stroke-dasharray="0.01 {pitch:.2f}"' if kind == "dots" else ""
    pen = pen * 1.6 if kind == "dots" else pen
    return (
        f'<clipPath id="{name}"><path d="{region}"/></clipPath><g clip-path="url(#{name})">'
        f'<path fill="none" stroke="{ink}" stroke-width="{pen:.2f}" {dots} d="{d}"/></g>'
    )


def header(traces: list[Trace], pens: list[Pen], box: Box, step: float) -> str:
    """Draw name, values of the edges and a sample of the pen per curve above the track."""
    height, parts = 0.075 * box.dpi, list[str]()
    for number, (trace, pen) in enumerate(zip(traces, pens, strict=True)):
        y = box.top - (number + 0.6) * step
        ends = f"{trace.left:.4g}", f"{trace.right:.4g}"
        middle = box.left + (box.width - width(trace.mnemonic, height)) / 2
        d = path(ends[0], box.left, y - height, height)
        d += path(trace.mnemonic, middle, y - height, height)
        d += path(ends[1], box.right - width(ends[1], height), y - height, height)
        parts.append(text(d, height))
        parts.append(f'<path {pen.svg()} d="M{box.left:.2f} {y:.2f}H{box.right:.2f}"/>')
    return "".join(parts)


def text(d: str, height: float, weight: float = 0.13, ink: str = "#000") -> str:
    pen = max(weight * height, 0.8)
    return (
        f'<path fill="none" stroke="{ink}" stroke-width="{pen:.2f}" stroke-linecap="round" '
        f'stroke-linejoin="round" d="{d}"/>'
    )


def depth_numbers(box: Box, x: float, rng: np.random.Generator) -> str:
    """Draw the numbers of the depth column, whose left edge is `x`."""
    step = 10 if box.per_ft / box.dpi > 0.04 else 50
    if rng.random() < 0.3:
        step *= 2
    height = rng.uniform(0.07, 0.11) * box.dpi
    last = box.first + box.height / box.per_ft
    depths = np.arange(np.ceil(box.first / step) * step, last, step)
    rows = box.y(depths) + height / 2
    d = "".join(path(f"{depth:.0f}", x, y, height) for depth, y in zip(depths, rows, strict=True))
    return text(d, height)


REMARKS = ("CASING", "TD", "TOOL PULL", "REPEAT", "LOGGER TD", "BKUP", "TENSION", "SAND A", "SLOW")


def remarks(traces: list[Trace], box: Box, rng: np.random.Generator) -> str:
    """Draw a few words, names of curves or depths inside the track."""
    words, parts = [*REMARKS, *(trace.mnemonic for trace in traces), f"{box.first:.0f}"], ""
    height = rng.uniform(0.06, 0.11) * box.dpi
    for _ in range(int(rng.integers(1, 6))):
        word = str(rng.choice(words))
        x = box.left + rng.uniform(0.02, 0.98) * max(box.width - width(word, height), 1)
        y = box.top + rng.uniform(0.03, 0.97) * box.height
        parts += path(word, x, y, height, slant=float(rng.choice([0, 0.25])))
    return text(parts, height, rng.uniform(0.1, 0.2)) + pips(box, rng)


def pips(box: Box, rng: np.random.Generator) -> str:
    """Draw notches beside the track, as integrated times have them; for half of the tracks."""
    if rng.random() < 0.5:
        return ""
    long, edge = 0.07 * box.dpi, box.left if rng.random() < 0.5 else box.right
    out = -long if edge == box.left else long
    rows = box.top + np.cumsum(rng.uniform(0.3, 0.5, 200)) * box.dpi
    ends = edge + out * np.where(np.arange(200) % 10 == 9, 2, 1)
    d = "".join(
        f"M{edge:.2f} {y:.2f}H{x:.2f}" for y, x in zip(rows, ends, strict=True) if y < box.bottom
    )
    return text(d, box.dpi, 0.01)

"""Fills and hatching along curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from numpy.random import Generator

from veernet.synth.appearance import bernoulli, uniform
from veernet.synth.text import Ink
from veernet.synth.tracks import Tracks

FillPattern = Literal["lines", "crossed", "dots", "dashes", "grey", "solid"]

_PATTERNS: tuple[FillPattern, ...] = ("lines", "crossed", "dots", "dashes", "grey", "solid")
_HOW_OFTEN = (0.5, 0.08, 0.14, 0.1, 0.14, 0.04)


@dataclass(frozen=True, kw_only=True)
class Fill:
    """A pattern between a curve and an edge of its track, or another curve."""

    curve: int
    """Number of the curve that it follows."""
    other: int | None
    """Number of the curve that it reaches to, where that lies on its side; None for a line of
    constant position."""
    edge: float
    """Position that it reaches to without another curve: 0 and 1 are the edges of the track."""
    both_sides: bool
    """True if it is on both sides of what it reaches to."""
    pattern: FillPattern
    spacing: float
    """Distance of lines, dots or dashes, px."""
    angle: float
    """Direction of lines, radians; 0 is along the depth."""
    width: float
    """Width of lines and dots, px."""
    darkness: int

    @property
    def trait(self) -> str:
        """The fill in a word."""
        return {"grey": "shaded", "solid": "filled"}.get(self.pattern, "hatched")


def draw_fill(rng: Generator, tracks: Tracks, scale: float, curves: Sequence[int]) -> Fill:
    """Draw a fill of one of the curves of a track."""
    to_curve = bernoulli(rng, tracks.fill_to_curve)
    first, second = (int(rng.integers(0, 2**31)) for _ in range(2))
    curve = curves[first % len(curves)]
    others = [one for one in curves if one != curve]
    pattern = _PATTERNS[int(rng.choice(len(_PATTERNS), p=_HOW_OFTEN))]
    spacing = max(4.0, scale * uniform(rng, tracks.fill_spacing))
    edge = float(rng.choice([0.0, 1.0, rng.uniform(0.2, 0.8)], p=[0.42, 0.42, 0.16]))
    return Fill(
        curve=curve,
        other=others[second % len(others)] if to_curve and others else None,
        edge=edge,
        both_sides=bernoulli(rng, 0.25),
        pattern=pattern,
        spacing=spacing,
        angle=float(rng.choice([0, np.pi / 4, -np.pi / 4, np.pi / 2, rng.uniform(-1.5, 1.5)])),
        width=max(1.0, min(0.4 * spacing, scale * rng.uniform(0.7, 2))),
        darkness=int(uniform(rng, tracks.fill_darkness)),
    )


def filled_rows(
    fill: Fill, rows: Float[ndarray, "w"], to: Float[ndarray, "w"]
) -> tuple[Float[ndarray, "w"], Float[ndarray, "w"]]:
    """Return the first and the last row of a fill in every column, between a curve and where it
    reaches to; the last is above the first where there is none."""
    below = to >= rows
    there = np.isfinite(rows) & np.isfinite(to)
    if not fill.both_sides:
        there &= below == (fill.edge < 0.5)
    return (
        np.where(there, np.fmin(rows, to), np.inf),
        np.where(there, np.fmax(rows, to), -np.inf),
    )


def paint_fill(ink: Ink, fill: Fill, first: Float[ndarray, "w"], last: Float[ndarray, "w"]) -> None:
    """Print a fill between rows `first` and `last` of every column."""
    columns = np.flatnonzero(last >= first)
    if not columns.size:
        return
    top = max(0, int(first[columns].min()))
    bottom = min(len(ink), int(np.ceil(last[columns].max())) + 1)
    left, right = int(columns[0]), int(columns[-1]) + 1
    y, x = np.arange(top, bottom)[:, None], np.arange(left, right)
    inside = (y >= first[left:right]) & (y <= last[left:right])
    view = ink[top:bottom, left:right]
    level = fill.darkness // 4 if fill.pattern == "grey" else fill.darkness
    np.maximum(view, level, out=view, where=inside & _pattern(fill, y, x))


def _pattern(fill: Fill, y: Int[ndarray, "h 1"], x: Int[ndarray, "w"]) -> Bool[ndarray, "h w"]:
    """Return the pixels of a pattern on an endless page."""
    across = _on_lines(fill, y, x, fill.angle)
    match fill.pattern:
        case "lines":
            return across
        case "crossed":
            return across | _on_lines(fill, y, x, fill.angle + np.pi / 2)
        case "dots":
            return across & _on_lines(fill, y, x, fill.angle + np.pi / 2)
        case "dashes":
            along = _phase(fill, y, x, fill.angle + np.pi / 2)
            return across & (along < 0.6 * fill.spacing)
        case _:
            return np.broadcast_to(True, (len(y), len(x)))


def _on_lines(
    fill: Fill, y: Int[ndarray, "h 1"], x: Int[ndarray, "w"], angle: float
) -> Bool[ndarray, "h w"]:
    return _phase(fill, y, x, angle) < fill.width


def _phase(
    fill: Fill, y: Int[ndarray, "h 1"], x: Int[ndarray, "w"], angle: float
) -> Float[ndarray, "h w"]:
    """Distance of every pixel from the line before it, px."""
    down = (np.cos(angle) * y).astype(np.float32)
    return np.mod(down + (np.sin(angle) * x).astype(np.float32), np.float32(fill.spacing))

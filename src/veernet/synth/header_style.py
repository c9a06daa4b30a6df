"""Ways in which vendors print the scale header of a log."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator

from veernet.synth.appearance import bernoulli
from veernet.synth.text import FONTS

LAYOUTS: dict[str, tuple[str, ...]] = {
    "line below": ("left | name (unit) | right", "| line |"),
    "line below a name": ("left | name unit | right", "| line |"),
    "line between values": ("| name unit |", "left | line | right"),
    "unit below": ("left | name | right", "| line |", "| (unit) |"),
    "values below": ("| name unit |", "| line |", "left | | right"),
    "values and unit below": ("| name |", "| line |", "left | unit | right"),
    "line above": ("| line |", "left | name | right", "| (unit) |"),
    "name and unit at the ends": ("name | | unit", "| line |", "left | | right"),
    "one row": ("left | name line unit | right",),
    "one row, unit first": ("left | unit line name | right",),
}
"""Rows of the cell of one curve: what is at the left end, in the middle and at the right end."""

COMPACT = LAYOUTS["one row"]
"""Rows of a cell where there is little room."""

Stacking = Literal["down to the grid", "from the top", "stairs"]
Numbers = Literal["plain", "even", "one decimal", "bare"]


@dataclass(frozen=True, kw_only=True)
class HeaderStyle:
    """One vendor's way to print a scale header."""

    rows: tuple[str, ...]
    """Rows of a cell, of `LAYOUTS`."""
    ruled: Literal["", "cells", "block"]
    """Rules around each cell, around each track's cells, or none."""
    names: Literal["title", "mnemonic", "alias"]
    capitals: bool
    """True for GAMMA RAY, False for Gamma Ray."""
    alias: int
    """Place among the aliases, modulo their number."""
    numbers: Numbers
    """150 and -0.15; as many decimals at both ends; at least one; without the zero before it."""
    backup: Literal["", "values", "cell"]
    """Next scale of a wrapped curve: its values alone, a cell of its own, or not printed."""
    order: Literal["printing", "listed", "reversed"]
    stacking: Stacking
    size: float
    """Height of the letters, in lines of words of the page."""
    font: int
    coloured: bool
    """True if words have the colour of their curve."""
    depth_scale: int
    """Way to write the depth scale, of six."""
    titled: bool
    """True if the section has a title."""
    at_the_end: bool
    """True if the header is printed again after the last section."""

    def numbers_of(self, left: float, right: float) -> tuple[str, str]:
        """Write the ends of a scale."""
        ends = [np.format_float_positional(round(end, 6) + 0.0, trim="-") for end in (left, right)]
        decimals = max(len(end.partition(".")[2]) for end in ends)
        match self.numbers:
            case "even" | "one decimal":
                least = 1 if self.numbers == "one decimal" else 0
                ends = [f"{float(end):.{max(decimals, least)}f}" for end in ends]
            case "bare":
                ends = [end.replace("0.", ".", 1) if abs(float(end)) < 1 else end for end in ends]
            case _:
                pass
        return ends[0], ends[1]


def draw_header_style(rng: Generator, font: int) -> HeaderStyle:
    """Draw a vendor's way to print headers; half of them in the letters of the page."""
    names = list(LAYOUTS)
    shares = np.array([3.0, 1.5, 2, 1, 2, 1, 1, 1, 0.7, 0.5])
    other = int(rng.integers(0, len(FONTS)))
    return HeaderStyle(
        rows=LAYOUTS[names[int(rng.choice(len(names), p=shares / shares.sum()))]],
        ruled=("", "cells", "block")[int(rng.choice(3, p=[0.35, 0.4, 0.25]))],
        names=("title", "mnemonic", "alias")[int(rng.choice(3, p=[0.5, 0.25, 0.25]))],
        capitals=bernoulli(rng, 0.6),
        alias=int(rng.integers(0, 12)),
        numbers=("plain", "even", "one decimal", "bare")[
            int(rng.choice(4, p=[0.6, 0.2, 0.1, 0.1]))
        ],
        backup=("", "values", "cell")[int(rng.choice(3, p=[0.4, 0.25, 0.35]))],
        order=("printing", "listed", "reversed")[int(rng.integers(0, 3))],
        stacking=("down to the grid", "from the top", "stairs")[
            int(rng.choice(3, p=[0.5, 0.35, 0.15]))
        ],
        size=float(rng.uniform(0.65, 1)),
        font=font if bernoulli(rng, 0.5) else other,
        coloured=bernoulli(rng, 0.6),
        depth_scale=int(rng.integers(0, 6)),
        titled=bernoulli(rng, 0.5),
        at_the_end=bernoulli(rng, 0.5),
    )


def header_room(n_curves: int, text_height: float) -> float:
    """Columns in which the cells of the fullest track and a title have room."""
    return (2.2 * n_curves + 2) * 1.3 * text_height

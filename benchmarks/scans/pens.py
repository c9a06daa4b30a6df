"""Pens: style, weight and colour of every curve of a track."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Style = Literal["solid", "dashed", "long-dash", "dotted", "dash-dot"]
BROKEN: tuple[Style, ...] = ("dashed", "long-dash", "dotted", "dash-dot")

COLOURS = {
    "black": "#000000",
    "red": "#d01818",
    "blue": "#1030c0",
    "green": "#0a7a2a",
    "magenta": "#c01090",
    "brown": "#80461b",
    "darkorange": "#e07000",
    "purple": "#6a1b9a",
}
"""Inks by the CSS name that a user would write, which is near."""


@dataclass(frozen=True, kw_only=True)
class Pen:
    """Pen of one curve; lengths in px of the scan."""

    style: Style
    weight: Literal["thin", "heavy"]
    colour: str
    """CSS name, a key of `COLOURS`."""
    width: float
    dashes: tuple[float, ...]
    round: bool

    def svg(self) -> str:
        """Return the attributes of an SVG path drawn with this pen."""
        cap = "round" if self.round else "butt"
        dashes = " ".join(f"{length:.2f}" for length in self.dashes)
        return (
            f'fill="none" stroke="{COLOURS[self.colour]}" stroke-width="{self.width:.2f}" '
            f'stroke-linecap="{cap}" stroke-linejoin="round"'
            + (f' stroke-dasharray="{dashes}"' if dashes else "")
        )


def _dashes(
    style: Style, width: float, dpi: int, cap: bool, rng: np.random.Generator
) -> tuple[float, ...]:
    """Draw lengths of ink and paper in turn, px; a round cap makes each stroke a pen longer."""
    extra = width if cap else 0.0
    gap = max(dpi * rng.uniform(0.022, 0.045), 1.7, 1.2 * width) + extra
    dot = 0.01 if cap else width * rng.uniform(1.0, 1.4)
    match style:
        case "solid":
            return ()
        case "dashed":
            return (dpi * rng.uniform(0.05, 0.09), gap)
        case "long-dash":
            return (dpi * rng.uniform(0.12, 0.22), gap * rng.uniform(1.0, 1.4))
        case "dotted":
            return (dot, gap)
        case "dash-dot":
            return (dpi * rng.uniform(0.08, 0.15), gap, dot, gap)


def _any(styles: Sequence[Style], rng: np.random.Generator) -> Style:
    return styles[int(rng.integers(len(styles)))]


def _styles(n: int, rng: np.random.Generator) -> list[Style]:
    """Draw a style per curve: the first is mostly solid, the others now and then the same."""
    lone = 0.65 if n == 1 else 0.82
    styles: list[Style] = ["solid" if rng.random() < lone else _any(BROKEN, rng)]
    for _ in range(n - 1):
        draw = rng.random()
        if draw < 0.22:
            styles.append("solid")
        elif draw < 0.32:
            styles.append(styles[-1])
        else:
            styles.append(_any([one for one in BROKEN if one not in styles] or BROKEN, rng))
    return styles


def pens(n: int, dpi: int, colour: bool, rng: np.random.Generator) -> list[Pen]:
    """Draw the pens of a track of `n` curves."""
    base = max(dpi * rng.uniform(0.006, 0.012), 0.85)
    heavy = base * rng.uniform(1.7, 2.3)
    cap = bool(rng.random() < 0.5)
    names = list(COLOURS)
    if colour and rng.random() < 0.85:
        colours = [str(one) for one in rng.permutation(names)[:n]]
    elif colour:
        colours = [str(one) for one in rng.choice(names, n)]
    else:
        colours = ["black"] * n
    found = list[Pen]()
    for style, name in zip(_styles(n, rng), colours, strict=True):
        twin = any(one.style == style and one.weight == "thin" for one in found)
        thick = rng.random() < (0.5 if twin else 0.15)
        width = heavy if thick else base * rng.uniform(0.95, 1.05)
        found.append(
            Pen(
                style=style,
                weight="heavy" if thick else "thin",
                colour=name,
                width=width,
                dashes=_dashes(style, width, dpi, cap, rng),
                round=cap,
            )
        )
    return found

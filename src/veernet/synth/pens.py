"""Pens of printed curves: styles, widths, colours."""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from veernet.data.logs import LineStyle
from veernet.synth.appearance import Appearance, bernoulli, uniform
from veernet.synth.layout import Pen
from veernet.synth.tracks import Tracks

STYLES: tuple[LineStyle, ...] = ("solid", "dashed", "long-dash", "dotted", "dash-dot")

COLOURS = ("#000000", "#c81e1e", "#1e3cc8", "#147832", "#a01ea0", "#7a4614", "#d26e0a", "#0a7882")
"""Inks of curves."""

GRID_COLOURS = ("#5aa05a", "#d28c5a", "#6e8cc8", "#c86e6e", "#8c8c8c")
"""Inks of coloured grids."""

_WIDTHS, _DASHES, _GAPS = (0.75, 10), (4, 60), (2, 30)
"""Limits at any resolution, px."""


def draw_style(rng: Generator, tracks: Tracks, without: Sequence[str]) -> LineStyle:
    """Draw a style, another one than those `without` as long as there is one."""
    shares = np.array([tracks.solid, 0.0, tracks.long_dash, tracks.dotted, tracks.dash_dot])
    shares[1] = max(0.0, 1 - shares.sum())
    chance = rng.random()
    there = np.array(
        [share > 0 and style not in without for style, share in zip(STYLES, shares, strict=True)]
    )
    left = np.where(there, shares, 0) if there.any() else shares
    return STYLES[min(int(np.searchsorted(np.cumsum(left / left.sum()), chance, side="right")), 4)]


def draw_pen(
    rng: Generator, appearance: Appearance, tracks: Tracks, scale: float, style: LineStyle
) -> tuple[Pen, bool]:
    """Draw a pen for a style, whose gaps stay open when the ink bleeds, and whether it is heavy."""
    heavy, thicker = bernoulli(rng, tracks.heavy), uniform(rng, tracks.heaviness)
    thin = scale * uniform(rng, appearance.line_width)
    width = float(np.clip(thin * (thicker if heavy else 1), *_WIDTHS))
    darkness = int(uniform(rng, appearance.line_darkness))
    dash, long, space = (
        scale * uniform(rng, lengths)
        for lengths in (appearance.dash, tracks.long_dash_length, appearance.gap)
    )
    dash = float(np.clip(max(dash, 1.5 * width), *_DASHES))
    long = float(np.clip(max(long, 1.6 * dash), *_DASHES))
    gap = float(np.clip(width + max(2.5, space), *_GAPS))
    dot = max(1.0, width)
    pattern = {
        "solid": (),
        "dashed": (dash, gap),
        "long-dash": (long, gap),
        "dotted": (dot, gap),
        "dash-dot": (max(dash, 3 * dot), gap, dot, gap),
    }[style]
    return Pen(width=width, darkness=darkness, pattern=pattern), heavy

"""How a synthetic log is laid out: page, track, grid, pens. Nothing is painted here."""

from dataclasses import dataclass

from numpy.random import Generator


@dataclass(frozen=True, kw_only=True)
class Pen:
    """How a line is drawn."""

    width: int
    """px"""
    darkness: int
    """0 leaves the paper white, 255 is black."""
    dash: tuple[float, float] | None = None
    """Lengths of ink and of gap along the line, px; solid if None."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A page on its side: depth along x, value along y; all lengths in pixels."""

    height: int
    width: int
    track: tuple[float, float]
    """Rows of the track's top and bottom edges."""
    span: tuple[int, int]
    """First column of the track, and one past its last; the header lies before it."""
    depth_column: tuple[int, int]
    """Rows of the band with the depth numbers; empty if both are equal."""
    divisions: int
    """Parts into which lines of equal value cut the track."""
    depth_step: float
    """Distance of light lines of equal depth."""
    heavy_every: int
    """Every so many lines, one is heavy."""
    light: Pen
    heavy: Pen
    pens: tuple[Pen, ...]
    """One a curve."""
    drift: float
    """How far the right end of the paper lies below the left, px; negative is above."""


def lay_out(rng: Generator, *, height: int, width: int, n_curves: int) -> Layout:
    """Draw a layout for a page of this size."""
    margin = rng.uniform(0.03, 0.07) * height
    column = rng.uniform(0.09, 0.15) * height if rng.random() < 0.7 else 0.0
    above = bool(rng.random() < 0.5)
    top = margin + (column if above else 0)
    bottom = height - 1 - margin - (0 if above else column)
    band = (margin, top) if above else (bottom, bottom + column)
    header = rng.uniform(0.02, 0.08) * width if rng.random() < 0.6 else 0.0
    light_grid = int(rng.uniform(40, 200))
    return Layout(
        height=height,
        width=width,
        track=(top, bottom),
        span=(round(header) + 1, width - round(rng.uniform(0, 0.01) * width) - 1),
        depth_column=(round(band[0]), round(band[1])),
        divisions=int(rng.choice([4, 5, 8, 10])) if height >= 200 else int(rng.choice([2, 4, 5])),
        depth_step=rng.uniform(0.02, 0.06) * max(height, 200),
        heavy_every=int(rng.choice([5, 10])),
        light=Pen(width=1, darkness=light_grid),
        heavy=Pen(
            width=2 if height >= 200 and rng.random() < 0.6 else 1,
            darkness=int(rng.uniform(light_grid, 255)),
        ),
        pens=tuple(_pen(rng, height, broken=curve > 0) for curve in range(n_curves)),
        drift=rng.uniform(-0.8, 0.8) * margin,
    )


def _pen(rng: Generator, height: int, *, broken: bool) -> Pen:
    """A pen whose gaps, where it has any, stay open when the ink bleeds."""
    width = int(rng.integers(1, 4 if height >= 200 else 3))
    darkness = int(rng.uniform(190, 255))
    if not broken:
        return Pen(width=width, darkness=darkness)
    scale = 1 + height / 640
    gap = width + scale * rng.uniform(2.5, 5)
    if rng.random() < 0.7:
        return Pen(width=width, darkness=darkness, dash=(scale * rng.uniform(4, 9), gap))
    dot = max(2, width)
    return Pen(width=dot, darkness=darkness, dash=(0.5 * dot, dot + scale * rng.uniform(2, 4)))

"""Depth sections of a printed log."""

from numpy.random import Generator

from veernet.synth.appearance import bernoulli
from veernet.synth.layout import Depths, Section
from veernet.synth.tracks import DPI, Tracks

_INCHES_PER_100_FT = (1.0, 2.0, 2.4, 5.0, 6.0, 10.0)
_HOW_OFTEN = (0.12, 0.26, 0.06, 0.4, 0.1, 0.06)


def draw_sections(
    rng: Generator, tracks: Tracks, span: tuple[int, int], scale: float, *, header: float
) -> tuple[Section, ...]:
    """Draw the depth sections between the header and the footer, and the room between them."""
    two, repeat = bernoulli(rng, tracks.two_sections), bernoulli(rng, tracks.repeat)
    parts = rng.uniform(0.55, 0.8), rng.uniform(0.12, 0.3)
    inches = rng.choice(_INCHES_PER_100_FT, 2, p=_HOW_OFTEN).tolist()
    begins, again = round(rng.uniform(50, 9000), 1), rng.uniform(0, 0.6, 2).tolist()
    start, stop = span
    length = stop - start
    if length < 8 * header:
        two = repeat = False
    cuts = [start]
    main = 1 - parts[1] if repeat else 1.0
    for there, part in ((two, parts[0] * main), (repeat, main)):
        if there:
            cuts.append(round(start + part * length))
    ends = [*(cut - round(header) for cut in cuts[1:]), stop]
    scales = [inches[0], *([inches[1]] if two else []), *([inches[0]] if repeat else [])]
    again_from = [0.0, *([again[0]] if two else []), *([again[1]] if repeat else [])]
    found, first_feet = list[Section](), 0.0
    for first, last, inch, back in zip(cuts, ends, scales, again_from, strict=True):
        feet_per_px = 100 / (inch * DPI * scale)
        first_feet = first_feet or feet_per_px * (last - first)
        repeated = repeat and len(found) == len(cuts) - 1
        found.append(
            _section(
                rng,
                tracks,
                (first, last),
                begins + back * first_feet,
                feet_per_px,
                scale,
                repeat=repeated,
            )
        )
    return tuple(found)


def _section(
    rng: Generator,
    tracks: Tracks,
    columns: tuple[int, int],
    depth: float,
    feet_per_px: float,
    scale: float,
    *,
    repeat: bool,
) -> Section:
    """Draw the lines of equal depth of a section: every 1, 2, 5 or 10 ft, or more on a page where
    these would be too close."""
    room = max(4.0, 7 * scale)
    wide_enough = [feet for feet in (1, 2, 5, 10, 20, 50, 100) if feet / feet_per_px >= room]
    line_feet = float(rng.choice(wide_enough[:2])) if wide_enough else 100.0
    heavy_every = 5 if line_feet in (2, 10, 20) else int(rng.choice([5, 10]))
    three_weights = bernoulli(rng, tracks.three_weights)
    number = line_feet * heavy_every * int(rng.choice([1, 2]))
    return Section(
        start=columns[0],
        stop=columns[1],
        line_step=line_feet / feet_per_px,
        heavy_every=heavy_every,
        heaviest_every=5 * heavy_every if three_weights else 0,
        depths=Depths(
            first=depth,
            feet_per_px=feet_per_px,
            line_feet=line_feet,
            number_feet=number,
            repeat=repeat,
        ),
    )

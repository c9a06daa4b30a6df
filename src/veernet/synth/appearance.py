"""Appearance of synthetic logs: every nuisance as a range, or as the share of logs with it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple, get_type_hints

from numpy.random import Generator

from veernet.errors import OptionError
from veernet.files import formerly, read_toml, validate

Range = tuple[float, float]
"""Least and greatest value; drawn uniformly."""

SHARE = "share"
"""Unit of a probability."""


class FieldInfo(NamedTuple):
    """Unit, meaning and limit of a field of `Appearance`."""

    unit: str
    what: str
    most: float = 1
    """Greatest value allowed; the least is 0."""


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """Distribution of the appearance of logs; by default with every nuisance of the generator.

    Lengths are in pixels on a page at least 480 px high; on a lower page all of them but line
    widths shrink with it. `field_infos` has unit and meaning of every field.
    """

    two_tracks: Annotated[
        float, FieldInfo(SHARE, "two tracks side by side, the depth column between them")
    ] = 0.2
    three_tracks: Annotated[float, FieldInfo(SHARE, "three tracks side by side")] = 0.06
    depth_track: Annotated[
        float, FieldInfo(SHARE, "a column of depth numbers"), formerly("depth_column")
    ] = 0.75
    margin: Annotated[
        Range, FieldInfo("heights of the page", "paper above and below the tracks", 0.3)
    ] = (
        0.02,
        0.07,
    )
    header: Annotated[
        float, FieldInfo(SHARE, "a header: a frame with lines of words before the tracks")
    ] = 0.5
    footer: Annotated[float, FieldInfo(SHARE, "a footer: the same behind them")] = 0.2
    header_length: Annotated[
        Range,
        FieldInfo("heights of the page", "length of a header or footer", 10),
        formerly("block"),
    ] = (
        0.1,
        1.2,
    )

    grid: Annotated[float, FieldInfo(SHARE, "a grid")] = 0.95
    log_grid: Annotated[
        float, FieldInfo(SHARE, "a track whose lines of equal value are logarithmic")
    ] = 0.25
    divisions: Annotated[
        Range, FieldInfo("parts", "into which lines of equal value cut a track", 50)
    ] = (
        4,
        10,
    )
    decades: Annotated[Range, FieldInfo("decades", "across a logarithmic track", 10)] = (1, 4)
    depth_lines: Annotated[Range, FieldInfo("px", "distance of lines of equal depth", 1000)] = (
        12,
        40,
    )
    grid_darkness: Annotated[Range, FieldInfo("grey levels", "ink of the light lines", 255)] = (
        40,
        255,
    )
    grid_line_width: Annotated[
        Range, FieldInfo("px", "width of the heavy lines", 20), formerly("grid_pen")
    ] = (1, 2)

    text_height: Annotated[
        Range, FieldInfo("px", "height of a line of printed words", 200), formerly("letters")
    ] = (14, 30)
    track_numbers: Annotated[
        float, FieldInfo(SHARE, "numbers in a track, on white, that interrupt its lines")
    ] = 0.4
    integration_pips: Annotated[
        float,
        FieldInfo(SHARE, "pulses of integrated time or volume at a track's edge"),
        formerly("ticks"),
    ] = 0.4
    handwriting: Annotated[float, FieldInfo(SHARE, "remarks written by hand")] = 0.2
    stamp: Annotated[float, FieldInfo(SHARE, "a stamp on the page")] = 0.1

    line_width: Annotated[Range, FieldInfo("px", "width of a curve", 50), formerly("pen")] = (1, 4)
    line_darkness: Annotated[
        Range, FieldInfo("grey levels", "ink of a curve", 255), formerly("pen_darkness")
    ] = (170, 255)
    dotted: Annotated[
        float, FieldInfo(SHARE, "the second curve dotted; dashed if none of these three")
    ] = 0.2
    dash_dot: Annotated[float, FieldInfo(SHARE, "the second curve in dashes and dots")] = 0.2
    thick_thin: Annotated[float, FieldInfo(SHARE, "the second curve thick and thin in turn")] = 0.2
    dash: Annotated[Range, FieldInfo("px", "length of a dash", 1000)] = (6, 22)
    gap: Annotated[Range, FieldInfo("px", "length of the gap after a dash or dot", 1000)] = (4, 12)

    sample_spacing: Annotated[
        Range, FieldInfo("px", "distance of two samples of a curve", 1000), formerly("step")
    ] = (2, 10)
    amplitude: Annotated[
        Range,
        FieldInfo("widths of the track", "standard deviation before limits", 10),
        formerly("swing"),
    ] = (
        0.25,
        0.75,
    )
    spikes: Annotated[
        Range, FieldInfo("for every height of the page", "single samples that stand out", 1000)
    ] = (0, 3)
    tool_resolution: Annotated[
        Range, FieldInfo("samples", "length over which the tool averages", 100), formerly("tool")
    ] = (1, 5)
    wrapped: Annotated[
        float, FieldInfo(SHARE, "a curve that leaves at one edge and comes in at the other")
    ] = 0.2
    hatched: Annotated[
        float, FieldInfo(SHARE, "of the wrapped curves: hatched up to the edge it came in from")
    ] = 0.6
    hatch_lines: Annotated[Range, FieldInfo("px", "distance of the lines of hatching", 1000)] = (
        6,
        32,
    )
    clipped: Annotated[
        float, FieldInfo(SHARE, "a curve held at the edge while it is off scale")
    ] = 0.15
    off_scale: Annotated[
        float, FieldInfo(SHARE, "a curve that leaves at an edge and comes back there")
    ] = 0.15
    gaps: Annotated[float, FieldInfo(SHARE, "a curve that is absent for a while")] = 0.25
    absent: Annotated[float, FieldInfo(SHARE, "a curve that is not on the log at all")] = 0.05

    skew: Annotated[
        Range, FieldInfo("heights of the page", "of the right end against the left", 0.5)
    ] = (
        0,
        0.03,
    )
    drift: Annotated[
        Range, FieldInfo("heights of the page", "sway of the paper in the feed", 0.5)
    ] = (
        0,
        0.012,
    )
    bleed: Annotated[Range, FieldInfo("px", "standard deviation of ink in the paper", 10)] = (
        0.3,
        0.9,
    )
    ink: Annotated[Range, FieldInfo("times", "ink that is left after it has spread", 10)] = (
        1.1,
        1.9,
    )
    faded: Annotated[
        float, FieldInfo(SHARE, "ink that has faded, more in some places than in others")
    ] = 0.25
    fading: Annotated[Range, FieldInfo("share", "of the ink that is left where it is least", 1)] = (
        0.45,
        0.8,
    )
    paper: Annotated[Range, FieldInfo("grey levels", "of bare paper", 255)] = (205, 255)
    uneven_light: Annotated[
        float, FieldInfo(SHARE, "light that is not the same all over the page")
    ] = 0.4
    light: Annotated[Range, FieldInfo("share", "of the light in the darkest place", 1)] = (
        0.75,
        0.95,
    )
    stains: Annotated[float, FieldInfo(SHARE, "stains")] = 0.15
    folds: Annotated[float, FieldInfo(SHARE, "folds across the paper")] = 0.2
    photocopy: Annotated[
        float, FieldInfo(SHARE, "a photocopy: specks, and streaks along the feed")
    ] = 0.2
    grain: Annotated[Range, FieldInfo("grey levels", "deviation of the scanner's noise", 255)] = (
        0,
        9,
    )
    jpeg: Annotated[float, FieldInfo(SHARE, "compressed as JPEG")] = 0.3
    jpeg_quality: Annotated[Range, FieldInfo("libjpeg's scale", "quality of the JPEG", 100)] = (
        35,
        95,
    )
    bilevel: Annotated[float, FieldInfo(SHARE, "black and white only, and no JPEG")] = 0.3
    threshold: Annotated[Range, FieldInfo("of paper white", "below which a pixel is black", 1)] = (
        0.45,
        0.75,
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.line_width[0] < 1:
            raise OptionError(f"line_width must be 1 px and more; got {self.line_width[0]}")
        for names in (
            ("two_tracks", "three_tracks"),
            ("dotted", "dash_dot", "thick_thin"),
            ("wrapped", "clipped", "off_scale"),
            ("jpeg", "bilevel"),
        ):
            if (total := sum(getattr(self, name) for name in names)) > 1 + 1e-9:
                raise OptionError(f"{', '.join(names)} exclude each other; their sum is {total:g}")


@cache
def field_infos(kind: type) -> dict[str, FieldInfo]:
    """Return unit and meaning of every field of a dataclass of nuisances."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


def check_settings(settings: object) -> None:
    """Check every field of a dataclass of nuisances against its limits.

    Raises:
        OptionError: a range or a share is beyond them.
    """
    for name, info in field_infos(type(settings)).items():
        match getattr(settings, name):
            case (low, high) if not 0 <= low <= high <= info.most:
                raise OptionError(
                    f"{name} is a range from 0 to {info.most:g} at most, the least first; got "
                    f"{low:g} to {high:g}"
                )
            case float() | int() as share if not 0 <= share <= 1:
                raise OptionError(f"{name} is a share from 0 to 1; got {share}")
            case _:
                pass


PLAIN = Appearance(
    two_tracks=0,
    three_tracks=0,
    header=0,
    footer=0,
    log_grid=0,
    handwriting=0,
    stamp=0,
    integration_pips=0,
    track_numbers=0,
    thick_thin=0,
    dash_dot=0,
    wrapped=0,
    clipped=0,
    off_scale=0,
    gaps=0,
    absent=0,
    line_width=(1, 2),
    line_darkness=(190, 255),
    grid_darkness=(40, 200),
    stains=0,
    folds=0,
    photocopy=0,
    faded=0,
    bleed=(0.3, 0.65),
)
"""One track, two unbroken curves, paper in good order: a small network learns it in minutes."""


def read_appearance(path: Path) -> Appearance:
    """Read a TOML file of fields of `Appearance`; fields it does not name keep their defaults.

    Raises:
        OptionError: no such file, not TOML, or a field that is unknown or makes no sense.
    """
    table = read_toml(path, error=OptionError, missing=f"{path}: no such file")
    return validate(Appearance, table, where=str(path), error=OptionError)


def uniform(rng: Generator, bounds: Range) -> float:
    """Draw a number from a range."""
    return float(rng.uniform(*bounds))


def bernoulli(rng: Generator, share: float) -> bool:
    """Draw True with probability `share`. Always takes one random number, so that a change of one
    share changes nothing else in a log."""
    return bool(rng.random() < share)

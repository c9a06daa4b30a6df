"""Nuisances of tracks as they are printed: curves, pens, fills, scales, depth sections."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from veernet.errors import OptionError
from veernet.files import read_toml, validate
from veernet.synth.appearance import SHARE, FieldInfo, Range, check_settings

DPI = 200
"""Resolution at which lengths are as `Appearance` and `Tracks` say."""


@dataclass(frozen=True, kw_only=True)
class Tracks:
    """Distribution of what the tracks of printed logs hold; by default with every nuisance.

    All lengths of `Appearance` and of this are those of a scan at 200 dpi, and grow with `dpi`.
    """

    dpi: Annotated[
        Range, FieldInfo("px per inch", "resolution of the scan, on a logarithmic scale", 1200)
    ] = (75, 600)
    another_curve: Annotated[
        float, FieldInfo(SHARE, "another curve in the track, up to six; asked after every curve")
    ] = 0.58
    kinship: Annotated[
        float, FieldInfo(SHARE, "of the tracks: curves that hang together as those of one well")
    ] = 0.85
    smooth: Annotated[
        float,
        FieldInfo(SHARE, "of the logs: rounded between samples, as a pen draws; else straight"),
    ] = 0.6
    straight: Annotated[float, FieldInfo(SHARE, "of the curves: constant, as a bit size is")] = 0.05
    on_line: Annotated[
        float, FieldInfo(SHARE, "of the straight curves: on a line of the grid, or beside one")
    ] = 0.5
    stepped: Annotated[
        float, FieldInfo(SHARE, "of the logs: printed in the steps of a coarse plotter")
    ] = 0.15
    plotter_step: Annotated[Range, FieldInfo("px", "step of that plotter", 50)] = (2, 4)

    solid: Annotated[float, FieldInfo(SHARE, "of the curves: solid")] = 0.42
    long_dash: Annotated[float, FieldInfo(SHARE, "in long dashes")] = 0.12
    dotted: Annotated[float, FieldInfo(SHARE, "dotted")] = 0.1
    dash_dot: Annotated[float, FieldInfo(SHARE, "in dashes and dots; dashed if none of these")] = (
        0.12
    )
    long_dash_length: Annotated[Range, FieldInfo("px", "length of a long dash", 1000)] = (22, 48)
    any_style: Annotated[
        float, FieldInfo(SHARE, "of the curves: in any style, also one that its track has already")
    ] = 0.3
    heavy: Annotated[float, FieldInfo(SHARE, "of the curves: with a heavy pen")] = 0.2
    heaviness: Annotated[Range, FieldInfo("times", "width of a heavy pen", 10)] = (1.7, 2.6)

    colour_scan: Annotated[float, FieldInfo(SHARE, "scanned in colour")] = 0.2
    colour_pens: Annotated[float, FieldInfo(SHARE, "curves in colours, also on grey scans")] = 0.25
    colour_grid: Annotated[float, FieldInfo(SHARE, "of these: the grid in a colour, too")] = 0.4

    three_weights: Annotated[
        float, FieldInfo(SHARE, "of the grids: every fifth heavy line of equal depth heavier still")
    ] = 0.4
    framed: Annotated[float, FieldInfo(SHARE, "tracks in a frame of its own pen")] = 0.7
    frame_width: Annotated[Range, FieldInfo("px", "width of the frame, 8 px at most", 8)] = (1, 5)
    filled: Annotated[
        float, FieldInfo(SHARE, "of the tracks: a fill or hatching along a curve")
    ] = 0.33
    fill_to_curve: Annotated[
        float, FieldInfo(SHARE, "of these, if there are two curves: from one to the other")
    ] = 0.35
    fill_spacing: Annotated[Range, FieldInfo("px", "distance of lines, dots or dashes", 500)] = (
        4,
        26,
    )
    fill_darkness: Annotated[Range, FieldInfo("grey levels", "ink of a fill", 255)] = (50, 255)
    remarks: Annotated[
        float, FieldInfo(SHARE, "of the tracks: words, arrows and tick marks inside")
    ] = 0.25

    laps: Annotated[Range, FieldInfo("times", "that a wrapped curve goes round at most", 3)] = (
        1,
        3,
    )
    starts_or_ends: Annotated[
        float, FieldInfo(SHARE, "of the curves: one that begins or ends within the strip")
    ] = 0.2
    scale_change: Annotated[
        float, FieldInfo(SHARE, "of the curves: another scale from some depth on")
    ] = 0.1
    two_sections: Annotated[
        float, FieldInfo(SHARE, "of the strips: a second part at another depth scale")
    ] = 0.15
    repeat: Annotated[float, FieldInfo(SHARE, "of the strips: a repeat section")] = 0.12
    joined: Annotated[
        float, FieldInfo(SHARE, "of the strips: pages that are joined with an offset")
    ] = 0.15
    join_offset: Annotated[Range, FieldInfo("px", "offset at a joint", 100)] = (1, 6)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.dpi[0] < 20:
            raise OptionError(f"dpi must be at least 20; got {self.dpi[0]:g}")
        total = self.solid + self.long_dash + self.dotted + self.dash_dot
        if total > 1 + 1e-9:
            raise OptionError(
                f"solid, long_dash, dotted, dash_dot exclude each other; their sum is {total:g}"
            )


def read_tracks(path: Path) -> Tracks:
    """Read a TOML file of fields of `Tracks`; fields it does not name keep their defaults.

    Raises:
        OptionError: no such file, not TOML, or a field that is unknown or makes no sense.
    """
    table = read_toml(path, error=OptionError, missing=f"{path}: no such file")
    return validate(Tracks, table, where=str(path), error=OptionError)

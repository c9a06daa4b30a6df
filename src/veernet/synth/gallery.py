"""Pictures of an appearance: the ends of every nuisance, a sheet of whole logs, zooms."""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from veernet.data.raster import write_picture
from veernet.synth.appearance import PLAIN, Appearance, field_infos
from veernet.synth.generator import LogFamily
from veernet.synth.logs import SynthLogs
from veernet.synth.printed import PrintedLogs
from veernet.synth.text import printed
from veernet.synth.tracks import Tracks

_PAGE = (480, 700)
"""Height and width of a page that shows one end of a nuisance, px."""

_CROP = (210, 380)
"""Height and width of the part of it that is shown, px."""

_CALM: dict[str, Any] = {
    "skew": (0, 0),
    "drift": (0, 0),
    "grain": (1, 1),
    "jpeg": 0,
    "bilevel": 0,
    "uneven_light": 0,
    "dotted": 0,
    "line_width": (2, 2),
    "line_darkness": Appearance().line_darkness,
    "bleed": Appearance().bleed,
    "grid_darkness": (120, 120),
    "depth_lines": (24, 24),
    "spikes": (0, 0),
    "sample_spacing": (5, 5),
}
"""Settings of a page, besides those of `PLAIN`, that keep all but one nuisance calm."""

_SHOWN_BY: dict[str, dict[str, Any]] = {
    "header_length": {"header": 1},
    "decades": {"log_grid": 1},
    "fading": {"faded": 1},
    "light": {"uneven_light": 1},
    "jpeg_quality": {"jpeg": 1},
    "bilevel": {"grain": (9, 9)},
    "threshold": {"bilevel": 1, "grain": (9, 9)},
    "hatched": {"wrapped": 1},
    "hatch_lines": {"wrapped": 1, "hatched": 1},
}
"""Settings without which a nuisance would not be visible."""


_CALM_TRACKS: dict[str, Any] = {
    "dpi": (200, 200),
    "another_curve": 0.7,
    "straight": 0,
    "stepped": 0,
    "any_style": 0,
    "heavy": 0,
    "colour_scan": 0,
    "colour_pens": 0,
    "three_weights": 0,
    "framed": 0,
    "filled": 0,
    "remarks": 0,
    "starts_or_ends": 0,
    "scale_change": 0,
    "two_sections": 0,
    "repeat": 0,
    "joined": 0,
}
"""The same for tracks as they are printed."""

_TRACKS_SHOWN_BY: dict[str, dict[str, Any]] = {
    "on_line": {"straight": 1},
    "plotter_step": {"stepped": 1},
    "long_dash_length": {"long_dash": 1, "solid": 0, "dotted": 0, "dash_dot": 0},
    "solid": {"long_dash": 0, "dotted": 0, "dash_dot": 0, "any_style": 1},
    "long_dash": {"solid": 0, "dotted": 0, "dash_dot": 0, "any_style": 1},
    "dotted": {"long_dash": 0, "solid": 0, "dash_dot": 0, "any_style": 1},
    "dash_dot": {"long_dash": 0, "solid": 0, "dotted": 0, "any_style": 1},
    "heaviness": {"heavy": 1},
    "colour_grid": {"colour_pens": 1},
    "frame_width": {"framed": 1},
    "fill_to_curve": {"filled": 1},
    "fill_spacing": {"filled": 1},
    "fill_darkness": {"filled": 1},
    "join_offset": {"joined": 1},
}
"""Settings without which a nuisance of tracks would not be visible."""

_CLOSE = (
    *(
        "grid_line_width",
        "text_height",
        "line_width",
        "line_darkness",
        "dotted",
        "dash_dot",
        "thick_thin",
        "dash",
    ),
    *("gap", "bleed", "ink", "photocopy", "grain", "jpeg", "jpeg_quality", "bilevel", "threshold"),
    *("plotter_step", "long_dash_length", "heavy", "heaviness", "frame_width", "join_offset"),
)
"""Nuisances that are visible at full resolution only."""


def write_gallery(
    folder: Path, appearance: Appearance | None = None, tracks: Tracks | None = None
) -> list[Path]:
    """Write pictures of both kinds of logs; returns their paths.

    nuisances.png and tracks.png have both ends of every field of `Appearance` and of `Tracks` on
    otherwise calm pages; sheet.png and printed.png the beginnings of 24 full-size logs of two
    curves and as they are printed, shrunk; zoom.png and printed_zoom.png parts of 8 of them at full
    resolution.
    """
    look, tracks = appearance or Appearance(), tracks or Tracks()
    logs = SynthLogs(appearance=look, seed=7)
    printed_logs = PrintedLogs(appearance=look, tracks=tracks, seed=7)
    pictures = {
        "nuisances.png": _nuisances(look),
        "sheet.png": _sheet(logs, 24),
        "zoom.png": _zoom(logs, 8),
        "tracks.png": _nuisances(tracks),
        "printed.png": _sheet(printed_logs, 24),
        "printed_zoom.png": _zoom(printed_logs, 8),
    }
    for name, picture in pictures.items():
        write_picture(folder / name, _few_levels(picture))
    return [folder / name for name in pictures]


def table(settings: Appearance | Tracks) -> str:
    """Return every nuisance with its range and unit, as a table in Markdown."""
    rows = ["| field | range or share | unit | what |", "|---|---|---|---|"]
    for name, info in field_infos(type(settings)).items():
        value = getattr(settings, name)
        ends = f"{value[0]:g} – {value[1]:g}" if isinstance(value, tuple) else f"{value:g}"
        rows.append(f"| `{name}` | {ends} | {info.unit} | {info.what} |")
    return "\n".join(rows) + "\n"


def _nuisances(settings: Appearance | Tracks) -> UInt8[ndarray, "h w"]:
    """Two crops per field, four fields per row, under their name, ends and unit."""
    tiles = [_pair(settings, field.name) for field in fields(settings)]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % 4)
    rows = [np.concatenate(tiles[i : i + 4], axis=1) for i in range(0, len(tiles), 4)]
    return np.concatenate(rows)


def _pair(settings: Appearance | Tracks, name: str) -> UInt8[ndarray, "h w"]:
    value: tuple[float, float] | float = getattr(settings, name)
    ranged = isinstance(value, tuple)
    ends = [(end, end) for end in value] if ranged else [0.0, 1.0]
    crops: list[ndarray] = []
    for end in ends:
        (h, w), grey = _CROP, _calm(settings, name, end).log(1).grey
        whole = cv2.resize(grey, (w, h), interpolation=cv2.INTER_AREA)
        close = (
            grey[-h:, :w] if isinstance(settings, Appearance) else grey[130 : 130 + h, 90 : 90 + w]
        )
        crops.append(_framed(close if name in _CLOSE else whole))
    unit = field_infos(type(settings))[name].unit
    shown = f"{value[0]:g}, {value[1]:g} {unit}" if ranged else "without, with"
    title = np.full((24, 2 * crops[0].shape[1]), 255, np.uint8)
    words = printed(f"{name}: {shown}", size=17, font=0, darkness=255)[: 24 - 2]
    words = words[:, : title.shape[1] - 8]
    title[2 : 2 + words.shape[0], 6 : 6 + words.shape[1]] -= words
    return np.concatenate([title, np.concatenate(crops, axis=1)])


def _calm(settings: Appearance | Tracks, name: str, value: Any) -> LogFamily:
    """Return logs of otherwise calm pages whose setting `name` has a value."""
    height, width = ((side, side) for side in _PAGE)
    if isinstance(settings, Appearance):
        setting: dict[str, Any] = {**_CALM, **_SHOWN_BY.get(name, {}), name: value}
        look = replace(PLAIN, **setting)
        return SynthLogs(height=height, width=width, appearance=look, seed=3)
    of_laps = {"wrapped": 1} if name == "laps" else {}
    look = replace(PLAIN, **{**_CALM, **of_laps})
    setting = {**_CALM_TRACKS, **_TRACKS_SHOWN_BY.get(name, {}), name: value}
    tracks = replace(Tracks(), **setting)
    return PrintedLogs(height=height, width=width, appearance=look, tracks=tracks, seed=3)


def _framed(grey: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "H W"]:
    return np.pad(np.pad(grey, 1), 4, constant_values=255)


def _sheet(logs: LogFamily, n: int) -> UInt8[ndarray, "h w"]:
    """The first 6,400 px of logs at 10/64 of their size, two per row."""
    strips: list[ndarray] = []
    for number in range(n):
        grey = logs.log(number).grey[:, :6400]
        page = np.full((640, 6400), 255, np.uint8)
        page[: grey.shape[0], : grey.shape[1]] = grey
        strips.append(_framed(cv2.resize(page, (1000, 100), interpolation=cv2.INTER_AREA)))
    pairs = [np.concatenate(strips[i : i + 2], axis=1) for i in range(0, n, 2)]
    return np.concatenate(pairs)


def _zoom(logs: LogFamily, n: int) -> UInt8[ndarray, "h w"]:
    """Parts of logs at full resolution, from columns where the tracks have begun."""
    crops = [_framed(log.grey[:460, 900:1600]) for log in map(logs.log, range(n))]
    return np.concatenate([np.concatenate([*pair], axis=1) for pair in _twos(crops)])


def _twos(items: list[ndarray]) -> Iterator[tuple[ndarray, ndarray]]:
    return zip(items[::2], items[1::2], strict=True)


def _few_levels(picture: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "h w"]:
    """Reduce to sixteen grey levels, which make a small file and still show every nuisance."""
    return ((picture.astype(np.uint16) + 8) // 17 * 17).astype(np.uint8)

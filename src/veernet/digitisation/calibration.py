"""Calibration of a scan: the places of its tracks, the depths of rows, the values of edges."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from veernet.curves.trace import MAX_GAP
from veernet.digitisation.edges import LARGEST, SMALLEST
from veernet.digitisation.sections import section_tables
from veernet.digitisation.track import (
    Axis,
    CurveScale,
    Track,
    check_count,
)
from veernet.errors import CalibrationError
from veernet.files import check_fields, read_toml, spelt, validate
from veernet.las import Unit

MAX_DEPTHS = 10_000_000
"""Most depths of one output: 1,000 km at 0.1 m."""

MAX_TIES = 100_000
"""Most ties of one scan."""


@dataclass(frozen=True, kw_only=True)
class Depth:
    """Depth along the scan: linear between ties, and extrapolated beyond the outer ones."""

    ties: tuple[tuple[float, float], ...]
    """Pairs of (pixel, depth), two or more: the pixel is a row where depth runs down the page, a
    column where it runs right, read at the left edge of the first track; both increase."""
    step: float
    """Depth step of the output, in `unit`."""
    unit: Unit = "ft"
    max_gap: float | None = None
    """Longest stretch without ink to bridge, in `unit`; a longer stretch has no values. 40 px if
    None."""

    def __post_init__(self) -> None:
        check_fields(self, error=CalibrationError)
        if self.max_gap is not None and not 0 <= self.max_gap <= LARGEST:
            raise CalibrationError(f"max_gap must be from 0 to {LARGEST:g}, got {self.max_gap}")
        if not 2 <= len(self.ties) <= MAX_TIES:
            raise CalibrationError(
                f"needs the depth of two rows or more, at most {MAX_TIES:,}; got {len(self.ties)}"
            )
        if not (np.abs(self.ties) <= LARGEST).all():  # NaN fails too
            raise CalibrationError(
                f"ties reach from -{LARGEST:g} to {LARGEST:g}, got {self.ties[:9]}"
            )
        if not (np.diff(self.ties, axis=0) >= 1e-6).all():
            raise CalibrationError(
                f"ties are not monotone: pixel and depth must increase, got {self.ties[:9]}"
            )
        if not SMALLEST <= self.step <= LARGEST:
            raise CalibrationError(
                f"step must be > 0, from {SMALLEST:g} to {LARGEST:g}, got {self.step}"
            )

    def to_toml(self) -> list[str]:
        """Return the lines of the table [depth] in a calibration file."""
        ties = [[float(pixel), float(depth)] for pixel, depth in self.ties]
        return [
            "[depth]",
            f'unit = "{self.unit}"',
            f"step = {self.step}",
            *([] if self.max_gap is None else [f"max_gap = {self.max_gap}"]),
            f"ties = {ties}    # [pixel, depth]",
        ]

    def at(self, pixel: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
        """Return the depth at positions along the scan."""
        pixels, depths = np.array(self.ties, dtype=float).T
        return _piecewise_linear(pixel, pixels, depths)

    def pixel_of(self, depth: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
        """Return the position along the scan of depths; the inverse of `at`."""
        pixels, depths = np.array(self.ties, dtype=float).T
        return _piecewise_linear(depth, depths, pixels)

    def gap(self) -> int:
        """Longest stretch to bridge, px, at the mean scale of the ties."""
        if self.max_gap is None:
            return MAX_GAP
        (pixel, depth), (last_pixel, last_depth) = self.ties[0], self.ties[-1]
        return int(min(self.max_gap * (last_pixel - pixel) / (last_depth - depth), LARGEST))

    def grid(self, first_pixel: float, last_pixel: float) -> Float[ndarray, "n"]:
        """Return the multiples of `step` from the depth of one position to that of another, both
        included.

        Raises:
            CalibrationError: there is no such multiple, or more than `MAX_DEPTHS`.
        """
        first, last = self.at(np.array([first_pixel, last_pixel], dtype=float))
        slack = 1e-6  # rounding must not lose the first or last multiple
        n_first = int(np.ceil(first / self.step - slack))
        n_last = int(np.floor(last / self.step + slack))
        if not 0 < n_last - n_first + 1 <= MAX_DEPTHS:
            raise CalibrationError(
                f"a step of {self.step} {self.unit} from {first:g} to {last:g} makes "
                f"{n_last - n_first + 1} depths, where 1 to {MAX_DEPTHS:,} make sense"
            )
        return np.arange(n_first, n_last + 1) * self.step


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Calibration of a scan, or of one depth section of it, as its TOML file holds it:

    depth_axis = "down"
    size = [1664, 17864]

    [depth]
    unit = "ft"
    step = 0.5
    ties = [[3083.0, 300.0], [10695.5, 1050.0]]

    [[track]]
    left = 0
    right = 500
    top = 3083
    bottom = 10696

    [[track.curve]]
    mnemonic = "GR"
    unit = "API"
    left = 0.0
    right = 150.0

    The same in Python:

    >>> gr = CurveScale(mnemonic="GR", unit="API", left=0, right=150)
    >>> track = Track(left=0, right=500, top=3083, bottom=10696, curves=(gr,))
    >>> depth = Depth(ties=((3083, 300), (10695.5, 1050)), step=0.5)
    >>> Calibration(depth=depth, tracks=(track,), size=(1664, 17864)).curves[0].unit
    'API'
    """

    depth: Depth
    tracks: Annotated[tuple[Track, ...], spelt("track")]
    depth_axis: Axis = "down"
    """Direction in which depth increases on the scan."""
    size: tuple[int, int] | None = None
    """Width and height of the scan whose pixels are meant, px; None for a scan of any size."""
    section: str = ""
    """Name of the section, where the scan has several; empty for a scan of one."""

    def __post_init__(self) -> None:
        check_fields(self, error=CalibrationError)
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,64}", self.section):
            raise CalibrationError(
                "the name of a section is of letters, digits, _ and -, up to 64; got "
                f"{self.section!r}"
            )
        names = [curve.mnemonic for curve in self.curves]
        columns = {n.upper() + end for n in names for end in ("", "_CONF")}  # names in the LAS file
        if not names or len(columns) < 2 * len(names) or not all(t.curves for t in self.tracks):
            raise CalibrationError(
                "needs one [[track]] or more, each with one [[track.curve]] or more, of different "
                f"mnemonics, also but for capitals and _CONF; got {names}"
            )
        for track in self.tracks:
            track.check(self.depth_axis)
        for curves in self.curves_by_place:
            check_count(curves)

    def check_size(self, h: int, w: int) -> None:
        """Check that a scan of `h` × `w` px has the size that the calibration is for.

        Raises:
            CalibrationError: the scan has another size.
        """
        if self.size not in (None, (w, h)):
            width, height = self.size
            raise CalibrationError(
                f"made for a scan of {width} × {height} px (width × height), and this one has "
                f"{w} × {h}: is it another page, or read at another resolution? Calibrate it "
                "anew; leave `size` out where the pixels of both mean the same"
            )

    @property
    def curves(self) -> tuple[CurveScale, ...]:
        """Curves of all tracks, in the order of the file."""
        return tuple(curve for track in self.tracks for curve in track.curves)

    @property
    def curves_by_place(self) -> tuple[tuple[CurveScale, ...], ...]:
        """Curves of each place, in which there may be several tracks."""
        places = dict[frozenset[tuple[float, ...]], tuple[CurveScale, ...]]()
        for track in self.tracks:
            corners = frozenset((float(x), float(y)) for x, y in track.places)
            places[corners] = places.get(corners, ()) + track.curves
        return tuple(places.values())

    def to_toml(self, *, about: str = "") -> str:
        """Return the text of the calibration file, which `read_calibration` reads as the same
        calibration.

        Args:
            about: comment of one line at the top of the file.
        """
        lines = [f"# {about}"] if about else []
        lines.append(f'depth_axis = "{self.depth_axis}"')
        if self.size is not None:
            lines.append(f"size = {[*self.size]}    # of the scan: width and height, px")
        parts = [*self.depth.to_toml(), *(line for one in self.tracks for line in one.to_toml())]
        if self.section:
            lines += ["", "[[section]]", f'name = "{self.section}"']
            parts = [re.sub(r"^(\[+)", r"\1section.", line) for line in parts]
        return "\n".join([*lines, "", *parts]) + "\n"


def read_calibration(path: str | Path, section: str | None = None) -> Calibration:
    """Read a calibration file of one section, or one section of a file.

    >>> read_calibration("calibration.toml").curves[0].mnemonic
    'GR'

    Args:
        section: name of the section; needed where the file has several.

    Raises:
        CalibrationError: there is no such file, or it is not TOML, incomplete, or not monotone; or
            it has no such section, or several of which none is named.
    """
    return chosen_section(read_calibrations(path), section, where=str(path))


def read_calibrations(path: str | Path) -> tuple[Calibration, ...]:
    """Read a calibration file: one calibration per section, in the order of the file.

    >>> [one.section for one in read_calibrations("calibration.toml")]
    ['']

    Raises:
        CalibrationError: there is no such file, or it is not TOML, incomplete, or not monotone.
    """
    missing = f"{path}: no such calibration file"
    table = read_toml(Path(path), error=CalibrationError, missing=missing)
    return calibrations_of(table, where=str(path))


def calibration_of(table: dict[str, Any], *, where: str) -> Calibration:
    """Build the only calibration that a table of TOML describes; `where` names its file.

    Raises:
        CalibrationError: the table is incomplete, or not monotone, or has several sections.
    """
    return chosen_section(calibrations_of(table, where=where), None, where=where)


def calibrations_of(table: dict[str, Any], *, where: str) -> tuple[Calibration, ...]:
    """Build the calibrations that a table of TOML describes, one per section; `where` names its
    file.

    Raises:
        CalibrationError: the table is incomplete, or not monotone.
    """
    return tuple(
        validate(Calibration, part, where=place, error=CalibrationError)
        for place, part in section_tables(table, where=where)
    )


def chosen_section(
    calibrations: Sequence[Calibration], section: str | None, *, where: str
) -> Calibration:
    """Return the calibration of a section, or the only one.

    Raises:
        CalibrationError: there is no such section, or there are several and none is named.
    """
    names = ", ".join(one.section for one in calibrations)
    if section is None:
        if len(calibrations) > 1:
            raise CalibrationError(f"{where}: has several sections, {names}: name one of them")
        return calibrations[0]
    for one in calibrations:
        if one.section == section:
            return one
    raise CalibrationError(
        f"{where}: no section {section!r}; it has {names or 'one, without a name'}"
    )


def _piecewise_linear(
    x: Float[ndarray, "n"], known_x: Float[ndarray, "m"], known_y: Float[ndarray, "m"]
) -> Float[ndarray, "n"]:
    """Interpolate linearly between known points, and along the outer segments beyond them."""
    segment = np.clip(np.searchsorted(known_x, x, side="right") - 1, 0, len(known_x) - 2)
    slope = np.diff(known_y) / np.diff(known_x)
    return known_y[segment] + slope[segment] * (x - known_x[segment])

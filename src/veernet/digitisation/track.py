"""Track of a scan: its place, and the curves printed in it, each with its scale."""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from veernet.errors import CalibrationError
from veernet.files import check_fields, formerly, spelt

LARGEST, SMALLEST = 1e9, 1e-9
"""Largest magnitude of any number in a calibration, and smallest of non-zero ones."""

Axis = Literal["down", "right"]
"""Direction in which depth increases on a scan."""


@dataclass(frozen=True, kw_only=True)
class CurveScale:
    """One curve of a track, and the values at the track's two edges."""

    mnemonic: str
    """Mnemonic as in a LAS file: GR, SP, CALI, ILD, RHOB, NPHI, DT, …"""
    left: float
    """Value at the left edge of the track; the lower edge where depth runs right."""
    right: float
    """Value at the right edge; may be less than `left`."""
    unit: str = ""
    curve_class: Annotated[int, formerly("trace")] = 1
    """Number of the curve among those that the network tells apart, from 1; unique within a
    track."""
    scale: Literal["linear", "log"] = "linear"
    description: str = ""
    wraps: bool = False
    """True if the curve is printed on a backup scale: it wraps, leaving the track at one edge and
    coming in at the other, and its values go on."""
    las: str = ""
    """Name of the curve in LAS files to compare with or import, such as GR:1; the mnemonic if
    empty."""

    def __post_init__(self) -> None:
        check_fields(self, error=CalibrationError)
        if not re.fullmatch(r"[A-Za-z0-9_]+", self.mnemonic) or self.mnemonic.upper() == "DEPT":
            raise CalibrationError(
                f"mnemonic must be letters, digits and _, and not DEPT; got {self.mnemonic!r}"
            )
        words = self.unit + self.description
        if not re.fullmatch(r"[^\s:]*", self.unit) or ":" in words or not words.isprintable():
            raise CalibrationError(
                "unit must be without spaces and colons, description on one line and without "
                f"colons; got {self.unit!r}, {self.description!r}"
            )
        if not self.las.isprintable():
            raise CalibrationError(f"las must be printable, on one line; got {self.las!r}")
        if self.curve_class < 1:
            raise CalibrationError(f"curve_class counts from 1, got {self.curve_class}")
        edges = self.left, self.right
        if not (np.abs(edges) <= LARGEST).all():
            raise CalibrationError(f"the edges reach from -{LARGEST:g} to {LARGEST:g}, got {edges}")
        if abs(self.left - self.right) < SMALLEST:
            raise CalibrationError(f"the edges need two different values, got {edges}")
        if self.scale == "log" and min(edges) < SMALLEST:
            raise CalibrationError(
                f"a log scale needs values > 0, from {SMALLEST:g} on; got {edges}"
            )

    @property
    def las_name(self) -> str:
        """Name of the curve in LAS files: `las`, or else the mnemonic."""
        return self.las or self.mnemonic

    def value(self, position: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
        """Return the values at positions across the track, from 0 at its left edge to 1 at its
        right edge."""
        if self.scale == "log":
            return self.left * (self.right / self.left) ** position
        return self.left + (self.right - self.left) * position

    def position(self, value: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
        """Return the positions of values across the track; the inverse of `value`. A position
        outside [0, 1] is off scale; it is NaN where a logarithmic scale has no place for the
        value."""
        if self.scale == "log":
            positive = np.where(value > 0, value, np.nan)
            return np.log(positive / self.left) / np.log(self.right / self.left)
        return (value - self.left) / (self.right - self.left)

    def to_toml(self) -> list[str]:
        """Return the lines of the curve's table in a calibration file."""
        table = {name: value for name, value in asdict(self).items() if value != ""}
        values = ((name, json.dumps(value, ensure_ascii=False)) for name, value in table.items())
        return ["", "[[track.curve]]", *(f"{name} = {value}" for name, value in values)]


@dataclass(frozen=True, kw_only=True)
class Track:
    """The place of a track, in pixels of the scan as it lies: x to the right, y down.

    Given either as a box by `left`, `right`, `top` and `bottom`, the centres of its outermost
    pixels; or, on a skewed scan, by its `corners`.
    """

    left: int | None = None
    right: int | None = None
    top: int | None = None
    bottom: int | None = None
    corners: tuple[tuple[float, float], ...] = ()
    """Four corners (x, y), in the order of reading with depth down: shallow left, shallow right,
    deep right, deep left."""
    curves: Annotated[tuple[CurveScale, ...], spelt("curve")] = ()
    """Curves printed in the track."""

    def __post_init__(self) -> None:
        check_fields(self, error=CalibrationError)
        sides = (self.left, self.right, self.top, self.bottom)
        given = [side for side in sides if side is not None]
        if len(self.corners) not in (0, 4) or len(given) != (0 if self.corners else 4):
            raise CalibrationError(
                "needs left, right, top and bottom, or four corners; got "
                f"{len(given)} sides and {len(self.corners)} corners"
            )
        if not self.corners:
            left, right, top, bottom = given
            if not (0 <= left < right and 0 <= top < bottom):
                raise CalibrationError(
                    f"needs 0 <= left < right and 0 <= top < bottom; got {left}, {right}, {top}, "
                    f"{bottom}"
                )
        check_curve_classes(self.curves)

    def to_toml(self) -> list[str]:
        """Return the lines of the track's table in a calibration file, with those of its curves."""
        if self.corners:
            corners = [[float(x), float(y)] for x, y in self.corners]
            order = "shallow left, shallow right, deep right, deep left"
            place = [f"corners = {corners}    # {order}"]
        else:
            sides = "left", "right", "top", "bottom"
            place = [f"{side} = {getattr(self, side)}" for side in sides]
        curves = [line for curve in self.curves for line in curve.to_toml()]
        return ["", "[[track]]", *place, *curves]

    @property
    def places(self) -> Float[ndarray, "4 2"]:
        """Corners (x, y): of a box from left to right and from top to bottom; of `corners` in their
        order."""
        if self.corners:
            return np.array(self.corners)
        x, y = (self.left, self.right), (self.top, self.bottom)
        return np.array([[a, b] for b in y for a in x], dtype=float)

    def read(self, axis: Axis) -> Float[ndarray, "4 2"]:
        """Return the corners as (along, across), in the order shallow left, shallow right, deep
        right, deep left: along increases with depth, across from the left edge to the right one."""
        if axis == "down":
            order, signs, swap = [0, 1, 3, 2], (1, 1), True
        else:  # the left edge lies below
            order, signs, swap = [2, 0, 1, 3], (1, -1), False
        places = self.places if self.corners else self.places[order]
        return (places[:, ::-1] if swap else places) * signs

    def check(self, axis: Axis) -> None:
        """Check that the corners are in order.

        Raises:
            CalibrationError: a side is rotated by 45 degrees or more from its upright direction.
        """
        first_left, first_right, last_right, last_left = self.read(axis)
        across = np.array([first_right - first_left, last_right - last_left])
        along = np.array([last_left - first_left, last_right - first_right])
        fine = (across[:, 1] > abs(across[:, 0])).all() and (along[:, 0] > abs(along[:, 1])).all()
        if not fine or not (np.abs(self.places) <= LARGEST).all():
            raise CalibrationError(
                "corners are shallow left, shallow right, deep right and deep left, as one reads "
                f"the track with depth down (depth runs {axis} here); got {self.corners}"
            )


def check_curve_classes(curves: Iterable[CurveScale]) -> None:
    """Check that the curves of one place have different `curve_class`es.

    Raises:
        CalibrationError: two curves have the same `curve_class`.
    """
    names = dict[int, str]()
    for curve in curves:
        if curve.curve_class in names:
            raise CalibrationError(
                f"{names[curve.curve_class]} and {curve.mnemonic} are both curve_class "
                f"{curve.curve_class} of one track, and would be read as one curve. Of two solid "
                "curves, or two broken ones, only one can be read: leave the other out, or, if it "
                "is drawn in the other style, say so: curve_class = 1 is solid, curve_class = 2 "
                "dashed or dotted"
            )
        names[curve.curve_class] = curve.mnemonic

"""Track of a scan: its place, and the curves printed in it, each with its scale."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from PIL import ImageColor

from veernet.curves.trace import WRAPS_DOWN, WRAPS_UP
from veernet.digitisation.edges import LARGEST, Edges, Scale, ScaleChange
from veernet.errors import CalibrationError
from veernet.files import check_fields, formerly, spelt

MAX_CURVES = 8
"""Most curves of one track."""

MAX_LAPS = 10
"""Most times that a curve on a backup scale may go round."""

MAX_POINTS = 10_000
"""Most points that a curve is said to pass through."""

Axis = Literal["down", "right"]
"""Direction in which depth increases on a scan."""

Style = Literal["solid", "dashed", "long-dash", "dotted", "dash-dot"]
"""Style in which a curve is drawn."""

Weight = Literal["thin", "heavy"]
"""Weight of a curve's line, beside the others of its track."""

Kind = Literal["solid", "broken"]
"""Kind of a curve's line: drawn without gaps, or with them."""


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
    curve_class: Annotated[int | None, formerly("trace")] = None
    """Number of the curve among those that a network tells apart, from 1: 1 solid, 2 broken; more
    where a network knows more. None if it is not given."""
    style: Style | None = None
    """Style in which the curve is drawn; None if it is not known."""
    weight: Weight | None = None
    """Weight of its line beside the other curves of the track; None if it is not known."""
    colour: str = ""
    """Colour of its ink, such as "#0000c8" or a name of CSS; empty if it is not known."""
    scale: Scale = "linear"
    description: str = ""
    wraps: bool = False
    """True if the curve is printed on a backup scale: it wraps, leaving the track at one edge and
    coming in at the other, and its values go on. True also where `laps` are given."""
    laps: int | None = None
    """Number of times that the curve may go round at either edge; None for 2 at the right edge and
    1 at the left one if it wraps."""
    backup: tuple[float, float] | None = None
    """Values at the left and the right edge once the curve has gone round; it wraps then. They join
    one end of the scale; further laps, and those beyond the other edge, are as long. None where
    values go on as the scale does."""
    changes: Annotated[tuple[ScaleChange, ...], spelt("change")] = ()
    """Depths from which on the edges have other values, from the shallowest to the deepest."""
    points: tuple[tuple[float, float], ...] = ()
    """Pairs of (depth, value) that the curve passes through, in any order."""
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
        self._check_scales()
        self._check_hints()
        self._check_points()

    def _check_scales(self) -> None:
        """Check the scale and its changes; a curve with a backup scale wraps."""
        if any(one.backup for one in self.edges):
            if self.laps == 0:
                raise CalibrationError(
                    f"{self.mnemonic} has a backup scale and laps = 0: leave one of them out"
                )
            object.__setattr__(self, "wraps", True)

    def _check_hints(self) -> None:
        """Check how the curve is drawn; a curve with laps wraps."""
        if self.curve_class is not None and self.curve_class < 1:
            raise CalibrationError(f"curve_class counts from 1, got {self.curve_class}")
        if self.style is not None and self.curve_class in (1, 2):
            number = 1 if self.kind == "solid" else 2
            if number != self.curve_class:
                raise CalibrationError(
                    f'{self.mnemonic} has style = "{self.style}" and curve_class = '
                    f"{self.curve_class}, where 1 is solid and 2 is broken: leave one of them out"
                )
        if self.colour and self.rgb is None:
            raise CalibrationError(
                f'colour of {self.mnemonic} must be one like "#0000c8", or a name of CSS such as '
                f'"blue", and opaque; got {self.colour!r}'
            )
        if self.laps is None:
            return
        if not 0 <= self.laps <= MAX_LAPS:
            raise CalibrationError(
                f"laps of {self.mnemonic} must be from 0 to {MAX_LAPS}, got {self.laps}"
            )
        if self.wraps and not self.laps:
            raise CalibrationError(
                f"{self.mnemonic} has wraps = true and laps = 0: leave one of them out"
            )
        object.__setattr__(self, "wraps", self.laps > 0)

    def _check_points(self) -> None:
        """Check that every point has a place on the scale."""
        if not self.points:
            return
        if len(self.points) > MAX_POINTS:
            raise CalibrationError(
                f"points of {self.mnemonic}: at most {MAX_POINTS:,}, got {len(self.points):,}"
            )
        depths, values = np.array(self.points, dtype=float).T
        if not (np.abs(self.points) <= LARGEST).all():  # NaN fails too
            raise CalibrationError(
                f"points of {self.mnemonic} reach from -{LARGEST:g} to {LARGEST:g}, got "
                f"{self.points[:9]}"
            )
        if len(np.unique(depths)) < len(depths):
            raise CalibrationError(
                f"points of {self.mnemonic} need different depths, got {self.points[:9]}"
            )
        (up, down), slack = self.laps_up_down, 1e-9
        positions = self.position(values, depths)
        misplaced = ~((positions >= -down - slack) & (positions <= 1 + up + slack))
        if misplaced.any():
            depth, value = self.points[int(misplaced.argmax())]
            there = self.edges[sum(change.depth <= depth for change in self.changes)]
            raise CalibrationError(
                f"the point of {self.mnemonic} at depth {depth:g} has the value {value:g}, which "
                f"has no place between {there.left:g} and {there.right:g}"
                + (f", nor {up} laps beyond the right edge and {down} beyond the left" * self.wraps)
            )

    @property
    def kind(self) -> Kind | None:
        """Kind of its line, by the style, or else by `curve_class` 1 or 2; None
        where neither says so."""
        if self.style is not None:
            return "solid" if self.style == "solid" else "broken"
        kinds: dict[int | None, Kind] = {1: "solid", 2: "broken"}
        return kinds.get(self.curve_class)

    @property
    def hinted(self) -> bool:
        """True if it is said how the curve is drawn, or what it passes through."""
        return bool(self.style or self.weight or self.colour or self.points)

    @property
    def mask_class(self) -> int:
        """Class of the curve in masks, and its number among the curves that a network tells apart:
        `curve_class`, or where it is not given, 2 for a broken curve and 1 for another."""
        return self.curve_class or (2 if self.kind == "broken" else 1)

    @property
    def rgb(self) -> tuple[int, int, int] | None:
        """RGB of `colour`, each 0 to 255; None if there is none, or it is no opaque colour."""
        if not self.colour.isprintable():
            return None
        try:
            red, green, blue, *alpha = ImageColor.getrgb(self.colour)
        except ValueError:
            return None
        opaque = alpha in ([], [255]) and max(red, green, blue) <= 255
        return (red, green, blue) if opaque else None

    @property
    def laps_up_down(self) -> tuple[int, int]:
        """Greatest number of times that the curve goes round at the right edge, and at the left
        one; none where it does not wrap."""
        if self.laps is not None:
            return self.laps, self.laps
        return (WRAPS_UP, WRAPS_DOWN) if self.wraps else (0, 0)

    @property
    def las_name(self) -> str:
        """Name of the curve in LAS files: `las`, or else the mnemonic."""
        return self.las or self.mnemonic

    @property
    def edges(self) -> tuple[Edges, ...]:
        """Scale at the top, and the one from each of the `changes` on."""
        first = Edges(left=self.left, right=self.right, scale=self.scale, backup=self.backup)
        return first.changed(self.changes, of=self.mnemonic)

    @property
    def logarithmic(self) -> bool:
        """True if the scale is logarithmic at every depth."""
        return all(one.scale == "log" for one in self.edges)

    def value(
        self, position: Float[ndarray, "n"], depth: Float[ndarray, "n"] | None = None
    ) -> Float[ndarray, "n"]:
        """Return the values at positions across the track, from 0 at its left edge to 1 at its
        right edge, and beyond them on the laps.

        Args:
            depth: depth of each position; needed where the scale changes.

        Raises:
            CalibrationError: the scale changes, and no depth is given.
        """
        return self._by_depth(Edges.value, position, depth)

    def position(
        self, value: Float[ndarray, "n"], depth: Float[ndarray, "n"] | None = None
    ) -> Float[ndarray, "n"]:
        """Return the positions of values across the track; the inverse of `value`. A position
        outside [0, 1] is off scale, or on a lap; it is NaN where a logarithmic scale has no place
        for the value.

        Args:
            depth: depth of each value; needed where the scale changes.

        Raises:
            CalibrationError: the scale changes, and no depth is given.
        """
        return self._by_depth(Edges.position, value, depth)

    def _by_depth(
        self,
        of: Callable[[Edges, Float[ndarray, "n"]], Float[ndarray, "n"]],
        given: Float[ndarray, "n"],
        depth: Float[ndarray, "n"] | None,
    ) -> Float[ndarray, "n"]:
        """Apply the scale that holds at each depth."""
        if not self.changes:
            return of(self.edges[0], given)
        if depth is None:
            raise CalibrationError(f"the scale of {self.mnemonic} changes: give the depths too")
        number = np.searchsorted([one.depth for one in self.changes], depth, side="right")
        found = np.full(given.shape, np.nan)
        for n, edges in enumerate(self.edges):
            found[number == n] = of(edges, given[number == n])
        return found

    def to_toml(self) -> list[str]:
        """Return the lines of the curve's table in a calibration file: what differs from the
        defaults."""
        changes = (
            line for one in self.changes for line in ("", "[[track.curve.change]]", *_given(one))
        )
        return ["", "[[track.curve]]", *_given(self), *changes]


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
        check_count(self.curves)

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


def check_count(curves: Sequence[CurveScale]) -> None:
    """Check that one place has no more than `MAX_CURVES`.

    Raises:
        CalibrationError: there are more.
    """
    if len(curves) > MAX_CURVES:
        names = ", ".join(curve.mnemonic for curve in curves)
        raise CalibrationError(
            f"at most {MAX_CURVES} curves of one track can be read, got {len(curves)}: {names}"
        )


def _given(table: CurveScale | ScaleChange) -> Iterator[str]:
    """Yield a line of TOML per field that differs from its default; changes have their own
    tables."""
    for one in fields(table):
        value = getattr(table, one.name)
        if one.name != "changes" and value != one.default:
            yield f"{one.name} = {json.dumps(value, ensure_ascii=False)}"

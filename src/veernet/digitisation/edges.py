"""Values at the two edges of a track, and what lies between them and on the laps beyond."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from veernet.errors import CalibrationError
from veernet.files import check_fields

LARGEST, SMALLEST = 1e9, 1e-9
"""Largest magnitude of any number in a calibration, and smallest of non-zero ones."""

MAX_CHANGES = 1_000
"""Most depths at which the scale of a curve changes."""

_SLACK = 1e-6
"""Distance of a backup scale from the edge at which it begins, in widths of the track, up to which
it joins it."""

Scale = Literal["linear", "log"]
"""Kind of scale: values grow evenly across the track, or their logarithms do."""


@dataclass(frozen=True, kw_only=True)
class ScaleChange:
    """Depth from which on the edges of a track have other values."""

    depth: float
    """Depth of the change, in the unit of the calibration."""
    left: float
    right: float
    scale: Scale | None = None
    """Kind of scale from there on; None if it stays."""
    backup: tuple[float, float] | None = None
    """Values at the edges on the first lap; None where laps go on as the new scale does."""

    def __post_init__(self) -> None:
        check_fields(self, error=CalibrationError)
        if not abs(self.depth) <= LARGEST:
            raise CalibrationError(
                f"the depth of a change is from -{LARGEST:g} to {LARGEST:g}, got {self.depth}"
            )


@dataclass(frozen=True, kw_only=True)
class Edges:
    """Values at the left and the right edge of a track, on a linear or a logarithmic scale."""

    left: float
    right: float
    scale: Scale = "linear"
    backup: tuple[float, float] | None = None
    """Values at the left and the right edge on the first lap; None where laps go on as the scale
    does. Every lap, in either direction, is as long as this one."""

    def __post_init__(self) -> None:
        edges = self.left, self.right
        if not (np.abs(edges) <= LARGEST).all():
            raise CalibrationError(f"the edges reach from -{LARGEST:g} to {LARGEST:g}, got {edges}")
        if abs(self.left - self.right) < SMALLEST:
            raise CalibrationError(f"the edges need two different values, got {edges}")
        if self.scale == "log" and min(edges) < SMALLEST:
            raise CalibrationError(
                f"a log scale needs values > 0, from {SMALLEST:g} on; got {edges}"
            )
        if self.backup is not None:
            self._check_backup(self.backup)

    def _check_backup(self, backup: tuple[float, float]) -> None:
        """Check that a backup scale begins where the scale ends, and goes on in its direction."""
        Edges(left=backup[0], right=backup[1], scale=self.scale)
        left, right = self._even(np.array([self.left, self.right]))
        first, last = self._even(np.array(backup))
        (near, far), span = (first - right, last - left), right - left
        joins = min(abs(near), abs(far)) <= _SLACK * abs(span)
        if not joins or (last - first) * span <= 0:
            without = Edges(left=self.left, right=self.right, scale=self.scale)
            beyond = float(without.value(np.array([2.0]))[0])
            raise CalibrationError(
                f"a backup scale goes on where the scale ends, as {self.right:g} to {beyond:g} "
                f"does after {self.left:g} to {self.right:g}; got {backup[0]:g} to {backup[1]:g}"
            )

    def _even(self, value: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
        """Return what grows evenly across the track: the value, or its logarithm."""
        return np.log(value) if self.scale == "log" else value

    def value(self, position: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
        """Return the values at positions across the track, from 0 at its left edge to 1 at its
        right edge."""
        if self.backup is not None:
            position = position + (self._pace() - 1) * (position - np.clip(position, 0, 1))
        if self.scale == "log":
            return self.left * (self.right / self.left) ** position
        return self.left + (self.right - self.left) * position

    def position(self, value: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
        """Return the positions of values across the track; the inverse of `value`."""
        if self.scale == "log":
            positive = np.where(value > 0, value, np.nan)
            position = np.log(positive / self.left) / np.log(self.right / self.left)
        else:
            position = (value - self.left) / (self.right - self.left)
        if self.backup is not None:
            inside = np.clip(position, 0, 1)
            position = inside + (position - inside) / self._pace()
        return position

    def _pace(self) -> float:
        """Length of a lap, in lengths of the scale."""
        assert self.backup is not None
        first, last = self._even(np.array(self.backup))
        left, right = self._even(np.array([self.left, self.right]))
        return float((last - first) / (right - left))

    @property
    def finest(self) -> float:
        """Smallest amount that has to be told apart, before any division: the least value of a
        logarithmic scale, the span of a linear one; also of its backup scale."""
        pairs = [(self.left, self.right), *([] if self.backup is None else [self.backup])]
        if self.scale == "log":
            return min(abs(value) for pair in pairs for value in pair)
        return min(abs(right - left) for left, right in pairs)

    def changed(self, changes: Sequence[ScaleChange], *, of: str) -> tuple["Edges", ...]:
        """Return this scale, and the one from each of the changes on; `of` names the curve.

        Raises:
            CalibrationError: depths do not increase, or a change makes no scale.
        """
        depths = [change.depth for change in changes]
        if len(changes) > MAX_CHANGES:
            raise CalibrationError(f"{of}: at most {MAX_CHANGES:,} changes, got {len(changes):,}")
        if not (np.diff(depths) > 0).all():
            raise CalibrationError(
                f"changes of {of} go from the shallowest to the deepest, at different depths; got "
                f"{depths[:9]}"
            )
        edges: list[Edges] = [self]
        for one in changes:
            scale = one.scale or edges[-1].scale
            try:
                edges.append(Edges(left=one.left, right=one.right, scale=scale, backup=one.backup))
            except CalibrationError as wrong:
                raise CalibrationError(f"change of {of} at depth {one.depth:g}: {wrong}") from wrong
        return tuple(edges)

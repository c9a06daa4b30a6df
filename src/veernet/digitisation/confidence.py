"""Confidence of curves that were followed together, and what puts them in doubt."""

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from veernet.digitisation.decode import Followed
from veernet.digitisation.doubts import ALIKE, COVERED, FAINT, NAMING, NO_INK, NOT_FOUND

_SURE_NAMING, _SCALE = 4.0, 2.0
"""Margin below which another naming of the paths is a reason for doubt, and the margin by which it
is e times less likely, nats."""

_LEAST, _COVERED, _BRIDGED = 0.1, 0.5, 0.3
"""Confidence where there is no ink of the curve at all, where it is covered, and where it is
bridged."""


def confidence_of(one: Followed) -> Float[ndarray, "w"]:
    """Return the confidence of every column: that of its ink, or of its naming if that is less. A
    curve with n others that nothing tells from it has at most 1 / (n + 1)."""
    ink = _LEAST + (1 - _LEAST) * one.fit
    ink = np.where(one.shown, ink, np.where(one.covered, _COVERED, _BRIDGED))
    naming = 1 / (1 + np.exp(-one.margin / _SCALE))
    sure = np.minimum(np.minimum(ink, naming), 1 / (len(one.twins) + 1))
    return np.where(np.isfinite(one.rows), sure, 0)


def reasons_of(one: Followed) -> Int[ndarray, "w"]:
    """Return what puts every column in doubt, if anything does, as a number of `REASONS`."""
    doubts = [np.isnan(one.rows), one.margin < _SURE_NAMING, one.covered, ~one.shown]
    reasons = np.select(doubts, [NOT_FOUND, NAMING, COVERED, NO_INK], FAINT)
    return np.where((reasons != NOT_FOUND) & bool(one.twins), ALIKE, reasons)

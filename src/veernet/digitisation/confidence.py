"""Confidence of a reading: the probability that a value is this curve's, within 2 % of the track's
width."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from veernet.digitisation.decode import Followed
from veernet.digitisation.ink import TrackInk

Reason = Literal["", "not found", "no ink", "covered", "crossing", "alike", "faint"]

REASONS: tuple[Reason, ...] = ("", "not found", "no ink", "covered", "crossing", "alike", "faint")


def confidence_of(one: Followed, ink: TrackInk) -> Float[ndarray, "w"]:
    """Return the confidence of every column."""
    sure = np.minimum(0.1 + 0.9 * one.fit, 1 / (1 + np.exp(-one.margin / 2)))
    return np.where(np.isfinite(one.rows), sure, 0) * (0.5 if one.twins else 1)


def reasons_of(one: Followed) -> Int[ndarray, "w"]:
    """Return why a column is in doubt, as a number of `REASONS`."""
    return np.select(
        [
            np.isnan(one.rows),
            bool(one.twins) & (one.left == 0),
            one.margin < 3,
            one.covered,
            ~one.shown,
        ],
        [1, 5, 4, 3, 2],
        6,
    )

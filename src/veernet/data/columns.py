"""Curves as one row a column, with gaps."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray


def polylines(rows: Float[ndarray, "w"]) -> list[Float[ndarray, "_ 2"]]:
    """The (x, y) points of every unbroken stretch of a curve; NaN breaks it."""
    x = np.flatnonzero(np.isfinite(rows))
    stretches = np.split(x, np.flatnonzero(np.diff(x) > 1) + 1)
    return [np.stack([part, rows[part]], axis=1) for part in stretches if len(part)]

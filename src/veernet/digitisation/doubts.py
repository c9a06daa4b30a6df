"""Doubtful stretches of a curve: from where to where, and why."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

DOUBTFUL = 0.9
"""Confidence below which a column is in doubt."""

APART = 20
"""Longest run of columns without doubt between two stretches that are told as one."""

SHORTEST = 3
"""Fewest columns in doubt that are told."""

NOT_FOUND, NO_INK, COVERED, NAMING, ALIKE, FAINT = range(1, 7)

REASONS = {
    NOT_FOUND: "not found",
    NO_INK: "bridged without ink",
    COVERED: "covered by another curve",
    NAMING: "another curve may be the one",
    ALIKE: "nothing tells it from another curve",
    FAINT: "doubtful ink",
}
"""Reasons for doubt, by number."""


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """Depths over which a curve is in doubt, and the reason of most of them."""

    first: float
    """Shallowest depth, in the unit of the calibration."""
    last: float
    """Deepest depth."""
    why: str


def doubts_of(
    depth: Float[ndarray, "w"], doubtful: Bool[ndarray, "w"], reasons: Int[ndarray, "w"]
) -> tuple[Doubt, ...]:
    """List the doubtful stretches of a curve, from the shallowest.

    Args:
        reasons: what would put each column in doubt, as numbers of `REASONS`.
    """
    columns = np.flatnonzero(doubtful)
    found = list[Doubt]()
    for part in np.split(columns, np.flatnonzero(np.diff(columns) > APART) + 1):
        if len(part) >= SHORTEST:
            most = int(np.bincount(reasons[part]).argmax())
            first, last = float(depth[part[0]]), float(depth[part[-1]])
            found.append(Doubt(first=first, last=last, why=REASONS[most]))
    return tuple(found)

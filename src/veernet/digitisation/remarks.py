"""Remarks on what was not found on a scan, or is in doubt."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from veernet.digitisation.propose import Proposal

MOST_PLACES = 4
"""Most places that are named for one remark."""

UNEVEN = 0.015
"""Share by which lines may lie closer together, or further apart, than over their section."""

_STRETCH = 20


def remarks_on(found: Proposal, across: Callable[[float], float]) -> list[str]:
    """Say what a reader of the scan should look at, each in a sentence.

    Args:
        found: tracks and depth lines.
        across: converts a column of `found` to a pixel across the scan as it lies.
    """
    return [*_on_tracks(found, across), *_on_lines(found)]


def _on_tracks(found: Proposal, across: Callable[[float], float]) -> Iterator[str]:
    def between(left: int, right: int) -> str:
        return "from {:.0f} to {:.0f} px across".format(*sorted((across(left), across(right))))

    if found.depth_column is None:
        yield (
            "no depth column was found: there is no row of numbers beside the tracks or between "
            "them"
        )
    for left, right in found.unruled:
        yield (
            f"{between(left, right)} there is print all along, and no depth lines: if it is a "
            "track, add it to the file by hand"
        )
    for number, ((_, right), (left, _)) in enumerate(pairwise(found.tracks), start=1):
        if left == right:
            yield (
                f"tracks {number} and {number + 1} share an edge at {across(left):.0f} px across; "
                f"if the scale of a curve goes over both, say --join {number}"
            )
    for column in found.doubtful:
        (number,) = [n for n, (a, b) in enumerate(found.tracks, start=1) if a < column < b]
        yield (
            f"track {number} may be two tracks that share an edge at {across(column):.0f} px "
            f"across; if it is, say --split {across(column):.0f}"
        )


def _on_lines(found: Proposal) -> Iterator[str]:
    rows, sections = found.line_rows(), found.sections()
    if len(sections) > 1:
        parts = [
            f"{rows[one][0]:.0f} to {rows[one][-1]:.0f} px ({_spacing(found, one):.2f} px apart)"
            for one in sections
        ]
        yield (
            f"the depth lines make {len(parts)} sections, {_listed(parts)}; lines are counted "
            "within the section of a tie"
        )
    steps = np.diff(found.steps)
    gaps = np.flatnonzero(steps > 1)
    if len(gaps):
        places = [f"{steps[at] - 1} from {rows[at]:.0f} to {rows[at + 1]:.0f} px" for at in gaps]
        yield f"{int((steps[gaps] - 1).sum())} depth lines were not found: {_listed(places)}"
    uneven = [place for one in sections for place in _uneven(found, one)]
    if uneven:
        yield f"depth lines are not evenly spaced: {_listed(uneven)}"


def _uneven(found: Proposal, section: slice) -> Iterator[str]:
    """Yield the stretches of a section whose spacing is another one."""
    rows, steps = found.line_rows()[section], found.steps[section]
    usual = _spacing(found, section)
    for first in range(0, len(rows) - _STRETCH, _STRETCH):
        part = slice(first, first + _STRETCH + 1)
        pace = float(np.polyfit(steps[part], rows[part], 1)[0])
        if abs(pace - usual) > max(UNEVEN * usual, 2 / _STRETCH):
            yield (
                f"{pace:.2f} px apart from {rows[part][0]:.0f} to {rows[part][-1]:.0f} px, where "
                f"the section has {usual:.2f} px"
            )


def _spacing(found: Proposal, section: slice) -> float:
    rows, steps = found.line_rows()[section], found.steps[section]
    return float((rows[-1] - rows[0]) / steps[-1])


def _listed(places: list[str]) -> str:
    """List the first places, and say how many more there are."""
    more = len(places) - MOST_PLACES
    shown = places if more <= 1 else [*places[:MOST_PLACES], f"{more} more"]
    return ", ".join(shown[:-1]) + " and " + shown[-1] if len(shown) > 1 else shown[0]

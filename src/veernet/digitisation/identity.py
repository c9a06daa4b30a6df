"""Identity of curves: which path is which curve, piece by piece between their contacts.

Where two paths touch, the ink does not say which of them leaves on which side. Between contacts
they are kept or exchanged, all pieces together, by what is known: how each curve looks, which its
points are, and that a pen goes on as it came.
"""

from dataclasses import dataclass
from itertools import combinations, pairwise

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from veernet.curves.together import Evidence
from veernet.digitisation.asked import Asked
from veernet.digitisation.beyond import runs_of
from veernet.digitisation.ink import TrackInk
from veernet.digitisation.looks import (
    Look,
    LookMaps,
    look_along,
    look_maps,
    look_told,
    mean_look,
    misfit,
)

SURE = 20.0
"""Margin of a path that never touches another one, nats."""

_ROUNDS = 2
"""Times that all pairs are gone through: a third curve may have taken a part of one."""

_TURNS = 4
"""Most times that looks are measured anew after an exchange."""

_LOOKS, _SCORES = 0.5, 0.1
"""Weights of looks and of scores, whose pixels do not say anything of their own."""

_POINT = 40.0
"""Most that a point says, nats."""

_BEFORE, _MOST_OFF, _SLOPE = 10, 25.0, 8.0
"""Columns over which a direction is measured, farthest that a path counts as off it, px, and weight
of a difference of slopes, px."""

_NEAREST = 3.0
"""Columns from a contact at which a direction weighs e times less."""

_OFF, _MOST_TURN, _LONG = 6.0, 4.0, 20.0
"""Distance off its direction that a path keeps in e times less cases, px; most that it says, nats;
and length of a contact over which it says half, px."""

Piece = tuple[int, int]
"""First column of a piece and the one after its last."""


@dataclass(frozen=True, kw_only=True)
class Identified:
    """Rows of K curves as printed, and by how many nats the best other naming is worse."""

    rows: Int[ndarray, "K w"]
    margin: Float[ndarray, "K w"]


def identify(
    ink: TrackInk,
    evidence: Evidence,
    rows: Int[ndarray, "K w"],
    curves: tuple[Asked, ...],
) -> Identified:
    """Name the paths of a track.

    Args:
        rows: rows at which the paths are printed; -1 or h where they have left the track.
    """
    maps = look_maps(ink)
    told = [look_told(curve, ink) for curve in curves]
    rows = rows.copy()
    margin = np.full(rows.shape, SURE)
    for _ in range(_ROUNDS):
        margin[:] = SURE
        for i, j in combinations(range(len(curves)), 2):
            pair = _Pair.of(maps, evidence, rows, curves, (i, j))
            if not pair.pieces:
                continue
            exchanged, sure = pair.name(told[i], told[j])
            changed = pair.spread(exchanged)
            rows[i], rows[j] = (
                np.where(changed, rows[j], rows[i]),
                np.where(changed, rows[i], rows[j]),
            )
            margin[[i, j]] = np.minimum(margin[[i, j]], pair.spread(sure))
    return Identified(rows=rows, margin=margin)


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """Two paths, cut into pieces at their contacts.

    looks: of the first and of the second path, per piece
    kept:  what speaks for keeping each piece, nats, looks aside
    same:  what speaks for going on alike over each contact
    """

    pieces: list[Piece]
    width: int
    looks: tuple[list[Look], list[Look]]
    kept: Float[ndarray, "n"]
    same: Float[ndarray, "m"]

    @classmethod
    def of(
        cls,
        maps: LookMaps,
        evidence: Evidence,
        rows: Int[ndarray, "K w"],
        curves: tuple[Asked, ...],
        numbers: tuple[int, int],
    ) -> "_Pair":
        i, j = numbers
        a, b = rows[i], rows[j]
        pieces = pieces_of(a, b, evidence.score.shape[1], evidence.reach)
        scores = _advantage(evidence, a, b, numbers)
        kept = [_SCORES * float(scores[first:stop].sum()) for first, stop in pieces]
        for curve, own, other in ((curves[i], a, b), (curves[j], b, a)):
            for column, row in curve.points:
                for q, (first, stop) in enumerate(pieces):
                    if first <= column < stop:
                        nearer = abs(other[column] - row) - abs(own[column] - row)
                        kept[q] += float(np.clip(nearer / 2, -_POINT, _POINT))
        return cls(
            pieces=pieces,
            width=len(a),
            looks=(
                [look_along(maps, a, *piece) for piece in pieces],
                [look_along(maps, b, *piece) for piece in pieces],
            ),
            kept=np.array(kept),
            same=np.array([_goes_on(a, b, *contact) for contact in pairwise(pieces)]),
        )

    def name(self, told: Look, other: Look) -> tuple[Bool[ndarray, "n"], Float[ndarray, "n"]]:
        """Return which pieces to exchange, and by how much each is better so."""
        longest = int(np.argmax([stop - first for first, stop in self.pieces]))
        a, b = (looks[longest] for looks in self.looks)
        if self.kept[longest] < _against(a, b, told, other):
            a, b = b, a
        means = mean_look(told, [a]), mean_look(other, [b])
        exchanged = margin = np.zeros(len(self.pieces))
        for _ in range(_TURNS):
            looks = zip(*self.looks, strict=True)
            against = np.array([_against(one, two, *means) for one, two in looks])
            margin = _best_naming(self.kept - _LOOKS * against, self.same)
            if ((margin < 0) == exchanged).all():
                break
            exchanged = margin < 0
            first, second = (
                [two if change else one for one, two, change in zip(*looks, exchanged, strict=True)]
                for looks in (self.looks, self.looks[::-1])
            )
            means = mean_look(told, first), mean_look(other, second)
        return margin < 0, abs(margin)

    def spread(self, of_pieces: ndarray) -> ndarray:
        """Return the value of each column: of its piece, and half-way into the contacts."""
        middles = [(stop + first) // 2 for (_, stop), (first, _) in pairwise(self.pieces)]
        return np.repeat(of_pieces, np.diff([0, *middles, self.width]))


def pieces_of(a: Int[ndarray, "w"], b: Int[ndarray, "w"], h: int, reach: float) -> list[Piece]:
    """Return the stretches in which two paths are apart, and one of them at least on the track."""
    outside = ((a < 0) & (b < 0)) | ((a >= h) & (b >= h))
    near = ((np.abs(a - b) <= reach) | outside).astype(np.uint8)[None]
    near = cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((1, 5), np.uint8))[0]
    return [(first, stop) for first, stop in runs_of(near == 0).tolist()]


def _advantage(
    evidence: Evidence, a: Int[ndarray, "w"], b: Int[ndarray, "w"], numbers: tuple[int, int]
) -> Float[ndarray, "w"]:
    """Return what two curves score more as they are than exchanged, per column."""
    h, columns = evidence.score.shape[1], np.arange(len(a), dtype=np.intp)
    (one, two) = (evidence.score[k] for k in numbers)
    at_a, at_b = a.clip(0, h - 1), b.clip(0, h - 1)
    gain = one[at_a, columns] + two[at_b, columns] - one[at_b, columns] - two[at_a, columns]
    inside = (a >= 0) & (a < h) & (b >= 0) & (b < h)
    return np.where(inside, gain, 0)


def _against(a: Look, b: Look, first: Look, second: Look) -> float:
    """Return by how much two looks fit two curves worse as they are than exchanged, nats."""
    return misfit(a, first) + misfit(b, second) - misfit(b, first) - misfit(a, second)


def _goes_on(a: Int[ndarray, "w"], b: Int[ndarray, "w"], before: Piece, after: Piece) -> float:
    """Return how much the directions of two paths before and after a contact say that both go on
    as they came, nats; negative if they change over."""
    middle = (before[1] + after[0] - 1) / 2
    (at_a, way_a), (at_b, way_b) = (
        _line(path, max(before[0], before[1] - _BEFORE), before[1], middle) for path in (a, b)
    )
    (to_a, then_a), (to_b, then_b) = (
        _line(path, after[0], min(after[1], after[0] + _BEFORE), middle) for path in (a, b)
    )

    def off(*differences: float) -> float:
        return sum(min(abs(one), _MOST_OFF) for one in differences)

    straight = off(at_a - to_a, at_b - to_b)
    straight += off(_SLOPE * (way_a - then_a), _SLOPE * (way_b - then_b))
    across = off(at_a - to_b, at_b - to_a)
    across += off(_SLOPE * (way_a - then_b), _SLOPE * (way_b - then_a))
    says = float(np.clip((across - straight) / _OFF, -_MOST_TURN, _MOST_TURN))
    return says / (1 + (after[0] - before[1]) / _LONG)


def _line(rows: Int[ndarray, "w"], first: int, stop: int, at: float) -> tuple[float, float]:
    """Fit a line to a part of a path: its row at a column, and its slope."""
    if stop - first < 3:
        return float(rows[first:stop].mean()), 0.0
    x = np.arange(first, stop) - at
    weight = np.exp(-((np.abs(x) - np.abs(x).min()) / _NEAREST))
    slope, row = np.polyfit(x, rows[first:stop], 1, w=weight)
    return float(row), float(slope)


def _best_naming(kept: Float[ndarray, "n"], same: Float[ndarray, "m"]) -> Float[ndarray, "n"]:
    """Return by how much the best naming of all pieces that keeps each one is better than the best
    that exchanges it: differences of max-marginals of a chain of two states."""
    n = len(kept)
    forward, backward = np.zeros(n), np.zeros(n)

    def passed(difference: float, says: float) -> float:
        """Pass the difference between keeping and exchanging over a contact."""
        return max(difference + says, 0.0) - max(difference, says)

    for q in range(1, n):
        forward[q] = passed(forward[q - 1] + kept[q - 1], float(same[q - 1]))
    for q in range(n - 2, -1, -1):
        backward[q] = passed(backward[q + 1] + kept[q + 1], float(same[q]))
    return kept + forward + backward

"""Several curves of one track, followed together: paths that share ink only where they must.

Each curve k has a score at every pixel, high where it may be printed, and a cost of moving across
rows. Paths closer than `reach` claim the same ink. In every column the ink is given to the owners,
no two of which are that close; a curve that owns none lies under one that does, and scores its
`covered` there, whatever can be seen:

    F = sum over columns of max over owners of [sum of scores of owners + sum of covered of others]
        - cost of the moves of all paths

Covered columns cost less than paper and give less than ink of one's own: a curve may cross another
one or run under it, and does not follow it where it has ink elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from veernet.curves.trace import best_path

MOST_STARTS = 4
"""Most orders of the curves from which paths are sought."""

MOST_SWEEPS = 6
"""Most times that every path is sought anew given the others."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Evidence for the K curves of one track.

    score:     score of the centre of each curve at every pixel
    step_cost: cost of moving to the next row, the mean of the two; may be negative
    covered:   score of a curve where another one owns the ink
    """

    score: Float[ndarray, "K h w"]
    step_cost: Float[ndarray, "K h w"]
    covered: Float[ndarray, "K"]
    reach: float
    """Distance up to which two paths claim the same ink, px."""


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Paths of K curves, the sum that they reach, and where they own no ink."""

    rows: Int[ndarray, "K w"]
    total: float
    covered: Bool[ndarray, "K w"]


def follow_together(evidence: Evidence) -> Paths:
    """Find paths of all curves that make F great.

    Exact for one curve. For several, each path is sought exactly given the others, until nothing
    gains; from several orders of the curves, of which the best result is kept. The orders follow
    from the evidence, so that the order in which curves are given means nothing.
    """
    k, w = len(evidence.score), evidence.score.shape[2]
    alone = np.stack(
        [_best_given(evidence, one, np.zeros((k, w), np.intp), []) for one in range(k)]
    )
    sums = [rate(_of(evidence, one), alone[one : one + 1]).total for one in range(k)]
    clearest = sorted(range(k), key=lambda one: -sums[one])
    found = [_from_order(evidence, [clearest[i] for i in order]) for order in _orders(k)]
    return max(found, key=lambda one: one.total)


def _of(evidence: Evidence, one: int) -> Evidence:
    """Evidence for one of the curves alone."""
    part = slice(one, one + 1)
    return Evidence(
        score=evidence.score[part],
        step_cost=evidence.step_cost[part],
        covered=evidence.covered[part],
        reach=evidence.reach,
    )


def _orders(k: int) -> list[tuple[int, ...]]:
    """Return orders in which curves are placed: all up to three curves, `MOST_STARTS` of more."""
    every = list(permutations(range(k)))
    return every if k <= 3 else every[:: len(every) // MOST_STARTS][:MOST_STARTS]


def _from_order(evidence: Evidence, order: Sequence[int]) -> Paths:
    """Place one curve after the other, then seek each anew given all others while that gains."""
    k, w = len(evidence.score), evidence.score.shape[2]
    rows, placed = np.zeros((k, w), np.intp), list[int]()
    for one in order:
        rows[one] = _best_given(evidence, one, rows, placed)
        placed.append(one)
    best = rate(evidence, rows)
    for _ in range(MOST_SWEEPS if k > 1 else 0):
        before = best.total
        for one in order:
            tried = best.rows.copy()
            tried[one] = _best_given(evidence, one, tried, [j for j in order if j != one])
            best = max(best, rate(evidence, tried), key=lambda found: found.total)
        if best.total <= before + 1e-6 * abs(before):
            break
    return best


def _best_given(
    evidence: Evidence, one: int, rows: Int[ndarray, "K w"], others: Sequence[int]
) -> Int[ndarray, "w"]:
    """Find the best path of one curve given the paths of others: where it comes close to an owner,
    it is covered, or takes the ink over."""
    score = evidence.score[one].copy()
    if others:
        _, h, w = evidence.score.shape
        placed = rows[[*others]]
        own = owners(
            _scores_at(evidence, placed, others),
            evidence.covered[[*others]],
            placed,
            evidence.reach,
        )
        given_up = np.zeros((h, w), np.float32)
        near = np.zeros((h, w), np.bool_)
        y = np.arange(h)[:, None]
        for j, path, owns in zip(others, placed, own, strict=True):
            close = (np.abs(y - path) <= evidence.reach) & owns
            lost = evidence.covered[j] - evidence.score[j][path, np.arange(w)]
            given_up += np.where(close, lost, 0)
            near |= close
        score = np.where(near, np.maximum(score + given_up, evidence.covered[one]), score)
    return best_path(score, evidence.step_cost[one])


def _scores_at(
    evidence: Evidence, rows: Int[ndarray, "k w"], curves: Sequence[int]
) -> Float[ndarray, "k w"]:
    """Scores of curves along their paths."""
    columns = np.arange(rows.shape[1])
    return np.stack(
        [evidence.score[j][path, columns] for j, path in zip(curves, rows, strict=True)]
    )


def rate(evidence: Evidence, rows: Int[ndarray, "K w"]) -> Paths:
    """Compute F for given paths, and which of them own no ink in which columns."""
    k = len(rows)
    scores = _scores_at(evidence, rows, range(k))
    own = owners(scores, evidence.covered, rows, evidence.reach)
    total = float(np.where(own, scores, evidence.covered[:, None]).sum(dtype=np.float64))
    for cost, path in zip(evidence.step_cost, rows, strict=True):
        total -= _cost_of_moves(cost, path)
    return Paths(rows=rows, total=total, covered=~own)


def _cost_of_moves(step_cost: Float[ndarray, "h w"], path: Int[ndarray, "w"]) -> float:
    """Cost of the moves of a path; a move lies in the later of its two columns."""
    ramp = np.zeros(step_cost.shape, np.float64)
    np.cumsum((step_cost[1:] + step_cost[:-1]) / 2, axis=0, out=ramp[1:])
    columns = np.arange(1, len(path))
    moves = ramp[path[1:], columns] - ramp[path[:-1], columns]
    return float((moves * np.sign(path[1:] - path[:-1])).sum())


def owners(
    scores: Float[ndarray, "K w"],
    covered: Float[ndarray, "K"],
    rows: Int[ndarray, "K w"],
    reach: float,
) -> Bool[ndarray, "K w"]:
    """Choose the owners of the ink in every column: no two within `reach`, every other curve within
    `reach` of one, and the sum of scores greatest.

    From the lowest row to the highest, an owner follows another one if all curves between the two
    are close to either: the best chain is found by dynamic programming.
    """
    k, w = rows.shape
    order = np.argsort(rows, axis=0, kind="stable")
    y, columns = np.take_along_axis(rows, order, 0).astype(float), np.arange(w)
    gain = np.take_along_axis(scores - covered[:, None], order, 0)
    best, before = np.full((k, w), -np.inf), np.full((k, w), -1)
    for i in range(k):
        best[i] = np.where(y[i] - y[0] <= reach, gain[i], -np.inf)
        for j in range(i):
            between = y[j + 1 : i]
            joined = ((between - y[j] <= reach) | (y[i] - between <= reach)).all(0)
            better = joined & (y[i] - y[j] > reach) & (best[j] + gain[i] > best[i])
            best[i], before[i] = (
                np.where(better, best[j] + gain[i], best[i]),
                np.where(better, j, before[i]),
            )
    last = np.where(y[-1] - y <= reach, best, -np.inf).argmax(0)
    chosen = np.zeros((k, w), np.bool_)
    while (there := last >= 0).any():
        chosen[last[there], columns[there]] = True
        last = np.where(there, before[last, columns], -1)
    own = np.zeros((k, w), np.bool_)
    np.put_along_axis(own, order, chosen, 0)
    return own

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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from veernet.curves.trace import best_paths

MOST_SWEEPS = 4
"""Most times that all paths are sought anew given the others."""


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

    Exact for one curve, and for curves whose best paths never come close. Where they do, each
    curve gives way to those that are clearer, and is sought anew given all others while that
    gains; for two and three curves from every order of clearness. The order in which curves are
    given means nothing.
    """
    k = len(evidence.score)
    alone = rate(evidence, best_paths(evidence.score, evidence.step_cost))
    if not alone.covered.any():
        return alone
    scores = _scores_at(evidence, alone.rows).sum(1)
    clearest = sorted(range(k), key=lambda one: -scores[one])
    orders = permutations(clearest) if k <= 3 else [tuple(clearest)]
    return max((_in_order(evidence, alone, order) for order in orders), key=lambda one: one.total)


def _in_order(evidence: Evidence, alone: Paths, order: Sequence[int]) -> Paths:
    """Let every curve give way to those before it in an order, then seek all anew given the others
    while that gains."""
    rows = _given(evidence, alone.rows, {one: order[:i] for i, one in enumerate(order)})
    best = max(alone, rate(evidence, rows), key=lambda found: found.total)
    for _ in range(MOST_SWEEPS):
        before = best.total
        rows = _given(evidence, best.rows, {i: [j for j in order if j != i] for i in order})
        for one in order:
            tried = best.rows.copy()
            tried[one] = rows[one]
            best = max(best, rate(evidence, tried), key=lambda found: found.total)
        for pair in combinations(order, 2):
            tried = _braided(evidence, best.rows, pair)
            best = max(best, rate(evidence, tried), key=lambda found: found.total)
        if best.total <= before:
            break
    return best


def _braided(
    evidence: Evidence, rows: Int[ndarray, "K w"], pair: tuple[int, int]
) -> Int[ndarray, "K w"]:
    """Exchange two paths over the columns in which F gains by it, its sharing of ink aside: the
    best of all ways to exchange them, by dynamic programming over two states."""
    a, b = rows[[*pair]]
    found, columns = rows.copy(), np.arange(rows.shape[1], dtype=np.intp)
    kept, changed = (
        sum(evidence.score[k][path, columns] for k, path in zip(pair, paths, strict=True))
        for paths in ((a, b), (b, a))
    )
    ramps = [_ramp(evidence.step_cost[k]) for k in pair]

    def cost(first: Int[ndarray, "w"], second: Int[ndarray, "w"], k: int) -> Float[ndarray, "_"]:
        """Cost of the moves of curve k from one path to another, in every column but the first."""
        start, end = first[:-1], second[1:]
        return (ramps[k][end, columns[1:]] - ramps[k][start, columns[1:]]) * np.sign(end - start)

    stay = cost(a, a, 0) + cost(b, b, 1), cost(b, b, 0) + cost(a, a, 1)
    swap = cost(a, b, 0) + cost(b, a, 1), cost(b, a, 0) + cost(a, b, 1)
    exchanged = _two_states(np.stack([kept, changed]), np.stack(stay), np.stack(swap))
    found[pair[0]], found[pair[1]] = np.where(exchanged, b, a), np.where(exchanged, a, b)
    return found


def _two_states(
    score: Float[ndarray, "2 w"], stay: Float[ndarray, "2 n"], swap: Float[ndarray, "2 n"]
) -> Bool[ndarray, "w"]:
    """Find the best sequence of two states; `stay` and `swap` cost a step from state 0 and 1."""
    n, (zero, one) = score.shape[1], (float(score[0, 0]), float(score[1, 0]))
    came = np.zeros((2, n), np.bool_)
    steps = zip(score[:, 1:].T.tolist(), stay.T.tolist(), swap.T.tolist(), strict=True)
    for x, (here, same, other) in enumerate(steps, start=1):
        to_zero, to_one = (zero - same[0], one - other[1]), (one - same[1], zero - other[0])
        came[0, x], came[1, x] = to_zero[1] > to_zero[0], to_one[0] >= to_one[1]
        zero, one = max(to_zero) + here[0], max(to_one) + here[1]
    state, found = one > zero, np.zeros(n, np.bool_)
    for x in range(n - 1, -1, -1):
        found[x] = state
        state = came[int(state), x]
    return found


def _given(
    evidence: Evidence, rows: Int[ndarray, "K w"], others: Mapping[int, Sequence[int]]
) -> Int[ndarray, "K w"]:
    """Find the best path of every curve given the paths of some others: where it comes close to an
    owner of ink, it is covered, or takes the ink over."""
    score = evidence.score.copy()
    y, gain = (
        np.arange(score.shape[1], dtype=np.intp)[:, None],
        evidence.covered[:, None] - _scores_at(evidence, rows),
    )
    for one, some in others.items():
        if some:
            some = [*some]
            own = owners(-gain[some], rows[some], evidence.reach)
            near, given_up = (
                np.zeros(score.shape[1:], np.bool_),
                np.zeros(score.shape[1:], np.float32),
            )
            for j, owns in zip(some, own, strict=True):
                close = (np.abs(y - rows[j]) <= evidence.reach) & owns
                given_up += np.where(close, gain[j], 0)
                near |= close
            hidden = np.maximum(score[one] + given_up, evidence.covered[one])
            score[one] = np.where(near, hidden, score[one])
    return best_paths(score, evidence.step_cost)


def _scores_at(evidence: Evidence, rows: Int[ndarray, "K w"]) -> Float[ndarray, "K w"]:
    """Scores of all curves along their paths."""
    return np.take_along_axis(evidence.score, rows[:, None], 1)[:, 0]


def rate(evidence: Evidence, rows: Int[ndarray, "K w"]) -> Paths:
    """Compute F for given paths, and which of them own no ink in which columns."""
    scores = _scores_at(evidence, rows)
    own = owners(scores - evidence.covered[:, None], rows, evidence.reach)
    total = float(np.where(own, scores, evidence.covered[:, None]).sum(dtype=np.float64))
    for cost, path in zip(evidence.step_cost, rows, strict=True):
        total -= _cost_of_moves(cost, path)
    return Paths(rows=rows, total=total, covered=~own)


def _cost_of_moves(step_cost: Float[ndarray, "h w"], path: Int[ndarray, "w"]) -> float:
    """Cost of the moves of a path; a move lies in the later of its two columns."""
    ramp, columns = _ramp(step_cost), np.arange(1, len(path))
    moves = ramp[path[1:], columns] - ramp[path[:-1], columns]
    return float((moves * np.sign(path[1:] - path[:-1])).sum())


def _ramp(step_cost: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """Cost of moving from the first row to each row, in every column."""
    ramp = np.zeros(step_cost.shape, np.float64)
    np.cumsum((step_cost[1:] + step_cost[:-1]) / 2, axis=0, out=ramp[1:])
    return ramp


def owners(
    gain: Float[ndarray, "K w"], rows: Int[ndarray, "K w"], reach: float
) -> Bool[ndarray, "K w"]:
    """Choose the owners of the ink in every column: no two within `reach`, every other curve within
    `reach` of one, and the sum of their `gain`, which is what a curve scores above being covered,
    greatest.

    From the lowest row to the highest, an owner follows another one if all curves between the two
    are close to either: the best chain is found by dynamic programming.
    """
    k, w = rows.shape
    order = np.argsort(rows, axis=0, kind="stable")
    y, columns = np.take_along_axis(rows, order, 0).astype(float), np.arange(w, dtype=np.intp)
    gain = np.take_along_axis(gain, order, 0)
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

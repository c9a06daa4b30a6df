"""Several curves of one track, followed together: paths that share ink only where they must.

Each curve k has a score at every pixel, high where it may be printed, and a cost of moving across
rows. Paths closer than `reach` claim the same ink. In every column the ink is given to the owners,
no two of which are that close; a curve that owns none lies under one that does, and scores its
`covered` there, whatever can be seen:

    F = sum over columns of max over owners of [sum of scores of owners + sum of covered of others]
        - cost of the moves of all paths

Covered columns cost less than paper and give less than ink of one's own: a curve may cross another
one or run under it, and does not follow it where it has ink elsewhere. A move along ink gains
nothing where another path moves along it too.

A curve that goes round is followed on the track unrolled: copies of it, one per lap, joined at the
edges. Its rows go on beyond the edges; -1 and h are rows of the neighbouring laps. Any other curve
may leave the track where `beyond` says what a column costs there; its rows are then -1 or h.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, permutations

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from veernet.curves.sharing import best_states, owners
from veernet.curves.trace import WRAP_COST, best_paths

MOST_SWEEPS = 4
"""Most times that all paths are sought anew given the others."""

MOST_ORDERED = 3
"""Most curves for which every order of giving way is tried, on pictures up to `SHORT` columns."""

SHORT = 64
"""Columns of a picture up to which every order is tried; on longer ones contacts are many, and one
order after clearness does."""

_CHUNK = 2048
"""Columns in which the cost of moves is summed at a time."""

_ALL = slice(None)

_FAR = 1 << 20
"""Printed row of a curve that has left the track: close to no other."""


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
    laps: tuple[tuple[int, int], ...] = ()
    """Times that each curve may go round at the upper and at the lower edge; none if empty."""
    beyond: float | None = None
    """Score per column of a curve that has left the track; None if none may."""
    leaving: Float[ndarray, "K 2 w"] | None = None
    """Cost of leaving at the upper and at the lower edge in each column, and of coming back."""

    @cached_property
    def courses(self) -> "tuple[_Course, ...]":
        """Rows in which each curve is followed."""
        k, h, _ = self.score.shape
        leaving = [None] * k if self.leaving is None else self.leaving
        return tuple(
            _Course(h=h, laps=laps, beyond=self.beyond, leaving=cost)
            for laps, cost in zip(self.laps or [(0, 0)] * k, leaving, strict=True)
        )


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Paths of K curves, the sum that they reach, and where they own no ink.

    rows:    unrolled, relative to the upper edge
    printed: rows at which they are printed; far outside the track where they have left it
    """

    rows: Int[ndarray, "K w"]
    printed: Int[ndarray, "K w"]
    total: float
    covered: Bool[ndarray, "K w"]


@dataclass(frozen=True, kw_only=True)
class _Course:
    """Rows in which one curve is followed, and where each is printed."""

    h: int
    laps: tuple[int, int]
    beyond: float | None
    leaving: Float[ndarray, "2 w"] | None
    first: int = field(init=False)
    printed: Int[ndarray, "n"] = field(init=False)
    cost: Float[ndarray, "n"] = field(init=False)

    def __post_init__(self) -> None:
        up, down = self.laps
        period, leaves = self.h - 1, self.laps == (0, 0) and self.beyond is not None
        first = -1 if leaves else -up * period
        rows = np.arange(first, self.h + 1 if leaves else (down + 1) * period + 1)
        lap = np.clip(-(rows // period), -down, up) if self.goes_round else np.zeros_like(rows)
        printed = rows + lap * period
        printed[printed < 0], printed[printed > period] = -_FAR, _FAR
        for name, value in (("first", first), ("printed", printed), ("cost", WRAP_COST * abs(lap))):
            object.__setattr__(self, name, value)

    @property
    def goes_round(self) -> bool:
        return self.laps != (0, 0)

    @property
    def outside(self) -> Bool[ndarray, "n"]:
        return abs(self.printed) == _FAR

    def score(self, score: Float[ndarray, "h w"]) -> Float[ndarray, "n w"]:
        """Lay out the score. At a seam between laps, ink at either edge counts."""
        laid = score[self.printed.clip(0, self.h - 1)] - self.cost[:, None].astype(score.dtype)
        if self.goes_round:
            seam = np.flatnonzero(np.isin(self.printed, (0, self.h - 1)))
            edge = np.maximum(score[0], score[-1])
            laid[seam] = edge - self.cost[seam, None].astype(score.dtype)
        laid[self.outside] = self.beyond or 0
        return laid

    def step_cost(
        self, step_cost: Float[ndarray, "h n"], columns: Int[ndarray, "n"] | slice = _ALL
    ) -> Float[ndarray, "m n"]:
        """Lay out the cost of moves in some columns."""
        laid = step_cost[self.printed.clip(0, self.h - 1)]
        if self.outside.any():
            cost = 0 if self.leaving is None else self.leaving[:, columns]
            laid[self.outside] = 2 * cost - step_cost[[0, -1]]
        return laid

    def score_at(
        self, score: Float[ndarray, "h w"], rows: Int[ndarray, "w"]
    ) -> Float[ndarray, "w"]:
        """Return the score along a path, as laid out."""
        printed, columns = self.place(rows), np.arange(len(rows), dtype=np.intp)
        along = score[printed.clip(0, self.h - 1), columns]
        if self.goes_round:
            seam = (printed == 0) | (printed == self.h - 1)
            along = np.where(seam, np.maximum(score[0], score[-1]), along)
        along = along - self.cost[rows - self.first].astype(score.dtype)
        return np.where(abs(printed) == _FAR, self.beyond or 0, along)

    def cost_of_moves(
        self,
        step_cost: Float[ndarray, "h w"],
        first: Int[ndarray, "_"],
        second: Int[ndarray, "_"],
        swept: "Sequence[_Swept]" = (),
    ) -> Float[ndarray, "_"]:
        """Return the cost of moving from the rows `first` of all columns but the last to the rows
        `second` of the next ones, given what other paths sweep; a move lies in the later of its two
        columns."""
        cost, moved = np.zeros(len(first)), np.flatnonzero(first != second)
        for some in np.split(moved, range(_CHUNK, len(moved), _CHUNK)):
            free = step_cost[:, some + 1]
            for one in swept:
                free = np.where(one.rows(self.h, some + 1), np.maximum(free, 0), free)
            laid = self.step_cost(free, some + 1)
            ramp = np.zeros(laid.shape, np.float64)
            np.cumsum((laid[1:] + laid[:-1]) / 2, axis=0, out=ramp[1:])
            at, columns = (first[some], second[some]), np.arange(len(some), dtype=np.intp)
            start, end = (ramp[rows - self.first, columns] for rows in at)
            cost[some] = (end - start) * np.sign(at[1] - at[0])
        return cost

    def place(self, rows: Int[ndarray, "w"]) -> Int[ndarray, "w"]:
        """Return the rows at which unrolled rows are printed."""
        return self.printed[rows - self.first]


@dataclass(frozen=True, kw_only=True)
class _Swept:
    """Rows that a path sweeps in each column on its way from the last one, and those in reach."""

    first: Float[ndarray, "w"]
    last: Float[ndarray, "w"]

    @classmethod
    def by(cls, printed: Int[ndarray, "w"], h: int, reach: float) -> "_Swept":
        before = np.concatenate([printed[:1], printed[:-1]])
        before = np.where(np.abs(printed - before) < 0.7 * h, before, printed)  # it went round
        return cls(
            first=np.minimum(before, printed) - reach, last=np.maximum(before, printed) + reach
        )

    def rows(self, h: int, columns: Int[ndarray, "n"] | slice) -> Bool[ndarray, "h n"]:
        rows = np.arange(h, dtype=np.intp)[:, None]
        return (rows >= self.first[columns]) & (rows <= self.last[columns])


def follow_together(evidence: Evidence) -> Paths:
    """Find paths of all curves that make F great.

    Exact for one curve, and for curves whose best paths never come close. Where they do, each
    curve gives way to those that are clearer, and is sought anew given all others while that
    gains; on short pictures from every order of clearness. The order in which curves are given
    means nothing.
    """
    k, _, w = evidence.score.shape
    alone = rate(evidence, _best(evidence, evidence.score, evidence.step_cost))
    if not alone.covered.any():
        return alone
    scores = _scores_at(evidence, alone.rows).sum(1)
    clearest = sorted(range(k), key=lambda one: -scores[one])
    every = k <= MOST_ORDERED and w <= SHORT
    orders = permutations(clearest) if every else [tuple(clearest)]
    return max((_in_order(evidence, alone, order) for order in orders), key=lambda one: one.total)


def _in_order(evidence: Evidence, alone: Paths, order: Sequence[int]) -> Paths:
    """Let every curve give way to those before it in an order, then seek all anew given the others
    while that gains."""
    given = _given(evidence, alone, {one: order[:i] for i, one in enumerate(order)})
    rows = _best(evidence, *given)
    best = max(alone, rate(evidence, rows), key=lambda found: found.total)
    for _ in range(MOST_SWEEPS):
        before = best.total
        others = {i: [j for j in order if j != i] for i in order}
        rows = _best(evidence, *_given(evidence, best, others))
        for one in order:
            tried = best.rows.copy()
            tried[one] = rows[one]
            best = max(best, rate(evidence, tried), key=lambda found: found.total)
        for pair in combinations(order, 2):
            if not any(evidence.courses[one].goes_round for one in pair):
                tried = _braided(evidence, best.rows, pair)
                best = max(best, rate(evidence, tried), key=lambda found: found.total)
        if best.total <= before:
            break
    return best


def _best(
    evidence: Evidence, score: Float[ndarray, "K h w"], step_cost: Float[ndarray, "K h w"]
) -> Int[ndarray, "K w"]:
    """Find the best path of every curve for itself; curves of as many rows go through the columns
    together."""
    found = np.empty((len(score), score.shape[2]), np.intp)
    alike = defaultdict[int, list[int]](list)
    for k, course in enumerate(evidence.courses):
        alike[len(course.printed)].append(k)
    for some in alike.values():
        courses = [evidence.courses[k] for k in some]
        paths = best_paths(
            np.stack([one.score(score[k]) for k, one in zip(some, courses, strict=True)]),
            np.stack([one.step_cost(step_cost[k]) for k, one in zip(some, courses, strict=True)]),
        )
        found[some] = paths + np.array([[one.first] for one in courses])
    return found


def _braided(
    evidence: Evidence, rows: Int[ndarray, "K w"], pair: tuple[int, int]
) -> Int[ndarray, "K w"]:
    """Exchange two paths over the columns in which F gains by it, its sharing of ink aside: the
    best of all ways to exchange them, by dynamic programming over two states."""
    a, b = rows[[*pair]]
    found = rows.copy()
    kept, changed = (
        sum(
            evidence.courses[k].score_at(evidence.score[k], path)
            for k, path in zip(pair, paths, strict=True)
        )
        for paths in ((a, b), (b, a))
    )

    def cost(first: Int[ndarray, "w"], second: Int[ndarray, "w"], k: int) -> Float[ndarray, "_"]:
        """Cost of the moves of curve k from one path to another, in every column but the first."""
        course, step_cost = evidence.courses[pair[k]], evidence.step_cost[pair[k]]
        return course.cost_of_moves(step_cost, first[:-1], second[1:])

    stay = cost(a, a, 0) + cost(b, b, 1), cost(b, b, 0) + cost(a, a, 1)
    swap = cost(a, b, 0) + cost(b, a, 1), cost(b, a, 0) + cost(a, b, 1)
    exchanged = best_states(np.stack([kept, changed]), np.stack(stay), np.stack(swap))
    found[pair[0]], found[pair[1]] = np.where(exchanged, b, a), np.where(exchanged, a, b)
    return found


def _given(
    evidence: Evidence, found: Paths, others: Mapping[int, Sequence[int]]
) -> tuple[Float[ndarray, "K h w"], Float[ndarray, "K h w"]]:
    """Return the score and the cost of moves of every curve given the paths of some others: where
    it comes close to an owner of ink, it is covered, or takes the ink over."""
    score, step_cost = evidence.score.copy(), evidence.step_cost.copy()
    h = score.shape[1]
    y = np.arange(h, dtype=np.intp)[:, None]
    gain = evidence.covered[:, None] - _scores_at(evidence, found.rows)
    for one, some in others.items():
        if not some:
            continue
        some = [*some]
        own = owners(-gain[some], found.printed[some], evidence.reach)
        near, given_up = (
            np.zeros(score.shape[1:], np.bool_),
            np.zeros(score.shape[1:], np.float32),
        )
        for j, owns in zip(some, own, strict=True):
            close = (np.abs(y - found.printed[j]) <= evidence.reach) & owns
            given_up += np.where(close, gain[j], 0)
            near |= close
            swept = _Swept.by(found.printed[j], h, evidence.reach).rows(h, _ALL)
            np.maximum(step_cost[one], 0, out=step_cost[one], where=swept)
        hidden = np.maximum(score[one] + given_up, evidence.covered[one])
        score[one] = np.where(near, hidden, score[one])
    return score, step_cost


def _scores_at(evidence: Evidence, rows: Int[ndarray, "K w"]) -> Float[ndarray, "K w"]:
    """Scores of all curves along their paths."""
    every = zip(evidence.courses, evidence.score, rows, strict=True)
    return np.stack([course.score_at(score, path) for course, score, path in every])


def rate(evidence: Evidence, rows: Int[ndarray, "K w"]) -> Paths:
    """Compute F for given paths, and which of them own no ink in which columns."""
    courses = evidence.courses
    printed = np.stack([one.place(path) for one, path in zip(courses, rows, strict=True)])
    scores = _scores_at(evidence, rows)
    own = owners(scores - evidence.covered[:, None], printed, evidence.reach)
    moves = np.empty(len(rows))
    swept = [_Swept.by(one, evidence.score.shape[1], evidence.reach) for one in printed]
    for k, (course, path) in enumerate(zip(courses, rows, strict=True)):
        others = [*swept[:k], *swept[k + 1 :]]
        costs = course.cost_of_moves(evidence.step_cost[k], path[:-1], path[1:], others)
        moves[k] = costs.sum(dtype=np.float64)
    total = np.where(own, scores, evidence.covered[:, None]).sum(dtype=np.float64) - moves.sum()
    return Paths(rows=rows, printed=printed, total=float(total), covered=~own)

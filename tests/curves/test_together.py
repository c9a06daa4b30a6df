"""Curves that are followed together are the best set of paths, up to a small gap."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veernet.curves.sharing import owners
from veernet.curves.together import Evidence, follow_together, rate
from veernet.curves.trace import best_path

seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int, k: int, h: int, w: int, reach: float = 1.0) -> Evidence:
    rng = np.random.default_rng(seed)
    return Evidence(
        score=rng.normal(0, 2, (k, h, w)).astype(np.float32),
        step_cost=rng.uniform(0, 1.5, (k, h, w)).astype(np.float32),
        covered=rng.uniform(-1.5, -0.5, k),
        reach=reach,
    )


def sum_of_column(scores, covered, rows, reach) -> float:
    """F of one column by trying every set of owners."""
    best = -np.inf
    for chosen in product((False, True), repeat=len(rows)):
        own = np.flatnonzero(chosen)
        apart = all(abs(rows[a] - rows[b]) > reach for a in own for b in own if a < b)
        near = all(
            any(abs(rows[j] - rows[a]) <= reach for a in own)
            for j in range(len(rows))
            if not chosen[j]
        )
        if apart and near:
            best = max(best, sum(np.where(chosen, scores, covered)))
    return best


@settings(max_examples=60)
@given(seeds, st.integers(1, 5), st.integers(0, 4))
def test_the_owners_are_the_best_that_can_be_chosen(seed, k, reach):
    rng = np.random.default_rng(seed)
    rows, scores = rng.integers(0, 12, (k, 9)), rng.normal(0, 2, (k, 9))
    covered = rng.uniform(-1, 0, k)
    own = owners(scores - covered[:, None], rows, float(reach))
    found = np.where(own, scores, covered[:, None]).sum(0)
    for x in range(9):
        expected = sum_of_column(scores[:, x], covered, rows[:, x], reach)
        assert found[x] == pytest.approx(expected)


def optimum(evidence: Evidence) -> float:
    """Greatest F over all sets of paths, by dynamic programming over all rows of all curves."""
    k, h, w = evidence.score.shape
    states = [*product(range(h), repeat=k)]
    ramp = np.zeros((k, h, w))
    ramp[:, 1:] = np.cumsum((evidence.step_cost[:, 1:] + evidence.step_cost[:, :-1]) / 2, 1)

    def column(x: int) -> np.ndarray:
        return np.array(
            [
                sum_of_column(
                    np.array([evidence.score[i, y, x] for i, y in enumerate(state)]),
                    evidence.covered,
                    state,
                    evidence.reach,
                )
                for state in states
            ]
        )

    at = np.array(states)
    best = column(0)
    for x in range(1, w):
        cost = sum(np.abs(ramp[i, at[:, i], x][:, None] - ramp[i, at[:, i], x]) for i in range(k))
        best = (best - cost).max(1) + column(x)
    return float(best.max())


@settings(max_examples=20)
@given(seeds)
def test_one_curve_is_followed_along_the_best_path(seed):
    evidence = drawn(seed, 1, 9, 12)
    found = follow_together(evidence)
    alone = best_path(evidence.score[0], evidence.step_cost[0])
    np.testing.assert_array_equal(found.rows[0], alone)


@pytest.mark.parametrize(("k", "h", "cases"), [(2, 6, 40), (3, 4, 12)])
def test_curves_followed_together_are_within_two_percent_of_the_best_sum(k, h, cases):
    """In the mean over random cases of 8 columns, each within a fifth."""
    gaps = []
    for seed in range(cases):
        evidence = drawn(seed, k, h, 8)
        best = optimum(evidence)
        found = follow_together(evidence)
        assert found.total <= best + 1e-3
        gaps.append((best - found.total) / abs(best))
    print(k, np.mean(gaps), np.max(gaps), np.mean(np.array(gaps) < 1e-6))
    assert np.mean(gaps) < 0.02
    assert np.max(gaps) < 0.2


@settings(max_examples=20)
@given(seeds, st.integers(2, 3))
def test_the_order_of_the_curves_permutes_their_paths_and_nothing_else(seed, k):
    evidence = drawn(seed, k, 8, 14)
    order = np.random.default_rng(seed).permutation(k)
    other = Evidence(
        score=evidence.score[order],
        step_cost=evidence.step_cost[order],
        covered=evidence.covered[order],
        reach=evidence.reach,
    )
    found, permuted = follow_together(evidence), follow_together(other)
    assert permuted.total == pytest.approx(found.total, abs=1e-3)


@settings(max_examples=20)
@given(seeds)
def test_the_sum_is_that_of_scores_and_moves(seed):
    """For one path, added up move by move."""
    evidence = drawn(seed, 1, 7, 10)
    rows = np.random.default_rng(seed).integers(0, 7, (1, 10))
    total = sum(float(evidence.score[0, y, x]) for x, y in enumerate(rows[0]))
    for x in range(1, 10):
        low, high = sorted((int(rows[0, x - 1]), int(rows[0, x])))
        cost = evidence.step_cost[0, :, x]
        total -= sum(float(cost[y] + cost[y + 1]) / 2 for y in range(low, high))
    assert rate(evidence, rows).total == pytest.approx(total, abs=1e-4)


def test_a_curve_that_goes_round_is_followed_through_its_laps():
    """Up over the upper edge and back; the other keeps clear of its ink, printed at the bottom."""
    h, w = 21, 30
    rows = np.array([*range(10, -6, -1), *range(-4, 10)])
    printed = rows % (h - 1)
    score = np.full((2, h, w), -4.0, np.float32)
    score[0, printed, np.arange(w)] = 5
    score[1, 12] = score[1, printed, np.arange(w)] = 4
    evidence = Evidence(
        score=score,
        step_cost=np.full((2, h, w), 0.1, np.float32),
        covered=np.array([-1.0, -1.0]),
        reach=1.0,
        laps=((1, 0), (0, 0)),
    )
    found = follow_together(evidence)
    np.testing.assert_array_equal(found.rows[0], rows)
    np.testing.assert_array_equal(found.printed[0] % (h - 1), printed)
    assert (found.rows[1] == 12).mean() > 0.9


def test_a_curve_leaves_the_track_where_its_ink_leads_to_the_edge():
    h, w = 15, 40
    rows = np.array([*range(10, -1, -1), *[-1] * 18, *range(11)])
    score = np.full((1, h, w), -3.0, np.float32)
    score[0, rows.clip(0), np.arange(w)] = np.where(rows < 0, -3, 4)
    leaving = np.full((1, 2, w), 100.0)
    leaving[0, 0, [11, 29]] = 1
    evidence = Evidence(
        score=score,
        step_cost=np.full((1, h, w), 0.2, np.float32),
        covered=np.array([-1.0]),
        reach=1.0,
        beyond=-0.5,
        leaving=leaving,
    )
    np.testing.assert_array_equal(follow_together(evidence).rows[0], rows)

"""Parts of following curves together: who owns the ink of a column, and a chain of two states."""

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray


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


def best_states(
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

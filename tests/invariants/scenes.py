"""Random scenes for the laws."""

import math

from hypothesis import strategies as st
from laws import Scene

side = st.integers(1, 97)
sizes = st.lists(st.tuples(side, side), min_size=1, max_size=4)
more = st.tuples(st.integers(0, 40), st.integers(0, 40))
values = st.sampled_from([0.0, 1.0, -3.0, 1e6, math.inf, math.nan])
seeds = st.integers(0, 1000)


@st.composite
def scenes(draw) -> Scene:
    """Up to four logs in any order, in micro-batches of any length, each on a canvas of its own."""
    logs = draw(sizes)
    order = draw(st.permutations(range(len(logs))))
    cut: list[list[int]] = []
    for index in order:
        if cut and draw(st.booleans()):
            cut[-1].append(index)
        else:
            cut.append([index])
    return Scene(
        sizes=logs,
        cut=cut,
        more=[draw(more) for _ in cut],
        value=draw(values),
        seed=draw(seeds),
    )

"""The schedule of an epoch is a pure value that loses no log and no randomness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veernet import Schedule, shard
from veernet.data.schedule import padded_pixels, padding_waste
from veernet.errors import OptionError

sizes = st.lists(
    st.tuples(st.integers(1, 640), st.integers(1, 12_800)), min_size=1, max_size=60
).map(np.array)
schedules = st.builds(
    Schedule,
    effective_batch=st.integers(1, 20),
    pixel_budget=st.integers(1, 10_000_000),
    seed=st.integers(0, 5),
)


@given(sizes, schedules, st.integers(0, 3))
def test_every_log_is_in_an_epoch_once(sizes, schedule, epoch):
    steps = schedule.steps(sizes, epoch)
    assert sorted(i for step in steps for batch in step for i in batch) == [*range(len(sizes))]
    full = [sum(map(len, step)) == schedule.effective_batch for step in steps]
    assert all(full[:-1])


@given(sizes, schedules)
def test_no_micro_batch_exceeds_the_budget_but_a_log_alone(sizes, schedule):
    for step in schedule.steps(sizes, epoch=0):
        for batch in step:
            assert len(batch) == 1 or padded_pixels(batch, sizes) <= schedule.pixel_budget


@given(sizes, schedules, st.randoms(use_true_random=False))
def test_which_logs_share_a_step_does_not_depend_on_their_shapes(sizes, schedule, random):
    shuffled = sizes[random.sample(range(len(sizes)), len(sizes))]

    def members(of):
        return [{i for batch in step for i in batch} for step in schedule.steps(of, epoch=1)]

    assert members(sizes) == members(shuffled)


@given(sizes, schedules)
def test_the_widest_log_of_a_step_comes_first(sizes, schedule):
    for step in schedule.steps(sizes, epoch=0):
        widths = [sizes[i, 1] for batch in step for i in batch]
        assert widths == sorted(widths, reverse=True)


def test_the_highest_of_equally_wide_logs_come_first():
    """So that every micro-batch is as low as it can be: cut by 40,000 px, those of 90 and 80 rows
    and those of 50, 40 and 30; from the lowest on it would be the 30 and 40, the 50, and so on."""
    sizes = np.array([(h, 200) for h in (40, 90, 30, 80, 50)])
    (step,) = Schedule(effective_batch=5, pixel_budget=40_000).steps(sizes, epoch=0)
    assert step == ((1, 3), (4, 0, 2))
    assert padding_waste([step], sizes) == pytest.approx(1 - 290 / (2 * 90 + 3 * 50))


@given(sizes, schedules, st.integers(1, 5))
def test_the_shares_of_all_processes_make_the_step(sizes, schedule, ranks):
    for step in schedule.steps(sizes, epoch=0):
        shares = [batch for rank in range(ranks) for batch in shard(step, rank, ranks)]
        assert sorted(shares) == sorted(step)


def test_epochs_and_seeds_draw_anew_and_the_same_ones_alike():
    sizes = np.full((100, 2), 8)
    drawn = [
        Schedule(seed=seed).steps(sizes, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))
    ]
    assert drawn[0] == drawn[3]
    assert drawn[0] != drawn[1] != drawn[2] != drawn[0]


def test_waste_is_the_padded_share_counted_by_hand():
    sizes = np.array([[2, 10], [2, 6], [1, 6]])
    assert padded_pixels((0, 1), sizes) == 40
    # 40 pixels for logs of 20 + 12, then 6 for one of 6: 8 of 46 are padding
    assert padding_waste([((0, 1), (2,))], sizes) == pytest.approx(8 / 46)


def test_sorting_saves_padding_on_logs_of_the_native_range(rng):
    sizes = np.stack([rng.integers(480, 641, 320), rng.integers(3200, 12_801, 320)], axis=1)
    schedule = Schedule(pixel_budget=4 * 640 * 12_800)
    by_shape = padding_waste(schedule.steps(sizes, 0), sizes)
    as_drawn = padding_waste(schedule.unsorted_steps(sizes, 0), sizes)
    assert by_shape < 0.7 * as_drawn


@pytest.mark.parametrize("wrong", [{"effective_batch": 0}, {"pixel_budget": 0}])
def test_a_schedule_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(OptionError, match="at least 1"):
        Schedule(**wrong)

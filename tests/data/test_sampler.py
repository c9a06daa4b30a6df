"""A schedule as a batch sampler: the same steps, in any number of processes."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from veernet import Schedule, ScheduleSampler, collate, open_archive, shard
from veernet.errors import BatchError, OptionError


def samplers(schedule, sizes, world_size):
    return [
        ScheduleSampler(schedule, sizes, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]


@given(
    n=st.integers(1, 40),
    effective=st.integers(1, 9),
    worlds=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    epoch=st.integers(0, 3),
    data=st.data(),
)
def test_a_run_that_goes_on_in_other_processes_sees_every_sample_once(
    n, effective, worlds, epoch, data
):
    """Whatever was read ahead: only the steps that were taken count."""
    sizes = np.random.default_rng(n).integers(10, 60, (n, 2))
    schedule = Schedule(effective_batch=effective, pixel_budget=3_000, seed=n)
    expected = schedule.steps(sizes, epoch)
    pause = data.draw(st.integers(0, len(expected)))
    taken: list[list[int]] = []
    state = {"epoch": epoch, "step": 0}
    for world_size, end in zip(worlds, (pause, len(expected)), strict=True):
        ranks = samplers(schedule, sizes, world_size)
        for sampler in ranks:
            sampler.load_state_dict(state)
        together = [sampler.steps([*sampler]) for sampler in ranks]  # all is read ahead
        taken += [
            [i for steps in together for batch in next(steps) for i in batch]
            for _ in range(end - state["step"])
        ]
        state = ranks[0].state_dict()
        assert all(sampler.state_dict() == state for sampler in ranks)
    assert [sorted(step) for step in taken] == [
        sorted(i for batch in step for i in batch) for step in expected
    ]


def test_another_epoch_begins_at_its_first_step_and_the_same_one_goes_on():
    sampler = ScheduleSampler(Schedule(effective_batch=2), np.full((6, 2), 9))
    next(sampler.steps([*sampler]))
    sampler.set_epoch(0)
    assert (sampler.epoch, sampler.step, len(sampler)) == (0, 1, 2)
    sampler.set_epoch(1)
    assert (sampler.epoch, sampler.step, len(sampler)) == (1, 0, 3)


def test_after_the_last_step_the_next_epoch_begins():
    """A loop that sets no epoch trains on all samples every time, in another order."""
    sampler = ScheduleSampler(Schedule(effective_batch=2), np.full((6, 2), 9))
    passes = [[b for step in sampler.steps([*sampler]) for b in step] for _ in range(2)]
    assert [sorted(i for batch in one for i in batch) for one in passes] == [[*range(6)]] * 2
    assert passes[0] != passes[1]
    sampler.set_epoch(2)
    assert (sampler.epoch, sampler.step) == (2, 0)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"effective_batch": 3}, "effective_batch 3, and this sampler of 2"),
        ({"seed": 1}, "seed 1, and this sampler of 0"),
        ({"images": 7}, "images 7, and this sampler of 6"),
        ({"step": 4}, "after step 4 of an epoch, which has 3"),
        ({"step": -1}, "step must be a whole number from 0 on; got -1"),
        ({"epoch": 0.5}, "epoch must be a whole number"),
    ],
)
def test_a_position_in_another_schedule_is_refused(state, message):
    """It would lose samples, or read some twice."""
    sampler = ScheduleSampler(Schedule(effective_batch=2), np.full((6, 2), 9))
    with pytest.raises(OptionError, match=message):
        sampler.load_state_dict({**sampler.state_dict(), **state})
    assert (sampler.epoch, sampler.step) == (0, 0)


def test_a_loader_with_another_sampler_is_refused():
    sampler = ScheduleSampler(Schedule(effective_batch=2), np.full((6, 2), 9))
    with pytest.raises(BatchError, match="ended in step 1 .* as its batch_sampler"):
        list(sampler.steps([[0]]))
    with pytest.raises(BatchError, match="another sampler"):
        list(sampler.steps(DataLoader(TensorDataset(torch.zeros(6)), batch_size=1)))


def test_a_rank_beyond_the_processes_is_refused():
    with pytest.raises(OptionError, match="got 2 of 2"):
        ScheduleSampler(Schedule(), np.full((6, 2), 9), rank=2, world_size=2)
    with pytest.raises(OptionError, match="got -1 of 2"):
        shard((1, 2, 3), -1, 2)


@pytest.mark.parametrize("workers", [0, 2])
def test_spawned_workers_read_what_the_schedule_says(small_archive, workers):
    split = open_archive(small_archive).split("train")
    sampler = ScheduleSampler(Schedule(effective_batch=2), split.sizes)
    loader = DataLoader(
        split,
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
    )
    expected = sampler.schedule.steps(split.sizes, 0)
    for step, batches in zip(expected, sampler.steps(loader), strict=True):
        for indices, batch in zip(step, batches, strict=True):
            assert batch.image.equal(collate([split[i] for i in indices]).image)


def test_a_split_of_drawn_logs_can_be_pickled(small_logs, tmp_path):
    from veernet.synth.make import make

    make(tmp_path / "archive", small_logs, (2, 0, 0), on_the_fly=True)
    split = open_archive(tmp_path / "archive").split("train")
    assert pickle.loads(pickle.dumps(split))[1].image.equal(split[1].image)

"""A survey counts what is there."""

from dataclasses import replace
from pathlib import Path

from veernet import Schedule
from veernet.data.logs import Row
from veernet.data.split import Split
from veernet.data.survey import survey


def split_of(*sizes, traits=()):
    """A split with these sizes in its metadata, and no files."""
    rows = [
        replace(Row.of(i, height=h, width=w, curves=()), traits=seen)
        for i, ((h, w), seen) in enumerate(zip(sizes, traits or [()] * len(sizes), strict=True))
    ]
    return Split(Path("nowhere"), rows, 3)


def test_a_survey_counted_by_hand():
    split = split_of((10, 100), (10, 100), (10, 50), (20, 50))
    found = survey(split, Schedule(effective_batch=4, pixel_budget=2000))
    assert (found.logs, found.steps, found.micro_batches) == (4, 1, 2)
    assert found.megapixels == 3500 / 1e6
    assert sum(n for _, _, n in found.widths) == 4
    # two of 10 × 100 make 2,000; 20 × 50 and 10 × 50 make 2,000, of which 500 are padding
    assert found.waste == 500 / 4000


def test_the_waste_of_unsorted_windows_is_that_of_the_order_they_were_drawn_in():
    """Narrow and wide in turn, two to a micro-batch: whatever the order, some of it is padding
    unless it is sorted first."""
    split = split_of((10, 100), (10, 100), (10, 50), (10, 50))
    schedule = Schedule(effective_batch=4, pixel_budget=2000, seed=5)
    (order,) = schedule.draw(4, epoch=0)
    wide = [i < 2 for i in order]
    assert wide[0] != wide[1], "a seed that draws them in turn"
    found = survey(split, schedule)
    assert (found.waste, found.waste_unsorted) == (0, 1 - 3000 / 4000)


def test_logs_of_one_size_make_one_bar():
    found = survey(split_of((7, 7), (7, 7), (7, 7)), Schedule())
    assert found.heights == ((6, 8, 3),)
    assert found.waste == found.waste_unsorted == 0


def test_traits_are_counted_by_log():
    split = split_of((7, 7), (7, 7), traits=[("wrapped", "fold"), ("fold",)])
    assert survey(split, Schedule()).traits == (("fold", 2), ("wrapped", 1))

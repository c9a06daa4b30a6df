"""A survey counts what is there."""

import numpy as np

from veernet import Schedule
from veernet.data.survey import survey


def test_a_survey_counted_by_hand():
    sizes = np.array([[10, 100], [10, 100], [10, 50], [20, 50]])
    found = survey(sizes, Schedule(effective_batch=4, pixel_budget=2000))
    assert (found.logs, found.steps, found.micro_batches) == (4, 1, 2)
    assert found.megapixels == 3500 / 1e6
    assert sum(n for _, _, n in found.widths) == 4
    # two of 10 × 100 make 2,000; 20 × 50 and 10 × 50 make 2,000, of which 500 are padding
    assert found.waste == 500 / 4000


def test_logs_of_one_size_make_one_bar():
    found = survey(np.full((3, 2), 7), Schedule())
    assert found.heights == ((6, 8, 3),)
    assert found.waste == found.waste_unsorted == 0

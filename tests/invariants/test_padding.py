"""Logits and gradients of a log do not depend on its canvas, the padding, or its batch mates."""

import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from laws import SIZES, error, gradient, network, on_canvas, padding_error, scans

from veernet import collate

side = st.integers(1, 97)


@settings(max_examples=40)
@given(
    sizes=st.lists(st.tuples(side, side), min_size=1, max_size=4),
    more=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    value=st.sampled_from([0.0, 1.0, -3.0, 1e6]),
    seed=st.integers(0, 1000),
)
@example(sizes=[(1, 1)], more=(0, 0), value=0.0, seed=0)
@example(sizes=[(1, 1), (97, 1)], more=(31, 31), value=1e6, seed=1)
@example(sizes=[(32, 32), (33, 31)], more=(32, 0), value=1.0, seed=2)
def test_a_log_is_alone_wherever_it_lies(sizes, more, value, seed):
    assert padding_error(sizes, more=more, value=value, seed=seed) < 1e-10


def test_padding_may_hold_not_a_number():
    assert padding_error(value=math.nan) < 1e-10


def test_float32_logits_agree_to_1e_4():
    model, logs = network().float(), scans(SIZES)
    batch = on_canvas(collate(logs), (80, 110), -3.0).to(torch.device("cpu"))
    together, _ = gradient(model, [batch])
    alone, _ = gradient(model, [collate([log]).to(torch.device("cpu")) for log in logs])
    assert error(together, alone) < 1e-4


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (31, 33), (32, 64)])
def test_logits_have_the_size_of_the_image(size):
    assert network()(torch.zeros(1, 1, *size).double()).shape == (1, 3, *size)

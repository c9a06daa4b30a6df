"""Logits, loss and gradients of a log do not depend on its canvas, the padding, or its mates."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from laws import EXAMPLES, SIZES, network, padding_error, padding_errors, worst
from scenes import more, seeds, sizes, values

activations = st.sampled_from(["relu", "silu"])


@settings(max_examples=EXAMPLES)
@given(sizes=sizes, more=more, value=values, seed=seeds, activation=activations)
@example(sizes=[(1, 1)], more=(0, 0), value=0.0, seed=0, activation="relu")
@example(sizes=[(1, 1), (97, 1)], more=(31, 31), value=1e6, seed=1, activation="silu")
@example(sizes=[(32, 32), (33, 31)], more=(32, 0), value=1.0, seed=2, activation="relu")
@example(sizes=SIZES, more=(5, 11), value=float("nan"), seed=0, activation="relu")
def test_a_log_is_alone_wherever_it_lies(**where):
    assert padding_error(**where) < 1e-10


@settings(max_examples=EXAMPLES)
@given(sizes=sizes, more=more, value=values, seed=seeds, activation=activations)
def test_in_float32_logits_and_loss_agree_to_1e_4(**where):
    """Gradients do not: where rounding flips a relu they move (docs/explanation/padding.md)."""
    logits, loss, _ = padding_errors(**where, dtype=torch.float32)
    assert worst([logits, loss]) < 1e-4


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (31, 33), (32, 64)])
def test_logits_have_the_size_of_the_image(size):
    assert network()(torch.zeros(1, 1, *size).double()).shape == (1, 3, *size)

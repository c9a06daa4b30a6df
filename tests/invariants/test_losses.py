"""Losses add up over images, and see nothing but their labelled pixels."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import on_canvas

from every_loss import EVERY, batch_of, gradient, noise, rough
from veernet.losses import Loss


@EVERY
@settings(max_examples=10)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 9)), min_size=1, max_size=3),
    more=st.tuples(st.integers(0, 3), st.integers(0, 5)),
    padding=st.sampled_from([0.0, 1e4, -1e4, math.nan]),
    seed=st.integers(0, 1000),
)
def test_a_batch_on_any_canvas_is_the_sum_of_its_images(
    loss, out_channels, sizes, more, padding, seed
):
    targets = rough(*sizes, out_channels=out_channels, seed=seed)
    small = batch_of(*targets)
    h, w = small.target.shape[1:]
    batch = on_canvas(small, (h + more[0], w + more[1]), 0.0)
    logits = noise(batch, out_channels, seed).masked_fill(~batch.valid, padding)
    total, grad = gradient(loss, logits, batch)
    alone = 0.0
    for x, g, target in zip(logits, grad, targets, strict=True):
        h, w = target.shape
        one, expected = gradient(loss, x[None, :, :h, :w], batch_of(target))
        torch.testing.assert_close(g[:, :h, :w], expected[0], rtol=1e-10, atol=1e-14)
        alone += one
    torch.testing.assert_close(total, torch.as_tensor(alone), rtol=1e-10, atol=1e-14)
    assert grad.masked_select(~batch.valid).eq(0).all()
    assert loss.weight(batch) == sum((target != 255).any() for target in targets)


@EVERY
def test_the_gradient_is_that_of_the_value(loss, out_channels):
    batch = batch_of(*rough((3, 4), (2, 2), out_channels=out_channels))
    logits = noise(batch, out_channels).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss.total(x, batch), logits)


@EVERY
def test_an_image_without_labels_costs_nothing_and_changes_nothing(loss, out_channels):
    (target,) = rough((3, 4), out_channels=out_channels)
    both = batch_of(torch.full((2, 5), 255, dtype=torch.uint8), target)
    logits = noise(both, out_channels)
    total, grad = gradient(loss, logits, both)
    expected, _ = gradient(loss, logits[1:, :, :, :4], batch_of(target))
    torch.testing.assert_close(total, expected)
    assert grad[0].eq(0).all()
    assert loss.weight(both) == 1
    alone, grad = gradient(loss, logits[:1], batch_of(torch.full((3, 5), 255, dtype=torch.uint8)))
    assert alone == grad.abs().sum() == 0


@EVERY
def test_losses_are_computed_in_float32_at_least(loss, out_channels):
    batch = batch_of(*rough((30, 40), out_channels=out_channels))
    logits = noise(batch, out_channels).to(torch.bfloat16)
    total, grad = gradient(loss, logits, batch)
    assert total.dtype == torch.float32
    assert grad.dtype == torch.bfloat16
    torch.testing.assert_close(total, loss.total(logits.float(), batch))
    assert isinstance(loss, Loss)

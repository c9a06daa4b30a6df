"""Losses against hand-counted masks and direct formulas; sums that add up."""

import pytest
import torch
from torch.nn import functional as F

from veernet import BCE, Scan, Tversky, collate
from veernet.errors import OptionError
from veernet.losses import Loss

SURE = 60.0  # a logit whose probability is 1 in float64


def batch_of(*targets):
    return collate([Scan(torch.zeros(1, *t.shape).double(), t) for t in targets])


def noise(batch, planes):
    torch.manual_seed(1)
    return torch.randn(batch.n_images, planes, *batch.target.shape[1:], dtype=torch.float64)


def labels(*rows):
    return torch.tensor(rows, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("alpha", "beta", "expected"),
    [
        (0.3, 0.7, 1 - 3 / (3 + 0.3 * 1 + 0.7 * 2)),
        (0.7, 0.3, 1 - 3 / (3 + 0.7 * 1 + 0.3 * 2)),
        (0.0, 1.0, 1 - 3 / (3 + 2)),
    ],
)
def test_tversky_on_counts_made_by_hand(alpha, beta, expected):
    """Two true positives, one false positive, two false negatives; one pixel of smoothing."""
    batch = batch_of(labels([1, 1, 1, 1, 0, 255]))
    logits = torch.tensor([1.0, 1, -1, -1, 1, 1]).double().view(1, 1, 1, 6) * SURE
    loss = Tversky(alpha=alpha, beta=beta, smooth=1.0).total(logits, batch)
    assert loss.item() == pytest.approx(expected)


def test_tversky_is_averaged_over_curves_and_leaves_the_background_out():
    """Curve 1 found whole, curve 2 missed and predicted on one wrong pixel."""
    batch = batch_of(labels([0, 1, 2, 0]))
    logits = SURE * F.one_hot(torch.tensor([[[0, 1, 0, 2]]]), 3).movedim(-1, 1).double()
    second = 1 - 1 / (1 + 0.3 + 0.7)
    assert Tversky().total(logits, batch).item() == pytest.approx((0 + second) / 2)


def test_bce_is_the_weighted_mean_over_each_images_own_pixels():
    targets = labels([0, 1, 2], [0, 0, 255]), labels([1, 0])
    batch = batch_of(*targets)
    logits = noise(batch, 1)
    expected = 0.0
    for x, t in zip(logits, targets, strict=True):
        own, known = x[0, : t.shape[0], : t.shape[1]], t != 255
        y = ((t == 1) | (t == 2)).double()
        expected += F.binary_cross_entropy_with_logits(
            own[known], y[known], pos_weight=torch.tensor(42.0).double()
        )
    torch.testing.assert_close(BCE(positive_weight=42.0).total(logits, batch), expected)


@pytest.mark.parametrize(("loss", "planes"), [(Tversky(), 3), (Tversky(), 1), (BCE(), 1)])
def test_the_loss_of_a_batch_is_the_sum_over_its_images(loss, planes):
    targets = labels([0, 1, 2, 1], [0, 0, 255, 2]), labels([1, 0]), labels([0], [1])
    batch = batch_of(*targets)
    logits = noise(batch, planes)
    alone = [
        loss.total(x[None, :, : t.shape[0], : t.shape[1]], batch_of(t))
        for x, t in zip(logits, targets, strict=True)
    ]
    torch.testing.assert_close(loss.total(logits, batch), sum(alone))
    assert loss.weight(batch) == 3
    assert isinstance(loss, Loss)


@pytest.mark.parametrize(("loss", "planes"), [(Tversky(), 3), (BCE(), 1)])
def test_an_image_without_labels_costs_nothing(loss, planes):
    batch = batch_of(labels([255, 255]))
    logits = noise(batch, planes).requires_grad_()
    total = loss.total(logits, batch)
    total.backward()
    assert total == logits.grad.abs().sum() == 0


def test_losses_are_computed_in_float32_at_least():
    batch = batch_of(labels([0, 1, 2]))
    logits = noise(batch, 3).to(torch.bfloat16)
    assert Tversky().total(logits, batch).dtype == torch.float32


@pytest.mark.parametrize(
    "wrong",
    [lambda: Tversky(alpha=-1.0), lambda: Tversky(smooth=0.0), lambda: BCE(positive_weight=0.0)],
)
def test_weights_that_make_no_sense_are_refused(wrong):
    with pytest.raises(OptionError):
        wrong()

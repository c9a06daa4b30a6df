"""Losses against hand-counted masks, other libraries and their definitions; their settings."""

import math
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from laws import on_canvas
from monai.losses.dice import DiceLoss
from monai.losses.focal_loss import FocalLoss
from monai.losses.tversky import TverskyLoss
from torch.nn import functional as F

from every_loss import EVERY, batch_of, gradient, labels, noise, rough
from veernet import (
    BCE,
    CrossEntropy,
    Dice,
    Focal,
    FocalTversky,
    Lovasz,
    Tversky,
    VeerNetConfig,
)
from veernet.errors import BatchError, OptionError, RunError
from veernet.files import validate, write_json
from veernet.train.run import CONFIG, Config, read_config
from veernet.training import Training

SURE = 60.0  # a logit whose probability is 1 in float64


def sure(row, out_channels):
    """Logits of one row of pixels that are all but certain of these classes."""
    row = torch.tensor([[row]])
    if out_channels == 1:
        return SURE * (2 * row[:, None].double() - 1)
    return SURE * F.one_hot(row, out_channels).movedim(-1, 1).double()


def own_pixels(logits, batch):
    """Every image's labelled pixels as logits (1, K, 1, n) and classes (n)."""
    out_channels = logits.shape[1]
    for x, target in zip(logits, batch.target, strict=True):
        known = target != 255
        t = target[known].long()
        yield x[:, known][None, :, None], t.clamp(max=1) if out_channels == 1 else t


def one_hot(t, out_channels):
    """The channels of classes, those of the curves alone for a network of one channel."""
    hot = F.one_hot(t, max(out_channels, 2)).T[None, :, None].double()
    return hot if out_channels > 1 else hot[:, 1:]


@pytest.mark.parametrize(
    ("alpha", "beta", "expected"),
    [
        (0.3, 0.7, 1 - 3 / (3 + 0.3 * 1 + 0.7 * 2)),
        (0.7, 0.3, 1 - 3 / (3 + 0.7 * 1 + 0.3 * 2)),
        (0.0, 1.0, 1 - 3 / (3 + 2)),
        (1.0, 0.0, 1 - 3 / (3 + 1)),
    ],
)
@pytest.mark.parametrize("out_channels", [1, 2])
def test_tversky_on_counts_made_by_hand(alpha, beta, expected, out_channels):
    """Two true positives, one false positive, two false negatives; one pixel of smoothing."""
    batch = batch_of(labels([1, 1, 1, 1, 0, 255]))
    logits = sure([1, 1, 0, 0, 1, 1], out_channels)
    loss = Tversky(alpha=alpha, beta=beta, smooth=1.0).total(logits, batch)
    assert loss.item() == pytest.approx(expected)
    powered = FocalTversky(alpha=alpha, beta=beta, gamma=0.6, smooth=1.0).total(logits, batch)
    assert powered.item() == pytest.approx(expected**0.6)


def test_dice_and_lovasz_on_counts_made_by_hand():
    """Two true positives, one false positive, two false negatives."""
    batch, logits = batch_of(labels([1, 1, 1, 1, 0, 255])), sure([1, 1, 0, 0, 1, 1], 1)
    assert Dice(smooth=0.5).total(logits, batch).item() == pytest.approx(1 - 5 / (5 + 1 + 2))
    assert Lovasz().total(logits, batch).item() == pytest.approx(1 - 2 / 5)


@pytest.mark.parametrize(
    ("loss", "second"),
    [
        (Tversky(), 1 - 1 / (1 + 0.3 * 1 + 0.7 * 2)),
        (Dice(), 1 - 1 / (1 + 0.5 * 1 + 0.5 * 2)),
        (FocalTversky(gamma=2.0), (1 - 1 / (1 + 0.3 * 1 + 0.7 * 2)) ** 2),
        (Lovasz(), 1.0),
    ],
)
def test_a_loss_of_counts_is_averaged_over_curves_and_leaves_the_background_out(loss, second):
    """Curve 1 found whole, both pixels of curve 2 missed and one predicted on background."""
    batch, logits = batch_of(labels([0, 1, 2, 0, 2])), sure([0, 1, 0, 2, 0], 3)
    assert loss.total(logits, batch).item() == pytest.approx((0 + second) / 2)


def test_lovasz_is_averaged_over_the_curves_that_are_present():
    logits = sure([0, 1, 0, 2], 3)  # curve 1: one hit, one miss; curve 2: one false positive
    assert Lovasz().total(logits, batch_of(labels([0, 1, 1, 0]))).item() == pytest.approx(0.5)
    total, grad = gradient(Lovasz(), logits / 30, batch_of(labels([0, 0, 0, 0])))
    assert total == grad.abs().sum() == 0


def test_focal_on_numbers_made_by_hand():
    """p = 0.8 and 0.4 on two curve pixels, 0.1 on one of background."""
    batch = batch_of(labels([1, 1, 0, 255]))
    logits = torch.tensor([0.8, 0.4, 0.1, 0.5]).double().logit().view(1, 1, 1, 4)
    curve = 0.2**2 * math.log(0.8) + 0.6**2 * math.log(0.4)
    expected = -(0.25 * curve + 0.75 * 0.1**2 * math.log(0.9)) / 3
    loss = Focal(gamma=2.0, class_weights=(0.75, 0.25)).total(logits, batch)
    assert loss.item() == pytest.approx(expected)


def test_bce_is_the_weighted_mean_over_each_images_own_pixels():
    batch = batch_of(labels([0, 1, 2], [0, 0, 255]), labels([1, 0]))
    logits = noise(batch, 1)
    w = torch.tensor(42.0).double()
    expected = sum(
        F.binary_cross_entropy_with_logits(x.flatten(), t.double(), pos_weight=w)
        for x, t in own_pixels(logits, batch)
    )
    torch.testing.assert_close(BCE(positive_weight=42.0).total(logits, batch), expected)


@pytest.mark.parametrize("weights", [None, (0.2, 3.0, 1.4), (2e-4, 3e-3, 1e-3)])
def test_cross_entropy_is_torchs_on_each_images_own_pixels(weights):
    batch = batch_of(*rough((4, 7), (2, 3), (5, 1), out_channels=3))
    logits = noise(batch, 3)
    w = None if weights is None else torch.tensor(weights).double()
    expected = sum(F.cross_entropy(x[0, :, 0].T, t, weight=w) for x, t in own_pixels(logits, batch))
    loss = CrossEntropy(class_weights=weights)
    torch.testing.assert_close(loss.total(logits, batch), expected)


def test_an_image_whose_classes_all_weigh_nothing_costs_nothing():
    batch = batch_of(labels([0, 0, 0]))
    total, grad = gradient(CrossEntropy(class_weights=(0.0, 1.0)), noise(batch, 2), batch)
    assert total == grad.abs().sum() == 0


@pytest.mark.parametrize("out_channels", [1, 2, 4])
def test_dice_and_tversky_are_monais_on_each_images_own_pixels(out_channels):
    batch = batch_of(*rough((4, 7), (2, 3), (5, 1), out_channels=out_channels))
    logits = noise(batch, out_channels)
    how: dict[str, Any] = (
        {"sigmoid": True} if out_channels == 1 else {"softmax": True, "include_background": False}
    )
    dice = DiceLoss(smooth_nr=0.6, smooth_dr=0.6, **how)
    tversky = TverskyLoss(alpha=0.2, beta=0.9, smooth_nr=0.3, smooth_dr=0.3, **how)
    for theirs, ours in [
        (dice, Dice(smooth=0.3)),
        (tversky, Tversky(alpha=0.2, beta=0.9, smooth=0.3)),
    ]:
        expected = sum(theirs(x, one_hot(t, out_channels)) for x, t in own_pixels(logits, batch))
        torch.testing.assert_close(ours.total(logits, batch), expected)


@pytest.mark.parametrize("gamma", [0.0, 0.7, 2.0])
@pytest.mark.parametrize(("out_channels", "weights"), [(1, (0.3, 0.7)), (4, (0.1, 2.0, 0.7, 1.0))])
def test_focal_is_monais_on_each_images_own_pixels(out_channels, weights, gamma):
    batch = batch_of(*rough((4, 7), (2, 3), (5, 1), out_channels=out_channels))
    logits = noise(batch, out_channels)
    expected = 0.0
    for x, t in own_pixels(logits, batch):
        alpha = weights[1] if out_channels == 1 else weights
        theirs = FocalLoss(gamma=gamma, alpha=alpha, use_softmax=out_channels > 1, reduction="none")
        expected += theirs(x, one_hot(t, out_channels)).sum() / len(t)
    found = Focal(gamma=gamma, class_weights=weights).total(logits, batch)
    torch.testing.assert_close(found.float(), expected)  # MONAI computes in float32


@pytest.mark.parametrize("gamma", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("out_channels", [1, 3])
@pytest.mark.parametrize("size", [100.0, 1e4])
def test_focal_is_exact_and_has_a_gradient_at_logits_of_any_size(gamma, out_channels, size):
    """A sure pixel costs 0, one that is surely wrong its logit."""
    batch = batch_of(labels([1, 0, 1, 0]))
    logits = sure([1, 1, 0, 0], out_channels).float() * (size / SURE)
    total, grad = gradient(Focal(gamma=gamma), logits, batch)
    assert total.item() == pytest.approx(2 * size / 4)
    assert grad.isfinite().all()
    assert grad[0, 0, 0, 2].abs() == pytest.approx(0.25)


def lovasz_by_its_definition(p, y):
    """sum_k e_k (J(first k wrong) - J(first k-1 wrong)), J from sets of pixels."""

    def jaccard(wrong):
        predicted = {i for i in range(len(y)) if (i in wrong) != y[i]}
        true = {i for i in range(len(y)) if y[i]}
        return 1 - len(predicted & true) / len(predicted | true) if predicted | true else 0.0

    errors = [abs(float(yi) - pi) for pi, yi in zip(p, y, strict=True)]
    order = sorted(range(len(y)), key=lambda i: -errors[i])
    return sum(
        errors[i] * (jaccard({*order[: k + 1]}) - jaccard({*order[:k]}))
        for k, i in enumerate(order)
    )


@pytest.mark.parametrize("out_channels", [1, 2, 4])
def test_lovasz_is_the_extension_of_the_jaccard_set_function(out_channels):
    batch = batch_of(*rough((3, 7), (2, 3), (5, 1), out_channels=out_channels))
    logits = noise(batch, out_channels)
    expected = 0.0
    for x, t in own_pixels(logits, batch):
        p = x.sigmoid() if out_channels == 1 else x.softmax(1)[:, 1:]
        truth = one_hot(t, out_channels)[0, -p.shape[1] :, 0].bool()
        curves = [
            lovasz_by_its_definition(pk.tolist(), yk.tolist())
            for pk, yk in zip(p[0, :, 0], truth, strict=True)
            if yk.any()
        ]
        expected += sum(curves) / max(1, len(curves))
    assert Lovasz().total(logits, batch).item() == pytest.approx(expected, rel=1e-12)


def test_lovasz_orders_equal_errors_by_row_and_column_whatever_the_canvas():
    batch = batch_of(labels([0, 1, 0, 1], [1, 0, 0, 255]))
    wide = on_canvas(batch, (5, 9), 0.0)
    _, grad = gradient(Lovasz(), torch.zeros(1, 1, 2, 4).double(), batch)
    _, padded = gradient(Lovasz(), torch.zeros(1, 1, 5, 9).double(), wide)
    # IoU after each pixel: 3/4, 2/4, 2/5, 1/5, 0; the slope of a sigmoid at 0 is 1/4.
    steps = torch.tensor([[1 / 4, -1 / 4, 1 / 10, -1 / 5], [-1 / 5, 0, 0, 0]]).double()
    torch.testing.assert_close(grad[0, 0], steps / 4)
    assert torch.equal(padded[:, :, :2, :4], grad)
    rounded = torch.tensor([0.0, 20.0, 0.0]).view(1, 3, 1, 1)  # an error of 4e-9, which is 0 here
    _, grad = gradient(Lovasz(), rounded.expand(1, 3, 2, 4), batch)
    _, padded = gradient(Lovasz(), rounded.expand(1, 3, 5, 9), wide)
    assert torch.equal(padded[:, :, :2, :4], grad)


def test_the_steps_of_lovasz_are_exact_where_they_are_below_the_rounding_of_iou():
    """One curve pixel of a million is nearly found, and comes after all of the background."""
    n = 1_000_000
    target = torch.zeros(1, n, dtype=torch.uint8)
    target[0, 0] = 1
    logits = torch.full((1, 1, 1, n), -2.0)
    logits[..., 0] = 3.0
    _, grad = gradient(Lovasz(), logits, batch_of(target))
    union = torch.arange(2, n + 1).double()
    p = torch.tensor(-2.0).double().sigmoid()
    steps = 1 / (union * (union - 1)) * p * (1 - p)
    torch.testing.assert_close(grad[0, 0, 0, 1:].double(), steps, rtol=1e-5, atol=0)


def test_focal_tversky_has_a_gradient_on_a_curve_that_is_right():
    batch = batch_of(labels([0, 1, 1]))
    right = 40 * sure([0, 1, 1], 1).float()
    for gamma in (0.1, 0.75, 2.0):
        total, grad = gradient(FocalTversky(gamma=gamma), right, batch)
        assert total == 0
        assert grad.isfinite().all()
        nearly = (right / 100).requires_grad_()  # costs of less than a rounding error of 1
        FocalTversky(gamma=gamma).total(nearly, batch).backward()
        assert nearly.grad is not None
        assert nearly.grad.isfinite().all()


def test_dice_is_tversky_with_alpha_and_beta_of_a_half():
    batch = batch_of(*rough((4, 7), (2, 3), out_channels=3))
    logits = noise(batch, 3)
    halves = Tversky(alpha=0.5, beta=0.5, smooth=0.4)
    assert torch.equal(Dice(smooth=0.4).total(logits, batch), halves.total(logits, batch))


def test_focal_without_focus_is_cross_entropy_and_focal_tversky_without_it_is_tversky():
    batch = batch_of(*rough((4, 7), (2, 3), out_channels=3))
    x = noise(batch, 3)
    pairs = (Focal(gamma=0.0), CrossEntropy()), (FocalTversky(gamma=1.0), Tversky())
    for focal, plain in pairs:
        torch.testing.assert_close(focal.total(x, batch), plain.total(x, batch))


@pytest.mark.parametrize(
    "loss", [Focal(gamma=1.3), Tversky(), Dice(), FocalTversky(), Lovasz()], ids=repr
)
def test_one_channel_is_two_channels_whose_background_is_0(loss):
    batch = batch_of(*rough((4, 7), (2, 3), out_channels=1))
    one = noise(batch, 1)
    two = torch.cat([torch.zeros_like(one), one], 1)
    torch.testing.assert_close(loss.total(one, batch), loss.total(two, batch))


@EVERY
def test_every_loss_is_read_back_from_the_settings_of_a_run_as_itself(loss, out_channels, tmp_path):
    how = Training(network=VeerNetConfig(out_channels=out_channels), loss=loss)
    write_json(
        tmp_path / CONFIG, asdict(Config(archive="", logs={}, training=how, versions={}, threads=1))
    )
    assert read_config(tmp_path).training == how


@pytest.mark.parametrize(
    "table",
    [
        {"smooth": 1.0},
        {"kind": "Dice", "alpha": 0.3},
        {"kind": "batch dice"},
        {"kind": "Dice", "smooth": 0.0},
    ],
)
def test_a_loss_that_is_not_named_or_has_anothers_options_is_refused(table):
    settings = {**asdict(Training()), "loss": table}
    with pytest.raises(RunError, match="here: loss"):
        validate(Training, settings, where="here", error=RunError)


@pytest.mark.parametrize(
    ("loss", "out_channels", "needs"),
    [
        (BCE(), 3, "BCE needs one channel"),
        (CrossEntropy(), 1, "CrossEntropy needs two channels"),
        (CrossEntropy(class_weights=(1.0, 2.0)), 3, "one weight for each of 3 classes"),
        (Focal(class_weights=(1.0,)), 1, "one weight for each of 2 classes"),
        (Focal(class_weights=(1.0, 2.0, 3.0)), 2, "one weight for each of 2 classes"),
    ],
)
def test_a_loss_that_does_not_fit_the_channels_is_refused(loss, out_channels, needs):
    batch = batch_of(labels([0, 1]))
    with pytest.raises(OptionError, match=needs):
        loss.total(noise(batch, out_channels), batch)
    with pytest.raises(OptionError, match=needs):
        Training(network=VeerNetConfig(out_channels=out_channels), loss=loss)


@EVERY
def test_a_class_that_the_channels_do_not_tell_apart_is_refused_by_every_loss(loss, out_channels):
    """One plane tells any curve from background."""
    batch = batch_of(labels([0, 1]), labels([0, max(2, out_channels), 255]))
    logits = noise(batch, out_channels)
    if out_channels == 1:
        assert loss.total(logits, batch).isfinite()
        return
    with pytest.raises(
        BatchError, match=f"image 1 .* class {out_channels}, where {out_channels} channels"
    ):
        loss.total(logits, batch)


@pytest.mark.parametrize("loss", [Focal(), Tversky(), Lovasz()], ids=repr)
def test_255_is_no_class_however_many_channels_there_are(loss):
    batch = batch_of(labels([0, 254]))
    assert loss.total(noise(batch, 255), batch).isfinite()
    with pytest.raises(OptionError, match="at most 255 channels"):
        loss.total(noise(batch, 256), batch)


@pytest.mark.parametrize(
    ("loss", "wrong"),
    [
        (BCE(), {"positive_weight": 0.0}),
        (CrossEntropy(), {"class_weights": (1.0, -1.0)}),
        (CrossEntropy(), {"class_weights": (0.0, 0.0)}),
        (Focal(), {"class_weights": (1.0, math.inf)}),
        (Focal(), {"gamma": -0.1}),
        (Tversky(), {"alpha": -1.0}),
        (Tversky(), {"smooth": 0.0}),
        (Tversky(), {"alpha": 0.0, "beta": 0.0}),
        (Dice(), {"smooth": math.nan}),
        (FocalTversky(), {"gamma": 0.0}),
        (FocalTversky(), {"beta": math.inf}),
    ],
)
def test_numbers_that_make_no_sense_are_refused(loss, wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        replace(loss, **wrong)

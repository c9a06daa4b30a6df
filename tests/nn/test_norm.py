"""The fused norm: against its definition, against torch's, by finite differences, at the limits."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from veernet.nn import Extent, GroupNorm, blocks, group_norm, half_or_16

ACTIVATIONS = {"none": lambda u: u, "relu": torch.relu, "silu": F.silu}

side = st.integers(1, 40)


def written_out(x, groups, weight, bias, residual, activation):
    """The formula on one image (1, C, h, w) alone."""
    grouped = x.reshape(groups, -1)
    mean, var = grouped.mean(1, keepdim=True), grouped.var(1, correction=0, keepdim=True)
    normal = ((grouped - mean) / (var + 1e-5).sqrt()).reshape(x.shape)
    u = normal * weight[:, None, None] + bias[:, None, None] + residual
    return ACTIVATIONS[activation](u)


@pytest.fixture(params=[1 << 6, 1 << 18], ids=["in strips", "whole"])
def strip(request, monkeypatch):
    """How many elements the norm works on at a time; small ones cut these small images too."""
    monkeypatch.setattr(blocks, "NORM_STRIP", {"cpu": request.param})


@pytest.mark.parametrize("activation", ACTIVATIONS)
@settings(max_examples=40)
@given(
    st.sampled_from([(2, 1), (6, 3), (8, 1), (32, 2)]),
    st.lists(st.tuples(side, side), min_size=1, max_size=4),
    st.sampled_from([0.0, 1e6, float("nan"), float("inf")]),
    st.sampled_from([1 << 6, 1 << 9, 1 << 18]),
    st.booleans(),
)
def test_the_norm_is_the_formula_on_each_image_alone(
    activation, shape, sizes, value, strip, joined
):
    """Values and every gradient, whatever the padding holds, in strips of any length."""
    (C, groups), n = shape, len(sizes)
    torch.manual_seed(0)
    H, W = max(h for h, _ in sizes) + 3, max(w for _, w in sizes) + 2
    x = torch.randn(n, C, H, W, dtype=torch.float64) + 3
    r = torch.randn_like(x)
    outside = Extent(tuple(sizes), (H, W)).outside(x.device)
    x, r = (t.masked_fill(outside, value).requires_grad_() for t in (x, r))
    weight, bias = (torch.randn(C, dtype=torch.float64, requires_grad=True) for _ in range(2))
    leaves = [x, weight, bias, *[r] * joined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "NORM_STRIP", {"cpu": strip})
        y = group_norm(
            x, groups, weight, bias,
            residual=r if joined else None, activation=activation,
            extent=Extent(tuple(sizes), (H, W)),
        )  # fmt: skip
        upstream = torch.randn_like(y)
        found = torch.autograd.grad(y, leaves, upstream)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert (y.masked_select(outside) == 0).all()
    assert all((g.masked_select(outside) == 0).all() for g in found if g.shape == x.shape)
    total = upstream.new_zeros(())
    for i, (h, w) in enumerate(sizes):
        at = (slice(i, i + 1), slice(None), slice(h), slice(w))
        own = written_out(x[at], groups, weight, bias, r[at] if joined else 0, activation)
        torch.testing.assert_close(y[at], own)
        total = total + (own * upstream[at]).sum()
    for found_one, expected in zip(found, torch.autograd.grad(total, leaves), strict=True):
        torch.testing.assert_close(found_one, expected.masked_fill(expected.isnan(), 0))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("extent", [None, Extent(((3, 4), (5, 2)), (5, 4))])
def test_gradients_by_finite_differences(activation, extent, strip):
    torch.manual_seed(2)
    x, r = (torch.randn(2, 4, 5, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    weight, bias = (torch.randn(4, dtype=torch.float64, requires_grad=True) for _ in range(2))

    def f(x, weight, bias, r):
        return group_norm(x, 2, weight, bias, residual=r, activation=activation, extent=extent)

    assert torch.autograd.gradcheck(f, (x, weight, bias, r))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_padding_it_is_torchs_group_norm_and_activation(dtype, strip):
    torch.manual_seed(0)
    ours, theirs = GroupNorm(32, "relu").to(dtype), nn.GroupNorm(2, 32).to(dtype)
    for p in ours.parameters():
        nn.init.normal_(p)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 32, 17, 23, dtype=dtype, requires_grad=True)
    y, expected = ours(x), theirs(x).relu()
    torch.testing.assert_close(y, expected)
    upstream = torch.randn_like(y)
    found = torch.autograd.grad(y, [x, *ours.parameters()], upstream)
    wanted = torch.autograd.grad(expected, [x, *theirs.parameters()], upstream)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("offset", [1e3, 1e4])
def test_a_mean_far_above_the_deviation_does_not_cancel_the_variance(offset, strip):
    """In float32 a mean of squares minus a squared mean would leave nothing of it."""
    x = torch.randn(1, 4, 50, 60, dtype=torch.float64)
    x = (x + offset).float()
    y = group_norm(x, 1)
    expected = F.group_norm(x.double(), 1)
    assert (y - expected).abs().max() < 1e-6 * offset


def test_a_first_strip_unlike_the_rest_costs_little_precision(monkeypatch):
    """The worst case of shifting by the mean of the first strip, one of 50."""
    monkeypatch.setattr(blocks, "NORM_STRIP", {"cpu": 4 * 60})
    x = torch.randn(1, 4, 50, 60)
    x[:, :, 0] += 1e4
    expected = F.group_norm(x.double(), 1)
    assert (group_norm(x, 1) - expected).abs().max() < 1e-4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_goes_in_and_out_and_float32_is_inside(dtype, strip):
    torch.manual_seed(0)
    x = (100 + torch.randn(2, 8, 30, 40)).to(dtype).requires_grad_()
    extent = Extent(((30, 40), (21, 33)), (30, 40))
    y = group_norm(x, 1, activation="relu", extent=extent)
    expected = group_norm(x.detach().double(), 1, activation="relu", extent=extent)
    assert y.dtype == dtype
    assert (y - expected).abs().max() <= 2 * torch.finfo(dtype).eps * expected.abs().max()
    assert torch.autograd.grad(y.float().square().sum(), x)[0].dtype == dtype


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nothing_wider_than_the_features_is_kept_for_the_backward(activation):
    x, r = (
        torch.randn(2, 8, 30, 40)
        .bfloat16()
        .contiguous(memory_format=torch.channels_last)
        .requires_grad_()
        for _ in range(2)
    )
    weight, kept = torch.ones(8, requires_grad=True), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = group_norm(x, 1, weight, residual=r, activation=activation)
    large = [t for t in kept if t.numel() >= x.numel()]
    known = {t.data_ptr() for t in (x, r, y)}
    assert {t.data_ptr() for t in large} <= known
    assert len(large) == (1 if activation == "none" else 2)
    assert all(t.dtype == torch.bfloat16 for t in large)


def test_autocast_keeps_the_features_in_bfloat16():
    conv, ours = nn.Conv2d(1, 8, 3, padding=1), GroupNorm(8, "relu")
    with torch.autocast("cpu", torch.bfloat16):
        y = ours(conv(torch.rand(1, 1, 9, 9)))
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert conv.weight.grad is not None
    assert conv.weight.grad.dtype == torch.float32


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match="groups=3, channels=8"):
        group_norm(torch.zeros(1, 8, 2, 2), 3)


def test_half_or_16_as_published():
    """One group up to 31 channels, two groups of half the channels from 32 on."""
    assert [half_or_16(c) for c in (1, 8, 16, 20, 31, 32, 48, 128)] == [1, 1, 1, 1, 1, 2, 2, 2]
    with pytest.raises(ValueError, match="even from 32 on; got 33"):
        half_or_16(33)


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_operator_is_what_torch_is_told_of_it(activation, joined, dtype, strip):
    """Its schema, its results without data, its gradient; of features channels-last or not."""
    torch.manual_seed(0)
    x, r = (torch.randn(2, 32, 7, 9, dtype=dtype, requires_grad=True) for _ in range(2))
    last = x.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    weight, bias = (torch.randn(32, requires_grad=True) for _ in range(2))
    for features in (x, last):
        torch.library.opcheck(
            torch.ops.veernet.group_norm.default,
            (features, weight, bias, r if joined else None, [7, 5, 3, 9], 2, 1e-5, activation),
        )

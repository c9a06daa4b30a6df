"""Each part of the network against a definition or an independent implementation."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from veernet import Network, VeerNet
from veernet.errors import OptionError
from veernet.nn import Extent, GroupNorm, SelfAttention, half_or_16, subsample, upsample

side = st.integers(1, 40)


def test_half_or_16_as_published():
    """One group up to 31 channels, two groups of half the channels from 32 on."""
    assert [half_or_16(c) for c in (1, 8, 16, 20, 31, 32, 48, 128)] == [1, 1, 1, 1, 1, 2, 2, 2]
    with pytest.raises(ValueError, match="even from 32 on; got 33"):
        half_or_16(33)


@given(st.integers(1, 5), side, side)
def test_halving_an_extent_is_what_a_convolution_of_stride_2_does(times, h, w):
    extent, x = Extent(((h, w),), (h, w)), torch.zeros(1, 1, h, w)
    for _ in range(times):
        extent, x = extent.halved(), nn.functional.conv2d(x, torch.zeros(1, 1, 3, 3), None, 2, 1)
    assert extent.sizes == ((x.shape[2], x.shape[3]),)
    assert extent.canvas == extent.sizes[0]


@settings(max_examples=30)
@given(st.sampled_from([8, 32]), st.lists(st.tuples(side, side), min_size=1, max_size=3))
def test_the_norm_is_that_of_each_image_cut_out(channels, sizes):
    """Against mean and variance written out, on the image alone."""
    canvas = max(h for h, _ in sizes) + 3, max(w for _, w in sizes) + 2
    x = torch.randn(len(sizes), channels, *canvas, dtype=torch.float64)
    norm = GroupNorm(channels).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    y = norm(x, Extent(tuple(sizes), canvas))
    for i, (h, w) in enumerate(sizes):
        groups = x[i, :, :h, :w].reshape(half_or_16(channels), -1)
        mean, var = groups.mean(1, keepdim=True), groups.var(1, correction=0, keepdim=True)
        expected = ((groups - mean) / (var + 1e-5).sqrt()).reshape(channels, h, w)
        expected = expected * norm.weight[:, None, None] + norm.bias[:, None, None]
        torch.testing.assert_close(y[i, :, :h, :w], expected)
        assert y[i, :, h:].abs().sum() == y[i, :, :, w:].abs().sum() == 0


def test_upsampling_repeats_pixels_and_clears_what_lies_past_an_odd_edge():
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert upsample(x, Extent(((3, 3),), (4, 4)))[0, 0].tolist() == [
        [1, 1, 2, 0],
        [1, 1, 2, 0],
        [3, 3, 4, 0],
        [0, 0, 0, 0],
    ]


@given(side, side)
def test_subsampling_then_a_1x1_convolution_is_one_of_stride_2(h, w):
    x, weight = torch.randn(1, 3, h, w), torch.randn(2, 3, 1, 1)
    expected = nn.functional.conv2d(x, weight, stride=2)
    torch.testing.assert_close(nn.functional.conv2d(subsample(x), weight), expected)


def test_attention_sees_differences_of_positions_only():
    """Against attention written out with the rotation as complex numbers, from another origin."""
    torch.manual_seed(0)
    attention = SelfAttention(16, heads=2).double()
    H, W = 3, 5
    x = torch.randn(1, H, W, 16, dtype=torch.float64)
    q, k, v = attention.to_qkv(x).view(H * W, 3, 2, 8).permute(1, 2, 0, 3)
    y, column = torch.meshgrid(torch.arange(H) + 7.0, torch.arange(W) - 4.0, indexing="ij")
    frequency = 100.0 ** -torch.tensor([0, 0.5], dtype=torch.float64)
    place = torch.stack([y.flatten(), column.flatten()], 1).double()
    turn = torch.polar(torch.ones(H * W, 4).double(), (place[:, :, None] * frequency).flatten(1))
    q, k = (torch.complex(z[..., :4].contiguous(), z[..., 4:].contiguous()) * turn for z in (q, k))
    scores = (q @ k.conj().mT).real / 8**0.5
    expected = (scores.softmax(-1) @ v).transpose(0, 1).reshape(1, H, W, 16)
    torch.testing.assert_close(attention(x), attention.out(expected))


def test_sizes_beyond_the_canvas_are_refused():
    image = torch.zeros(1, 1, 4, 6)
    with pytest.raises(ValueError, match=r"canvas 4 × 6; got \(\(4, 7\),\)"):
        Extent.of(image, torch.tensor([[4, 7]]))
    with pytest.raises(ValueError, match="between 1 × 1"):
        Extent.of(image, torch.tensor([[0, 6]]))


def test_the_default_network_is_the_one_described():
    model = VeerNet(Network())
    assert len(model.down) == len(model.up) == 5
    assert model.network.widths[-1] == 128
    assert len(model.bottleneck) == 2
    assert sum(p.numel() for p in model.parameters()) == 1_434_907


def test_networks_that_cannot_be_are_refused():
    with pytest.raises(OptionError, match="at least 1 plane"):
        Network(planes=0)
    for wrong in ({"widths": (8, 18)}, {"heads": 0}, {"heads": 3}):
        with pytest.raises(OptionError, match="multiple of 4 × heads"):
            Network(**wrong)
    with pytest.raises(OptionError, match="even"):
        Network(widths=(8, 33, 16))

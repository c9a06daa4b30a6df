"""Each part of the network against a definition or an independent implementation."""

from typing import Any

import pytest
import torch

from veernet import VeerNet, VeerNetConfig
from veernet.errors import OptionError
from veernet.nn import Extent, SelfAttention


def test_attention_sees_differences_of_positions_only():
    """Against attention written out with the rotation as complex numbers, from another origin."""
    torch.manual_seed(0)
    attention = SelfAttention(16, num_heads=2).double()
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
    model = VeerNet(VeerNetConfig())
    assert len(model.down) == len(model.up) == 5
    assert model.config.channels[-1] == 128
    assert len(model.bottleneck) == 2
    assert sum(p.numel() for p in model.parameters()) == 1_434_907


def test_networks_that_cannot_be_are_refused():
    with pytest.raises(OptionError, match="out_channels of at least 1"):
        VeerNetConfig(out_channels=0)
    several: list[dict[str, Any]] = [{"channels": (8, 18)}, {"num_heads": 0}, {"num_heads": 3}]
    for wrong in several:
        with pytest.raises(OptionError, match="multiple of 4 × num_heads"):
            VeerNetConfig(**wrong)
    with pytest.raises(OptionError, match="even"):
        VeerNetConfig(channels=(8, 33, 16))

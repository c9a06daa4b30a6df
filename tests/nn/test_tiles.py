"""Features by tiles are those of the whole, and the whole is never there."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from veernet import VeerNet, VeerNetConfig
from veernet.nn import GroupNorm, blocks
from veernet.nn import tiles as tiling
from veernet.nn.tiles import map_tiles, statistics


@st.composite
def cut_widths(draw):
    """The width of a tile and that of an image: any, or one more or less than some tiles."""
    columns = draw(st.sampled_from([2, 4, 6, 10]))
    some_tiles = st.builds(
        lambda k, more: max(1, k * columns + more), st.integers(1, 5), st.sampled_from([-1, 0, 1])
    )
    return columns, draw(st.integers(1, 40) | some_tiles)


@settings(max_examples=100)
@given(cut_widths(), st.integers(1, 9), st.integers(1, 2), st.integers(0, 1000))
def test_a_function_by_tiles_is_the_function_of_the_whole(widths, h, n, seed):
    """Two convolutions deep, of maps at full and at half resolution, with results at both; and
    the gradients with respect to maps and weights."""
    columns, w = widths
    torch.manual_seed(seed)
    first, second, third = (nn.Conv2d(4, 4, 3, stride, 1).double() for stride in (1, 1, 2))
    x = torch.randn(n, 2, h, w, dtype=torch.float64, requires_grad=True)
    half = torch.randn(n, 2, -(-h // 2), -(-w // 2), dtype=torch.float64, requires_grad=True)

    def f(x, half):
        up = F.interpolate(half, scale_factor=2.0)[:, :, :h, : x.shape[3]]
        y = first(torch.cat([up, x], 1)).sin()
        return second(y), third(y)

    def own(tile, *parts):
        full, halved = f(*parts)
        return tile.interior(full), tile.interior(halved, stride=2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "TILE_COLUMNS", columns)
        found, expected = map_tiles(own, x, half), f(x, half)
        upstream = [torch.randn_like(y) for y in expected]
        leaves = [x, half, *first.parameters(), *second.parameters(), *third.parameters()]
        gradients = [torch.autograd.grad(y, leaves, upstream) for y in (found, expected)]
    for a, b in zip((*found, *gradients[0]), (*expected, *gradients[1]), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def whole_statistics(x, groups):
    """By torch, in float64."""
    x = x.double().unflatten(1, (groups, -1))
    variance, mean = torch.var_mean(x, (2, 3, 4), correction=0)
    both = torch.stack([mean, (variance + 1e-5).rsqrt()])
    return both.repeat_interleave(x.shape[2], dim=2)[..., None, None]


def of_slab(tile, x):
    return x


@pytest.mark.parametrize(("offset", "rounding"), [(0.0, 1e-6), (1e4, 2e-3)])
def test_statistics_survive_a_mean_far_above_the_deviation(offset, rounding, monkeypatch):
    """Of tiles that differ in mean and in width, in groups that differ, in float32; at 1e4 its
    numbers are 1e-3 apart, and a mean of squares minus a squared mean would be 8 apart."""
    monkeypatch.setattr(tiling, "TILE_COLUMNS", 16)
    torch.manual_seed(0)
    drift = torch.linspace(0, 3, 70)
    x = offset + drift + torch.randn(2, 32, 40, 70) * torch.linspace(1, 2, 32)[:, None, None]
    mean, rstd = statistics(GroupNorm(32), of_slab, x)
    wanted = whole_statistics(x, 2)
    assert mean.dtype == torch.float32
    torch.testing.assert_close(mean.double(), wanted[0], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(rstd.double(), wanted[1], rtol=rounding, atol=0)


@settings(max_examples=50)
@given(cut_widths(), st.integers(1, 9), st.sampled_from([4, 32]), st.integers(0, 1000))
def test_statistics_of_slabs_are_those_of_the_whole_and_so_are_their_gradients(
    widths, h, channels, seed
):
    columns, w = widths
    torch.manual_seed(seed)
    x = torch.randn(2, channels, h, w, dtype=torch.float64, requires_grad=True)
    model = GroupNorm(channels).double()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "TILE_COLUMNS", columns)
        found, expected = statistics(model, of_slab, x), whole_statistics(x, model.num_groups)
        upstream = torch.randn_like(expected)
        gradients = [torch.autograd.grad(y, x, upstream)[0] for y in (found, expected)]
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


class Largest(TorchDispatchMode):
    """The most bytes of memory that one tensor lies in, of all that operations make."""

    nbytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        made = (x for x in tree_leaves(result) if isinstance(x, torch.Tensor))
        self.nbytes = max(self.nbytes, *(x.untyped_storage().nbytes() for x in made), 0)
        return result


@pytest.mark.parametrize("out_channels", [1, 3])
@pytest.mark.parametrize("sizes", [[(32, 160)], [(32, 160), (32, 160)], [(31, 97), (32, 160)]])
@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_nothing_of_full_resolution_is_ever_whole_but_image_and_logits(
    out_channels, sizes, activation, monkeypatch
):
    """Features have 8 channels there; 8 at half the resolution weigh as much as 2 of them."""
    monkeypatch.setattr(tiling, "TILE_COLUMNS", 8)
    monkeypatch.setattr(blocks, "NORM_STRIP", {"cpu": 256})
    network = VeerNetConfig(
        out_channels=out_channels, channels=(8, 4), num_layers=0, num_heads=1, activation=activation
    )
    model, largest = VeerNet(network), {}
    image = torch.rand(len(sizes), 1, 32, 160)
    for policy in ("stages", "tiles"):
        model.activation_checkpointing = policy
        with Largest() as seen:
            model(image, torch.tensor(sizes)).square().mean().backward()
        largest[policy] = seen.nbytes
    assert largest["tiles"] == max(out_channels * image.nbytes, 2 * image[:1].nbytes)
    assert largest["stages"] >= 8 * image.nbytes  # where it is, it is seen

"""Activation checkpointing in tiles along the width: full-resolution features never exist whole.

A network's finest features are its largest, and cheap to compute. Here they are computed from
coarse or small inputs, one tile of columns at a time, and recomputed in the backward. The result is
that of the whole image: every tile has a halo of as many neighbouring columns as the convolutions
read, and normalisation uses the statistics of all tiles.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint  # pyright: ignore[reportUnknownVariableType]: untyped

from veernet.nn.norm import GroupNorm, activate_

TILE_COLUMNS = 256
"""Width of a tile, px; even."""

HALO = 2
"""Neighbouring columns on either side of a tile: even, and enough for two 3 × 3 convolutions in
sequence."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Columns `start` to `stop` of an image; with their halo, `left` to `right`, px."""

    start: int
    stop: int
    left: int
    right: int

    def interior(self, x: Float[Tensor, "B C H W"], stride: int = 1) -> Float[Tensor, "B C H w"]:
        """Crop features computed from the tile with its halo to the tile's own columns."""
        first = (self.start - self.left) // stride
        return x[..., first : first - (self.start - self.stop) // stride]


def tiles(width: int) -> list[Tile]:
    """Divide an image of `width` px into tiles."""
    return [
        Tile(a, b := min(a + TILE_COLUMNS, width), max(a - HALO, 0), min(b + HALO, width))
        for a in range(0, width, TILE_COLUMNS)
    ]


def checkpointed(f: Callable[..., Any], *inputs: Any) -> Any:
    """Return `f(*inputs)`; its activations are recomputed from `inputs` in the backward."""
    if not torch.is_grad_enabled():
        return f(*inputs)
    return checkpoint(f, *inputs, use_reentrant=False, preserve_rng_state=False)  # pyright: ignore[reportUnknownVariableType]: untyped in torch


def map_tiles(
    f: Callable[..., tuple[Tensor, ...]], *maps: Float[Tensor, "B _ _ _"]
) -> tuple[Float[Tensor, "B _ _ _"], ...]:
    """Apply `f` to every tile, checkpointed, and concatenate its results along the width.

    Args:
        f: called with a `Tile` and that part of each map, halo included; it returns tensors of the
            tile's `interior` alone.
        maps: full width at the resolution of the tiles; narrower ones at half of it.
    """
    width = max(x.shape[3] for x in maps)
    cuts = tiles(width)
    strides = [1 if x.shape[3] == width else 2 for x in maps]
    parts = zip(*(_cut_tiles(x, n, cuts) for x, n in zip(maps, strides, strict=True)), strict=True)
    results = [checkpointed(f, tile, *part) for tile, part in zip(cuts, parts, strict=True)]
    return tuple(torch.cat(result, dim=3) for result in zip(*results, strict=True))


def _cut_tiles(x: Tensor, stride: int, cuts: Sequence[Tile]) -> tuple[Tensor, ...]:
    return _CutTiles.apply(x, stride, cuts)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]: untyped in torch


class _CutTiles(torch.autograd.Function):
    """Views of the tiles of a map, with halos; their gradients are summed into one tensor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, stride: int, cuts: Sequence[Tile]) -> tuple[Tensor, ...]:
        ctx.settings = x.shape, list(_columns(cuts, stride))
        return tuple(x[..., columns] for columns in ctx.settings[1])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        shape, columns = ctx.settings
        whole = grads[0].new_zeros(shape).contiguous(memory_format=torch.channels_last)
        for part, grad in zip(columns, grads, strict=True):
            whole[..., part] += grad
        return whole, None, None


def _columns(cuts: Sequence[Tile], stride: int) -> Iterator[slice]:
    return (slice(tile.left // stride, -(-tile.right // stride)) for tile in cuts)


def statistics(
    norm: GroupNorm, f: Callable[..., Tensor], *maps: Float[Tensor, "B _ _ _"]
) -> Float[Tensor, "2 B C 1 1"]:
    """Mean and reciprocal standard deviation per channel of `f` over all tiles.

    Source: Chan, Golub & LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 2.1.
    """

    def moments(tile: Tile, *parts: Tensor) -> tuple[Tensor, ...]:
        """Number of values, mean, and sum of squared deviations of every group."""
        x = tile.interior(f(tile, *parts))
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        x = torch.unflatten(x, 1, (norm.num_groups, -1))
        mean = x.mean((2, 3, 4), keepdim=True)
        squares = (x - mean).square().sum((2, 3, 4), keepdim=True)
        n = torch.full_like(mean, x[0, 0].numel())
        return tuple(of_tile[:, :, 0] for of_tile in (n, mean, squares))

    n, means, squares = map_tiles(moments, *maps)
    total = n.sum(3, keepdim=True)
    mean = (n * means).sum(3, keepdim=True) / total
    variance = (squares + n * (means - mean).square()).sum(3, keepdim=True) / total
    both = torch.stack([mean, (variance + norm.eps).rsqrt()])
    return both.repeat_interleave(norm.num_channels // norm.num_groups, dim=2)


def normalised(
    norm: GroupNorm, x: Float[Tensor, "B C H W"], found: Float[Tensor, "2 B C 1 1"]
) -> Float[Tensor, "B C H W"]:
    """Normalise features by the statistics `found` and activate them; in the dtype of `x`."""
    mean, rstd = found
    scale = rstd * norm.weight[:, None, None].to(rstd.dtype)
    y = torch.addcmul(norm.bias[:, None, None].to(rstd.dtype) - mean * scale, x, scale)
    return activate_(y, norm.activation).to(x.dtype)

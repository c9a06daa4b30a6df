"""Group normalisation over each image's own pixels, fused with residual sum and activation."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from veernet.nn.blocks import Block, Strips, blocks_of, wide_dtype
from veernet.nn.extent import Extent
from veernet.nn.padded import Padded, check_same_extent, extent_of, unwrap, wrap_like

Activation = Literal["none", "relu", "silu"]

Maybe = TypeVar("Maybe", Tensor, None, Tensor | None)


def half_or_16(channels: int) -> int:
    """The number of groups when a group has max(channels / 2, 16) channels.

    One group up to 31 channels, two groups from 32 on.

    Raises:
        ValueError: the groups would not divide the channels.
    """
    groups = max(1, channels // max(channels // 2, 16))
    if channels < 1 or channels % groups:
        raise ValueError(f"channels must be at least 1, and even from 32 on; got {channels}")
    return groups


class GroupNorm(nn.GroupNorm):
    """`group_norm` as a module, with `half_or_16` groups, optional residual sum and activation."""

    def __init__(self, channels: int, activation: Activation = "none"):
        super().__init__(half_or_16(channels), channels)  # pyright: ignore[reportUnknownMemberType]: untyped in torch
        self.activation: Activation = activation

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, x: Float[Tensor, "B C H W"], residual: Float[Tensor, "B C H W"] | None = None
    ) -> Float[Tensor, "B C H W"]:
        if residual is not None:
            check_same_extent([x, residual], all_known=isinstance(x, Padded))
        y = group_norm(
            unwrap(x),
            self.num_groups,
            self.weight,
            self.bias,
            eps=self.eps,
            residual=None if residual is None else unwrap(residual),
            activation=self.activation,
            extent=extent_of(x),
        )
        return wrap_like(x, y, clear=True)


def group_norm(
    x: Float[Tensor, "B C H W"],
    groups: int,
    weight: Float[Tensor, "C"] | None = None,
    bias: Float[Tensor, "C"] | None = None,
    *,
    eps: float = 1e-5,
    residual: Float[Tensor, "B C H W"] | None = None,
    activation: Activation = "none",
    extent: Extent | None = None,
) -> Float[Tensor, "B C H W"]:
    """Normalise over each image's own pixels V and the channels of each group, add, activate.

        y = act(weight (x - mean_V(x)) / sqrt(var_V(x) + eps) + bias + residual)    on V,
        y = 0 elsewhere, whatever `x` holds there.

    The result has the dtype of `x` and lies channels-last; statistics and arithmetic are in
    float32, in float64 for float64. Nothing wider than `x` is kept for the backward: only `x`, the
    result (relu) or `residual` (silu), and two numbers per group. Once differentiable.

    Args:
        extent: where the images are; all of `x` if None.

    Raises:
        ValueError: `groups` does not divide the channels, or `residual` has another shape.

    Source: Wu & He 2018, arXiv:1803.08494, eq. 1-6; the restriction to V is ours.
    """
    B, C, H, W = x.shape
    if C % groups:
        raise ValueError(f"groups must divide channels; got {groups=}, channels={C}")
    if residual is not None and residual.shape != x.shape:
        raise ValueError(f"residual must be {tuple(x.shape)}; got {tuple(residual.shape)}")
    sizes = [side for size in extent.sizes for side in size] if extent else [H, W] * B
    return _normalise(x, weight, bias, residual, sizes, groups, eps, activation)[0]


def activate_(u: Tensor, activation: Activation) -> Tensor:
    """Apply the activation to `u` in place; returns it."""
    match activation:
        case "none":
            return u
        case "relu":
            return u.relu_()
        case "silu":
            return F.silu(u, inplace=True)


def _statistics(block: Block, strips: Strips, groups: int, eps: float) -> Tensor:
    """Mean and reciprocal standard deviation per image and channel: (2, b, C), equal in a group.

    Values are shifted by the mean of the first strip before they are squared, so that nothing
    cancels: with the first of k strips however far off, the variance loses a factor k of precision
    at most, not (mean / deviation)^2.

    Source: Chan, Golub & LeVeque 1983, doi:10.1080/00031305.1983.10483115, section 3.
    """
    first = next(block.wide(strips))
    whole = first.shape[1] == block.h
    seen = block.pixels if whole else block.pixels.new_full((1, 1), first.shape[1] * block.w)
    guess = _group_means(block.per_channel(first.sum(1)), seen, groups)
    shift = block.along_row(guess)
    total = squares = guess.new_zeros(())
    for strip in block.wide(strips):
        shifted = block.cleared(strip - shift)
        total = total + shifted.sum(1)
        squares = squares + shifted.square_().sum(1)
    sums = torch.stack([block.per_channel(total), block.per_channel(squares)])
    beyond, around = _group_means(sums, block.pixels, groups)
    variance = around - beyond.square()
    return torch.stack([guess + beyond, (variance.clamp(min=0) + eps).rsqrt()])


@dataclass(frozen=True, slots=True)
class _Layer:
    """Inputs of one block that forward and backward share."""

    block: Block
    x: Strips
    weight: Tensor | None
    bias: Tensor | None
    residual: Strips | None
    activation: Activation

    def before_activation(self, statistics: Tensor) -> Iterator[Tensor]:
        """Yield the strips of the normalised features plus residual."""
        mean, rstd = statistics
        scale = rstd if self.weight is None else rstd * self.weight.to(rstd.dtype)
        shift = -mean * scale if self.bias is None else self.bias.to(rstd.dtype) - mean * scale
        scale, shift = self.block.along_row(scale), self.block.along_row(shift)
        residuals = repeat(None) if self.residual is None else self.block.wide(self.residual)
        for strip, residual in zip(self.block.wide(self.x), residuals, strict=False):
            u = torch.addcmul(shift, strip, scale)
            yield u if residual is None else u.add_(residual)

    def activated(self, statistics: Tensor) -> Iterator[Tensor]:
        """Yield the strips of the result."""
        return (activate_(u, self.activation) for u in self.before_activation(statistics))

    def slopes(self, statistics: Tensor, grad: Strips, y: Strips | None) -> Iterator[Tensor]:
        """Yield the strips of the gradient before the activation; relu needs its result `y`."""
        grads = self.block.wide(grad)
        match self.activation:
            case "none":
                yield from grads
            case "relu":
                assert y is not None
                for g, out in zip(grads, self.block.wide(y), strict=True):
                    yield torch.ops.aten.threshold_backward(g, out, 0)
            case "silu":
                for g, u in zip(grads, self.before_activation(statistics), strict=True):
                    yield torch.ops.aten.silu_backward(g, u)


# An operator of its own rather than an autograd function: `torch.compile` and fake tensors see one
# operation with one result, not the strips.
@torch.library.custom_op(
    "veernet::group_norm",
    mutates_args=(),
    schema="(Tensor x, Tensor? weight, Tensor? bias, Tensor? residual, int[] sizes, int groups, "
    "float eps, str activation) -> (Tensor, Tensor)",
)
def _normalise(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    residual: Tensor | None,
    sizes: Sequence[int],
    groups: int,
    eps: float,
    activation: Activation,
) -> tuple[Tensor, Tensor]:
    """Compute `group_norm` strip by strip; returns the result and the statistics (2, B, C)."""
    x, residual = _channels_last(x), _channels_last(residual)
    y, statistics = _like(x), list[Tensor]()
    for block in blocks_of(x, sizes):
        layer = _layer(block, x, weight, bias, residual, activation)
        statistics.append(_statistics(block, layer.x, groups, eps))
        made = layer.activated(statistics[-1])
        for out, strip in zip(block.strips(y), made, strict=True):
            out.copy_(block.cleared(strip))
        block.clear_around_(y)
    return y, torch.cat(statistics, dim=1)


@_normalise.register_fake  # pyright: ignore[reportUnknownMemberType]: untyped in torch
def _(x: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    statistics = x.new_empty((2, *x.shape[:2]), dtype=wide_dtype(x))
    return _like(x), statistics


@torch.library.custom_op(
    "veernet::group_norm_backward",
    mutates_args=(),
    schema="(Tensor grad, Tensor x, Tensor? weight, Tensor? bias, Tensor? residual, Tensor? y, "
    "Tensor statistics, int[] sizes, int groups, str activation, bool joined) "
    "-> (Tensor, Tensor, Tensor)",
)
def _differentiate(
    grad: Tensor,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    residual: Tensor | None,
    y: Tensor | None,
    statistics: Tensor,
    sizes: Sequence[int],
    groups: int,
    activation: Activation,
    joined: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return dL/dx; dL/dweight and dL/dbias, (2, C); and dL/dresidual, if one was `joined`.

    With u the features before the activation, g = dL/du and x^ the normalised features,

        dL/dx = rstd (weight g - mean(weight g) - x^ mean(weight g x^)),    dL/dresidual = g,

    the means over the pixels and channels of the group.
    """
    x, grad, residual = _channels_last(x), _channels_last(grad), _channels_last(residual)
    dx, dr = torch.empty_like(x), torch.empty_like(x) if joined else x.new_empty(0)
    sums: list[Tensor] = []
    for block in blocks_of(x, sizes):
        layer = _layer(block, x, weight, bias, residual, activation)
        kept = statistics[:, block.images]
        undone = None if y is None else block.strips(y)  # relu's result, 0 on the padding
        upstream = block.taken(grad) if undone is None else block.strips(grad)
        sums.append(_sums(layer, kept, layer.slopes(kept, upstream, undone)))
        shift, slope, scale = _line(layer, kept, sums[-1], groups)
        slopes = layer.slopes(kept, upstream, undone)
        into = block.strips(dr) if joined else repeat(None)
        outs = zip(block.strips(dx), into, strict=False)
        for (out, d), strip, g in zip(outs, block.wide(layer.x), slopes, strict=True):
            if d is not None:
                d.copy_(g)
            line = torch.addcmul(shift, strip, slope)
            out.copy_(block.cleared(line.addcmul_(g, scale)))
        block.clear_around_(dx)
        if joined:
            block.clear_around_(dr)
    return dx, torch.cat(sums, dim=1).sum(1), dr


@_differentiate.register_fake  # pyright: ignore[reportUnknownMemberType]: untyped in torch
def _(grad: Tensor, x: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:
    dr = _like(x) if rest[-1] else x.new_empty(0)
    return _like(x), x.new_empty((2, x.shape[1]), dtype=wide_dtype(x)), dr


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, weight, bias, residual, sizes, groups, _, activation = inputs
    y, statistics = output
    kept_y = y if activation == "relu" else None
    kept_residual = residual if activation == "silu" else None
    ctx.save_for_backward(x, weight, bias, kept_residual, kept_y, statistics)
    ctx.settings = sizes, groups, activation, residual is not None and residual.requires_grad
    ctx.mark_non_differentiable(statistics)


def _backward(ctx: Any, grad: Tensor, _: Tensor | None) -> tuple[Tensor | None, ...]:
    saved = ctx.saved_tensors  # once: each access may recompute them (checkpointing)
    weight, bias = saved[1:3]
    dx, (d_weight, d_bias), dr = _differentiate(grad, *saved, *ctx.settings)
    return (
        dx,
        None if weight is None else d_weight.to(weight.dtype),
        None if bias is None else d_bias.to(bias.dtype),
        dr if ctx.settings[-1] else None,
        *(None for _ in range(4)),
    )


_normalise.register_autograd(_backward, setup_context=_keep)  # pyright: ignore[reportUnknownMemberType]: untyped in torch


def _layer(
    block: Block,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    residual: Tensor | None,
    activation: Activation,
) -> _Layer:
    residuals = None if residual is None else block.taken(residual)
    return _Layer(block, block.taken(x), weight, bias, residuals, activation)


def _sums(layer: _Layer, statistics: Tensor, slopes: Iterable[Tensor]) -> Tensor:
    """Sums of g x^ and of g over the pixels of every image and channel: (2, b, C)."""
    (mean, rstd), block = statistics, layer.block
    scale, shift = block.along_row(rstd), block.along_row(-mean * rstd)
    weighted = plain_sum = mean.new_zeros(())
    for strip, g in zip(block.wide(layer.x), slopes, strict=True):
        weighted = weighted + torch.addcmul(shift, strip, scale).mul_(g).sum(1)
        plain_sum = plain_sum + g.sum(1)
    return torch.stack([block.per_channel(weighted), block.per_channel(plain_sum)])


def _line(
    layer: _Layer, statistics: Tensor, sums: Tensor, groups: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return shift, slope and scale of dL/dx = shift + slope x + scale g, each along a row."""
    (mean, rstd), block = statistics, layer.block
    weight = torch.ones_like(rstd) if layer.weight is None else layer.weight.to(rstd.dtype)
    of_gx, of_g = _group_means(weight * sums, block.pixels, groups)
    slope = -rstd.square() * of_gx
    shift = -rstd * of_g - slope * mean
    return block.along_row(shift), block.along_row(slope), block.along_row(rstd * weight)


def _group_means(sums: Tensor, pixels: Tensor, groups: int) -> Tensor:
    """Turn sums over pixels, (..., b, C), into means over the pixels and channels of each group,
    repeated for each of its channels."""
    members = torch.unflatten(sums, -1, (groups, -1))
    return (members.mean(-1, keepdim=True) / pixels[:, None]).expand_as(members).flatten(-2)


def _like(x: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=torch.channels_last)


def _channels_last(x: Maybe) -> Maybe:
    return x if x is None else x.contiguous(memory_format=torch.channels_last)

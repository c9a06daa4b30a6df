"""Rules for functions that read neighbours or the whole image, on a padded canvas.

Every rule gives an image the result that the function gives for that image alone. A convolution
does so if its input is 0 outside the image, like the zero padding around the image alone. Functions
of a whole image are computed for each image (normalisation, attention), or on a crop of each image
(`per_image`).

A rule is called with torch's function, then the arguments of that function.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from veernet.errors import CouplingError, LeakError
from veernet.nn.extent import Extent
from veernet.nn.norm import group_norm
from veernet.nn.padded import (
    MAP,
    Padded,
    check_same_extent,
    extent_of,
    extent_of_sides,
    is_clear,
    require,
    require_channels,
    sides_of,
    unwrap,
    wrap_like,
    zero_outside,
)
from veernet.nn.side import Side, of_canvas, of_images

Pair = int | tuple[int, int]


def convolution(
    func: Callable[..., Tensor],
    input: Padded,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair | str = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve features that are 0 outside their images; 1 × 1 reads no neighbour."""
    require(input, MAP)
    kernel = tuple(weight.shape[2:])
    if padding == "same":
        extent = input.place.extent
    else:
        around = (0, 0) if isinstance(padding, str) else _pair(padding)
        sides = zip(kernel, _pair(stride), around, _pair(dilation), strict=True)
        extent = input.place.extent.map(*(_windows(*side) for side in sides))
    alone = kernel == (1, 1) and padding in (0, (0, 0), "same", "valid")
    x = unwrap(input) if alone else zero_outside(input)
    y = func(x, weight, bias, stride, padding, dilation, groups)
    return wrap_like(input, y, clear=alone and is_clear(input) and bias is None, extent=extent)


def transposed_convolution(
    func: Callable[..., Tensor],
    input: Padded,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Pair = 1,
) -> Tensor:
    """Add every pixel's kernel to the result; pixels outside the image are 0 and add nothing.

    Where `output_padding` differs between images, the canvas has the largest.
    """
    require(input, MAP)
    extent, options = input.place.extent, [_pair(x) for x in (stride, padding, dilation)]
    count, mine = len(extent.sizes), cast(dict[str, Any], sides_of(extent))
    more, sides = list[int](), list[Any]()
    for axis, k, s, p, d, out in zip(
        "HW", weight.shape[2:], *options, _pair(output_padding), strict=True
    ):
        sides.append((mine[axis] - 1) * s - 2 * p + d * (k - 1) + out + 1)
        more.append(max(of_canvas(out), *of_images(out, count)))
    after = extent_of_sides(sides[0], sides[1], count)
    y = func(zero_outside(input), weight, bias, stride, padding, tuple(more), groups, dilation)
    return wrap_like(input, _on_canvas(y, after), clear=False, extent=after)


def _on_canvas(y: Tensor, extent: Extent) -> Tensor:
    """Crop a result to the canvas of its extent."""
    H, W = extent.canvas
    return y[:, :, :H, :W]


def group_normalisation(
    func: Callable[..., Tensor],
    input: Padded,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Tensor:
    """Normalise by statistics over the image's own pixels."""
    require(input, MAP)
    extent = input.place.extent
    y = group_norm(unwrap(input), num_groups, weight, bias, eps=eps, extent=extent)
    return wrap_like(input, y, clear=True)


def instance_normalisation(
    func: Callable[..., Tensor],
    input: Padded,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel as a group of its own; with running statistics, pixel by pixel."""
    if not use_input_stats:
        return batch_normalisation(
            F.batch_norm, input, running_mean, running_var, weight, bias, False, momentum, eps
        )
    if running_mean is not None:
        raise CouplingError("instance_norm() that updates running statistics")
    return group_normalisation(func, input, input.shape[1], weight, bias, eps)


def batch_normalisation(
    func: Callable[..., Tensor],
    input: Padded,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    *options: Any,
    **named: Any,
) -> Tensor:
    """Scale and shift each channel by constants when evaluating; refuse in training."""
    if training:
        raise CouplingError("batch_norm() in training couples the images of a batch")
    y = func(unwrap(input), running_mean, running_var, weight, bias, False, *options, **named)
    return wrap_like(input, y, clear=False)


def layer_normalisation(
    func: Callable[..., Tensor],
    input: Padded,
    normalized_shape: Iterable[int],
    *rest: Any,
    **named: Any,
) -> Tensor:
    """Normalise over channels, pixel by pixel; refuse the canvas."""
    shape = tuple(normalized_shape)
    require_channels(input, range(-len(shape), 0), "layer_norm")
    if 0 in rest[2:] or named.get("eps") == 0:
        raise LeakError("layer_norm() with eps = 0, which divides by 0 on the padding")
    return wrap_like(input, func(unwrap(input), shape, *rest, **named), clear=False)


def linear(
    func: Callable[..., Tensor], input: Padded, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Map the last axis, which must be channels, pixel by pixel."""
    require_channels(input, (-1,), "linear")
    y = func(unwrap(input), weight, bias)
    return wrap_like(input, y, clear=is_clear(input) and bias is None)


def max_pooling(
    func: Callable[..., Tensor],
    input: Padded,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,  # always False: with indices torch calls another function
) -> Tensor:
    """Pool features that are minus infinity, as torch pads, where windows cross an image's edge."""
    require(input, MAP)
    stride = stride or kernel_size
    sides = zip(*map(_pair, (kernel_size, stride, padding, dilation)), strict=True)
    extent = input.place.extent
    after = extent.map(*(_windows(*side, ceil=ceil_mode) for side in sides))
    over_edge = ceil_mode or padding not in (0, (0, 0))
    x = unwrap(input)
    if over_edge:
        x = x.masked_fill(extent.outside(x.device), -torch.inf)
    y = func(x, kernel_size, stride, padding, dilation, ceil_mode)
    return wrap_like(input, after.cleared(y) if over_edge else y, clear=over_edge, extent=after)


def average_pooling(
    func: Callable[..., Tensor],
    input: Padded,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Pool with zeros outside the image, as torch pads.

    Image by image where a window is divided by its number of pixels inside the image.
    """
    require(input, MAP)
    stride = stride or kernel_size
    options = (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    sides = zip(*map(_pair, (kernel_size, stride, padding)), strict=True)
    extent = input.place.extent.map(*(_windows(*side, ceil=ceil_mode) for side in sides))
    if ceil_mode or not (count_include_pad or divisor_override):
        return per_image(lambda image: func(image, *options), input, extent)
    return wrap_like(input, func(zero_outside(input), *options), clear=False, extent=extent)


def interpolation(
    func: Callable[..., Tensor],
    input: Padded,
    size: Any = None,
    scale_factor: float | tuple[float, float] | None = None,
    mode: str = "nearest",
    *rest: Any,
    **named: Any,
) -> Tensor:
    """Interpolate on the canvas for nearest by a whole factor, else image by image.

    Every other mode reads across the edge of an image. A `size` from the `shape` of other features
    gives every image its own size there.
    """
    require(input, MAP)
    extent, x = input.place.extent, unwrap(input)
    if size is None:
        target = extent.map(*map(_scaled, _pair(scale_factor)))
        sizes: Iterable[Any] = [None] * len(extent.sizes)
    else:
        target = extent_of_sides(*_pair(size), len(extent.sizes))
        sizes = target.sizes
    factors = [b // a for a, b in zip(extent.canvas, target.canvas, strict=True)]
    if mode == "nearest" and all(factors) and target == extent.map(*map(_scaled, factors)):
        whole = None if size is None else target.canvas
        y = func(x, whole, scale_factor, mode, *rest, **named)
        return wrap_like(input, y, clear=is_clear(input), extent=target)
    own = iter(sizes)
    return per_image(
        lambda image: func(image, next(own), scale_factor, mode, *rest, **named), input, target
    )


def per_image(func: Callable[[Tensor], Tensor], x: Tensor, target: Extent) -> Tensor:
    """Apply a function to a crop of every image; the results are padded with 0 to one batch."""
    H, W = target.canvas
    if not isinstance(x, Padded) and len(x) == 1:
        return func(x)
    images = zip(torch.split(unwrap(x), 1), extent_of(x).sizes, target.sizes, strict=True)
    whole = [
        F.pad(func(image[:, :, :h, :w]), (0, W - after_w, 0, H - after_h))
        for image, (h, w), (after_h, after_w) in images
    ]
    return wrap_like(x, torch.cat(whole), clear=True, extent=target)


def padding(
    func: Callable[..., Tensor],
    input: Padded,
    pad: Iterable[Any],
    mode: str = "constant",
    value: float | None = None,
) -> Tensor:
    """Pad with a constant on the canvas, below and right by the most of any image.

    Modes that repeat pixels of the image are applied image by image.
    """
    require(input, MAP)
    extent = input.place.extent
    left, right, top, bottom, *channels = cast(Sequence[Any], (*pad, 0, 0)[: max(4, len([*pad]))])
    if isinstance(left, Side) or isinstance(top, Side) or any(channels[2:]):
        raise LeakError(f"pad() by {pad}, which moves images apart")
    count, mine = len(extent.sizes), cast(dict[str, Any], sides_of(extent))
    after = extent_of_sides(mine["H"] + top + bottom, mine["W"] + left + right, count)
    if after == extent and not (left or top or any(channels)):
        return wrap_like(input, unwrap(input).clone(), clear=is_clear(input))  # torch copies, too
    if mode != "constant":
        rights, bottoms = iter(of_images(right, count)), iter(of_images(bottom, count))
        return per_image(
            lambda x: func(x, (left, next(rights), top, next(bottoms), *channels), mode, value),
            input,
            after,
        )
    H, W = (out - inside for out, inside in zip(after.canvas, extent.canvas, strict=True))
    x = (
        unwrap(input).masked_fill(extent.outside(input.device), value)
        if value
        else zero_outside(input)
    )
    y = func(x, (left, W - left, top, H - top, *channels), mode, value)
    cut = min(left, top, *of_images(right, count), *of_images(bottom, count)) < 0
    # Infinite values beyond the images would be multiplied by a gradient of 0 there: NaN.
    clear = bool(value) and not math.isfinite(value)
    y = after.cleared(y) if clear else y
    return wrap_like(input, y, clear=clear or not (value or cut), extent=after)


def pixel_shuffle(func: Callable[..., Tensor], input: Padded, upscale_factor: int) -> Tensor:
    """Rearrange channels into a square of pixels per pixel."""
    require(input, MAP)
    extent = input.place.extent.map(*[_scaled(upscale_factor)] * 2)
    y = func(unwrap(input), upscale_factor)
    return wrap_like(input, y, clear=is_clear(input), extent=extent)


def multi_head_attention(
    func: Callable[..., Any],
    query: Padded,
    key: Padded,
    value: Padded,
    *rest: Any,
    key_padding_mask: Tensor | None = None,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    **named: Any,
) -> tuple[Tensor, Tensor | None]:
    """Keys outside the image are masked."""
    if key_padding_mask is not None or attn_mask is not None or is_causal:
        raise LeakError("attention with a mask of its own, laid out on the canvas")
    for tokens in (query, key, value):
        require(tokens, "NBC")
    check_same_extent([query, key, value])
    outside = key.place.extent.outside(key.device).flatten(1)
    y, weights = func(query, key, value, *rest, key_padding_mask=outside, **named)
    if weights is not None:
        weights = wrap_like(
            query, weights, clear=False, axes="BNN" if weights.ndim == 3 else "BCNN"
        )
    return wrap_like(query, y, clear=False), weights


def attention(
    func: Callable[..., Tensor],
    query: Padded,
    key: Padded,
    value: Padded,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **named: Any,
) -> Tensor:
    """Keys outside the image are masked."""
    if attn_mask is not None or is_causal:
        raise LeakError("attention with a mask of its own, laid out on the canvas")
    for tokens in (query, key, value):
        require(tokens, "BCNC")
    check_same_extent([query, key, value])
    y = func(query, key, value, key.place.extent.keys(key.device), dropout_p, **named)
    return wrap_like(query, y, clear=False)


def _windows(k: int, s: int, p: int, d: int = 1, *, ceil: bool = False) -> Callable[[int], int]:
    """Return a function that counts the windows along a side of n pixels.

    A window has k pixels, d apart; windows are s apart, and the side is padded by p at both ends.
    """

    def count(n: int) -> int:
        whole, rest = divmod(n + 2 * p - d * (k - 1) - 1, s)
        begun = ceil and rest > 0 and (whole + 1) * s < n + p
        return whole + 1 + begun

    return count


def _scaled(factor: float) -> Callable[[int], int]:
    return lambda n: int(n * factor)


def _pair(value: Any) -> tuple[Any, Any]:
    given: tuple[Any, ...] | list[Any] | int = value
    match tuple(given) if isinstance(given, tuple | list) else (given,):
        case (one,):
            return one, one
        case pair:
            return pair

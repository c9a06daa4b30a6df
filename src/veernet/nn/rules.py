"""Rules for torch's functions on features that lie on a padded canvas.

Pointwise functions give the images the same result with padding as without. It only matters whether
features that are 0 outside the images stay 0 there: if not, the next convolution has to clear them.
Where they are not 0, nothing reads them and their gradient is exactly 0, so that the gradients of
weights are those of the images too.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from veernet.errors import LeakError
from veernet.nn import axes, spatial
from veernet.nn.padded import (
    Padded,
    Rule,
    check_same_extent,
    is_clear,
    require_alignment,
    wrap_like,
)


def pointwise(*, keeps_zero: bool) -> Rule:
    """Rule for a pointwise function of one tensor; `keeps_zero` if it maps 0 to 0."""

    def rule(func: Callable[..., Tensor], input: Padded, *args: Any, **named: Any) -> Tensor:
        others = [x for x in (*args, *named.values()) if isinstance(x, Tensor) and x.ndim]
        if others and func.__name__ != "prelu":
            raise LeakError(f"{func.__name__}() with a second tensor")
        clear = keeps_zero and is_clear(input)
        return _made(input, func(input, *args, **named), input, clear=clear)

    return rule


def combined(clear: Callable[[bool, bool], bool]) -> Rule:
    """Rule for a pointwise function of two tensors.

    Args:
        clear: given which operands are 0 outside the images, whether the result is 0 there.
    """

    def rule(func: Callable[..., Tensor], a: Any, b: Any, **named: Any) -> Tensor:
        tensors = [x for x in (a, b) if isinstance(x, Tensor)]
        largest = max(check_same_extent(tensors), key=lambda x: x.ndim)
        for x in tensors:
            require_alignment(largest, x, func.__name__)
        stays = clear(is_clear(a), is_clear(b))
        return _made(largest, func(a, b, **named), a, clear=stays)

    return rule


_sum = combined(lambda a, b: a and b)


def extreme(func: Callable[..., Any], input: Any, *args: Any, **named: Any) -> Any:
    """Apply `max` or `min` to two tensors, or along channels."""
    two = any(isinstance(x, Tensor) for x in (*args, *named.values()))
    return (_sum if two else axes.over_channels)(func, input, *args, **named)


def division(func: Callable[..., Tensor], a: Any, b: Any, **named: Any) -> Tensor:
    """Divide by anything but features, which are 0 outside their images."""
    if isinstance(b, Padded):
        raise LeakError(f"{func.__name__}() by features, which are 0 on the padding")
    return combined(lambda a, _: a)(func, a, b, **named)


def _made(x: Padded, y: Tensor, changed: Any, *, clear: bool) -> Tensor:
    """Wrap `y` like `x`, or update the place of features that were changed in place."""
    if y is not changed:
        return wrap_like(x, y, clear=clear)
    if not isinstance(changed, Padded):
        raise LeakError("features written into a tensor that does not know where its images are")
    if changed.place.cut:
        raise LeakError("features changed in place through a crop, beyond which images go on")
    changed.place = wrap_like(changed, y, clear=clear).place  # pyright: ignore
    return changed


def query(func: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Call a function that asks about a tensor and does not compute with it."""
    return func(*args, **named)


ZERO_AT_ZERO = """
    relu relu_ relu6 leaky_relu leaky_relu_ prelu elu elu_ selu selu_ celu celu_ silu mish gelu
    hardswish softsign tanh tanh_ sin erf abs neg __neg__ square
    dropout dropout_ dropout2d feature_dropout
    contiguous clone detach to float double half bfloat16
"""

NOT_ZERO_AT_ZERO = (
    "hardtanh hardtanh_ sigmoid sigmoid_ logsigmoid softplus hardsigmoid cos clamp clamp_"
)

SUMS = """
    add add_ __add__ __radd__ __iadd__ sub sub_ __sub__ __rsub__ __isub__ maximum minimum
"""

PRODUCTS = "mul mul_ __mul__ __rmul__ __imul__"

QUOTIENTS = "div div_ __truediv__ __itruediv__"

QUERIES = """
    dtype device ndim layout requires_grad is_cuda is_cpu is_meta is_nested is_sparse is_quantized
    dim is_contiguous is_floating_point is_complex
    element_size get_device __repr__ __format__
"""

RULES: dict[Rule, str] = {
    spatial.convolution: "conv2d",
    spatial.transposed_convolution: "conv_transpose2d",
    spatial.group_normalisation: "group_norm",
    spatial.instance_normalisation: "instance_norm",
    spatial.batch_normalisation: "batch_norm",
    spatial.layer_normalisation: "layer_norm",
    spatial.linear: "linear",
    spatial.max_pooling: "max_pool2d",
    spatial.average_pooling: "avg_pool2d",
    spatial.interpolation: "interpolate",
    spatial.padding: "pad",
    spatial.pixel_shuffle: "pixel_shuffle",
    spatial.multi_head_attention: "multi_head_attention_forward",
    spatial.attention: "scaled_dot_product_attention",
    axes.concatenation: "cat concat concatenate",
    axes.over_channels: "softmax log_softmax mean sum amax amin argmax argmin",
    extreme: "max min",
    axes.pieces: "chunk split unbind",
    axes.indexing: "__getitem__",
    axes.permutation: "permute transpose movedim swapaxes T mT",
    axes.reshaping: "view reshape flatten unflatten squeeze unsqueeze",
    axes.shape: "shape size",
    pointwise(keeps_zero=True): ZERO_AT_ZERO,
    pointwise(keeps_zero=False): NOT_ZERO_AT_ZERO,
    _sum: SUMS,
    combined(lambda a, b: a or b): PRODUCTS,
    division: QUOTIENTS,
    query: QUERIES,
}
"""Names of torch's functions, by the rule that carries them out."""

Padded.rules = {name: rule for rule, names in RULES.items() for name in names.split()}

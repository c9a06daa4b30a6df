"""Features that know where their images end.

A `Padded` is a batch of features on one canvas together with the extent of every image. Torch's
layers and functions are called on it as on any tensor. Each follows a rule (`veernet.nn.rules`)
that gives every image the result it would have alone; a function without a rule is refused. Where
nothing is padded there is no `Padded`: the batch is a plain tensor and torch runs unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction
from torch.overrides import TorchFunctionMode

from veernet.errors import LeakError
from veernet.nn.extent import Extent
from veernet.nn.side import Side, Size, holds_side, leaves, note, of_canvas, of_images, side

Rule = Callable[..., Any]
"""Replaces one of torch's functions on `Padded`; called with it, then with its arguments."""

TORCH_CALLABLES = {
    *("function", "builtin_function_or_method", "method_descriptor"),
    *("method-wrapper", "wrapper_descriptor"),
}
"""Types of torch's own functions; compiled and registered ones share only the names."""

TAKE_SIZES = {
    *("view", "reshape", "unflatten", "__getitem__"),
    *("interpolate", "pad", "conv_transpose2d"),
}
"""Names of the functions whose rules accept a `Side`."""

MAP = "BCHW"
"""The axes of a feature map: batch, channels, and the canvas."""


@dataclass(frozen=True, slots=True)
class PaddedInfo:
    """Axes and image sizes of a tensor.

    axes:    one letter per axis: B batch, H and W the canvas, N the canvas as one axis, C others
    extent:  sizes of the images on the canvas
    clear:   True if the tensor was exactly 0 outside them when this was recorded
    cut:     True if its memory holds pixels of the images that were cropped off
    version: the tensor's version counter when this was recorded (`version_of`)
    """

    axes: str
    extent: Extent
    clear: bool
    cut: bool
    version: int


class Padded(Tensor):
    """Features on a canvas larger than their images."""

    rules: ClassVar[Mapping[str, Rule]] = {}
    """Rules by the name of torch's function; filled by `veernet.nn.rules`."""

    place: PaddedInfo

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name = getattr(func, "__name__", type(func).__name__)
        if name == "__get__":  # access to a property
            name = getattr(func, "__self__").__name__  # noqa: B009
        try:
            rule = cls.rules.get(name)
            if (
                rule is None
                or type(func).__name__ not in TORCH_CALLABLES
                or "out" in (kwargs or {})
            ):
                raise LeakError(f"{name}() has no rule that keeps padding out")
            for value in leaves(args, kwargs):
                if isinstance(value, Padded):
                    require_known_backward(value)
                elif isinstance(value, Side) and name not in TAKE_SIZES:
                    raise LeakError(f"{name}() of a size that is not the same for every image")
            with torch._C.DisableTorchFunctionSubclass():  # pyright: ignore[reportPrivateUsage]
                return rule(func, *args, **(kwargs or {}))
        except Exception as error:  # an image alone may raise none, or another
            note(error)
            raise


class NoSides(TorchFunctionMode):
    """Refuses, while entered, to use a `Side` where torch expects a tensor.

    There torch would replace the traced size by a placeholder number, 7777777. The rules of
    `Padded` accept sizes; functions of plain tensors do not.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if Padded not in types and holds_side(args, kwargs):
            name = getattr(func, "__name__", type(func).__name__)
            raise note(LeakError(f"{name}() of a size that is not the same for every image"))
        return func(*args, **kwargs)


def padded(image: Tensor, sizes: Tensor | None) -> Tensor:
    """Wrap a batch of images on one canvas, (h, w) of each in `sizes`.

    Returns the tensor itself if every image fills the canvas, or if it is a `Padded` already.

    Raises:
        ValueError: a size below 1 × 1 or beyond the canvas, or not one size per image.
    """
    if isinstance(image, Padded):
        return image
    extent = Extent.of(image, sizes)
    return place_on(image, extent) if extent.padded else image


def place_on(image: Tensor, extent: Extent) -> Padded:
    """Wrap a copy of a batch of images, with exactly 0 outside `extent`."""
    return wrap(extent.cleared(image), axes=MAP, extent=extent, clear=True)


def wrap(x: Tensor, *, axes: str, extent: Extent, clear: bool, cut: bool = False) -> Padded:
    """Wrap `x` as a `Padded`, without a copy."""
    if len(axes) != x.ndim:
        raise LeakError(f"a result of {x.ndim} axes where {axes} were expected")
    y = x.as_subclass(Padded)
    y.place = PaddedInfo(axes=axes, extent=extent, clear=clear, cut=cut, version=version_of(y))
    return y


def version_of(x: Tensor) -> int:
    """Number of in-place writes to the memory of `x`; -1 if torch does not count them."""
    with torch._C.DisableTorchFunctionSubclass():  # pyright: ignore[reportPrivateUsage]
        return -1 if x.is_inference() else x._version


def is_clear(x: Any) -> bool:
    """Return whether features were exactly 0 outside their images and not written to since."""
    return isinstance(x, Padded) and x.place.clear and x.place.version == version_of(x) >= 0


def require_known_backward(x: Padded) -> None:
    """Refuse features from a custom autograd function: its backward is unknown, and could read
    values outside the images."""
    with torch._C.DisableTorchFunctionSubclass():  # pyright: ignore[reportPrivateUsage]
        made_by = type(x.grad_fn)
    # This package's own return an alias, and never appear as `grad_fn` here.
    if issubclass(made_by, BackwardCFunction):
        raise LeakError(f"{made_by.__name__}, an autograd function without a rule")


def unwrap(x: Tensor) -> Tensor:
    """Return features as a plain tensor; a plain tensor as it is."""
    return x.as_subclass(Tensor) if isinstance(x, Padded) else x


def extent_of(x: Tensor) -> Extent:
    """Return the extent of a feature map; in a plain tensor every image fills the canvas."""
    if not isinstance(x, Padded):
        return Extent.of(x)
    require(x, MAP)
    return x.place.extent


def wrap_like(
    x: Tensor,
    y: Tensor,
    *,
    clear: bool,
    axes: str | None = None,
    extent: Extent | None = None,
    cut: bool = False,
) -> Tensor:
    """Wrap `y`, a result computed from `x`, if `x` is a `Padded`.

    Args:
        clear: True if `y` is exactly 0 outside the images.
        axes, extent: axes and extent of `y`, if they differ from those of `x`.
        cut: True if `y` is a view of `x` from which pixels of an image were cropped.
    """
    if not isinstance(x, Padded):
        return y
    axes = x.place.axes if axes is None else axes
    cut = cut or (x.place.cut and bool(torch._C._is_alias_of(unwrap(x), y)))  # pyright: ignore
    return wrap(y, axes=axes, extent=extent or x.place.extent, clear=clear, cut=cut)


def zero_outside(x: Padded) -> Tensor:
    """Return a feature map as a plain tensor, exactly 0 outside the images."""
    return unwrap(x) if is_clear(x) else x.place.extent.cleared(unwrap(x))


def sides_of(extent: Extent) -> dict[str, Size]:
    """Sizes of the axes B, H, W and N, by letter; an image alone is a batch of 1."""
    count, (heights, widths) = len(extent.sizes), zip(*extent.sizes, strict=True)
    height, width = side(extent.canvas[0], heights), side(extent.canvas[1], widths)
    pixels = cast(Size, height * width)
    return {"B": side(count, [1] * count), "H": height, "W": width, "N": pixels}


def shape_of(x: Padded) -> list[Size]:
    """Size of every axis, on the canvas and for every image alone."""
    sides = sides_of(x.place.extent)
    return [sides.get(axis, n) for axis, n in zip(x.place.axes, unwrap(x).shape, strict=True)]


def extent_of_sides(height: Size, width: Size, count: int) -> Extent:
    """Return the extent of `count` images of these sizes, on a canvas that holds all of them.

    Raises:
        LeakError: an image would have no pixel left.
    """
    sides = [(of_canvas(n), of_images(n, count)) for n in (height, width)]
    if min(min(images) for _, images in sides) < 1:
        raise LeakError(f"images without a pixel, of {height} × {width} px")
    H, W = (max(canvas, *images) for canvas, images in sides)
    return Extent(tuple(zip(sides[0][1], sides[1][1], strict=True)), (H, W))


def check_same_extent(tensors: Iterable[Tensor], *, all_known: bool = False) -> list[Padded]:
    """Return the `Padded` among tensors, refusing them if their images differ in size."""
    tensors = list(tensors)
    known = [x for x in tensors if isinstance(x, Padded)]
    if all_known and len(known) < len(tensors):
        raise LeakError("joins features with a tensor that does not know where its images are")
    for x in known:
        if x.place.extent != known[0].place.extent:
            sizes = f"{known[0].place.extent.sizes} and {x.place.extent.sizes}"
            raise LeakError(f"joins features whose images differ in size: {sizes}")
    return known


def require(x: Tensor, axes: str) -> None:
    """Refuse anything but features of these axes."""
    if not isinstance(x, Padded) or x.place.axes != axes:
        found = x.place.axes if isinstance(x, Padded) else "a plain tensor"
        raise LeakError(f"needs features of axes {axes}, got {found}")


def require_channels(x: Padded, dims: Iterable[int], name: str) -> None:
    """Refuse dimensions that are the canvas or the batch."""
    axes = "".join(x.place.axes[d] for d in dims)
    if axes.strip("C"):
        raise LeakError(f"{name}() over the axes {axes} of {x.place.axes} reads the padding")


def require_alignment(x: Padded, other: Tensor, name: str) -> None:
    """Refuse an operand that has neither the axes of `x` nor size 1 along batch and canvas."""
    if other.ndim > x.ndim:
        raise LeakError(f"{name}() of features of axes {x.place.axes} with {tuple(other.shape)}")
    axes = x.place.axes[x.ndim - other.ndim :]
    if isinstance(other, Padded):
        fits = other.place.axes == axes
    else:
        fits = all(a == "C" or n == 1 for a, n in zip(axes, other.shape, strict=True))
    if not fits:
        found = other.place.axes if isinstance(other, Padded) else tuple(other.shape)
        raise LeakError(f"{name}() of features of axes {x.place.axes} with {found}, laid over them")

"""Features that know where their images end.

A `Padded` is a batch of features on one canvas together with the extent of every image. Layers and
functions of torch are called on it as on any tensor; each is carried out so that the images come
out as they would alone (`veernet.nn.rules`), and one without a rule is refused. Where
nothing is padded there is no `Padded`: the batch is a plain tensor and torch runs as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from veernet.errors import LeakError
from veernet.nn.extent import Extent

Rule = Callable[..., Any]
"""What `Padded` does instead of one of torch's functions, called as it is called."""

MAP = "BCHW"
"""The axes of a feature map: batch, channels, and the canvas."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a tensor is of.

    axes:    one letter an axis: B batch, H and W the canvas, N the canvas as one axis, C others
    extent:  where on the canvas the images are
    clear:   whether the tensor is exactly 0 outside them
    """

    axes: str
    extent: Extent
    clear: bool


class Side(int):
    """The height or width of a canvas, px, which knows that of every image on it.

    It is what `shape` of a `Padded` holds, so that cropping or interpolating to the size of other
    features gives every image the size that it has there.
    """

    images: tuple[int, ...]

    @staticmethod
    def of(extent: Extent, axis: int) -> Side:
        """The height (axis 0) or the width (axis 1) of the images of `extent`."""
        side = Side(extent.canvas[axis])
        side.images = tuple(size[axis] for size in extent.sizes)
        return side

    def cropped(self, to: Side) -> Side:
        """The side after cropping to another."""
        side = Side(min(self, to))
        side.images = tuple(map(min, self.images, to.images))
        return side


def spanned(height: Side, width: Side) -> Extent:
    """The extent of these sides."""
    return Extent(tuple(zip(height.images, width.images, strict=True)), (int(height), int(width)))


class Padded(Tensor):
    """Features on a canvas larger than their images."""

    rules: ClassVar[Mapping[str, Rule]] = {}
    """By the name of torch's function; filled by `veernet.nn.rules`."""

    place: Place

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name = func.__name__
        if name == "__get__":  # of a property
            name = getattr(func, "__self__").__name__  # noqa: B009
        rule = cls.rules.get(name)
        if rule is None:
            raise LeakError(f"{name}() has no rule that keeps padding out")
        with torch._C.DisableTorchFunctionSubclass():  # pyright: ignore[reportPrivateUsage]
            return rule(func, *args, **(kwargs or {}))


def padded(image: Tensor, sizes: Tensor | None) -> Tensor:
    """A batch of images on one canvas, (h, w) of each in `sizes`; the tensor itself if none is
    smaller than the canvas.

    Raises:
        ValueError: a size below 1 × 1 or beyond the canvas, or not one size an image.
    """
    extent = Extent.of(image, sizes)
    if not extent.padded:
        return image
    return place(extent.cleared(image), Place(axes=MAP, extent=extent, clear=True))


def place(x: Tensor, where: Place) -> Padded:
    """`x` as features that know where they are."""
    y = x.as_subclass(Padded)
    y.place = where
    return y


def plain(x: Tensor) -> Tensor:
    """The features without what they know; a plain tensor as it is."""
    return x.as_subclass(Tensor) if isinstance(x, Padded) else x


def extent_of(x: Tensor) -> Extent:
    """Where the images of a feature map are; everywhere in a plain tensor."""
    return x.place.extent if isinstance(x, Padded) else Extent.of(x)


def like(
    x: Tensor, y: Tensor, *, clear: bool, axes: str | None = None, extent: Extent | None = None
) -> Tensor:
    """`y`, which was made of `x`, as features that know where they are, if `x` does.

    Args:
        clear: whether `y` is exactly 0 outside the images.
        axes, extent: those of `y`, if not as in `x`.
    """
    if not isinstance(x, Padded):
        return y
    axes, extent = axes or x.place.axes, extent or x.place.extent
    return place(y, Place(axes=axes, extent=extent, clear=clear))


def cleared(x: Padded) -> Tensor:
    """The features, a map, exactly 0 outside the images."""
    return plain(x) if x.place.clear else x.place.extent.cleared(plain(x))


def known_side(n: Any) -> Side:
    """A size that is the `shape` of some features, and so known for every image."""
    if not isinstance(n, Side):
        raise LeakError(
            f"a size of {n} px on the canvas, which is not the `shape` of other features: the "
            "sizes that the images would have are unknown"
        )
    return n


def agree(tensors: Iterable[Tensor]) -> list[Padded]:
    """Those that know where their images are, which must be the same for all."""
    known = [x for x in tensors if isinstance(x, Padded)]
    for x in known:
        if x.place.extent != known[0].place.extent:
            sizes = f"{known[0].place.extent.sizes} and {x.place.extent.sizes}"
            raise LeakError(f"joins features whose images differ in size: {sizes}")
    return known


def require(x: Tensor, axes: str) -> None:
    """Features of these axes."""
    if not isinstance(x, Padded) or x.place.axes != axes:
        found = x.place.axes if isinstance(x, Padded) else "a plain tensor"
        raise LeakError(f"needs features of axes {axes}, got {found}")


def require_channels(x: Padded, dims: Iterable[int], name: str) -> None:
    """None of the axes is the canvas or the batch."""
    axes = "".join(x.place.axes[d] for d in dims)
    if axes.strip("C"):
        raise LeakError(f"{name}() over the axes {axes} of {x.place.axes} reads the padding")


def require_alignment(x: Padded, other: Tensor, name: str) -> None:
    """A tensor joined with features has their axes, or is one number along the canvas."""
    axes = x.place.axes[x.ndim - other.ndim :]
    if isinstance(other, Padded):
        fits = other.place.axes == axes
    else:
        fits = all(a in "BC" or n == 1 for a, n in zip(axes, other.shape, strict=True))
    if not fits:
        found = other.place.axes if isinstance(other, Padded) else tuple(other.shape)
        raise LeakError(f"{name}() of features of axes {x.place.axes} with {found}, laid over them")

"""Features that know where their images end.

A `Padded` is a batch of features on one canvas together with the extent of every image. Layers and
functions of torch are called on it as on any tensor; each is carried out so that the images come
out as they would alone (`veernet.nn.rules`), and one without a rule is refused. Where
nothing is padded there is no `Padded`: the batch is a plain tensor and torch runs as ever.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from veernet.errors import LeakError
from veernet.nn.extent import Extent

Rule = Callable[..., Any]
"""What `Padded` does instead of one of torch's functions, called as it is called."""

OF_TORCH = {
    *("function", "builtin_function_or_method", "method_descriptor"),
    *("method-wrapper", "wrapper_descriptor"),
}
"""Types of torch's own functions; compiled and registered ones only share their names."""

TAKE_SIZES = {"view", "reshape", "unflatten", "interpolate", "__getitem__"}
"""Functions whose rules know what to do with a `Side`."""

MAP = "BCHW"
"""The axes of a feature map: batch, channels, and the canvas."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a tensor is of.

    axes:    one letter an axis: B batch, H and W the canvas, N the canvas as one axis, C others
    extent:  where on the canvas the images are
    clear:   whether the tensor was exactly 0 outside them
    version: how often its memory had been written to by then
    """

    axes: str
    extent: Extent
    clear: bool
    version: int


class Side(int):
    """The height or width of a canvas, px, which knows that of every image on it.

    It is what `shape` of a `Padded` holds, so that cropping or interpolating to the size of other
    features gives every image the size that it has there. Sums, differences, products and whole
    quotients are taken for every image; a comparison that comes out differently for some image
    than for the canvas is refused, as is what would make it a fraction.
    """

    images: tuple[int, ...]

    @staticmethod
    def of(extent: Extent, axis: int) -> Side:
        """The height (axis 0) or the width (axis 1) of the images of `extent`."""
        return _side(extent.canvas[axis], [size[axis] for size in extent.sizes])

    @property
    def common(self) -> bool:
        """Whether it is one number, for the canvas and for every image."""
        return all(n == int(self) for n in self.images)

    def cropped(self, to: Side) -> Side:
        """The side after cropping to another."""
        images = (min(pair) for pair in zip(self.images, to.images, strict=True))
        return _side(min(int(self), int(to)), images)

    def each(self, do: Callable[[Any, Any], Any], other: Any, *, turned: bool = False) -> Any:
        """`do` with another number, for the canvas and every image."""
        if not isinstance(other, int):
            return NotImplemented
        others = other.images if isinstance(other, Side) else (other,) * len(self.images)
        pairs = zip((int(self), *self.images), (int(other), *others), strict=True)
        canvas, *images = (do(b, a) if turned else do(a, b) for a, b in pairs)
        if not isinstance(canvas, bool):
            return _side(canvas, images)
        if any(image != canvas for image in images):
            raise LeakError("a condition on sizes that holds for the canvas and not for an image")
        return canvas

    def refuse(self, *_: Any) -> Any:
        """What would forget the images."""
        raise LeakError("a size of the canvas taken for a number that features are computed with")

    def __bool__(self) -> bool:
        return self.each(operator.ne, 0)

    __hash__ = int.__hash__
    __float__ = __truediv__ = __rtruediv__ = __pow__ = __rpow__ = refuse


def _operator(do: Callable[[Any, Any], Any], *, turned: bool = False) -> Callable[[Side, Any], Any]:
    return lambda a, b: a.each(do, b, turned=turned)


for _name in ("add", "sub", "mul", "floordiv", "mod"):
    setattr(Side, f"__{_name}__", _operator(getattr(operator, _name)))
    setattr(Side, f"__r{_name}__", _operator(getattr(operator, _name), turned=True))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Side, f"__{_name}__", _operator(getattr(operator, _name)))


def _side(canvas: int, images: Iterable[int]) -> Side:
    side = Side(canvas)
    side.images = tuple(images)
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
        name = getattr(func, "__name__", type(func).__name__)
        if name == "__get__":  # of a property
            name = getattr(func, "__self__").__name__  # noqa: B009
        rule = cls.rules.get(name)
        if rule is None or type(func).__name__ not in OF_TORCH or "out" in (kwargs or {}):
            raise LeakError(f"{name}() has no rule that keeps padding out")
        if name not in TAKE_SIZES:
            _refuse_sizes(args, kwargs or {})
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
    return place(extent.cleared(image), axes=MAP, extent=extent, clear=True)


def place(x: Tensor, *, axes: str, extent: Extent, clear: bool) -> Padded:
    """`x` as features that know where they are."""
    if len(axes) != x.ndim:
        raise LeakError(f"a result of {x.ndim} axes where {axes} were expected")
    y = x.as_subclass(Padded)
    y.place = Place(axes=axes, extent=extent, clear=clear, version=_version(y))
    return y


def _version(x: Tensor) -> int:
    """How often the memory of `x` was written to; -1 if it does not count."""
    with torch._C.DisableTorchFunctionSubclass():  # pyright: ignore[reportPrivateUsage]
        return -1 if x.is_inference() else x._version


def is_clear(x: Any) -> bool:
    """Whether features are exactly 0 outside their images, and were not written to since."""
    return isinstance(x, Padded) and x.place.clear and x.place.version == _version(x) >= 0


def plain(x: Tensor) -> Tensor:
    """The features without what they know; a plain tensor as it is."""
    return x.as_subclass(Tensor) if isinstance(x, Padded) else x


def extent_of(x: Tensor) -> Extent:
    """Where the images of a feature map are; everywhere in a plain tensor."""
    if not isinstance(x, Padded):
        return Extent.of(x)
    require(x, MAP)
    return x.place.extent


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
    axes = x.place.axes if axes is None else axes
    return place(y, axes=axes, extent=extent or x.place.extent, clear=clear)


def cleared(x: Padded) -> Tensor:
    """The features, a map, exactly 0 outside the images."""
    return plain(x) if is_clear(x) else x.place.extent.cleared(plain(x))


def _refuse_sizes(*values: Any) -> None:
    """Nowhere among the arguments of a function is a size that differs between images."""
    for value in values:
        match value:
            case Side() if not value.common:
                value.refuse()
            case tuple() | list():
                _refuse_sizes(*value)
            case dict():
                _refuse_sizes(*value.values())
            case _:
                pass


def known_side(n: Any) -> Side:
    """A size that is the `shape` of some features, and so known for every image."""
    if not isinstance(n, Side):
        raise LeakError(
            f"a size of {n} px on the canvas, which is not the `shape` of other features: the "
            "sizes that the images would have are unknown"
        )
    return n


def agree(tensors: Iterable[Tensor], *, all_known: bool = False) -> list[Padded]:
    """Those that know where their images are, which must be the same for all."""
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
    if other.ndim > x.ndim:
        raise LeakError(f"{name}() of features of axes {x.place.axes} with {tuple(other.shape)}")
    axes = x.place.axes[x.ndim - other.ndim :]
    if isinstance(other, Padded):
        fits = other.place.axes == axes
    else:
        fits = all(a in "BC" or n == 1 for a, n in zip(axes, other.shape, strict=True))
    if not fits:
        found = other.place.axes if isinstance(other, Padded) else tuple(other.shape)
        raise LeakError(f"{name}() of features of axes {x.place.axes} with {found}, laid over them")

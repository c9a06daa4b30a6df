"""How functions that rearrange axes are carried out on features that lie on a padded canvas.

Channels may be split, joined, reduced and moved. The canvas may be moved, made one axis and two
again, and cropped to the shape of other features, and nothing else.
"""

import re
from collections.abc import Callable, Iterable
from math import prod
from typing import Any

import torch
from torch import Tensor

from veernet.errors import LeakError
from veernet.nn.extent import Extent
from veernet.nn.padded import (
    MAP,
    Padded,
    Side,
    agree,
    is_clear,
    known_side,
    like,
    plain,
    require_channels,
    spanned,
)


def concatenation(
    func: Callable[..., Tensor], tensors: Iterable[Tensor], dim: int = 0, **named: Any
) -> Tensor:
    """Along channels, of features whose images have one size."""
    parts = list(tensors)
    known = agree(parts, all_known=True)
    require_channels(known[0], (dim,), "cat")
    clear = [is_clear(x) for x in known]
    if known[0].place.axes != MAP or all(clear):
        return like(known[0], func(parts, dim, **named), clear=all(clear))
    y = known[0].place.extent.joined([plain(x) for x in known], clear)
    return like(known[0], y, clear=True)


def over_channels(func: Callable[..., Any], input: Padded, *args: Any, **named: Any) -> Any:
    """A reduction or a softmax along axes of channels; along the canvas it is refused."""
    dim = named.get("dim", args[0] if args else None)
    dims = range(input.ndim) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    require_channels(input, dims, func.__name__)
    y = func(input, *args, **named)
    first = y if isinstance(y, Tensor) else y[0]
    gone = {d % input.ndim for d in dims} if first.ndim < input.ndim else set[int]()
    axes = "".join(a for i, a in enumerate(input.place.axes) if i not in gone)
    if isinstance(y, Tensor):
        return like(input, y, clear=False, axes=axes)
    return type(y)(like(input, part, clear=False, axes=axes) for part in y)


def pieces(func: Callable[..., Any], input: Padded, size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """`chunk` and `split` along channels."""
    require_channels(input, (dim,), func.__name__)
    return tuple(like(input, y, clear=is_clear(input)) for y in func(input, size, dim))


def indexing(func: Callable[..., Tensor], input: Padded, index: Any) -> Tensor:
    """Channels may be picked, and every n-th pixel; the canvas may be cropped to the `shape` of
    other features, as to the skip connection's.
    """
    given = index if isinstance(index, tuple) else (index,)
    unnamed = input.ndim - sum(i is not None and i is not Ellipsis for i in given)
    at = given.index(Ellipsis) if Ellipsis in given else len(given)
    letters, axes, sides = iter(input.place.axes), "", {"H": slice(None), "W": slice(None)}
    for i in (*given[:at], *(slice(None),) * unnamed, *given[at + 1 :]):
        axis = "C" if i is None else next(letters)
        if axis in "HW" and isinstance(i, slice) and not i.start:
            sides[axis] = i
        elif not (isinstance(i, slice | int | None) if axis == "C" else i == slice(None)):
            raise LeakError(f"indexing axis {axis} of {input.place.axes} with {i}")
        axes += "" if isinstance(i, int) else axis
    extent = _sliced(input, sides["H"], sides["W"])
    # What is cropped off an image is left on the canvas.
    clear = is_clear(input) and all(side.stop is None for side in sides.values())
    return like(input, func(input, index), clear=clear, axes=axes, extent=extent)


def _sliced(x: Padded, height: slice, width: slice) -> Extent:
    """The extent after slices from 0."""
    extent, sides = x.place.extent, list[Side]()
    for axis, cut in enumerate((height, width)):
        own = Side.of(extent, axis)
        to = own if cut.stop is None else known_side(cut.stop)
        sides.append(own.cropped(to))
    return spanned(*sides).map(_every(height.step or 1), _every(width.step or 1))


def _every(step: int) -> Callable[[int], int]:
    return lambda n: -(-n // step)


def permutation(func: Callable[..., Tensor], input: Padded, *dims: Any, **named: Any) -> Tensor:
    """Axes in another order: `permute`, `transpose`, `movedim`."""
    y = func(input, *dims, **named)
    order = func(torch.empty(tuple(range(2, 2 + input.ndim)), device="meta"), *dims, **named).shape
    axes = "".join(input.place.axes[n - 2] for n in order)
    return like(input, y, clear=is_clear(input), axes=axes)


def reshaping(func: Callable[..., Tensor], input: Padded, *args: Any, **named: Any) -> Tensor:
    """The canvas may be made one axis and two again, and channels split or merged."""
    y = func(input, *args, **named)
    axes = _regrouped(input, tuple(y.shape))
    if axes is None or not _meant(input, axes, func.__name__, args):
        shapes = f"{tuple(input.shape)} to {tuple(y.shape)}"
        raise LeakError(f"{func.__name__}() from {shapes} mixes the canvas with other axes")
    return like(input, y, clear=is_clear(input), axes=axes)


def _meant(x: Padded, axes: str, name: str, args: tuple[Any, ...]) -> bool:
    """Whether the sizes asked for are the images' own on the axes of the canvas, and only there.

    On some canvas a side may equal, say, the number of channels; on the image alone it does not.
    """
    if name not in ("view", "reshape", "unflatten"):
        return True
    first = args[0] % x.ndim if name == "unflatten" else 0
    asked = args[-1] if isinstance(args[-1], tuple | list) else args
    height, width = (Side.of(x.place.extent, axis).images for axis in (0, 1))
    area = tuple(h * w for h, w in zip(height, width, strict=True))
    images = {"H": height, "W": width, "N": area}
    return all(
        n == -1
        if not isinstance(n, Side) and axis in images
        else getattr(n, "images", None) == images.get(axis)
        for axis, n in zip(axes[first:], asked, strict=False)
    )


def shape(_: Callable[..., Any], input: Padded, dim: int | None = None) -> Any:
    """The sizes of the axes; those of the canvas know the images on it."""
    sides = {"H": Side.of(input.place.extent, 0), "W": Side.of(input.place.extent, 1)}
    sizes = zip(input.place.axes, Tensor.size(input), strict=True)
    known = torch.Size([sides.get(axis, n) for axis, n in sizes])
    return known if dim is None else known[dim]


def _regrouped(x: Padded, shape: tuple[int, ...]) -> str | None:
    """The axes of `x` in another shape; None if canvas, batch and channels would mix."""
    found = list(re.finditer("HW|C+|.", x.place.axes))
    units = [(unit.group(), prod(x.shape[unit.start() : unit.end()])) for unit in found]
    return _read(units, shape, x.place.extent.canvas)


def _read(
    units: list[tuple[str, int]], shape: tuple[int, ...], canvas: tuple[int, int]
) -> str | None:
    """The axes of `shape` if it holds these runs of axes, of these lengths, in their order."""
    if not units:
        return "C" * len(shape) if prod(shape) == 1 else None
    (unit, length), *rest = units
    if unit in ("HW", "N"):
        readings = ["HW", "N"]
    elif unit[0] == "C":
        readings = ["C" * n for n in range(len(shape), -1, -1)]
    else:
        readings = [unit]
    for axes in readings:
        taken, left = shape[: len(axes)], shape[len(axes) :]
        if len(taken) < len(axes) or prod(taken) != length or (axes == "HW" and taken != canvas):
            continue
        tail = _read(rest, left, canvas)
        if tail is not None:
            return axes + tail
    tail = _read(units, shape[1:], canvas) if shape[:1] == (1,) else None
    return None if tail is None else "C" + tail

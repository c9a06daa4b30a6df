"""How functions that rearrange axes are carried out on features that lie on a padded canvas.

Channels may be split, joined, reduced and moved. The canvas may be moved, made one axis and two
again, and cropped to the shape of other features, and nothing else.
"""

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
    known = agree(parts)
    if len(known) < len(parts):
        raise LeakError("cat() of features with a tensor that does not know where its images are")
    require_channels(known[0], (dim,), "cat")
    clear = [x.place.clear for x in known]
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
    return tuple(like(input, part, clear=False, axes=axes) for part in y)


def parts(func: Callable[..., Any], input: Padded, size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """`chunk` and `split` along channels."""
    require_channels(input, (dim,), func.__name__)
    return tuple(like(input, y, clear=input.place.clear) for y in func(input, size, dim))


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
    return like(input, func(input, index), clear=input.place.clear, axes=axes, extent=extent)


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
    return like(input, y, clear=input.place.clear, axes=axes)


def reshaping(func: Callable[..., Tensor], input: Padded, *args: Any, **named: Any) -> Tensor:
    """The canvas may be made one axis and two again, and channels split or merged."""
    y = func(input, *args, **named)
    axes = _regrouped(input, tuple(y.shape))
    if axes is None:
        shapes = f"{tuple(input.shape)} to {tuple(y.shape)}"
        raise LeakError(f"{func.__name__}() from {shapes} mixes the canvas with other axes")
    return like(input, y, clear=input.place.clear, axes=axes)


def shape(_: Callable[..., Any], input: Padded, dim: int | None = None) -> Any:
    """The sizes of the axes; those of the canvas know the images on it."""
    sides = {"H": Side.of(input.place.extent, 0), "W": Side.of(input.place.extent, 1)}
    sizes = zip(input.place.axes, Tensor.size(input), strict=True)
    known = torch.Size([sides.get(axis, n) for axis, n in sizes])
    return known if dim is None else known[dim]


def _regrouped(x: Padded, shape: tuple[int, ...]) -> str | None:
    """The axes of `x` in another shape; None if canvas, batch and channels would mix."""
    batch, canvas = len(x.place.extent.sizes), x.place.extent.canvas
    units = x.place.axes.replace("HW", "N")

    def read(units: str, sizes: tuple[int, ...], shape: tuple[int, ...]) -> str | None:
        if not units:
            return None if shape else ""
        unit, own = units[0], sizes[0]
        heads = {"B": ["B"], "N": ["HW", "N"]}.get(
            unit, [unit * k for k in range(len(shape), -1, -1)]
        )
        for head in heads:
            taken = shape[: len(head)]
            fits = (
                taken == canvas if head == "HW" else prod(taken) == own and len(taken) == len(head)
            )
            tail = read(units[1:], sizes[1:], shape[len(head) :]) if fits else None
            if tail is not None:
                return head + tail
        return None

    merged, sizes = _merge_channels(x, units, {"B": batch, "N": prod(canvas)})
    return read(merged, sizes, shape)


def _merge_channels(x: Padded, units: str, known: dict[str, int]) -> tuple[str, tuple[int, ...]]:
    """Neighbouring channel axes as one."""
    merged, sizes = "", list[int]()
    shape = iter(n for a, n in zip(x.place.axes, x.shape, strict=True) if a not in "BHWN")
    lone = dict(zip("HW", x.place.extent.canvas, strict=True))
    for unit in units:
        if unit == "C" and merged.endswith("C"):
            sizes[-1] *= next(shape)
        else:
            merged += unit
            sizes.append(next(shape) if unit == "C" else {**lone, **known}[unit])
    return merged, tuple(sizes)

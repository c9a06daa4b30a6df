"""Rules for functions that rearrange the axes of features on a padded canvas.

Channels may be split, joined, reduced and moved. The canvas may be moved, flattened to one axis,
unflattened, and cropped, also to the shape of other features.
"""

from collections.abc import Callable, Iterable, Sequence
from math import prod
from types import EllipsisType
from typing import Any

import torch
from torch import Tensor

from veernet.errors import LeakError
from veernet.nn.padded import (
    MAP,
    Padded,
    check_same_extent,
    extent_of_sides,
    is_clear,
    require_channels,
    shape_of,
    sides_of,
    unwrap,
    wrap_like,
)
from veernet.nn.side import Side, Size, of_canvas, of_images, side

Index = Tensor | slice | int | EllipsisType | None
"""Index of one axis, inside brackets."""


def concatenation(
    func: Callable[..., Tensor], tensors: Iterable[Tensor], dim: int = 0, **named: Any
) -> Tensor:
    """Concatenate features along channels; their images must agree in size."""
    parts = list(tensors)
    known = check_same_extent(parts, all_known=True)
    require_channels(known[0], (dim,), "cat")
    clear = [is_clear(x) for x in known]
    if known[0].place.axes != MAP or all(clear):
        return wrap_like(known[0], func(parts, dim, **named), clear=all(clear))
    y = known[0].place.extent.joined([unwrap(x) for x in known], clear)
    return wrap_like(known[0], y, clear=True)


def over_channels(func: Callable[..., Any], input: Padded, *args: Any, **named: Any) -> Any:
    """Reduce or normalise (softmax) along axes of channels; refuse the canvas."""
    dim = named.get("dim", named.get("axis", args[0] if args else None))
    dims = range(input.ndim) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    require_channels(input, dims, func.__name__)
    y = func(input, *args, **named)
    first = y if isinstance(y, Tensor) else y[0]
    gone = {d % input.ndim for d in dims} if first.ndim < input.ndim else set[int]()
    axes = "".join(a for i, a in enumerate(input.place.axes) if i not in gone)
    if isinstance(y, Tensor):
        return wrap_like(input, y, clear=False, axes=axes)
    return type(y)(wrap_like(input, part, clear=False, axes=axes) for part in y)


def pieces(
    func: Callable[..., Any], input: Padded, *args: Any, dim: int = 0, **named: Any
) -> tuple[Tensor, ...]:
    """Apply `chunk`, `split` or `unbind` along channels."""
    if len(args) > (func.__name__ != "unbind"):
        args, dim = args[:-1], args[-1]
    require_channels(input, (dim,), func.__name__)
    parts, axes = func(input, *args, dim=dim, **named), list(input.place.axes)
    if func.__name__ == "unbind":
        del axes[dim]
    return tuple(wrap_like(input, y, clear=is_clear(input), axes="".join(axes)) for y in parts)


def indexing(func: Callable[..., Tensor], input: Padded, index: Any) -> Tensor:
    """Index features: pick channels or every n-th pixel, or crop the canvas.

    A crop is by a constant, or to the `shape` of other features, such as a skip connection's.
    """
    asked: tuple[Index, ...] | Index = index
    given = asked if isinstance(asked, tuple) else (asked,)
    unnamed = input.ndim - sum(i is not None and i is not Ellipsis for i in given)
    at = next((n for n, i in enumerate(given) if i is Ellipsis), len(given))
    whole = (*given[:at], *(slice(None),) * unnamed, *given[at + 1 :])
    letters = iter(zip(input.place.axes, shape_of(input), strict=True))
    axes, taken, cuts, cut = "", list[Any](), dict[str, Size](), False
    for i in whole:
        axis, size = ("C", 1) if i is None else next(letters)
        if axis in "HW" and isinstance(i, slice):
            cuts[axis], i, kept = _cut(size, i, len(input.place.extent.sizes))
            cut = cut or not kept  # cropped pixels of an image stay on the canvas
        elif not (isinstance(i, slice | int | None) if axis == "C" else i == slice(None)):
            raise LeakError(f"indexing axis {axis} of {input.place.axes} with {i}")
        taken.append(i)
        axes += "" if isinstance(i, int) else axis
    extent = input.place.extent
    if cuts:
        extent = extent_of_sides(cuts["H"], cuts["W"], len(extent.sizes))
    clear, y = is_clear(input) and not cut, func(input, tuple(taken))
    return wrap_like(input, y, clear=clear, axes=axes, extent=extent, cut=cut)


def _cut(size: Size, cut: slice, count: int) -> tuple[Size, slice, bool]:
    """Return a side after a slice, the slice of the canvas that holds it, and whether every image
    is kept whole from the start of the slice on."""
    start, step = cut.start or 0, cut.step or 1
    if isinstance(start, Side) or isinstance(step, Side) or start < 0 or step < 1:
        raise LeakError(f"a slice of the canvas from {start} by {step}")

    def end(n: int, stop: int) -> int:
        return slice(None, stop).indices(n)[1]

    stop = size if cut.stop is None else cut.stop
    sizes, stops = of_images(size, count), of_images(stop, count)
    ends = [end(n, to) for n, to in zip(sizes, stops, strict=True)]
    last = max(end(of_canvas(size), of_canvas(stop)), *ends)
    canvas, *images = (len(range(start, n, step)) for n in (last, *ends))
    return side(canvas, images), slice(start, last, step), tuple(ends) == sizes


def permutation(func: Callable[..., Tensor], input: Padded, *dims: Any, **named: Any) -> Tensor:
    """Reorder axes: `permute`, `transpose`, `movedim`."""
    y = func(input, *dims, **named)
    order = func(torch.empty(tuple(range(2, 2 + input.ndim)), device="meta"), *dims, **named).shape
    axes = "".join(input.place.axes[n - 2] for n in order)
    return wrap_like(input, y, clear=is_clear(input), axes=axes)


def reshaping(func: Callable[..., Tensor], input: Padded, *args: Any, **named: Any) -> Tensor:
    """Flatten or unflatten the canvas, and split or merge channels."""
    found = shape_of(input)
    asked = _without_minus_one(found, _asked(func.__name__, found, *args, **named))
    axes = _regrouped(input, found, asked)
    if axes is None:
        shapes = f"from {found} to {asked}"
        raise LeakError(f"{func.__name__}() {shapes} mixes the canvas with other axes")
    sizes = [of_canvas(n) for n in asked]
    y = unwrap(input).view(sizes) if func.__name__ == "view" else unwrap(input).reshape(sizes)
    return wrap_like(input, y, clear=is_clear(input), axes=axes)


def _asked(name: str, found: Sequence[Size], *args: Any, **named: Any) -> list[Any]:
    """Return the shape requested of the function `name`; -1 is a size to infer from the others."""
    n = len(found)
    match name:
        case "view" | "reshape":
            (given,) = named.values() or [args]
            given = given[0] if len(given) == 1 and not isinstance(given[0], int | Side) else given
            return [*given]
        case "flatten":
            first, last = (d % n for d in _bound(("start_dim", "end_dim"), (0, -1), args, named))
            return [*found[:first], prod(found[first : last + 1]), *found[last + 1 :]]
        case "unflatten":
            dim, sizes = _bound(("dim", "sizes"), (), args, named)
            return [*found[: dim % n], *sizes, *found[dim % n + 1 :]]
        case "unsqueeze":
            (dim,) = _bound(("dim",), (), args, named)
            return [*found[: dim % (n + 1)], 1, *found[dim % (n + 1) :]]
        case _:  # squeeze
            (dim,) = _bound(("dim",), (), args, named)
            dims = {d % n for d in ([dim] if isinstance(dim, int) else dim)}
            return [size for d, size in enumerate(found) if d not in dims or size != 1]


def _bound(
    names: tuple[str, ...], defaults: tuple[Any, ...], args: Sequence[Any], named: dict[str, Any]
) -> list[Any]:
    """Return the values of parameters passed by position or name; `defaults` are the last ones'."""
    values = {**dict(zip(names[::-1], defaults[::-1], strict=False)), **named}
    values.update(zip(names, args, strict=False))
    if set(values) != set(names):
        raise LeakError(f"needs {' and '.join(names)}; got {args} {named}")
    return [values[name] for name in names]


def _without_minus_one(found: Sequence[Size], asked: Sequence[Any]) -> list[Size]:
    """Return the requested shape with its -1 replaced by the size that it stands for."""
    others = prod(n for n in asked if not (isinstance(n, int) and n == -1))
    return [prod(found) // others if isinstance(n, int) and n == -1 else n for n in asked]


def shape(_: Callable[..., Any], input: Padded, dim: int | None = None) -> Any:
    """Return the sizes of the axes; batch and canvas sizes also hold each image's own size."""
    known = torch.Size(shape_of(input))  # pyright: ignore
    return known if dim is None else known[dim]


Numbers = tuple[int, ...]
"""Size on the canvas, then the size of each image alone."""


def _regrouped(x: Padded, found: Sequence[Size], asked: Sequence[Size]) -> str | None:
    """Return the axes of features in another shape; None if canvas, batch and channels would mix.

    Both shapes are divided into the shortest runs of axes with equal numbers of elements, on the
    canvas and for every image alone.
    """
    count = len(x.place.extent.sizes)
    old = [(axis, _numbers(n, count)) for axis, n in zip(x.place.axes, found, strict=True)]
    sides = {axis: _numbers(n, count) for axis, n in sides_of(x.place.extent).items()}
    new = [_numbers(n, count) for n in asked]
    made, end = "", [("", (1,) * (count + 1))]
    while old or new:
        run, sizes = (old or end)[:1], new[:1] or [end[0][1]]
        old, new = old[1:], new[1:]
        while (have := _product(n for _, n in run)) != (want := _product(sizes)):
            if have[0] <= want[0] and old:
                run.append(old.pop(0))
            elif new:
                sizes.append(new.pop(0))
            else:
                return None
        if set(sides["W"]) == {1} and run[-1][0] in "HN":  # width 1: H rows are H pixels
            run += [old.pop(0)] if old and old[0][0] == "W" else []
            sizes += [new.pop(0)] if new and set(new[0]) == {1} else []
        letters = _letters("".join(axis for axis, _ in run), sizes, sides)
        if letters is None:
            return None
        made += letters
    return made[: len(asked)]


def _letters(axes: str, asked: Sequence[Numbers], sides: dict[str, Numbers]) -> str | None:
    """Return the axes of one run in its new sizes; None if they do not fit."""
    own = axes.replace("C", "")
    # Two axes first: where the images are 1 px high, a canvas looks like a channel and tokens.
    for wanted in (own.replace("N", "HW"), own.replace("HW", "N")):
        made, left = "", wanted
        for n in asked:
            if left and n == sides[left[0]]:
                made, left = made + left[0], left[1:]
            elif set(n) == {1} or (not own and len(set(n)) == 1):
                made += "C"
            else:
                break
        if len(made) == len(asked) and not left:
            return made
    return None


def _numbers(n: Size, count: int) -> Numbers:
    return of_canvas(n), *of_images(n, count)


def _product(sizes: Iterable[Numbers]) -> Numbers:
    return tuple(map(prod, zip(*sizes, strict=True)))

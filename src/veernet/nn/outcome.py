"""Results of a sealed network: nested tensors, with each image's values in the top left corner."""

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._pytree import tree_flatten, tree_unflatten

from veernet.errors import LeakError
from veernet.nn.extent import Extent
from veernet.nn.padded import Padded, require_known_backward, unwrap
from veernet.nn.side import holds_side


def on_canvas(result: Any) -> Any:
    """Return a result on the canvas as plain tensors.

    Raises:
        LeakError: it holds something that differs between images and does not lie in their corners.
    """
    return _mapped(_known, [result])


def together(results: Sequence[Any], extent: Extent) -> Any:
    """Combine the results of single images into the result of their batch.

    Raises:
        LeakError: they do not fit one batch.
    """

    def joined(parts: Sequence[Any]) -> Any:
        if all(isinstance(part, Tensor) for part in parts):
            return _batched(parts, extent)
        return _same(parts)

    return _mapped(joined, results)


def _mapped(join: Callable[[Sequence[Any]], Any], results: Sequence[Any]) -> Any:
    """Join nests of one structure leaf by leaf; a dataclass is a nest of its fields."""
    flat = [tree_flatten(result) for result in results]
    leaves, spec = zip(*(parts for parts, _ in flat), strict=True), flat[0][1]
    if any(other != spec for _, other in flat):
        raise LeakError("a result that is built otherwise for one image than for another")
    return tree_unflatten([_leaf(join, same) for same in leaves], spec)


def _leaf(join: Callable[[Sequence[Any]], Any], parts: Sequence[Any]) -> Any:
    if not dataclasses.is_dataclass(parts[0]) or isinstance(parts[0], type):
        return join(parts)
    if isinstance(parts[0], dict | list | tuple):
        raise LeakError(f"a result that is a nest of its own kind: {type(parts[0]).__name__}")
    names = {*(field.name for field in dataclasses.fields(parts[0])), *vars(parts[0])}
    fields = [{name: getattr(part, name) for name in sorted(names)} for part in parts]
    whole = copy.copy(parts[0])
    for name, value in _mapped(join, fields).items():
        object.__setattr__(whole, name, value)
    return whole


def _known(parts: Sequence[Any]) -> Any:
    (result,) = parts
    if isinstance(result, Tensor):
        if not isinstance(result, Padded):
            raise LeakError("a result that does not know where its images are: some layer lost it")
        if result.place.axes[0] != "B" or "N" in result.place.axes:
            raise LeakError(f"a result of axes {result.place.axes}, on the canvas")
        require_known_backward(result)
        return unwrap(result)
    return _same(parts)


def _same(parts: Sequence[Any]) -> Any:
    """Return a value that does not depend on the image, such as a text or a number of layers."""
    first = parts[0]
    known = first is None or isinstance(first, int | float | str)
    if not known or holds_side(parts) or any(part != first for part in parts):
        kind = type(first).__name__
        raise LeakError(f"a result that is no tensor, and not the same for all: {kind}")
    return first


def _batched(parts: Sequence[Tensor], extent: Extent) -> Tensor:
    """Concatenate tensors of one image each, (1, ...), padded at the ends of axes that differ."""
    shapes = [tuple(part.shape) for part in parts]
    if any(not shape or shape[0] != 1 or len(shape) != len(shapes[0]) for shape in shapes):
        raise LeakError(f"results of shapes {shapes}, which are not of one image each")
    most = tuple(map(max, zip(*shapes, strict=True)))
    if all(shape[-2:] == size for shape, size in zip(shapes, extent.sizes, strict=True)):
        most = (*most[:-2], *extent.canvas)
    return torch.cat([_padded_to(most, part) for part in parts])


def _padded_to(shape: Sequence[int], part: Tensor) -> Tensor:
    ends = [most - n for most, n in zip(shape, part.shape, strict=True)]
    return F.pad(part, [side for end in reversed(ends) for side in (0, end)]) if any(ends) else part

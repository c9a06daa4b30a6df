"""Sizes of a padded batch: one number on the canvas, and one for each image alone."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import torch

from veernet.errors import LeakError

E = TypeVar("E", bound=Exception)

_here = threading.local()


@contextmanager
def refusals() -> Generator[list[str]]:
    """Collect the messages of refusals while the block runs, even of errors the network catches."""
    before, _here.refusals = getattr(_here, "refusals", None), list[str]()
    try:
        yield _here.refusals
    finally:
        _here.refusals = before


def note(error: E) -> E:
    """Add the message of an error to `refusals`; returns the error."""
    if (noted := getattr(_here, "refusals", None)) is not None:
        noted.append(str(error))
    return error


class Side(torch.SymInt):
    """Size of one axis: on the canvas, and of every image alone.

    `shape` of a `Padded` holds it where the two differ. Torch's parsers carry it through
    `torch.Size`, slices and arguments as they carry a traced size. Integer arithmetic is done for
    every image, and a comparison has the outcome that it has for every image alone. It never
    converts to a plain number.

    Raises:
        LeakError: a plain number is requested, or a comparison differs between images.
    """

    canvas: int
    images: tuple[int, ...]

    def __init__(self, canvas: int, images: tuple[int, ...]):
        self.canvas, self.images = canvas, images

    def __repr__(self) -> str:
        note(LeakError("a size of the canvas taken for a text"))
        return f"Side({self.canvas}: {', '.join(map(str, self.images))})"

    __str__ = __repr__

    def refuse(self, *_: Any, **__: Any) -> NoReturn:
        """Raise `LeakError`: a plain number was requested of a size that differs between images."""
        message = "a size of the canvas taken for a number that features are computed with"
        raise note(LeakError(message))

    def __bool__(self) -> bool:
        return _compared(operator.ne)(self, 0)

    def __pos__(self) -> Side:
        return self

    def __round__(self, ndigits: int | None = None) -> Size:  # pyright: ignore
        return side(round(self.canvas, ndigits), [round(n, ndigits) for n in self.images])

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        return other // self, other % self

    __class__ = property(lambda self: int)  # pyright: ignore  # branches on the type go as alone
    node = property(refuse)  # torch would ask it for the number
    __int__ = __index__ = __float__ = __complex__ = __hash__ = __format__ = refuse
    numerator = denominator = real = imag = property(refuse)
    bit_length = bit_count = conjugate = is_integer = as_integer_ratio = refuse
    __trunc__ = __floor__ = __ceil__ = __truediv__ = __rtruediv__ = refuse


Size = int | Side
"""Size as `shape` holds it: a plain number where canvas and all images agree."""


def side(canvas: int, images: Iterable[int]) -> Size:
    """Return the size that is `canvas` on the canvas, and `images[i]` for image i alone."""
    images = tuple(images)
    return Side(canvas, images) if any(n != canvas for n in images) else canvas


def of_canvas(n: Size) -> int:
    """Return the size on the canvas."""
    return n.canvas if isinstance(n, Side) else operator.index(n)


def of_images(n: Size, count: int) -> tuple[int, ...]:
    """Return the size for each of `count` images alone."""
    return n.images if isinstance(n, Side) else (operator.index(n),) * count


def leaves(*values: Any) -> Iterator[Any]:
    """Yield the leaves of nested arguments."""
    left = [*values]
    while left:
        value = left.pop()
        if isinstance(value, tuple | list):
            left += value
        elif isinstance(value, dict):
            left += value.values()
        else:
            yield value


def holds_side(*values: Any) -> bool:
    """Return whether a size that differs between images is anywhere among nested arguments."""
    return any(isinstance(value, Side) for value in leaves(*values))


def _pairs(a: Side, b: Any) -> list[tuple[int, int]] | None:
    """Pair both operands for the canvas, then for every image; None if `b` is no number."""
    if isinstance(b, Side):
        return [(a.canvas, b.canvas), *zip(a.images, b.images, strict=True)]
    if isinstance(b, float | complex):
        a.refuse()
    try:
        b = operator.index(b)
    except TypeError:
        return None
    return [(a.canvas, b), *((n, b) for n in a.images)]


def _computed(do: Callable[[Any, Any], Any], *, swapped: bool = False) -> Callable[..., Any]:
    def method(a: Side, b: Any) -> Any:
        pairs = _pairs(a, b)
        if pairs is None:
            return NotImplemented
        canvas, *images = (do(y, x) if swapped else do(x, y) for x, y in pairs)
        if not all(isinstance(n, int) for n in (canvas, *images)):
            a.refuse()
        return side(canvas, images)

    return method


def _compared(do: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    def method(a: Side, b: Any) -> Any:
        pairs = _pairs(a, b)
        if pairs is None:
            return NotImplemented
        outcomes = {do(x, y) for x, y in pairs[1:]}
        if len(outcomes) > 1:
            message = "a condition on sizes that holds for one image and not for another"
            raise note(LeakError(message))
        return outcomes.pop()

    return method


def _alone(do: Callable[[Any], Any]) -> Callable[[Side], Any]:
    return lambda a: side(do(a.canvas), map(do, a.images))


_ARITHMETIC = "add sub mul floordiv mod pow and or xor lshift rshift"
_COMPARISONS = operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge

for _name in _ARITHMETIC.split():
    _compute: Callable[[Any, Any], Any] = getattr(operator, f"__{_name}__")
    setattr(Side, f"__{_name}__", _computed(_compute))
    setattr(Side, f"__r{_name}__", _computed(_compute, swapped=True))
for _do in _COMPARISONS:
    setattr(Side, f"__{_do.__name__}__", _compared(_do))
for _do in (operator.neg, operator.abs, operator.invert):
    setattr(Side, f"__{_do.__name__}__", _alone(_do))

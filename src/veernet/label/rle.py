"""Run lengths of masks, as COCO writes them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

_LONGEST = 7
"""Most characters of one run length; six suffice for any picture."""


def decode(size: tuple[int, int], counts: str | Sequence[int]) -> Bool[ndarray, "h w"]:
    """Decode the mask of `size` (h, w) whose pixels, column by column, are alternately off and on
    for the run lengths in `counts`, off first.

    Raises:
        ValueError: the lengths cannot be read, or their sum is not the number of pixels.
    """
    lengths = _of_text(counts) if isinstance(counts, str) else _of_numbers(counts)
    h, w = size
    if (lengths < 0).any() or int(lengths.sum()) != h * w:
        raise ValueError(f"run lengths of {int(lengths.sum()):,} px in a mask of {w} × {h} px")
    on = np.arange(len(lengths)) % 2 == 1
    return on.repeat(lengths).reshape(w, h).T


def _of_numbers(counts: Sequence[int]) -> Int[ndarray, "n"]:
    if any(abs(count) > 2**40 for count in counts):
        raise ValueError("run lengths that no picture has")
    return np.array(counts, np.int64)


def _of_text(counts: str) -> Int[ndarray, "n"]:
    """Decode run lengths from text: five bits per character, in codes from 48 on, least significant
    first; the sixth bit says that more follow, and the fifth bit of the last character is the sign.
    From the fourth number on they are differences from the number two places before.

    Source: `rleFrString` of https://github.com/cocodataset/cocoapi, common/maskApi.c.
    """
    codes = np.frombuffer(counts.encode("utf-32-le", "replace"), np.uint32).astype(np.int64) - 48
    if ((codes < 0) | (codes > 63)).any():
        raise ValueError("run lengths in other letters than COCO writes")
    ends = np.flatnonzero(codes & 32 == 0)
    sizes = np.diff(ends, prepend=-1)
    if len(codes) == 0 or codes[-1] & 32 or sizes.max() > _LONGEST:
        raise ValueError("run lengths that are cut off")
    starts = ends - sizes + 1
    place = np.arange(len(codes)) - starts.repeat(sizes)
    numbers = np.add.reduceat((codes & 31) << (5 * place), starts)
    numbers -= np.where(codes[ends] & 16, np.int64(1) << (5 * sizes), 0)
    for chain in (slice(1, None, 2), slice(2, None, 2)):
        numbers[chain] = numbers[chain].cumsum()
    return numbers

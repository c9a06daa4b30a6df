"""Blocks of a batch that are small enough for a processor's cache, and their strips of rows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

NORM_STRIP = {"cpu": 3 << 16}
"""Elements per strip of the norm: as many as a processor's cache holds, and in float32 less than
1 MiB, so that the allocator reuses a strip's memory for the next; 2^24 on a GPU."""


Strips = Sequence[Tensor]
"""Strips of features, processed one after the other, each (b, rows, w × C)."""


@dataclass(frozen=True, slots=True)
class Block:
    """Images of a batch processed together: one cut into strips of rows, or several whole ones.

    Eager operations on a whole feature map read and write main memory one after the other. A
    strip fits a processor's cache, where ten of them cost little more than the first.
    """

    images: slice
    h: int
    w: int
    rows: int
    pixels: Tensor
    """Number of pixels of each image, (b, 1)."""
    outside: Tensor | None
    """True on each image's padding inside the block, (b, h, w × C); None if there is none."""

    def strips(self, x: Tensor) -> Strips:
        """The images of `x`, as strips of shape (b, rows, w × C) that share its memory."""
        cropped = x[self.images].permute(0, 2, 3, 1)[:, : self.h, : self.w]
        return torch.split(cropped.view(*cropped.shape[:2], -1), self.rows, dim=1)

    def taken(self, x: Tensor) -> Strips:
        """Return the strips of `x` with 0 in place of padding."""
        return [self.cleared(strip) for strip in self.strips(x)]

    def cleared(self, strip: Tensor) -> Tensor:
        """Return the strip with 0 in place of padding."""
        return strip if self.outside is None else strip.masked_fill(self.outside, 0)

    def wide(self, strips: Iterable[Tensor]) -> Iterator[Tensor]:
        """Convert strips to the precision of the statistics, one at a time."""
        return (strip.to(self.pixels.dtype) for strip in strips)

    def clear_around_(self, x: Tensor) -> None:
        """Write 0 into `x` outside the strips, in place."""
        x[self.images, :, self.h :] = 0
        x[self.images, :, : self.h, self.w :] = 0

    def along_row(self, per_channel: Tensor) -> Tensor:
        """Repeat (b, C) over the pixels of a row: (b, 1, w × C)."""
        return per_channel.repeat(1, self.w)[:, None]

    def per_channel(self, row: Tensor) -> Tensor:
        """Sum (b, w × C) over the pixels of a row: (b, C)."""
        return torch.unflatten(row, 1, (self.w, -1)).sum(1)


def blocks_of(x: Tensor, sides: Sequence[int]) -> Iterator[Block]:
    """Divide a batch into blocks whose strips fill a cache, or keep a GPU busy.

    Args:
        sides: height and width of every image, flat: h0, w0, h1, w1, …
    """
    _, C, H, W = x.shape
    sizes = list(zip(sides[::2], sides[1::2], strict=True))
    most = NORM_STRIP.get(x.device.type, 1 << 24)
    together = max(1, most // (C * H * W))
    for first in range(0, len(sizes), together):
        size = torch.tensor(sizes[first : first + together], device=x.device)
        h, w = (max(side) for side in zip(*sizes[first : first + together], strict=True))
        outside = None
        if any(other != (h, w) for other in sizes[first : first + together]):
            y, column = (torch.arange(side, device=x.device) for side in (h, w))
            below = y[None, :, None] >= size[:, 0, None, None]
            beside = column.repeat_interleave(C)[None, None] >= size[:, 1, None, None]
            outside = below | beside
        yield Block(
            images=slice(first, first + len(size)),
            h=h,
            w=w,
            rows=h if len(size) > 1 else max(1, most // (C * w)),
            pixels=size.prod(1, keepdim=True).to(wide_dtype(x)),
            outside=outside,
        )


def wide_dtype(x: Tensor) -> torch.dtype:
    """The precision of the statistics of `x`."""
    return torch.promote_types(x.dtype, torch.float32)

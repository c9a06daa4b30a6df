"""Sizes of the images on a shared canvas."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

Sizes = tuple[tuple[int, int], ...]
"""(h, w) of every image of a batch, px."""


@dataclass(frozen=True, slots=True)
class Extent:
    """The height and width of every image of a batch, each in the top left corner of the canvas."""

    sizes: Sizes
    canvas: tuple[int, int]

    @staticmethod
    def of(x: Float[Tensor, "B C H W"], sizes: Int[Tensor, "B 2"] | None = None) -> "Extent":
        """The extent of a batch; without `sizes`, every image fills the canvas.

        Raises:
            ValueError: a size below 1 × 1 or beyond the canvas, or not one size per image.
        """
        B, _, H, W = x.shape
        if sizes is None:
            return Extent(((H, W),) * B, (H, W))
        sizes = torch.as_tensor(sizes)
        if sizes.is_floating_point() or sizes.shape != (B, 2):
            raise ValueError(
                f"sizes must be {B} × 2 whole numbers; got {tuple(sizes.shape)} of {sizes.dtype}"
            )
        pairs = tuple((int(h), int(w)) for h, w in _rows(sizes))
        if len(pairs) != B or not all(1 <= h <= H and 1 <= w <= W for h, w in pairs):
            raise ValueError(
                f"sizes must be {B} pairs between 1 × 1 and the canvas {H} × {W}; got {pairs}"
            )
        return Extent(pairs, (H, W))

    @property
    def padded(self) -> bool:
        """True if any image is smaller than the canvas."""
        return any(size != self.canvas for size in self.sizes)

    def map(self, height: Callable[[int], int], width: Callable[[int], int]) -> "Extent":
        """The extent after a layer that maps heights by `height` and widths by `width`.

        Raises:
            ValueError: an image would have no pixel left.
        """
        sizes = tuple((height(h), width(w)) for h, w in self.sizes)
        if min(min(size) for size in sizes) < 1:
            raise ValueError(f"images of {self.sizes} px are too small for this layer")
        return Extent(sizes, (height(self.canvas[0]), width(self.canvas[1])))

    def outside(self, device: torch.device) -> Bool[Tensor, "B 1 H W"]:
        """True on the padding."""
        h, w = torch.tensor(self.sizes, device=device).T[..., None]
        y, x = (torch.arange(side, device=device) for side in self.canvas)
        return ((y >= h)[:, :, None] | (x >= w)[:, None, :])[:, None]

    def keys(self, device: torch.device) -> Bool[Tensor, "B 1 1 N"]:
        """True on the images' own pixels, the keys of attention for every head and query."""
        return ~self.outside(device).flatten(2)[:, None]

    def clear_(self, x: Shaped[Tensor, "B C H W"]) -> Shaped[Tensor, "B C H W"]:
        """Write 0 on the padding of `x` in place; no autograd graph may have saved `x`.

        Writes two rectangles per image: a mask would be read once per channel.
        """
        H, W = self.canvas
        for image, (h, w) in zip(x, self.sizes, strict=True):
            if h < H:
                image[:, h:] = 0
            if w < W:
                image[:, :h, w:] = 0
        return x

    def cleared(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """A copy of `x` with exactly 0 on the padding, whatever it held."""
        return self.joined([x], [False])

    def joined(
        self, parts: Sequence[Float[Tensor, "B _ H W"]], clear: Sequence[bool]
    ) -> Float[Tensor, "B C H W"]:
        """Concatenate `parts` along channels, with exactly 0 on the padding.

        Args:
            clear: for every part, whether it is 0 there already.
        """
        return _Joined.apply(self, tuple(clear), *parts)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]: untyped in torch


def _rows(sizes: Int[Tensor, "B 2"]) -> list[list[int]]:
    return sizes.tolist()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]: untyped in torch


class _Joined(torch.autograd.Function):
    """Concatenation and clearing in one copy, forward and backward."""

    @staticmethod
    def forward(ctx: Any, extent: Extent, clear: tuple[bool, ...], *parts: Tensor) -> Tensor:
        ctx.settings = extent, clear, [part.shape[1] for part in parts]
        # Copy even a single part: `cat` may return it as it is.
        x = parts[0].clone() if len(parts) == 1 else torch.cat(parts, dim=1)
        return x if all(clear) else extent.clear_(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        extent, clear, channels = ctx.settings
        parts = zip(torch.split(grad, channels, dim=1), clear, strict=True)
        return None, None, *(part if done else extent.clear_(part.clone()) for part, done in parts)

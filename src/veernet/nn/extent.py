"""Where on a shared canvas the images are, and the two ways to keep padding out of a layer.

A layer is sealed if its output on an image does not depend on what surrounds the image. Pointwise
layers are sealed by nature. A convolution is sealed if its input is 0 outside the image, as the
zero padding of the image alone would be: `Extent.zero`. A layer that looks at the whole image
(normalisation, attention) is sealed if it sees that image alone: `Extent.per_image`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Extent:
    """The height and width of every image of a batch, each in the top left corner of the canvas."""

    sizes: tuple[tuple[int, int], ...]
    canvas: tuple[int, int]

    @staticmethod
    def of(image: Float[Tensor, "B C H W"], sizes: Int[Tensor, "B 2"] | None) -> "Extent":
        """The extent of a batch; without `sizes`, every image fills the canvas.

        Raises:
            ValueError: a size below 1 × 1 or beyond the canvas, or not one size an image.
        """
        B, _, H, W = image.shape
        if sizes is None:
            return Extent(((H, W),) * B, (H, W))
        pairs = tuple((int(h), int(w)) for h, w in sizes.tolist())
        if len(pairs) != B or not all(1 <= h <= H and 1 <= w <= W for h, w in pairs):
            raise ValueError(
                f"sizes must be {B} pairs between 1 × 1 and the canvas {H} × {W}; got {pairs}"
            )
        return Extent(pairs, (H, W))

    @property
    def padded(self) -> bool:
        """Whether any image is smaller than the canvas."""
        return any(size != self.canvas for size in self.sizes)

    def halved(self) -> "Extent":
        """The extent after a layer of stride 2: half of every side, rounded up."""
        return Extent(tuple(_half(size) for size in self.sizes), _half(self.canvas))

    def zero(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """`x` with exactly 0 outside the images."""
        return x.masked_fill(~self._inside(x.device), 0) if self.padded else x

    def per_image(
        self, layer: Callable[[Tensor], Tensor], x: Float[Tensor, "B C H W"]
    ) -> Float[Tensor, "B C H W"]:
        """`layer` applied to every image alone, with 0 outside the images.

        Where nothing is padded the batch passes through `layer` as it is, so `layer` must treat
        the images of a batch independently and keep their shape.
        """
        if not self.padded:
            return layer(x)
        H, W = self.canvas
        return torch.cat(
            [
                F.pad(layer(image[:, :, :h, :w]), (0, W - w, 0, H - h))
                for image, (h, w) in zip(x.split(1), self.sizes, strict=True)
            ]
        )

    def _inside(self, device: torch.device) -> Bool[Tensor, "B 1 H W"]:
        h, w = torch.tensor(self.sizes, device=device).T[..., None]
        y, x = (torch.arange(side, device=device) for side in self.canvas)
        return ((y < h)[:, :, None] & (x < w)[:, None, :])[:, None]


def _half(size: tuple[int, int]) -> tuple[int, int]:
    return -(-size[0] // 2), -(-size[1] // 2)

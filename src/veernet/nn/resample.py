"""Changing resolution by 2 without reading the padding."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from veernet.nn.extent import Extent


def upsample(x: Float[Tensor, "B C h w"], extent: Extent) -> Float[Tensor, "B C H W"]:
    """Repeat every pixel 2 × 2 and crop to `extent`, the finer one; 0 outside the images.

    An image of odd side leaves a row or column of its last pixels beyond its edge: it is cleared.
    """
    H, W = extent.canvas
    return extent.zero(F.interpolate(x, scale_factor=2.0, mode="nearest")[:, :, :H, :W])


def subsample(x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C h w"]:
    """Every second pixel of every second row, the first included."""
    return x[:, :, ::2, ::2]

"""Group normalisation over the image's own pixels."""

from jaxtyping import Float
from torch import Tensor, nn

from veernet.nn.extent import Extent


def half_or_16(channels: int) -> int:
    """The number of groups when a group has max(channels / 2, 16) channels.

    One group up to 31 channels, two groups from 32 on.

    Raises:
        ValueError: the groups would not divide the channels.
    """
    groups = max(1, channels // max(channels // 2, 16))
    if channels < 1 or channels % groups:
        raise ValueError(f"channels must be at least 1, and even from 32 on; got {channels}")
    return groups


class GroupNorm(nn.GroupNorm):
    """Group normalisation sized by `half_or_16`, with statistics over each image's own pixels.

    For group g of one image, with V the image's pixels in the channels of g,

        y = gamma (x - mean_V(x)) / sqrt(var_V(x) + eps) + beta    on V,    y = 0 elsewhere.

    Source: Wu & He 2018, arXiv:1803.08494, eq. 1-6; the restriction to V is ours.
    """

    def __init__(self, channels: int):
        super().__init__(half_or_16(channels), channels)

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, x: Float[Tensor, "B C H W"], extent: Extent
    ) -> Float[Tensor, "B C H W"]:
        return extent.per_image(super().forward, x)

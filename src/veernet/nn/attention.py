"""A transformer over the pixels of a small feature map, for maps of any size."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from veernet.nn.padded import extent_of, unwrap, wrap_like


class Transformer(nn.Sequential):
    """Transformer layers over the pixels of one feature map, in place of its channels.

    Every pixel of an image sees every other of that image, and no padding.
    """

    def __init__(self, channels: int, *, num_layers: int, num_heads: int):
        super().__init__(
            *(TransformerLayer(channels, num_heads=num_heads) for _ in range(num_layers))
        )

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, x: Float[Tensor, "B C H W"]
    ) -> Float[Tensor, "B C H W"]:
        extent = extent_of(x)
        keys = extent.keys(x.device) if extent.padded else None
        y = unwrap(x).movedim(1, -1)
        for layer in self:
            y = layer(y, keys)
        return wrap_like(x, y.movedim(-1, 1), clear=False)


class TransformerLayer(nn.Module):
    """Pre-norm self-attention and feed-forward, each added to its input.

    Source: Vaswani et al. 2017, arXiv:1706.03762; pre-norm of Xiong et al. 2020, arXiv:2002.04745.
    """

    def __init__(self, channels: int, *, num_heads: int):
        super().__init__()
        self.norm_attention = nn.LayerNorm(channels)
        self.attention = SelfAttention(channels, num_heads=num_heads)
        self.norm_feed = nn.LayerNorm(channels)
        self.feed = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )

    def forward(
        self, x: Float[Tensor, "B H W C"], keys: Bool[Tensor, "B 1 1 N"] | None = None
    ) -> Float[Tensor, "B H W C"]:
        x = x + self.attention(self.norm_attention(x), keys)
        return x + self.feed(self.norm_feed(x))


class SelfAttention(nn.Module):
    """Multi-head attention of every pixel to every pixel, with relative positions.

    Positions enter as rotations of queries and keys, half of a head's channels turning with y and
    half with x, so that a score depends on the difference of positions alone and any size works.

    Source: Su et al. 2021, arXiv:2104.09864, applied to each axis.
    """

    def __init__(self, channels: int, *, num_heads: int):
        super().__init__()
        if channels % (4 * num_heads):
            raise ValueError(
                f"channels must be a multiple of 4 × heads; got {channels=}, {num_heads=}"
            )
        self.heads = num_heads
        self.to_qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(
        self, x: Float[Tensor, "B H W C"], keys: Bool[Tensor, "B 1 1 N"] | None = None
    ) -> Float[Tensor, "B H W C"]:
        """Args: keys: True on the pixels to attend to; None for all, which is faster."""
        B, H, W, C = x.shape
        qkv = self.to_qkv(x).view(B, H * W, 3, self.heads, C // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        turn = _turns(H, W, C // self.heads, like=q)
        attended = F.scaled_dot_product_attention(_rotate(q, turn), _rotate(k, turn), v, keys)
        return self.out(attended.transpose(1, 2).reshape(B, H, W, C))


def _turns(
    H: int, W: int, channels: int, *, like: Tensor
) -> tuple[Float[Tensor, "N c"], Float[Tensor, "N c"]]:
    """Cosine and sine of the angle of every pair of channels at every pixel of an H × W map."""
    exact = torch.promote_types(like.dtype, torch.float32)
    n = channels // 4
    frequency = 100.0 ** (-torch.arange(n, device=like.device, dtype=exact) / n)
    y, x = (torch.arange(side, device=like.device, dtype=exact) for side in (H, W))
    angle = torch.cat(
        [
            (y[:, None] * frequency)[:, None].expand(H, W, n),
            (x[:, None] * frequency)[None].expand(H, W, n),
        ],
        dim=-1,
    ).reshape(H * W, 2 * n)
    return angle.cos(), angle.sin()


def _rotate(
    x: Float[Tensor, "B heads N c2"], turn: tuple[Float[Tensor, "N c"], Float[Tensor, "N c"]]
) -> Float[Tensor, "B heads N c2"]:
    """Turn channel i against channel i + c by the angle of its pixel."""
    (cos, sin), (a, b) = turn, x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).to(x.dtype)

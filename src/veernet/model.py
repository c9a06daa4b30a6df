"""The network: grey log in, a plane of logits a class out, at the log's own resolution."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from veernet.errors import OptionError
from veernet.nn import GroupNorm, Padded, Transformer, padded, plain
from veernet.nn.norm import Activation


@dataclass(frozen=True, kw_only=True)
class Network:
    """The shape of a VeerNet."""

    planes: int = 3
    """Planes of logits: 1 for curve or not, or one a class, background first."""
    widths: tuple[int, ...] = (8, 16, 32, 64, 128, 128)
    """Channels at full resolution and after every stage of stride 2; the last is the bottleneck."""
    layers: int = 2
    """Transformer layers on the bottleneck."""
    heads: int = 4
    """Heads of each; the bottleneck's channels are a multiple of 4 × heads."""
    activation: Activation = "relu"
    """relu, or silu, which is smooth and slower."""

    def __post_init__(self) -> None:
        if self.planes < 1 or len(self.widths) < 2 or min(self.widths) < 2:
            raise OptionError(
                "a network needs at least 1 plane, 2 widths and 2 channels; "
                f"got planes={self.planes}, widths={self.widths}"
            )
        if self.layers < 0 or self.heads < 1 or self.widths[-1] % (4 * self.heads):
            raise OptionError(
                "the bottleneck's channels must be a multiple of 4 × heads; "
                f"got {self.widths[-1]} channels, heads={self.heads}, layers={self.layers}"
            )
        if any(width >= 32 and width % 2 for width in self.widths):
            raise OptionError(f"widths from 32 on must be even; got {self.widths}")

    @property
    def curves(self) -> int:
        """How many kinds of curve the network tells apart."""
        return max(1, self.planes - 1)


class VeerNet(nn.Module):
    """Residual encoder, transformer on the bottleneck, U-Net decoder; sealed against padding.

    The logits of an image, and their gradients, do not depend on the canvas it lies on, on what the
    padding holds, or on the other images of the batch. There is no dropout: it would make
    training depend on how a step is cut.

    Source: He et al. 2016, arXiv:1512.03385 (encoder); Ronneberger et al. 2015, arXiv:1505.04597
    (decoder).
    """

    def __init__(self, network: Network):
        super().__init__()
        self.network = network
        full, *below = network.widths
        act = network.activation
        self.stem = ConvNormAct(1, full, activation=act)
        self.down = nn.ModuleList(
            Residual(c_in, c_out, activation=act)
            for c_in, c_out in zip(network.widths, below, strict=False)
        )
        self.bottleneck = Transformer(below[-1], layers=network.layers, heads=network.heads)
        self.up = nn.ModuleList(
            Up(c_in, c_out, activation=act)
            for c_in, c_out in zip(network.widths[:0:-1], network.widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(full, network.planes, 1)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(
        self, image: Float[Tensor, "B 1 H W"], sizes: Int[Tensor, "B 2"] | None = None
    ) -> Float[Tensor, "B K H W"]:
        """The logits; only those inside `sizes`, (h, w) of every image, mean anything."""
        x = self.stem(padded(image.contiguous(memory_format=torch.channels_last), sizes))
        skips = [x]
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = self.bottleneck(skips.pop())
        for up in self.up:
            x = up(x, skips.pop())
        logits = self.head(x)
        return logits if isinstance(image, Padded) else plain(logits)


class ConvNormAct(nn.Module):
    """3 × 3 convolution, normalisation, activation."""

    def __init__(self, c_in: int, c_out: int, *, stride: int = 1, activation: Activation):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False)
        self.norm = GroupNorm(c_out, activation)

    def forward(
        self, x: Float[Tensor, "B I _ _"], residual: Float[Tensor, "B O H W"] | None = None
    ) -> Float[Tensor, "B O H W"]:
        return self.norm(self.conv(x), residual)


class Residual(nn.Module):
    """Half the resolution: two convolutions added to a shortcut."""

    def __init__(self, c_in: int, c_out: int, *, activation: Activation):
        super().__init__()
        self.first = ConvNormAct(c_in, c_out, stride=2, activation=activation)
        self.second = ConvNormAct(c_out, c_out, activation=activation)
        self.shortcut = nn.Conv2d(c_in, c_out, 1, bias=False)

    def forward(self, x: Float[Tensor, "B I H W"]) -> Float[Tensor, "B O h w"]:
        # Not a 1 × 1 convolution of stride 2: its backward in channels-last with fewer than 16
        # channels corrupts memory on the CPU (oneDNN).
        return self.second(self.first(x), self.shortcut(x[:, :, ::2, ::2]))


class Up(nn.Module):
    """Twice the resolution, joined by the encoder's features there."""

    def __init__(self, c_in: int, c_out: int, *, activation: Activation):
        super().__init__()
        # At the coarse resolution, where it costs a quarter.
        self.reduce = nn.Conv2d(c_in, c_out, 1)
        self.merge = ConvNormAct(2 * c_out, c_out, activation=activation)

    def forward(
        self, x: Float[Tensor, "B I h w"], skip: Float[Tensor, "B O H W"]
    ) -> Float[Tensor, "B O H W"]:
        finer = F.interpolate(self.reduce(x), scale_factor=2.0, mode="nearest")
        return self.merge(torch.cat([finer[:, :, : skip.shape[2], : skip.shape[3]], skip], dim=1))

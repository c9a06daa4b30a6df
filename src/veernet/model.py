"""The network: grey log in, a plane of logits a class out, at the log's own resolution."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from veernet.errors import OptionError
from veernet.nn import Extent, GroupNorm, Transformer, subsample, upsample


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
        self.stem = ConvNormAct(1, full)
        self.down = nn.ModuleList(
            Residual(c_in, c_out, stride=2)
            for c_in, c_out in zip(network.widths, below, strict=False)
        )
        self.bottleneck = Transformer(below[-1], layers=network.layers, heads=network.heads)
        self.up = nn.ModuleList(
            Up(c_in, c_out)
            for c_in, c_out in zip(network.widths[:0:-1], network.widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(full, network.planes, 1)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(
        self, image: Float[Tensor, "B 1 H W"], sizes: Int[Tensor, "B 2"] | None = None
    ) -> Float[Tensor, "B K H W"]:
        """The logits; only those inside `sizes`, (h, w) of every image, mean anything."""
        extent = Extent.of(image, sizes)
        x = self.stem(extent.zero(image).contiguous(memory_format=torch.channels_last), extent)
        skips = [(x, extent)]
        for down in self.down:
            extent = extent.halved()
            x = down(x, extent)
            skips.append((x, extent))
        x, extent = skips.pop()
        x = extent.per_image(self.bottleneck, x)
        for up in self.up:
            x = up(x, *skips.pop())
        return self.head(x)


class ConvNormAct(nn.Module):
    """3 × 3 convolution, normalisation, activation; 0 outside the images if the input is."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
        self.norm = GroupNorm(c_out)

    def forward(self, x: Float[Tensor, "B I H W"], extent: Extent) -> Float[Tensor, "B O H W"]:
        return self.norm(self.conv(x), extent).relu()


class Residual(nn.Module):
    """Two convolutions added to a shortcut; `extent` is that of the output."""

    def __init__(self, c_in: int, c_out: int, *, stride: int):
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False)
        self.norm1 = GroupNorm(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)
        self.norm2 = GroupNorm(c_out)
        self.shortcut = nn.Conv2d(c_in, c_out, 1, bias=False)

    def forward(self, x: Float[Tensor, "B I _ _"], extent: Extent) -> Float[Tensor, "B O h w"]:
        y = self.norm1(self.conv1(x), extent).relu()
        y = self.norm2(self.conv2(y), extent)
        # Not a 1 × 1 convolution of stride 2: its backward in channels-last with fewer than 16
        # channels corrupts memory on the CPU (oneDNN).
        return (y + self.shortcut(subsample(x))).relu()


class Up(nn.Module):
    """Twice the resolution, joined by the encoder's features there; `extent` is the skip's."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        self.reduce = nn.Conv2d(
            c_in, c_out, 1
        )  # at the coarse resolution, where it costs a quarter
        self.merge = ConvNormAct(2 * c_out, c_out)

    def forward(
        self, x: Float[Tensor, "B I h w"], skip: Float[Tensor, "B O H W"], extent: Extent
    ) -> Float[Tensor, "B O H W"]:
        finer = upsample(self.reduce(x), extent)
        return self.merge(torch.cat([finer, skip], dim=1), extent)

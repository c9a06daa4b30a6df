"""The network: grey log in, logits per class out, at the log's own resolution."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, cast, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from veernet.errors import OptionError
from veernet.files import check_fields, formerly
from veernet.nn import GroupNorm, Padded, Transformer, padded, unwrap
from veernet.nn.norm import Activation
from veernet.nn.padded import extent_of
from veernet.nn.spatial import per_image
from veernet.nn.tiles import Tile, checkpointed, map_tiles, normalised, statistics

ActivationCheckpointing = Literal["none", "blocks", "stages", "tiles"]
"""Activation checkpointing: which activations the backward recomputes, from most memory to least.

none:   none; every activation that the backward reads is kept
blocks: outputs of convolutions; outputs of their norms are kept
stages: all inside the stages of stride 2; their inputs and outputs are kept
tiles:  as stages, and those at full resolution too, tile by tile: they never exist whole
"""


@dataclass(frozen=True, kw_only=True)
class VeerNetConfig:
    """The shape of a VeerNet."""

    out_channels: Annotated[int, formerly("planes")] = 3
    """Channels of the logits: 1 for curve or background, else one per class, background first."""
    channels: Annotated[tuple[int, ...], formerly("widths")] = (8, 16, 32, 64, 128, 128)
    """Channels at full resolution and after every stage of stride 2; the last is the bottleneck."""
    num_layers: Annotated[int, formerly("layers")] = 2
    """Transformer layers on the bottleneck."""
    num_heads: Annotated[int, formerly("heads")] = 4
    """Attention heads per layer; the bottleneck's channels are a multiple of 4 × heads."""
    activation: Activation = "relu"
    """relu, or silu, which is smooth and slower."""

    def __post_init__(self) -> None:
        check_fields(self, error=OptionError)
        if self.out_channels < 1 or len(self.channels) < 2 or min(self.channels) < 2:
            raise OptionError(
                "a network needs out_channels of at least 1, and channels of 2 stages or more, 2 "
                "or more in each; "
                f"got out_channels={self.out_channels}, channels={self.channels}"
            )
        if self.out_channels > 255 or len(self.channels) > 16 or max(self.channels) > 65_536:
            raise OptionError(
                "a network has at most 255 out_channels, 16 stages and 65,536 channels in each; "
                f"got out_channels={self.out_channels}, channels={self.channels[:17]}"
            )
        if not 0 <= self.num_layers <= 1024:
            raise OptionError(f"num_layers must be from 0 to 1024; got {self.num_layers}")
        if self.num_heads < 1 or self.channels[-1] % (4 * self.num_heads):
            raise OptionError(
                "the bottleneck's channels must be a multiple of 4 × num_heads; "
                f"got {self.channels[-1]} channels, num_heads={self.num_heads}"
            )
        if any(width >= 32 and width % 2 for width in self.channels):
            raise OptionError(f"channels from 32 on must be even; got {self.channels}")

    @property
    def num_curves(self) -> int:
        """Number of kinds of curve that the network tells apart."""
        return max(1, self.out_channels - 1)


class VeerNet(nn.Module):
    """Residual encoder, transformer on the bottleneck, U-Net decoder; sealed against padding.

    The logits of an image, and their gradients, do not depend on the canvas it lies on, on what the
    padding holds, or on the other images of the batch. There is no dropout: it would make
    training depend on how a step is cut.

    Source: He et al. 2016, arXiv:1512.03385 (encoder); Ronneberger et al. 2015, arXiv:1505.04597
    (decoder).
    """

    def __init__(self, config: VeerNetConfig = VeerNetConfig()):
        super().__init__()
        self.config = config
        full, *below = config.channels
        act = config.activation
        self.stem = ConvNormAct(1, full, activation=act)
        self.down = nn.ModuleList(
            Residual(c_in, c_out, activation=act)
            for c_in, c_out in zip(config.channels, below, strict=False)
        )
        self.bottleneck = Transformer(
            below[-1], num_layers=config.num_layers, num_heads=config.num_heads
        )
        self.up = nn.ModuleList(
            Up(c_in, c_out, activation=act)
            for c_in, c_out in zip(config.channels[:0:-1], config.channels[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(full, config.out_channels, 1)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.activation_checkpointing = "none"

    @property
    def activation_checkpointing(self) -> ActivationCheckpointing:
        """Activations that the backward recomputes; it changes time and memory alone."""
        return self._activation_checkpointing

    @activation_checkpointing.setter
    def activation_checkpointing(self, chosen: ActivationCheckpointing) -> None:
        if chosen not in get_args(ActivationCheckpointing):
            raise OptionError(
                "activation_checkpointing must be one of "
                f"{get_args(ActivationCheckpointing)}; got {chosen!r}"
            )
        self._activation_checkpointing: ActivationCheckpointing = chosen
        for module in self.modules():
            if isinstance(module, ConvNormAct):
                module.checkpointed = chosen == "blocks"

    def forward(
        self, image: Float[Tensor, "B 1 H W"], sizes: Int[Tensor, "B 2"] | None = None
    ) -> Float[Tensor, "B K H W"]:
        """Return the logits; only those inside `sizes`, (h, w) of every image, mean anything."""
        images = padded(image.contiguous(memory_format=torch.channels_last), sizes)
        if self.activation_checkpointing == "tiles":
            logits = per_image(self._in_tiles, images, extent_of(images))
        else:
            x = self._run(self.stem, images)
            y = self._half_resolution(self._run(self.down[0], x))
            logits = self._run(self._decode_last, y, x)
        return logits if isinstance(image, Padded) else unwrap(logits)

    def _half_resolution(self, x: Float[Tensor, "B I h w"]) -> Float[Tensor, "B O h w"]:
        """Run everything at half the resolution and below, after the first stage down."""
        skips = [x]
        for down in self.down[1:]:
            skips.append(self._run(down, skips[-1]))
        x = self._run(self.bottleneck, skips.pop())
        for up in self.up[:-1]:
            x = self._run(up, x, skips.pop())
        return x

    def _decode_last(
        self, x: Float[Tensor, "B I h w"], skip: Float[Tensor, "B O H W"]
    ) -> Float[Tensor, "B K H W"]:
        return self.head(self.up[-1](x, skip))

    def _in_tiles(self, image: Float[Tensor, "1 1 H W"]) -> Float[Tensor, "1 K H W"]:
        """Compute `forward` tile by tile; only image and logits exist whole at full resolution."""
        stem, down, up = self.stem, cast(Residual, self.down[0]), cast(Up, self.up[-1])

        def stem_tile(tile: Tile, image: Tensor) -> Tensor:
            return stem.conv(image)

        def features(tile: Tile, image: Tensor) -> Tensor:
            return normalised(stem.norm, stem_tile(tile, image), of_stem)

        def halve_tile(tile: Tile, image: Tensor) -> tuple[Tensor, ...]:
            return tuple(tile.interior(x, stride=2) for x in down.halves(features(tile, image)))

        def merge_tile(tile: Tile, x: Tensor, image: Tensor) -> Tensor:
            return up.merge.conv(up.concatenated(x, features(tile, image)))

        def finish_tile(tile: Tile, x: Tensor, image: Tensor) -> tuple[Tensor]:
            x = tile.interior(merge_tile(tile, x, image))
            return (self.head(normalised(up.merge.norm, x, of_up)),)

        of_stem = statistics(stem.norm, stem_tile, image)
        x = self._half_resolution(self._run(down.added, *map_tiles(halve_tile, image)))
        x = up.reduce(x)
        of_up = statistics(up.merge.norm, merge_tile, x, image)
        return map_tiles(finish_tile, x, image)[0]

    def _run(self, stage: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        return (
            checkpointed(stage, *inputs)
            if self.activation_checkpointing in ("stages", "tiles")
            else stage(*inputs)
        )


class ConvNormAct(nn.Module):
    """3 × 3 convolution, normalisation, activation."""

    def __init__(self, c_in: int, c_out: int, *, stride: int = 1, activation: Activation):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False)
        self.norm = GroupNorm(c_out, activation)
        self.checkpointed = False

    def forward(
        self, x: Float[Tensor, "B I _ _"], residual: Float[Tensor, "B O H W"] | None = None
    ) -> Float[Tensor, "B O H W"]:
        return checkpointed(self._run, x, residual) if self.checkpointed else self._run(x, residual)

    def _run(self, x: Tensor, residual: Tensor | None) -> Tensor:
        return self.norm(self.conv(x), residual)


class Residual(nn.Module):
    """Residual block at half the resolution: two convolutions added to a shortcut."""

    def __init__(self, c_in: int, c_out: int, *, activation: Activation):
        super().__init__()
        self.first = ConvNormAct(c_in, c_out, stride=2, activation=activation)
        self.second = ConvNormAct(c_out, c_out, activation=activation)
        self.shortcut = nn.Conv2d(c_in, c_out, 1, bias=False)

    def forward(self, x: Float[Tensor, "B I H W"]) -> Float[Tensor, "B O h w"]:
        return self.second(self.first(x), self._shortcut(x))

    def halves(self, x: Float[Tensor, "B I H W"]) -> tuple[Tensor, Tensor]:
        """Return first convolution and shortcut of `x`, the inputs of `added`."""
        return self.first.conv(x), self._shortcut(x)

    def added(self, x: Tensor, shortcut: Tensor) -> Float[Tensor, "B O h w"]:
        """Return the result of the block, from the two tensors of `halved`."""
        return self.second(self.first.norm(x), shortcut)

    def _shortcut(self, x: Float[Tensor, "B I H W"]) -> Float[Tensor, "B O h w"]:
        # Not a 1 × 1 convolution of stride 2: its backward in channels-last with fewer than 16
        # channels corrupts memory on the CPU (oneDNN).
        return self.shortcut(x[:, :, ::2, ::2])


class Up(nn.Module):
    """Decoder block: double the resolution and merge the encoder's features there."""

    def __init__(self, c_in: int, c_out: int, *, activation: Activation):
        super().__init__()
        # Reduce channels at the coarse resolution, where it costs a quarter.
        self.reduce = nn.Conv2d(c_in, c_out, 1)
        self.merge = ConvNormAct(2 * c_out, c_out, activation=activation)

    def forward(
        self, x: Float[Tensor, "B I h w"], skip: Float[Tensor, "B O H W"]
    ) -> Float[Tensor, "B O H W"]:
        return self.merge(self.concatenated(self.reduce(x), skip))

    def concatenated(
        self, x: Float[Tensor, "B O h w"], skip: Float[Tensor, "B O H W"]
    ) -> Float[Tensor, "B O2 H W"]:
        """Concatenate coarse features, at twice the resolution, with the encoder's."""
        finer = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return torch.cat([finer[:, :, : skip.shape[2], : skip.shape[3]], skip], dim=1)

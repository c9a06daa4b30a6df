"""A sealed network gives every image of a padded batch what the network gives that image alone."""

import contextlib
import copy
import io
import math
import pickle
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import error, worst
from monai.networks.nets.basic_unet import BasicUNet
from monai.networks.nets.segresnet import SegResNet
from monai.networks.nets.unet import UNet as MonaiUNet
from torch import nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input, conv2d_weight
from torch.utils.checkpoint import checkpoint

from veernet import VeerNet, VeerNetConfig
from veernet.errors import CouplingError, LeakError, PerImageWarning
from veernet.nn import GroupNorm, Transformer, group_norm, padded, seal, unwrap
from veernet.nn.side import of_canvas, of_images

side = st.integers(1, 30)


class Call(nn.Module):
    """A function of features as a module, with a weight a channel before it."""

    def __init__(self, function, channels=4):
        super().__init__()
        self.function = function
        self.inner = nn.Conv2d(1, channels, 1)

    def forward(self, x):
        return self.function(self.inner(x))


class Attend(nn.Module):
    """Multi-head attention of pixels, as the transformer blocks of users do it."""

    def __init__(self, make):
        super().__init__()
        self.inner = nn.Conv2d(1, 8, 1)
        self.layer = make()

    def forward(self, x):
        x = self.inner(x)
        B, C, H, W = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        if isinstance(self.layer, nn.MultiheadAttention):
            tokens, _ = self.layer(tokens, tokens, tokens, need_weights=False)
        else:
            tokens = self.layer(tokens)
        return tokens.transpose(1, 2).reshape(B, C, H, W)


class CroppedUNet(nn.Module):
    """No bias before the skip: what is cropped off is all that has to be cleared."""

    def __init__(self):
        super().__init__()
        self.full = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU())
        self.lower = nn.Sequential(nn.Conv2d(4, 4, 3, 2, 1), nn.GroupNorm(2, 4), nn.ReLU())
        self.out = nn.Conv2d(8, 2, 3, padding=1)

    def forward(self, x):
        skip = self.full(x)
        up = F.interpolate(self.lower(skip), scale_factor=2.0)
        return self.out(torch.cat([up[:, :, : skip.shape[2], : skip.shape[3]], skip], 1))


class Tokens(nn.Module):
    """A linear layer over the channels of tokens, between two convolutions."""

    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Conv2d(1, 4, 1), edge()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        x = F.group_norm(self.inner(x), 1)
        B, C, H, W = x.shape
        tokens = self.linear(x.flatten(2).mT)
        return self.outer(tokens.mT.view(B, C, H, W))


class ByHand(nn.Module):
    """A small U-Net with about everything: odd sizes, a bilinear and a cropped skip, gates."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2, bias=False), nn.InstanceNorm2d(8, affine=True)
        )
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.down = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.GELU())
        self.smooth = nn.AvgPool2d(2, ceil_mode=True)
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.gate = nn.Conv2d(16, 1, 1)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.join = nn.Conv2d(24, 8, 3, padding="same")
        self.norm = nn.LayerNorm(8)
        self.head = nn.Conv2d(16, 3, 1)

    def forward(self, x):
        full = F.leaky_relu(self.stem(x), 0.1)
        half = self.down(self.pool(full))
        quarter = self.smooth(half)
        B, C, H, W = quarter.shape
        y = self.encoder(quarter.view(B, C, H * W).permute(0, 2, 1)).mT.view(B, C, H, W)
        y = y * torch.sigmoid(self.gate(y)) + 0.5
        y = self.up(y)[..., : half.shape[-2], : half.size(3)]
        y = self.join(torch.cat((y, half), 1))
        y = self.norm(y.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        y = F.interpolate(y, size=full.shape[2:], mode="bilinear", align_corners=False)
        return self.head(torch.cat([y, full.softmax(dim=1)], dim=1))


class TransposedToSize(nn.Module):
    """A transposed convolution that is told how large its result was before."""

    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Conv2d(1, 4, 3, 2, 1), nn.ConvTranspose2d(4, 4, 3, 2, 1)
        self.out = nn.Conv2d(5, 2, 3, padding=1)

    def forward(self, x):
        return self.out(torch.cat([self.up(self.down(x), output_size=x.shape[2:]), x], 1))


class Heads(nn.Module):
    """Multi-head attention as vision transformers write it out."""

    def __init__(self, *, unbind):
        super().__init__()
        self.stem, self.unbind = nn.Conv2d(1, 16, 3, padding=1), unbind
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)

    def forward(self, x):
        x = self.stem(x)
        B, C, H, W = x.shape
        x = x.flatten(2).transpose(1, 2)
        B, N, C = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, 2, C // 2).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0) if self.unbind else (qkv[0], qkv[1], qkv[2])
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, N, C)
        return self.out(y).transpose(1, 2).reshape(B, C, H, W)


def padded_to_a_multiple(x):
    h, w = x.shape[-2:]
    x = F.group_norm(F.pad(x, (0, -w % 8, 0, (8 - h % 8) % 8)), 1)
    return box(F.interpolate(F.avg_pool2d(x, 8), scale_factor=8)[:, :2, :h, :w] + x[:, :2, :h, :w])


def padded_by_the_difference(x):
    """As in the U-Net of many: what pooling lost is laid around, and some sizes lose nothing."""
    up = F.interpolate(F.max_pool2d(x, 2), scale_factor=2, mode="bilinear", align_corners=True)
    down, right = x.size()[2] - up.size()[2], x.size()[3] - up.size()[3]
    up = F.pad(up, [right // 2, right - right // 2, down // 2, down - down // 2])
    return box(torch.cat([up, x], dim=1)[:, 3:5])


with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)

    @torch.jit.script
    def SCRIPTED(x: torch.Tensor):  # noqa: N802
        return x.mean((2, 3), keepdim=True)


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Conv2d(1, 4, 1), edge()

    def forward(self, x):
        return checkpoint(self.outer, self.inner(x), use_reentrant=False)


def encoder_layer():
    return nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)


def after_bias(*layers):
    """The layers, on four channels that are not 0 outside the images."""
    return nn.Sequential(nn.Conv2d(1, 4, 1), *layers)


def edge():
    """A layer that sees what the one before it left past the edge."""
    return nn.Conv2d(4, 2, 3, padding=1)


LAYERS = {
    "conv": lambda: after_bias(nn.Conv2d(4, 4, 3, padding=1), edge()),
    "conv 1 × 1 of stride 2": lambda: after_bias(nn.Conv2d(4, 4, 1, stride=2), edge()),
    "conv of stride 2": lambda: after_bias(
        nn.Conv2d(4, 4, 3, stride=2, padding=1), nn.Conv2d(4, 4, (3, 1), padding=(1, 0))
    ),
    "conv, dilated, in groups": lambda: after_bias(
        nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2), edge()
    ),
    "conv, same": lambda: after_bias(nn.Conv2d(4, 4, (5, 3), padding="same"), edge()),
    "transposed, kernel = stride": lambda: after_bias(nn.ConvTranspose2d(4, 4, 2, 2), edge()),
    "transposed, overlapping": lambda: after_bias(
        nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1), edge()
    ),
    "group norm": lambda: after_bias(nn.GroupNorm(2, 4), edge()),
    "instance norm": lambda: after_bias(
        nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.InstanceNorm2d(4), edge()
    ),
    "layer norm": lambda: Call(
        lambda x: F.layer_norm(x.movedim(1, -1), (4,)).movedim(-1, 1).max(1, keepdim=True)[0]
    ),
    "our norm": lambda: nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), GroupNorm(8, "silu")),
    "batch norm, evaluating": lambda: after_bias(nn.BatchNorm2d(4), edge()).eval(),
    "max pool": lambda: after_bias(nn.MaxPool2d(2), edge()),
    "max pool, ceil": lambda: after_bias(nn.MaxPool2d(2, ceil_mode=True), edge()),
    "max pool, padded": lambda: after_bias(nn.MaxPool2d(3, 2, 1), edge()),
    "max pool, then 1 × 1": lambda: after_bias(nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 2, 1)),
    "average pool": lambda: after_bias(nn.AvgPool2d(3, 2, 1), edge()),
    "average pool of what is there": lambda: after_bias(
        nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), edge()
    ),
    "nearest": lambda: after_bias(nn.Upsample(scale_factor=3), edge()),
    "bilinear": lambda: after_bias(nn.Upsample(scale_factor=2, mode="bilinear"), edge()),
    "bilinear, corners": lambda: after_bias(
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), edge()
    ),
    "bicubic by 1.5": lambda: after_bias(nn.Upsample(scale_factor=1.5, mode="bicubic"), edge()),
    "pixel shuffle": lambda: nn.Sequential(
        nn.Conv2d(1, 16, 1), nn.PixelShuffle(2), nn.Conv2d(4, 2, 3, 1, 1)
    ),
    "zero padding": lambda: after_bias(nn.ZeroPad2d((1, 2, 0, 3)), nn.Conv2d(4, 2, 3)),
    "attention": lambda: Attend(lambda: nn.MultiheadAttention(8, 2, batch_first=True)),
    "scaled dot product attention": lambda: Call(
        lambda x: F.scaled_dot_product_attention(*[x[:, None].flatten(3).mT] * 3).mT.view(x.shape)
    ),
    "transformer encoder layer": lambda: Attend(encoder_layer),
    "transformer encoder layer, evaluating": lambda: Attend(encoder_layer).eval(),
    "our transformer": lambda: nn.Sequential(
        nn.Conv2d(1, 8, 3, 1, 1),
        Transformer(8, num_layers=1, num_heads=2),
        nn.Conv2d(8, 2, 3, 1, 1),
    ),
    "channel arithmetic": lambda: Call(
        lambda x: box(2 - x.chunk(2, 1)[0] * x[:, 2:].sigmoid() + x.mean(1, keepdim=True) / 2)
    ),
    "a sum with a number": lambda: Call(lambda x: box(F.relu(x)[:, :2].cos() + 1)),
    "a number at 0": lambda: after_bias(nn.Hardtanh(0.5, 2.0), edge()),
    "products": lambda: Call(lambda x: box(x.sigmoid()[:, :2] * F.avg_pool2d(x, 1)[:, 2:])),
    "a cat of clear and not": lambda: Call(
        lambda x: box(torch.cat([x[:, :1].sigmoid(), F.group_norm(x, 1)[:, :1]], 1))
    ),
    "in place": lambda: Call(
        lambda x: box(F.relu(x.add_(1), inplace=True).unflatten(1, (2, 2)).sum(2))
    ),
    "strided": lambda: Call(lambda x: x[:, :, ::2, 0::3][..., None].squeeze(-1)),
    "prelu, dropout": lambda: after_bias(
        nn.PReLU(4), nn.Dropout(0.5).eval(), nn.SELU(), nn.Dropout2d(0.0), edge()
    ),
    "a sum with a number, of clear features": lambda: Call(
        lambda x: box(F.group_norm(x, 1)[:, :2] + 1)
    ),
    "a sigmoid of clear features": lambda: Call(lambda x: box(F.group_norm(x, 1)[:, :2].sigmoid())),
    "written to through a view": lambda: Call(written_through_a_view),
    "written to under a view": lambda: Call(written_under_a_view),
    "max pool, ceil, padded, apart": lambda: after_bias(
        nn.MaxPool2d(2, stride=3, padding=1, ceil_mode=True), edge()
    ),
    "average pool, padded, of what is there": lambda: after_bias(
        nn.AvgPool2d(3, 1, 1, count_include_pad=False), edge()
    ),
    "nearest, to half": lambda: after_bias(nn.Upsample(scale_factor=0.5), edge()),
    "cropped to what is smaller, and larger": lambda: Call(cropped_both_ways),
    "linear with a bias": Tokens,
    "cropped U-Net": CroppedUNet,
    "sealed in sealed": lambda: nn.Sequential(seal(after_bias(edge())), nn.Conv2d(2, 2, 3, 1, 1)),
    "ours in sealed": lambda: nn.Sequential(
        VeerNet(VeerNetConfig(out_channels=4, channels=(4, 8, 16), num_heads=2, num_layers=1)),
        edge(),
    ),
    "by hand": ByHand,
    "reflected": lambda: after_bias(nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), edge()),
    "replicated": lambda: after_bias(nn.ReplicationPad2d((1, 0, 2, 1)), edge()),
    "a constant around": lambda: after_bias(nn.ConstantPad2d((1, 2, 0, 3), 0.5), edge()),
    "cropped by a negative pad": lambda: after_bias(nn.ZeroPad2d((-1, -2, 0, -1)), edge()),
    "channels padded": lambda: Call(lambda x: box(F.pad(x, (0, 0, 1, 0, 1, 2)).cos()[:, :2])),
    "cropped by constants": lambda: Call(lambda x: box(x[:, :2, 1:, 2:-1][..., :7, ::2])),
    "to a constant size": lambda: Call(lambda x: box(F.interpolate(x, size=(9, 11))[:, :2])),
    "up to a multiple of 8, and back": lambda: Call(padded_to_a_multiple),
    "skips padded by what is missing": lambda: Call(padded_by_the_difference),
    "transposed, to the size before": TransposedToSize,
    "a condition that all images meet": lambda: Call(
        lambda x: box(x[:, :2] + 1 if x.shape[2] > 3 else x[:, :2])
    ),
    "attention with heads, by unbind": lambda: Heads(unbind=True),
    "attention with heads, by index": lambda: Heads(unbind=False),
    "instance norm, evaluating by running statistics": lambda: after_bias(
        nn.InstanceNorm2d(4, track_running_stats=True), edge()
    ).eval(),
    "a branch for whole numbers": lambda: Call(
        lambda x: box(x[:, :2] if isinstance(x.shape[2], int) else x[:, :2] + 1)
    ),
    "keywords": lambda: Call(
        lambda x: box(x.softmax(dim=1).chunk(chunks=2, dim=1)[0] + x.mean(axis=1, keepdim=True))
    ),
    "checkpointed": Checkpointed,
    "rounded to tens": lambda: Call(lambda x: box(F.pad(x, (0, round(x.shape[3], -1)))[:, :2])),
    "minus infinity around, as some pool": lambda: after_bias(
        nn.ConstantPad2d((1, 1, 0, 1), -math.inf), nn.MaxPool2d(3, 2), nn.Conv2d(4, 2, 1)
    ),
    "padded by nothing, in place": lambda: Call(
        lambda x: box(x[:, :2] + F.pad(x, (0, 0, 0, 0)).mul_(2)[:, :2])
    ),
    "in place through a view": lambda: Call(lambda x: box((x[:, 1:3].mul_(2), x)[1][:, :2])),
    "the larger of two": lambda: Call(lambda x: box(torch.max(x.cos(), x)[:, :2])),
}


def written_through_a_view(x):
    x = F.group_norm(x, 1)
    x.flatten(2).add_(1)
    return box(x[:, :2])


def written_under_a_view(x):
    x = F.group_norm(x, 1)
    part = x[:, :2]
    x += 1
    return box(part)


def attention_weights(x):
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(4, 1, batch_first=True).double().requires_grad_(False)
    return layer(*[x.flatten(2).mT] * 3)[1]


class OwnIdentity(torch.autograd.Function):
    forward = staticmethod(lambda ctx, x: x * 1)
    backward = staticmethod(lambda ctx, *grads: grads[0] / grads[0].abs().mean())


def pooled_if_large_enough(x):
    try:
        return F.max_pool2d(x, 10)
    except RuntimeError:
        return x


def caught(number):
    """A number, or another where it cannot be had."""
    try:
        return number()
    except Exception:
        return 1.0


def cropped_both_ways(x):
    """An odd side of 2 n + 1 px makes n, then 2 n, or n + 1, then 2 n + 2."""
    less = F.interpolate(F.avg_pool2d(x, 2), scale_factor=2)
    more = F.interpolate(F.avg_pool2d(x, 2, ceil_mode=True), scale_factor=2)
    small = x[:, :, : less.shape[2], : less.shape[3]] + less
    same = x[:, :, : more.shape[2], : more.shape[3]] + x
    large = more[:, :, : x.shape[2], : x.shape[3]] + same
    wide = F.interpolate(box(small[:, :2]), size=x.shape[2:], mode="bilinear")
    return box(torch.cat([box(large[:, 2:]), wide], 1))


def box(x):
    """The sum of two channels around every pixel."""
    return F.conv2d(x, torch.ones(1, 2, 3, 3, dtype=x.dtype), padding=1)


def on_a_canvas(sizes, more=(3, 5), value=7.0, dtype=torch.float64):
    """Images of noise, and their batch on a canvas that is larger by `more`."""
    images = [torch.randn(1, h, w, dtype=dtype) for h, w in sizes]
    canvas = max(h for h, _ in sizes) + more[0], max(w for _, w in sizes) + more[1]
    batch = torch.full((len(sizes), 1, *canvas), value, dtype=dtype)
    for place, image in zip(batch, images, strict=True):
        place[:, : image.shape[1], : image.shape[2]] = image
    return images, batch


def alone_and_together(model, sizes, more=(3, 5), value=7.0, seed=0):
    """Outputs and gradients of images together on a canvas, and of each image alone."""
    torch.manual_seed(seed)
    model = seal(model.double())
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    images, batch = on_a_canvas(sizes, more, value)
    together = model(batch, torch.tensor(sizes))
    alone = [model(image[None])[0] for image in images]
    cropped = [x[tuple(map(slice, y.shape))] for x, y in zip(together, alone, strict=True)]
    upstream = [torch.randn_like(y) for y in alone]
    weights = [p for p in model.parameters() if p.requires_grad]

    def gradient(outputs):
        nothing = upstream[0].new_zeros(())
        total = sum(((y * u).sum() for y, u in zip(outputs, upstream, strict=True)), nothing)
        grads = torch.autograd.grad(total, weights, allow_unused=True)
        return [g for g in grads if g is not None]

    return (cropped, gradient(cropped)), (alone, gradient(alone))


def leak(model, *args, **kwargs):
    pairs = list(zip(*alone_and_together(model, *args, **kwargs), strict=True))
    with torch.no_grad():
        return worst(error(found, expected) if expected else 0.0 for found, expected in pairs)


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())
@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.integers(4, 30), st.integers(4, 30)), min_size=2, max_size=3),
    st.tuples(st.integers(0, 7), st.integers(0, 7)),
    st.sampled_from([0.0, -3.0, 1e6, float("nan"), float("inf")]),
)
def test_a_layer_does_to_an_image_what_it_does_to_it_alone(make, sizes, more, value):
    assert leak(make(), sizes, more, value) < 1e-10


def group(channels):
    return ("group", {"num_groups": channels})


MONAI = {
    "UNet, overlapping transposed convolutions": lambda: MonaiUNet(
        2, 1, 3, channels=(8, 16, 32), strides=(2, 2), num_res_units=2, norm=group(1)
    ),
    "BasicUNet, transposed convolutions": lambda: BasicUNet(
        2, 1, 3, features=(4, 4, 8, 8, 8, 4), norm=group(2)
    ),
    "BasicUNet, bilinear": lambda: BasicUNet(
        2, 1, 3, features=(4, 4, 8, 8, 8, 4), norm=group(2), upsample="nontrainable"
    ),
    "SegResNet": lambda: SegResNet(2, 4, 1, 3, norm=group(2)),
}


@pytest.mark.parametrize("make", MONAI.values(), ids=MONAI.keys())
@settings(max_examples=8)
@given(
    st.lists(st.tuples(st.integers(2, 4), st.integers(2, 5)), min_size=1, max_size=3),
    st.tuples(st.integers(0, 1), st.integers(0, 2)),
    st.integers(0, 100),
)
def test_a_network_of_monai_is_sealed_as_it_is(make, blocks, more, seed):
    """Its own sizes are multiples of 16: alone on any other it fails, sealed or not."""
    sizes = [(16 * h, 16 * w) for h, w in blocks]
    assert leak(make(), sizes, (16 * more[0], 16 * more[1]), seed=seed) < 1e-10


@pytest.mark.filterwarnings("ignore::veernet.errors.PerImageWarning")
@pytest.mark.parametrize("upsample", ["deconv", "nontrainable"])
@settings(max_examples=8)
@given(
    st.lists(st.tuples(st.integers(32, 64), st.integers(32, 90)), min_size=2, max_size=3),
    st.integers(0, 100),
)
def test_a_network_that_takes_any_size_takes_any_batch(upsample, sizes, seed):
    """Its skips are padded where a side was odd, which differs from image to image."""
    model = BasicUNet(2, 1, 3, features=(4, 4, 8, 8, 8, 4), norm=group(2), upsample=upsample)
    assert leak(model, sizes, seed=seed, value=math.nan) < 1e-10


def test_a_seal_left_open_shows():
    """The same comparison on a network that is not sealed, to see that it can fail."""
    model, image = ByHand().double(), torch.zeros(1, 1, 24, 32, dtype=torch.float64)
    image[..., :16, :20] = torch.randn(16, 20, dtype=torch.float64)
    with torch.no_grad():
        together, alone = model(image)[..., :16, :20], model(image[..., :16, :20])
    assert error([together], [alone]) > 1e-2


def test_sealing_changes_neither_weights_nor_their_names_nor_the_plain_call():
    model = ByHand()
    before, plain_copy = copy.deepcopy(model.state_dict()), copy.deepcopy(model)
    assert seal(seal(model)) is model
    assert isinstance(model, ByHand)
    assert [*model.state_dict()] == [*before]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    x = torch.randn(2, 1, 16, 20)
    assert torch.equal(model(x), plain_copy(x))
    assert torch.equal(model(x, torch.tensor([[16, 20], [16, 20]])), plain_copy(x))
    clone = copy.deepcopy(model)
    sizes = torch.tensor([[16, 20], [9, 11]])
    assert torch.equal(clone(x, sizes), model(x, sizes))
    assert type(model(x, sizes)) is torch.Tensor


class Net(nn.Module):
    """A layer where a network would have it, on a tensor of 4 channels."""

    def __init__(self, layer):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), layer)

    def forward(self, x):
        return self.body(x)


@pytest.mark.parametrize(
    ("layer", "name"),
    [(nn.BatchNorm2d(4), "Batch"), (nn.InstanceNorm2d(4, track_running_stats=True), "Instance")],
)
def test_a_layer_that_couples_images_is_refused_by_name_at_once(layer, name):
    with pytest.raises(CouplingError, match=rf"^body\.1: {name}Norm2d in training couples the im"):
        seal(Net(layer))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.batch_norm(x, None, None, training=True),
        lambda x: F.instance_norm(x, torch.zeros(4), torch.ones(4)),
    ],
)
def test_a_function_that_couples_images_is_refused_and_not_done_one_by_one(function):
    with pytest.raises(CouplingError):
        seal(Call(function))(torch.randn(2, 1, 12, 13), torch.tensor([[5, 6], [7, 8]]))


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (nn.Softmax(dim=-1), r"body\.1 \(Softmax\): softmax\(\) over the axes W"),
        (nn.LPPool2d(2, 2), r"body\.1 \(LPPool2d\): "),
        (nn.MaxPool2d(2, return_indices=True), r"body\.1 \(MaxPool2d\): max_pool2d_with_indices"),
        (nn.AdaptiveAvgPool2d(2), r"body\.1 \(AdaptiveAvgPool2d\): adaptive_avg_pool2d"),
    ],
)
def test_a_layer_without_a_rule_is_named_once_and_done_image_by_image(layer, reason):
    model = seal(Net(layer))
    sizes = torch.tensor([[5, 6], [12, 12]])
    with pytest.warns(PerImageWarning, match=f"^{reason}"):
        model(torch.randn(2, 1, 12, 13), sizes)
    together = model(torch.randn(2, 1, 12, 13), sizes)  # a second warning would be an error
    assert (together[0] if isinstance(together, tuple) else together).shape[0] == 2


NUMBERS = {
    "int": int,
    "reciprocal": lambda h: 1.0 / h,
    "half": lambda h: h * 0.5,
    "less a half": lambda h: h - 0.5,
    "float": float,
    "from its name": lambda h: float(str(h)),
    "formatted": lambda h: float(f"{h}"),
    "logarithm": math.log,
    "whole root": math.isqrt,
    "common divisor": lambda h: math.gcd(h, 12),
    "numpy root": np.sqrt,
    "numpy array": lambda h: float(np.array([h], dtype=float)[0]),
    "tensor": torch.tensor,
    "ones": lambda h: torch.ones(h).sum(),
    "ones of a shape": lambda h: torch.ones((2, h)).sum(),
    "range": lambda h: len(range(h)),
    "list": lambda h: len([0] * h),
    "compared with a fraction": lambda h: 1.0 if h > 20.5 else 2.0,
    "ceiling": lambda h: math.ceil(h / 3),
    "negative power": lambda h: h**-1,
    "times a weight": lambda h: torch.full((1,), 0.5) * h,
    "a weight times": lambda h: h * torch.full((1,), 0.5),
    "into a weight": lambda h: torch.ones(1).add_(h),
    "filled in": lambda h: torch.full((1,), h),
    "key": lambda h: {n: 1 / (1 + n) for n in range(1000)}[h],
    "parity": lambda h: 1.0 + (h & 1),
    "whole parts": lambda h: divmod(h, 7)[1] + (h >> 1) + abs(-h) + round(h),
    "power": lambda h: h**2,
    "numpy product": lambda h: np.int64(2) * h,
}


@pytest.mark.filterwarnings("ignore::veernet.errors.PerImageWarning")
@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS.keys())
@pytest.mark.parametrize(
    "size",
    [lambda x: x.shape[2], lambda x: x.size(-1), lambda x: x.shape[0] + x.flatten(2).shape[-1]],
    ids=["height", "width", "tokens"],
)
def test_a_size_that_becomes_a_number_is_that_of_the_image_alone(number, size):
    """Whether it is carried for every image, or refused so that they are done one by one."""
    assert leak(Call(lambda x: x * number(size(x)), 1), [(17, 31), (24, 40)], (0, 0)) < 1e-10


def test_the_number_of_elements_of_a_shape_is_refused():
    x = padded(torch.randn(2, 1, 24, 40), torch.tensor([[17, 31], [24, 40]]))
    with pytest.raises(LeakError, match="taken for a number"):
        x.shape.numel()


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.mean((2, 3), keepdim=True) * x,
        lambda x: x.mean((2, 3)),
        lambda x: F.adaptive_avg_pool2d(x, 1) * x,
        lambda x: x.roll(1, -1),
        lambda x: x.flip(2),
        lambda x: x.cumsum(3),
        lambda x: torch.fft.fft2(x).abs(),
        lambda x: x[torch.tensor([0])],
        lambda x: x[:, torch.tensor([0, 1])],
        lambda x: x[:, :, -3:],
        lambda x: x + torch.linspace(0, 1, x.shape[-1], dtype=x.dtype),
        lambda x: x.flatten(1),
        lambda x: x.transpose(2, 3).reshape(x.shape) + x,
        lambda x: torch.cat([x, x], 2),
        lambda x: torch.cat([x, torch.zeros_like(x)], 1),
        lambda x: x / (1 + x * x),
        lambda x: x / x.shape[2],
        lambda x: F.leaky_relu(x, 1 / x.shape[3]),
        lambda x: x if x.shape[2] % 2 else x + 1,
        lambda x: torch.sin(unwrap(x)),
        lambda x: torch.ops.aten.gelu(x),
        lambda x: x.new_zeros(x.shape).add_(x),
        lambda x: GroupNorm(5).double().requires_grad_(False)(x[:, :, :5].transpose(1, 2)),
        attention_weights,
        lambda x: x * x.shape[0],
        lambda x: (x[:, :, :-1].add_(1), x)[1],
        lambda x: (F.relu_(x[:, :2, : x.shape[2] // 2]), x)[1],
        lambda x: (x[:, :, :-1].transpose(1, 2).mul_(2), x)[1],
        lambda x: x * torch.ones(2, 1, 1, 1, dtype=x.dtype)[: len(x)],
        lambda x: x * torch.autograd.Variable(x.detach()).mean((2, 3), keepdim=True),
        lambda x: x * SCRIPTED(x),
        lambda x: x * len(str(x.shape[2])),
        lambda x: F.layer_norm(x.movedim(1, -1), (4,), eps=0.0).movedim(-1, 1),
        lambda x: pooled_if_large_enough(x),
        lambda x: F.conv2d(input=OwnIdentity.apply(x), weight=torch.ones(2, 4, 3, 3).to(x)),
        lambda x: x * caught(lambda: float(x.shape[2])) + caught(lambda: x.sum().item()),
        lambda x: F.pad(x, (x.shape[3] % 2, 0)),
        lambda x: x.flatten(2),
    ],
)
def test_what_mixes_pixels_is_done_image_by_image_and_said(function):
    torch.manual_seed(1)
    model = seal(Call(function).double())
    images, batch = on_a_canvas([(8, 9), (13, 12)])
    model.requires_grad_(False)
    with pytest.warns(PerImageWarning, match="^the model: .* worked on one after the other"):
        together = model(batch, torch.tensor([[8, 9], [13, 12]]))
    for image, found in zip(images, together, strict=True):
        alone = model(image[None])[0]
        assert error([found[tuple(map(slice, alone.shape))]], [alone]) < 1e-10


class OwnConvolution(torch.autograd.Function):
    """A convolution whose backward reads what its input holds beyond the images."""

    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, padding=1)

    @staticmethod
    def backward(ctx, *grads):
        (x, weight), (grad,) = ctx.saved_tensors, grads
        into = conv2d_input(x.shape, weight, grad, padding=1)
        return into, conv2d_weight(x, weight.shape, grad, padding=1)


class WithOwn(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.weight = nn.Conv2d(1, 4, 1), nn.Parameter(torch.randn(2, 4, 3, 3))

    def forward(self, x):
        return OwnConvolution.apply(self.inner(x), self.weight)


def test_an_autograd_function_of_ones_own_is_worked_on_image_by_image():
    with pytest.warns(PerImageWarning, match="OwnConvolutionBackward, an autograd function with"):
        assert leak(WithOwn(), [(8, 9), (13, 12)]) < 1e-10


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * torch.ones(1, 1, 12, 1, dtype=x.dtype),
        lambda x: x.reshape(x.shape[0], -1, 7),
        lambda x: torch.zeros(1, 4, 12, 13, dtype=x.dtype).add_(x),
        lambda x: F.layer_norm(x, (12, 13)),
    ],
)
def test_a_network_that_fails_on_an_image_alone_fails_so_in_a_batch(function):
    """Some would work out on this canvas, which is of no image."""
    model = seal(Call(function).double())
    with pytest.raises(RuntimeError) as alone:
        model(torch.randn(1, 1, 5, 6, dtype=torch.float64))
    with pytest.raises(RuntimeError) as together:
        model(torch.randn(1, 1, 12, 13, dtype=torch.float64), torch.tensor([[5, 6]]))
    assert str(together.value) == str(alone.value)
    assert together.value.__notes__ == ["on image 0 of the batch, 5 × 6 px, alone"]


def normalise(module, args):
    return (args[0] - args[0].mean((2, 3), keepdim=True),)


def hooked(kind):
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 2, 3, padding=1))
    if kind == "before":
        model.register_forward_pre_hook(normalise)
    elif kind == "after":
        model.register_forward_hook(lambda module, args, y: y - y.mean((2, 3), keepdim=True))
    else:
        model.register_full_backward_pre_hook(lambda module, g: (g[0] / g[0].abs().mean(),))
    return model


@pytest.mark.filterwarnings("ignore::veernet.errors.PerImageWarning")
@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
@pytest.mark.parametrize("kind", ["before", "after", "backward"])
def test_hooks_of_the_model_see_every_image_alone(kind):
    model = hooked(kind)
    found, expected = alone_and_together(model, [(8, 9), (13, 12)], value=math.nan)
    with torch.no_grad():
        assert error(found[0], expected[0]) < 1e-10
        assert error(found[1], expected[1]) < 1e-10


class Remembering(nn.Module):
    """Makes a grid for a size once, as many do."""

    def __init__(self):
        super().__init__()
        self.inner, self.size, self.grid = nn.Conv2d(1, 2, 1), None, None

    def forward(self, x):
        if self.size is None or self.size != x.shape[2:]:
            self.size = x.shape[2:]
            self.grid = torch.linspace(0, 1, self.size[1], dtype=x.dtype)
        return self.inner(x) * self.grid


@pytest.mark.parametrize("sizes", [[(9, 9), (5, 12)], [(9, 9), (9, 9)]])
def test_what_an_attempt_left_in_the_network_is_undone(sizes):
    model = seal(Remembering().double())
    model(torch.randn(1, 1, 20, 20, dtype=torch.float64))
    with pytest.warns(PerImageWarning):
        assert leak(model, sizes) < 1e-10


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen += 1
        return x * x.shape[2] * self.seen


def test_a_network_that_writes_to_its_buffers_is_refused_where_it_would_run_twice():
    with pytest.raises(CouplingError, match="writes to its buffers"):
        seal(Counting())(torch.randn(2, 1, 12, 13), torch.tensor([[5, 6], [12, 13]]))


class Block(nn.Module):
    """A layer of two inputs."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x, skip=None):
        return self.inner(x) if skip is None else self.inner(x) + skip


class OfBlocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.one, self.two = nn.Conv2d(1, 4, 1), seal(Block()), seal(Block())

    def forward(self, x):
        x = self.stem(x)
        return self.two(self.one(x), skip=x) + self.two(self.one(x), x)


def test_a_sealed_network_in_a_sealed_one_takes_what_its_layers_take():
    assert leak(OfBlocks(), [(8, 9), (13, 12)]) < 1e-10


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_instance_norm_learns_the_same_alone_and_together(layout):
    """Torch's own, of one image, has a wrong gradient where a channels-last one comes in."""
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.InstanceNorm2d(4), nn.GELU(), nn.Conv2d(4, 2, 3, 1, 1)
    )
    model = model.to(memory_format=layout)  # pyright: ignore[reportCallIssue]: torch documents it
    assert leak(model, [(8, 9), (13, 12), (13, 12)]) < 1e-10


def test_the_warning_comes_again_where_it_was_made_an_error():
    model, batch = seal(Call(lambda x: x.flip(2))), torch.randn(2, 1, 12, 13)
    for _ in range(2):
        with pytest.raises(PerImageWarning):
            model(batch, torch.tensor([[5, 6], [12, 13]]))


def test_memory_that_runs_out_is_not_taken_for_a_missing_rule():
    def full(x):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    with pytest.raises(RuntimeError, match="can't allocate") as error:
        seal(Call(full))(torch.randn(2, 1, 12, 13), torch.tensor([[5, 6], [12, 13]]))
    assert not hasattr(error.value, "__notes__")


@pytest.mark.parametrize("sizes", [[[5.0, 6.0], [12, 13]], [[5, 6]], [[5, 6, 7], [1, 2, 3]]])
def test_sizes_are_two_whole_numbers_an_image(sizes):
    with pytest.raises((ValueError, TypeError), match="sizes"):
        seal(nn.Conv2d(1, 1, 1))(torch.randn(2, 1, 12, 13), torch.tensor(sizes))


@pytest.mark.parametrize("function", [lambda x: x.mean(), lambda x: x[0], lambda x: x.sum().item()])
def test_results_that_are_not_of_one_image_each_are_refused(function):
    model = seal(Call(function))
    with pytest.raises(LeakError, match="not of one image each|not the same for all"):
        model(torch.randn(2, 1, 12, 13), torch.tensor([[5, 6], [12, 13]]))


@dataclass
class Output:
    logits: torch.Tensor
    more: dict
    name: str = "it"

    @property
    def tensors(self):
        return self.logits, self.more["half"], self.more["n"][1][0]


@pytest.mark.parametrize("together", [True, False])
def test_results_in_a_nest_are_those_of_the_images_alone(together):
    def function(x):
        y = box(x[:, :2]) if together else box(x[:, :2] * x.shape[2])
        return Output(logits=y, more={"half": F.max_pool2d(y, 2), "none": None, "n": (3, [y])})

    model, sizes = seal(Call(function).double()), [(8, 9), (12, 12)]
    images, batch = on_a_canvas(sizes)
    said = contextlib.nullcontext() if together else pytest.warns(PerImageWarning)
    with said, torch.no_grad():
        found = model(batch, torch.tensor(sizes))
    assert (found.name, found.more["none"], found.more["n"][0]) == ("it", None, 3)
    assert found.logits.shape == (2, 1, 15, 17)
    for i, image in enumerate(images):
        with torch.no_grad():
            alone = model(image[None])
        for a, b in zip(alone.tensors, found.tensors, strict=True):
            assert type(b) is torch.Tensor
            assert error([b[i, :, : a.shape[2], : a.shape[3]]], [a[0]]) < 1e-10


@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")
def test_a_forward_that_passes_the_seal_by_is_refused():
    model = Net(nn.ReLU())
    model.forward = lambda x: x
    with pytest.raises(LeakError, match=r"the model \(Net\): its `forward` was replaced"):
        seal(model)
    compiled = torch.compile(Net(nn.ReLU()), backend="eager")
    assert isinstance(compiled, nn.Module)
    with pytest.raises(LeakError, match=r"the model \(OptimizedModule\) is compiled"):
        seal(compiled)
    model = Net(nn.ReLU())
    model.body.compile()
    with pytest.raises(LeakError, match=r"body \(Sequential\) is compiled"):
        seal(model)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("norm", [lambda: nn.GroupNorm(2, 8), lambda: nn.InstanceNorm2d(8)])
@settings(max_examples=10)
@given(st.floats(0, 1000), st.integers(0, 99))
def test_a_norm_is_as_exact_alone_as_together(layout, norm, ratio, seed):
    """In float32, on values whose mean is up to 1,000 deviations off."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), norm())
    model = model.to(memory_format=layout)  # pyright: ignore[reportCallIssue]: torch documents it
    images, batch = on_a_canvas([(40, 90), (70, 60)], dtype=torch.float32)
    batch = batch.contiguous(memory_format=layout)
    with torch.no_grad():
        model[0].bias.copy_(ratio * model[0](images[0][None]).std() * torch.ones(8))
        exact = [copy.deepcopy(model).double()(image[None].double())[0] for image in images]
        model = seal(model)
        alone = [model(image[None].contiguous(memory_format=layout))[0] for image in images]
        together = model(batch, torch.tensor([[40, 90], [70, 60]]))
        together = [x[tuple(map(slice, y.shape))] for x, y in zip(together, alone, strict=True)]
        mates = model(torch.stack([images[0]] * 3).contiguous(memory_format=layout))[2]
    for found, wanted in [(alone, exact), (together, exact), ([mates], exact[:1])]:
        for a, b in zip(found, wanted, strict=True):  # of deviation 1
            assert (a - b).square().mean().sqrt() < 1e-5 * (1 + ratio)


def test_a_residual_knows_where_its_images_are_as_the_features_do():
    x = padded(torch.randn(1, 4, 12, 13), torch.tensor([[5, 6]]))
    other = padded(torch.randn(1, 4, 12, 13), torch.tensor([[6, 5]]))
    for features, residual in ((x, unwrap(x)), (unwrap(x), x), (x, other)):
        with pytest.raises((LeakError, TypeError)):  # the tests' type checks may be first
            GroupNorm(4)(features, residual)
    with pytest.raises((ValueError, TypeError), match="residual"):
        group_norm(unwrap(x), 1, residual=torch.zeros(1, 4, 5, 6))


def test_batch_norm_put_back_into_training_is_refused_at_the_next_call():
    model = seal(Net(nn.BatchNorm2d(4)).eval())
    model(torch.randn(2, 1, 8, 8))
    model.train()
    with pytest.raises(CouplingError, match=r"body\.1"):
        model(torch.randn(2, 1, 8, 8))


def test_padded_features_tell_what_they_are_and_no_more():
    x = padded(torch.randn(2, 1, 6, 9), torch.tensor([[6, 9], [4, 5]]))
    assert [*map(of_canvas, x.shape)] == [*map(of_canvas, x.size())] == [2, 1, 6, 9]
    assert (x.ndim, of_images(x.size(-1), 2), x.dtype) == (4, (9, 5), torch.float32)
    assert (of_images(x.shape[0], 2), of_images(x.shape[2], 2)) == ((1, 1), (6, 4))
    assert isinstance(x.shape, torch.Size)
    assert repr(x)
    assert (unwrap(x)[1, :, 4:] == 0).all()
    image = torch.randn(2, 1, 6, 9)
    assert padded(image, None) is image
    assert padded(image, torch.tensor([[6, 9], [6, 9]])) is image


def test_an_image_too_small_for_a_layer_is_reported_as_alone():
    model = seal(nn.Conv2d(1, 1, 3))
    with pytest.raises(RuntimeError, match="Kernel size can't be greater") as alone:
        model(torch.randn(1, 1, 8, 8), torch.tensor([[2, 8]]))
    assert "2 × 8 px" in alone.value.__notes__[0]


def test_a_sealed_network_is_sealed_after_it_was_pickled_or_copied():
    """As `torch.save`, spawned processes and averages of weights do; two names stay one layer."""
    torch.manual_seed(0)
    inner = seal(nn.Conv2d(2, 2, 3, padding=1))
    model = seal(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), inner, nn.ReLU(), inner))
    images, sizes = torch.rand(2, 1, 9, 12), torch.tensor([[5, 7], [9, 12]])
    expected = model(images, sizes)
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    for other in (
        torch.load(buffer, weights_only=False),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
    ):
        assert torch.equal(other(images, sizes), expected)
        assert other[1] is other[3]
        assert other[1] is not inner
        assert type(other) is type(model)

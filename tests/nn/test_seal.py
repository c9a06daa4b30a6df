"""A sealed network gives every image of a padded batch what the network gives that image alone."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import error, worst
from monai.networks.nets import BasicUNet, SegResNet
from monai.networks.nets import UNet as MonaiUNet
from torch import nn
from torch.nn import functional as F

from veernet import Network, VeerNet
from veernet.errors import LeakError
from veernet.nn import GroupNorm, Transformer, group_norm, padded, plain, seal

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
        nn.Conv2d(1, 8, 3, 1, 1), Transformer(8, layers=1, heads=2), nn.Conv2d(8, 2, 3, 1, 1)
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
        VeerNet(Network(planes=4, widths=(4, 8, 16), heads=2, layers=1)), edge()
    ),
    "by hand": ByHand,
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


def alone_and_together(model, sizes, more=(3, 5), value=7.0, seed=0):
    """Outputs and gradients of images together on a canvas, and of each image alone."""
    torch.manual_seed(seed)
    model = seal(model.double())
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    images = [torch.randn(1, h, w, dtype=torch.float64) for h, w in sizes]
    canvas = max(h for h, _ in sizes) + more[0], max(w for _, w in sizes) + more[1]
    batch = torch.full((len(sizes), 1, *canvas), value, dtype=torch.float64)
    for place, image in zip(batch, images, strict=True):
        place[:, : image.shape[1], : image.shape[2]] = image
    together = model(batch, torch.tensor(sizes))
    alone = [model(image[None])[0] for image in images]
    cropped = [x[:, : y.shape[1], : y.shape[2]] for x, y in zip(together, alone, strict=True)]
    upstream = [torch.randn_like(y) for y in alone]
    weights = [p for p in model.parameters() if p.requires_grad]

    def gradient(outputs):
        total = sum((y * u).sum() for y, u in zip(outputs, upstream, strict=True))
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
    ("layer", "reason"),
    [
        (nn.BatchNorm2d(4), r"^body\.1: BatchNorm2d in training couples the images"),
        (nn.AdaptiveAvgPool2d(1), r"^body\.1: AdaptiveAvgPool2d divides the canvas"),
        (nn.AdaptiveMaxPool2d(3), r"^body\.1: AdaptiveMaxPool2d divides the canvas"),
    ],
)
def test_a_layer_that_couples_images_is_refused_by_name_at_once(layer, reason):
    with pytest.raises(LeakError, match=reason):
        seal(Net(layer))


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), r"body\.1 \(Conv2d\): pad\(\)"),
        (nn.ReplicationPad2d(1), r"body\.1 \(ReplicationPad2d\): pad\(\)"),
        (nn.LayerNorm([12, 13]), r"body\.1 \(LayerNorm\): layer_norm\(\) over the axes HW"),
        (nn.LPPool2d(2, 2), r"body\.1 \(LPPool2d\): "),
        (nn.Softmax(dim=-1), r"body\.1 \(Softmax\): softmax\(\) over the axes W"),
        (nn.Linear(13, 4), r"body\.1 \(Linear\): linear\(\) over the axes W"),
        (nn.MaxPool2d(2, return_indices=True), r"body\.1 \(MaxPool2d\): max_pool2d_with_indices"),
        (nn.InstanceNorm2d(4, track_running_stats=True), r"body\.1 \(Instance.*running statistics"),
    ],
)
def test_a_layer_without_a_rule_is_refused_by_name_when_it_meets_padding(layer, reason):
    model = seal(Net(layer))
    with pytest.raises(LeakError, match=reason):
        model(torch.randn(1, 1, 12, 13), torch.tensor([[5, 6]]))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.mean(),
        lambda x: x.mean((2, 3), keepdim=True) * x,
        lambda x: x.roll(1, -1),
        lambda x: x.flip(2),
        lambda x: x.cumsum(3),
        lambda x: torch.fft.fft2(x),
        lambda x: x[:, :, 1:],
        lambda x: x[:, :, :5],
        lambda x: x[0],
        lambda x: x[torch.tensor([0])],
        lambda x: x[:, torch.tensor([[0, 1]])],
        lambda x: x + torch.linspace(0, 1, x.shape[-1]),
        lambda x: x * torch.ones(1, 1, 12, 1),
        lambda x: x.flatten(1),
        lambda x: x.reshape(x.shape[0], -1, 6),
        lambda x: x.transpose(2, 3).reshape(x.shape) + x,
        lambda x: F.interpolate(x, size=(24, 26)),
        lambda x: F.pad(x, (1, 1, 1, 1), value=1.0),
        lambda x: F.pad(x, (-1, 0)),
        lambda x: torch.cat([x, torch.zeros(1, 1, 12, 13)], 1),
        lambda x: torch.cat([x, x], 2),
        lambda x: torch.cat([x, F.max_pool2d(x, 2, 1, 1)[:, :, : x.shape[2], : x.shape[3]]], 2),
        lambda x: x @ torch.ones(13, 2),
        lambda x: x.mT + x.mT.mT.mT.mT if x.shape[2] == x.shape[3] else x + x.mT.reshape(x.shape),
        lambda x: x / x,
        lambda x: x / x.shape[2],
        lambda x: x * (x.shape[2] / 2),
        lambda x: F.leaky_relu(x, x.shape[3]),
        lambda x: x if x.shape[2] % 2 else x + 1,
        lambda x: x if x.shape[2] > 8 else x + 1,
        lambda x: F.pad(x, (0, x.shape[3] % 2)),
        lambda x: x[:, :, : min(x.shape[2], F.max_pool2d(x, 2).shape[2] * 2)],
        lambda x: F.conv_transpose2d(x, torch.ones(4, 1, 2, 2), output_padding=x.shape[2] % 2),
        lambda x: torch.add(x, 1, out=torch.empty(1, 4, 12, 13)),
        lambda x: torch.zeros_like(plain(x)),
        lambda x: torch.ops.aten.gelu(x),
        lambda x: x + F.interpolate(F.avg_pool2d(x, 3, 1), size=(12, 13)),
        lambda x: x + F.interpolate(F.avg_pool2d(x, 2), scale_factor=2)[:, :, :, :13],
        lambda x: x.view(1, 4, 156),
        lambda x: GroupNorm(4)(x.transpose(2, 3)),
        lambda x: nn.MultiheadAttention(4, 1, batch_first=True)(*[x.flatten(2).mT] * 3)[1].var(1),
        lambda x: 1 / x,
        lambda x: x.clamp(min=torch.zeros(12, 13)),
        lambda x: torch.zeros(1, 4, 12, 13).add_(x),
        lambda x: x.data,
        lambda x: x.sum().item(),
    ],
)
def test_functions_that_mix_pixels_are_refused(function):
    """Some would work out on this canvas, and none on every canvas as on the image alone."""
    model = seal(Call(function))
    with pytest.raises(LeakError, match="^the model: "):
        model(torch.randn(1, 1, 12, 13), torch.tensor([[5, 6]]))


def test_a_residual_knows_where_its_images_are_as_the_features_do():
    x = padded(torch.randn(1, 4, 12, 13), torch.tensor([[5, 6]]))
    other = padded(torch.randn(1, 4, 12, 13), torch.tensor([[6, 5]]))
    for features, residual in ((x, plain(x)), (plain(x), x), (x, other)):
        with pytest.raises((LeakError, TypeError)):  # the tests' type checks may be first
            GroupNorm(4)(features, residual)
    with pytest.raises((ValueError, TypeError), match="residual"):
        group_norm(plain(x), 1, residual=torch.zeros(1, 4, 5, 6))


def test_batch_norm_put_back_into_training_is_refused_at_the_next_call():
    model = seal(Net(nn.BatchNorm2d(4)).eval())
    model(torch.randn(2, 1, 8, 8))
    model.train()
    with pytest.raises(LeakError, match=r"body\.1"):
        model(torch.randn(2, 1, 8, 8))


def test_padded_features_tell_what_they_are_and_no_more():
    x = padded(torch.randn(2, 1, 6, 9), torch.tensor([[6, 9], [4, 5]]))
    assert [*map(int, x.shape)] == [*map(int, x.size())] == [2, 1, 6, 9]
    assert (x.ndim, int(x.size(-1)), x.dtype) == (4, 9, torch.float32)
    assert x.shape[2].images == (6, 4)
    assert repr(x)
    assert (plain(x)[1, :, 4:] == 0).all()
    image = torch.randn(2, 1, 6, 9)
    assert padded(image, None) is image
    assert padded(image, torch.tensor([[6, 9], [6, 9]])) is image


def test_an_image_too_small_for_a_layer_is_reported_as_alone():
    model = seal(nn.Conv2d(1, 1, 3))
    with pytest.raises(ValueError, match="too small"):
        model(torch.randn(1, 1, 8, 8), torch.tensor([[2, 8]]))

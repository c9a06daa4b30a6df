"""Every seal is needed: with any one of them open, a law is broken by far more than rounding."""

import pytest
import torch
from laws import cut_error, padding_error
from torch import nn

from veernet import Tversky
from veernet.nn import Extent, GroupNorm, Transformer


def norm_over_the_canvas(monkeypatch):
    def forward(self, x, extent):
        return extent.zero(nn.GroupNorm.forward(self, x))

    monkeypatch.setattr(GroupNorm, "forward", forward)


def attention_to_the_padding(monkeypatch):
    closed = Extent.per_image

    def per_image(self, layer, x):
        return layer(x) if isinstance(layer, Transformer) else closed(self, layer, x)

    monkeypatch.setattr(Extent, "per_image", per_image)


def convolutions_that_read_the_padding(monkeypatch):
    monkeypatch.setattr(Extent, "zero", lambda self, x: x)


def upsampling_past_the_edge(monkeypatch):
    monkeypatch.setattr(
        "veernet.model.upsample",
        lambda x, extent: nn.functional.interpolate(x, scale_factor=2)[
            :, :, : extent.canvas[0], : extent.canvas[1]
        ],
    )


SEALS = [
    norm_over_the_canvas,
    attention_to_the_padding,
    convolutions_that_read_the_padding,
    upsampling_past_the_edge,
]


@pytest.mark.parametrize("opened", SEALS, ids=lambda f: f.__name__)
def test_without_one_seal_padding_changes_the_gradient(opened, monkeypatch):
    opened(monkeypatch)
    assert padding_error() > 1e-3


def test_without_the_weight_of_the_step_the_cut_changes_it(monkeypatch):
    """A mean of the micro-batches' means, as a constant accumulation count gives."""
    whole = Tversky.total
    monkeypatch.setattr(Tversky, "total", lambda self, x, b: whole(self, x, b) / b.n_images)
    monkeypatch.setattr(Tversky, "weight", lambda self, batch: 1)
    assert cut_error([[0], [1, 2, 3, 4, 5]]) > 1e-3


def test_a_batch_without_padding_takes_the_plain_path(monkeypatch):
    def refuse(self, device):
        raise AssertionError("a mask was made")

    monkeypatch.setattr(Extent, "_inside", refuse)
    x, seen = torch.ones(2, 1, 5, 7), []
    extent = Extent.of(x, torch.tensor([[5, 7], [5, 7]]))
    assert extent.zero(x) is x
    extent.per_image(lambda batch: seen.append(batch.shape) or batch, x)
    assert seen == [x.shape]

"""Every seal is needed: with any one of them open, a law is broken by far more than rounding."""

import pytest
import torch
from laws import SIZES, Scene, cut_error, padding_error
from torch import nn

from veernet import Tversky, VeerNet, VeerNetConfig
from veernet.nn import Extent, GroupNorm, attention, blocks, padded, unwrap
from veernet.nn.padded import Padded, extent_of, wrap_like


def norm_over_the_canvas(monkeypatch):
    def forward(self, x, residual=None):
        whole = nn.functional.group_norm(unwrap(x), self.num_groups, self.weight, self.bias)
        y = whole if residual is None else whole + unwrap(residual)
        return wrap_like(x, extent_of(x).cleared(y.relu()), clear=True)

    monkeypatch.setattr(GroupNorm, "forward", forward)


def norm_that_leaves_something_outside(monkeypatch):
    monkeypatch.setattr(blocks.Block, "cleared", lambda self, strip: strip)


def attention_to_the_padding(monkeypatch):
    monkeypatch.setattr(attention, "extent_of", lambda x: Extent.of(unwrap(x)))


def convolutions_that_read_the_padding(monkeypatch):
    monkeypatch.setattr(Extent, "clear_", lambda self, x: x)


def upsampling_past_the_edge(monkeypatch):
    closed = Extent.joined

    def joined(self, parts, clear):
        return closed(self, parts, clear) if len(parts) == 1 else torch.cat(parts, dim=1)

    monkeypatch.setattr(Extent, "joined", joined)


SEALS = [
    norm_over_the_canvas,
    norm_that_leaves_something_outside,
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
    assert cut_error(Scene(sizes=SIZES, cut=[[0], [1, 2, 3, 4, 5]], more=[(0, 0)] * 2)) > 1e-3


def test_a_batch_without_padding_takes_the_plain_path(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("padding was looked after")

    monkeypatch.setattr(Padded, "__torch_function__", refuse)
    monkeypatch.setattr(Extent, "clear_", refuse)
    monkeypatch.setattr(Extent, "outside", refuse)
    x = torch.ones(2, 1, 50, 70)
    assert padded(x, torch.tensor([[50, 70]] * 2)) is x
    VeerNet(VeerNetConfig())(x, torch.tensor([[50, 70]] * 2))

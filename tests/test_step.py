"""What a step makes of scans without a label, and of a network that was not sealed."""

import math

import pytest
import torch
from laws import network, scans
from torch import nn

from veernet import Dice, Sample, Tversky, collate, train_step
from veernet.errors import BatchError, LeakError, OptionError
from veernet.nn import seal

CPU = torch.device("cpu")


def blank(h, w):
    """A scan that nobody labelled."""
    return Sample(torch.rand(1, h, w).double(), torch.full((h, w), 255, dtype=torch.uint8))


def changes(batches, optimizer=torch.optim.SGD, **options):
    model = network()
    before = [p.detach().clone() for p in model.parameters()]
    taken = optimizer(model.parameters(), lr=0.1, **options)
    result = train_step(model, taken, Dice(), batches, device=CPU, clip=math.inf)
    return result, [p.detach() - old for p, old in zip(model.parameters(), before, strict=True)]


@pytest.mark.parametrize("cut", [[[0, 1, 2]], [[0], [1, 2]], [[1, 2], [0]], [[0, 2], [1]]])
def test_a_scan_without_any_label_changes_nothing_in_a_step_however_it_is_cut(cut):
    """It weighs nothing: the loss is the mean over the others, and so is the gradient."""
    logs = [blank(20, 70), *scans([(33, 97), (50, 41)])]
    expected, moved = changes([collate(logs[1:])])
    result, found = changes([collate([logs[i] for i in part]) for part in cut])
    torch.testing.assert_close(result.loss, expected.loss, rtol=1e-10, atol=0)
    torch.testing.assert_close(found, moved, rtol=1e-9, atol=1e-14)


def test_a_step_without_any_label_has_no_loss_and_moves_nothing():
    """Not even on by momentum, or by the decay of weights."""
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    train_step(model, optimizer, Tversky(), [collate(scans([(20, 30)]))], device=CPU)
    before = [p.detach().clone() for p in model.parameters()]
    for batches in ([collate([blank(20, 30)])], []):
        result = train_step(model, optimizer, Tversky(), batches, device=CPU)
        assert result.loss.isnan()
        assert result.applied
        assert result.grad_norm == 0
        assert all(map(torch.equal, model.parameters(), before))


def test_a_network_that_gives_no_tensor_is_named_in_a_step():
    model = Nested().double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(BatchError, match="Nested gives a dict"):
        train_step(model, optimizer, Tversky(), [collate(scans([(5, 6)]))], device=CPU)
    for p in model.parameters():
        p.requires_grad_(False)
    with pytest.raises(OptionError, match="no parameter"):
        train_step(model, optimizer, Tversky(), [collate(scans([(5, 6)]))], device=CPU)


def test_a_sealed_network_may_have_a_module_of_that_name():
    model = seal(Wrapper(nn.Conv2d(1, 3, 3, padding=1)).double())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    assert train_step(model, optimizer, Tversky(), [collate(scans([(5, 6)]))], device=CPU).applied


class Wrapper(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x)


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)

    def forward(self, image, sizes):
        return {"out": self.conv(image)}


class Mask(nn.Module):
    """A network whose second argument is something else."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)

    def forward(self, image, mask=None):
        return self.conv(image) if mask is None else self.conv(image) * mask[0, 0]


class Calls(nn.Module):
    """A network around another, as `torch.compile` and DistributedDataParallel make."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)


@pytest.mark.parametrize(
    "network",
    [
        lambda: nn.Sequential(nn.Conv2d(1, 3, 3, padding=1)),
        Mask,
        lambda: Calls(Mask()),
        lambda: torch.compile(Mask(), backend="eager"),
    ],
    ids=["one argument", "another argument", "wrapped", "compiled"],
)
def test_a_network_that_was_not_sealed_is_refused_and_shown_the_way(network):
    model = network()
    batch = collate([Sample(torch.rand(1, 5, 9), torch.zeros(5, 9, dtype=torch.uint8))])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(LeakError, match=r"takes no sizes.*veernet\.nn\.seal\(model\)"):
        train_step(model, optimizer, Tversky(), [batch], device=CPU)


@pytest.mark.parametrize("around", [lambda model: model, Calls], ids=["itself", "wrapped"])
def test_a_sealed_network_is_taken(around):
    batch = collate([Sample(torch.rand(1, 5, 9), torch.zeros(5, 9, dtype=torch.uint8))])
    model = around(seal(nn.Sequential(nn.Conv2d(1, 3, 3, padding=1))))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    assert train_step(model, optimizer, Tversky(), [batch], device=CPU).applied

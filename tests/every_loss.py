"""Every loss, and the small batches that losses are tested on."""

import pytest
import torch

from veernet import (
    BCE,
    CrossEntropy,
    Dice,
    Focal,
    FocalTversky,
    Lovasz,
    Sample,
    Tversky,
    collate,
)

CASES = [
    (BCE(positive_weight=3.0), 1),
    (CrossEntropy(), 2),
    (CrossEntropy(class_weights=(0.1, 1.0, 0.0)), 3),
    (Focal(), 1),
    (Focal(gamma=0.5, class_weights=(0.4, 0.6)), 1),
    (Focal(gamma=1.5, class_weights=(0.2, 1.0, 3.0)), 3),
    (Tversky(), 1),
    (Tversky(alpha=0.9, beta=0.2), 3),
    (Dice(), 1),
    (Dice(smooth=0.1), 3),
    (FocalTversky(), 1),
    (FocalTversky(alpha=0.2, beta=1.3, gamma=1.7), 3),
    (Lovasz(), 1),
    (Lovasz(), 3),
]
"""Every loss on every number of channels that it takes, with numbers that break symmetry."""

EVERY = pytest.mark.parametrize(("loss", "out_channels"), CASES, ids=lambda value: repr(value))


def batch_of(*targets):
    return collate([Sample(torch.zeros(1, *t.shape).double(), t) for t in targets])


def labels(*rows):
    return torch.tensor(rows, dtype=torch.uint8)


def noise(batch, out_channels, seed=1):
    random = torch.Generator().manual_seed(seed)
    shape = (batch.n_images, out_channels, *batch.target.shape[1:])
    return torch.randn(shape, generator=random, dtype=torch.float64)


def rough(*sizes, out_channels, seed=0):
    """Targets at random, a fifth of their pixels not labelled."""
    random = torch.Generator().manual_seed(seed)
    classes = torch.tensor([0, 0, 1, max(1, out_channels - 1), 255], dtype=torch.uint8)
    return [classes[torch.randint(0, 5, size, generator=random)] for size in sizes]


def gradient(loss, logits, batch):
    x = logits.clone().requires_grad_()
    total = loss.total(x, batch)
    total.backward()
    assert x.grad is not None
    return total.detach(), x.grad

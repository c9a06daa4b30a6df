"""Losses as sums over images, so that they add up over micro-batches and processes.

Every loss looks at an image's own labelled pixels alone and computes in float32 or wider. Logits
elsewhere are never read and get no gradient. An image without any label costs 0 and weighs 0: a
step is the same with it as without it.

Logits of one channel tell curve from background; more have one channel per class, background first.
`total` raises `OptionError` for a number of channels that the loss cannot take, and `BatchError`
for a class beyond them. Losses that couple the images of a batch, such as batch Dice, are not
offered: they would depend on how a step is cut.
"""

from veernet.losses.kinds import (
    BCE,
    AnyLoss,
    CrossEntropy,
    Dice,
    Focal,
    FocalTversky,
    Loss,
    Lovasz,
    Tversky,
    check_out_channels,
)
from veernet.losses.sums import curve_probabilities

__all__ = [
    "BCE",
    "AnyLoss",
    "CrossEntropy",
    "Dice",
    "Focal",
    "FocalTversky",
    "Loss",
    "Lovasz",
    "Tversky",
    "check_out_channels",
    "curve_probabilities",
]

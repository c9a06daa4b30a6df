"""VeerNet trains segmentation networks on images of any size, and turns scanned logs into curves.

The batching layer, for a training loop of your own:

    from veernet import Scan, Schedule, Tversky, VeerNet, collate, step
"""

from veernet.data.archive import Archive
from veernet.data.batch import UNLABELLED, Batch, Scan, collate
from veernet.data.schedule import Schedule, share
from veernet.losses import (
    BCE,
    CrossEntropy,
    Dice,
    Focal,
    FocalTversky,
    Loss,
    Lovasz,
    Tversky,
)
from veernet.model import Network, VeerNet
from veernet.train.step import StepResult, step

__all__ = [
    "BCE",
    "UNLABELLED",
    "Archive",
    "Batch",
    "CrossEntropy",
    "Dice",
    "Focal",
    "FocalTversky",
    "Loss",
    "Lovasz",
    "Network",
    "Scan",
    "Schedule",
    "StepResult",
    "Tversky",
    "VeerNet",
    "collate",
    "share",
    "step",
]

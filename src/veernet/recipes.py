"""Complete runs: the data to draw, and the training on them.

A recipe is a value, made by the function of its name, whose docstring gives the command.
"""

from dataclasses import dataclass

from veernet.data.schedule import Schedule
from veernet.losses import BCE, Tversky
from veernet.model import VeerNetConfig
from veernet.synth.generator import LogFamily
from veernet.synth.sets import SETS
from veernet.training import Training


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Complete run: its logs, and its training."""

    logs: LogFamily
    counts: tuple[int, int, int]
    """Number of logs for training, validation and test."""
    training: Training


def binary() -> Recipe:
    """Make the recipe for curve against background: 2,000 logs of one curve, batch 1, 50 epochs.

    veernet synth ARCHIVE --recipe binary && veernet train ARCHIVE --recipe binary --out RUN

    A gradient of one log is noisier than one of 16 by their square root, 4, and the learning rate
    is lower by about as much (benchmarks/batch_of_one.py).
    """
    return Recipe(
        logs=SETS["binary"].logs,
        counts=SETS["binary"].counts,
        training=Training(
            network=VeerNetConfig(out_channels=1),
            loss=BCE(positive_weight=42.0),
            schedule=Schedule(effective_batch=1),
            learning_rate=3e-4,
        ),
    )


def multiclass() -> Recipe:
    """Make the recipe for background and two curves: 15,000 logs, effective batch 16, 50 epochs.

    veernet synth ARCHIVE && veernet train ARCHIVE --out RUN
    """
    return Recipe(
        logs=SETS["multiclass"].logs,
        counts=SETS["multiclass"].counts,
        training=Training(
            network=VeerNetConfig(out_channels=3), loss=Tversky(), schedule=Schedule()
        ),
    )


def demo() -> Recipe:
    """Make the recipe for small logs, in minutes on two CPU cores.

    veernet demo
    """
    return Recipe(
        logs=SETS["demo"].logs,
        counts=SETS["demo"].counts,
        training=Training(
            network=VeerNetConfig(out_channels=3),
            loss=Tversky(),
            schedule=Schedule(pixel_budget=300_000),
            epochs=11,
            learning_rate=6e-3,
        ),
    )


RECIPES = {"binary": binary(), "multiclass": multiclass(), "demo": demo()}
"""Recipes by name."""

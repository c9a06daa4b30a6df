"""Counts of pixels that add up, and the scores that follow from them."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from numpy import ndarray

from veernet.data.batch import UNLABELLED


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Pixel counts of one class: predicted, true, and matched.

    A predicted pixel is met if a true pixel lies within `radius` px of it in both directions, and
    vice versa; with radius 0 both counts are the true positives.
    """

    predicted: int = 0
    predicted_met: int = 0
    true: int = 0
    true_met: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            predicted=self.predicted + other.predicted,
            predicted_met=self.predicted_met + other.predicted_met,
            true=self.true + other.true,
            true_met=self.true_met + other.true_met,
        )

    @property
    def precision(self) -> float:
        """Share of predicted pixels that were met; 1 if none was predicted."""
        return self.predicted_met / self.predicted if self.predicted else 1.0

    @property
    def recall(self) -> float:
        """Share of true pixels that were met; 1 if there are none."""
        return self.true_met / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    @property
    def iou(self) -> float:
        """Intersection over union: F1 / (2 - F1), which is TP / (TP + FP + FN) at radius 0."""
        return self.f1 / (2 - self.f1)


def count(
    predicted: UInt8[ndarray, "h w"], target: UInt8[ndarray, "h w"], *, cls: int, radius: int
) -> Counts:
    """Count one class on the labelled pixels of one log."""
    labelled = target != UNLABELLED
    p, t = (predicted == cls) & labelled, target == cls
    return Counts(
        predicted=int(p.sum()),
        predicted_met=int((p & _widened(t, radius)).sum()),
        true=int(t.sum()),
        true_met=int((t & _widened(p, radius)).sum()),
    )


def _widened(pixels: Bool[ndarray, "h w"], radius: int) -> Bool[ndarray, "h w"]:
    if radius == 0:
        return pixels
    square = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    return cv2.dilate(pixels.astype(np.uint8), square).astype(bool)

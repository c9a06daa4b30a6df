"""Inference in windows, and the probabilities that it returns."""

import numpy as np
import pytest
from torch import nn

from networks import SeesInk
from veernet.inference import classes_of, predict


def test_ink_is_seen_as_one_and_paper_as_nought():
    grey = np.random.default_rng(1).integers(0, 256, (5, 7), dtype=np.uint8)
    (seen,) = predict(SeesInk(), grey)
    np.testing.assert_allclose(seen, 1 / (1 + np.exp(40 * (grey / 255 - 0.5))), rtol=1e-4)


@pytest.mark.parametrize(("width", "windows"), [(64, 1), (65, 2), (124, 2), (125, 3), (184, 3)])
def test_windows_overlap_by_a_sixteenth_and_more(width, windows):
    """Two of 64 px that share 4 are 124 px wide, three are 184."""
    seen = []

    class Watch(SeesInk):
        def forward(self, image, sizes=None):
            seen.append(image.shape[-1])
            return super().forward(image)

    grey = np.random.default_rng(width).integers(0, 256, (8, width), dtype=np.uint8)
    found = predict(Watch(), grey, window=64)
    assert seen == [64] * windows
    np.testing.assert_allclose(found, predict(SeesInk(), grey), rtol=1e-5)


class Dropping(nn.Module):
    """A network whose answer is another one in training."""

    def __init__(self):
        super().__init__()
        self.conv, self.drop = nn.Conv2d(1, 3, 1), nn.Dropout(0.9)

    def forward(self, x, sizes=None):
        return self.drop(self.conv(x))


def test_a_network_is_evaluated_as_it_evaluates_and_left_as_it_was():
    model, grey = Dropping(), np.full((20, 30), 0, np.uint8)
    model.conv.training = False
    assert (predict(model, grey) == predict(model, grey)).all()
    assert [layer.training for layer in model.modules()] == [True, False, True]


def test_the_class_of_a_pixel_is_the_most_probable_one():
    p = np.array([[[0.2, 0.6, 0.3, 0.4]], [[0.1, 0.3, 0.5, 0.4]]])
    assert classes_of(p).tolist() == [[0, 1, 2, 1]]
    assert classes_of(np.array([[[0.4, 0.6]]])).tolist() == [[0, 1]]

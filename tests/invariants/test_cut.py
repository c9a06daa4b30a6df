"""A step does not depend on how its logs are cut into micro-batches."""

import torch
from hypothesis import given, settings
from laws import EXAMPLES, cut_error, error, grad_of, network, scans, stepped
from scenes import scenes
from torch import nn

from veernet import collate


@settings(max_examples=EXAMPLES)
@given(scenes())
def test_step_does_not_depend_on_the_cut(scene):
    assert cut_error(scene) < 1e-10


def test_a_short_window_is_divided_by_the_logs_that_it_holds():
    """The oracle is the mean loss of logs of one size in one plain batch, by autograd."""
    logs = scans([(20, 30)] * 3)
    model, batch = network(), collate(logs)
    p = model(batch.image).softmax(1)[:, 1:] * batch.valid
    y = torch.stack([batch.target == 1, batch.target == 2], 1).double()
    tp, fp, fn = (x.sum((2, 3)) for x in (p * y, p * (1 - y), (1 - p) * y))
    loss = (1 - (tp + 1) / (tp + 0.3 * fp + 0.7 * fn + 1)).mean()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.01)
    expected = [*(-grad_of(p) for p in model.parameters()), loss.detach()]
    assert error(stepped([collate(logs[:1]), collate(logs[1:])]), expected) < 1e-10

"""A step does not depend on memory: what the backward computes again is what was kept."""

from contextlib import contextmanager
from functools import partial
from typing import get_args

import laws
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import EXAMPLES, WIDTHS, error, stepped
from scenes import scenes
from test_memory import CUT, Full, batches
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from veernet.errors import PerImageWarning
from veernet.losses import Tversky, sums
from veernet.model import ActivationCheckpointing
from veernet.nn import seal
from veernet.nn import tiles as tiling

POLICIES = [policy for policy in get_args(ActivationCheckpointing) if policy != "none"]

columns = st.sampled_from([2, 4, 6, 16, 256])
"""Width of a tile, px: a few of them, or hundreds, or one."""

shapes = st.fixed_dictionaries(
    {
        "widths": st.sampled_from([WIDTHS, WIDTHS, (4, 16), (32, 8)]),
        "activation": st.sampled_from(["relu", "silu"]),
    }
)
"""Networks of five stages, and of one; of one group at full resolution, and of two."""


def recomputing(policy, *others):
    """What prepares a network for a step."""

    def prepare(model):
        model.activation_checkpointing = policy
        for other in others:
            other(model)

    return prepare


@contextmanager
def cut_into(columns, strip=1 << 16):
    """Slabs and the strips of a loss made small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "TILE_COLUMNS", columns)
        patch.setattr(sums, "LOSS_STRIP", {"cpu": strip})
        yield


@settings(max_examples=EXAMPLES // 10)
@given(scenes(), columns, st.sampled_from([1, 100, 1 << 16]), shapes)
def test_step_does_not_depend_on_what_is_computed_again(scene, columns, strip, shape):
    """The padding of these scenes holds infinities and NaN too."""
    batches, run = scene.batches(), partial(stepped, seed=scene.seed, **shape)
    kept = run(batches)
    with cut_into(columns, strip):
        for policy in POLICIES:
            assert error(run(batches, prepare=recomputing(policy)), kept) < 1e-10, policy


def computed(policy, dtype=torch.float64, autocast=False):
    """The logits of two logs, each cropped to its own size, and the gradient of their loss."""
    model = laws.network(seed=5).to(dtype)
    model.activation_checkpointing = policy
    batch = batches(CUT[:1])[0].to(torch.device("cpu"), dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast), cut_into(16):
        whole = model(batch.image, batch.sizes)
    logits = [x[:, :h, :w] for x, (h, w) in zip(whole, batch.sizes.tolist(), strict=True)]
    if not torch.is_grad_enabled():
        return logits, []
    loss = Tversky().total(whole, batch)
    return [x.detach() for x in logits], torch.autograd.grad(loss, [*model.parameters()])


@pytest.mark.parametrize("policy", ["blocks", "stages"])
def test_under_autocast_what_is_computed_again_is_bit_for_bit_what_was_kept(policy):
    found = computed(policy, torch.float32, autocast=True)
    kept = computed("none", torch.float32, autocast=True)
    assert found[0][0].dtype == torch.bfloat16
    for a, b in zip(found, kept, strict=True):
        assert all(map(torch.equal, a, b))


def test_under_autocast_slabs_round_as_the_whole_does():
    """Logits to bfloat16's 2^-8; gradients as far from those of float64 as the whole's are."""
    truth = computed("none")
    found = computed("tiles", torch.float32, autocast=True)
    whole = computed("none", torch.float32, autocast=True)
    assert found[0][0].dtype == torch.bfloat16
    assert error(found[0], whole[0]) < 2**-8
    assert error(found[1], whole[1]) < 0.1 * error(whole[1], truth[1])


@pytest.mark.parametrize("policy", POLICIES)
def test_inference_does_not_depend_on_what_training_would_compute_again(policy):
    with torch.no_grad():
        assert error(computed(policy)[0], computed("none")[0]) < 1e-12


@pytest.fixture(scope="module")
def undisturbed():
    return stepped(batches(CUT))


@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize("policy", POLICIES)
def test_step_does_not_depend_on_memory_that_ran_out_all_the_same(policy, where, undisturbed):
    full = Full(where, frozenset([1]))
    with cut_into(16):
        found = stepped(batches(CUT), prepare=recomputing(policy, full))
    assert error(found, undisturbed) < 1e-10
    assert (full.hits, full.count) == (1, 4)


@pytest.mark.parametrize("policy", POLICIES)
def test_step_does_not_depend_on_memory_that_ran_out_while_computing_again(policy, undisturbed):
    """In the backward of the first micro-batch, in the midst of what was not kept."""
    made, struck = [], []

    def strike(*_):
        if made and not struck:
            struck.append(True)
            raise MemoryError

    def full(model):
        model.register_forward_hook(lambda *_: made.append(True))
        model.stem.conv.register_forward_hook(strike)

    with cut_into(16):
        found = stepped(batches(CUT), prepare=recomputing(policy, full))
    assert error(found, undisturbed) < 1e-10
    assert struck
    assert len(made) == 5


class CheckpointedUNet(nn.Module):
    """A network of a user's own, whose parts keep nothing if asked to."""

    def __init__(self):
        super().__init__()
        self.full = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.SiLU())
        self.lower = nn.Sequential(nn.Conv2d(4, 4, 3, 2, 1), nn.GroupNorm(2, 4), nn.SiLU())
        self.out = nn.Conv2d(8, 3, 3, padding=1)
        self.reentrant: bool | None = None

    def forward(self, x):
        skip = self.full(x)  # not again: its input needs no gradient, of which torch would warn
        return self.run(self.join, self.run(self.lower, skip), skip)

    def join(self, x, skip):
        up = F.interpolate(x, scale_factor=2.0)
        return self.out(torch.cat([up[:, :, : skip.shape[2], : skip.shape[3]], skip + 1], 1))

    def run(self, f, *inputs):
        if self.reentrant is None:
            return f(*inputs)
        return checkpoint(f, *inputs, use_reentrant=self.reentrant)


@settings(max_examples=EXAMPLES // 4)
@given(scenes())
def test_a_sealed_network_may_compute_again_what_it_likes(scene):
    """The padding stays out of what is computed again."""
    torch.manual_seed(scene.seed)
    model = seal(CheckpointedUNet()).double()
    kept = laws.gradient(model, scene.batches())
    model.reentrant = False
    found = laws.gradient(model, scene.batches())
    assert all(error(a, b) < 1e-10 for a, b in zip(found, kept, strict=True))


def test_the_old_kind_of_checkpoint_which_would_lose_the_padding_is_done_image_by_image():
    model = seal(CheckpointedUNet()).double()
    kept = laws.gradient(model, batches(CUT[:1]))
    model.reentrant = True
    with pytest.warns(PerImageWarning, match="CheckpointFunctionBackward"):
        found = laws.gradient(model, batches(CUT[:1]))
    assert all(error(a, b) < 1e-10 for a, b in zip(found, kept, strict=True))

"""Scans of different sizes make one tensor, and padding is known as such."""

import json
import re
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import default_collate

from veernet import UNLABELLED, Batch, Sample, collate

side = st.integers(1, 20)


def scan(h, w, *, channels=1, seed=0):
    random = torch.Generator().manual_seed(seed)
    return Sample(
        image=torch.randint(0, 256, (channels, h, w), generator=random, dtype=torch.uint8),
        target=torch.randint(0, 3, (h, w), generator=random, dtype=torch.uint8),
    )


def test_the_default_collate_throws_where_ours_does_not():
    scans = [scan(5, 9), scan(7, 4)]
    with pytest.raises(RuntimeError, match="equal size"):
        default_collate([(s.image, s.target) for s in scans])
    assert collate(scans).image.shape == (2, 1, 7, 9)


@given(st.lists(st.tuples(side, side), min_size=2, max_size=5))
def test_the_halves_of_a_batch_are_the_batches_of_its_halves(sizes):
    scans = [scan(*size, seed=i) for i, size in enumerate(sizes)]
    middle = (len(scans) + 1) // 2
    for half, part in zip(collate(scans).halves(), (scans[:middle], scans[middle:]), strict=True):
        expected = collate(part)
        assert torch.equal(half.image, expected.image)
        assert torch.equal(half.target, expected.target)
        assert torch.equal(half.sizes, expected.sizes)
        assert half.padded_pixels == expected.image.numel()


def test_one_scan_has_no_halves():
    with pytest.raises(ValueError, match="no halves"):
        collate([scan(3, 4)]).halves()


@given(st.lists(st.tuples(side, side), min_size=1, max_size=5), st.integers(1, 3))
def test_every_scan_lies_top_left_and_the_rest_is_padding(sizes, channels):
    scans = [scan(*size, channels=channels, seed=i) for i, size in enumerate(sizes)]
    batch = collate(scans)
    assert batch.target.shape[1:] == (max(h for h, _ in sizes), max(w for _, w in sizes))
    assert batch.sizes.tolist() == [list(size) for size in sizes]
    assert batch.image.dtype == torch.uint8
    for i, (s, (h, w)) in enumerate(zip(scans, sizes, strict=True)):
        assert torch.equal(batch.image[i, :, :h, :w], s.image)
        assert torch.equal(batch.target[i, :h, :w], s.target)
        assert batch.image[i].sum() == s.image.sum()  # the padding is 0 = paper
        assert batch.valid[i].sum() == h * w
        assert batch.valid[i, 0, :h, :w].all()


def test_pixels_without_a_label_are_not_valid():
    s = scan(3, 4)
    s.target[1, 2] = UNLABELLED
    assert collate([s]).valid.sum() == 11


def test_ink_becomes_a_number_from_0_to_1_on_the_device():
    batch = Batch(
        image=torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8),
        target=torch.zeros(1, 1, 3, dtype=torch.uint8),
        sizes=torch.tensor([[1, 3]]),
    ).to(torch.device("cpu"), torch.float64)
    assert batch.image.flatten().tolist() == [0.0, 0.2, 1.0]
    again = batch.to(torch.device("cpu"), torch.float64)
    assert torch.equal(again.image, batch.image)


@pytest.mark.parametrize("dtype", [torch.bool, torch.int16, torch.int64])
def test_a_target_of_another_type_of_whole_numbers_is_the_same_classes(dtype):
    """True is class 1, and the padding is not labelled: 255 would be True in a mask."""
    targets = [torch.randint(0, 2, size, dtype=torch.uint8) for size in [(3, 4), (5, 9)]]
    plain, other = (
        collate([Sample(torch.zeros(1, *t.shape), t.to(kind)) for t in targets])
        for kind in (torch.uint8, dtype)
    )
    assert torch.equal(other.target, plain.target)
    assert torch.equal(other.valid, plain.valid)


def test_a_batch_knows_how_many_classes_each_scan_takes_however_it_is_cut_and_moved():
    labels = [[0, 2, 255], [255, 255, 255], [0, 0, 0], [254, 1, 0]]
    targets = [torch.tensor([row], dtype=torch.uint8) for row in labels]
    batch = collate([Sample(torch.zeros(1, 1, 3), target) for target in targets])
    assert batch.n_classes == (3, 0, 1, 255)
    assert batch.n_labelled == 3
    assert [half.n_classes for half in batch.halves()] == [(3, 0), (1, 255)]
    assert batch.to(torch.device("cpu")).n_classes == batch.n_classes
    assert Batch(batch.image, batch.target, batch.sizes).n_classes == batch.n_classes


IMAGE, TARGET = "torch.zeros(1, 3, 4)", "torch.zeros(3, 4, dtype=torch.uint8)"

REFUSED = {
    f"Sample({IMAGE}, torch.zeros(3, 4))": "class indices, integers or bool; got torch.float32",
    f"Sample({IMAGE}, torch.full((3, 4), -100))": "classes from 0 to 254, .* got -100 to -100",
    f"Sample({IMAGE}, {TARGET}.short() + 256)": "got 256 to 256",
    f"Sample({IMAGE}, torch.stack([{TARGET}] * 2))": r"one class index .* \(2, 3, 4\).*argmax",
    f"Sample({IMAGE}, {TARGET}[:2])": r"got \(3, 4\) and \(2, 4\)",
    f"Sample({IMAGE}.to(torch.uint16), {TARGET})": "uint8 .* got torch.uint16",
    f"Sample({IMAGE}.bool(), {TARGET})": "uint8 .* got torch.bool",
    f"Sample({IMAGE}[0], {TARGET})": r"\(C, h, w\), .* shape \(3, 4\)",
    f"Sample({IMAGE}[:, :0], {TARGET}[:0])": "at least 1 px",
    f"Sample({IMAGE}.numpy(), {TARGET})": "image must be a torch.Tensor, .*numpy",
    f"Sample({IMAGE}, {TARGET}.numpy())": "target must be a torch.Tensor, .*numpy",
    "collate([])": "at least one scan",
    f"collate([({IMAGE}, {TARGET})])": "takes Sample.*number 0 is a tuple",
    f"collate([Sample({IMAGE}, {TARGET}), Sample(torch.zeros(3, 3, 4), {TARGET})])": "1 of .*3 of",
    f"collate([Sample({IMAGE}, {TARGET}), Sample({IMAGE}.byte(), {TARGET})])": "float32, .*uint8",
    f"Batch({IMAGE}[None], {TARGET}[None].bool(), torch.tensor([[3, 4]]))": "got torch.bool",
    f"Batch({IMAGE}[None], {TARGET}[None], torch.tensor([[3, 2]]))": "labels beyond its 3 × 2 px",
    f"Batch({IMAGE}[None], {TARGET}[None], torch.tensor([[2, 4]]))": "labels beyond its 2 × 4 px",
    f"Batch({IMAGE}[None], {TARGET}[None], torch.tensor([[3, 5]]))": "sizes must be 1 pairs",
    f"collate(Sample({IMAGE}, {TARGET}))": "got one Sample",
    "taken(loss=nn.CrossEntropyLoss())": "as veernet.Tversky.*got CrossEntropyLoss",
    "taken(loss=Tversky)": "as veernet.Tversky",
    f"taken(batches=collate([Sample({IMAGE}, {TARGET})]))": "got one Batch",
    "taken(clip=-1.0)": "clip must be > 0",
    "taken(clip=float('nan'))": "clip must be > 0",
    "CrossEntropy(class_weights=[1, 2]).total(torch.zeros(1, 3, 3, 4), "
    f"collate([Sample({IMAGE}, {TARGET})]))": "one weight for each of 3 classes",
    f"Tversky().total(torch.zeros(1, 3, 3, 4), collate([Sample({IMAGE}, {TARGET} + 7)]))": "s 7",
    f"Tversky().total(torch.zeros(1, 3, 3, 2), collate([Sample({IMAGE}, {TARGET})]))": "same can",
}
"""Bad input, and what is said of it."""


@pytest.fixture(scope="module")
def refusals():
    """What is said where shapes are not checked, as they are in tests."""
    script = """if True:
        import json, sys, torch
        from torch import nn
        from veernet import Batch, CrossEntropy, Sample, Tversky, VeerNet, collate
        from veernet import VeerNetConfig, train_step
        def taken(loss=Tversky(), batches=(), clip=1.0):
            model = VeerNet(VeerNetConfig(channels=(2, 4), num_heads=1, num_layers=0))
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            cpu = torch.device("cpu")
            return train_step(model, optimizer, loss, batches, device=cpu, clip=clip)
        told = {}
        for wrong in json.load(sys.stdin):
            try:
                eval(wrong)
            except Exception as error:
                told[wrong] = f"{type(error).__name__}, {isinstance(error, ValueError)}: {error}"
        json.dump(told, sys.stdout)
    """
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(
        command, input=json.dumps([*REFUSED]), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("wrong", REFUSED)
def test_what_cannot_be_learned_from_is_refused_in_words(refusals, wrong):
    said = refusals.get(wrong, "taken without a word")
    assert re.search(f"^(BatchError|OptionError), True: .*{REFUSED[wrong]}", said)

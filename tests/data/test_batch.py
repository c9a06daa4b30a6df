"""Scans of different sizes make one tensor, and padding is known as such."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import default_collate

from veernet import UNLABELLED, Batch, Scan, collate

side = st.integers(1, 20)


def scan(h, w, *, channels=1, seed=0):
    random = torch.Generator().manual_seed(seed)
    return Scan(
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


def test_no_scans_make_no_batch():
    with pytest.raises(ValueError, match="at least one scan"):
        collate([])


def test_an_image_and_a_target_of_two_sizes_are_refused():
    wrong = scan(3, 4)
    object.__setattr__(wrong, "target", torch.zeros(3, 5))  # past the shapes checked in tests
    with pytest.raises(ValueError, match=r"got \(3, 4\) and \(3, 5\)"):
        collate([wrong])

"""The laws as measurements: each function returns a relative error that ought to be rounding.

Also run as a script, as one process of several:  laws.py RANK RANKS STORE OUT
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from veernet import Batch, Network, Scan, Tversky, VeerNet, collate, share, step

SIZES = [(33, 97), (50, 41), (7, 64), (64, 65), (1, 90), (45, 45)]
"""No multiple of 32 but one; one log a single pixel high."""


def network(seed: int = 0) -> VeerNet:
    """A float64 network with norms of one group and of two, and every kind of layer."""
    torch.manual_seed(seed)
    model = VeerNet(Network(planes=3, widths=(4, 8, 32, 8, 8, 16), heads=2))
    with torch.no_grad():  # away from the symmetric start, where some seals would not show
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model.double()


def scans(sizes: Sequence[tuple[int, int]], seed: int = 0) -> list[Scan]:
    """Logs of noise, a tenth of their pixels not labelled."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.tensor([0, 0, 0, 1, 2, 0, 1, 2, 0, 255], dtype=torch.uint8)
    return [
        Scan(
            image=torch.rand((1, h, w), generator=random, dtype=torch.float64),
            target=labels[torch.randint(0, 10, (h, w), generator=random)],
        )
        for h, w in sizes
    ]


def on_canvas(batch: Batch, canvas: tuple[int, int], value: float) -> Batch:
    """The batch on a larger canvas, with `value` in the image wherever there is padding."""
    H, W = canvas
    image = torch.full((batch.n_images, 1, H, W), value, dtype=batch.image.dtype)
    target = torch.full((batch.n_images, H, W), 255, dtype=torch.uint8)
    for i, (h, w) in enumerate(batch.sizes.tolist()):
        image[i, :, :h, :w] = batch.image[i, :, :h, :w]
        target[i, :h, :w] = batch.target[i, :h, :w]
    return Batch(image=image, target=target, sizes=batch.sizes)


def gradient(model: nn.Module, batches: Sequence[Batch]) -> tuple[list[Tensor], list[Tensor]]:
    """The logits of every image, cropped to it, and the gradient of the summed loss."""
    model.zero_grad()
    logits: list[Tensor] = []
    for batch in batches:
        out = model(batch.image, batch.sizes)
        Tversky().total(out, batch).backward()
        sizes = batch.sizes.tolist()
        logits += [x[:, :h, :w].detach() for x, (h, w) in zip(out, sizes, strict=True)]
    return logits, [p.grad.clone() for p in model.parameters()]


def error(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """The largest difference of two lists of tensors, each relative to its own norm.

    A tensor whose norm is itself rounding, 1e-6 of the largest, is measured against that.
    """
    least = 1e-6 * max(x.norm() for x in expected)
    pairs = zip(found, expected, strict=True)
    return max(float((a - b).norm() / b.norm().clamp(min=least)) for a, b in pairs)


def padding_error(
    sizes: Sequence[tuple[int, int]] = SIZES,
    *,
    more: tuple[int, int] = (5, 11),
    value: float = -3.0,
    seed: int = 0,
) -> float:
    """Logs together on a canvas larger by `more`, against every log alone."""
    model, logs = network(seed), scans(sizes, seed)
    canvas = max(h for h, _ in sizes) + more[0], max(w for _, w in sizes) + more[1]
    together = gradient(model, [on_canvas(collate(logs), canvas, value)])
    alone = gradient(model, [collate([log]) for log in logs])
    return max(error(a, b) for a, b in zip(together, alone, strict=True))


def stepped(
    batches: Sequence[Batch], *, prepare: Callable[[VeerNet], object] = lambda model: None
) -> list[Tensor]:
    """How one optimizer step on these micro-batches changes every parameter; and the loss."""
    model = network()
    prepare(model)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    result = step(model, optimizer, Tversky(), batches, device=torch.device("cpu"), clip=0.01)
    changes = [p.detach() - old for p, old in zip(model.parameters(), before, strict=True)]
    return [*changes, result.loss]


def cut_error(cut: Sequence[Sequence[int]]) -> float:
    """One step of all logs cut into these micro-batches, against all logs in one."""
    logs = scans(SIZES)
    return error(
        stepped([collate([logs[i] for i in batch]) for batch in cut]), stepped([collate(logs)])
    )


def one_of_several(rank: int, ranks: int, store: Path, out: Path) -> None:
    """Take this process's share of a step of two micro-batches; the first one saves the result."""
    dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=ranks)
    logs = scans(SIZES)
    mine = share(((0, 1, 3), (2, 4, 5)), rank, ranks)
    change = stepped([collate([logs[i] for i in batch]) for batch in mine])
    if rank == 0:
        torch.save(change, out)
    dist.destroy_process_group()


if __name__ == "__main__":
    one_of_several(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))

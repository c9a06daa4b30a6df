"""The laws as measurements: each function returns a relative error that ought to be rounding.

Also run as a script, as one process of several that share steps:  laws.py RANK RANKS STORE
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from veernet import Batch, Sample, Tversky, VeerNet, VeerNetConfig, collate, shard, train_step
from veernet.nn.norm import Activation

EXAMPLES = int(os.environ.get("VEERNET_EXAMPLES", "200"))
"""Random examples a law."""

SIZES = [(33, 97), (50, 41), (7, 64), (64, 65), (1, 90), (45, 45)]
"""No multiple of 32 but one; one log a single pixel high."""


WIDTHS = (4, 8, 32, 8, 8, 16)
"""Channels of a network with norms of one group and of two."""


def network(
    seed: int = 0, activation: Activation = "relu", widths: tuple[int, ...] = WIDTHS
) -> VeerNet:
    """A float64 network with every kind of layer."""
    torch.manual_seed(seed)
    model = VeerNet(
        VeerNetConfig(out_channels=3, channels=widths, num_heads=2, activation=activation)
    )
    with torch.no_grad():  # away from the symmetric start, where some seals would not show
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model.double()


def scans(sizes: Sequence[tuple[int, int]], seed: int = 0) -> list[Sample]:
    """Logs of noise, a tenth of their pixels not labelled."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.tensor([0, 0, 0, 1, 2, 0, 1, 2, 0, 255], dtype=torch.uint8)
    return [
        Sample(
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


def grad_of(p: Tensor) -> Tensor:
    """The gradient that a backward has left."""
    assert p.grad is not None
    return p.grad


def gradient(
    model: nn.Module, batches: Sequence[Batch]
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """The logits of every image, cropped to it; the summed loss; and its gradient."""
    model.zero_grad()
    logits: list[Tensor] = []
    loss = torch.zeros((), dtype=torch.float64)
    for batch in batches:
        out = model(batch.image, batch.sizes)
        total = Tversky().total(out, batch)
        total.backward()
        loss += total.detach()
        sizes = batch.sizes.tolist()
        logits += [x[:, :h, :w].detach() for x, (h, w) in zip(out, sizes, strict=True)]
    return logits, [loss], [grad_of(p).clone() for p in model.parameters()]


def error(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """The largest difference of two lists of tensors, each relative to its own norm.

    A tensor whose norm is itself rounding, 1e-6 of the largest, is measured against that.
    """
    least = max(1e-300, 1e-6 * worst(x.norm() for x in expected))  # not 0 where all of them are 0
    pairs = zip(found, expected, strict=True)
    return worst((a - b).norm() / b.norm().clamp(min=least) for a, b in pairs)


def worst(errors: Iterable[Tensor | float]) -> float:
    """The largest; not a number if one is not, where `max` would hide it."""
    return float(
        torch.stack([torch.as_tensor(error, dtype=torch.float64) for error in errors]).max()
    )


def padding_errors(
    sizes: Sequence[tuple[int, int]] = SIZES,
    *,
    more: tuple[int, int] = (5, 11),
    value: float = -3.0,
    seed: int = 0,
    activation: Activation = "relu",
    dtype: torch.dtype = torch.float64,
) -> tuple[float, float, float]:
    """Logs together on a canvas larger by `more`, against every log alone: the errors of logits,
    loss and gradient."""
    model, logs = network(seed, activation).to(dtype), scans(sizes, seed)
    canvas = max(h for h, _ in sizes) + more[0], max(w for _, w in sizes) + more[1]
    together = [on_canvas(collate(logs), canvas, value)]
    alone = [collate([log]) for log in logs]
    cpu = torch.device("cpu")
    found, expected = (
        gradient(model, [batch.to(cpu, dtype) for batch in batches])
        for batches in (together, alone)
    )
    logits, loss, grad = (error(a, b) for a, b in zip(found, expected, strict=True))
    return logits, loss, grad


def padding_error(**where: Any) -> float:
    """The largest of the three."""
    return worst(padding_errors(**where))


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A step of some logs: how it is cut, the canvases and what their padding holds."""

    sizes: Sequence[tuple[int, int]]
    cut: Sequence[Sequence[int]]
    more: Sequence[tuple[int, int]]
    value: float = -3.0
    seed: int = 0

    def batches(self) -> list[Batch]:
        """The micro-batches, each on a canvas of its own."""
        logs = scans(self.sizes, self.seed)
        made: list[Batch] = []
        for part, (dh, dw) in zip(self.cut, self.more, strict=True):
            batch = collate([logs[i] for i in part])
            H, W = batch.target.shape[1:]
            made.append(on_canvas(batch, (H + dh, W + dw), self.value))
        return made

    def whole(self) -> list[Tensor]:
        """The step with every log alone: what no cut may change."""
        return stepped([collate([log]) for log in scans(self.sizes, self.seed)], seed=self.seed)


def stepped(
    batches: Sequence[Batch],
    *,
    seed: int = 0,
    prepare: Callable[[VeerNet], object] = lambda model: None,
    **shape: Any,
) -> list[Tensor]:
    """How one optimizer step on these micro-batches changes every parameter; and the loss."""
    model = network(seed, **shape)
    prepare(model)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    result = train_step(model, optimizer, Tversky(), batches, device=torch.device("cpu"), clip=0.01)
    changes = [p.detach() - old for p, old in zip(model.parameters(), before, strict=True)]
    # Steps without any label have no loss, NaN, and are equal in that.
    return [*changes, result.loss.nan_to_num(nan=-1.0)]


def cut_error(scene: Scene) -> float:
    """A step cut into micro-batches, against every log alone."""
    return error(stepped(scene.batches(), seed=scene.seed), scene.whole())


def serve(rank: int, ranks: int, store: Path) -> None:
    """Take this process's share of the scenes that come in, a line of JSON each; the first process
    answers with the file that holds the step."""
    dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=ranks)
    for number, line in enumerate(sys.stdin):
        scene = Scene(**json.loads(line))
        mine = shard(tuple(scene.batches()), rank, ranks)
        change = stepped(mine, seed=scene.seed)
        if rank == 0:
            out = store.with_name(f"{ranks}-{number}.pt")
            torch.save(change, out)
            print(out, flush=True)
    dist.destroy_process_group()


def launch(script: str, ranks: int, *words: object, **pipes: Any) -> list[subprocess.Popen]:
    """A test's script as so many processes of one thread each:  SCRIPT RANK RANKS WORDS"""
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent), os.environ.get("PYTHONPATH", "")])
    return [
        subprocess.Popen(
            [sys.executable, script, str(rank), str(ranks), *map(str, words)],
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path.strip(os.pathsep)},
            text=True,
            **pipes,
        )
        for rank in range(ranks)
    ]


def end(processes: Sequence[subprocess.Popen]) -> None:
    """Leave none behind."""
    for process in processes:
        process.kill()
        process.communicate()


def run_together(script: str, ranks: int, *words: object) -> None:
    """Wait for a script that runs as several processes; all of them must end well."""
    processes = launch(script, ranks, *words)
    try:
        codes = [process.wait(timeout=300) for process in processes]
        assert codes == [0] * ranks, f"{script} ended with {codes}"
    finally:
        end(processes)


def as_line(scene: Scene) -> str:
    """What `serve` reads."""
    return json.dumps(asdict(scene)) + "\n"


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))

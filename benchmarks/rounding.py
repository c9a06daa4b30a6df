"""What is left of schedule invariance in low precision: a log alone, and beside one twice as wide.

    .venv/bin/python benchmarks/rounding.py

For relu and silu in float32, bfloat16 and float16 (autocast), the relative difference of logits,
loss and gradient of all weights between the two, over 20 networks as they are initialised. Beside
it, how far the precision itself takes the gradient from that of float64: the measure of what a
difference means. Then the gradient of the worst parameter in float32, on 250 random scenes of the
tests (one to three logs of 1 to 97 px a side), where a single pixel that rounding takes across the
kink of relu shows. Writes
benchmarks/rounding.json; takes minutes where the processor knows no bfloat16.
"""

import json
import random
import sys
from pathlib import Path

import torch
from leaks import LOG, MATE, a_log, gradients
from torch import Tensor

from veernet import Batch, Tversky, VeerNet, VeerNetConfig, collate
from veernet.nn.norm import Activation

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "invariants"))
import laws

OUT = Path(__file__).with_suffix(".json")
SEEDS = range(20)
CPU = torch.device("cpu")
ACTIVATIONS: tuple[Activation, ...] = "relu", "silu"
LOWERED = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def outcome(
    model: VeerNet, batch: Batch, dtype: torch.dtype, autocast: torch.dtype | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, loss and gradient of the first log."""
    batch = batch.to(CPU, dtype)
    model.zero_grad()
    with torch.autocast("cpu", autocast, enabled=autocast is not None):
        logits = model(batch.image, batch.sizes)
    loss = Tversky().total(logits[:1], Batch(batch.image[:1], batch.target[:1], batch.sizes[:1]))
    # As loss scaling would: small gradients vanish in float16.
    (loss * 2**10).backward()
    gradient = gradients(model).double() / 2**10
    h, w = batch.sizes[0].tolist()
    return logits[0, :, :h, :w].detach().double(), loss.detach().double(), gradient


def difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


def spread(values: list[float]) -> dict[str, float]:
    return {"median": sorted(values)[len(values) // 2], "largest": max(values)}


def measure(activation: Activation, name: str) -> dict[str, object]:
    compared = [f"{what}, together against alone" for what in ("logits", "loss", "gradient")]
    precise = "gradient, alone against float64"
    rows: dict[str, list[float]] = {name: [] for name in (*compared, precise)}
    for seed in SEEDS:
        torch.manual_seed(seed)
        model = VeerNet(VeerNetConfig(activation=activation))
        log, mate = a_log(LOG, seed), a_log(MATE, 100 + seed)
        alone, together = (
            outcome(model.float(), collate(logs), torch.float32, LOWERED[name])
            for logs in ([log], [log, mate])
        )
        for what, a, b in zip(compared, together, alone, strict=True):
            rows[what].append(difference(a, b))
        exact = outcome(model.double(), collate([log]), torch.float64, None)
        rows[precise].append(difference(alone[2], exact[2]))
    return {what: spread(values) for what, values in rows.items()}


def measure_small(activation: Activation) -> dict[str, float]:
    """The gradient's error of the worst parameter, as the tests of the laws measure it."""
    errors: list[float] = []
    for seed in range(250):
        draw = random.Random(seed)
        sizes = [(draw.randint(1, 97), draw.randint(1, 97)) for _ in range(draw.randint(1, 3))]
        more = draw.randint(0, 40), draw.randint(0, 40)
        how = {"seed": seed, "activation": activation, "dtype": torch.float32}
        errors.append(laws.padding_errors(sizes, more=more, **how)[2])
    return {**spread(errors), "above 1e-4": sum(error > 1e-4 for error in errors) / len(errors)}


def main() -> None:
    figures = {
        activation: {
            **{name: measure(activation, name) for name in LOWERED},
            "float32, gradient, small logs": measure_small(activation),
        }
        for activation in ACTIVATIONS
    }
    OUT.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(OUT.read_text())


if __name__ == "__main__":
    main()

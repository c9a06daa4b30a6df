"""What is lost between a curve and its values where the network makes no error.

    .venv/bin/python benchmarks/round_trip.py

Draws 200 native logs on straight paper, and again on paper that is skewed and sways, where a
straight track box cannot be right. Gives the true masks to `digitise` in place of what a network
would see, and measures how far the values lie from the true ones, in pixels across the track, and
how far the point that was read lies from the true line. Every curve has a scale of its own: linear
or logarithmic, as printed or reversed, and a backup scale where it wraps. Writes
benchmarks/round_trip.json.
"""

import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from veernet import VeerNet, VeerNetConfig
from veernet.data.logs import Row
from veernet.digitisation import Calibration, CurveScale, Depth, Track, digitise
from veernet.synth.appearance import Appearance
from veernet.synth.logs import SynthLogs

OUT = Path(__file__).with_suffix(".json")
COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 200
SEED = 2_000_003
PAPER = {"straight": Appearance(skew=(0, 0), drift=(0, 0)), "skewed, swaying": Appearance()}


class SeesMasks(VeerNet):
    """A network that is given class indices as shades of grey, and says them."""

    def __init__(self) -> None:
        super().__init__(VeerNetConfig(out_channels=3, channels=(2, 4), num_heads=1))

    def forward(self, image: torch.Tensor, sizes: torch.Tensor | None = None) -> torch.Tensor:
        first, second = image > 0.9, (image > 0.4) & (image < 0.6)
        return 40 * torch.cat([~(first | second), first, second], dim=1).float()


def scale_of(rng: np.random.Generator, number: int, wraps: bool) -> CurveScale:
    logarithmic, reverse = rng.random(2) < 0.5
    low, high = (0.2, 2000.0) if logarithmic else (-20.0, 130.0)
    left, right = (high, low) if reverse else (low, high)
    return CurveScale(
        mnemonic=f"C{number}",
        left=left,
        right=right,
        scale="log" if logarithmic else "linear",
        wraps=wraps,
        curve_class=number,
    )


def calibration_of(rng: np.random.Generator, row: Row, wraps: list[bool]) -> Calibration:
    """Depth runs right; a step of one pixel, so that every column is compared."""
    tracks = [
        Track(
            left=0,
            right=row.width - 1,
            top=round(curve.track[0]),
            bottom=round(curve.track[1]),
            curves=(scale_of(rng, number, wraps[number - 1]),),
        )
        for number, curve in enumerate(row.curves, start=1)
    ]
    ties = ((0.0, 1000.0), (row.width - 1.0, 1000.0 + row.width - 1.0))
    return Calibration(
        depth=Depth(ties=ties, step=1.0, unit="m"), tracks=tuple(tracks), depth_axis="right"
    )


def distance(read: np.ndarray, true: np.ndarray) -> np.ndarray:
    """From (x, read) to the true line through (x, true) of all columns, px; within 3 columns."""
    x, best = np.arange(len(true), dtype=float), np.full(len(true), np.inf)
    for shift in range(-3, 3):
        a = np.clip(np.arange(len(true)) + shift, 0, len(true) - 2)
        dx, dy = 1.0, true[a + 1] - true[a]
        along = ((x - a) * dx + (read - true[a]) * dy) / (dx * dx + dy * dy)
        along = np.clip(along, 0, 1)
        away = np.hypot(x - a - along * dx, read - true[a] - along * dy)
        best = np.fmin(best, away)
    return np.where(np.isfinite(read), best, np.nan)


def errors_of(
    logs: SynthLogs, number: int
) -> list[tuple[list[str], np.ndarray, np.ndarray, float]]:
    """Of each curve: its traits, its errors across the track and its distances from the true line,
    in px, and the share of its columns that were read."""
    rng = np.random.default_rng([logs.seed, number])
    row, log = logs.row(number), logs.log(number)
    how = [
        "wrapped" if (wrap != 0)[np.isfinite(wrap)].any() else "within" for wrap in log.curves.wraps
    ]
    calibration = calibration_of(rng, row, [ending == "wrapped" for ending in how])
    shades = np.array([255, 0, 128], np.uint8)[log.mask]
    found = digitise(shades, calibration, SeesMasks())
    results = []
    for k, curve in enumerate(calibration.curves):
        top, bottom = row.curves[k].track
        true = log.curves.values[k]
        across = (round(bottom) - log.curves.rows[k]) / (round(bottom) - round(top))
        across += log.curves.wraps[k]
        read = curve.position(found.values[k])
        error = np.abs(read - across) * (bottom - top)
        away = distance(read * (bottom - top), across * (bottom - top))
        printed = np.isfinite(true)
        if not printed.any():
            continue
        traits = [curve.scale, "reversed" if curve.left > curve.right else "as printed", how[k]]
        share = float(np.isfinite(error[printed]).mean())
        results.append((traits, error[printed], away[printed], share))
    return results


def measured(logs: SynthLogs) -> dict[str, Any]:
    start, by_trait, read = time.perf_counter(), defaultdict[str, list](list), list[float]()
    for number in range(COUNT):
        for traits, error, away, share in errors_of(logs, number):
            for trait in ("all", *traits):
                by_trait[trait].append(np.stack([error, away])[:, np.isfinite(error)])
            read.append(share)
        if number % 20 == 19:
            print(f"{number + 1} of {COUNT}", file=sys.stderr)
    return {
        "seconds": round(time.perf_counter() - start),
        "share_read": round(float(np.mean(read)), 5),
        "px": {trait: figures(errors) for trait, errors in by_trait.items()},
    }


def main() -> None:
    papers = {
        name: measured(SynthLogs(seed=SEED, appearance=appearance))
        for name, appearance in PAPER.items()
    }
    OUT.write_text(json.dumps({"logs": COUNT, "paper": papers}, indent=2) + "\n")
    print(OUT.read_text())


def figures(errors: list[np.ndarray]) -> dict[str, float]:
    across, away = np.concatenate(errors, axis=1)
    return {
        "columns": len(across),
        "across_median": round(float(np.median(across)), 3),
        "across_p99": round(float(np.quantile(across, 0.99)), 3),
        "from_the_line_median": round(float(np.median(away)), 3),
        "from_the_line_p99": round(float(np.quantile(away, 0.99)), 3),
        "worst_log_across_median": round(max(float(np.median(e[0])) for e in errors if e.size), 3),
    }


if __name__ == "__main__":
    main()

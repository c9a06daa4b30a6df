"""Reading printed logs curve by curve: what a network makes of tracks of one to six curves.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/printed_reading.py [WEIGHTS] [COUNT]

Draws COUNT logs (80) of 480–640 × 3,200–5,600 px by a seed never trained on, with all that the
generator knows. WEIGHTS (pretrained) tell solid curves from broken ones: every curve is read on the
plane of its kind within the edges of its own track, which are given, and compared with its truth
where it is printed. Per number of curves in the track, style, pen, resolution, and what else is in
the track: the share of curves that are usable (95 % of the columns read, r > 0.99 with the truth),
blank (less than a tenth read), silently wrong (90 % read, mean confidence above 0.9, and a mean
error of more than 5 % of the track), the median R², and the F1 within 1 px of solid and broken
pixels. Writes benchmarks/printed_reading.json.
"""

import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from veernet.data.logs import Log, Row
from veernet.evaluation.pixels import Counts, count
from veernet.inference import classes_of, predict, read_curve
from veernet.synth.printed import PrintedLogs
from veernet.weights import load_weights

OUT = Path(__file__).with_suffix(".json")
LOGS = PrintedLogs(width=(3200, 5600), seed=1_000_033)
DPI, PENS = (75, 120, 180, 260, 400, 601), (0.75, 1.5, 3, 5, 10.01)
MARGIN = 3
"""Rows beyond the edges of a track that are read, px."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One curve against its truth."""

    read: float
    r: float
    r2: float
    error: float
    """Mean error, in widths of the track."""
    confidence: float

    @property
    def kind(self) -> str:
        """Return usable, blank, silently wrong or other."""
        if self.read > 0.95 and self.r > 0.99:
            return "usable"
        if self.read < 0.1:
            return "blank"
        if self.read > 0.9 and self.confidence > 0.9 and self.error > 0.05:
            return "silently wrong"
        return "other"


def paper_shift(row: Row, log: Log) -> Float[ndarray, "w"]:
    """Rows by which skewed and joined paper moves every column down, from the truth of curves."""
    tops, bottoms = (np.array([[c.track[end]] for c in row.curves]) for end in (0, 1))
    values = log.curves.values
    height = values - log.curves.wraps
    moved = log.curves.rows - (bottoms - height * (bottoms - tops))
    known = np.isfinite(moved).any(0)
    columns = np.arange(row.width)
    mean = np.nanmean(moved[:, known], axis=0)
    return np.interp(columns, columns[known], mean)


def read(row: Row, log: Log, number: int, seen: Float[ndarray, "2 h w"]) -> Reading | None:
    """Read one curve within its track, and compare it; None if it is printed nowhere."""
    curve, rows = row.curves[number], log.curves.rows[number]
    there = np.isfinite(rows)
    if there.sum() < 100:
        return None
    top, bottom = (round(edge) for edge in curve.track)
    shift = np.rint(paper_shift(row, log)).astype(int)
    y = np.arange(top - MARGIN, bottom + MARGIN + 1)[:, None] + shift
    y = y.clip(0, row.height - 1)
    strip = seen[:, y, np.arange(row.width)]
    plane = 0 if curve.style == "solid" else 1
    wraps = MARGIN, MARGIN + bottom - top
    found = read_curve(strip, plane, wrap_edges=wraps if "wrapped" in row.traits else None)
    values = (MARGIN + bottom - top - found.rows) / (bottom - top)
    true = log.curves.values[number]
    both = there & np.isfinite(values)
    if both.sum() < 20:
        return Reading(read=float(both.sum() / there.sum()), r=0, r2=0, error=1, confidence=0)
    a, b = values[both], true[both]
    spread = max(float(b.var()), 1e-9)
    flat = b.std() < 1e-3 or a.std() < 1e-6
    near = float(np.abs(a - b).mean())
    return Reading(
        read=float(both.sum() / there.sum()),
        r=float(near < 0.005) if flat else float(np.corrcoef(a, b)[0, 1]),
        r2=float(near < 0.005) if flat else 1 - float(((a - b) ** 2).mean()) / spread,
        error=near,
        confidence=float(found.confidence[both].mean()),
    )


def bucket(value: float, edges: tuple[float, ...]) -> str:
    at = int(np.clip(np.searchsorted(edges, value, side="right") - 1, 0, len(edges) - 2))
    return f"{edges[at]:g}–{edges[at + 1]:g}"


def groups(row: Row, number: int) -> list[str]:
    """Names of the groups that a curve belongs to."""
    curve = row.curves[number]
    mates = [one for one in row.curves if one.track == curve.track]
    same = [one for one in mates if (one.style == "solid") == (curve.style == "solid")]
    return [
        "all",
        f"{len(mates)} in the track",
        *(["alone and solid"] if len(mates) == 1 and curve.style == "solid" else []),
        f"{'alone' if len(same) == 1 else 'one of several'} of its kind in the track",
        f"style {curve.style}",
        f"pen {bucket(curve.line_width or 0, PENS)} px",
        f"{bucket(row.dpi or 0, DPI)} dpi",
        *(name for name in ("hatched", "log grid", "photocopy", "bilevel") if name in row.traits),
    ]


def classes_of_truth(row: Row, mask: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "h w"]:
    """1 for solid curves, 2 for broken ones."""
    table = np.zeros(256, np.uint8)
    for index, curve in enumerate(row.curves, start=1):
        table[index] = 1 if curve.style == "solid" else 2
    return table[mask]


def table_of(found: dict[str, list[Reading]]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "curves": len(some),
            **{
                kind: round(sum(one.kind == kind for one in some) / len(some), 3)
                for kind in ("usable", "silently wrong", "blank")
            },
            "median_r2": round(float(np.median([one.r2 for one in some])), 3),
        }
        for name, some in sorted(found.items())
    }


def main(weights: str, n: int) -> None:
    model, found = load_weights(weights), defaultdict[str, list[Reading]](list)
    pixels = defaultdict[str, Counts](Counts)
    for number in range(n):
        row, log = LOGS.row(number), LOGS.log(number)
        seen = predict(model, log.grey)
        truth, predicted = classes_of_truth(row, log.mask), classes_of(seen)
        for index, kind in ((1, "solid"), (2, "broken")):
            pixels[kind] += count(predicted, truth, cls=index, radius=1)
        for k in range(len(row.curves)):
            if (one := read(row, log, k, seen)) is not None:
                for name in groups(row, k):
                    found[name].append(one)
        print(number, len(found["all"]), flush=True)
    figures = {
        "weights": weights,
        "logs": n,
        "f1_within_1_px": {kind: round(one.f1, 3) for kind, one in pixels.items()},
        "curves": table_of(found),
    }
    OUT.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    for name, one in figures["curves"].items():
        print(f"| {name} | {' | '.join(str(value) for value in one.values())} |")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "pretrained", int((sys.argv[2:] or ["80"])[0]))

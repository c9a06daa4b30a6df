"""What printed logs hold, how fast they are drawn, and whether curves come back from their truth.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/printed.py [COUNT]

Draws COUNT native logs (500) on two processes: traits, curves per track, styles, pens, resolutions,
the share of columns in which two curves of a track are within 5 px of one another, and of those in
which something covers a curve. Each curve of every 25th log is then printed alone from what the
archive holds of it (its rows and its line width), read with `read_trace`, and compared with its
rows, also where another curve covers it. At last the archive of 60 small logs is made at once, and
once more by a command that is killed three times. Writes benchmarks/printed.json.
"""

import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from veernet.curves.strokes import draw_mask
from veernet.curves.trace import read_trace
from veernet.data.logs import BY_FILL, BY_WORDS, Log, Row
from veernet.synth.printed import PrintedLogs

OUT = Path(__file__).with_suffix(".json")
LOGS = PrintedLogs(seed=1_000_021)
NEAR = 5
PENS = (0.75, 1.5, 3, 5, 10.01)
DPI = (75, 120, 180, 260, 400, 601)
SMALL = ("--height", "200", "260", "--width", "500", "900", "--train", "50", "--val", "5")


def bucket(value: float, edges: Sequence[float]) -> str:
    """Name the interval of `edges` that a value lies in."""
    at = int(np.clip(np.searchsorted(edges, value, side="right") - 1, 0, len(edges) - 2))
    return f"{edges[at]:g}–{edges[at + 1]:g}"


def figures_of(number: int) -> dict[str, Any]:
    """Draw a log and count what it holds."""
    begun = time.perf_counter()
    row, log = LOGS.row(number), LOGS.log(number)
    seconds = time.perf_counter() - begun
    covered = log.curves.covered
    assert covered is not None
    seen = np.isfinite(log.curves.rows)
    near, both = 0, 0
    for a, b in combinations(range(len(row.curves)), 2):
        if row.curves[a].track == row.curves[b].track:
            there = seen[a] & seen[b]
            both += int(there.sum())
            apart = np.abs(log.curves.rows[a, there] - log.curves.rows[b, there])
            near += int((apart <= NEAR).sum())
    return {
        "traits": row.traits,
        "per_track": [*Counter(curve.track for curve in row.curves).values()],
        "styles": [curve.style for curve in row.curves],
        "pens": [bucket(curve.line_width or 0, PENS) for curve in row.curves],
        "dpi": bucket(row.dpi or 0, DPI),
        "near": (near, both),
        "covered": [int(np.isin(covered[seen], one).sum()) for one in ([BY_FILL], [BY_WORDS])]
        + [int(((covered > 0) & (covered < BY_FILL) & seen).sum()), int(seen.sum())],
        "pixels": row.height * row.width,
        "curves": len(row.curves),
        "seconds": seconds,
        "errors": round_trip(row, log) if number % 25 == 0 else [],
    }


def round_trip(row: Row, log: Log) -> list[tuple[float, bool]]:
    """Print each curve alone by its rows and width, read it, and list its errors, px, with whether
    another curve covers it there; where its slope is at most 1."""
    found = list[tuple[float, bool]]()
    assert log.curves.covered is not None
    for curve, rows, covered in zip(row.curves, log.curves.rows, log.curves.covered, strict=True):
        mask = np.zeros(log.mask.shape, np.uint8)
        draw_mask(mask, rows, index=1, width=max(1.0, curve.line_width or 1))
        read = read_trace(mask.astype(np.float32)).rows
        slope = np.abs(np.gradient(rows.astype(float)))
        there = np.isfinite(read) & np.isfinite(rows) & (slope <= 1)
        by_curve = (covered > 0) & (covered < BY_FILL)
        errors = np.abs(read - rows)[there].tolist()
        found += zip(errors, by_curve[there].tolist(), strict=True)
    return found


def shares(counts: Counter[str], total: int) -> dict[str, float]:
    """Return counts as shares, the commonest first."""
    return {name: round(count / total, 3) for name, count in counts.most_common()}


def digest(root: Path) -> str:
    """Digest of all files of an archive, but for what a killed process left half written."""
    found = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            found.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


def killed_three_times() -> dict[str, Any]:
    """Make one archive at once, and one with three kills; say whether they are the same bytes."""
    program = (sys.executable, "-m", "veernet", "synth")
    options = ("--recipe", "curves", *SMALL, "--test", "5", "--workers", "2")
    with tempfile.TemporaryDirectory() as folder:
        whole, broken, there = Path(folder) / "whole", Path(folder) / "broken", list[int]()
        subprocess.run([*program, str(whole), *options], check=True, capture_output=True)
        for least in (5, 20, 40):
            job = subprocess.Popen([*program, str(broken), *options], stderr=subprocess.DEVNULL)
            while len([*broken.rglob("curves/*.npz")]) < least and job.poll() is None:
                time.sleep(0.02)
            job.send_signal(signal.SIGKILL)
            job.wait()
            there.append(len([*broken.rglob("curves/*.npz")]))
        subprocess.run([*program, str(broken), *options], check=True, capture_output=True)
        return {"logs_at_kills": there, "same_bytes": digest(whole) == digest(broken)}


def summary(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Put the figures of all logs together."""
    errors = np.array([error for one in found for error in one["errors"]])
    over = errors[:, 1] > 0
    near, both = np.array([one["near"] for one in found]).sum(0)
    fill, words, curve, seen = np.array([one["covered"] for one in found]).sum(0)
    tracks = [n for one in found for n in one["per_track"]]
    per_curve = sum(one["pixels"] * one["curves"] for one in found)
    return {
        "logs": len(found),
        "traits": shares(Counter(trait for one in found for trait in one["traits"]), len(found)),
        "curves_per_track": shares(Counter(map(str, tracks)), len(tracks)),
        "styles": shares(Counter(s for one in found for s in one["styles"]), sum(tracks)),
        "line_width_px": shares(Counter(p for one in found for p in one["pens"]), sum(tracks)),
        "dpi": shares(Counter(one["dpi"] for one in found), len(found)),
        "columns_of_pairs_within_5_px": round(float(near / both), 4),
        "columns_covered": {
            name: round(float(part / seen), 4)
            for name, part in (("by a curve", curve), ("by a fill", fill), ("by words", words))
        },
        "round_trip_px": {
            "median": round(float(np.median(errors[:, 0])), 3),
            "median_where_covered": round(float(np.median(errors[over, 0])), 3),
            "p99": round(float(np.quantile(errors[:, 0], 0.99)), 3),
        },
        "mpx_a_second_of_one_process": round(
            sum(one["pixels"] for one in found) / sum(one["seconds"] for one in found) / 1e6, 1
        ),
        "mpx_a_second_of_one_process_per_curve": round(
            per_curve / sum(one["seconds"] for one in found) / 1e6, 1
        ),
    }


def main(count: int) -> None:
    begun = time.perf_counter()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = [*pool.map(figures_of, range(count), chunksize=5)]
    seconds = time.perf_counter() - begun
    figures = summary(found) | {
        "seconds_of_two_processes": round(seconds, 1),
        "killed": killed_three_times(),
        "load": [round(one, 1) for one in os.getloadavg()],
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
    }
    OUT.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    print(json.dumps(figures, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)

"""Reading printed tracks curve by curve, drawn from test wells by a renderer of their own.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/curves.py LAS [--seed 100] [--tracks 120]
        [--weights pretrained] [--no-hints] [--workers 1] [--save FOLDER] [--out JSON]

LAS is the folder of fifty Kansas wells; `scans.wells.WELLS` names those that are drawn. Track i of
seed s is a function of (s, i) alone: one to five curves in any styles, 75 to 600 dpi, linear and
log grids, colour and black, filled and worn (`scans.track`). Half of the calibrations have hints
(style, weight, colour, points of each curve); the others say whether a curve is solid or broken.
A state of the software that knows no hints reads each track in as many calls as its classes need.

Seeds 0 to 99 are for working; published figures come from seeds of 100 and above, first run when
the work is done. Per category of curves: usable (more than 95 % of the depths on scale read, r
above 0.99), honest (90 % read, median error within 3 px of 500), blank (less than a tenth read),
silently wrong (mean confidence above 0.9, more than 90 % read, mean error above 5 % of the track).
Then pairs of curves read as one, and the calibration of the confidence, whose error is 2 % of the
track. Writes benchmarks/curves.json and prints a table in Markdown.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scans.measures import (
    Reading,
    confidence_of,
    exchanged,
    pairs,
    row_of,
    row_of_pairs,
)
from scans.track import ScannedTrack, draw
from scans.wells import positions

from veernet.digitisation import Calibration, Digitisation, digitise
from veernet.digitisation.calibration import calibration_of
from veernet.errors import CalibrationError
from veernet.model import VeerNet
from veernet.weights import PRETRAINED, load_weights

OUT = Path(__file__).with_suffix(".json")

Columns = tuple[Float[ndarray, "n"], Float[ndarray, "n"], Float[ndarray, "n"]]
"""Depth, values and confidence of a curve."""


def calibrations(track: ScannedTrack, *, hints: bool) -> list[Calibration]:
    """Return the calibration of a track, or one per call where it must be read in several.

    A state of the software without hints refuses their names, and two curves of one class.
    """
    try:
        return [calibration_of(track.table(hints=hints), where="track")]
    except CalibrationError:
        calls = list[list[str]]()
        seen = defaultdict[int, int](int)
        for trace, pen in zip(track.traces, track.pens, strict=True):
            number = seen[pen.style == "solid"]
            calls += [[]] if number == len(calls) else []
            calls[number].append(trace.mnemonic)
            seen[pen.style == "solid"] += 1
        return [calibration_of(track.table(names, hints=False), where="track") for names in calls]


def digitised(track: ScannedTrack, weights: VeerNet, *, hints: bool) -> dict[str, Columns]:
    """Read the curves of a track by mnemonic; those that are refused are left out."""
    found = dict[str, Columns]()
    for calibration in calibrations(track, hints=hints):
        try:
            read: Digitisation = digitise(track.image, calibration, weights)
        except CalibrationError as refusal:
            print(f"{track.number}: refused: {refusal}", file=sys.stderr, flush=True)
            continue
        for curve, values, sure in zip(
            calibration.curves, read.values, read.confidence, strict=True
        ):
            found[curve.mnemonic] = (read.depth, values, sure)
    return found


@dataclass(frozen=True, kw_only=True)
class Read:
    """The curves of one track as they were read, and the categories of each."""

    number: int
    readings: tuple[Reading, ...]
    groups: tuple[tuple[str, ...], ...]
    two_solids: str
    """"with a hint" or "without", of a track of two solid curves; else empty."""
    refused: int
    calls: int
    seconds: float


def compared(track: ScannedTrack, found: dict[str, Columns]) -> list[Reading]:
    """Compare what was read with what was printed, at the depths of the calibration."""
    first, last = track.traces[0].depth[[0, -1]]
    depth = np.arange(np.ceil(first / track.step), last / track.step + 1e-9) * track.step
    nothing = np.full(len(depth), np.nan)
    readings = list[Reading]()
    for trace in track.traces:
        truth, position, sure = trace.at(depth), nothing, nothing
        if trace.mnemonic in found:
            at, values, confidence = found[trace.mnemonic]
            read = positions(values, (trace.left, trace.right), trace.scale)
            index = np.searchsorted(at, depth - 1e-6).clip(0, len(at) - 1)
            there = np.abs(at[index] - depth) < 1e-6
            position = np.where(there, read[index], np.nan)
            sure = np.where(there, confidence[index], np.nan)
        readings.append(
            Reading(
                position=position,
                confidence=np.nan_to_num(sure),
                truth=truth,
                shown=trace.shown(truth),
            )
        )
    return readings


def groups(track: ScannedTrack, number: int, *, hints: bool) -> list[str]:
    """Return the categories of a curve of a track."""
    n, pen, traits = len(track.traces), track.pens[number], track.traits
    hinted = track.hinted if hints else "none"
    grid = "log grid" if "log grid" in traits else "linear grid"
    place = f"curve {min(number + 1, 3)}{' and later' if number > 1 else ''}"
    neither = not traits & {"filled", "worn"}
    condition = "neither filled nor worn" if neither else "filled or worn"
    names = ["all", condition, f"{n} in the track", place, f"{place}, {grid}"]
    names += [f"{pen.style}", "solid" if pen.style == "solid" else "broken"]
    names += ["alone and solid"] if n == 1 and pen.style == "solid" else []
    names += [f"{track.dpi} dpi", f"hints: {hinted}", f"pen {pen.weight}"]
    names += ["hints: any"] if hinted != "none" else []
    names += [] if "colour" in traits else ["black"]
    names += ["dense grid"] if "dense grid" in traits else []
    names += [f"off scale: {track.traces[number].off_scale}"] if _leaves(track, number) else []
    names += [f"{round(100 * track.box.per_ft / track.dpi)} in per 100 ft"]
    plain = 100 <= track.dpi <= 300 and "5 in per 100 ft" in names and "black" in names
    names += ["black, 100 to 300 dpi, 5 in per 100 ft"] if plain else []
    some = [f"{name}, {condition}" for name in names if name not in {"all", condition}]
    return sorted({*names, *traits, *(some if neither else [])})


def _leaves(track: ScannedTrack, number: int) -> bool:
    place = track.traces[number].position
    return bool(((place < 0) | (place > 1)).any())


@cache
def _network(weights: str) -> VeerNet:
    return load_weights(weights)


def read(
    number: int, *, folder: Path, seed: int, weights: str, hints: bool, save: Path | None
) -> Read:
    """Draw one track, read it and compare."""
    track = draw(folder, seed, number)
    if save is not None:
        track.save(save)
    start = time.perf_counter()
    found = digitised(track, _network(weights), hints=hints)
    seconds = time.perf_counter() - start
    solids = [pen.style for pen in track.pens] == ["solid", "solid"]
    hinted = hints and track.hinted not in ("none", "style")
    return Read(
        number=number,
        readings=tuple(compared(track, found)),
        groups=tuple(tuple(groups(track, k, hints=hints)) for k in range(len(track.traces))),
        two_solids=("with a hint" if hinted else "without") if solids else "",
        refused=len(track.traces) - len(found),
        calls=len(calibrations(track, hints=hints)),
        seconds=seconds,
    )


def reads(count: int, workers: int, one: Callable[[int], Read]) -> Iterator[Read]:
    if workers == 1:
        yield from map(one, range(count))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(one, range(count))


def figures(found: list[Read]) -> dict[str, Any]:
    """Return all measures of the tracks that were read."""
    by_group = defaultdict[str, list[Reading]](list)
    for track in found:
        for reading, names in zip(track.readings, track.groups, strict=True):
            for name in names:
                by_group[name].append(reading)
    neither = [r for t in found if "neither filled nor worn" in t.groups[0] for r in t.readings]
    solids = {
        f"two solids {hinted}{', up to exchange' if free else ''}": row_of(
            [r for t in some for r in (exchanged(t.readings) if free else t.readings)]
        )
        for hinted in ("with a hint", "without")
        for free in (False, True)
        if (some := [track for track in found if track.two_solids == hinted])
    }
    return {
        "curves": {name: row_of(some) for name, some in sorted(by_group.items(), key=_order)}
        | solids,
        "pairs": row_of_pairs([pair for track in found for pair in pairs(track.readings)]),
        "confidence": confidence_of([one for track in found for one in track.readings]),
        "confidence_neither_filled_nor_worn": confidence_of(neither),
        "refused": sum(track.refused for track in found),
        "calls": sum(track.calls for track in found),
        "seconds_per_track": round(float(np.mean([track.seconds for track in found])), 2),
    }


def _order(item: tuple[str, Any]) -> tuple[bool, str]:
    """Put the whole first, and numbers in their order."""
    name = item[0]
    whole = name in {"all", "neither filled nor worn", "filled or worn"}
    return not whole, re.sub(r"\d+", lambda number: number[0].zfill(4), name)


def markdown(measured: dict[str, Any]) -> str:
    """Return the table in Markdown."""
    rows = ["| | curves | usable | honest | blank | silently wrong |", "|---|---|---|---|---|---|"]
    for name, one in measured["curves"].items():
        rows.append(f"| {name} | {' | '.join(str(value) for value in one.values())} |")
    rows += ["", "| confidence | depths | right |", "|---|---|---|"]
    for one in measured["confidence"]["reliability"]:
        rows.append(f"| {one['from']}–{one['from'] + 0.1:.1f} | {one['depths']} | {one['right']} |")
    about = {k: v for k, v in measured["confidence"].items() if k != "reliability"}
    return "\n".join([*rows, "", f"confidence: {about}", f"pairs: {measured['pairs']}"])


def commit() -> str:
    """Return the commit of the code, with + if files differ from it."""
    git = partial(subprocess.run, capture_output=True, text=True, cwd=OUT.parent, check=False)
    head = git(["git", "rev-parse", "--short=12", "HEAD"]).stdout.strip()
    return head + ("+" if git(["git", "status", "--porcelain", "-uno"]).stdout.strip() else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("las", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tracks", type=int, default=120)
    parser.add_argument("--weights", default="pretrained")
    parser.add_argument("--no-hints", dest="hints", action="store_false")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    if asked.save is not None:
        asked.save.mkdir(parents=True, exist_ok=True)
    one = partial(
        read,
        folder=asked.las,
        seed=asked.seed,
        weights=asked.weights,
        hints=asked.hints,
        save=asked.save,
    )
    found = list[Read]()
    for track in reads(asked.tracks, asked.workers, one):
        found.append(track)
        usable = sum(reading.usable for reading in track.readings)
        print(
            f"{track.number}: {usable} of {len(track.readings)}, {track.seconds:.1f} s", flush=True
        )
    weights = PRETRAINED if asked.weights == "pretrained" else Path(asked.weights)
    measured = {
        "command": f"benchmarks/curves.py LAS {' '.join(sys.argv[2:])}".strip(),
        "seed": asked.seed,
        "tracks": asked.tracks,
        "weights": {"name": asked.weights, "sha256": _sha256(weights)},
        "commit": commit(),
        **figures(found),
    }
    asked.out.write_text(json.dumps(measured, indent=2, ensure_ascii=False) + "\n")
    print(markdown(measured))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


if __name__ == "__main__":
    main()

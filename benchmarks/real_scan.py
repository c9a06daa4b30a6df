"""How well the pretrained weights read a real scan, beside the LAS file of the same well.

    .venv/bin/python benchmarks/real_scan.py SCAN REFERENCE.las [WEIGHTS]

SCAN is that of heinen.toml, D&K Heinen 1-4 in Nemaha County, Kansas, which no network here was
trained on. Three parts, written to benchmarks/real_scan.json:

- 300 to 1,050 ft of gamma ray and sonic against the LAS file, over all depths, wraps unwrapped, and
  the stretches that are off by more than a tenth of the scale;
- track 1 over the whole strip of 17,864 px, from TIFF to LAS in a process of its own: seconds and
  peak memory, with two threads;
- what `veernet calibrate` finds by itself, beside the true edges and spacing.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from veernet.data.raster import read_grey
from veernet.digitisation import (
    CurveSummary,
    Digitisation,
    digitise,
    propose,
    read_calibration,
    summarise_curves,
)
from veernet.las import Las, read_las
from veernet.weights import PRETRAINED, load_weights

OUT = Path(__file__).with_suffix(".json")
CALIBRATION = Path(__file__).with_name("heinen.toml")
EDGES, SPACING = [[0, 500], [665, 1663]], 20.3
"""Read off the scan by eye, px."""

WHOLE = """
import resource, sys, time
from pathlib import Path
start = time.perf_counter()
from veernet.digitisation import digitise_file
from veernet.memory.allocator import configure_allocator
from veernet.weights import load_weights
configure_allocator()
scan, calibration, weights, out = map(Path, sys.argv[1:])
digitise_file(scan, calibration, load_weights(weights), out)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def agreement(found: Digitisation, index: int, results: CurveSummary, las: Las) -> dict:
    curve, read = found.calibration.curves[index], found.values[index]
    true = las.at(curve.mnemonic, found.depth, unit=found.calibration.depth.unit)
    error = read - true
    far = np.abs(error) > 0.1 * abs(curve.right - curve.left)
    edges = np.flatnonzero(np.diff(far, prepend=False, append=False)).reshape(-1, 2)
    return {
        "unit": curve.unit,
        "depths": len(found.depth),
        "share_read": round(results.coverage, 4),
        "share_off_scale": round(results.off_scale_share, 4),
        "compared": results.compared,
        "pearson_r": None if results.pearson_r is None else round(results.pearson_r, 4),
        "mean_absolute_error": None if results.mae is None else round(results.mae, 3),
        "median_absolute_error": round(float(np.nanmedian(np.abs(error))), 3),
        "goes_round": results.wrap_count,
        "off_by_a_tenth": [
            {
                "from": float(found.depth[a]),
                "to": float(found.depth[b - 1]),
                "mean_error": round(float(error[a:b].mean()), 1),
                "reference": [round(float(true[a:b].min()), 1), round(float(true[a:b].max()), 1)],
            }
            for a, b in edges
        ],
    }


def whole_strip(scan: Path, weights: Path) -> dict:
    height = len(read_grey(scan))
    one = CALIBRATION.read_text().split("[[track]]")
    text = re.sub("top = .*", "top = 0", f"{one[0]}[[track]]{one[1]}")
    text = re.sub("bottom = .*", f"bottom = {height - 1}", text)
    with tempfile.TemporaryDirectory() as folder:
        calibration = Path(folder) / "whole.toml"
        calibration.write_text(text)
        words = [sys.executable, "-c", WHOLE, scan, calibration, weights, Path(folder) / "out"]
        said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    seconds, gib = map(float, said.split())
    return {"px": height, "seconds": round(seconds, 1), "peak_gib": round(gib, 2)}


def calibration_found(scan: Path) -> dict:
    start = time.perf_counter()
    found = propose(read_grey(scan))
    return {
        "edges": found.tracks,
        "true_edges": EDGES,
        "spacing": round(found.spacing, 4),
        "true_spacing": SPACING,
        "turned_degrees": round(float(np.degrees(found.skew)), 3),
        "seconds": round(time.perf_counter() - start, 1),
    }


def main(scan: Path, reference: Path, weights: Path = PRETRAINED) -> None:
    las = read_las(reference)
    found = digitise(read_grey(scan), read_calibration(CALIBRATION), load_weights(weights))
    curves = {
        one.mnemonic: agreement(found, index, one, las)
        for index, one in enumerate(summarise_curves(found, las))
    }
    message = {
        "scan": "D&K Heinen 1-4, Nemaha County, Kansas: bilevel G4 TIFF, 200 dpi, 300 to 1,050 ft",
        "reference": "LAS file of the same well",
        "curves": curves,
        "whole_strip_of_track_1": whole_strip(scan, weights),
        "calibrate": calibration_found(scan),
    }
    OUT.write_text(json.dumps(message, indent=2) + "\n")
    print(OUT.read_text())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))

"""How well a digitised scan agrees with the LAS file of the same well.

    .venv/bin/python benchmarks/real_scan.py SCAN CALIBRATION WEIGHTS REFERENCE.las

Digitises the scan and compares every curve of the calibration with the curve of the same mnemonic
in the reference, interpolated to the same depths. `on_scale` leaves out depths where the reference
lies beyond the track's edges, where a printed curve goes round. Prints JSON.
"""

import json
import sys
from pathlib import Path

import lasio
import numpy as np

from veernet.data.raster import read_grey
from veernet.digitise import CurveScale, Digitised, digitise, read_calibration
from veernet.train.checkpoint import load_weights


def agreement(read: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    both = np.isfinite(read) & np.isfinite(reference)
    error = np.abs(read - reference)[both]
    return {
        "depths": int(both.sum()),
        "pearson_r": round(float(np.corrcoef(read[both], reference[both])[0, 1]), 4),
        "mean_absolute_error": round(float(error.mean()), 3),
        "median_absolute_error": round(float(np.median(error)), 3),
    }


def compare(curve: CurveScale, read: np.ndarray, found: Digitised, las: lasio.LASFile) -> dict:
    reference = np.interp(found.depth, las.index, las[curve.mnemonic])
    low, high = sorted((curve.left, curve.right))
    on_scale = np.where((reference >= low) & (reference <= high), reference, np.nan)
    return {
        "unit": curve.unit,
        "share_read": round(float(np.isfinite(read).mean()), 4),
        "all_depths": agreement(read, reference),
        "on_scale": agreement(read, on_scale),
    }


def main(scan: Path, calibration: Path, weights: Path, reference: Path) -> None:
    found = digitise(read_grey(scan), read_calibration(calibration), load_weights(weights))
    las = lasio.read(reference)
    curves = zip(found.calibration.curves, found.values, strict=True)
    print(json.dumps({c.mnemonic: compare(c, read, found, las) for c, read in curves}, indent=2))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]))

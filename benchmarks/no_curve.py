"""What the pretrained weights make of pages that no curve is on.

    .venv/bin/python benchmarks/no_curve.py

Draws 50 native logs with all that the generator knows but their curves, and digitises both curves
of each: the share of the depths that got a value all the same, and how sure the network was there.
Writes benchmarks/no_curve.json.
"""

import json
from pathlib import Path

import numpy as np

from veernet.data.logs import Row
from veernet.digitisation import Calibration, CurveScale, Depth, Track, digitise
from veernet.synth.appearance import Appearance
from veernet.synth.logs import SynthLogs
from veernet.weights import load_weights

OUT = Path(__file__).with_suffix(".json")
COUNT = 50
LOGS = SynthLogs(seed=4_000_037, width=(3200, 4800), appearance=Appearance(absent=1))


def calibration_of(row: Row) -> Calibration:
    """Depth runs right, a step a pixel."""
    tracks = tuple(
        Track(
            left=0,
            right=row.width - 1,
            top=round(curve.track[0]),
            bottom=round(curve.track[1]),
            curves=(CurveScale(mnemonic=f"C{trace}", left=0.0, right=1.0, curve_class=trace),),
        )
        for trace, curve in enumerate(row.curves, start=1)
    )
    ties = ((0.0, 0.0), (row.width - 1.0, row.width - 1.0))
    return Calibration(
        depth=Depth(ties=ties, step=1.0, unit="m"), tracks=tracks, depth_axis="right"
    )


def main() -> None:
    model, shares, sure = load_weights(), [], []
    for index in range(COUNT):
        found = digitise(LOGS.log(index).grey, calibration_of(LOGS.row(index)), model)
        read = np.isfinite(found.values)
        shares.append(read.mean(1))
        sure.append(found.confidence[read])
    share, confidence = np.array(shares), np.concatenate(sure)
    message = {
        "pages": COUNT,
        "share_read": {
            f"curve {k}": {
                "pages_with_none": int((one == 0).sum()),
                "mean": round(float(one.mean()), 4),
                "most": round(float(one.max()), 3),
            }
            for k, one in enumerate(share.T, start=1)
        },
        "confidence_where_read_median": round(float(np.median(confidence)), 3),
    }
    OUT.write_text(json.dumps(message, indent=2) + "\n")
    print(OUT.read_text())


if __name__ == "__main__":
    main()

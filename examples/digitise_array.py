"""Digitise a scan that is an array: plot its curves, and put them into a table.

usage: python examples/digitise_array.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np

import veernet

folder = Path(sys.argv[1])
depth = np.arange(400)
scan = np.full((400, 200, 3), 255, np.uint8)  # a page in colour: depth down, a curve across
scan[depth[:, None], (100 + 60 * np.sin(depth / 40)).astype(int)[:, None] + np.arange(3)] = 40

gr = veernet.CurveScale(mnemonic="GR", unit="API", left=0, right=150)
track = veernet.Track(left=10, right=190, top=0, bottom=399, curves=(gr,))
ties = veernet.Depth(ties=((0, 1000), (399, 1199.5)), step=0.5)
well = veernet.digitise(scan, veernet.Calibration(depth=ties, tracks=(track,)))

table = well.to_dataframe()
print(table.describe())
axes = table.plot(y="GR", xlabel="depth, ft", ylabel="GR, API")
axes.figure.savefig(folder / "well.png")
well.to_las(folder / "well.las")

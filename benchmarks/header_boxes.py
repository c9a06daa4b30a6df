"""Boxes of words, drawn over the headers of twelve printed logs, to look at.

    .venv/bin/python benchmarks/header_boxes.py

Writes `docs/gallery/headers.png`; `docs/explanation/headers.md` tells the colours.
"""

from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from veernet.data.logs import Log, WordKind
from veernet.data.raster import write_picture
from veernet.synth.appearance import Appearance
from veernet.synth.printed import PrintedLogs
from veernet.synth.tracks import Tracks

COLOURS: dict[WordKind, tuple[int, int, int]] = {
    "depth": (0, 140, 140),
    "title": (120, 60, 0),
    "mnemonic": (220, 0, 0),
    "unit": (230, 120, 0),
    "left": (0, 150, 0),
    "right": (0, 90, 220),
    "line": (190, 0, 190),
    "remark": (110, 110, 110),
}

CALM = Appearance(
    header=1,
    depth_track=0.9,
    grain=(0, 0),
    paper=(255, 255),
    handwriting=0,
    stamp=0,
    uneven_light=0,
    stains=0,
    folds=0,
    photocopy=0,
    faded=0,
    jpeg=0,
    bilevel=0,
)
"""Paper on which boxes are seen well."""

TILE = (300, 440)
"""Height and width of the picture of one header, px."""


def boxed(log: Log) -> UInt8[ndarray, "h w 3"]:
    """Draw the boxes of all words over a log, one colour a kind."""
    picture = np.repeat(log.grey[:, :, None], 3, axis=2)
    for word in log.words:
        top, left, bottom, right = word.box
        cv2.rectangle(picture, (left - 1, top - 1), (right, bottom), COLOURS[word.kind], 1)
    return picture


def tile(log: Log) -> UInt8[ndarray, "h w 3"]:
    """Show the header of a log and the beginning of its tracks, in a frame."""
    picture = boxed(log)
    height, width = len(picture), len(picture) * TILE[1] // TILE[0]
    first = min(word.box[1] for word in log.words if word.kind in ("mnemonic", "line", "title"))
    part = picture[:, max(0, first - height // 6) :][:, :width]
    shown = np.asarray(cv2.resize(part, TILE[::-1], interpolation=cv2.INTER_AREA))
    shown[[0, -1]] = shown[:, [0, -1]] = 0
    return shown


def main() -> None:
    """Write `docs/gallery/headers.png`: four rows of three headers."""
    tracks = Tracks(dpi=(110, 420))
    logs = PrintedLogs(seed=21, width=(3200, 3600), appearance=CALM, tracks=tracks)
    drawn = (log for log in map(logs.log, count()) if any(w.kind == "line" for w in log.words))
    tiles = [tile(log) // 32 * 32 + 31 for log in islice(drawn, 12)]
    sheet = np.vstack([np.hstack(tiles[at : at + 3]) for at in range(0, 12, 3)])
    write_picture(Path(__file__).parents[1] / "docs/gallery/headers.png", sheet)


if __name__ == "__main__":
    main()

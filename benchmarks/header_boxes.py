"""Draw the boxes of words over the headers of twelve printed logs, to look at.

python benchmarks/header_boxes.py
"""

from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from veernet.data.logs import Log, WordKind
from veernet.data.raster import write_picture
from veernet.synth.printed import PrintedLogs

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
    """Show the header of a log: as much around it as keeps its letters legible."""
    names = [word.box for word in log.words if word.kind == "mnemonic"]
    picture = boxed(log)
    last = max(box[3] for box in names if box[3] < min(b[3] for b in names) + 600)
    height = len(picture)
    width = height * TILE[1] // TILE[0]
    first = max(0, min(last + width // 4, picture.shape[1]) - width)
    part = picture[:, first : first + width]
    part = np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0)), constant_values=255)
    return np.asarray(cv2.resize(part, TILE[::-1], interpolation=cv2.INTER_AREA))


def main() -> None:
    """Write `docs/gallery/headers.png`: three rows of four logs that have a header."""
    logs = PrintedLogs(seed=21, width=(3200, 3600), height=(480, 640))
    there = (i for i in count() if "header" in logs.row(i).traits)
    drawn = (log for log in map(logs.log, there) if any(w.kind == "line" for w in log.words))
    tiles = [tile(log) for log in islice(drawn, 12)]
    sheet = np.vstack([np.hstack(tiles[at : at + 3]) for at in range(0, 12, 3)])
    write_picture(Path(__file__).parents[1] / "docs/gallery/headers.png", sheet)


if __name__ == "__main__":
    main()

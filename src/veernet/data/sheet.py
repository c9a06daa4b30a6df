"""Draw what an archive holds: masks over scans, a sheet of logs for each split."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from veernet.curves.overlay import (
    BLACK,
    COLOURS,
    LEAST_CAPTION,
    PICTURE_WIDTH,
    caption,
    enlarged,
    middle,
    names_of_curves,
    stack,
)
from veernet.data.batch import UNLABELLED
from veernet.data.raster import write_picture
from veernet.data.split import Split
from veernet.data.verify import Verification
from veernet.errors import VeerNetError

SHOWN = 8
"""Number of logs on a sheet, evenly from the first of the split to the last."""

TINT = (230, 200, 120)
"""RGB of pixels that are not labelled."""


def write_sheets(
    folder: Path, name: str, split: Split, classes: Iterable[str], found: Verification | None
) -> list[Path]:
    """Write NAME.png with `SHOWN` logs of a split, and NAME-extremes.png with the logs that
    `found`, if it is given, has as the narrowest, emptiest and darkest; return their paths. These
    logs are read again, and no others."""
    even = np.linspace(0, len(split) - 1, min(SHOWN, len(split))).round().astype(int).tolist()
    sheets = {f"{name}.png": dict.fromkeys(even, "")}
    if found is not None and found.darkest:
        sheets[f"{name}-extremes.png"] = _extremes(split, found)
    _, *curves = classes
    for file, logs in sheets.items():
        write_picture(folder / file, draw_sheet(split, logs, curves))
    return [folder / file for file in sheets]


def _extremes(split: Split, found: Verification) -> dict[int, str]:
    """Return the indices of the extreme logs, and in what each is extreme."""
    indices = {row.file_name: index for index, row in enumerate(split.rows)}
    reasons = dict[int, list[str]]()
    for word in ("narrowest", "emptiest", "darkest"):
        for order, one in zip(("", "2nd ", "3rd "), getattr(found, word), strict=False):
            reasons.setdefault(indices[one.file_name], []).append(f"{order}{word}")
    return {index: ", ".join(words) for index, words in reasons.items()}


def draw_sheet(
    split: Split, logs: Mapping[int, str], curves: Iterable[str]
) -> UInt8[ndarray, "H W 3"]:
    """Draw logs below one another, with their masks over them, captions, and the traits that the
    metadata has; a log that cannot be read has the reason in place of a picture.

    Args:
        logs: indices of the logs, each with a remark for its caption.
        curves: names of the curves, in the order of their classes.
    """
    tiles, key = list[UInt8[ndarray, "_ _ 3"]](), names_of_curves([*curves])
    for index, remark in logs.items():
        row = split.rows[index]
        part = middle(row.width)
        words = [f"{row.file_name}, {row.height} x {row.width} px", *([remark] if remark else [])]
        if row.width > PICTURE_WIDTH:
            words.append(f"columns {part.start} to {part.stop - 1}")
        about = f"{'; '.join(words)}. On it: {', '.join(row.traits) or 'no traits are recorded'}."
        try:
            log = split.log(index)
        except (VeerNetError, OSError) as fault:
            tiles.append(caption([(f"{about} {fault}", BLACK)], width=PICTURE_WIDTH))
            continue
        picture = masked(log.grey[:, part], log.mask[:, part])
        width = max(LEAST_CAPTION, picture.shape[1])
        tiles += [caption([(about, BLACK), *key], width=width), picture]
    return stack(tiles)


def masked(grey: UInt8[ndarray, "h w"], mask: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "H W 3"]:
    """Colour the pixels of every curve over the paled scan, darker where they lie on ink, and tint
    those that are not labelled; enlarged as `overlay` enlarges a scan."""
    picture = np.repeat((128 + grey // 2)[..., None], 3, axis=2)
    for cls in range(1, int(mask.max(where=mask != UNLABELLED, initial=0)) + 1):
        mine = mask == cls
        colour = np.array(COLOURS[(cls - 1) % len(COLOURS)])
        picture[mine] = (2 * colour + grey[mine, None]) // 3
    unlabelled = mask == UNLABELLED
    picture[unlabelled] = np.minimum(picture[unlabelled], np.array(TINT, np.uint8))
    return enlarged(picture)

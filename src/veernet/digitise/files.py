"""From files to files: a scan and its calibration in, LAS, CSV and a picture out."""

from pathlib import Path

import torch

from veernet.data.raster import MAX_PIXELS, read_grey, write_picture
from veernet.digitise.calibration import read_calibration
from veernet.digitise.digitise import digitise
from veernet.digitise.las import write_csv, write_las
from veernet.errors import CalibrationError, OptionError
from veernet.metrics import POINTS
from veernet.model import VeerNet


def digitise_file(
    scan: Path,
    calibration: Path,
    model: VeerNet,
    folder: Path,
    *,
    well: str = "",
    confidence: bool = False,
    overwrite: bool = False,
    max_pixels: int = MAX_PIXELS,
    autocast: torch.dtype | None = None,
) -> tuple[Path, ...]:
    """Digitise one scan into `folder`; returns the LAS file, the CSV file, another one of
    `POINTS` depths, and a picture a track.

    They are named after the scan. Nothing is written before everything is computed.

    Args:
        confidence: say in the LAS file too how sure every value is.
        max_pixels: a scan of more is refused.

    Raises:
        ImageError: the scan cannot be read.
        OptionError: one of the files is there already, unless `overwrite`; or `well` would break
            a LAS file.
        CalibrationError: the calibration cannot be read, or does not fit the scan or the network.
    """
    settings = read_calibration(calibration)
    tracks = len(settings.track)
    las, table, points, *pictures = (
        folder / f"{scan.stem}{end}"
        for end in (
            *(".las", ".csv", f".{POINTS}.csv"),
            *(
                [".curves.png"]
                if tracks == 1
                else [f".{n}.curves.png" for n in range(1, tracks + 1)]
            ),
        )
    )
    for path in (las, table, points, *pictures):
        if path.exists() and not overwrite:
            raise OptionError(f"{path}: exists; choose another folder, or --overwrite")
    if not well.isprintable():
        raise OptionError(f"the name of the well must be printable, got {well!r}")
    grey = read_grey(scan, max_pixels=max_pixels)
    try:
        digitised = digitise(grey, settings, model, autocast=autocast)
    except CalibrationError as misfit:
        raise CalibrationError(f"{calibration}: {misfit} ({scan})") from misfit
    write_las(las, digitised, well=well, confidence=confidence)
    write_csv(table, digitised)
    write_csv(points, digitised, points=POINTS)
    for path, picture in zip(pictures, digitised.pictures, strict=True):
        write_picture(path, picture)
    return las, table, points, *pictures

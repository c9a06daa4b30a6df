"""From files to files: a scan and its calibration in, LAS, CSV and a picture out."""

from pathlib import Path

import torch

from veernet.data.raster import read_grey, write_picture
from veernet.digitise.calibration import read_calibration
from veernet.digitise.digitise import digitise
from veernet.digitise.las import write_csv, write_las
from veernet.errors import CalibrationError, OptionError
from veernet.model import VeerNet


def digitise_file(
    scan: Path,
    calibration: Path,
    model: VeerNet,
    folder: Path,
    *,
    well: str = "",
    overwrite: bool = False,
    autocast: torch.dtype | None = None,
) -> tuple[Path, Path, Path]:
    """Digitise one scan into `folder`; returns the LAS file, the CSV file and the picture.

    They are named after the scan. Nothing is written before everything is computed.

    Raises:
        ImageError: the scan cannot be read.
        OptionError: one of the files is there already, unless `overwrite`; or `well` would break
            a LAS file.
        CalibrationError: the calibration cannot be read, or does not fit the scan or the network.
    """
    las, table, picture = (folder / f"{scan.stem}{end}" for end in (".las", ".csv", ".curves.png"))
    for path in (las, table, picture):
        if path.exists() and not overwrite:
            raise OptionError(f"{path}: exists; choose another folder, or --overwrite")
    if not well.isprintable():
        raise OptionError(f"the name of the well must be printable, got {well!r}")
    settings, grey = read_calibration(calibration), read_grey(scan)
    try:
        digitised = digitise(grey, settings, model, autocast=autocast)
    except CalibrationError as misfit:
        raise CalibrationError(f"{calibration}: {misfit} ({scan})") from misfit
    write_las(las, digitised, well=well)
    write_csv(table, digitised)
    write_picture(picture, digitised.picture)
    return las, table, picture

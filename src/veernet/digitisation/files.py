"""Digitise files: a scan and its calibration in; LAS, CSV and pictures out."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from veernet.curves.error import POINTS
from veernet.data.raster import MAX_PIXELS, read_grey, write_picture
from veernet.digitisation.calibration import Calibration, read_calibration
from veernet.digitisation.quality import CurveSummary, draw_quality, summarise_curves
from veernet.digitisation.reading import OffScale, digitise
from veernet.errors import CalibrationError, OptionError
from veernet.filesets import atomic_write_set, whole_set
from veernet.inference import WINDOW
from veernet.las import Las, LasHeader
from veernet.model import VeerNet


@dataclass(frozen=True, kw_only=True)
class DigitisedFiles:
    """Files of one digitised scan, and a summary of each curve."""

    las: Path
    csv: Path
    points: Path
    """CSV of the curves at `POINTS` depths."""
    pictures: tuple[Path, ...]
    """Pictures of the curves, one per curve."""
    summaries: tuple[CurveSummary, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the scan."""
        return self.las, self.csv, self.points, *self.pictures


def digitise_file(
    scan: str | Path,
    calibration: str | Path,
    model: VeerNet,
    folder: str | Path,
    *,
    header: LasHeader | None = None,
    confidence: bool = False,
    reference: Las | None = None,
    off_scale: OffScale = "null",
    overwrite: bool = False,
    page: int | None = None,
    dpi: float | None = None,
    max_pixels: int = MAX_PIXELS,
    window: int = WINDOW,
    autocast: torch.dtype | None = None,
) -> DigitisedFiles:
    """Digitise one scan into `folder`.

    The files are named after the scan (well.las; well.p2.las for its second page). They replace
    older files all together: these stay whole if anything fails.

    Args:
        header: header of the LAS file.
        confidence: add the confidence of every value to the LAS file too.
        reference: curves to compare with, named by the calibration's mnemonics, or by its names for
            LAS files.
        off_scale: value where a curve is off scale: none, or that of the track's edge.
        page: page of a TIFF or PDF of several, from 1.
        dpi: resolution at which a page of a PDF is rendered; that of the scan on it if None.
        max_pixels: largest scan to read.
        window: most pixels along the scan that the network sees at once.

    Raises:
        ImageError: the scan cannot be read.
        OptionError: one of the files exists, and `overwrite` is False; or the reference has none
            of the curves.
        LasError: a name of the calibration fits several curves of the reference, or one of text.
        CalibrationError: the calibration cannot be read, or does not fit the scan or the network.
    """
    scan, folder, settings = Path(scan), Path(folder), read_calibration(calibration)
    name = scan.stem if page in (None, 1) else f"{scan.stem}.p{page}"
    endings = ".las", ".csv", f".{POINTS}.csv", *(f".{c.mnemonic}.png" for c in settings.curves)
    paths = las, table, points, *pictures = [folder / f"{name}{end}" for end in endings]
    if folder.is_dir() and not overwrite:
        with whole_set(folder, las.name):
            _check_absent(paths)
    if reference is not None:
        _check_reference(reference, settings)
    grey = read_grey(scan, page=page, dpi=dpi, max_pixels=max_pixels)
    try:
        digitised = digitise(
            grey, settings, model, off_scale=off_scale, window=window, autocast=autocast
        )
    except CalibrationError as misfit:
        raise CalibrationError(f"{calibration}: {misfit} ({scan})") from misfit
    summaries = summarise_curves(digitised, reference)
    drawn = [draw_quality(digitised, index, reference) for index in range(len(pictures))]

    def older() -> list[str]:
        if not overwrite:
            _check_absent(paths)  # another process may have written them since
        return _older_pictures(table)

    with atomic_write_set(folder, las.name, older=older) as staging:
        digitised.to_las(staging / las.name, header=header, confidence=confidence)
        digitised.to_csv(staging / table.name)
        digitised.to_csv(staging / points.name, points=POINTS)
        for path, picture in zip(pictures, drawn, strict=True):
            write_picture(staging / path.name, picture)
    return DigitisedFiles(
        las=las, csv=table, points=points, pictures=tuple(pictures), summaries=summaries
    )


def _check_reference(reference: Las, calibration: Calibration) -> None:
    names = [curve.las_name for curve in calibration.curves]
    found = [name for name in names if name in reference]
    if not found:
        raise OptionError(
            f"the reference has none of the curves {', '.join(names)}; it has "
            f"{', '.join(reference.curves)}"
        )
    for name in found:
        reference.find(name)


def _check_absent(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists():
            raise OptionError(f"{path}: exists; choose another folder, or --overwrite")


def _older_pictures(table: Path) -> list[str]:
    """Return the names of the pictures that belong to a table of curves, by its header."""
    if not table.exists():
        return []
    with table.open(encoding="utf-8", errors="replace", newline="") as file:
        _, *names = next(csv.reader(file), [""])
    return [f"{table.stem}.{name}.png" for name in names if f"{name}_confidence" in names]

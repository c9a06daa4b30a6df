"""Digitise files: a scan and its calibration in; LAS, CSV and pictures out."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from jaxtyping import UInt8
from numpy import ndarray

from veernet.curves.error import POINTS
from veernet.data.raster import MAX_PIXELS, read_picture, write_picture
from veernet.digitisation.calibration import Calibration, read_calibrations
from veernet.digitisation.origin import Origin, origin_of
from veernet.digitisation.quality import CurveSummary, draw_quality, summarise_curves
from veernet.digitisation.reading import OffScale, check_classes, digitise_picture
from veernet.digitisation.result import Digitisation
from veernet.digitisation.track_reading import How
from veernet.errors import CalibrationError, OptionError
from veernet.filesets import atomic_write_set, whole_set
from veernet.inference import WINDOW
from veernet.las import Las, LasHeader
from veernet.model import VeerNet


@dataclass(frozen=True, kw_only=True)
class SectionFiles:
    """Files of one depth section of a scan, and a summary of each of its curves."""

    section: str
    """Name of the section; empty for a scan of one."""
    las: Path
    csv: Path
    points: Path
    """CSV of the curves at `POINTS` depths."""
    pictures: tuple[Path, ...]
    """Pictures of the curves, one per curve."""
    summaries: tuple[CurveSummary, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the section."""
        return self.las, self.csv, self.points, *self.pictures


@dataclass(frozen=True, kw_only=True)
class DigitisedFiles:
    """Files of one digitised scan, and a summary of each curve."""

    sections: tuple[SectionFiles, ...]
    """Files by section, in the order of the calibration."""
    origin: Origin
    """Weights, scan and calibration from which they come."""

    @property
    def las(self) -> Path:
        """LAS file, of the first section."""
        return self.sections[0].las

    @property
    def csv(self) -> Path:
        """CSV of the curves, of the first section."""
        return self.sections[0].csv

    @property
    def points(self) -> Path:
        """CSV of the curves at `POINTS` depths, of the first section."""
        return self.sections[0].points

    @property
    def pictures(self) -> tuple[Path, ...]:
        """Pictures of all curves."""
        return tuple(path for one in self.sections for path in one.pictures)

    @property
    def summaries(self) -> tuple[CurveSummary, ...]:
        """Summaries of all curves."""
        return tuple(summary for one in self.sections for summary in one.summaries)

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the scan."""
        return tuple(path for one in self.sections for path in one.files)


def digitise_file(
    scan: str | Path,
    calibration: str | Path,
    model: VeerNet,
    folder: str | Path,
    *,
    weights: str | Path | None = None,
    header: LasHeader | None = None,
    confidence: bool = False,
    reference: Las | None = None,
    off_scale: OffScale = "null",
    overwrite: bool = False,
    page: int | None = None,
    dpi: float | None = None,
    max_pixels: int = MAX_PIXELS,
    scale: float | None = None,
    window: int = WINDOW,
    autocast: torch.dtype | None = None,
) -> DigitisedFiles:
    """Digitise one scan into `folder`.

    The files are named after the scan (well.las; well.p2.las for its second page), and after the
    section where the calibration has several (well.repeat.las). They replace older files all
    together: these stay whole if anything fails.

    Args:
        weights: file or folder that the model is loaded from, or `pretrained`, to be named in the
            LAS file; None for a model that was made in memory.
        header: header of the LAS file.
        confidence: add the confidence of every value to the LAS file too.
        reference: curves to compare with, named by the calibration's mnemonics, or by its names for
            LAS files.
        off_scale: value where a curve is off scale: none, or that of the track's edge.
        page: page of a TIFF or PDF of several, from 1.
        dpi: resolution at which a page of a PDF is rendered; that of the scan on it if None.
        max_pixels: largest scan to read.
        scale: scale at which the network sees the tracks; estimated for each if None.
        window: most pixels along the scan that the network sees at once.

    Raises:
        ImageError: the scan cannot be read.
        OptionError: one of the files exists, and `overwrite` is False; or the reference has none
            of the curves.
        LasError: a name of the calibration fits several curves of the reference, or one of text.
        CalibrationError: the calibration cannot be read, or does not fit the scan or the network.
    """
    scan, folder, settings = Path(scan), Path(folder), read_calibrations(calibration)
    stem = scan.stem if page in (None, 1) else f"{scan.stem}.p{page}"
    named = [_paths(folder, stem, one) for one in settings]
    main, paths = named[0][0].name, [path for one in named for path in one]
    if folder.is_dir() and not overwrite:
        with whole_set(folder, main):
            _check_absent(paths)
    if reference is not None:
        _check_reference(reference, settings)
    picture = read_picture(scan, page=page, dpi=dpi, max_pixels=max_pixels)
    how = How(window=window, autocast=autocast, scale=scale)
    read = partial(digitise_picture, off_scale=off_scale, how=how)
    try:
        for one in settings:
            check_classes(one, model)
        origin = origin_of(scan, calibration, model if weights is None else weights)
        digitised = [read(picture, one, model, origin=origin) for one in settings]
    except CalibrationError as misfit:
        raise CalibrationError(f"{calibration}: {misfit} ({scan})") from misfit
    sections = tuple(map(partial(_section_files, reference), named, digitised))
    drawn = [[draw_quality(one, k, reference) for k in range(len(one.values))] for one in digitised]

    def older() -> list[str]:
        if not overwrite:
            _check_absent(paths)  # another process may have written them since
        return [name for _, table, *_ in named for name in _older_pictures(table)]

    with atomic_write_set(folder, main, older=older) as staging:
        for one, files, pictures in zip(digitised, named, drawn, strict=True):
            staged = [staging / path.name for path in files]
            _write(one, staged, pictures, header=header, confidence=confidence)
    return DigitisedFiles(sections=sections, origin=origin)


def _write(
    digitised: Digitisation,
    paths: Sequence[Path],
    drawn: Sequence[UInt8[ndarray, "_ _ 3"]],
    *,
    header: LasHeader | None,
    confidence: bool,
) -> None:
    """Write the files of a section: LAS, CSV, CSV at `POINTS` depths, and a picture per curve."""
    las, table, points, *pictures = paths
    digitised.to_las(las, header=header, confidence=confidence)
    digitised.to_csv(table)
    digitised.to_csv(points, points=POINTS)
    for path, picture in zip(pictures, drawn, strict=True):
        write_picture(path, picture)


def _section_files(
    reference: Las | None, paths: Sequence[Path], digitised: Digitisation
) -> SectionFiles:
    las, table, points, *pictures = paths
    return SectionFiles(
        section=digitised.calibration.section,
        las=las,
        csv=table,
        points=points,
        pictures=tuple(pictures),
        summaries=summarise_curves(digitised, reference),
    )


def _paths(folder: Path, stem: str, calibration: Calibration) -> list[Path]:
    """Name the files of a section: LAS, CSV, CSV at `POINTS` depths, and a picture per curve."""
    name = f"{stem}.{calibration.section}" if calibration.section else stem
    pictures = (f".{curve.mnemonic}.png" for curve in calibration.curves)
    return [folder / f"{name}{end}" for end in (".las", ".csv", f".{POINTS}.csv", *pictures)]


def _check_reference(reference: Las, calibrations: Sequence[Calibration]) -> None:
    curves = (curve.las_name for one in calibrations for curve in one.curves)
    names = list(dict.fromkeys(curves))
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

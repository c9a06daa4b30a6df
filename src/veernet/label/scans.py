"""Import real scans into an archive: cut out tracks, lay them on their side, and label them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from veernet.curves.overlay import overlay
from veernet.data import writing
from veernet.data.batch import UNLABELLED
from veernet.data.logs import METADATA, CurveRow, Curves, Log, Row, SplitName
from veernet.data.raster import MAX_PIXELS, read_grey, write_picture
from veernet.digitisation.calibration import Calibration, read_calibrations
from veernet.digitisation.strip import Strip, cut_from_paper
from veernet.digitisation.track import CurveScale, Track
from veernet.errors import (
    ArchiveError,
    CalibrationError,
    LabelError,
    OnError,
    OptionError,
    VeerNetError,
)
from veernet.label.labels import (
    LEAST_ON_INK,
    ScanLabels,
    TrackLabels,
    check_classes,
    paint_labels,
    rows_of,
)

CLASSES = ("background", "curve 1", "curve 2")
"""Classes of an imported archive: those of a synthetic archive of two curves, with which it can be
merged."""


TINT = (230, 200, 120)
"""RGB of unlabelled columns in overlays."""


@runtime_checkable
class Labeller(Protocol):
    """Source of labels for scans."""

    def read(
        self, scan: Path, shape: tuple[int, int], calibration: Calibration, *, alone: bool
    ) -> ScanLabels:
        """Read the labels of a scan, which are then found on its tracks.

        Args:
            shape: (h, w) of the scan.
            alone: True if no other scan is imported, so that a file for one scan is for this one.

        Raises:
            VeerNetError: the labels cannot be read, or do not fit the scan or the calibration.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class ImportSummary:
    """Summary of the labels of one curve of a scan."""

    scan: str
    mnemonic: str
    curve: int
    """Class of the curve."""
    logs: int
    """Number of logs into which the track was cut."""
    columns: int
    """Number of columns of the track."""
    given: float
    """Share of the columns in which the labels have the curve."""
    labelled: float
    """Share of the columns in which the curve was found on ink. They are labelled if all other
    curves of the track were found there too, or are absent."""
    absent: float
    """Share of the columns in which the labels say that the curve is not printed. Columns where it
    is neither found nor absent are unlabelled."""
    offset: tuple[int, int]
    """Offset of the print from the calibration, along depth and across it, px."""
    line_width: float
    """Width of the curve's line, px."""


def import_scans(
    root: Path,
    scans: Sequence[Path],
    calibration: Path,
    labeller: Labeller,
    *,
    split: SplitName = "train",
    window: int = 12_800,
    page: int | None = None,
    dpi: float | None = None,
    max_pixels: int = MAX_PIXELS,
    overlays: Path | None = None,
    on_error: OnError = "stop",
    report: Callable[[str], object] = lambda _: None,
) -> list[ImportSummary]:
    """Write the tracks of scans as logs of one split of an archive.

    Every track of the calibration is cut out with the margin that `digitise` shows the network,
    laid on its side, cut into crops of at most `window` columns, and labelled. The split appears
    in the archive when all scans are done, and not before.

    Args:
        page: page of every TIFF or PDF, from 1.
        dpi: resolution at which pages of a PDF are rendered; that of the scan on them if None.
        max_pixels: largest scan to read.
        overlays: folder for pictures of every log with its labels drawn over it, and unlabelled
            pixels tinted.
        on_error: at a scan that cannot be imported, `stop`, or `skip` it and `report` why.

    Raises:
        VeerNetError: the calibration is damaged, the split is there already, nothing was imported,
            or, with `stop`, a scan cannot be imported.
    """
    settings = _calibration_of(calibration)
    _check_scans(scans, settings, window)
    folder, rows, summaries = root / split, list[Row](), list[ImportSummary]()
    with writing.begun(root, classes=CLASSES, made_by={"imported": "scans"}):
        if (folder / METADATA).exists():
            raise ArchiveError(
                f"{root}: has a split {split} already; choose another, or another folder"
            )
        for scan in scans:
            try:
                grey = read_grey(scan, page=page, dpi=dpi, max_pixels=max_pixels)
                labels = labeller.read(scan, grey.shape, settings, alone=len(scans) == 1)
                done = _import(scan, grey, settings, labels, window, report)
            except VeerNetError as fault:
                if on_error == "stop":
                    raise
                report(f"{scan}: passed over ({fault})")
                continue
            for log, row, _ in done:
                row = row.renumbered(len(rows))
                rows.append(writing.write_log(folder, row, log))
                if overlays is not None:
                    name = f"{Path(row.file_name).stem} {scan.stem} {row.curves[0].mnemonic}.png"
                    write_picture(overlays / name, _drawn_over(log))
            summaries += [one for _, _, ones in done for one in ones]
        if not rows:
            raise LabelError(f"none of {len(scans)} scans could be imported")
        writing.finish(folder, rows)
    return summaries


def _calibration_of(path: Path) -> Calibration:
    """Read a calibration of one section whose curves have classes of their own."""
    settings, *more = read_calibrations(path)
    if more:
        names = ", ".join(one.section for one in (settings, *more))
        raise LabelError(
            f"{path}: has several sections, {names}, and labels are imported for one: give a "
            "calibration file of each, and import them into archives of their own"
        )
    try:
        check_classes(settings)
    except LabelError as misfit:
        raise LabelError(f"{path}: {misfit}") from misfit
    return settings


def _drawn_over(log: Log) -> UInt8[ndarray, "_ _ 3"]:
    """Draw the labels over a log, with unlabelled pixels tinted."""
    picture = overlay(log.grey, log.curves.rows)
    zoom = len(picture) // len(log.grey)
    unlabelled = (log.mask == UNLABELLED).repeat(zoom, axis=0).repeat(zoom, axis=1)
    picture[unlabelled] = picture[unlabelled] // 2 + np.array(TINT, np.uint8) // 2
    return picture


def _check_scans(scans: Sequence[Path], calibration: Calibration, window: int) -> None:
    if window < 64:
        raise OptionError(f"a window must be 64 px and more, got {window}")
    if len({scan.stem for scan in scans}) < len(scans):
        raise OptionError(
            f"scans must have different names, got {', '.join(map(str, scans))}; import those of "
            "one name into archives of their own, and merge these"
        )
    for curve in calibration.curves:
        if curve.mask_class >= len(CLASSES):
            raise LabelError(
                f"{curve.mnemonic} has curve_class {curve.mask_class}, where an archive of scans "
                "has 1 (solid) and 2 (broken)"
            )


def _import(
    scan: Path,
    grey: UInt8[ndarray, "h w"],
    calibration: Calibration,
    labels: ScanLabels,
    window: int,
    report: Callable[[str], object],
) -> list[tuple[Log, Row, list[ImportSummary]]]:
    """Yield the logs of a scan; the first log of each track comes with the summaries of the
    track."""
    try:
        strips = [cut_from_paper(grey, calibration, track) for track in calibration.tracks]
    except CalibrationError as misfit:
        raise CalibrationError(f"{scan}: {misfit}") from misfit
    found = [
        labels.trace(strip, track) for strip, track in zip(strips, calibration.tracks, strict=True)
    ]
    found, doubts = _believed(calibration, strips, found)
    if not any(traced.on_ink.any() for one in found for traced in one.curves.values()):
        names = ", ".join(curve.mnemonic for curve in calibration.curves)
        nowhere = f"none of {names} is inside its track on {scan}"
        where = "are these the labels of another scan, or is the calibration out of place?"
        message = f"{'; '.join(doubts)}; {where}" if doubts else nowhere
        raise LabelError(f"{labels.source}: {message}")
    for remark in labels.remarks:
        report(remark)
    for doubt in doubts:
        report(f"{labels.source}: {doubt}, and is left unlabelled there")
    return [
        log
        for track, strip, one in zip(calibration.tracks, strips, found, strict=True)
        for log in _logs(scan, track, strip, one, window)
    ]


def _believed(
    calibration: Calibration, strips: Sequence[Strip], found: Sequence[TrackLabels]
) -> tuple[list[TrackLabels], list[str]]:
    """Drop the labels of curves that hardly lie on ink, where they may lie by chance; return the
    labels and a remark on each such curve."""
    believed, doubts = list[TrackLabels](), list[str]()
    for track, strip, labels in zip(calibration.tracks, strips, found, strict=True):
        curves = dict(labels.curves)
        for curve in track.curves:
            traced = curves[curve.mask_class]
            share = traced.share_on_ink(strip.inside)
            if share < LEAST_ON_INK:
                n = (traced.given & strip.inside).sum()
                doubts.append(
                    f"{curve.mnemonic} lies on ink in {share:.0%} of the {n:,} columns where it is "
                    f"given, less than {LEAST_ON_INK:.0%}"
                )
                curves[curve.mask_class] = traced.forgotten()
            elif (beside := traced.beside_ink() & strip.inside).any():
                doubts.append(f"{curve.mnemonic} lies beside the ink over {beside.sum():,} columns")
                curves[curve.mask_class] = traced.without(beside)
        believed.append(replace(labels, curves=curves))
    return believed, doubts


def _logs(
    scan: Path, track: Track, strip: Strip, labels: TrackLabels, window: int
) -> Iterator[tuple[Log, Row, list[ImportSummary]]]:
    log, row = _log(strip, labels), _row(scan, strip, track)
    width: int = log.grey.shape[1]
    crops = -(-width // window)
    edges = np.linspace(0, width, crops + 1).round().astype(int).tolist()
    summaries = [_summarise(scan, strip, curve, labels, crops) for curve in track.curves]
    for a, b in pairwise(edges):
        yield _part(log, a, b), replace(row, width=b - a), summaries if a == 0 else []


def _log(strip: Strip, labels: TrackLabels) -> Log:
    traced = labels.curves
    none = np.full(strip.grey.shape[1], np.nan)
    rows = [rows_of(strip, traced[k]) if k in traced else none for k in (1, 2)]
    values = [
        np.where(np.isfinite(row), traced[k].positions, np.nan) if k in traced else none
        for k, row in zip((1, 2), rows, strict=True)
    ]
    return Log(
        grey=strip.grey,
        mask=paint_labels(strip, traced, labels.open_pixels),
        curves=Curves(rows=np.array(rows, np.float32), values=np.array(values, np.float32)),
    )


def _part(log: Log, a: int, b: int) -> Log:
    part = slice(a, b)
    return Log(
        grey=np.ascontiguousarray(log.grey[:, part]),
        mask=np.ascontiguousarray(log.mask[:, part]),
        curves=Curves(rows=log.curves.rows[:, part], values=log.curves.values[:, part]),
    )


def _row(scan: Path, strip: Strip, track: Track) -> Row:
    names = {curve.mask_class: curve.mnemonic for curve in track.curves}
    edges = float(strip.top), float(strip.bottom)
    height, width = strip.grey.shape
    return Row.of(
        0,
        height=height,
        width=width,
        curves=tuple(
            CurveRow(track=edges, mnemonic=names.get(k, ""), source=scan.name if k in names else "")
            for k in (1, 2)
        ),
        source=scan.name,
        traits=("wrapped",) if any(curve.wraps for curve in track.curves) else (),
    )


def _summarise(
    scan: Path,
    strip: Strip,
    curve: CurveScale,
    labels: TrackLabels,
    crops: int,
) -> ImportSummary:
    one = labels.curves[curve.mask_class]
    given, on_ink, absent = (
        float(part[strip.inside].mean()) for part in (one.given, one.on_ink, one.absent)
    )
    return ImportSummary(
        scan=scan.name,
        mnemonic=curve.mnemonic,
        curve=curve.mask_class,
        logs=crops,
        columns=int(strip.inside.sum()),
        given=given,
        labelled=on_ink,
        absent=absent,
        offset=one.offset,
        line_width=one.line_width,
    )

"""Real scans into an archive: tracks cut out, laid on their side, and labelled."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from veernet.data import writing
from veernet.data.archive import METADATA, CurveRow, Curves, Log, Row, SplitName
from veernet.data.raster import MAX_PIXELS, read_grey, write_picture
from veernet.digitise.calibration import Calibration, read_calibration
from veernet.digitise.strip import Strip, cut_strip
from veernet.digitise.track import Track
from veernet.errors import ArchiveError, LabelError, OnError, OptionError, VeerNetError
from veernet.label.labels import Traced, Tracer, paint_labels, rows_of
from veernet.picture import overlay

CLASSES = ("background", "curve 1", "curve 2")
"""Of an imported archive: those of a synthetic one of two curves, to be merged with it."""


@runtime_checkable
class Labeller(Protocol):
    """Where labels come from."""

    def read(self, scan: Path, shape: tuple[int, int], calibration: Calibration) -> Tracer:
        """What finds the curves on the tracks of a scan.

        Raises:
            VeerNetError: its labels cannot be read, or do not fit the scan or the calibration.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Imported:
    """How the labels of one curve of a scan turned out."""

    scan: str
    mnemonic: str
    curve: int
    """The class."""
    logs: int
    """Into which its track was cut."""
    columns: int
    """In which it should be."""
    labelled: float
    """Share of them in which it was found."""
    offset: tuple[int, int]
    """Pixels along depth and across it by which the print lies from the calibration."""
    pen: float
    """Width of its line, px."""


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
) -> list[Imported]:
    """Write the tracks of scans as logs of one split of an archive.

    Every track that the calibration gives is cut out with the margin that `digitise` shows the
    network, laid on its side, cut into pieces of at most `window` columns, and labelled. The split
    is there when all scans are done, and not before.

    Args:
        page: of every TIFF or PDF, from 1.
        dpi: resolution at which pages of PDF are drawn, that of the scan on them if None.
        max_pixels: a scan of more is refused.
        overlays: folder for pictures of every log with its labels drawn over it.
        on_error: stop, or pass over a scan that cannot be imported and `report` why.

    Raises:
        VeerNetError: the calibration is damaged, the split is there already, nothing was imported,
            or with `stop`, what was wrong with a scan.
    """
    settings = read_calibration(calibration)
    _check(scans, settings, window)
    folder, rows, told = root / split, list[Row](), list[Imported]()
    with writing.begun(root, classes=CLASSES, made_by={"imported": "scans"}):
        if (folder / METADATA).exists():
            raise ArchiveError(
                f"{root}: has a split {split} already; choose another, or another folder"
            )
        for scan in scans:
            try:
                grey = read_grey(scan, page=page, dpi=dpi, max_pixels=max_pixels)
                done = list(_import(scan, grey, settings, labeller, window))
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
                    write_picture(overlays / name, overlay(log.grey, log.curves.rows))
            told += [one for _, _, ones in done for one in ones]
        if not rows:
            raise LabelError(f"none of {len(scans)} scans could be imported")
        writing.finish(folder, rows)
    return told


def _check(scans: Sequence[Path], calibration: Calibration, window: int) -> None:
    if window < 64:
        raise OptionError(f"a window must be 64 px and more, got {window}")
    if len({scan.stem for scan in scans}) < len(scans):
        raise OptionError(f"scans must have different names, got {', '.join(map(str, scans))}")
    for track in calibration.track:
        traces = [curve.trace for curve in track.curve]
        if len({*traces}) < len(traces) or max(traces) >= len(CLASSES):
            names = ", ".join(curve.mnemonic for curve in track.curve)
            raise LabelError(
                f"the track of {names} has the traces {traces}; each of its curves needs one of "
                "its own, 1 (solid) or 2 (broken)"
            )


def _import(
    scan: Path,
    grey: UInt8[ndarray, "h w"],
    calibration: Calibration,
    labeller: Labeller,
    window: int,
) -> Iterator[tuple[Log, Row, list[Imported]]]:
    """The logs of a scan; the first of every track comes with what is told of the track."""
    trace = labeller.read(scan, grey.shape, calibration)
    for track in calibration.track:
        strip = cut_strip(grey, calibration, track)
        traced = trace(strip, track)
        log = _log(strip, traced)
        row = _row(scan, strip, track)
        width = log.grey.shape[1]
        pieces = -(-width // window)
        edges = np.linspace(0, width, pieces + 1).round().astype(int).tolist()
        told = [_told(scan, track, traced, index, pieces) for index in sorted(traced)]
        for a, b in pairwise(edges):
            yield _cut(log, a, b), replace(row, width=b - a), told if a == 0 else []


def _log(strip: Strip, traced: dict[int, Traced]) -> Log:
    none = np.full(strip.grey.shape[1], np.nan)
    rows = [rows_of(strip, traced[k]) if k in traced else none for k in (1, 2)]
    values = [
        np.where(np.isfinite(row), traced[k].positions, np.nan) if k in traced else none
        for k, row in zip((1, 2), rows, strict=True)
    ]
    return Log(
        grey=strip.grey,
        mask=paint_labels(strip, traced),
        curves=Curves(rows=np.array(rows, np.float32), values=np.array(values, np.float32)),
    )


def _cut(log: Log, a: int, b: int) -> Log:
    part = slice(a, b)
    return Log(
        grey=np.ascontiguousarray(log.grey[:, part]),
        mask=np.ascontiguousarray(log.mask[:, part]),
        curves=Curves(rows=log.curves.rows[:, part], values=log.curves.values[:, part]),
    )


def _row(scan: Path, strip: Strip, track: Track) -> Row:
    names = {curve.trace: curve.mnemonic for curve in track.curve}
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
    )


def _told(scan: Path, track: Track, traced: dict[int, Traced], index: int, pieces: int) -> Imported:
    one = traced[index]
    return Imported(
        scan=scan.name,
        mnemonic=next(curve.mnemonic for curve in track.curve if curve.trace == index),
        curve=index,
        logs=pieces,
        columns=int(one.expected.sum()),
        labelled=one.share,
        offset=one.offset,
        pen=one.pen,
    )

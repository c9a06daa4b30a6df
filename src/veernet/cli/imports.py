"""`veernet import`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
from rich.console import Console
from rich.table import Column, Table
from tyro.conf import Positional, arg

from veernet.cli.console import print_json
from veernet.cli.options import PATH, SCANS, Repeated
from veernet.data.logs import SplitName
from veernet.data.raster import MAX_PIXELS
from veernet.errors import OnError, OptionError
from veernet.label import Labeller, LasLabels, MaskLabels, PolylineLabels, import_scans
from veernet.las import MAX_BYTES, Unit
from veernet.memory.system import parse_bytes
from veernet.terminal import say


@dataclass(frozen=True, kw_only=True)
class Import:
    """Cut tracks out of real scans, label them, and write them as one split of an archive.

    One of --las, --masks and --polylines says where the curves are; they are snapped to the ink
    nearby. The calibration must name every curve printed in a track, or its ink counts as
    background. A column in which one of these curves was not found on ink is left unlabelled, and
    no loss sees it, unless the labels say that the curve is absent there: by --complete or, with
    --polylines, by a shape labelled `no GR` over the depths without GR. `veernet merge` joins the
    archive with a synthetic one.

    Examples:
        veernet import log.tif --calibration log.toml --out archive --las log.las
        veernet import a.tif b.tif --calibration log.toml --out archive --masks masks
    """

    scans: Annotated[Positional[tuple[Path, ...]], SCANS]
    """The scans: PNG, JPEG, TIFF, BMP, WebP or PDF."""
    calibration: Path
    """Calibration file, the same for all scans."""
    out: Path
    """Folder of the archive: a new one, or one of imported scans that lacks this split."""
    las: Path | None = None
    """LAS file of the well, as labels."""
    las_unit: Unit | None = None
    """Unit of depth of the LAS file, if its header gives none."""
    masks: Annotated[Path | None, PATH] = None
    """Index mask of the scan's size, as labels, or a folder of masks named like the scans: 0
    background, 1 and 2 the curves of this curve_class, 255 not labelled."""
    polylines: Annotated[Path | None, PATH] = None
    """COCO or Labelme JSON file of hand-drawn lines, outlines or masks, as labels, or a folder of
    such files. Shapes are labelled GR or curve 1."""
    complete: Annotated[Repeated[str], arg(metavar="CURVE ...")] = ()
    """Curves that the masks or polylines show wherever they are printed: where such a curve is not
    drawn, it is absent."""
    split: SplitName = "train"
    """Split of the archive to which the scans are written."""
    window: int = 12_800
    """Width of the longest log, px; a longer track is cut into several logs."""
    tolerance: float = 4.0
    """Largest distance between a label's curve and its ink, px."""
    page: int | None = None
    """Page of every TIFF or PDF, from 1. If omitted: the first; a note says so where there are
    more."""
    dpi: float | None = None
    """Resolution at which a page of a PDF is rendered. If omitted: that of the scan on the page."""
    max_pixels: int = MAX_PIXELS
    """Largest scan to read, in pixels."""
    max_las: str = f"{MAX_BYTES >> 20}MiB"
    """Largest LAS file to read."""
    overlays: Path | None = None
    """Folder for pictures of the labels drawn over the scans; columns without labels are tinted."""
    on_error: OnError = "stop"
    """Action at a scan that cannot be imported: `stop`, or `skip` it and go on."""
    json: bool = False
    """Print JSON instead of a table."""

    def run(self, console: Console) -> None:
        """Import the scans, and print how their labels turned out."""
        summaries = import_scans(
            self.out,
            self.scans,
            self.calibration,
            self._labeller(),
            split=self.split,
            window=self.window,
            page=self.page,
            dpi=self.dpi,
            max_pixels=self.max_pixels,
            overlays=self.overlays,
            on_error=self.on_error,
            report=say,
        )
        if self.json:
            print_json(console, [asdict(one) for one in summaries])
            return
        shares = "given", "labelled", "absent"
        names = (Column(name, overflow="fold") for name in ("scan", "curve"))
        table = Table(*names, "class", "logs", "columns", *shares, "offset", "line width", box=None)
        for one in summaries:
            dx, dy = one.offset
            parts = (f"{getattr(one, share):.2%}" for share in shares)
            numbers = (
                one.curve,
                one.logs,
                one.columns,
                *parts,
                f"{dx}, {dy}",
                f"{one.line_width:g}",
            )
            table.add_row(one.scan, one.mnemonic, *map(str, numbers))
        console.print(table)
        console.print(
            "of the track's columns: given by the labels; labelled, because it was found on ink "
            "there; absent by the labels. offset: of the print, px along depth and across it. line "
            "width: of the curve, px",
            soft_wrap=True,
        )

    def _labeller(self) -> Labeller:
        if not 0 < self.tolerance <= 50:
            raise OptionError(f"--tolerance must be from 0 to 50 px, got {self.tolerance}")
        if self.las is not None and self.complete:
            raise OptionError("--complete goes with --masks and --polylines, which draw curves")
        given: list[Labeller] = []
        if self.las is not None:
            if len(self.scans) > 1:
                raise OptionError("--las is of one well: import its scan alone")
            most = parse_bytes(self.max_las, torch.device("cpu"))
            given.append(
                LasLabels(
                    path=self.las,
                    tolerance=self.tolerance,
                    max_bytes=most,
                    unit=self.las_unit,
                )
            )
        if self.masks is not None:
            given.append(
                MaskLabels(path=self.masks, complete=self.complete, tolerance=self.tolerance)
            )
        if self.polylines is not None:
            given.append(
                PolylineLabels(
                    path=self.polylines, complete=self.complete, tolerance=self.tolerance
                )
            )
        if len(given) != 1 or not self.scans:
            several = f"; {len(given)} were given" if len(given) > 1 else ""
            raise OptionError(
                f"import needs SCAN…, and one of --las, --masks and --polylines{several}"
            )
        return given[0]

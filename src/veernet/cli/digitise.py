"""`veernet digitise`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional, arg

from veernet.cli.console import print_json
from veernet.cli.options import SCAN, Repeated, device_of
from veernet.data.raster import MAX_PIXELS
from veernet.digitisation import OffScale, digitise_file
from veernet.errors import OptionError
from veernet.inference import WINDOW
from veernet.las import Las, LasHeader, Unit, read_las
from veernet.report.tables import print_written
from veernet.terminal import say
from veernet.weights import load_weights


@dataclass(frozen=True, kw_only=True)
class Digitise:
    """Turn a scan into curves by depth: LAS 2.0, CSV, and pictures for checking them.

    The calibration is a TOML file with the place of each track, the depth of two or more rows, and
    the values of the track's edges; `veernet calibrate` proposes one. The picture of a curve shows
    it over the scan, beside it its confidence and, if --reference has the curve, the difference.

    Say in the calibration what you know of a curve, above all where a track has several: its style,
    weight and colour, depths with its values, its backup scale, and depths where its scale changes.
    Of a scan with several depth sections, each [[section]] has files of its own.

    Examples:
        veernet digitise scan.tif --calibration calibration.toml
        veernet digitise scan.tif --calibration calibration.toml --reference well.las
        veernet digitise log.pdf --page 2 --calibration log.toml --well 'Acme 1'
    """

    scan: Annotated[Positional[Path], SCAN]
    """The scan: PNG, JPEG, TIFF, BMP, WebP or PDF."""
    calibration: Path
    """Calibration file of the scan."""
    weights: str = "pretrained"
    """Weights of the network: `pretrained` (they come with VeerNet), the folder of a run, or a
    .safetensors file."""
    out: Path = Path("digitised")
    """Folder for the files. They are named after the scan, after the page beyond the first, and
    after the section where there are several."""
    overwrite: bool = False
    """Replace files that exist."""
    well: str | None = None
    """Name of the well, for the header of the LAS file."""
    header: Annotated[Repeated[str], arg(metavar="MNEMONIC=VALUE ...")] = ()
    """Further items of the LAS header, as MNEMONIC=VALUE: COMP="Acme Oil" FLD=Heinen
    UWI=15-131-20042."""
    header_from: Path | None = None
    """LAS file of the well, whose ~Well and ~Parameter sections are copied into the header."""
    reference: Path | None = None
    """LAS file with curves to compare with, matched by mnemonic."""
    las_unit: Unit | None = None
    """Unit of depth of the --reference file, if its header gives none."""
    confidence: bool = False
    """Add one column per curve with its confidence to the LAS file; the CSV always has it."""
    off_scale: OffScale = "null"
    """Value where a curve is off scale, on an edge of its track: `null` writes no value, `edge`
    writes the value of that edge. The confidence is 0 either way."""
    scale: float | None = None
    """Scale at which the network sees the tracks, 0.5 at half their size. If omitted: estimated for
    each, so that its pens are as wide as the network knows them."""
    window: int = WINDOW
    """Most columns along the scan that the network sees at once, in pixels; a longer track is split
    into overlapping windows."""
    page: int | None = None
    """Page of a TIFF or PDF, from 1. If omitted: the first; a note says so where there are more."""
    dpi: float | None = None
    """Resolution at which a page of a PDF is rendered. If omitted: that of the scan on the page."""
    max_pixels: int = MAX_PIXELS
    """Largest scan to read, in pixels."""
    json: bool = False
    """Print the summary of every curve, and the names of the files, as JSON."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""

    def run(self, console: Console) -> None:
        """Digitise the scan and print what was written."""
        items = self._header()
        header = LasHeader(items=items)
        if self.header_from is not None:
            header = LasHeader.from_las(self.header_from, items)
        for line in header.left_out:
            say(line)
        reference = self._reference()
        model = load_weights(self.weights).to(device_of(self.device))
        written = digitise_file(
            self.scan,
            self.calibration,
            model,
            self.out,
            weights=self.weights,
            header=header,
            confidence=self.confidence,
            off_scale=self.off_scale,
            reference=reference,
            overwrite=self.overwrite,
            page=self.page,
            dpi=self.dpi,
            max_pixels=self.max_pixels,
            scale=self.scale,
            window=self.window,
        )
        if self.json:
            curves = [asdict(one) for one in written.summaries]
            files = [str(path) for path in written.files]
            origin = asdict(written.origin)
            print_json(console, {"curves": curves, "files": files, "origin": origin})
            return
        print_written(console, written)

    def _reference(self) -> Las | None:
        if self.reference is None:
            return None
        las = read_las(self.reference, depth_unit=self.las_unit)
        for note in las.notes:
            say(f"{self.reference}: {note}")
        return las

    def _header(self) -> dict[str, str]:
        items = dict[str, str]() if self.well is None else {"WELL": self.well}
        for text in self.header:
            name, equals, value = text.partition("=")
            if not equals:
                raise OptionError(f"--header is MNEMONIC=VALUE; got {text!r}")
            if (name := name.strip()) in items:
                raise OptionError(f"--header: {name} was given twice, and only one can hold")
            items[name] = value.strip()
        return items

"""`veernet digitise`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional

from veernet.cli.console import print_json
from veernet.cli.options import SCAN, Repeated, device_of, weights_of
from veernet.data.raster import MAX_PIXELS
from veernet.digitisation import OffScale, digitise_file
from veernet.errors import OptionError
from veernet.inference import WINDOW
from veernet.las import Las, LasHeader, Unit, read_las
from veernet.report.tables import print_written
from veernet.terminal import say


@dataclass(frozen=True, kw_only=True)
class Digitise:
    """Turn a scan into curves by depth: LAS 2.0, CSV, and pictures to judge them by.

    The calibration is a TOML file that says where the track lies, the depth of two or more rows,
    and the values of the track's edges; `veernet calibrate` proposes one. The picture of a curve
    shows it over the scan, beside it how sure it is, and where --reference has the curve, by how
    much it differs.
    """

    scan: Annotated[Positional[Path], SCAN]
    """The scan: PNG, JPEG, TIFF, BMP, WebP or PDF."""
    calibration: Path
    """The calibration file."""
    weights: str = "pretrained"
    """The weights that come with VeerNet, the folder of a run, or a .safetensors file."""
    out: Path = Path("digitised")
    """Folder for the files, which are named after the scan, and its page beyond the first."""
    overwrite: bool = False
    """Replace files of an earlier time."""
    well: str | None = None
    """Name of the well, for the header of the LAS file."""
    header: Repeated[str] = ()
    """More of the header, as MNEMONIC=VALUE: COMP="Acme Oil" FLD=Heinen UWI=15-131-20042."""
    header_from: Path | None = None
    """LAS file of the well, whose ~Well and ~Parameter sections are taken over."""
    reference: Path | None = None
    """LAS file with curves to compare with, by their mnemonics."""
    las_unit: Unit | None = None
    """Unit of depth of that LAS file, where its header gives none."""
    confidence: bool = False
    """Add a column a curve to the LAS file that says how sure it is; the CSV has it anyway."""
    off_scale: OffScale = "null"
    """What stands where a curve lies on an edge of its track: null, no value; edge, that of the
    edge. Its confidence is 0 either way."""
    window: int = WINDOW
    """Most pixels along the scan that the network sees at once; a longer track is seen in windows
    that overlap."""
    page: int | None = None
    """Page of a TIFF or PDF, from 1. Not given: the first, with a word where there are more."""
    dpi: float | None = None
    """Resolution at which a page of a PDF is drawn. Not given: that of the scan on it."""
    max_pixels: int = MAX_PIXELS
    """Largest scan that is read."""
    json: bool = False
    """Print what is told of the curves, and the names of the files, as JSON."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, …"""

    def run(self, console: Console) -> None:
        """Digitise and say what was written."""
        items = self._header()
        header = (
            LasHeader.like(self.header_from, items) if self.header_from else LasHeader(items=items)
        )
        for line in header.left_out:
            say(line)
        reference = self._reference()
        model = weights_of(self.weights).to(device_of(self.device))
        written = digitise_file(
            self.scan,
            self.calibration,
            model,
            self.out,
            header=header,
            confidence=self.confidence,
            off_scale=self.off_scale,
            reference=reference,
            overwrite=self.overwrite,
            page=self.page,
            dpi=self.dpi,
            max_pixels=self.max_pixels,
            window=self.window,
        )
        if self.json:
            files = [str(path) for path in written.files]
            print_json(
                console, {"curves": [asdict(one) for one in written.summaries], "files": files}
            )
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

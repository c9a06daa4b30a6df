"""Logs of an archive: their rows of metadata, and what is held of one in memory."""

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from veernet.curves.wraps import count_wraps
from veernet.data.raster import MAX_PIXELS
from veernet.errors import ArchiveError
from veernet.files import check_inside, read_json_lines, validate

SplitName = Literal["train", "val", "test"]

SPLITS: tuple[SplitName, ...] = get_args(SplitName)

METADATA = "metadata.jsonl"
"""The rows of a split, inside its folder."""

GENERATOR = "generator"
"""Item of `made_by` that records the generator that drew the logs; it is not a setting."""

PictureFormat = Literal["tif", "png"]
"""Format of pictures: TIFF with Zstandard, the faster, or PNG, which any viewer opens."""


LineStyle = Literal["solid", "dashed", "long-dash", "dotted", "dash-dot", "thick-thin"]

WordKind = Literal["depth", "title", "mnemonic", "unit", "left", "right", "line", "remark"]
"""Kind of a word: a number of the depth column; in the header the title, and of one curve its
mnemonic, its unit, the ends of its scale, and the sample of its line; anything else."""


@dataclass(frozen=True, kw_only=True)
class ScaleRow:
    """Scale of a curve over some columns: its values at the edges of its track."""

    start: int
    """First column."""
    stop: int
    """One past the last column."""
    left: float
    """Value at the bottom edge, the left one of the upright page."""
    right: float
    """Value at the top edge."""
    logarithmic: bool = False


@dataclass(frozen=True, kw_only=True)
class SectionRow:
    """Metadata of one depth section of a log: columns whose depths run on at one scale."""

    start: int
    """First column."""
    stop: int
    """One past the last column."""
    depth: float
    """Depth at the middle of the first column, ft."""
    feet_per_px: float
    repeat: bool = False
    """True for a repeat section, which prints depths of the first one again at its scale."""


@dataclass(frozen=True, kw_only=True)
class CurveRow:
    """Metadata of one curve of a log."""

    track: tuple[float, float]
    """Image rows of the two edges of the curve's track, top and bottom, where the paper is not
    skewed; the value runs from 0 at the bottom to 1 at the top."""
    mnemonic: str = ""
    """Mnemonic of the curve; in the LAS file that it is from, if it is from one."""
    source: str = ""
    """Name of that file."""
    class_index: int | None = None
    """Class of its pixels; None for its place among the curves, counted from 1."""
    unit: str | None = None
    scales: tuple[ScaleRow, ...] | None = None
    style: LineStyle | None = None
    line_width: float | None = None
    """Width of its line, px."""
    colour: str | None = None
    """Colour of its ink, as "#rrggbb"."""
    order: int | None = None
    """Place in the order of printing: where curves cross, the mask has the one of the greatest."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Metadata of a log."""

    file_name: str
    """The image, relative to the split's folder."""
    mask_file_name: str
    curves_file: str
    height: int
    width: int
    curves: tuple[CurveRow, ...]
    """Curves of the log. Curve k has index k + 1 in the mask."""
    source: str = ""
    """Name of the scan that the log was cut out of."""
    dpi: float | None = None
    """Resolution, pixels per inch."""
    sections: tuple[SectionRow, ...] | None = None
    """Depth sections from left to right."""
    traits: tuple[str, ...] = ()
    """Visible features of the log, in words like "dashed", "wrapped", "bilevel"."""
    sha256: tuple[str, ...] = ()
    """Digests of image, mask and curves, in hexadecimal; empty before they are written."""

    def __post_init__(self) -> None:
        h, w = self.height, self.width
        if not (h >= 1 and w >= 1 and h * w <= MAX_PIXELS):
            raise ValueError(f"a log has 1 to {MAX_PIXELS:,} px, got {h} × {w} px")
        for name in self.files:
            check_inside(name)

    @staticmethod
    def of(
        number: int,
        *,
        height: int,
        width: int,
        curves: tuple[CurveRow, ...],
        source: str = "",
        dpi: float | None = None,
        sections: tuple[SectionRow, ...] | None = None,
        traits: tuple[str, ...] = (),
        pictures: PictureFormat = "tif",
    ) -> "Row":
        """Return the row of log `number`, whose files are named after it."""
        return Row(
            **_names(number, f".{pictures}"),
            height=height,
            width=width,
            curves=curves,
            source=source,
            dpi=dpi,
            sections=sections,
            traits=traits,
        )

    def renumbered(self, number: int, pictures: PictureFormat | None = None) -> "Row":
        """Return the row of the same log as log `number`; `pictures` None keeps its format."""
        suffix = Path(self.file_name).suffix if pictures is None else f".{pictures}"
        return replace(self, **_names(number, suffix))

    def written(self) -> dict[str, Any]:
        """Return the row as a table of JSON, without what nobody knows."""
        return asdict(self, dict_factory=lambda items: {k: v for k, v in items if v is not None})

    @property
    def files(self) -> tuple[str, str, str]:
        """Names of image, mask and curves, in the order of `sha256`."""
        return self.file_name, self.mask_file_name, self.curves_file

    @property
    def curves_have_classes(self) -> bool:
        """True if every curve is a class of its own: the indices of the mask are the classes."""
        return all(curve.class_index is None for curve in self.curves)

    @property
    def class_of_index(self) -> UInt8[ndarray, "256"]:
        """Class of every index of the mask."""
        table = np.arange(256, dtype=np.uint8)
        for index, curve in enumerate(self.curves, start=1):
            table[index] = index if curve.class_index is None else curve.class_index
        return table


def image_name(number: int, suffix: str) -> str:
    """Name of the image of log `number`, relative to the split's folder."""
    return f"images/{number:06d}{suffix}"


def _names(number: int, suffix: str) -> dict[str, Any]:
    """Names of the files of a log, by the fields of its row."""
    return {
        "file_name": image_name(number, suffix),
        "mask_file_name": f"masks/{number:06d}{suffix}",
        "curves_file": f"curves/{number:06d}.npz",
    }


BY_FILL, BY_WORDS = 254, 255
"""Entries of `Curves.covered` for a centre under a fill or hatching, and under words or a mark."""


@dataclass(frozen=True, kw_only=True)
class Curves:
    """The true curves of a log; NaN in columns where a curve is absent.

    rows:    image row of the trace's centre in every column, px
    values:  height in the track, from 0 at its bottom edge to 1 at its top edge; a curve that wraps
             continues beyond them: 1.2 is drawn where 0.2 is
    covered: what shares the pixel of the centre: 0 for nothing, k + 1 for the line of curve k,
             `BY_FILL`, `BY_WORDS`; None where nobody knows
    """

    rows: Float[ndarray, "K w"]
    values: Float[ndarray, "K w"]
    covered: UInt8[ndarray, "K w"] | None = None

    @property
    def wraps(self) -> Float[ndarray, "K w"]:
        """Number of wraps of every curve in every column; both edges of the track count as 0."""
        return count_wraps(self.values)


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word, a number or the sample of a line, printed on a log."""

    text: str
    """The word; the style of a sample of a line."""
    kind: WordKind
    box: tuple[int, int, int, int]
    """Its first row and column, and one past its last row and column, px."""
    curve: int | None = None
    """Curve that it is about, as its place among the curves of the log."""


@dataclass(frozen=True, kw_only=True)
class Log:
    """A log in memory, as it goes into an archive and comes out of it."""

    grey: UInt8[ndarray, "h w"]
    """255 = paper."""
    mask: UInt8[ndarray, "h w"]
    """0 for background, k + 1 for curve k, 255 for pixels that are not labelled."""
    curves: Curves
    colour: UInt8[ndarray, "h w 3"] | None = None
    """The picture in colour, RGB, of which `grey` has the grey levels; None if it is grey."""
    words: tuple[Word, ...] = ()
    """Words whose place and meaning are known."""

    @property
    def picture(self) -> UInt8[ndarray, "h w *rgb"]:
        """The picture as it is stored: in colour if it has any."""
        return self.grey if self.colour is None else self.colour


def read_rows(path: Path) -> list[Row]:
    """Read the metadata of a split.

    Raises:
        ArchiveError: it is missing or damaged.
    """
    tables = read_json_lines(
        path,
        error=ArchiveError,
        missing=f"{path}: missing, so the split is absent or unfinished; the command that made "
        "the archive finishes it when run again",
    )
    return [validate(Row, table, where=str(path), error=ArchiveError) for table in tables]


def changed_files(folder: Path, row: Row) -> list[str]:
    """Return the names of a log's files that are missing or differ from their recorded digest."""
    recorded = row.sha256 or ("",) * len(row.files)
    return [
        name
        for name, digest in zip(row.files, recorded, strict=True)
        if not (folder / name).is_file() or sha256(folder / name) != digest
    ]


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def class_counts(mask: UInt8[ndarray, "h w"]) -> Int[ndarray, "256"]:
    """Count the pixels of a mask with each index from 0 to 255."""
    counts = cv2.calcHist([mask], [0], None, [256], [0, 256])
    return np.asarray(counts).ravel().astype(np.int64)  # floats, exact up to 2^24 per class

"""Logs of an archive: their rows of metadata, and what is held of one in memory."""

import hashlib
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, kw_only=True)
class CurveRow:
    """Metadata of one curve of a log."""

    track: tuple[float, float]
    """Image rows of the two edges of the curve's track, top and bottom, where the paper is not
    skewed; the value runs from 0 at the bottom to 1 at the top."""
    mnemonic: str = ""
    """Mnemonic in the LAS file that the curve is from."""
    source: str = ""
    """Name of that file."""


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
    """Curves of the log, one per class except the background."""
    source: str = ""
    """Name of the scan that the log was cut out of."""
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
            traits=traits,
        )

    def renumbered(self, number: int, pictures: PictureFormat | None = None) -> "Row":
        """Return the row of the same log as log `number`; `pictures` None keeps its format."""
        suffix = Path(self.file_name).suffix if pictures is None else f".{pictures}"
        return replace(self, **_names(number, suffix))

    @property
    def files(self) -> tuple[str, str, str]:
        """Names of image, mask and curves, in the order of `sha256`."""
        return self.file_name, self.mask_file_name, self.curves_file


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


@dataclass(frozen=True, kw_only=True)
class Curves:
    """The true curves of a log; NaN in columns where a curve is absent.

    rows:   image row of the trace's centre in every column, px
    values: height in the track, from 0 at its bottom edge to 1 at its top edge; a curve that wraps
            continues beyond them: 1.2 is drawn where 0.2 is
    """

    rows: Float[ndarray, "K w"]
    values: Float[ndarray, "K w"]

    @property
    def wraps(self) -> Float[ndarray, "K w"]:
        """Number of wraps of every curve in every column; both edges of the track count as 0."""
        return count_wraps(self.values)


@dataclass(frozen=True, kw_only=True)
class Log:
    """A log in memory, as it goes into an archive and comes out of it."""

    grey: UInt8[ndarray, "h w"]
    """255 = paper."""
    mask: UInt8[ndarray, "h w"]
    curves: Curves


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

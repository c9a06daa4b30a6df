"""A data set of logs on disk.

    ROOT/archive.json                 names of the classes, and the settings that made the archive
    ROOT/train/metadata.jsonl         one row per log: file names, digests, size, tracks
    ROOT/train/images/000000.tif      grey, 255 = paper
    ROOT/train/masks/000000.tif       indexed: 0 background, 1, 2, … curves, 255 not labelled
    ROOT/train/curves/000000.npz      `rows` and `values` of every curve, one per column
    ROOT/val/…  ROOT/test/…

`veernet.data.writing` writes them. The layout is the ImageFolder of Hugging Face `datasets`, which
opens a split as it is. Pictures are TIFF with Zstandard, or PNG (`docs/notes/0003`). An archive
that is drawn on the fly has the metadata only: its generator, recorded in `made_by`, draws a log
each time it is read.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from zipfile import ZipFile

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from torch.utils.data import Dataset

from veernet.curves.wraps import count_wraps
from veernet.data.labels import UNLABELLED
from veernet.data.raster import MAX_PIXELS, read_grey, read_index
from veernet.data.schedule import Sizes
from veernet.errors import ArchiveError
from veernet.files import check_inside, read_json, read_json_lines, validate

if TYPE_CHECKING:
    import veernet.data.batch

SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)

METADATA = "metadata.jsonl"
"""The rows of a split, inside its folder."""

FORMAT = 2
"""Version of the layout, raised when older readers cannot read the new one."""

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


class Split(Dataset[Sample]):
    """One split of an archive: a map-style data set of `Sample`, which can be pickled."""

    def __init__(
        self,
        folder: Path,
        rows: list[Row],
        n_classes: int,
        draw: Callable[[int], Log] | None = None,
        generator: str = "",
        doubt: str = "",
    ):
        """Open a split.

        Args:
            draw: draws the log of a row, by its index, where there are no files to read.
            generator: name of the generator that draws.
            doubt: reason why it may draw other logs than the split was made with.
        """
        self.folder, self.rows, self.n_classes, self.draw = folder, rows, n_classes, draw
        self.generator, self.doubt = generator, doubt
        self.sizes: Sizes = np.array([(row.height, row.width) for row in rows]).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def fingerprint(self) -> str:
        """Text that identifies the logs: their number, a digest of names, sizes and file digests,
        and for drawn ones the generator that draws them now."""
        rows = [(*row.files, row.height, row.width, *row.sha256) for row in self.rows]
        digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
        drawn = f", drawn by {self.generator}" if self.generator else ""
        return f"{len(rows)} logs, {digest[:16]}{drawn}"

    def __getitem__(self, index: int) -> "veernet.data.batch.Sample":
        # Imported here, for processes that draw and write logs do without PyTorch.
        from veernet.data.batch import Sample, as_tensor, to_ink

        if self.draw is not None:
            log = self._drawn(self.draw, index)
            return Sample(image=to_ink(log.grey), target=as_tensor(log.mask))
        row = self.rows[index]
        return Sample(
            image=to_ink(self._grey(row)),
            target=as_tensor(self._mask(row)),
        )

    def log(self, index: int) -> Log:
        """Read or draw everything that the archive holds of one log.

        Raises:
            ArchiveError: the files, or the drawn log, do not agree with the metadata.
            ImageError: a picture cannot be read, or is not of the size that the metadata says.
        """
        if self.draw is not None:
            return self._drawn(self.draw, index)
        row = self.rows[index]
        return Log(
            grey=self._grey(row),
            mask=self._mask(row),
            curves=self._curves(row),
        )

    def _drawn(self, draw: Callable[[int], Log], index: int) -> Log:
        log, row = draw(index), self.rows[index]
        if log.grey.shape != (row.height, row.width):
            h, w = log.grey.shape
            raise ArchiveError(
                f"{self.folder / row.file_name}: drawn with {h} × {w} px, where the metadata says "
                f"{row.height} × {row.width} px; its generator has changed since"
            )
        return log

    def _grey(self, row: Row) -> UInt8[ndarray, "h w"]:
        return read_grey(self.folder / row.file_name, size=(row.height, row.width))

    def _mask(self, row: Row) -> UInt8[ndarray, "h w"]:
        size = row.height, row.width
        mask = read_index(self.folder / row.mask_file_name, size=size)
        found = np.flatnonzero(class_counts(mask)).tolist()
        unknown = {*found} - {*range(self.n_classes), UNLABELLED}
        if unknown:
            raise ArchiveError(
                f"{self.folder / row.mask_file_name}: class {min(unknown)}, where the archive has "
                f"0 to {self.n_classes - 1}, and {UNLABELLED} for not labelled"
            )
        return mask

    def _curves(self, row: Row) -> Curves:
        path = self.folder / row.curves_file
        shape = (self.n_classes - 1, row.width)
        try:
            with ZipFile(path) as file:
                size = sum(member.file_size for member in file.infolist())
            if size > 4096 + 16 * shape[0] * shape[1]:
                raise ValueError(f"{size:,} bytes are more than curves of shape {shape} take")
            with np.load(path, allow_pickle=False) as file:
                curves = Curves(rows=file["rows"], values=file["values"])
        except Exception as broken:  # numpy raises anything from KeyError to BadZipFile
            raise ArchiveError(f"{path}: not a readable file of curves ({broken})") from broken
        for found in (curves.rows, curves.values):
            if found.shape != shape or found.dtype.kind != "f":
                raise ArchiveError(
                    f"{path}: curves of shape {found.shape} ({found.dtype}), where the metadata "
                    f"says {shape}"
                )
        return curves


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A data set on disk."""

    root: Path
    classes: tuple[str, ...]
    """Names of the classes, background first."""
    made_by: dict[str, Any]
    """The settings that made it."""
    drawn: bool
    """True if logs are drawn each time they are read; there are no files of them."""
    draw: Callable[[SplitName, int], Log] | None = None
    """Draws a log of a split; `veernet.synth.opening.open_archive` knows how."""
    generator: str = ""
    """Name of the generator that draws; empty where nothing is drawn, or where the archive is too
    old to record its generator."""
    doubt: str = ""
    """Reason why the generator may draw other logs than the archive was made with; else empty."""

    @staticmethod
    def open(root: Path) -> "Archive":
        """Open the archive in folder `root`.

        Raises:
            ArchiveError: there is none, or it is not finished.
        """
        path = root / "archive.json"
        header = validate(_Header, _read_header(path), where=str(path), error=ArchiveError)
        return Archive(
            root=root, classes=header.classes, made_by=header.made_by, drawn=header.drawn
        )

    def split(self, name: SplitName) -> Split:
        """Open one split.

        Raises:
            ArchiveError: the split is missing, unfinished, empty, or its metadata is damaged.
        """
        if self.drawn and self.draw is None:
            raise ArchiveError(f"{self.root}: its logs are drawn; `veernet.open_archive` opens it")
        path = self.root / name / METADATA
        rows = read_rows(path)
        if not rows:
            raise ArchiveError(f"{path}: the split has no logs")
        draw = None if self.draw is None else partial(self.draw, name)
        return Split(self.root / name, rows, len(self.classes), draw, self.generator, self.doubt)

    def splits(self) -> dict[SplitName, Split]:
        """Open the splits that exist.

        Raises:
            ArchiveError: the metadata of one is damaged.
        """
        return {name: self.split(name) for name in SPLITS if (self.root / name / METADATA).exists()}


@dataclass(frozen=True, kw_only=True)
class _Header:
    format: Literal[2]
    classes: tuple[str, ...]
    made_by: dict[str, Any]
    drawn: bool


def _read_header(path: Path) -> Any:
    root = path.parent
    missing = (
        f"{root}: no archive here ({path.name} is missing); `veernet synth {root}` makes one, and "
        "`veernet import` one of scans"
    )
    return read_json(path, error=ArchiveError, missing=missing)


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

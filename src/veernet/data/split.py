"""One split of an archive, as a data set of PyTorch."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from torch.utils.data import Dataset

from veernet.data.batch import Sample, as_tensor, to_ink
from veernet.data.labels import UNLABELLED
from veernet.data.logs import Curves, Log, Row, class_counts
from veernet.data.raster import read_grey, read_index
from veernet.data.schedule import Sizes
from veernet.errors import ArchiveError


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

    def __getitem__(self, index: int) -> Sample:
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

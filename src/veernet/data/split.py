"""One split of an archive, as a data set of PyTorch."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from torch.utils.data import Dataset

from veernet.data.batch import Sample, as_tensor, to_ink
from veernet.data.labels import UNLABELLED
from veernet.data.logs import Log, Row, class_counts
from veernet.data.raster import read_grey, read_index, read_rgb
from veernet.data.schedule import Sizes
from veernet.data.truth import read_truth
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
    def curves_have_classes(self) -> bool:
        """True if every curve of a log is a class of its own."""
        return all(row.curves_have_classes for row in self.rows)

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
            image, mask = log.grey, log.mask
        else:
            image, mask = self._grey(self.rows[index]), self._mask(self.rows[index])
        return Sample(image=to_ink(image), target=as_tensor(self.classes(index, mask)))

    def classes(self, index: int, mask: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "h w"]:
        """Return the class of every pixel of the mask of log `index`."""
        row = self.rows[index]
        return mask if row.curves_have_classes else row.class_of_index[mask]

    def log(self, index: int) -> Log:
        """Read or draw everything that the archive holds of one log.

        Raises:
            ArchiveError: the files, or the drawn log, do not agree with the metadata.
            ImageError: a picture cannot be read, or is not of the size that the metadata says.
        """
        if self.draw is not None:
            return self._drawn(self.draw, index)
        row = self.rows[index]
        path, size = self.folder / row.file_name, (row.height, row.width)
        curves, words = read_truth(self.folder / row.curves_file, (len(row.curves), row.width))
        return Log(
            grey=self._grey(row),
            mask=self._mask(row),
            curves=curves,
            colour=read_rgb(path, size=size),
            words=words,
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
        unknown = {*found} - {*range(len(row.curves) + 1), UNLABELLED}
        if unknown:
            raise ArchiveError(
                f"{self.folder / row.mask_file_name}: index {min(unknown)}, where the log has 0 to "
                f"{len(row.curves)}, and {UNLABELLED} for not labelled"
            )
        return mask

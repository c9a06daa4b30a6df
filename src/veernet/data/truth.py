"""Files of the truth of a log: its curves, and the words whose place and meaning are known."""

from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy import ndarray

from veernet.data.logs import Curves, Word
from veernet.errors import ArchiveError
from veernet.files import validate

WORDS_BYTES = 2**22
"""Most bytes that the words of a log take in their file."""

_WORDS = "texts", "kinds", "boxes", "curve_of_word"


def save_truth(path: Path, curves: Curves, words: tuple[Word, ...]) -> None:
    """Save the arrays of a file of truth: what there is of `rows`, `values`, `covered`, and of the
    words their `texts`, `kinds`, `boxes` and `curve_of_word`, -1 for none."""
    found: dict[str, ndarray] = {"rows": curves.rows, "values": curves.values}
    if curves.covered is not None:
        found["covered"] = curves.covered
    if words:
        of = [-1 if word.curve is None else word.curve for word in words]
        found |= {
            "texts": np.array([word.text for word in words], np.str_),
            "kinds": np.array([word.kind for word in words], np.str_),
            "boxes": np.array([word.box for word in words], np.int32),
            "curve_of_word": np.array(of, np.int16),
        }
    np.savez(path, allow_pickle=False, **found)


def read_truth(path: Path, shape: tuple[int, int]) -> tuple[Curves, tuple[Word, ...]]:
    """Read the curves and words of a log that has curves of `shape` (number, columns).

    Raises:
        ArchiveError: the file cannot be read, or has curves of another shape.
    """
    try:
        _check_bytes(path, shape)
        with np.load(path, allow_pickle=False) as file:
            arrays = {**file}
        rows, values = arrays["rows"], arrays["values"]
        covered, words = arrays.get("covered"), _words(path, arrays)
    except Exception as broken:  # numpy raises anything from KeyError to BadZipFile
        raise ArchiveError(f"{path}: not a readable file of curves ({broken})") from broken
    for found, kind in ((rows, "f"), (values, "f"), (covered, "u")):
        if found is not None and (found.shape != shape or found.dtype.kind != kind):
            raise ArchiveError(
                f"{path}: curves of shape {found.shape} ({found.dtype}), where the metadata says "
                f"{shape}"
            )
    return Curves(rows=rows, values=values, covered=covered), words


def _check_bytes(path: Path, shape: tuple[int, int]) -> None:
    with ZipFile(path) as file:
        sizes = [(Path(one.filename).stem, one.file_size) for one in file.infolist()]
    words = sum(size for name, size in sizes if name in _WORDS)
    curves = sum(size for _, size in sizes) - words
    if curves > 4096 + 17 * shape[0] * shape[1]:
        raise ValueError(f"{curves:,} bytes are more than curves of shape {shape} take")
    if words > WORDS_BYTES:
        raise ValueError(f"{words:,} bytes of words, where {WORDS_BYTES:,} are read")


def _words(path: Path, arrays: dict[str, ndarray]) -> tuple[Word, ...]:
    if "texts" not in arrays:
        return ()
    return tuple(
        validate(
            Word,
            {"text": text, "kind": kind, "box": box, "curve": None if of < 0 else of},
            where=str(path),
            error=ArchiveError,
        )
        for text, kind, box, of in zip(*(arrays[name].tolist() for name in _WORDS), strict=True)
    )

"""Folders of LAS files that synthetic logs take curves from."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from veernet.errors import LasError

if TYPE_CHECKING:
    from veernet.las import Las

T = TypeVar("T")


def read_each(
    folder: str, take: "Callable[[Las, str], Iterable[T]]"
) -> tuple[tuple[T, ...], tuple[str, ...]]:
    """Read a folder's LAS files in order of their names.

    Args:
        take: returns what is wanted of a file and its name; an error there passes the file over.

    Returns:
        what was taken of all files, and a line for each file that cannot be read.
    """
    from veernet.las import read_las  # its libraries take longer to import than a log to draw

    found, failed = list[T](), list[str]()
    for path in sorted(Path(folder).iterdir() if Path(folder).is_dir() else []):
        if path.suffix.lower() == ".las":
            try:
                found += take(read_las(path), path.name)
            except LasError as fault:
                failed.append(str(fault))
    return tuple(found), tuple(failed)

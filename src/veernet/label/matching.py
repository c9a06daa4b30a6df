"""Match the names of pictures in a file of labels to scans."""

import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath


def best_matches(scan: Path, names: Sequence[str]) -> list[int]:
    """Return the indices of the names that fit the path of a scan best; several if they fit
    equally.

    A name fits if its last part, without suffix, equals that of the scan. Among these, a name fits
    better the more of its folders match, then if its suffix does, then if its capitals do. Folders
    are separated by / or by \\.
    """
    path = scan.absolute()
    fits = [_fit(path, PurePosixPath(re.sub(r"[\\/]+", "/", name))) for name in names]
    best = max(fits, default=(0, False, False))
    return [i for i, fit in enumerate(fits) if fit == best and fit[0] > 0]


def _fit(scan: Path, name: PurePosixPath) -> tuple[int, bool, bool]:
    """Count the last parts that two paths have in common, and return whether their suffixes and
    whether their capitals agree."""
    own = [scan.stem, *scan.parent.parts[::-1]]
    other = [name.stem, *name.parent.parts[::-1]]
    pairs = zip(own, other, strict=False)
    common = sum(1 for _ in takewhile(lambda pair: pair[0].casefold() == pair[1].casefold(), pairs))
    same_ending = scan.suffix.casefold() == name.suffix.casefold()
    return common, same_ending, own[:common] == other[:common]

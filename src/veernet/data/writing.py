"""Writing an archive: by one process at a time, with the digest of every file.

While a split is written, `written.jsonl` in its folder has a row for every complete log. A command
that is run again keeps a file if a row there, or in the metadata, has its digest, and writes all
others anew. When the split is complete, its rows become the metadata.
"""

import json
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from veernet.data.archive import FORMAT, Archive
from veernet.data.labels import UNLABELLED
from veernet.data.logs import GENERATOR, METADATA, Log, Row, read_rows, sha256
from veernet.data.raster import save_picture
from veernet.data.truth import save_truth
from veernet.errors import ArchiveError
from veernet.files import (
    atomic_write,
    first_difference,
    is_temporary,
    remove_stale,
    validate,
    with_filename,
    write_json,
    write_json_lines,
)
from veernet.locks import claimed

JOURNAL = "written.jsonl"
"""File of the rows of complete logs, inside the folder of an unfinished split."""

_WHITE, _BLACK, _GREY = (255, 255, 255), (0, 0, 0), (200, 200, 200)
_COLOURS = ((214, 39, 40), (31, 119, 180), (44, 160, 44), (148, 103, 189), (255, 127, 14))


def _palette(n_curves: int) -> bytes:
    """Return the colours of background, curves, and pixels that are not labelled, as R, G, B."""
    curves = [_COLOURS[index % len(_COLOURS)] for index in range(max(2, n_curves))]
    colours = [_WHITE, *curves, *[_BLACK] * (UNLABELLED - 1 - len(curves)), _GREY]
    return bytes(channel for colour in colours for channel in colour)


@contextmanager
def begun(
    root: Path,
    *,
    classes: Iterable[str],
    made_by: dict[str, Any],
    drawn: bool = False,
    present: Callable[[dict[str, Any]], dict[str, Any]] = lambda made_by: made_by,
) -> Generator[dict[str, Any]]:
    """Begin an archive in `root`, or continue one begun with the same settings.

    No other process writes an archive there during the block. Yields `made_by` as the archive was
    begun; its item `GENERATOR` may differ from the argument's.

    Args:
        drawn: True if the archive will have metadata only.
        present: converts `made_by` of an older version to present names.

    Raises:
        ArchiveError: `root` holds something else, or an archive made with other settings; or
            another process writes there.
    """
    settings = {"classes": [*classes], "made_by": made_by, "drawn": drawn}
    made_root = not root.exists()
    root.mkdir(parents=True, exist_ok=True)
    taken = f"{root}: another process makes an archive there; wait for it, or choose another folder"
    with claimed(root, ArchiveError(taken)):
        path = root / "archive.json"
        if begins := not path.exists():
            if not all(is_temporary(found) for found in root.iterdir()):
                raise ArchiveError(f"{root}: not empty, and no archive; choose another folder")
            write_json(path, {"format": FORMAT, **settings})
        found = Archive.open(root)
        found = replace(found, made_by=present(found.made_by))
        _check_same(found, settings)
        remove_stale(root)
        try:
            yield found.made_by
        except BaseException:
            if begins and [*root.iterdir()] == [path]:  # nothing was made
                path.unlink()
                if made_root:
                    root.rmdir()
            raise


def _check_same(found: Archive, settings: dict[str, Any]) -> None:
    def plain(classes: Iterable[str], made_by: dict[str, Any], drawn: bool) -> dict[str, Any]:
        kept = {key: value for key, value in made_by.items() if key != GENERATOR}
        return {"classes": [*classes], "made_by": json.loads(json.dumps(kept)), "drawn": drawn}

    there, asked = plain(found.classes, found.made_by, found.drawn), plain(**settings)
    if there != asked:
        raise ArchiveError(
            f"{found.root}: holds an archive made with other settings "
            f"({first_difference(there, asked)}); choose another folder or remove it"
        )


def recorded(folder: Path) -> dict[str, Row]:
    """Return the rows of the logs that are complete in a split's folder, by image name.

    Raises:
        ArchiveError: the metadata is damaged.
    """
    rows = _journalled(folder / JOURNAL)
    if (folder / METADATA).exists():
        rows += read_rows(folder / METADATA)
    return {row.file_name: row for row in rows}


def _journalled(path: Path) -> list[Row]:
    """Return the rows of a journal up to the first line that a kill or a power cut left damaged."""
    rows = list[Row]()
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    for line in lines[:-1]:
        try:
            rows.append(validate(Row, json.loads(line), where=str(path), error=ArchiveError))
        except (ValueError, ArchiveError):
            break
    return rows


@contextmanager
def journal(folder: Path, known: Mapping[str, Row]) -> Generator[Callable[[Row], None]]:
    """Yield a function that adds the row of a complete log to the journal of an unfinished split,
    unless it is `known`."""
    if (folder / METADATA).exists():
        yield lambda _: None
        return
    path = folder / JOURNAL
    write_json_lines(path, [row.written() for row in known.values()])
    with path.open("ab", buffering=0) as file:

        def note(row: Row) -> None:
            if row.file_name not in known:
                with with_filename(path):
                    file.write(json.dumps(row.written(), allow_nan=False).encode() + b"\n")

        yield note


def write_log(folder: Path, row: Row, log: Log) -> Row:
    """Write the files of one log into a split's folder, each whole or not at all.

    Returns the row with their digests.

    Raises:
        ArchiveError: the row has digests already, and a new file has another; the old file is kept.
    """

    def save_curves(path: Path) -> None:
        save_truth(path, log.curves, log.words)

    saves = (
        partial(save_picture, picture=log.picture),
        partial(save_picture, picture=log.mask, palette=_palette(len(row.curves))),
        save_curves,
    )
    expected = row.sha256 or (None,) * len(saves)
    digests = [
        _write(folder / name, save, digest)
        for name, save, digest in zip(row.files, saves, expected, strict=True)
    ]
    return replace(row, sha256=tuple(digests))


def _write(path: Path, save: Callable[[Path], object], expected: str | None) -> str:
    """Write one file, whose digest must be `expected` unless that is None; returns the digest."""
    with atomic_write(path) as temporary:
        save(temporary)
        digest = sha256(temporary)
        if expected not in (None, digest):
            raise ArchiveError(
                f"{path}: made anew, it is not the file that was written (SHA-256 differs), so "
                "it was left as it is; what draws logs or encodes files has changed since: go back "
                "to what made the archive, or make it anew in another folder"
            )
    return digest


def finish(folder: Path, rows: Iterable[Row]) -> None:
    """Write a split's metadata, which marks it complete, unless it is there already."""
    rows, path = [*rows], folder / METADATA
    if not path.exists() or read_rows(path) != rows:
        write_json_lines(path, [row.written() for row in rows])
    (folder / JOURNAL).unlink(missing_ok=True)

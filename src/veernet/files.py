"""Files that are written whole or not at all, and read with checks."""

import errno
import hashlib
import json
import math
import os
import re
import secrets
import socket
import time
import tomllib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from functools import cache
from itertools import count
from pathlib import Path, PurePosixPath
from textwrap import shorten
from typing import Any, Literal, TypeAlias, TypeVar, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import ErrorDetails

from veernet.errors import VeerNetError
from veernet.names import other_name, suggestion

T = TypeVar("T")

MAX_TEXT = 2**28
"""Bytes of the largest JSON file read: the metadata of half a million logs."""

MAX_TOML = 2**20
"""Bytes of the largest TOML file read."""

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | None"
"""Value read from JSON, numbers and truth values included."""

_TEMPORARY = re.compile(r"\.veernet-([0-9a-f]{8})-(\d+)-([0-9a-f]{8})-\d+\.tmp(\..*)?", re.DOTALL)
"""Names of temporary files: machine, process, life of the process, number, and a suffix."""

_MACHINE = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
"""Digest that identifies this machine among those that share a file system."""

_LIFE = secrets.token_hex(4)
"""Random key of this process: in a restarted container, process numbers come again."""

_NUMBERS = count()

_FORGOTTEN = 24 * 3600.0
"""Age in seconds from which an untouched temporary file of another machine counts as stale."""

_DEEP = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){32}""")


@contextmanager
def atomic_write(path: Path, *, durable: bool = False) -> Generator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` when the block ends well.

    The data is flushed to the disk before the rename; if the block raises, nothing is left behind
    and an older `path` stays as it was. The folder is created if it does not exist. With
    `durable`, the new name is on the disk too when the block has ended.

    Raises:
        OSError: there is a folder, or a device, of that name.
    """
    if path.exists() and not path.is_file():  # a device would become a file
        raise FileExistsError(errno.EEXIST, "exists, and is no ordinary file", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(_temporary_name(path.suffix))
    try:
        with with_filename(path):
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
            if durable:
                flush_names(path.parent)
                flush_names(path.parent.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def with_filename(path: Path) -> Generator[None]:
    """Put `path` into disk errors from the block that name no other file."""
    try:
        yield
    except OSError as error:
        name = error.filename if error.filename2 is None else error.filename2
        if name is None or is_temporary(Path(str(name))):
            error.filename = str(path)
            if error.filename2 is not None:
                del error.filename2
        raise


def flush_names(folder: Path) -> None:
    """Flush a folder's file names to the disk, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _temporary_name(suffix: str) -> str:
    """Return a new name, short enough for any file system."""
    # The suffix stays, for some writers choose the format by it; no format's is longer than 16.
    kept = suffix if len(os.fsencode(suffix)) <= 16 else ""
    return f".veernet-{_MACHINE}-{os.getpid()}-{_LIFE}-{next(_NUMBERS)}.tmp{kept}"


def is_temporary(path: Path) -> bool:
    """Return whether the name of a file is a temporary one of `atomic_write`."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove_stale(folder: Path) -> None:
    """Remove temporary files that `atomic_write` left under `folder` when its process was killed.

    A file of a running process stays. A file of another machine, whose processes cannot be seen
    from here, is removed when nobody has touched it for a day; on Windows, every file of another
    process is.
    """
    for stray in folder.glob("**/.veernet-*"):
        if is_temporary(stray) and stray.is_file() and not _may_be_written(stray):
            stray.unlink(missing_ok=True)


def _may_be_written(temporary: Path) -> bool:
    found = _TEMPORARY.fullmatch(temporary.name)
    assert found is not None
    machine, process, life, _ = found.groups()
    if machine == _MACHINE and int(process) == os.getpid():
        return life == _LIFE
    if machine == _MACHINE and os.name != "nt":  # where `os.kill` would end the process
        return _is_alive(int(process))
    with suppress(FileNotFoundError):
        return time.time() - temporary.stat().st_mtime < _FORGOTTEN
    return False


def _is_alive(pid: int) -> bool:
    """Return whether a process of that number runs."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it runs, and belongs to somebody else
    return True


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_json_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write one JSON object per line."""
    write_text(path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))


def read_json(path: Path, *, error: type[VeerNetError], missing: str) -> Any:
    """Read a JSON file.

    Raises:
        error: there is no such file, in the words of `missing`; or it is a folder, or damaged.
    """
    with _named(path, error, missing):
        return json.loads(_text(path))


def read_json_lines(
    path: Path, *, error: type[VeerNetError], missing: str, may_be_cut: bool = False
) -> list[dict[str, Any]]:
    """Read one JSON object per line.

    Args:
        may_be_cut: drop a last line that was cut off while it was being written.

    Raises:
        error: there is no such file, in the words of `missing`; a line is not a JSON object; or
            the last one is cut.
    """
    with _named(path, error, missing):
        *lines, rest = _text(path).split("\n")
        if rest and not may_be_cut:
            raise ValueError(f"line {len(lines) + 1}, the last, is cut off")
        rows: list[dict[str, Any]] = []
        for number, line in enumerate(lines, start=1):
            row: Json = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is not a JSON object")
            rows.append(row)
        return rows


def read_toml(path: Path, *, error: type[VeerNetError], missing: str) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        error: there is no such file, in the words of `missing`; or it is no TOML.
    """
    with _named(path, error, missing, broken="not a TOML file"):
        text = _text(path, MAX_TOML)
        if _DEEP.search(text):  # for which tomllib takes quadratic time
            raise ValueError("a name of more than 32 parts")
        return tomllib.loads(text)


def _text(path: Path, most: int = MAX_TEXT) -> str:
    if (size := path.stat().st_size) > most:
        raise ValueError(f"its {size:,} bytes are more than the {most:,} allowed")
    return path.read_text(encoding="utf-8-sig")  # Notepad writes a byte order mark


@contextmanager
def _named(
    path: Path, error: type[VeerNetError], missing: str, *, broken: str = "damaged"
) -> Generator[None]:
    try:
        yield
    except FileNotFoundError as absent:
        raise error(missing) from absent
    except (ValueError, RecursionError) as reason:
        raise error(f"{path}: {broken} ({reason})") from reason
    except (IsADirectoryError, NotADirectoryError) as other:
        raise error(f"{path}: cannot be read ({other.strerror})") from other


def validate(
    kind: type[T],
    value: Any,
    *,
    where: str,
    error: type[VeerNetError],
    extra: Literal["forbid", "ignore"] = "forbid",
) -> T:
    """Build the dataclass `kind` from plain data (JSON, TOML), checked field by field.

    Args:
        extra: forbid or ignore unknown fields.

    Raises:
        error: a field is missing, unknown, of another type, or refused by `kind`; `where` names
            the file.
    """
    try:
        return _checker(kind, extra)(value)
    except ValidationError as invalid:
        faults = invalid.errors(include_url=False)[:3]
        found = "; ".join(_worded(kind, value, fault) for fault in faults)
        raise error(f"{where}: {found}") from invalid


def check_fields(value: Any, *, error: type[ValueError]) -> None:
    """Check the fields of a dataclass made in code as `validate` checks those from a file, and
    convert each to its type: a list to a tuple, a number of numpy to one of Python.

    Raises:
        error: a field is of another type, or none of the choices that there are.
    """
    kind: type[Any] = value.__class__
    for name, check in _field_checkers(kind).items():
        given = getattr(value, name)
        try:
            found = check(given.tolist() if hasattr(given, "tolist") else given)
        except ValidationError as invalid:
            fault = invalid.errors(include_url=False)[0]
            fault["loc"] = name, *fault["loc"]
            raise error(f"{kind.__name__}: {_worded(kind, {}, fault)}") from invalid
        object.__setattr__(value, name, found)


def _worded(kind: type[Any], value: Any, found: ErrorDetails) -> str:
    """Describe an invalid value: its place, the fault, and the value. A `ValueError` of the class
    itself is given as it is, after the place."""
    place, other = ".".join(map(str, found["loc"])) or "file", other_name(kind, value, found)
    match found["type"]:
        case "missing" | "missing_argument":
            *around, name = map(str, found["loc"])
            return f"{'.'.join([*around, other or name])}: missing"
        case "unexpected_keyword_argument" if other:
            return f"{place}: given as {other} too; leave one of them out"
        case "unexpected_keyword_argument":
            return f"{place}: no such name here{suggestion(kind, found)}"
        case "value_error":
            fault = str(found.get("ctx", {}).get("error", found["msg"]))
            return f"{place}: {fault}" if found["loc"] else fault
        case "union_tag_invalid":
            tags, got = (found.get("ctx", {}).get(name) for name in ("expected_tags", "tag"))
            return f"{place}.kind: should be one of {tags}; got {got!r}"
        case "tuple_type" | "dataclass_type" | "model_attributes_type" as wrong:
            wanted = "a list" if wrong == "tuple_type" else "a table of names and values"
            return f"{place}: should be {wanted}; got {_short(found['input'])}"
        case _:
            fault = found["msg"].removeprefix("Input ")
            return f"{place}: {fault}; got {_short(found['input'])}"


def _short(value: object) -> str:
    return shorten(repr(value), 60, placeholder="…")


def formerly(name: str) -> Any:
    """Annotate a field of a dataclass that older files call `name`: `validate` takes either."""
    return Field(validation_alias=name)


def spelt(name: str) -> Any:
    """Annotate a field of a dataclass that files call `name`: `validate` takes either."""
    return Field(alias=name)


def check_inside(name: str) -> None:
    """Check that a name is of a file in the folder that it is relative to.

    Raises:
        ValueError: it leads elsewhere, or cannot be shown.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not name.isprintable():
        raise ValueError(f"{name!r} is no name of a file inside the split's folder")


def nan_to_none(value: Any) -> Any:
    """Replace non-finite numbers in nested values by None, which JSON can hold."""
    nest: Json | tuple[Any, ...] = value
    match nest:
        case dict():
            return {key: nan_to_none(item) for key, item in nest.items()}
        case list() | tuple():
            return [nan_to_none(item) for item in nest]
        case float() if not math.isfinite(nest):
            return None
        case _:
            return value


def first_difference(found: Any, asked: Any, name: str = "") -> str:
    """Describe the first place where two nests of plain data differ."""
    one: Json = found
    other: Json = asked
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            if one.get(key) != other.get(key):
                return first_difference(one.get(key), other.get(key), f"{name}.{key}".lstrip("."))
    return f"{name}: found {found!r}, asked for {asked!r}"


@cache
def _field_checkers(kind: type[Any]) -> dict[str, Callable[[Any], Any]]:
    """Return a function per field of a dataclass that validates it."""
    hints = get_type_hints(kind)
    return {one.name: TypeAdapter(hints[one.name]).validate_python for one in fields(kind)}


@cache
def _checker(kind: type[T], extra: Literal["forbid", "ignore"]) -> Callable[[Any], T]:
    """Return a function that validates a dataclass and those inside it; slow to build."""
    config = ConfigDict(extra=extra, validate_by_name=True, validate_by_alias=True)
    return TypeAdapter(with_config(config)(kind)).validate_python

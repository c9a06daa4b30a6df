"""Results of a command on the console: lines, or JSON for programs."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from veernet.data.logs import SplitName
from veernet.files import nan_to_none
from veernet.terminal import Screen, one_line


def progress_console(console: Console, json: bool) -> Console:
    """Return the console for progress: stderr where stdout is for JSON, else `console`."""
    return Screen(stderr=True) if json else console


def print_json(console: Console, value: Any) -> None:
    """Print a command's result as JSON; NaN and infinity become null."""
    text = json.dumps(nan_to_none(value), indent=2, allow_nan=False)
    console.print(text, soft_wrap=True)


def print_files(console: Console, paths: Iterable[Path], *, as_json: bool) -> None:
    """Print the names of the files that were written."""
    if as_json:
        print_json(console, {"files": [str(path) for path in paths]})
        return
    for path in paths:
        console.print(f"wrote {one_line(path)}", soft_wrap=True)


def print_archive(
    console: Console, root: Path, logs: Mapping[SplitName, int], *, as_json: bool
) -> None:
    """Print the number of logs in each split of the archive that was written."""
    if as_json:
        print_json(console, {"archive": str(root), "logs": dict(logs)})
    else:
        console.print(f"wrote {sum(logs.values())} logs to {one_line(root)}", soft_wrap=True)

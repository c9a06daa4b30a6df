"""Output of the command line, on any terminal, to readers who may close it."""

import codecs
import errno
import io
import os
import sys
import unicodedata
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import IO, Any, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

_UNSEEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""Unicode categories of characters that a terminal obeys or does not show: controls, writing
directions, line separators, unassigned ones, and surrogates, which stand for the bytes of a file
name that is not UTF-8."""

_PLAIN = {
    "×": "x",
    "–": "-",
    "−": "-",
    "±": "+-",
    "²": "2",
    "µ": "u",
    "…": "...",
    "█": "#",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "·": ".",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
}
"""Substitutes for characters that the terminal's encoding lacks."""

_LEFT = {errno.EPIPE, errno.EIO}
"""Error numbers of writing to a pipe without a reader, and to a closed terminal."""


def visible(text: str) -> str:
    """Return a text with an escape, like `\\x1b`, in the place of every character that a terminal
    would obey or not show; line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join(_escape(one) if _is_unseen(one) else one for one in text)


def one_line(text: object) -> str:
    """Return a name, of a file for example, as `visible` does and without line ends and tabs."""
    return visible(str(text)).replace("\n", "\\n").replace("\t", "\\t")


def _is_unseen(one: str) -> bool:
    return one not in "\n\t" and unicodedata.category(one) in _UNSEEN


def _escape(one: str) -> str:
    code = ord(one)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is not UTF-8
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class Screen(Console):
    """A console that prints text literally: without markup, and without control characters."""

    def __init__(self, *, stderr: bool = False):
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a text visible, of a table too, before its width is measured."""
        return super().render_str(visible(text), **options)


def say(text: str) -> None:
    """Print one line on stderr."""
    with suppress(OSError):  # the terminal was closed
        print(f"veernet: {' '.join(visible(text).split())}", file=sys.stderr)


@contextmanager
def lasting(console: Console) -> Generator[None]:
    """Discard output of the block without an error once nobody reads it: after the terminal was
    closed or the pipe lost its reader."""
    given = console._file  # pyright: ignore[reportPrivateUsage]: `file` would hold on to stdout
    console.file = cast(IO[str], _Lasting(console.file))
    try:
        yield
    finally:
        console._file = given  # pyright: ignore[reportPrivateUsage]


@contextmanager
def lasting_streams() -> Generator[None]:
    """Do as `lasting` for everything written to stdout and stderr, in any encoding.

    Raises:
        OSError: the block has ended well, and the disk did not take all that it wrote to stdout.
    """
    given = sys.stdout, sys.stderr
    errors = [_reconfigured(stream, _HANDLER) for stream in given]
    out, err = (stream and _Lasting(stream) for stream in given)  # None where it was closed
    sys.stdout, sys.stderr = cast(Any, out), cast(Any, err)
    try:
        yield
    except SystemExit as end:
        if not end.code:
            _check_taken(out)
        raise
    else:
        _check_taken(out)
    finally:
        for stream in (out, err):
            if stream is not None:
                stream.flush()
        sys.stdout, sys.stderr = given
        for stream, before in zip(given, errors, strict=True):
            _reconfigured(stream, before)


def _check_taken(stream: "_Lasting | None") -> None:
    """Raise the error of a stream whose output the disk did not take."""
    if stream is not None:
        stream.flush()
        if stream.lost is not None:
            raise OSError(stream.lost.errno, stream.lost.strerror, "standard output")


def _reconfigured(stream: Any, errors: str | None) -> str | None:
    """Set the handler for characters that a stream's encoding lacks; returns the previous one."""
    if not isinstance(stream, io.TextIOWrapper) or errors is None:
        return None
    before = stream.errors
    stream.reconfigure(errors=errors)
    return before


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(one) or _escape(one) for one in lacking), error.end


_HANDLER = "veernet.plainly"
codecs.register_error(_HANDLER, _plainly)


class _Lasting:
    """A text stream that is redirected to the null device when it fails."""

    def __init__(self, stream: Any):
        self.stream = stream
        self.lost: OSError | None = None
        """First error of the disk in writing; None without one, also if the reader left."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        try:
            return self.stream.write(text)
        except OSError as failed:
            self._let_go(failed)
            return len(text)

    def flush(self) -> None:
        try:
            self.stream.flush()
        except OSError as failed:
            self._let_go(failed)

    def _let_go(self, failed: OSError) -> None:
        """Redirect to the null device; else closing the stream would fail on buffered text too."""
        if failed.errno not in _LEFT:
            self.lost = self.lost or failed
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.stream.fileno())
        os.close(nowhere)


@contextmanager
def bar(console: Console, what: str, total: int) -> Generator[Callable[[], None]]:
    """Show a progress bar; yields a function to call once for each of `total`."""
    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)

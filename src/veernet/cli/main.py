"""The `veernet` command."""

import ast
import os
import signal
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pkgutil import get_data
from textwrap import fill
from types import FrameType
from typing import Any, Protocol, runtime_checkable

import tyro

import veernet
from veernet.cli.explain import description, explained
from veernet.cli.words import HELP, checked, command_of
from veernet.errors import ArchiveWarning, ImageWarning, VeerNetError
from veernet.memory.allocator import configure_allocator
from veernet.terminal import Screen, lasting_streams, say, visible
from veernet.train.signals import PAUSED

DESCRIPTION = f"""\
Train segmentation networks on scanned well logs at native resolution, and turn
scans into curves.

`veernet COMMAND --help` explains a command and its options; `veernet --version`
tells the version. Exit codes: 0, done; 2, bad input or a failure, told in one
line on stderr; {PAUSED}, training was paused, and goes on when asked to; 130,
interrupted.
"""


@runtime_checkable
class Command(Protocol):
    """A subcommand: its fields are its options."""

    def run(self, console: Screen) -> None:
        """Run the command."""
        ...


COMMANDS = (
    "demo",
    "synth",
    "gallery",
    "import",
    "inspect",
    "merge",
    "subset",
    "plan",
    "train",
    "evaluate",
    "calibrate",
    "digitise",
    "report",
    "replay",
)
"""Names of the commands, in the order of the help."""


def command_class(name: str) -> type[Command]:
    """Import the module of one command alone, and return the command's class."""
    return getattr(import_module(f"veernet.cli.{_module(name)}"), name.capitalize())


def _module(name: str) -> str:
    return "imports" if name == "import" else name  # which Python keeps for itself


def main() -> None:
    """Run the command line. Bad input ends it with one line and exit code 2, Ctrl-C with 130."""
    configure_allocator()
    warnings.formatwarning = _worded
    warnings.filterwarnings("ignore", module=r"PIL\.")  # errors have one line of their own
    try:
        with lasting_streams():
            command = _command(sys.argv[1:])  # imports, which might swallow a KeyboardInterrupt
            with _interruptible():
                command.run(Screen())
    except VeerNetError as error:
        say(str(error))
        sys.exit(2)
    except OSError as error:
        name, reason = error.filename2 or error.filename, error.strerror or str(error)
        say(reason if name is None else f"{os.fsdecode(name)}: {reason}")
        sys.exit(2)
    except KeyboardInterrupt:
        say("interrupted")
        signal.signal(signal.SIGINT, _end_at_once)  # a second one ends the wait for threads
        sys.exit(130)
    except (MemoryError, _torch_out_of_memory()) as full:
        say(f"out of memory ({full})")
        sys.exit(2)


def _torch_out_of_memory() -> type[Exception]:
    """Return PyTorch's exception; if a command did without PyTorch, Python's own."""
    return getattr(sys.modules.get("torch"), "OutOfMemoryError", MemoryError)


def _command(words: list[str]) -> Command:
    """Parse the words into a command; exit here if they ask for help or the version."""
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    first, *others = words or ["--help"]
    if first in HELP or first in ("--version", "-V"):
        print(_help() if first in HELP else f"veernet {veernet.__version__}")
        sys.exit()
    name = command_of(first, COMMANDS)
    command = explained(command_class(name))
    return tyro.cli(
        command,
        prog=f"veernet {name}",
        description=description(command),
        args=checked(name, command, others),
        config=(tyro.conf.DisallowNone, tyro.conf.FlagCreatePairsOff),
    )


def _help() -> str:
    """Return the help of `veernet`: one paragraph per command."""
    width = max(map(len, COMMANDS)) + 4
    lines = [
        fill(
            about(name), 80, initial_indent=f"  {name}".ljust(width), subsequent_indent=" " * width
        )
        for name in COMMANDS
    ]
    return "\n".join(["usage: veernet COMMAND [OPTIONS]", "", DESCRIPTION, *lines])


def about(name: str) -> str:
    """Return the first paragraph of a command's docstring, read from the source, since its module
    imports PyTorch."""
    source = get_data("veernet.cli", f"{_module(name)}.py") or b""
    kinds = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    (kind,) = (node for node in kinds if node.name == name.capitalize())
    return (ast.get_docstring(kind) or "").split("\n\n")[0]


def _worded(message: Warning | str, category: type[Warning], *where: Any) -> str:
    """Format a warning as one line, without the place in the code where it was raised."""
    if issubclass(category, ArchiveWarning | ImageWarning):
        return f"veernet: {' '.join(visible(str(message)).split())}\n"
    return visible(_formatted(message, category, *where))


_formatted = warnings.formatwarning


def _end_at_once(_: int, __: FrameType | None) -> None:
    os._exit(130)


@contextmanager
def _interruptible() -> Generator[None]:
    """Make Ctrl-C raise KeyboardInterrupt in the block, and end the process where that exception
    would be lost: Python reports one raised in a callback and goes on."""

    def unraisable(lost: "sys.UnraisableHookArgs") -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            return hook(lost)
        say("interrupted")
        os._exit(130)

    hook, handler = sys.unraisablehook, signal.getsignal(signal.SIGINT)
    sys.unraisablehook = unraisable
    if handler is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGINT, handler)

"""The `veernet` command."""

import os
import signal
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Protocol

import torch
import tyro
from rich.console import Console

from veernet.commands.calibrating import Calibrate
from veernet.commands.inspect import Inspect
from veernet.commands.making import Gallery, Import, Merge, Subset, Synth
from veernet.commands.planning import Plan
from veernet.commands.running import Demo, Digitise, Evaluate, Replay, Report, Train
from veernet.errors import ArchiveWarning, ImageWarning, VeerNetError
from veernet.train.interrupt import PAUSED, lasting
from veernet.train.machine import settle_allocator


class Command(Protocol):
    """A subcommand: its fields are its options."""

    def run(self, console: Console) -> None:
        """Do it."""
        ...


COMMANDS: dict[str, type[Command]] = {
    "demo": Demo,
    "synth": Synth,
    "gallery": Gallery,
    "import": Import,
    "inspect": Inspect,
    "merge": Merge,
    "subset": Subset,
    "plan": Plan,
    "train": Train,
    "evaluate": Evaluate,
    "calibrate": Calibrate,
    "digitise": Digitise,
    "report": Report,
    "replay": Replay,
}


def main() -> None:
    """Run the command line. Bad input ends it with one line and exit code 2, Ctrl-C with 130."""
    settle_allocator()
    warnings.formatwarning = _worded
    warnings.filterwarnings("ignore", module=r"PIL\.")  # what is amiss is told in one line
    try:
        command: Command = tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="veernet",
            description="Train segmentation networks on scanned well logs at native resolution, "
            "and turn scans into curves.\n\nExit codes: 0, done; 2, bad input or a failure, told "
            f"in one line on stderr; {PAUSED}, training was paused, and goes on when asked to; "
            "130, interrupted.",
        )
        console = Console(markup=False, emoji=False, highlight=False)
        with _interruptible(), lasting(console):
            command.run(console)
    except (VeerNetError, OSError) as error:
        _say(" ".join(str(error).split()))
        sys.exit(2)
    except (MemoryError, torch.OutOfMemoryError) as full:
        _say(f"out of memory ({' '.join(str(full).split())})")
        sys.exit(2)
    except KeyboardInterrupt:
        _say("interrupted")
        signal.signal(signal.SIGINT, _end_at_once)  # whatever the end may wait for
        sys.exit(130)


def _worded(message: Warning | str, category: type[Warning], *where: Any) -> str:
    """A warning as the command line shows it: one line, and not where in the code it was raised."""
    if issubclass(category, ArchiveWarning | ImageWarning):
        return f"veernet: {' '.join(str(message).split())}\n"
    return _formatted(message, category, *where)


_formatted = warnings.formatwarning


def _end_at_once(_: int, __: FrameType | None) -> None:
    os._exit(130)


def _say(text: str) -> None:
    with suppress(OSError):  # of a terminal that was closed
        print(f"veernet: {text}", file=sys.stderr)


@contextmanager
def _interruptible() -> Generator[None]:
    """Have Ctrl-C raise KeyboardInterrupt in the block, and end the process where that is lost: in
    a callback, Python would tell of it and go on."""

    def unraisable(lost: "sys.UnraisableHookArgs") -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            return hook(lost)
        _say("interrupted")
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

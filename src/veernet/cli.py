"""The `veernet` command."""

import sys
import warnings
from typing import Any, Protocol

import torch
import tyro
from rich.console import Console

from veernet.commands.calibrating import Calibrate
from veernet.commands.inspect import Inspect
from veernet.commands.making import Gallery, Import, Merge, Subset, Synth
from veernet.commands.planning import Plan
from veernet.commands.running import Demo, Digitise, Evaluate, Replay, Report, Train
from veernet.errors import ArchiveWarning, VeerNetError
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
    command: Command = tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="veernet",
        description="Train segmentation networks on scanned well logs at native resolution, and "
        "turn scans into curves.",
    )
    try:
        command.run(Console(markup=False, emoji=False, highlight=False))
    except (VeerNetError, OSError) as error:
        print(f"veernet: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except (MemoryError, torch.OutOfMemoryError) as full:
        print(f"veernet: out of memory ({' '.join(str(full).split())})", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("veernet: interrupted", file=sys.stderr)
        sys.exit(130)


def _worded(message: Warning | str, category: type[Warning], *where: Any) -> str:
    """A warning as the command line shows it: one line, and not where in the code it was raised."""
    if issubclass(category, ArchiveWarning):
        return f"veernet: {' '.join(str(message).split())}\n"
    return _formatted(message, category, *where)


_formatted = warnings.formatwarning

"""Options shared by several commands."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from tyro.conf import arg

from veernet.errors import OptionError

if TYPE_CHECKING:
    import torch

RecipeName = Literal["binary", "multiclass"]
LossName = Literal["BCE", "CrossEntropy", "Focal", "Tversky", "Dice", "FocalTversky", "Lovasz"]

T = TypeVar("T")
FromRecipe = Annotated[T | None, arg(help_behavior_hint="(default: the recipe's)")]

_ENDS = "LEAST GREATEST"
Ends = Annotated[tuple[int, int] | None, arg(metavar=_ENDS, help_behavior_hint="(optional)")]
EndsFromRecipe = Annotated[
    tuple[int, int] | None, arg(metavar=_ENDS, help_behavior_hint="(default: the recipe's)")
]

Repeated = Annotated[tuple[T, ...], arg(help_behavior_hint="(may be given again)")]

PATH = arg(metavar="PATH")
"""Name in the help for a value that is a file or a folder."""

SET = arg(metavar="KEY=VALUE...", help_behavior_hint="(may be given again)")
ARCHIVE = arg(metavar="ARCHIVE")
OPTIONAL_ARCHIVE = arg(metavar="[ARCHIVE]")
ARCHIVES = arg(metavar="ARCHIVE...", help_behavior_hint="(required)")
OUT = arg(metavar="OUT")
RUN = arg(metavar="RUN")
OPTIONAL_RUN = arg(metavar="[RUN]")
SCAN = arg(metavar="SCAN")
SCANS = arg(metavar="SCAN...", help_behavior_hint="(required)")
"""Names in the help for arguments given by position."""


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given: those that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def check_at_least(least: int, **options: int | None) -> None:
    """Check that options, named as in Python, are at least `least`.

    Raises:
        OptionError: one of them is less.
    """
    for name, value in options.items():
        if value is not None and value < least:
            raise OptionError(f"--{name.replace('_', '-')} must be at least {least}; got {value}")


def check_picture(**options: Path | None) -> None:
    """Check that the file names of options have the suffix of a picture.

    Raises:
        OptionError: one of them ends neither in .png nor in .svg.
    """
    for name, path in options.items():
        if path is not None and path.suffix not in (".png", ".svg"):
            raise OptionError(f"--{name} {path}: its name must end in .png or .svg")


def device_of(name: str) -> "torch.device":
    """Return the device named auto, cpu, cuda or cuda:1.

    Raises:
        OptionError: this machine has no such device, or tensors on it hold no numbers (meta).
    """
    import torch  # takes a second, and commands without --device do without

    from veernet import distributed

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = distributed.own_device(torch.device(name))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as absent:
        reason = str(absent).splitlines()[0]
        raise OptionError(f"--device {name}: not on this machine ({reason})") from absent
    if device.type == "meta":
        raise OptionError("--device meta: it holds no numbers; choose cpu or cuda")
    return device

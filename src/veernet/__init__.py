"""VeerNet trains segmentation networks on images of any size, and turns scanned logs into curves.

The batching layer, for a training loop of your own:

    from veernet import Sample, Schedule, Tversky, VeerNet, collate, train_step
"""

from importlib import import_module

TYPE_CHECKING = False  # not from typing, whose import takes longer than this whole module
if TYPE_CHECKING:
    from veernet.data.archive import Archive
    from veernet.data.batch import UNLABELLED, Batch, Sample, collate
    from veernet.data.schedule import Schedule, shard
    from veernet.losses import (
        BCE,
        CrossEntropy,
        Dice,
        Focal,
        FocalTversky,
        Loss,
        Lovasz,
        Tversky,
    )
    from veernet.model import VeerNet, VeerNetConfig
    from veernet.step import StepResult, train_step

    __version__: str

__all__ = [
    "BCE",
    "UNLABELLED",
    "Archive",
    "Batch",
    "CrossEntropy",
    "Dice",
    "Focal",
    "FocalTversky",
    "Loss",
    "Lovasz",
    "Sample",
    "Schedule",
    "StepResult",
    "Tversky",
    "VeerNet",
    "VeerNetConfig",
    "collate",
    "shard",
    "train_step",
]

_HOMES = {
    "veernet.data.archive": ("Archive",),
    "veernet.data.batch": ("UNLABELLED", "Batch", "Sample", "collate"),
    "veernet.data.schedule": ("Schedule", "shard"),
    "veernet.losses": (
        *("BCE", "CrossEntropy", "Dice", "Focal", "FocalTversky", "Loss", "Lovasz", "Tversky"),
    ),
    "veernet.model": ("VeerNetConfig", "VeerNet"),
    "veernet.step": ("StepResult", "train_step"),
}


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that the command line starts before PyTorch loads."""
    if name == "__version__":
        return globals().setdefault(name, _version())
    for home, names in _HOMES.items():
        if name in names:
            return globals().setdefault(name, getattr(import_module(home), name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _version() -> str:
    """Return the installed version; in a checkout that is not installed, that of pyproject.toml."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("veernet")
    except PackageNotFoundError:
        import tomllib
        from pathlib import Path

        pyproject = Path(__file__).parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8")
        return tomllib.loads(pyproject)["project"]["version"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})

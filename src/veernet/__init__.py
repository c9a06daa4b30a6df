"""VeerNet trains segmentation networks on images of any size, and turns scanned logs into curves.

    import veernet

    well = veernet.digitise("well.tif", "well.toml")    # curves by depth
    well.to_las("well.las")

The batching layer, for a training loop of your own:

    from veernet import Sample, Schedule, Tversky, VeerNet, collate, train_step

Every name is imported when it is first used.
"""

from importlib import import_module

TYPE_CHECKING = False  # not from typing, whose import takes longer than this whole module
if TYPE_CHECKING:
    from veernet.data.archive import Archive
    from veernet.data.batch import UNLABELLED, Batch, Sample, collate
    from veernet.data.logs import Log
    from veernet.data.sampler import ScheduleSampler
    from veernet.data.schedule import Schedule, shard
    from veernet.data.split import Split
    from veernet.digitisation.calibration import (
        Calibration,
        Depth,
        read_calibration,
        read_calibrations,
    )
    from veernet.digitisation.edges import ScaleChange
    from veernet.digitisation.files import digitise_file
    from veernet.digitisation.reading import digitise
    from veernet.digitisation.result import Digitisation
    from veernet.digitisation.track import CurveScale, Track
    from veernet.errors import (
        ArchiveError,
        ArchiveWarning,
        BatchError,
        CalibrationError,
        CheckpointError,
        CouplingError,
        ImageError,
        ImageWarning,
        LabelError,
        LasError,
        LeakError,
        OptionError,
        PerImageWarning,
        RunError,
        VeerNetError,
    )
    from veernet.evaluation.evaluate import evaluate
    from veernet.evaluation.summary import summarise
    from veernet.inference import predict
    from veernet.las import LasHeader, read_las
    from veernet.losses import BCE, CrossEntropy, Dice, Focal, FocalTversky, Loss, Lovasz, Tversky
    from veernet.model import VeerNet, VeerNetConfig
    from veernet.nn.seal import seal
    from veernet.step import StepResult, train_step
    from veernet.synth.logs import SynthLogs
    from veernet.synth.opening import open_archive
    from veernet.synth.printed import PrintedLogs
    from veernet.train.trainer import fit
    from veernet.weights import load_weights, save_weights

    __version__: str

__all__ = [
    "BCE",
    "UNLABELLED",
    "Archive",
    "ArchiveError",
    "ArchiveWarning",
    "Batch",
    "BatchError",
    "Calibration",
    "CalibrationError",
    "CheckpointError",
    "CouplingError",
    "CrossEntropy",
    "CurveScale",
    "Depth",
    "Dice",
    "Digitisation",
    "Focal",
    "FocalTversky",
    "ImageError",
    "ImageWarning",
    "LabelError",
    "LasError",
    "LasHeader",
    "LeakError",
    "Log",
    "Loss",
    "Lovasz",
    "OptionError",
    "PerImageWarning",
    "PrintedLogs",
    "RunError",
    "Sample",
    "ScaleChange",
    "Schedule",
    "ScheduleSampler",
    "Split",
    "StepResult",
    "SynthLogs",
    "Track",
    "Tversky",
    "VeerNet",
    "VeerNetConfig",
    "VeerNetError",
    "collate",
    "digitise",
    "digitise_file",
    "evaluate",
    "fit",
    "load_weights",
    "open_archive",
    "predict",
    "read_calibration",
    "read_calibrations",
    "read_las",
    "save_weights",
    "seal",
    "shard",
    "summarise",
    "train_step",
]

_HOMES = {
    "veernet.data.archive": ("Archive",),
    "veernet.data.split": ("Split",),
    "veernet.data.batch": ("UNLABELLED", "Batch", "Sample", "collate"),
    "veernet.data.logs": ("Log",),
    "veernet.data.sampler": ("ScheduleSampler",),
    "veernet.data.schedule": ("Schedule", "shard"),
    "veernet.digitisation.calibration": (
        "Calibration",
        "Depth",
        "read_calibration",
        "read_calibrations",
    ),
    "veernet.digitisation.edges": ("ScaleChange",),
    "veernet.digitisation.files": ("digitise_file",),
    "veernet.digitisation.reading": ("digitise",),
    "veernet.digitisation.result": ("Digitisation",),
    "veernet.digitisation.track": ("CurveScale", "Track"),
    "veernet.errors": (
        "ArchiveError",
        "ArchiveWarning",
        "BatchError",
        "CalibrationError",
        "CheckpointError",
        "CouplingError",
        "ImageError",
        "ImageWarning",
        "LabelError",
        "LasError",
        "LeakError",
        "OptionError",
        "PerImageWarning",
        "RunError",
        "VeerNetError",
    ),
    "veernet.evaluation.evaluate": ("evaluate",),
    "veernet.evaluation.summary": ("summarise",),
    "veernet.inference": ("predict",),
    "veernet.las": ("LasHeader", "read_las"),
    "veernet.losses": (
        "BCE",
        "CrossEntropy",
        "Dice",
        "Focal",
        "FocalTversky",
        "Loss",
        "Lovasz",
        "Tversky",
    ),
    "veernet.model": ("VeerNet", "VeerNetConfig"),
    "veernet.nn.seal": ("seal",),
    "veernet.step": ("StepResult", "train_step"),
    "veernet.synth.logs": ("SynthLogs",),
    "veernet.synth.printed": ("PrintedLogs",),
    "veernet.synth.opening": ("open_archive",),
    "veernet.train.trainer": ("fit",),
    "veernet.weights": ("load_weights", "save_weights"),
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

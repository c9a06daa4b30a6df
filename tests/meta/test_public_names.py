"""What users import stays where it is."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

import veernet


def test_the_public_names():
    assert sorted(veernet.__all__) == [
        "Archive",
        "ArchiveError",
        "ArchiveWarning",
        "BCE",
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
        "UNLABELLED",
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


def test_every_public_name_is_documented():
    for name in veernet.__all__:
        value = getattr(veernet, name)
        assert not callable(value) or (value.__doc__ or "").strip(), name


def test_no_module_has_the_name_of_a_public_thing():
    for name in veernet.__all__:
        assert find_spec(f"veernet.{name}") is None, name


@pytest.mark.parametrize("order", ["{door}; {rooms}", "{rooms}; {door}"])
def test_public_names_are_the_same_in_either_order_of_imports(order):
    """A module of one's name would hide a function once it is imported."""
    rooms = "import veernet.cli.main, veernet.digitisation, veernet.evaluation, veernet.nn"
    door = "import veernet; [getattr(veernet, name) for name in veernet.__all__]"
    check = "assert all(callable(getattr(veernet, name)) for name in ('digitise', 'evaluate'))"
    check += "; assert veernet.seal.__module__ == 'veernet.nn.seal'"
    code = "; ".join([order.format(door=door, rooms=rooms), check])
    subprocess.run([sys.executable, "-c", code], check=True)

"""From a scan to curves by depth, in a LAS file."""

from veernet.digitise.calibration import (
    Calibration,
    CurveScale,
    Depth,
    Track,
    read_calibration,
)
from veernet.digitise.digitise import Digitised, digitise
from veernet.digitise.files import digitise_file
from veernet.digitise.las import write_csv, write_las
from veernet.digitise.propose import Proposal, propose
from veernet.digitise.strip import Strip, cut_strip

__all__ = [
    "Calibration",
    "CurveScale",
    "Depth",
    "Digitised",
    "Proposal",
    "Strip",
    "Track",
    "cut_strip",
    "digitise",
    "digitise_file",
    "propose",
    "read_calibration",
    "write_csv",
    "write_las",
]

"""From a scan to curves by depth, in a LAS file."""

from veernet.digitise.calibration import Calibration, Depth, read_calibration
from veernet.digitise.digitise import Digitised, OffScale, Print, Stretch, digitise
from veernet.digitise.files import Written, digitise_file
from veernet.digitise.las import Header, write_csv, write_las
from veernet.digitise.propose import Proposal, propose
from veernet.digitise.quality import Told, draw_quality, tell
from veernet.digitise.strip import Strip, cut_strip
from veernet.digitise.track import CurveScale, Track

__all__ = [
    "Calibration",
    "CurveScale",
    "Depth",
    "Digitised",
    "Header",
    "OffScale",
    "Print",
    "Proposal",
    "Stretch",
    "Strip",
    "Told",
    "Track",
    "Written",
    "cut_strip",
    "digitise",
    "digitise_file",
    "draw_quality",
    "propose",
    "read_calibration",
    "tell",
    "write_csv",
    "write_las",
]

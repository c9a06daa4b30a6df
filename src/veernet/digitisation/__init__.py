"""From a scan to curves by depth, in a LAS file."""

from veernet.digitisation.calibration import Calibration, Depth, read_calibration
from veernet.digitisation.digitise import Digitised, OffScale, Print, Stretch, digitise
from veernet.digitisation.files import Written, digitise_file
from veernet.digitisation.las import Header, write_csv, write_las
from veernet.digitisation.propose import Proposal, propose
from veernet.digitisation.quality import Told, draw_quality, tell
from veernet.digitisation.strip import Strip, cut_strip
from veernet.digitisation.track import CurveScale, Track

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

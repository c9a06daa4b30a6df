"""Digitise scans: from a scan to curves by depth, in a LAS file."""

from veernet.digitisation.calibration import Calibration, Depth, read_calibration
from veernet.digitisation.files import DigitisedFiles, digitise_file
from veernet.digitisation.propose import Proposal, propose
from veernet.digitisation.quality import CurveSummary, draw_quality, summarise_curves
from veernet.digitisation.reading import OffScale, digitise
from veernet.digitisation.result import Digitisation, Stretch, TrackReading
from veernet.digitisation.strip import Strip, cut_strip
from veernet.digitisation.track import CurveScale, Track

__all__ = [
    "Calibration",
    "CurveScale",
    "CurveSummary",
    "Depth",
    "Digitisation",
    "DigitisedFiles",
    "OffScale",
    "Proposal",
    "Stretch",
    "Strip",
    "Track",
    "TrackReading",
    "cut_strip",
    "digitise",
    "digitise_file",
    "draw_quality",
    "propose",
    "read_calibration",
    "summarise_curves",
]

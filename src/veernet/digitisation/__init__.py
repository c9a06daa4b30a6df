"""Digitise scans: from a scan to curves by depth, in a LAS file."""

from veernet.digitisation.calibration import (
    Calibration,
    Depth,
    read_calibration,
    read_calibrations,
)
from veernet.digitisation.edges import ScaleChange
from veernet.digitisation.files import DigitisedFiles, SectionFiles, digitise_file
from veernet.digitisation.origin import Origin, Source
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
    "Origin",
    "Proposal",
    "ScaleChange",
    "SectionFiles",
    "Source",
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
    "read_calibrations",
    "summarise_curves",
]

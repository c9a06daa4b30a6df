"""Labels for real scans: from LAS files, index masks and polylines."""

from veernet.label.lines import PolylineLabels
from veernet.label.scans import ImportSummary, Labeller, import_scans
from veernet.label.sources import LasLabels, MaskLabels

__all__ = [
    "ImportSummary",
    "Labeller",
    "LasLabels",
    "MaskLabels",
    "PolylineLabels",
    "import_scans",
]

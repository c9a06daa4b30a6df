"""Labels for real scans: from LAS files, index masks and polylines."""

from veernet.label.lines import PolylineLabels
from veernet.label.scans import Imported, Labeller, import_scans
from veernet.label.sources import LasLabels, MaskLabels

__all__ = [
    "Imported",
    "Labeller",
    "LasLabels",
    "MaskLabels",
    "PolylineLabels",
    "import_scans",
]

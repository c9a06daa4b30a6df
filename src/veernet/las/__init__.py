"""LAS files as they come from the field: one reader, tolerant and linear in time; one writer."""

from veernet.las.depth import FEET, Unit
from veernet.las.header import OWN, Item
from veernet.las.reading import Las, WellHeader, read_header, read_las
from veernet.las.text import MAX_BYTES
from veernet.las.writing import NULL, LasCurve, LasHeader, write_las

__all__ = [
    "FEET",
    "MAX_BYTES",
    "NULL",
    "OWN",
    "Item",
    "Las",
    "LasCurve",
    "LasHeader",
    "Unit",
    "WellHeader",
    "read_header",
    "read_las",
    "write_las",
]

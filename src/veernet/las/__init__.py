"""LAS files as they come from the field: one reader, tolerant and linear in the size of a file."""

from veernet.las.depth import FEET, Unit
from veernet.las.header import OWN, Item
from veernet.las.reading import Las, WellHeader, read_header, read_las
from veernet.las.text import MAX_BYTES

__all__ = [
    "FEET",
    "MAX_BYTES",
    "OWN",
    "Item",
    "Las",
    "Unit",
    "WellHeader",
    "read_header",
    "read_las",
]

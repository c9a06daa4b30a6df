from os import PathLike
from typing import Any

from numpy import dtype, ndarray

def load_file(filename: str | PathLike[str]) -> dict[str, ndarray[Any, dtype[Any]]]: ...

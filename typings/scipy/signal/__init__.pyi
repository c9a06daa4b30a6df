# The part of SciPy that is used here: it publishes no types.
from typing import Any

from numpy import dtype, float64, int64, ndarray

_Reals = ndarray[Any, dtype[Any]]
_Floats = ndarray[Any, dtype[float64]]

def correlate(in1: _Reals, in2: _Reals, *, method: str) -> _Floats: ...
def find_peaks(
    x: _Reals, *, height: float | None = ..., prominence: float | None = ...
) -> tuple[ndarray[Any, dtype[int64]], dict[str, Any]]: ...
def peak_widths(
    x: _Reals, peaks: _Reals, rel_height: float
) -> tuple[_Floats, _Floats, _Floats, _Floats]: ...

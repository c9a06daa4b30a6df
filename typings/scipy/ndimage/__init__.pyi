# The part of SciPy that is used here: it publishes no types.
from typing import Any

from numpy import dtype, float64, ndarray

_Reals = ndarray[Any, dtype[Any]]

def gaussian_filter1d(input: _Reals, sigma: float) -> ndarray[Any, dtype[float64]]: ...
def uniform_filter1d(input: _Reals, size: int) -> ndarray[Any, dtype[float64]]: ...

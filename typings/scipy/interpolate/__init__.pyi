# The part of SciPy that is used here: it publishes no types.
from typing import Any

from numpy import dtype, float64, ndarray

_Reals = ndarray[Any, dtype[Any]]

class PchipInterpolator:
    def __init__(self, x: _Reals, y: _Reals, *, extrapolate: bool | None = ...) -> None: ...
    def __call__(self, x: _Reals) -> ndarray[Any, dtype[float64]]: ...

class Akima1DInterpolator:
    def __init__(self, x: _Reals, y: _Reals) -> None: ...
    def __call__(self, x: _Reals) -> ndarray[Any, dtype[float64]]: ...

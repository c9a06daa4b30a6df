from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any, overload

from matplotlib.axes import Axes
from numpy import dtype, ndarray

class Figure:
    def __init__(self, *, figsize: tuple[float, float], layout: str) -> None: ...
    @overload
    def subplots(self) -> Axes: ...
    @overload
    def subplots(
        self, nrows: int, ncols: int, *, width_ratios: Sequence[float] = ...
    ) -> ndarray[Any, dtype[Any]]: ...
    def savefig(
        self,
        fname: StringIO | Path,
        *,
        format: str = ...,
        dpi: float = ...,
        metadata: dict[str, Any] = ...,
    ) -> None: ...

"""What VeerNet uses of pandas."""

from collections.abc import Mapping
from typing import Any

from numpy import ndarray

class Index:
    name: str
    def __init__(self, data: ndarray, *, name: str) -> None: ...
    def __array__(self) -> ndarray: ...

class DataFrame:
    index: Index
    columns: Any
    def __init__(self, data: Mapping[str, ndarray], *, index: Index) -> None: ...
    def __getitem__(self, name: str) -> Any: ...
    def describe(self) -> DataFrame: ...
    @property
    def plot(self) -> Any: ...

# The part of lasio that is used here: it publishes no types.
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from lasio import reader as reader
from numpy import dtype, ndarray

_Values: TypeAlias = ndarray[Any, dtype[Any]]  # texts where a column holds any

class HeaderItem:
    mnemonic: str
    unit: str
    value: str | float
    descr: str
    def __init__(
        self, mnemonic: str = ..., unit: str = ..., value: str | float = ..., descr: str = ...
    ) -> None: ...

class SectionItems:
    def __iter__(self) -> Iterator[HeaderItem]: ...
    def __contains__(self, testitem: object) -> bool: ...
    def __getattr__(self, key: str) -> HeaderItem: ...
    def __getitem__(self, key: str | int) -> HeaderItem: ...
    def __setitem__(self, key: str, newitem: HeaderItem) -> None: ...

class LASFile:
    other: str
    @property
    def version(self) -> SectionItems: ...
    @property
    def well(self) -> SectionItems: ...
    @property
    def curves(self) -> SectionItems: ...
    @property
    def params(self) -> SectionItems: ...
    @property
    def index(self) -> _Values: ...
    index_unit: str | None
    def keys(self) -> list[str]: ...
    def __getitem__(self, key: str) -> _Values: ...
    def append_curve(
        self,
        mnemonic: str,
        data: Sequence[float] | _Values,
        unit: str = ...,
        descr: str = ...,
        value: str = ...,
    ) -> None: ...
    def write(
        self,
        file_ref: str | TextIO,
        *,
        version: float = ...,
        fmt: str = ...,
        STEP: float = ...,
    ) -> None: ...

def read(
    file_ref: str | Path, *, ignore_header_errors: bool = ..., engine: str = ...
) -> LASFile: ...

from os import PathLike

from torch import Tensor

def save(tensors: dict[str, Tensor], metadata: dict[str, str] | None = ...) -> bytes: ...
def load_file(filename: str | PathLike[str]) -> dict[str, Tensor]: ...
def save_file(
    tensors: dict[str, Tensor],
    filename: str | PathLike[str],
    metadata: dict[str, str] | None = ...,
) -> None: ...

"""Processes that train together. One process is the trivial case, not a special one."""

import hashlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

# The first optimizer imports this module, whose functions take the group of all processes as a
# default. Imported after the group exists they would hold it for ever, and gloo's threads, which
# may then outlive the interpreter, abort the process at its end.
import torch.distributed.nn.functional  # pyright: ignore[reportUnusedImport]
from torch import Tensor, nn
from torch.distributed import PrefixStore, rendezvous  # pyright: ignore[reportPrivateImportUsage, reportUnknownVariableType]

from veernet.errors import RunError

T = TypeVar("T")

_ALONE = ContextVar("alone", default=False)

TIMEOUT = timedelta(days=1)
"""Longest wait of processes for one another: the first one may draw an archive meanwhile."""


@contextmanager
def process_group(device: torch.device) -> Generator[None]:
    """Join the processes that `torchrun` launched, and leave them at the end of the block.

    Does nothing where `torchrun` launched none, or where they are joined already.

    Raises:
        RunError: another process ended before this one was done, or never came.
    """
    if not launched() or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    _init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    except RuntimeError as lost:
        if "gloo/transport" not in str(lost):
            raise
        raise RunError("another process of this run ended; its own message says why") from lost
    finally:
        dist.destroy_process_group()


def _init_process_group(backend: str) -> None:
    """Connect to the other processes. After a restart the agent's store still holds the addresses
    of the processes before it, so every start has a prefix of its own there."""
    try:
        store, number, several = next(rendezvous("env://", timeout=TIMEOUT))
        store = PrefixStore(f"start {restarts()}", store)
        dist.init_process_group(
            backend, store=store, rank=number, world_size=several, timeout=TIMEOUT
        )
    except RuntimeError as lost:
        raise RunError(f"the processes of this run did not find each other ({lost})") from lost


def launched() -> bool:
    """Return whether `torchrun` started this process."""
    return dist.is_torchelastic_launched()


def own_device(device: torch.device) -> torch.device:
    """Return this process's GPU if `device` is "cuda" without a number; else `device` itself."""
    if str(device) != "cuda" or not launched():
        return device
    return torch.device("cuda", int(os.environ["LOCAL_RANK"]))


@contextmanager
def single_process() -> Generator[None]:
    """Have this process act as the only one while the block runs."""
    token = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(token)


def _are_several() -> bool:
    return dist.is_initialized() and not _ALONE.get()


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if _are_several() else 0


def world_size() -> int:
    """The number of processes that train together."""
    return dist.get_world_size() if _are_several() else 1


def restarts() -> int:
    """Number of times `torchrun` has restarted the processes after one of them was lost."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def all_gather(value: T) -> list[T]:
    """Return the value of every process, by rank; of any type that can be pickled."""
    everyone = [value] * world_size()
    if _are_several():
        dist.all_gather_object(everyone, value)  # pyright: ignore[reportUnknownMemberType]: untyped in torch
    return everyone


def any_rank(*flags: bool) -> tuple[bool, ...]:
    """Return, for each flag, whether it is set in any process."""
    return tuple(any(flag) for flag in zip(*all_gather(flags), strict=True))


def min_over_ranks(value: int | None) -> int | None:
    """Return the least of the processes' values, None left out; None if all are None."""
    return min((held for held in all_gather(value) if held is not None), default=None)


def raise_on_all_ranks(do: Callable[[], T]) -> T:
    """Call `do` in every process and return its result; if it fails in one, raise in all.

    Raises:
        RunError: it failed in another process; with the message of the first of those.
    """
    try:
        done, failed = do(), None
    except Exception as error:
        done, failed = None, error
    everyone = all_gather(failed and (str(failed) or type(failed).__name__))
    if failed is not None:
        raise failed
    for number, text in enumerate(everyone):
        if text is not None:
            raise RunError(f"process {number}: {text}")
    return done  # pyright: ignore[reportReturnType]: `do` returned it


def on_rank0(do: Callable[[], T]) -> T:
    """Call `do` in process 0 while the others wait, and return its result in all of them; if it
    fails, raise in all."""
    return all_gather(raise_on_all_ranks(do if rank() == 0 else lambda: None))[0]  # pyright: ignore[reportReturnType]


def assert_equal_on_ranks(things: Mapping[str, Any]) -> None:
    """Check that every process holds the same things: numbers, text, tensors, and nests of them.

    Raises:
        RunError: some differ, in every process; it names them, and the processes.
    """
    everyone = all_gather({name: digest(thing) for name, thing in things.items()})
    unequal: list[str] = []
    for name in things:
        others = [i for i, them in enumerate(everyone) if them[name] != everyone[0][name]]
        if others:
            unequal.append(f"{name} of rank {', '.join(map(str, others))}")
    if unequal:
        raise RunError(
            f"the processes of this run differ: {'; '.join(unequal)}, from those of rank 0"
        )


def digest(thing: Any) -> str:
    """A digest of a nest of dictionaries, lists, numbers, text, and tensors by their bytes."""
    sha = hashlib.sha256()
    for part in _parts(thing):
        sha.update(part)
    return sha.hexdigest()


def _parts(thing: Any) -> Iterator[bytes]:
    nest: Tensor | dict[Any, Any] | list[Any] | tuple[Any, ...] | str | float = thing
    match nest:
        case Tensor():
            yield f"{nest.dtype}{tuple(nest.shape)}".encode()
            yield nest.detach().cpu().flatten().view(torch.uint8).numpy().tobytes()
        case dict():
            yield from _parts([list(nest), list(nest.values())])
        case list() | tuple():
            yield f"{len(nest)}[".encode()
            for item in nest:
                yield from _parts(item)
        case _:
            yield f"{nest!r},".encode()


def sum_over_ranks(x: Tensor) -> Tensor:
    """Sum `x` over all processes, in place; returns it."""
    if _are_several():
        dist.all_reduce(x)  # pyright: ignore[reportUnknownMemberType]: untyped in torch
    return x


@torch.no_grad()
def sum_gradients_(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its sum over all processes; one without gradients adds zero.

    A parameter that has a gradient in no process has none afterwards: the optimizer skips it, as
    it would in one process.
    """
    if not _are_several():
        return
    trained = [p for p in parameters if p.requires_grad]
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
    holders = grads[0].new_tensor([p.grad is not None for p in trained])
    *flat, holders = torch.split(
        sum_over_ranks(torch.cat([*(g.flatten() for g in grads), holders])),
        [*(g.numel() for g in grads), len(trained)],
    )
    have = [*map(bool, holders.tolist())]  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]: untyped in torch
    for p, part, held in zip(trained, flat, have, strict=True):
        p.grad = part.view_as(p).to(p.dtype) if held else None

"""Estimate the memory that a training step needs without running it; measure it while it runs.

The estimate runs the training step itself on fake tensors, which have shapes and no data, and
counts what PyTorch allocates for every operation. The workspace that an operation takes for itself
is measured by running that operation once.
"""

import ctypes
import weakref
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import Node
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from veernet import distributed
from veernet.data.batch import Batch
from veernet.memory.system import PeakMemory
from veernet.model import ActivationCheckpointing, VeerNet
from veernet.nn.tiles import TILE_COLUMNS
from veernet.step import train_step
from veernet.training import Training

CPU = torch.device("cpu")

ALLOCATOR_SLACK = 32 << 20
"""Overhead of the CPU allocator in blocks under 1 MiB, bytes: 5 to 80 MiB were measured."""

TRACED_WIDTH = 2 * TILE_COLUMNS
"""Greatest width of an image that is traced at its own width, px."""

LOSS = "loss, optimizer"
"""Name of the stage for everything outside the parts of the network."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Memory of one part of a step, bytes.

    peak:      peak of the whole step while this part is at work
    kept:      activations made in the forward pass and alive when the backward pass begins
    temporary: most that is alive beyond all kept activations, forward or backward
    workspace: largest workspace of its operations
    """

    name: str
    peak: int
    kept: int
    temporary: int
    workspace: int


PARTS = "peak", "kept", "temporary", "workspace"
"""Fields of a stage that hold bytes."""


@dataclass(frozen=True, kw_only=True)
class MemoryEstimate:
    """Memory that a training step needs beyond its batch on the host, bytes.

    persistent:      weights and optimizer state, which stay after the step
    allocator_slack: overhead of the allocator in small blocks
    stages:          memory of every part of the step
    """

    persistent: int
    allocator_slack: int
    stages: tuple[Stage, ...]

    @property
    def peak(self) -> int:
        """Peak at any time of the step."""
        return max(stage.peak for stage in self.stages) + self.allocator_slack

    def extrapolate(self, far: "MemoryEstimate", distance: float) -> "MemoryEstimate":
        """Extrapolate linearly through `self` (distance 0) and `far` (distance 1) to `distance`."""

        def line(a: int, b: int) -> int:
            return max(0, round(a + distance * (b - a)))

        stages = [
            Stage(name=a.name, **{what: line(getattr(a, what), getattr(b, what)) for what in PARTS})
            for a, b in zip(self.stages, far.stages, strict=True)
        ]
        return replace(self, stages=tuple(stages))


def estimate_step(
    training: Training,
    size: tuple[int, int],
    images: int = 1,
    *,
    activation_checkpointing: ActivationCheckpointing = "none",
    workspaces: bool = True,
) -> MemoryEstimate:
    """Estimate a step on one micro-batch of `images` images of one `size`, (h, w) px.

    An image wider than `TRACED_WIDTH` is extrapolated linearly from two narrower ones.

    Args:
        workspaces: add the workspaces and allocator slack of a CPU, measured on this machine; they
            are exact after `configure_allocator` and before the first step of a process.
    """
    h, w = size
    if w <= TRACED_WIDTH:
        return _traced(training, size, images, activation_checkpointing, workspaces)
    near, far = (
        _traced(training, (h, part), images, activation_checkpointing, workspaces)
        for part in (TRACED_WIDTH // 2, TRACED_WIDTH)
    )
    return near.extrapolate(far, (w - TRACED_WIDTH // 2) / (TRACED_WIDTH // 2))


@cache
def _traced(
    training: Training,
    size: tuple[int, int],
    images: int,
    activation_checkpointing: ActivationCheckpointing,
    workspaces: bool,
) -> MemoryEstimate:
    with torch.random.fork_rng(devices=[]):  # pyright: ignore[reportUnknownMemberType]: untyped in torch
        model = VeerNet(training.network).to(training.dtype)
    model.activation_checkpointing = activation_checkpointing
    sizes = torch.tensor([size] * images)
    _make_fake(model, fakes := FakeTensorMode())
    with fakes:
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)  # one call to trace
        image = torch.zeros((images, 1, *size), dtype=torch.uint8)
        target, labelled = torch.zeros_like(image[:, 0]), (1,) * images
        batch = Batch(image=image, target=target, sizes=sizes, n_classes=labelled)
        _give_state(optimizer)
        with _stages(model) as stages, _AllocationTracer(model, optimizer, stages) as ledger:
            loss, autocast = training.loss, training.autocast
            with distributed.single_process():  # the others wait for what one of them finds
                train_step(model, optimizer, loss, [batch], device=CPU, autocast=autocast)
    return ledger.estimate(workspaces=workspaces)


def _make_fake(model: nn.Module, fakes: FakeTensorMode) -> None:
    for module in model.modules():
        for name, p in [*module.named_parameters(recurse=False)]:
            module.register_parameter(name, nn.Parameter(fakes.from_tensor(p.detach())))


def _give_state(optimizer: torch.optim.Optimizer) -> None:
    """Make the optimizer allocate the state that it holds from its first step on."""
    for p in optimizer.param_groups[0]["params"]:
        p.grad = torch.zeros_like(p)
    optimizer.step()
    optimizer.zero_grad()


@contextmanager
def _stages(model: nn.Module) -> Generator[list[str]]:
    """Track which part of a network is at work: the last item of the list is its name, such as stem
    or down.0, and "" for the network itself.

    The part to which an operation of the backward pass belongs is written on its graph node.
    """
    at_work: list[str] = []

    def enter(name: str, *_: Any) -> None:
        at_work.append(name)

    def leave(name: str, _: nn.Module, __: Any, result: Any) -> None:
        at_work.pop()
        waiting = [x.grad_fn for x in tree_leaves(result) if isinstance(x, Tensor)]
        while waiting:
            node = waiting.pop()
            if node is not None and "stage" not in _about(node):
                _about(node)["stage"] = name
                waiting += [before for before, _ in node.next_functions]

    hooks: list[Any] = []
    modules = cast(Iterable[tuple[str, Any]], model.named_modules())
    for name, module in modules:
        first, *rest = name.split(".")[:2]
        stage = ".".join([first, *(word for word in rest if word.isdigit())])
        hooks.append(module.register_forward_pre_hook(partial(enter, stage)))
        hooks.append(module.register_forward_hook(partial(leave, stage), always_call=True))
    try:
        yield at_work
    finally:
        for hook in hooks:
            hook.remove()


def _about(node: Node) -> dict[str, str]:
    return cast(Any, node).metadata  # no method, as its stub says


class _Call(NamedTuple):
    """Operation: the stage it belongs to, the function, and its arguments with shapes for
    tensors."""

    stage: str
    func: Any
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Block of memory that one tensor or several share."""

    nbytes: int
    stage: str


class _AllocationTracer(TorchDispatchMode):
    """Record what every operation allocates, and what is freed."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, at_work: list[str]):
        super().__init__()  # pyright: ignore[reportUnknownMemberType]: untyped in torch
        self.at_work = at_work
        self.alive: dict[int, tuple[_Block, weakref.ref[Any]]] = {}
        self.events: list[_Block | _Call] = []
        for x in _tensors([*model.parameters(), *optimizer.state.values()]):
            self._book(x)
        self.before = {block for block, _ in self.alive.values()}
        self.events.clear()
        model.register_forward_hook(self._turn)

    def _turn(self, *_: Any) -> None:
        """Record the kept activations as the backward pass begins."""
        self.kept = {block for block, _ in self.alive.values()} - self.before

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.ops.prim.device.default:
            return args[0].fake_device
        if func is torch.ops.aten._local_scalar_dense.default:
            return 1  # a step reads its weight, and whether its gradient is finite
        result = func(*args, **(kwargs or {}))
        for x in _tensors(result):
            self._book(x)
        self.events.append(_Call(self._stage(), func, _known(args) if func in CONVOLUTIONS else ()))
        return result

    def _stage(self) -> str:
        if self.at_work:
            return self.at_work[-1]
        node = torch._C._current_autograd_node()  # pyright: ignore[reportPrivateUsage]
        return _about(node).get("stage", LOSS) if node else LOSS

    def _book(self, x: Tensor) -> None:
        storage = x.untyped_storage()
        key = storage._cdata  # pyright: ignore[reportPrivateUsage]
        if key not in self.alive and storage.nbytes():
            block = _Block(storage.nbytes(), self._stage())
            self.alive[key] = block, weakref.ref(storage, lambda _: self._free(key))
            self.events.append(block)

    def _free(self, key: int) -> None:
        block, _ = self.alive.pop(key)
        self.events.append(block)  # a block's second event frees it

    def estimate(self, *, workspaces: bool) -> MemoryEstimate:
        """Add up the recorded events to the estimate of the step."""
        alive = set(self.before)
        persistent = total = sum(block.nbytes for block in alive)
        kept_now = 0
        peak, kept, temporary, workspace = (Counter[str]() for _ in PARTS)
        for block in self.kept:
            kept[block.stage] += block.nbytes
        for event in self.events:
            if isinstance(event, _Block):
                change = -event.nbytes if event in alive else event.nbytes
                alive ^= {event}
                total += change
                kept_now += change if event in self.kept else 0
                continue
            extra = _workspace(event.func, event.args) if workspaces else 0
            peak[event.stage] = max(peak[event.stage], total + extra)
            temporary[event.stage] = max(temporary[event.stage], total - persistent - kept_now)
            workspace[event.stage] = max(workspace[event.stage], extra)
        stages = [
            Stage(
                name=name,
                peak=peak[name],
                kept=kept[name],
                temporary=temporary[name],
                workspace=workspace[name],
            )
            for name in peak
        ]
        return MemoryEstimate(
            persistent=persistent,
            allocator_slack=ALLOCATOR_SLACK if workspaces else 0,
            stages=tuple(stages),
        )


class _Shape(NamedTuple):
    """Shape and dtype of a tensor."""

    sides: tuple[int, ...]
    dtype: torch.dtype


def _tensors(values: Any) -> list[Tensor]:
    return [x for x in tree_leaves(values) if isinstance(x, Tensor)]


def _known(arg: Any) -> Any:
    """Describe an argument: shapes for tensors, and tuples for lists."""
    match arg:
        case Tensor():
            return _Shape(tuple(arg.shape), arg.dtype)
        case tuple() | list():
            return tuple(map(_known, cast(Iterable[Any], arg)))
        case _:
            return arg


def _real(arg: Any) -> Any:
    """Make an argument to call an operation with, from its description."""
    match arg:
        case _Shape(sides, dtype):
            layout = torch.channels_last if len(sides) == 4 else torch.contiguous_format
            return torch.empty(sides, dtype=dtype, memory_format=layout)
        case tuple():
            return [*arg]
        case _:
            return arg


CONVOLUTIONS = torch.ops.aten.convolution.default, torch.ops.aten.convolution_backward.default


@cache
def _workspace(func: Any, args: tuple[Any, ...]) -> int:
    """Measure the workspace that an operation takes on a CPU, bytes; only convolutions have one."""
    if func not in CONVOLUTIONS:
        return 0
    real = [_real(arg) for arg in args]
    return max(0, min(_taken(func, real) for _ in range(2)))  # the first call compiles code


def _taken(func: Any, args: list[Any]) -> int:
    """Measure the peak memory of a call beyond its results, bytes."""
    with _small_pages():
        watch = PeakMemory(CPU)
        result = func(*args)
        return watch.peak() - sum(x.nbytes for x in _tensors(result))


@contextmanager
def _small_pages() -> Generator[None]:
    """Use pages of 4 KiB in the block, for a finer measurement, where Linux allows it."""
    set_thp_disable = 41
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(set_thp_disable, 1, 0, 0, 0)
    try:
        yield
    finally:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(set_thp_disable, 0, 0, 0, 0)

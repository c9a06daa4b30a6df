"""Sealing a network: making its results independent of padding."""

import threading
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]
from torch.nn.modules.instancenorm import _InstanceNorm  # pyright: ignore[reportPrivateUsage]
from torch.overrides import TorchFunctionMode

from veernet.errors import CouplingError, LeakError, PerImageWarning
from veernet.nn import rules as _rules  # noqa: F401  # pyright: ignore[reportUnusedImport]
from veernet.nn.extent import Extent
from veernet.nn.norm import group_norm
from veernet.nn.outcome import on_canvas, together
from veernet.nn.padded import NoSides, place_on, version_of
from veernet.nn.side import refusals

Model = TypeVar("Model", bound=nn.Module)


def seal(model: Model) -> Model:
    """Make a network independent of padding, in place; then call it as

        logits = model(images, sizes)

    >>> model = seal(torch.nn.Conv2d(1, 1, 3, padding=1))
    >>> image = torch.rand(1, 1, 20, 30)
    >>> canvas = torch.nn.functional.pad(image, (0, 50, 0, 40))
    >>> alone, padded = model(image), model(canvas, torch.tensor([[20, 30]]))
    >>> torch.allclose(padded[..., :20, :30], alone)
    True

    with images on one canvas, each in its top left corner, and `sizes` (B, 2) their heights and
    widths. What it gives for an image, and the gradient, are those of that image alone, in the top
    left corner of every tensor of the result; elsewhere the result means nothing. Parameters,
    buffers and the keys of `state_dict` stay as they are. Without `sizes`, or where nothing is
    padded, the model runs as it is, and layers that couple the images of such a batch are not
    detected, except norms.

    A padded batch is computed in one pass, every layer by a rule that keeps the padding out:
    convolutions, transposed ones included, group, instance and layer norm, batch norm when
    evaluating, pooling, interpolation, attention, activations, dropout, and sums, products and
    concatenations of features. Where a network calls a function without a rule, or branches on
    sizes that differ, the images of that batch are computed one after the other: the result is the
    same, the time is not, and the first such batch gives the reason in a `PerImageWarning`. Dropout
    draws random numbers for the whole canvas, so that in training they depend on the batch.
    Functions compiled by `torch.jit` are not inspected: one that uses the canvas's size is not
    detected where that size is the same for all images.

    Raises:
        CouplingError: a layer joins the images of a batch: batch norm in training.
        LeakError: `forward` was replaced or compiled, which would bypass the seal; or, when
            called, the results of the images do not fit one batch.
    """
    _refuse_bypass(model)
    _refuse_coupling(model)
    if not isinstance(model, _Sealed):
        model.__class__ = _sealed(type(model))
    return model


class _Sealed:
    """Base class that a sealed model's class puts before its own.

    It overrides `__call__`, so that hooks see the same tensors as the layers.
    """

    def __call__(self, images: Any, sizes: Any = None, *more: Any, **named: Any) -> Any:
        run = cast(Callable[..., Any], super().__call__)  # pyright: ignore
        if getattr(_here, "inside", False):  # a sealed network around this one is running
            given = (sizes, *more) if sizes is not None or more else ()
            return run(images, *given, **named)
        if more or named:
            raise TypeError(f"a sealed network takes images and sizes; got {more} {named} besides")
        model = cast(nn.Module, self)
        _refuse_coupling(model)  # `train()` may have been called since
        with _running():
            return _outcome(model, run, images, Extent.of(images, sizes))

    def forward(self, images: Any, sizes: Any = None, *more: Any, **named: Any) -> Any:
        own = cast(Callable[..., Any], super().forward)  # pyright: ignore
        if not getattr(_here, "inside", False):
            return self(images, sizes, *more, **named)
        given = (sizes, *more) if sizes is not None or more else ()
        return own(images, *given, **named)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Pickle the network as its own class has it, to be sealed again: no file of Python has the
        class of a sealed one."""
        plain: Any = object.__new__(cast(Any, type(self).__bases__[-1]))
        plain.__dict__.update(self.__dict__)
        return _sealed_again, (plain,)


def _sealed_again(model: nn.Module) -> nn.Module:
    model.__class__ = _sealed(type(model))
    return model


_here = threading.local()


@contextmanager
def _running() -> Generator[None]:
    """Run sealed networks inside a sealed network as plain layers."""
    _here.inside = True
    try:
        yield
    finally:
        _here.inside = False


def _outcome(model: nn.Module, run: Callable[[Tensor], Any], images: Tensor, extent: Extent) -> Any:
    """Compute the result of a batch: unpadded, in one pass by the rules, or image by image."""
    if not extent.padded:
        with _ExactNorms():
            return run(images)
    reason, before = "", _State.of(model)
    if len(extent.sizes) > 1:
        try:
            with NoSides(), refusals() as caught:
                result = on_canvas(run(place_on(images, extent)))
            if not caught:
                return result
            reason = f"the model: {caught[0]}"
        except Exception as failed:  # of any kind: each image alone may not raise it
            if isinstance(failed, CouplingError) or is_out_of_memory(failed):
                raise
            reason = _located(failed, model)
        before.restore(model)
    result = None
    # Here the error is gone, and with it the frames that hold the features.
    with _ExactNorms():
        result = together([*_one_by_one(run, images, extent)], extent)
    if reason:
        _warn_once(model, reason)
    return result


@dataclass(frozen=True)
class _State:
    """Attributes of a network's modules, and version counters of its buffers."""

    attributes: list[dict[str, Any]]
    versions: list[int]

    @staticmethod
    def of(model: nn.Module) -> "_State":
        return _State(
            [{**vars(layer)} for layer in model.modules()],
            [*map(version_of, model.buffers())],
        )

    def restore(self, model: nn.Module) -> None:
        """Undo the changes of a failed attempt to the modules' attributes.

        Raises:
            CouplingError: the attempt wrote to a buffer.
        """
        for layer, attributes in zip(model.modules(), self.attributes, strict=True):
            vars(layer).clear()
            vars(layer).update(attributes)
        if [*map(version_of, model.buffers())] != self.versions:
            raise CouplingError(
                "the network writes to its buffers as it runs, so that its result depends on the "
                "images before; model.eval() may stop it"
            )


def _one_by_one(run: Callable[[Tensor], Any], images: Tensor, extent: Extent) -> Iterator[Any]:
    """Yield the result of each image as a batch of one, in memory of its own."""
    last = images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
    layout = torch.channels_last if last else torch.contiguous_format
    each = zip(torch.split(images, 1), extent.sizes, strict=True)
    for number, (image, (h, w)) in enumerate(each):
        try:
            yield run(image[:, :, :h, :w].clone(memory_format=layout))
        except Exception as error:
            error.add_note(f"on image {number} of the batch, {h} × {w} px, alone")
            raise


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on a GPU or a CPU."""
    return (
        isinstance(error, MemoryError | torch.OutOfMemoryError)
        or "DefaultCPUAllocator: can't allocate memory" in str(error)  # torch on a CPU
    )


class _ExactNorms(TorchFunctionMode):
    """Normalises as exactly as the rules for padded features do, while entered.

    Torch's own group norm of channels-last features computes the variance from a mean of squares:
    in float32 it loses a factor (mean / deviation)^2 of precision. Its instance norm of one image
    has a wrong gradient where the incoming gradient is channels-last. The gradient of an image
    would differ between alone and on a canvas.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if name == "group_norm" and _lies_channels_last(*args, **kwargs):
            return _group_norm(*args, **kwargs)
        result = func(*args, **kwargs)
        if name == "instance_norm" and result.requires_grad and result.ndim == 4:
            result.register_hook(Tensor.contiguous)
        return result


def _group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Tensor:
    return group_norm(input, num_groups, weight, bias, eps=eps)


def _lies_channels_last(input: Any, *_: Any, **__: Any) -> bool:
    last = torch.channels_last
    return input.ndim == 4 and input.is_contiguous(memory_format=last) and not input.is_contiguous()


@cache
def _sealed(cls: type) -> type:
    return type(f"Sealed{cls.__name__}", (_Sealed, cls), {"__doc__": cls.__doc__})


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield name and module of every module of a model, itself included."""
    yield from model.named_modules()  # torch leaves it untyped


def _refuse_bypass(model: nn.Module) -> None:
    for name, layer in _layers(model):
        inner = dict(layer.named_children())
        if getattr(layer, "_compiled_call_impl", None) or "_orig_mod" in inner:
            raise LeakError(
                f"{name or 'the model'} ({type(layer).__name__}) is compiled; seal the model "
                "first, and compile it then"
            )
    if "forward" in vars(model):
        raise LeakError(
            f"the model ({type(model).__name__}): its `forward` was replaced on the instance, "
            "which would pass the seal by; seal it first, and wrap `forward` then"
        )


def _refuse_coupling(model: nn.Module) -> None:
    for name, layer in _layers(model):
        batch = isinstance(layer, _BatchNorm) and (layer.training or layer.running_mean is None)
        running = isinstance(layer, _InstanceNorm) and layer.training and layer.track_running_stats
        if batch or running:
            raise CouplingError(
                f"{name or 'the model'}: {type(layer).__name__} in training couples the images of "
                "a batch; use GroupNorm, or model.eval()"
            )


def _warn_once(model: nn.Module, reason: str) -> None:
    if "_warned_per_image" in vars(model):
        return
    warnings.warn(
        f"{reason}; so the images of a padded batch are worked on one after the other, which is "
        "right, and slower than together (said once)",
        PerImageWarning,
        stacklevel=4,
    )
    vars(model)["_warned_per_image"] = True


def _located(failed: Exception, model: nn.Module) -> str:
    """Return the message of an error, after the name of the innermost module it came from."""
    kind = "" if isinstance(failed, LeakError) else f"{type(failed).__name__}: "
    message = kind + " ".join(str(failed).split())[:300]
    names = {id(layer): name for name, layer in _layers(model)}
    for frame, _ in reversed(list(traceback.walk_tb(failed.__traceback__))):
        name = names.get(id(frame.f_locals.get("self")))
        if name:
            return f"{name} ({type(frame.f_locals['self']).__name__}): {message}"
    return f"the model: {message}"

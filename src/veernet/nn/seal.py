"""Networks of one's own, made blind to padding."""

import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]
from torch.nn.modules.instancenorm import _InstanceNorm  # pyright: ignore[reportPrivateUsage]
from torch.overrides import TorchFunctionMode

from veernet.errors import CouplingError, LeakError, PerImageWarning
from veernet.nn import rules as _rules  # noqa: F401  # pyright: ignore[reportUnusedImport]
from veernet.nn.extent import Extent
from veernet.nn.norm import group_norm
from veernet.nn.outcome import on_canvas, together
from veernet.nn.padded import NoSides, Padded, padded
from veernet.nn.side import refusals

Model = TypeVar("Model", bound=nn.Module)


def seal(model: Model) -> Model:
    """Make a network independent of padding, in place; then call it as

        logits = model(images, sizes)

    with images on one canvas, each in its top left corner, and `sizes` (B, 2) their heights and
    widths. What it gives for an image, and the gradient, are those of that image alone, in the top
    left corner of every tensor of the result; elsewhere the result means nothing. Parameters,
    buffers and the keys of `state_dict` stay as they are. Without `sizes`, or where nothing is
    padded, the model runs as it is: what couples the images of such a batch is not found out, norms
    that do excepted.

    A padded batch is worked on together, every layer by a rule that keeps the padding out:
    convolutions, transposed ones included, group, instance and layer norm, batch norm when
    evaluating, pooling, interpolation, attention, activations, dropout, and sums, products and
    concatenations of features. Where a network meets something without a rule, or decides by sizes
    that differ, it works on the images of that batch one after the other: the result is the same,
    the time is not, and the first such batch tells why in a `PerImageWarning`. Dropout draws
    for the whole canvas, so that in training its numbers depend on the batch.

    Raises:
        CouplingError: a layer joins the images of a batch: batch norm in training.
        LeakError: `forward` was replaced or compiled, which would pass the seal by; or, when
            called, the results of the images do not fit one batch.
    """
    _refuse_bypass(model)
    _refuse_coupling(model)
    if not isinstance(model, _Sealed):
        model.__class__ = _sealed(type(model))
    return model


class _Sealed:
    """What `seal` puts before a model's own class."""

    def forward(
        self, images: Float[Tensor, "B C H W"], sizes: Int[Tensor, "B 2"] | None = None
    ) -> Any:
        model, run = cast(nn.Module, self), cast(Callable[..., Any], super().forward)  # pyright: ignore
        _refuse_coupling(model)  # it may have been put back into training
        if isinstance(images, Padded):  # from a sealed network around this one
            return run(images)
        extent = Extent.of(images, sizes)
        if not extent.padded:
            with _ExactNorms():
                return run(images)
        try:
            with NoSides(), refusals() as caught:
                result = on_canvas(run(padded(images, sizes)))
            if not caught:
                return result
            reason = f"the model: {caught[0]}"
        except (CouplingError, MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as failed:  # whatever it is: alone, every image has its own say
            reason = _located(failed, model)
        result = None
        # Here the error is gone, and with it the frames that hold the features.
        with _ExactNorms():
            result = together([*_one_by_one(run, images, extent)], extent)
        _warn_once(model, reason)
        return result


def _one_by_one(run: Callable[[Tensor], Any], images: Tensor, extent: Extent) -> Iterator[Any]:
    """The results of every image as it would come alone: a batch of one, in memory of its own."""
    last = images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
    layout = torch.channels_last if last else torch.contiguous_format
    for number, (image, (h, w)) in enumerate(zip(images.split(1), extent.sizes, strict=True)):
        try:
            yield run(image[:, :, :h, :w].clone(memory_format=layout))
        except Exception as error:
            error.add_note(f"on image {number} of the batch, {h} × {w} px, alone")
            raise


class _ExactNorms(TorchFunctionMode):
    """Normalises channels-last features by `group_norm`, while it is entered.

    Torch's own kernel for them takes the variance from a mean of squares: in float32 it loses a
    factor (mean / deviation)^2 of precision, and an image would be normalised differently alone and
    on a canvas.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") == "group_norm" and _lies_channels_last(*args, **kwargs):
            return group_norm(*args, **kwargs)
        return func(*args, **kwargs)


def _lies_channels_last(input: Any, *_: Any, **__: Any) -> bool:
    last = torch.channels_last
    return input.ndim == 4 and input.is_contiguous(memory_format=last) and not input.is_contiguous()


@cache
def _sealed(cls: type) -> type:
    return type(f"Sealed{cls.__name__}", (_Sealed, cls), {"__doc__": cls.__doc__})


def _refuse_bypass(model: nn.Module) -> None:
    for name, layer in model.named_modules():
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
    for name, layer in model.named_modules():
        batch = isinstance(layer, _BatchNorm) and (layer.training or layer.running_mean is None)
        running = isinstance(layer, _InstanceNorm) and layer.training and layer.track_running_stats
        if batch or running:
            raise CouplingError(
                f"{name or 'the model'}: {type(layer).__name__} in training couples the images of "
                "a batch; use GroupNorm, or model.eval()"
            )


def _warn_once(model: nn.Module, reason: str) -> None:
    if vars(model).setdefault("_warned_per_image", False):
        return
    vars(model)["_warned_per_image"] = True
    warnings.warn(
        f"{reason}; so the images of a padded batch are worked on one after the other, which is "
        "right, and slower than together (said once)",
        PerImageWarning,
        stacklevel=5,
    )


def _located(failed: Exception, model: nn.Module) -> str:
    """The message of an error with the name of the innermost module that it passed through."""
    kind = "" if isinstance(failed, LeakError) else f"{type(failed).__name__}: "
    message = kind + " ".join(str(failed).split())[:300]
    names = {id(layer): name for name, layer in model.named_modules()}
    for frame, _ in reversed(list(traceback.walk_tb(failed.__traceback__))):
        name = names.get(id(frame.f_locals.get("self")))
        if name:
            return f"{name} ({type(frame.f_locals['self']).__name__}): {message}"
    return f"the model: {message}"

"""Networks of one's own, made blind to padding."""

import traceback
from functools import cache
from typing import Any, TypeVar, cast

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AdaptiveMaxPoolNd  # pyright: ignore
from torch.utils._pytree import tree_map_only

from veernet.errors import LeakError
from veernet.nn import rules as _rules  # noqa: F401  # pyright: ignore[reportUnusedImport]
from veernet.nn.padded import Padded, padded, plain

Model = TypeVar("Model", bound=nn.Module)


def seal(model: Model) -> Model:
    """Make a network of common layers independent of padding, in place; then call it as

        logits = model(images, sizes)

    with images on one canvas, each in its top left corner, and `sizes` (B, 2) their heights and
    widths. What it gives for an image, and the gradient, are those of that image alone; outside the
    images the result means nothing. Parameters, buffers and the keys of `state_dict` stay as they
    are. Without `sizes`, or where nothing is padded, the model runs as it is: what couples the
    images of such a batch is not found out, batch norm in training excepted.

    Layers with a rule: convolutions, transposed ones included, group, instance and layer norm,
    batch norm when evaluating, pooling, interpolation, attention, activations, dropout, and sums,
    products and concatenations of features. Others are refused, those of a known kind at once, the
    rest at the first padded batch. Dropout draws for the whole canvas, so that in training its
    numbers depend on the batch. Autograd functions of one's own must work pixel by pixel.

    Raises:
        LeakError: a layer has no rule; the message names it and says why.
    """
    _refuse_leaks(model)
    if not isinstance(model, _Sealed):
        model.__class__ = _sealed(type(model))
    return model


class _Sealed:
    """What `seal` puts before a model's own class."""

    def forward(
        self, images: Float[Tensor, "B C H W"], sizes: Int[Tensor, "B 2"] | None = None
    ) -> Any:
        _refuse_leaks(cast(nn.Module, self))  # it may have been put back into training
        if isinstance(images, Padded):  # from a sealed network around this one
            return super().forward(images)  # pyright: ignore
        batch = padded(images, sizes)
        try:
            result = super().forward(batch)  # pyright: ignore
            if isinstance(batch, Padded):
                result = tree_map_only(Tensor, _known, result)
        except LeakError as leak:
            raise _with_name(leak, cast(nn.Module, self)) from leak
        return result


def _known(result: Tensor) -> Tensor:
    """What a network gives, without what it knew."""
    if not isinstance(result, Padded):
        raise LeakError("a result that does not know where its images are: some layer lost it")
    return plain(result)


@cache
def _sealed(cls: type) -> type:
    return type(f"Sealed{cls.__name__}", (_Sealed, cls), {"__doc__": cls.__doc__})


def _refuse_leaks(model: nn.Module) -> None:
    for name, layer in model.named_modules():
        kind, where = type(layer).__name__, f"{name or 'the model'}: "
        if isinstance(layer, _BatchNorm) and (layer.training or layer.running_mean is None):
            raise LeakError(
                f"{where}{kind} in training couples the images of a batch; use GroupNorm, "
                "or model.eval()"
            )
        if isinstance(layer, _AdaptiveAvgPoolNd | _AdaptiveMaxPoolNd):
            raise LeakError(
                f"{where}{kind} divides the canvas into parts, whatever the image's own size"
            )


def _with_name(leak: LeakError, model: nn.Module) -> LeakError:
    """The error with the name of the innermost module it passed through."""
    names = {id(layer): name for name, layer in model.named_modules()}
    for frame, _ in reversed(list(traceback.walk_tb(leak.__traceback__))):
        name = names.get(id(frame.f_locals.get("self")))
        if name:
            kind = type(frame.f_locals["self"]).__name__
            return LeakError(f"{name} ({kind}): {leak}")
    return LeakError(f"the model: {leak}")

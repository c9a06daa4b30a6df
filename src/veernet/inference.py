"""Inference: probabilities of curves on a scan of any size, and curves read from them."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import nn

from veernet.curves.trace import MAX_GAP, WRAPS_DOWN, WRAPS_UP, Trace, read_trace
from veernet.data.batch import as_float, to_ink
from veernet.data.raster import to_grey
from veernet.errors import OptionError
from veernet.losses import curve_probabilities

WINDOW = 25_600
"""Default for the columns that the network sees at once, twice the longest log of a training set;
at a height of 640 px they take 2.8 GiB, 181 bytes per pixel."""

LEAST_WINDOW = 64
"""Width of the narrowest window, px."""


@torch.no_grad()
def predict(
    model: nn.Module,
    grey: UInt8[ndarray, "h w *rgb"],
    *,
    autocast: torch.dtype | None = None,
    window: int = WINDOW,
) -> Float[ndarray, "K h w"]:
    """Predict the probability of every curve at every pixel of one log, of any size: uint8 grey
    levels with 255 = paper, or RGB as for `digitise`.

    Args:
        window: most columns that the network sees at once. A longer log is split into windows of
            this width; they overlap by at least a sixteenth, where one fades into the next.

    Raises:
        OptionError: the window is less than `LEAST_WINDOW`.
        ImageError: the log is no picture.
    """
    grey = to_grey(grey)
    if window < LEAST_WINDOW:
        raise OptionError(f"a window must be {LEAST_WINDOW} px and more, got {window}")
    weight = next(model.parameters())
    if grey.shape[1] > window:
        return _in_windows(partial(predict, model, autocast=autocast, window=window), grey, window)
    canvas = as_float(to_ink(grey).to(weight.device), weight.dtype)[None]
    with (
        _evaluating(model),
        torch.autocast(weight.device.type, autocast, enabled=autocast is not None),
    ):
        logits = model(canvas)
    return curve_probabilities(logits)[0].cpu().numpy()


@contextmanager
def _evaluating(model: nn.Module) -> Generator[None]:
    """Switch a network to evaluation during the block: no dropout, no updates of running
    statistics."""
    training = [layer for layer in model.modules() if layer.training]
    model.eval()
    try:
        yield
    finally:
        for layer in training:
            layer.training = True


def _in_windows(
    see: Callable[[UInt8[ndarray, "h n"]], Float[ndarray, "K h n"]],
    grey: UInt8[ndarray, "h w"],
    window: int,
) -> Float[ndarray, "K h w"]:
    """Blend the results of overlapping windows; each is weighed by the distance from its own cut
    ends, up to the overlap."""
    w, overlap = int(grey.shape[1]), window // 16
    n = 1 + -(-(w - window) // (window - overlap))
    total, weight = None, np.zeros(w, np.float32)
    for start in np.linspace(0, w - window, n).round().astype(int).tolist():
        at = np.arange(window) + 1
        from_left = at if start > 0 else np.full(window, overlap)
        from_right = at[::-1] if start + window < w else np.full(window, overlap)
        mine = np.minimum(np.minimum(from_left, from_right), overlap).astype(np.float32)
        seen = see(grey[:, start : start + window]) * mine
        if total is None:
            total = np.zeros((*seen.shape[:2], w), np.float32)
        total[..., start : start + window] += seen
        weight[start : start + window] += mine
    assert total is not None  # a log has columns
    return np.divide(total, weight, out=total)


def classes_of(probability: Float[ndarray, "K h w"]) -> UInt8[ndarray, "h w"]:
    """Return the most probable class of every pixel, 0 = background."""
    background = 1 - probability.sum(0, keepdims=True)
    return np.concatenate([background, probability]).argmax(0).astype(np.uint8)


def read_curve(
    probability: Float[ndarray, "K h w"],
    curve: int,
    *,
    max_gap: int = MAX_GAP,
    wrap_edges: tuple[int, int] | None = None,
    laps: tuple[int, int] = (WRAPS_UP, WRAPS_DOWN),
) -> Trace:
    """Follow one of the network's curves, counted from 0; the curves before it are drawn over it.
    See `read_trace` for `max_gap`, `wrap_edges` and `laps`."""
    return read_trace(
        probability[curve],
        occluders=probability[:curve],
        max_gap=max_gap,
        wrap_edges=wrap_edges,
        laps=laps,
    )

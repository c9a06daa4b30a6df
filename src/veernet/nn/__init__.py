"""Parts of a network that do not see padding."""

from veernet.nn.attention import SelfAttention, Transformer, TransformerLayer
from veernet.nn.extent import Extent
from veernet.nn.norm import GroupNorm, half_or_16
from veernet.nn.resample import subsample, upsample

__all__ = [
    "Extent",
    "GroupNorm",
    "SelfAttention",
    "Transformer",
    "TransformerLayer",
    "half_or_16",
    "subsample",
    "upsample",
]

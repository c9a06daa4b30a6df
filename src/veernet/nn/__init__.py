"""Network parts that ignore padding, and `seal`, which makes any network ignore it."""

from veernet.nn.attention import SelfAttention, Transformer, TransformerLayer
from veernet.nn.extent import Extent
from veernet.nn.norm import GroupNorm, group_norm, half_or_16
from veernet.nn.padded import Padded, padded, unwrap
from veernet.nn.seal import seal

__all__ = [
    "Extent",
    "GroupNorm",
    "Padded",
    "SelfAttention",
    "Transformer",
    "TransformerLayer",
    "group_norm",
    "half_or_16",
    "padded",
    "seal",
    "unwrap",
]

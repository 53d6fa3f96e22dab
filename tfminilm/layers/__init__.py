"""Custom Keras layers."""

from tfminilm.layers.attention import AttentionParts, ExposedEncoder
from tfminilm.layers.bottleneck import BottleneckEncoder
from tfminilm.layers.no_norm import NoNorm
from tfminilm.layers.trigrams import Trigrams

__all__ = [
    "AttentionParts",
    "BottleneckEncoder",
    "ExposedEncoder",
    "NoNorm",
    "Trigrams",
]

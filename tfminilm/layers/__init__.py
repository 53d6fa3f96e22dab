"""Custom Keras layers."""

from tfminilm.layers.attention import AttentionParts, ExposedEncoder

__all__ = ["AttentionParts", "ExposedEncoder"]

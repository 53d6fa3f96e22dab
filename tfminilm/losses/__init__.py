"""Losses, one paper per file: pure functions of tensors."""

from tfminilm.losses.minilm import attention_transfer, value_relation

__all__ = ["attention_transfer", "value_relation"]

"""Distillation methods, one paper per file."""

from tfminilm.methods.layer_map import layer_map
from tfminilm.methods.minilm import MiniLM
from tfminilm.methods.minilmv2 import MiniLMv2
from tfminilm.methods.soft_targets import SoftTargets
from tfminilm.methods.terms import Method, Term

__all__ = [
    "Method",
    "MiniLM",
    "MiniLMv2",
    "SoftTargets",
    "Term",
    "layer_map",
]

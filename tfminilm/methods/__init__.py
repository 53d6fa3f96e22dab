"""Distillation methods, one paper per file."""

from tfminilm.methods.minilm import MiniLM
from tfminilm.methods.soft_targets import SoftTargets
from tfminilm.methods.terms import Method, Term

__all__ = ["Method", "MiniLM", "SoftTargets", "Term"]

"""Teachers: where they come from, and what can be read from inside them."""

from tfminilm.teachers.expose import expose
from tfminilm.teachers.load import load_backbone, load_tokenizer

__all__ = ["expose", "load_backbone", "load_tokenizer"]

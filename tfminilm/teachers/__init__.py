"""Teachers: where they come from, and what can be read from inside them."""

from tfminilm.teachers.expose import expose
from tfminilm.teachers.load import (
    is_tiny,
    load_backbone,
    load_tokenizer,
    resolve,
    run_folder,
)
from tfminilm.teachers.masked_lm import build_masked_lm, load_masked_lm
from tfminilm.teachers.tiny import PREFIX as TINY

__all__ = [
    "TINY",
    "build_masked_lm",
    "expose",
    "is_tiny",
    "load_backbone",
    "load_masked_lm",
    "load_tokenizer",
    "resolve",
    "run_folder",
]

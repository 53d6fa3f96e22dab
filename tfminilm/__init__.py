"""Distils large pre-trained transformers into small ones for phones."""

import importlib
from typing import TYPE_CHECKING, Any

from tfminilm.errors import UserError

if TYPE_CHECKING:
    from tfminilm import layers, losses, methods, students, teachers
    from tfminilm.distiller import Distiller
    from tfminilm.inference.load import load
    from tfminilm.pipeline.make import make
    from tfminilm.teachers.expose import expose

__version__ = "0.1.0"

__all__ = [
    "Distiller",
    "UserError",
    "expose",
    "layers",
    "load",
    "losses",
    "make",
    "methods",
    "students",
    "teachers",
]

_NAMES = {
    "Distiller": "tfminilm.distiller",
    "expose": "tfminilm.teachers.expose",
    "load": "tfminilm.inference.load",
    "make": "tfminilm.pipeline.make",
}


def __getattr__(name: str) -> Any:
    # Keras takes seconds to import; `tfminilm --help` should not wait for it.
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in __all__:
        return importlib.import_module(f"tfminilm.{name}")
    raise AttributeError(f"module 'tfminilm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

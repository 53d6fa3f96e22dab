"""Reads nested mappings, such as a recipe's, into frozen, typed dataclasses."""

import dataclasses
import difflib
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import ml_collections

from tfminilm.errors import UsageError

T = TypeVar("T")


class Typed:
    """Base of the dataclasses of a recipe: unknown keys name the nearest."""

    def __new__(cls, *_: Any, **values: Any) -> Any:
        known = [
            field.name for field in dataclasses.fields(typing.cast(Any, cls))
        ]
        for key in values:
            _require_known(key, known, f"{cls.__name__}: ", "")
        return super().__new__(cls)


def parse(cls: type[T], config: Any, kind: str) -> T:
    """Reads a mapping, or a `ConfigDict`, into the dataclass `cls`.

    Fields that are dataclasses are read from nested mappings; an int may
    stand for a float, and a list for a tuple. `kind` is what messages call
    the whole, such as "recipe".

    Raises:
        UsageError: an unknown key (the nearest known one is named), or a
            value of the wrong type.
    """
    if isinstance(config, ml_collections.ConfigDict):
        config = config.to_dict()
    return _parse(cls, config, kind, "")


def _parse(cls: type, config: Any, kind: str, prefix: str) -> Any:
    types = _fields(cls)
    if not isinstance(config, Mapping):
        raise UsageError(
            f"{kind}: {prefix.rstrip('.') or 'the ' + kind} is {config!r}, "
            f"expected keys {', '.join(types)}"
        )
    for key in config:
        _require_known(key, types, f"{kind}: ", prefix)
    values = {
        key: _value(types[key], value, kind, prefix + key)
        for key, value in config.items()
    }
    return cls(**values)


def _require_known(
    key: str, known: Iterable[str], kind: str, prefix: str
) -> None:
    if key not in known:
        near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.0)[0]
        raise UsageError(
            f"{kind}unknown key {prefix}{key}; did you mean {prefix}{near}?"
        )


def _fields(cls: type) -> dict[str, type]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _value(expected: Any, value: Any, kind: str, name: str) -> Any:
    if dataclasses.is_dataclass(expected):
        return _parse(typing.cast(type, expected), value, kind, name + ".")
    if expected is float and type(value) is int:
        return float(value)
    if typing.get_origin(expected) is tuple and isinstance(value, list | tuple):
        item, *_ = typing.get_args(expected)
        return tuple(
            _value(item, part, kind, f"{name}[{index}]")
            for index, part in enumerate(value)
        )
    if type(value) is not expected:
        raise UsageError(
            f"{kind}: {name} is {value!r} ({type(value).__name__}), "
            f"expected {getattr(expected, '__name__', expected)}"
        )
    return value

"""Read nested mappings, such as a recipe's, into frozen, typed dataclasses."""

import dataclasses
import difflib
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import ml_collections

from tfminilm.errors import UsageError
from tfminilm.typing import Json

T = TypeVar("T")

# Far above every whole number that makes sense in a recipe.
_MOST = 10**15
_SHOWN = 40
# A stage's folder lies beside these folders of a run.
RUN_FOLDERS = ("student", "checkpoints", "text", "bundle")


def is_stage_name(name: str) -> bool:
    """Tell whether a stage can be called so, as its folder would be."""
    is_name = re.fullmatch(r"[A-Za-z0-9][\w-]*", name)
    return bool(is_name) and name not in RUN_FOLDERS


def names_in(written: str) -> list[str]:
    """Return the names that a text has with commas between them."""
    return [name.strip() for name in written.split(",") if name.strip()]


class Typed:
    """Base of a recipe's dataclasses: for unknown keys the nearest is named."""

    def __new__(cls, *_: Any, **values: Any) -> Any:
        names = [
            field.name for field in dataclasses.fields(typing.cast(Any, cls))
        ]
        for key in values:
            _require_known(key, names, f"{cls.__name__}: ", "")
        return super().__new__(cls)


def one_of(classes: Callable[[], Mapping[str, type]], default: str) -> Any:
    """Return a field that holds an instance of one of several dataclasses.

    A mapping holds the instance's fields and, under `name`, its class.

    Args:
        classes: returns the classes by name; called when one is needed.
        default: the name of the class if the mapping has no `name`.
    """
    return dataclasses.field(
        default_factory=lambda: classes()[default](),
        metadata={"classes": classes, "default": default},
    )


def to_dict(value: object) -> Any:
    """Turn a dataclass into the nested mappings that `parse` reads."""
    if isinstance(value, Mapping):
        return {key: to_dict(item) for key, item in value.items()}
    if not dataclasses.is_dataclass(value):
        return value
    items = {}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        name = {"name": type(item).__name__} if field.metadata else {}
        items[field.name] = name | to_dict(item) if name else to_dict(item)
    return items


def parse(cls: type[T], config: Json, kind: str) -> T:
    """Read a mapping, or a `ConfigDict`, into the dataclass `cls`.

    Fields that are dataclasses, and the values of fields that are mappings,
    are read from nested mappings; an int may stand for a float, and a list
    for a tuple. `kind` is what messages call the whole, such as "recipe".

    Raises:
        UsageError: an unknown key (the nearest known one is named), or a
            value of the wrong type.
    """
    if isinstance(config, ml_collections.ConfigDict):
        config = config.to_dict()
    return _parse(cls, config, kind, "")


def changes(before: Json, after: Json, key: str = "") -> Iterator[tuple]:
    """Yield each key of nested mappings that differs, with both values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            yield from changes(
                before.get(name), after.get(name), f"{key}.{name}"
            )
    elif before != after:
        yield key.removeprefix("."), before, after


def _parse(cls: type, config: Json, kind: str, prefix: str) -> Any:
    hints = typing.get_type_hints(cls)
    metadata = {field.name: field.metadata for field in dataclasses.fields(cls)}
    _require_mapping(config, metadata, kind, prefix)
    for key in config:
        _require_known(key, metadata, f"{kind}: ", prefix)
    values = {}
    for key, value in config.items():
        if metadata[key]:
            values[key] = _one(metadata[key], value, kind, f"{prefix}{key}.")
        else:
            values[key] = _value(hints[key], value, kind, prefix + key)
    return cls(**values)


def _one(metadata: Mapping, config: Json, kind: str, prefix: str) -> Any:
    """Build an instance of the class that the mapping names."""
    classes = metadata["classes"]()
    _require_mapping(config, ("name",), kind, prefix)
    name = config.get("name", metadata["default"])
    if name not in classes:
        near = difflib.get_close_matches(str(name), classes, n=1, cutoff=0.0)
        raise UsageError(
            f"{kind}: {prefix}name is {name!r}; did you mean {near[0]}? "
            f"There are {', '.join(classes)}"
        )
    fields = {key: value for key, value in config.items() if key != "name"}
    try:
        return _parse(classes[name], fields, kind, prefix)
    except UsageError as error:  # Raised by the class itself, without the key.
        text = str(error)
        if text.startswith(f"{kind}: "):
            raise
        raise UsageError(f"{kind}: {prefix.rstrip('.')}: {text}") from None


def _require_mapping(
    config: Json, names: Iterable[str], kind: str, prefix: str
) -> None:
    if not isinstance(config, Mapping):
        raise UsageError(
            f"{kind}: {prefix.rstrip('.') or 'the ' + kind} is {config!r}, "
            f"expected keys {', '.join(names)}"
        )


def _require_known(
    key: str, names: Iterable[str], kind: str, prefix: str
) -> None:
    if key not in names:
        near = difflib.get_close_matches(str(key), names, n=1, cutoff=0.0)
        hint = f"; did you mean {prefix}{near[0]}?" if near else ""
        raise UsageError(f"{kind}unknown key {prefix}{key}{hint}")


def _value(expected: type, value: Json, kind: str, name: str) -> Any:
    if dataclasses.is_dataclass(expected):
        return _parse(expected, value, kind, name + ".")
    origin, args = typing.get_origin(expected), typing.get_args(expected)
    if origin is dict:
        _require_mapping(value, ("of its own",), kind, name + ".")
        return {
            key: _value(args[1], item, kind, f"{name}.{key}")
            for key, item in value.items()
        }
    if origin is types.UnionType and types.NoneType in args:
        return None if value is None else _value(args[0], value, kind, name)
    if expected is float and type(value) is int and abs(value) <= _MOST:
        value = float(value)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(
            _value(args[0], part, kind, f"{name}[{index}]")
            for index, part in enumerate(value)
        )
    if origin is typing.Literal and value in args:
        return value
    most = sys.float_info.max if isinstance(value, float) else _MOST
    if isinstance(value, int | float) and not abs(value) <= most:
        raise UsageError(
            f"{kind}: {name} is {str(value)[:_SHOWN]}, expected a number up "
            f"to {most:.0e}"
        )
    if type(value) is not expected:
        choices = (
            " or ".join(map(repr, args)) if origin is typing.Literal else ""
        )
        raise UsageError(
            f"{kind}: {name} is {value!r} ({type(value).__name__}), "
            f"expected {choices or getattr(expected, '__name__', expected)}"
        )
    return value

"""Read and write dataclasses as JSON.

A field's type says what is expected: `str`, `bool`, `int`, `float`, another
dataclass, `tuple[X, ...]` for a list, `Mapping[str, X]` for an object with any
keys, and `X | None` where null is allowed. `Annotated[X, Rule(...)]` adds
limits, so that the reader and the schema take each of them from one place.
"""

import collections.abc
import dataclasses
import functools
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from tfminilm import json_files

T = TypeVar("T")

_SCALARS = (str, bool, int, float)
MOST_OF_NAME = 1000  # Characters of a key that may be any.
_MOST_SHOWN = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """Limits a value beyond its type.

    Attributes:
        description: what it means, for people.
        choices: all values that it may have.
        pattern: what the whole of a text matches, in ASCII.
        expected: the pattern in words.
        minimum: of a number.
        maximum: of a number.
        above: a number is larger than this.
        min_size: the fewest items of a list, keys of an object, or characters
            of a text.
        max_size: the most of them.
        is_unique: no item of a list is there twice.
        keys: that an object has at least.
        is_optional: a field that is None is left out, and not null.
        since: the version of the format that this field came with. A reader
            of an older version leaves it at its default.
        when: a field, and its values with which this one is given. With
            another value it is null, or not read where it is optional.
        or_given: an optional field is read with other values, too, if it is
            there.
        unless: the opposite: with these values it is null, else given.
    """

    description: str = ""
    choices: tuple[str | int, ...] = ()
    pattern: str = ""
    expected: str = ""
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    min_size: int | None = None
    max_size: int | None = None
    is_unique: bool = False
    keys: tuple[str, ...] = ()
    is_optional: bool = False
    since: int = 1
    when: tuple[str, ...] = ()
    or_given: bool = False
    unless: tuple[str, ...] = ()


def parse(
    cls: type[T], content: Mapping[str, Any], version: int = 1, place: str = ""
) -> T:
    """Read an object of JSON into a dataclass; other keys are passed over.

    Args:
        cls: the dataclass.
        content: as `json_files` reads it.
        version: of the format. Fields that came later have their defaults.
        place: where in the file the object is, for messages.

    Raises:
        ValueError: a value is missing, of another type or outside its limits;
            the message names its place.
    """
    values = {}
    for name, (hint, rule) in fields_of(typing.cast(Any, cls)).items():
        is_read = rule.or_given and name in content
        is_out_of_use = _is_out_of_use(rule, content) and not is_read
        if version < rule.since or is_out_of_use:
            continue
        where = f"{place}.{name}" if place else name
        if name not in content:
            if rule.is_optional and not rule.when and rule.since == 1:
                continue
            raise ValueError(f"{where} is missing")
        values[name] = _value(hint, content[name], version, where)
        _require_given(rule, content, values[name], where)
    return cls(**values)


def to_json(value: Any) -> Any:
    """Return a dataclass, and all that it holds, as JSON's own types."""
    if dataclasses.is_dataclass(value):
        fields = fields_of(typing.cast(Any, type(value)))
        return {
            name: to_json(getattr(value, name))
            for name, (_, rule) in fields.items()
            if not (rule.is_optional and getattr(value, name) is None)
        }
    if isinstance(value, Mapping):
        return {name: to_json(inside) for name, inside in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inside) for inside in value]
    return value


@functools.cache
def fields_of(cls: Any) -> dict[str, tuple[Any, Rule]]:
    """Return the type and the rule of each field of a dataclass."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {
        field.name: (hints[field.name], rule_of(hints[field.name]))
        for field in dataclasses.fields(cls)
    }


def rule_of(hint: Any) -> Rule:
    """Return the rule that a type is annotated with."""
    if typing.get_origin(hint) is Annotated:
        return typing.get_args(hint)[1]
    return Rule()


def _is_out_of_use(rule: Rule, content: Mapping[str, Any]) -> bool:
    """Tell whether an optional field belongs to another value of a field."""
    if not rule.is_optional or not rule.when:
        return False
    name, *values = rule.when
    return content.get(name) not in values


def _require_given(
    rule: Rule, content: Mapping[str, Any], value: Any, place: str
) -> None:
    """Refuse null where a field is to be given, and the other way round."""
    if rule.is_optional or not (condition := rule.when or rule.unless):
        return
    name, *values = condition
    is_given = (content.get(name) in values) == bool(rule.when)
    if (value is not None) != is_given:
        raise ValueError(
            f"{place} is {'null' if is_given else 'given'}, and {name} is "
            f"{_shown(content.get(name))}: expected "
            f"{'a value' if is_given else 'null'}"
        )


def _value(hint: Any, value: Any, version: int, place: str) -> Any:
    """Read one value by its type, and hold it against its rule."""
    rule, hint = rule_of(hint), plain(hint)
    if rule.is_optional:  # Left out, but never null.
        hint = without_none(hint)
    json_files.require(value, _shape(hint), place)
    if value is None:
        return None
    hint = without_none(hint)
    kind, inside = typing.get_origin(hint), typing.get_args(hint)
    _require(rule, value, place)
    if dataclasses.is_dataclass(hint):
        return parse(typing.cast(Any, hint), value, version, place)
    if kind is tuple:
        return tuple(
            _value(inside[0], part, version, f"{place}[{index}]")
            for index, part in enumerate(value)
        )
    if kind is collections.abc.Mapping:
        for name in value:
            _require_key(rule_of(inside[0]), name, place)
        return {
            name: _value(inside[1], part, version, f"{place}.{name}")
            for name, part in value.items()
        }
    return value


def plain(hint: Any) -> Any:
    """Return a type without its rule."""
    is_ruled = typing.get_origin(hint) is Annotated
    return typing.get_args(hint)[0] if is_ruled else hint


def without_none(hint: Any) -> Any:
    """Return the X of a type `X | None`."""
    is_union = isinstance(hint, types.UnionType)
    return typing.get_args(hint)[0] if is_union else hint


def _shape(hint: Any) -> Any:
    """Return a type in the words of `json_files`, without what it holds."""
    if isinstance(hint, types.UnionType):
        return tuple(map(_shape, typing.get_args(hint)))
    if hint is type(None):
        return None
    if hint in _SCALARS:
        return hint
    return list if typing.get_origin(hint) is tuple else dict


def _require(rule: Rule, value: Any, place: str) -> None:
    """Hold a value of the right type against its rule."""
    if rule.choices and value not in rule.choices:
        choices = " or ".join(map(str, rule.choices))
        raise ValueError(f"{place} is {_shown(value)}, expected {choices}")
    if rule.pattern and not _matches(rule, value):
        raise ValueError(
            f"{place} is {_shown(value)}, expected {rule.expected}"
        )
    if isinstance(value, int | float):
        _require_between(
            place, value, rule.minimum, rule.maximum, above=rule.above
        )
    if not isinstance(value, Sequence | Mapping):
        return
    _require_between(
        f"the size of {place}", len(value), rule.min_size, rule.max_size
    )
    if rule.is_unique and len({*value}) < len(value):
        raise ValueError(f"{place} has one of its items twice")
    for name in rule.keys:
        if name not in value:
            raise ValueError(f"{place}.{name} is missing")


def _require_key(rule: Rule, name: str, place: str) -> None:
    if rule.choices and name not in rule.choices:
        choices = " or ".join(map(str, rule.choices))
        raise ValueError(f"{place} has {_shown(name)}, expected {choices}")
    if rule.pattern and not _matches(rule, name):
        raise ValueError(f"{name!r} in {place} is no {rule.expected}")
    if len(name) > MOST_OF_NAME:
        raise ValueError(
            f"{place} has a name of {len(name):,} characters, expected up to "
            f"{MOST_OF_NAME:,}"
        )


def _require_between(
    place: str,
    value: float,
    minimum: float | None,
    maximum: float | None,
    above: float | None = None,
) -> None:
    is_low = minimum is not None and value < minimum
    is_low |= above is not None and value <= above
    is_high = maximum is not None and value > maximum
    if not is_low and not is_high:
        return
    if above is not None:
        expected = f"above {above:,}"
    elif minimum is None:
        expected = f"up to {maximum:,}"
    elif maximum is None:
        expected = f"{minimum:,} or more"
    else:
        expected = f"{minimum:,} to {maximum:,}"
    raise ValueError(f"{place} is {value:g}, expected {expected}")


def _matches(rule: Rule, text: str) -> bool:
    return re.fullmatch(rule.pattern, text, re.ASCII) is not None


def _shown(value: Any) -> str:
    return repr(value if not isinstance(value, str) else value[:_MOST_SHOWN])

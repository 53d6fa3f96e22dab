"""Describe dataclasses that `typed_json` reads by a JSON schema."""

import dataclasses
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfminilm.typed_json import Rule, fields_of, plain, rule_of, without_none

_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number"}


def schema(cls: type, title: str) -> dict[str, Any]:
    """Describe a dataclass by a JSON schema of 2020-12.

    Args:
        cls: the dataclass.
        title: of the schema.
    """
    definitions: dict[str, Any] = {}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **_object_schema(cls, definitions),
        "$defs": definitions,
    }


def _object_schema(cls: type, definitions: dict[str, Any]) -> dict[str, Any]:
    """Describe a dataclass, and add what its fields are to `definitions`."""
    fields = fields_of(cls)
    described: dict[str, Any] = {
        "type": "object",
        "description": (cls.__doc__ or "").partition("\n")[0],
        "required": [
            name
            for name, (_, rule) in fields.items()
            if not rule.is_optional or rule.since > 1
        ],
        "properties": {
            name: _value_schema(hint, definitions)
            for name, (hint, _) in fields.items()
        },
    }
    conditions = [*_needed(fields), *_given(fields)]
    return described | ({"allOf": conditions} if conditions else {})


def _needed(fields: Mapping[str, tuple[Any, Rule]]) -> Iterator[dict[str, Any]]:
    """Describe which optional fields a value of another field requires."""
    names: dict[tuple[str, ...], list[str]] = {}
    for name, (_, rule) in fields.items():
        if rule.is_optional and rule.when:
            names.setdefault(rule.when, []).append(name)
    for condition, required in names.items():
        yield {"if": _test(condition), "then": {"required": required}}


def _given(fields: Mapping[str, tuple[Any, Rule]]) -> Iterator[dict[str, Any]]:
    """Describe which fields are null with which value of another field."""
    for name, (hint, rule) in fields.items():
        condition = rule.when or rule.unless
        if rule.is_optional or not condition:
            continue
        not_null, null = (
            {"properties": {name: {"type": kind}}}
            for kind in (_kind(without_none(plain(hint))), "null")
        )
        yield {
            "if": _test(condition),
            "then": not_null if rule.when else null,
            "else": null if rule.when else not_null,
        }


def _test(condition: Sequence[str]) -> dict[str, Any]:
    """Describe objects in which a field has one of some values."""
    name, *values = condition
    one_of = {"enum": values} if len(values) > 1 else {"const": values[0]}
    return {"properties": {name: one_of}}


def _kind(hint: Any) -> str:
    """Return a type's name in a schema."""
    if hint in _NAMES:
        return _NAMES[hint]
    return "array" if typing.get_origin(hint) is tuple else "object"


def _value_schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    rule, hint = rule_of(hint), plain(hint)
    inner = without_none(hint)
    is_null = inner is not hint and not rule.is_optional
    inside = typing.get_args(inner)
    kind = _kind(inner)
    described: dict[str, Any] = {"type": [kind, "null"] if is_null else kind}
    if dataclasses.is_dataclass(inner):
        name = _snake_case(typing.cast(type, inner).__name__)
        if name not in definitions:
            definitions[name] = {}  # Its place, before what it holds.
            definitions[name] = _object_schema(
                typing.cast(type, inner), definitions
            )
        described = {"$ref": f"#/$defs/{name}"}
        if is_null:
            described = {"oneOf": [{"type": "null"}, described]}
    elif kind == "array":
        described["items"] = _value_schema(inside[0], definitions)
    elif kind == "object":
        key = _value_schema(inside[0], definitions)
        if len(key) > 1:
            described["propertyNames"] = {x: key[x] for x in key if x != "type"}
        described["additionalProperties"] = _value_schema(
            inside[1], definitions
        )
    return described | _limits(rule, kind)


def _limits(rule: Rule, kind: str) -> dict[str, Any]:
    """Return a rule in the words of a schema."""
    size = {"array": "Items", "string": "Length"}.get(kind, "Properties")
    limits = {
        "enum": list(rule.choices),
        "pattern": rule.pattern and f"^{rule.pattern}$",
        "minimum": rule.minimum,
        "maximum": rule.maximum,
        "exclusiveMinimum": rule.above,
        f"min{size}": rule.min_size,
        f"max{size}": rule.max_size,
        "uniqueItems": rule.is_unique,
        "required": list(rule.keys),
        "description": rule.description,
    }
    if len(rule.choices) == 1:
        limits = {"const": rule.choices[0]} | limits | {"enum": []}
    return {
        name: value
        for name, value in limits.items()
        if value is not None and value is not False and value not in ("", [])
    }


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()

"""Dataclasses as JSON: read, written, and described by a schema alike."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import jsonschema
import pytest

from tfminilm.json_schema import schema
from tfminilm.typed_json import Rule, parse, to_json


@dataclasses.dataclass(frozen=True)
class Part:
    """A part."""

    size: Annotated[int, Rule(minimum=1, maximum=9)]
    share: Annotated[float, Rule(above=0)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Whole:
    """A whole."""

    kind: Annotated[str, Rule(choices=("a", "b"))]
    name: Annotated[str, Rule(pattern=r"\w+", expected="a word")]
    labels: Annotated[
        tuple[str, ...] | None,
        Rule(min_size=1, is_unique=True, when=("kind", "a")),
    ]
    title: Annotated[str | None, Rule(unless=("kind", "a"))]
    part: Part | None
    parts: Annotated[
        Mapping[Annotated[str, Rule(choices=("x", "y", "z"))], Part],
        Rule(max_size=2, keys=("x",)),
    ]
    flag: Annotated[bool | None, Rule(is_optional=True)] = None
    only_b: Annotated[
        int | None, Rule(is_optional=True, when=("kind", "b"))
    ] = None
    added: Annotated[str | None, Rule(is_optional=True, since=2)] = None


PART = {"size": 3, "share": 0.5}
FIRST = {
    "kind": "a",
    "name": "word",
    "labels": ["one", "two"],
    "title": None,
    "part": PART,
    "parts": {"x": PART},
    "added": "later",
}
SECOND = FIRST | {"kind": "b", "labels": None, "title": "it", "only_b": 3}
GOOD = [
    FIRST,
    SECOND,
    FIRST | {"part": None},
    FIRST | {"flag": True},
    FIRST | {"of another writer": 1},
    SECOND | {"parts": {"x": {"size": 9, "share": 3}}},
]
BAD = [
    (FIRST, "kind", "c", "kind is 'c', expected a or b"),
    (FIRST, "kind", 3, "kind is 3, expected text"),
    (FIRST, "name", "two words", "name is 'two words', expected a word"),
    (FIRST, "labels", [], "the size of labels is 0, expected 1 or more"),
    (FIRST, "labels", ["a", "a"], "labels has one of its items twice"),
    (FIRST, "labels", [1], r"labels\[0\] is 1, expected text"),
    (FIRST, "labels", None, "labels is null, and kind is 'a': expected a val"),
    (SECOND, "labels", ["a"], "labels is given, and kind is 'b': expected nu"),
    (FIRST, "title", "it", "title is given, and kind is 'a'"),
    (SECOND, "title", None, "title is null, and kind is 'b'"),
    (FIRST, "part", {"size": 1}, "part.share is missing"),
    (FIRST, "part", PART | {"size": 0}, "part.size is 0, expected 1 to 9"),
    (FIRST, "part", PART | {"size": 10}, "part.size is 10, expected 1 to 9"),
    (FIRST, "part", PART | {"size": True}, "part.size is true, expected a wh"),
    (FIRST, "part", PART | {"share": 0}, "part.share is 0, expected above 0"),
    (FIRST, "part", [], r"part is \[\], expected an object or null"),
    (FIRST, "parts", dict.fromkeys("xyz", PART), "size of parts is 3, exp"),
    (FIRST, "parts", {"y": PART}, "parts.x is missing"),
    (FIRST, "parts", {"x": PART, "w": PART}, "parts has 'w', expected x or y"),
    (FIRST, "parts", {"x": 5}, "parts.x is 5, expected an object"),
    (FIRST, "flag", None, "flag is null, expected true or false"),
    (FIRST, "flag", 1, "flag is 1, expected true or false"),
    (SECOND, "only_b", None, "only_b is null, expected a whole number"),
    (FIRST, "added", None, "added is null, expected text"),
]


@pytest.fixture(scope="module")
def validator():
    content = schema(Whole, "A whole")
    jsonschema.Draft202012Validator.check_schema(content)
    return jsonschema.Draft202012Validator(content)


@pytest.mark.parametrize("content", GOOD)
def test_good(content, validator):
    whole = parse(Whole, content, version=2)
    written = to_json(whole)
    assert written == {k: v for k, v in content.items() if k in written}
    assert list(written) == [k for k in vars(whole) if k in written]
    assert validator.is_valid(content)


@pytest.mark.parametrize(("base", "name", "value", "words"), BAD)
def test_bad(base, name, value, words, validator):
    content = base | {name: value}
    with pytest.raises(ValueError, match=words):
        parse(Whole, content, version=2)
    assert not validator.is_valid(content)


@pytest.mark.parametrize(
    ("base", "name", "is_needed"),
    [(FIRST, name, name != "flag") for name in FIRST]
    + [(SECOND, "only_b", True), (FIRST, "only_b", False)],
)
def test_missing(base, name, is_needed, validator):
    content = {key: value for key, value in base.items() if key != name}
    assert validator.is_valid(content) == (not is_needed)
    if not is_needed:
        assert parse(Whole, content, version=2)
        return
    with pytest.raises(ValueError, match=f"^{name} is missing"):
        parse(Whole, content, version=2)


def test_what_came_later_is_not_read_of_an_older_version():
    older = parse(Whole, FIRST | {"added": 5}, version=1)
    assert older.added is None
    assert older.labels == ("one", "two")


def test_what_belongs_to_another_kind_is_passed_over(validator):
    content = FIRST | {"only_b": 3}
    assert parse(Whole, content).only_b is None
    assert validator.is_valid(content)

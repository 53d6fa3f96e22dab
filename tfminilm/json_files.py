"""Read JSON from files and from outside, and check it before it is used.

Its size and depth are limited, numbers have to be finite, texts valid in UTF-8,
and the keys of an object different. A shape describes the expected content:

- a type: `str`, `bool`, `int` (a whole number), `float` (any number), `dict`,
  `list`, or `object` for anything; `None` is null;
- `[shape]`: a list whose items have that shape;
- `{str: shape}`: an object with any keys, whose values have that shape;
- `{"a": shape, "b?": shape}`: an object with these keys and perhaps others;
  those with a question mark may be missing;
- `(shape, shape)`: one of several.
"""

import collections
import json
import math
import os
import re
from typing import Any, Literal

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.typing import Json

MOST_DEPTH = 64
_MOST_DIGITS = 18  # They fit into 64 bits.
# The `model_max_length` that `transformers` writes where there is none.
_NO_LIMIT = str(int(1e30))
_MOST_SHOWN = 60
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_NAMES: dict[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "an object",
    list: "a list",
    None: "null",
}


def read(
    path: str | os.PathLike,
    shape: Json = dict,
    remedy: str = "remove it and run the command that writes it again",
    most: int = files.MOST_BYTES,
) -> Any:
    """Return the content of a JSON file.

    Args:
        path: the file.
        shape: what is expected, as above.
        remedy: what the user should do if it differs, for the message.
        most: the largest size in bytes.

    Raises:
        UserError: it cannot be read, or has another shape; the message names
            the file and the place in it.
    """
    try:
        text = files.read_bytes(path, most)
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror or error}; {remedy}"
        ) from error
    return parse(text, str(path), shape, remedy)


def parse(
    text: str | bytes,
    name: str,
    shape: Json,
    remedy: str,
    finite: bool = True,
) -> Any:
    """Return the value of a JSON text.

    Args:
        text: the JSON; bytes are UTF-8.
        name: its name in messages, such as its path.
        shape: what is expected, as above.
        remedy: what the user should do if it differs.
        finite: whether NaN and infinity are refused.

    Raises:
        UserError: it has another shape, or is no JSON.
    """
    real = _real if finite else float
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(
            text,
            parse_int=_whole,
            parse_float=real,
            parse_constant=real,
            object_pairs_hook=_object,
        )
        _require_plain(value, _SURROGATE.search(text) is not None)
        _require_shape(value, shape, "")
    except RecursionError:
        fault = f"it is nested deeper than {MOST_DEPTH} levels"
    except UnicodeDecodeError:
        fault = "it is not UTF-8"
    except json.JSONDecodeError as error:
        fault = f"it is no JSON: {error}"
    except ValueError as error:
        fault = str(error)
    else:
        return value
    raise UserError(f"{name} cannot be read: {fault}; {remedy}")


def read_lines(
    path: str | os.PathLike,
    shape: Json,
    remedy: str,
    skips: Literal["", "last", "all"] = "",
    finite: bool = True,
) -> list[Any]:
    """Return the values of a file of JSON lines.

    Args:
        path: the file.
        shape: the shape of each line.
        remedy: what the user should do about a line that differs.
        skips: the lines that are left out if they are wrong: "last", which
            may be incomplete after a kill, or "all".
        finite: whether NaN and infinity are refused.

    Raises:
        UserError: the file cannot be read, or a line has another shape.
    """
    try:
        lines = files.read_bytes(path).splitlines()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror or error}"
        ) from error
    values = []
    for number, line in enumerate(lines, 1):
        try:
            name = f"{path} line {number}"
            values.append(parse(line, name, shape, remedy, finite))
        except UserError:
            is_last = number == len(lines)
            if not (skips == "all" or (skips == "last" and is_last)):
                raise
    return values


def require(value: Json, shape: Json, place: str = "") -> None:
    """Raise `ValueError`, naming the place, for a value of another shape.

    Args:
        value: a value from a file that was read.
        shape: what is expected, as above.
        place: its place in the file.
    """
    _require_shape(value, shape, place)


def find(path: str | os.PathLike, shape: Json = dict) -> Any:
    """Return what `read` does, or `None` if the file is missing or damaged."""
    try:
        return read(path, shape)
    except UserError:
        return None


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """Return an object; raise `ValueError` if it has a key twice.

    Readers differ in which of the two values they take.
    """
    content = dict(pairs)
    if len(content) < len(pairs):
        counts = collections.Counter(key for key, _ in pairs)
        ((key, count),) = counts.most_common(1)
        raise ValueError(
            f"an object has the key {_shortened(key)!r} {count} times, "
            "expected each key once"
        )
    return content


def _whole(digits: str) -> int:
    count = len(digits.lstrip("-"))
    if count > _MOST_DIGITS and digits != _NO_LIMIT:
        raise ValueError(
            f"a number has {count:,} digits, expected up to {_MOST_DIGITS}"
        )
    return int(digits)


def _real(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        text = _shortened(digits)
        raise ValueError(f"a number is {text}, expected a finite one")
    return value


def _require_plain(value: Json, has_surrogates: bool) -> None:
    """Raise `ValueError` for text that is invalid, or for deep nesting."""
    level = [value]
    for _ in range(MOST_DEPTH):
        children: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                children += part.values()
                if has_surrogates:
                    children += part
            elif isinstance(part, list):
                children += part
            elif has_surrogates and isinstance(part, str):
                _require_text(part)
        if not (level := children):
            return
    raise RecursionError


def _require_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(
            "a text has half of a surrogate pair, expected whole characters"
        ) from None


def _require_shape(value: Json, shape: Json, place: str) -> None:
    """Raise `ValueError`, naming the place, for another shape."""
    if shape is object:
        return
    if isinstance(shape, tuple):
        if any(_fits(value, option) for option in shape):
            return
        expected = " or ".join(map(_called, shape))
        raise _unexpected(value, expected, place)
    if not _is_of_type(value, shape):
        raise _unexpected(value, _called(shape), place)
    if isinstance(shape, list):
        for index, part in enumerate(value):
            _require_shape(part, shape[0], f"{place}[{index}]")
    elif isinstance(shape, dict) and str in shape:
        for key, part in value.items():
            _require_shape(part, shape[str], _joined(place, key))
    elif isinstance(shape, dict):
        for key, child_shape in shape.items():
            name = key.removesuffix("?")
            if name in value:
                _require_shape(value[name], child_shape, _joined(place, name))
            elif name == key:
                raise ValueError(f"{_joined(place, name)} is missing")


def _fits(value: Json, shape: Json) -> bool:
    try:
        _require_shape(value, shape, "")
    except ValueError:
        return False
    return True


def _is_of_type(value: Json, shape: Json) -> bool:
    if shape is None:
        return value is None
    if shape in (int, float):
        kinds = int if shape is int else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool)
    if isinstance(shape, type):
        return isinstance(value, shape)
    return isinstance(value, type(shape))


def _unexpected(value: Json, expected: str, place: str) -> ValueError:
    text = _shortened(json.dumps(value, ensure_ascii=False))
    return ValueError(f"{place or 'it'} is {text}, expected {expected}")


def _called(shape: Json) -> str:
    if isinstance(shape, dict | list):
        return _NAMES[type(shape)]
    return _NAMES[shape]


def _joined(place: str, key: str) -> str:
    return _shortened(f"{place}.{key}" if place else key)


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."

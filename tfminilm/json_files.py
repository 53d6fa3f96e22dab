"""JSON as it comes from files and from outside: checked before it is used.

Its size and depth are limited, numbers are finite and words are text that
UTF-8 can hold. A shape says what is expected where:

- a type: `str`, `bool`, `int` (a whole number), `float` (any number), `dict`,
  `list`, or `object` for anything; `None` is null;
- `[shape]`: a list of such; `{str: shape}`: an object with any keys;
- `{"a": shape, "b?": shape}`: an object with these keys at least, of which
  those with a question mark may be missing;
- `(shape, shape)`: one of several.
"""

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
    """The content of a file of JSON.

    Args:
        path: the file.
        shape: what is expected, as above.
        remedy: what to do where it is something else, for the message.
        most: bytes that it may have.

    Raises:
        UserError: it cannot be read, or holds something else; the message
            names the file and the place in it.
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
    """The value that a text of JSON stands for.

    Args:
        text: the JSON; bytes are UTF-8.
        name: what to call it in a message, such as its path.
        shape: what is expected, as above.
        remedy: what to do where it is something else.
        finite: whether NaN and infinity are refused.

    Raises:
        UserError: it holds something else.
    """
    real = _real if finite else float
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(
            text, parse_int=_whole, parse_float=real, parse_constant=real
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
    """The values of a file of JSON lines.

    Args:
        path: the file.
        shape: what each is.
        remedy: what to do about a line that is something else.
        skips: which lines are left out if they are so: "last", which a kill
            may have cut, or "all".
        finite: whether NaN and infinity are refused.

    Raises:
        UserError: the file cannot be read, or a line holds something else.
    """
    try:
        lines = files.read_bytes(path).splitlines()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror or error}"
        ) from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            name = f"{path} line {number}"
            found.append(parse(line, name, shape, remedy, finite))
        except UserError:
            is_last = number == len(lines)
            if not (skips == "all" or (skips == "last" and is_last)):
                raise
    return found


def require(value: Json, shape: Json, place: str = "") -> None:
    """Raises `ValueError`, naming the place, for a value of another shape.

    Args:
        value: out of a file that was read.
        shape: what is expected, as above.
        place: where in the file it is.
    """
    _require_shape(value, shape, place)


def find(path: str | os.PathLike, shape: Json = dict) -> Any:
    """As `read`, but `None` where there is no such file or it is damaged."""
    try:
        return read(path, shape)
    except UserError:
        return None


def _whole(digits: str) -> int:
    if (count := len(digits.lstrip("-"))) > _MOST_DIGITS:
        raise ValueError(
            f"a number has {count:,} digits, expected up to {_MOST_DIGITS}"
        )
    return int(digits)


def _real(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        shown = _shortened(digits)
        raise ValueError(f"a number is {shown}, expected a finite one")
    return value


def _require_plain(value: Json, has_surrogates: bool) -> None:
    """Raises `ValueError` for what is nested too deep or is no text."""
    level = [value]
    for _ in range(MOST_DEPTH):
        inside: list[Any] = []
        for part in level:
            if isinstance(part, dict):
                inside += part.values()
                if has_surrogates:
                    inside += part
            elif isinstance(part, list):
                inside += part
            elif has_surrogates and isinstance(part, str):
                _require_text(part)
        if not (level := inside):
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
    """Raises `ValueError`, naming the place, for another shape."""
    if shape is object:
        return
    if isinstance(shape, tuple):
        if any(_fits(value, one) for one in shape):
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
        for key, inside in shape.items():
            name = key.removesuffix("?")
            if name in value:
                _require_shape(value[name], inside, _joined(place, name))
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
    given = _shortened(json.dumps(value, ensure_ascii=False))
    return ValueError(f"{place or 'it'} is {given}, expected {expected}")


def _called(shape: Json) -> str:
    if isinstance(shape, dict | list):
        return _NAMES[type(shape)]
    return _NAMES[shape]


def _joined(place: str, key: str) -> str:
    return _shortened(f"{place}.{key}" if place else key)


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."

"""Read the texts that a caller gives: one or many, alone or in pairs."""

import math
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from tfminilm import files
from tfminilm.errors import UserError

# What a model reads together: one text, or two.
Row: TypeAlias = tuple[str, ...]
Texts: TypeAlias = str | tuple[str, str] | Iterable[str | tuple[str, str]]

_MOST_SHOWN = 40


def rows_of(texts: Texts, is_pair: bool) -> tuple[list[Row], bool]:
    """Return texts as rows of one or of two, and whether it was just one.

    Args:
        texts: a text, or a list of texts; where the model reads pairs, a tuple
            of two texts, or a list of such tuples.
        is_pair: whether the model reads two texts together.

    Raises:
        UserError: there is none, one is no text or blank, or a pair is given
            to a model of one text, or the other way round.
    """
    if isinstance(texts, str):
        return [_row(texts, is_pair, "the text")], True
    if isinstance(texts, tuple) and all(isinstance(x, str) for x in texts):
        return [_row(texts, is_pair, "the text")], True
    if isinstance(texts, Mapping | bytes) or not isinstance(texts, Iterable):
        expected = "pairs of texts" if is_pair else "texts"
        raise UserError(
            f"the text is {_shown(texts)}, expected a text or a list of "
            f"{expected}"
        )
    rows = [
        _row(each, is_pair, f"text {number}")
        for number, each in enumerate(texts)
    ]
    if not rows:
        raise UserError("the list of texts is empty, expected one or more")
    return rows, False


def _row(value: object, is_pair: bool, where: str) -> Row:
    if is_pair:
        is_list = isinstance(value, Iterable) and not isinstance(value, str)
        parts = tuple(value) if is_list else ()  # type: ignore[arg-type]
        if len(parts) != 2:
            raise UserError(
                f"{where} is {_shown(value)}, expected a tuple of two: the "
                'model reads two texts together, as in ("question", "context")'
            )
        places = f"{where}, first of two", f"{where}, second of two"
        return _text(parts[0], places[0]), _text(parts[1], places[1])
    if isinstance(value, tuple | list):
        raise UserError(
            f"{where} is {_shown(value)}, expected one text: the model reads "
            "single texts; give several in one list"
        )
    return (_text(value, where),)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        hint = ""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            hint = ", a missing value: leave it out, or fill it in"
        raise UserError(f"{where} is {_shown(value)}, expected text{hint}")
    if not value.strip():
        raise UserError(
            f"{where} is {_shown(value)}, expected words: leave it out"
        )
    if len(value) > files.MOST_LINE:
        raise files.too_long(where)
    return value


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())
    is_long = len(text) > _MOST_SHOWN
    return text[: _MOST_SHOWN - 3] + "..." if is_long else text

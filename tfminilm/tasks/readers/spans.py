"""Read texts with their entities from a file with an object of JSON a line."""

import logging
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfminilm import json_files
from tfminilm.errors import UserError
from tfminilm.tasks import entities
from tfminilm.tasks.entities import Entity
from tfminilm.tasks.example import PlacedText, TaggedText
from tfminilm.tasks.readers import paths
from tfminilm.tasks.words import words_and_marks

_LOG = logging.getLogger(__name__)
_SPAN = {"start": int, "end": int, "label": str}
_SHAPE = {
    "text?": str,
    "spans?": ([_SPAN], None),
    "tokens?": [str],
    "tags?": ([str], None),
}
_REMEDY = (
    'expected {"text": "...", "spans": [{"start": 0, "end": 5, "label": '
    '"PER"}]}, or {"tokens": ["..."], "tags": ["O"]}'
)


def read(path: pathlib.Path, columns: tuple[str, str]) -> list[PlacedText]:
    """Read the texts of a file.

    A line is `{"text": ..., "spans": [{"start": ..., "end": ..., "label":
    ...}]}`, where the text's words get BIO tags and an entity that begins or
    ends inside of a word is taken to the whole word, which is logged; or
    `{"tokens": [...], "tags": [...]}`. Without spans or tags there are none to
    learn.

    Args:
        path: the file.
        columns: not read.

    Raises:
        UserError: the file cannot be read, a span is outside of its text or
            overlaps another, a tag is none, or tags and words are not as many.
            The message names the file and the line.
    """
    lines = paths.lines(path.expanduser())
    placed = ((f"{path}, line {number}", line) for number, line in lines)
    return of_lines(placed, str(path))


def of_lines(lines: Iterable[tuple[str, str]], name: str) -> list[PlacedText]:
    """Return the texts of lines as `read` takes them.

    Args:
        lines: each with its place, such as "names.jsonl, line 7".
        name: what messages call all of them.

    Raises:
        UserError: as `read`.
    """
    texts: list[PlacedText] = []
    widened: list[str] = []
    for where, line in lines:
        row = json_files.parse(line, where, _SHAPE, _REMEDY)
        number = str(len(texts))
        if "tokens" in row:
            example = _of_words(number, row, where)
        elif "text" in row:
            example = _of_spans(number, row, where, widened)
        else:
            raise UserError(f"{where}: no text and no tokens; {_REMEDY}")
        texts.append(PlacedText(where, example))
    _require_alike(texts)
    if widened:
        _LOG.warning(
            "%s: entities that begin or end inside of a word were taken to "
            "the whole word: %d, the first in %s",
            name,
            len(widened),
            widened[0],
        )
    return texts


def _of_words(name: str, row: Mapping[str, Any], where: str) -> TaggedText:
    words, tags = row["tokens"], row.get("tags")
    for index, word in enumerate(words):
        if not word.strip():
            raise UserError(
                f"{where}: token {index} is blank; remove it and its tag"
            )
    if not words:
        raise UserError(f"{where}: no tokens; remove the line")
    if tags is None:
        return TaggedText.of_words(name, words, None)
    if len(tags) != len(words):
        raise UserError(
            f"{where}: {len(tags)} tags of {len(words)} tokens, expected one "
            "for each"
        )
    for index, tag in enumerate(tags):
        if not entities.is_tag(tag):
            raise UserError(
                f"{where}: tag {tag[:60]!r} of token {index} is none; "
                f"{entities.EXPECTED}"
            )
    return TaggedText.of_words(name, words, tuple(tags))


def _of_spans(
    name: str, row: Mapping[str, Any], where: str, widened: list[str]
) -> TaggedText:
    """Give each word of a text its tag; note entities that were widened."""
    text, rows = row["text"], row.get("spans")
    if not text.strip():
        raise UserError(f"{where}: the text is blank; remove the line")
    words = words_and_marks(text)
    if rows is None:
        return TaggedText(name, text, words, None)
    tags = [entities.OUTSIDE] * len(words)
    spans = sorted(Entity(**{key: one[key] for key in _SPAN}) for one in rows)
    before = Entity(0, 0, "")
    for span in spans:
        _require_span(span, text, where)
        inside = [
            index
            for index, (start, end) in enumerate(words)
            if end > span.start and start < span.end
        ]
        if not inside:
            raise UserError(
                f"{where}: span {span.start} to {span.end} holds no word; "
                "remove it"
            )
        first, last = inside[0], inside[-1]
        if span.start < before.end or tags[first] != entities.OUTSIDE:
            raise UserError(
                f"{where}: {span.label} at {span.start} to {span.end} overlaps "
                f"{before.label} at {before.start} to {before.end}, or shares "
                "a word with it: expected entities apart; remove one"
            )
        if words[first][0] < span.start or words[last][1] > span.end:
            widened.append(where)
        tags[first] = f"B-{span.label}"
        for index in inside[1:]:
            tags[index] = f"I-{span.label}"
        before = span
    return TaggedText(name, text, words, tuple(tags))


def _require_span(span: Entity, text: str, where: str) -> None:
    if not 0 <= span.start < span.end <= len(text):
        raise UserError(
            f"{where}: span {span.start} to {span.end} is outside of the text "
            f"of {len(text)} characters: expected the first character, from "
            "0, and the one behind the last, counted in Unicode characters"
        )
    if not entities.is_tag(f"B-{span.label}"):
        raise UserError(
            f"{where}: span {span.start} to {span.end} has the label "
            f"{span.label[:60]!r}, expected a name such as PER"
        )


def _require_alike(texts: Sequence[PlacedText]) -> None:
    """Refuse a file in which some texts have tags and others have none."""
    for where, example in texts:
        if (example.tags is None) != (texts[0].example.tags is None):
            has, has_not = "spans or tags", "none"
            if example.tags is None:
                has, has_not = has_not, has
            raise UserError(
                f"{where} has {has}, and {texts[0].place} has {has_not}: "
                "expected them of every line, empty where there are no "
                "entities, or of none"
            )

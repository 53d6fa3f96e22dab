"""Read CoNLL's files: a word and its tag a line, a blank line between texts."""

import pathlib
from collections.abc import Iterator

from tfminilm.errors import UserError
from tfminilm.tasks import entities
from tfminilm.tasks.example import PlacedText, TaggedText
from tfminilm.tasks.readers import paths

_DOCUMENT = "-DOCSTART-"
_Row = tuple[str, list[str]]


def read(path: pathlib.Path, columns: tuple[str, str]) -> list[PlacedText]:
    """Read the texts of a file; a text is its words with blanks between them.

    Columns are parted by tabs, or by blanks in files without tabs. Lines that
    begin a document ("-DOCSTART-") part texts too; comments ("# ...") do not
    count. A file of words alone has no tags.

    Args:
        path: the file.
        columns: the numbers of the word's and the tag's column from 1; "" for
            the first and the last one.

    Raises:
        UserError: the file cannot be read, a column is not there, or a tag is
            none. The message names the file and the line.
    """
    word_at, tag_at = (
        _place(path, number, default)
        for number, default in zip(columns, (0, -1), strict=True)
    )
    texts: list[PlacedText] = []
    for rows in _texts(path, tag_at):
        width = len(rows[0][1])
        is_tagged = width > 1
        tags = []
        for where, fields in rows:
            if len(fields) != width or not -width <= tag_at < width > word_at:
                raise UserError(
                    f"{where}: {len(fields)} columns, expected "
                    f"{max(width, word_at + 1, tag_at + 1)}; does a word lack "
                    "its tag, or is a column's number wrong?"
                )
            tag = fields[tag_at]
            if is_tagged and not entities.is_tag(tag):
                raise UserError(
                    f"{where}: tag {tag[:60]!r} of the word "
                    f"{fields[word_at][:40]!r} is none; {entities.EXPECTED}; "
                    "or name the tags' column"
                )
            tags.append(tag)
        words = [fields[word_at] for _, fields in rows]
        example = TaggedText.of_words(
            str(len(texts)), words, tuple(tags) if is_tagged else None
        )
        texts.append(PlacedText(rows[0][0], example))
    if not texts:
        raise UserError(f"{path} has no words; copy it again")
    return texts


def _place(path: pathlib.Path, number: str, default: int) -> int:
    if not number:
        return default
    if not number.isdecimal() or int(number) < 1:
        raise UserError(
            f"{path}: column {number!r}, expected a number from 1, as the "
            "columns of CoNLL's files have no names"
        )
    return int(number) - 1


def _texts(path: pathlib.Path, tag_at: int) -> Iterator[list[_Row]]:
    """Yield the rows of each text, each with its place in the file."""
    content = paths.text(path.expanduser())
    delimiter = "\t" if "\t" in content else None
    rows: list[_Row] = []
    for number, line in enumerate(content.split("\n"), start=1):
        where = f"{path}, line {number}"
        paths.require_short(line, where)
        fields = line.strip("\r\n ").split(delimiter)
        is_end = not line.strip() or fields[0] == _DOCUMENT
        # "#" is also a word, but that has a tag.
        tagged = len(fields) > 1 and any(
            map(entities.is_tag, fields[tag_at:][:1])
        )
        if line.startswith("#") and not tagged:
            continue
        if not is_end:
            rows.append((where, fields))
        elif rows:
            yield rows
            rows = []
    if rows:
        yield rows

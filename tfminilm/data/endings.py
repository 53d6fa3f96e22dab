"""Find where the documents of a text end: at blank lines, if it has any.

A text without blank lines would be one document, so no part of it could be
held out. It is cut at its lines or, if it has few lines, between its sentences.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

from tfminilm.data.sentences import split_sentences

# Lines, each after its offset in bytes.
Lines = Iterable[tuple[int, str]]

BLANK_LINES = "blank lines"
LINES = "lines"
SENTENCES = "sentences"

# The approximate size of the pieces of such a text, in bytes or characters:
# about a hundred tokens.
PIECE = 500
# With fewer documents, a held-out share of 1 % could be empty by chance.
_FEW = 100


def find(texts: Sequence[Callable[[], Lines]]) -> str:
    """Return whether documents end at `BLANK_LINES`, `LINES` or `SENTENCES`.

    With a hundred texts or more, a text without blank lines is one document.

    Args:
        texts: for each text a function that returns its lines.
    """
    if len(texts) >= _FEW or any(_has_blank(text()) for text in texts):
        return BLANK_LINES
    filled = (line for text in texts for _, line in text() if line)
    count = sum(1 for _ in itertools.islice(filled, _FEW))
    return LINES if count == _FEW else SENTENCES


def documents(
    lines: Lines, ending: str, cut: Callable[[str], list[str]]
) -> Iterator[list[list[str]]]:
    """Yield the documents of a text as lists of paragraphs' sentences.

    The places of the cuts depend on the text only, not on the place where
    reading begins.

    Args:
        lines: the lines of the text, or of a part that begins with a
            document.
        ending: what ends a document, as `find` returns it.
        cut: splits a paragraph, which is a line, into sentences.
    """
    paragraphs: list[list[str]] = []
    piece = 0
    for offset, line in lines:
        if line and ending == SENTENCES:
            yield from ([cut(part)] for part in _parts(line))
            continue
        is_over = ending == LINES and offset // PIECE > piece
        if paragraphs and (is_over or not line):
            yield paragraphs
            paragraphs = []
        if line:
            paragraphs.append(cut(line))
            piece = offset // PIECE
    if paragraphs:
        yield paragraphs


def describe(ending: str) -> str:
    """Describe to a user how a text is cut."""
    places = "at line ends" if ending == LINES else "between its sentences"
    return (
        "it has no blank line, which ends a document, and is cut "
        f"{places} into documents of about {PIECE} characters"
    )


def _has_blank(lines: Lines) -> bool:
    """Return whether there is a blank line between two others."""
    is_first, was_blank = True, False
    for _, line in lines:
        if line and was_blank:
            return True
        is_first = is_first and not line
        was_blank = not line and not is_first
    return False


def _parts(line: str) -> Iterator[str]:
    """Yield groups of sentences; very long ones are cut between words."""
    group: list[str] = []
    size = 0
    for sentence in split_sentences(line):
        while len(sentence) > 2 * PIECE:
            place = sentence.rfind(" ", 1, PIECE) + 1 or PIECE
            group.append(sentence[:place].strip())
            sentence = sentence[place:]
            yield " ".join(group)
            group, size = [], 0
        group.append(sentence)
        size += len(sentence)
        if size >= PIECE:
            yield " ".join(group)
            group, size = [], 0
    if group:
        yield " ".join(group)

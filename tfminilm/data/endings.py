"""Find where the documents of a text end: at blank lines, if it has any.

A text without them would be one document, of which no part can be held out.
It is cut at its lines, or, where it has few, between its sentences.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

from tfminilm.data.sentences import split_sentences

# Lines with the bytes that stand before them.
Lines = Iterable[tuple[int, str]]

BLANK_LINES = "blank lines"
LINES = "lines"
SENTENCES = "sentences"

# That a document which is cut is cut into, in bytes or characters, about: some
# hundred tokens.
PIECE = 500
# With fewer it would be chance whether one of a hundred is held out.
_FEW = 100


def find(texts: Sequence[Callable[[], Lines]]) -> str:
    """Tells whether documents end at `BLANK_LINES`, `LINES` or `SENTENCES`.

    A hundred texts without a blank line are a hundred documents.

    Args:
        texts: what gives the lines of each.
    """
    if len(texts) >= _FEW or any(_has_blank(text()) for text in texts):
        return BLANK_LINES
    filled = (line for text in texts for _, line in text() if line)
    count = sum(1 for _ in itertools.islice(filled, _FEW))
    return LINES if count == _FEW else SENTENCES


def documents(
    lines: Lines, ending: str, cut: Callable[[str], list[str]]
) -> Iterator[list[list[str]]]:
    """The documents of a text as lists of paragraphs' sentences.

    Where a document that was cut ends depends on places in the text alone,
    and so not on where reading begins.

    Args:
        lines: of the text, or of a part that begins with a document.
        ending: what ends a document, as `find` says it.
        cut: what makes sentences of a paragraph, which is a line.
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


def told(ending: str) -> str:
    """Tells a user how a text is cut."""
    places = "at line ends" if ending == LINES else "between its sentences"
    return (
        "it has no blank line, which ends a document, and is cut "
        f"{places} into documents of about {PIECE} characters"
    )


def _has_blank(lines: Lines) -> bool:
    """Tells whether there is a blank line between two others."""
    is_first, was_blank = True, False
    for _, line in lines:
        if line and was_blank:
            return True
        is_first = is_first and not line
        was_blank = not line and not is_first
    return False


def _parts(line: str) -> Iterator[str]:
    """Sentences together, cut between words where they do not end."""
    own: list[str] = []
    size = 0
    for sentence in split_sentences(line):
        while len(sentence) > 2 * PIECE:
            place = sentence.rfind(" ", 1, PIECE) + 1 or PIECE
            own.append(sentence[:place].strip())
            sentence = sentence[place:]
            yield " ".join(own)
            own, size = [], 0
        own.append(sentence)
        size += len(sentence)
        if size >= PIECE:
            yield " ".join(own)
            own, size = [], 0
    if own:
        yield " ".join(own)

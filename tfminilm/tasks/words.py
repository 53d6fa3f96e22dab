"""Find where words begin and end in a text."""

import bisect
import functools
from typing import Any

_WITHOUT_BLANKS = "Han Hiragana Katakana Hangul Thai Lao Khmer Myanmar".split()
_SCRIPTS = "".join(rf"\p{{Script={name}}}" for name in _WITHOUT_BLANKS)
_WORD = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{_SCRIPTS}]]+"


class Words:
    """The words of a text, which an answer takes whole.

    A word is a run of letters, digits and the marks on them. Scripts that
    write words without blanks, or endings behind them, have none: there an
    answer may begin and end at any character.
    """

    def __init__(self, text: str):
        """Find the words.

        Args:
            text: in which answers are found.
        """
        self._text = text
        spans = [match.span() for match in _pattern().finditer(text)]
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]

    def whole(self, start: int, end: int) -> tuple[int, int]:
        """Trim blanks from a part of the text, and extend it to whole words.

        Args:
            start: its first character.
            end: the one behind its last.

        Returns:
            The same; both are equal where there are blanks only.
        """
        part = self._text[start:end]
        start += len(part) - len(part.lstrip())
        end = start + len(part.strip())
        if start >= end:
            return start, start
        first = bisect.bisect_left(self._starts, start) - 1
        if first >= 0 and start < self._ends[first]:
            start = self._starts[first]
        last = bisect.bisect_right(self._ends, end)
        if last < len(self._ends) and self._starts[last] < end:
            end = self._ends[last]
        return start, end


def words_and_marks(text: str) -> tuple[tuple[int, int], ...]:
    """Return the parts of a text that have a tag each.

    They are the words of `Words`, and every other character that is no blank.

    Returns:
        The first character of each, and the one behind its last.
    """
    return tuple(match.span() for match in _parts().finditer(text))


@functools.cache
def _pattern() -> Any:
    return _compiled(_WORD)


@functools.cache
def _parts() -> Any:
    return _compiled(rf"{_WORD}|\S")


def _compiled(pattern: str) -> Any:
    import regex

    return regex.compile(pattern, regex.VERSION1)

"""Split texts into words, and say which of them may be replaced."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

# Letters and digits in a row, or one mark: what BERT's tokenizer starts from.
_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")

# Function words: replacing one would break the sentence. Also their parts
# before and after an apostrophe. The lists of libraries such as scikit-learn
# also have "sincere", "serious" or "interest", which should be replaced.
STOP_WORDS = frozenset(
    """
    a an the this that these those such same
    i me my mine myself we us our ours ourselves you your yours yourself
    yourselves he him his himself she her hers herself it its itself they them
    their theirs themselves one
    who whom whose which what when where why how
    am is are was were be been being have has had having do does did doing done
    can could may might must shall should will would ought cannot
    not no nor never and or but if then else than because since until while
    though although unless whether as so
    about above across after against along among around at before behind below
    beneath beside besides between beyond by despite down during for from in
    inside into near of off on onto out outside over past per through
    throughout to toward towards under up upon via with within without
    again also all any both each either every few here just more most much
    neither now once only other others own some there too very yet
    s t d m o ll re ve y ain aren couldn didn doesn don hadn hasn haven isn
    mightn mustn needn shan shouldn wasn weren won wouldn
    """.split()
)


class Word(NamedTuple):
    """A word or a mark of a text, and where it starts and ends there."""

    text: str
    start: int
    end: int


def split(text: str) -> list[Word]:
    """Return the words and marks of a text, in order."""
    return [Word(m.group(), *m.span()) for m in _WORD.finditer(text)]


def may_change(word: str) -> bool:
    """Return whether a word consists of letters and is no stop word."""
    return word.isalpha() and word.lower() not in STOP_WORDS


def replace(text: str, words: Sequence[Word], new: Mapping[int, str]) -> str:
    """Return the text with other words at some places.

    Args:
        text: the original text.
        words: its words, from `split`.
        new: replacements by the words' indices; they are capitalised where
            the originals are.
    """
    parts = []
    end = 0
    for index, replacement in new.items():
        word = words[index]
        if word.text[0].isupper():
            replacement = replacement.capitalize()
        parts += [text[end : word.start], replacement]
        end = word.end
    return "".join([*parts, text[end:]])

"""Normalise answers, as the scripts of SQuAD and of MLQA define it."""

import functools
import re
import string
import sys
import unicodedata

# SQuAD's script knows these 32 characters only; MLQA's also Unicode's.
_ASCII_PUNCTUATION = frozenset(string.punctuation)
_ENGLISH = r"\b(a|an|the)\b"
# Arabic writes its article as part of the word; MLQA's script removes these
# two letters wherever they stand.
_ARTICLES = {
    "en": _ENGLISH,
    "ar": "ال",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "vi": r"\b(của|là|cái|chiếc|những)\b",
}
_HAN = re.compile("([\u4e00-\u9fa5])")


def squad_answer(answer: str) -> str:
    """Remove case, punctuation, articles and extra white space.

    Rajpurkar et al. 2016 (arXiv:1606.05250), the official script's
    `normalize_answer`. Articles leave a space, so "C.A.T." and "cat" are the
    same, and "the-end" is "theend".
    """
    answer = _without(_ASCII_PUNCTUATION, answer.lower())
    return " ".join(re.sub(_ENGLISH, " ", answer).split())


def mlqa_answer(answer: str, language: str) -> str:
    """Normalise as `squad_answer` does, in the answer's language.

    Lewis et al. 2020 (arXiv:1910.07475), the official script's
    `normalize_answer`: all of Unicode's punctuation goes, each language has
    its articles, and every Han character is a word.

    Args:
        language: one of MLQA's codes.
    """
    answer = _without(_unicode_punctuation(), answer.lower())
    if language in _ARTICLES:
        answer = re.sub(_ARTICLES[language], " ", answer)
    if language == "zh":
        answer = _HAN.sub(r" \1 ", answer)
    return " ".join(answer.split())


def _without(punctuation: frozenset[str], answer: str) -> str:
    return "".join(c for c in answer if c not in punctuation)


@functools.cache
def _unicode_punctuation() -> frozenset[str]:
    return _ASCII_PUNCTUATION | {
        chr(code)
        for code in range(sys.maxunicode)
        if unicodedata.category(chr(code)).startswith("P")
    }

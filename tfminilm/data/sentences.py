# ruff: noqa: RUF001 (quotation marks are meant; word lists as text)
"""Split paragraphs into sentences by rules, and recognise prose.

The rules know abbreviations, initials, decimals, closing quotes and brackets,
and the full stops of Chinese and Japanese, which no space follows. At an
ambiguous full stop two sentences are rather joined than one cut in two.
"""

import re

# Sentence ends, closing quotes and brackets, and then a space; or full-width
# ends, after which the next sentence may follow without a space.
_END = re.compile(
    r"""(?P<end>[.!?…।]+)["'”’»)\]]*(?P<gap>\s+)"""
    r"""|[。！？｡]+["'”’」』）》]*\s*"""
)
_OPENING = "\"'“‘«([{*_¿¡"
_BEFORE_WORD = re.compile(r"""[\s"'“‘(\[]""")
# Longer words are no abbreviations.
_LONGEST = 40

# Never the end of a sentence: a name or an example follows.
_TITLES = frozenset(
    "mr mrs ms dr prof rev hon gov gen col capt lt sgt cmdr adm maj sen rep "
    "pres st mt ft messrs mme mlle fr cf vs v viz e.g i.e eg ie ca approx "
    "resp incl esp".split()
)
# Not the end when a number follows.
_BEFORE_NUMBER = frozenset(
    "fig figs no nos vol vols eq eqs sec ch chap p pp art op ed ref refs "
    "jan feb mar apr jun jul aug sep sept oct nov dec b d r".split()
)
# The end of a sentence only when a word follows that often begins one.
_MAYBE = frozenset(
    "jr sr inc ltd co corp bros dept univ assn etc u.s u.k u.n e.u u.s.a "
    "d.c a.m p.m b.c a.d b.c.e c.e ph.d m.a b.a m.d est al".split()
)
_STARTERS = frozenset(
    "the a an this that these those it its he she they we you i his her "
    "their our my in on at by for from to with after before as if when while "
    "although though however but and or so then there here since because "
    "during under over between many most some all both each such one two "
    "another other no not today now later also thus moreover see use note "
    "what which who where why how is are was were".split()
)

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+(?:['’.-][^\W_]+)*")
_LETTERS = re.compile(r"[^\W\d_]+")
_PROSE_END = re.compile(r"""[.!?…。！？]["'”’)」』]*$""")


def split_sentences(paragraph: str) -> list[str]:
    """Split a paragraph into sentences, in order, each stripped.

    Joined by spaces, they are the paragraph again (except for white space).
    """
    sentences = []
    start = 0
    for match in _END.finditer(paragraph):
        if match["end"] and not _ends(paragraph, start, match):
            continue
        sentences.append(paragraph[start : match.end()].strip())
        start = match.end()
    sentences.append(paragraph[start:].strip())
    return [sentence for sentence in sentences if sentence]


def whole(paragraph: str) -> list[str]:
    """Return the paragraph as its only sentence, where no split is needed."""
    return [text] if (text := paragraph.strip()) else []


def words(sentence: str) -> list[str]:
    """Return the words; a Chinese or Japanese character counts as a word."""
    return _WORD.findall(sentence)


def is_prose(sentence: str) -> bool:
    """Return whether it looks like a sentence: opens, ends, mostly letters."""
    opening = sentence.lstrip(_OPENING)[:1]
    if not opening.isalpha() or opening.islower():
        return False
    if not _PROSE_END.search(sentence):
        return False
    letters = sum(map(len, _LETTERS.findall(sentence)))
    return letters >= 0.8 * (len(sentence) - sentence.count(" "))


def _ends(text: str, start: int, match: re.Match) -> bool:
    """Return whether this match ends the sentence that began at `start`."""
    following = text[match.end() : match.end() + 40].lstrip(_OPENING)
    if following[:1].islower():
        return False
    if match["end"] != ".":
        return True
    start = max(start, match.start() - _LONGEST)
    last = _BEFORE_WORD.split(text[start : match.start()])[-1]
    if not last:
        return True
    word = last.casefold()
    if word in _TITLES:
        return False
    if word in _MAYBE:
        opener = _WORD.match(following)
        return opener is not None and opener.group().lower() in _STARTERS
    if _is_initial(last):
        return False
    return word not in _BEFORE_NUMBER or not following[:1].isdigit()


def _is_initial(word: str) -> bool:
    """Return whether it is like `J` of "J. Smith" or `J.R`, but not `I`."""
    parts = word.split(".")
    return word != "I" and all(
        len(part) == 1 and part.isupper() for part in parts
    )

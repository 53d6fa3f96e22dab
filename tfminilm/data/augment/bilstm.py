"""More texts out of few: the augmentation of Distilled BiLSTM.

Tang et al. (arXiv 1903.12136, section 3.3). The new texts have no labels:
the teacher says what it thinks of them, nonsense or not.
"""

import collections
import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from tfminilm.errors import UserError

# The part of speech of each word of a text.
Tagger = Callable[[list[str]], list[str]]


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How texts are changed.

    Attributes:
        mask_probability: of a word to become `mask_token`.
        replace_probability: of a word to become another one of the same part
            of speech, as often as that one stands in the texts; 0 turns this
            off, and no tagger is needed.
        ngram_probability: of a text to be cut to some words in a row.
        max_ngram: the most words of such a cut.
        copies: how often each example is changed.
        mask_token: a word that the tokenizer knows. KerasHub's read "[MASK]"
            as one token if made with `special_tokens_in_strings=True`.
    """

    mask_probability: float = 0.1
    replace_probability: float = 0.1
    ngram_probability: float = 0.25
    max_ngram: int = 5
    copies: int = 20
    mask_token: str = "[MASK]"

    def __post_init__(self) -> None:
        for name in ("mask", "replace", "ngram"):
            value = getattr(self, f"{name}_probability")
            if not 0 <= value <= 1:
                raise UserError(
                    f"{name}_probability is {value}, expected 0 to 1"
                )
        if self.mask_probability + self.replace_probability > 1:
            raise UserError(
                "mask_probability and replace_probability are of one draw: "
                "expected at most 1 together"
            )
        for name in ("max_ngram", "copies"):
            if getattr(self, name) < 1:
                raise UserError(
                    f"{name} is {getattr(self, name)}, expected 1 or more"
                )


def augment(
    examples: Sequence[Sequence[str]],
    augmentation: Augmentation | None = None,
    seed: int = 0,
    tagger: Tagger | None = None,
) -> list[tuple[int, tuple[str, ...]]]:
    """Changed copies of examples, each a text or a pair of texts.

    Of pairs the first text is changed, then the second, then both, in turn.
    A copy that is the example itself, or another copy of it, is left out.

    Args:
        examples: their texts.
        augmentation: how much of what; the paper's numbers by default.
        seed: what an example becomes depends on it, on its place and on the
            words of all examples.
        tagger: the parts of speech; `english_tagger()` by default.

    Returns:
        New texts, each behind the number of the example that it comes from.

    Raises:
        UserError: a tagger is needed and not installed.
    """
    how = augmentation or Augmentation()
    likes = _Likes(examples, how, tagger)
    found = []
    for number, texts in enumerate(examples):
        random = np.random.Generator(np.random.PCG64([seed, number]))
        seen = {tuple(texts)}
        for copy in range(how.copies):
            turn = copy % 3 if len(texts) == 2 else 2
            new = tuple(
                text if turn == 1 - side else _change(text, how, likes, random)
                for side, text in enumerate(texts)
            )
            if new not in seen:
                found.append((number, new))
            seen.add(new)
    return found


def english_tagger() -> Tagger:
    """The Hanover Tagger's parts of speech of English words.

    Raises:
        UserError: it is not installed.
    """
    try:
        from HanTa import HanoverTagger
    except ImportError:
        raise UserError(
            "parts of speech need the package HanTa: pip install HanTa, or "
            "turn the replacement of words off with replace_probability=0"
        ) from None
    model = HanoverTagger.HanoverTagger("morphmodel_en.pgz")

    def tag(words: list[str]) -> list[str]:
        return [found[2] for found in model.tag_sent(words, taglevel=1)]

    return tag


class _Likes:
    """Words of the examples by their part of speech, as often as they come."""

    def __init__(
        self,
        examples: Sequence[Sequence[str]],
        how: Augmentation,
        tagger: Tagger | None,
    ):
        self.tags: dict[str, list[str]] = {}
        self.words: dict[str, list[str]] = collections.defaultdict(list)
        if not how.replace_probability:
            return
        tag = tagger or english_tagger()
        for text in (text for texts in examples for text in texts):
            words = text.split()
            self.tags[text] = tag(words) if words else []
            for word, kind in zip(words, self.tags[text], strict=True):
                self.words[kind].append(word)

    def draw(self, text: str, place: int, random: np.random.Generator) -> str:
        """Another word like the one at this place."""
        likes = self.words[self.tags[text][place]]
        return likes[random.integers(len(likes))]


def _change(
    text: str, how: Augmentation, likes: _Likes, random: np.random.Generator
) -> str:
    words = text.split()
    if not words:
        return text
    new = []
    for place, (word, chance) in enumerate(
        zip(words, random.random(len(words)), strict=True)
    ):
        if chance < how.mask_probability:
            new.append(how.mask_token)
        elif chance < how.mask_probability + how.replace_probability:
            new.append(likes.draw(text, place, random))
        else:
            new.append(word)
    if random.random() < how.ngram_probability:
        size = min(int(random.integers(1, how.max_ngram + 1)), len(new))
        start = int(random.integers(len(new) - size + 1))
        new = new[start : start + size]
    return " ".join(new)

"""The data augmentation of Distilled BiLSTM.

Tang et al. (arXiv 1903.12136, section 3.3). The new texts have no labels: the
student learns the teacher's predictions for them, even if they make no sense.
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
    """The settings of the augmentation.

    Attributes:
        mask_probability: the probability that a word becomes `mask_token`.
        replace_probability: the probability that a word is replaced by one of
            the same part of speech, drawn by its frequency in the texts; with
            0 no tagger is needed.
        ngram_probability: the probability that a text is cut to a few
            consecutive words.
        max_ngram: the most words of such a cut.
        copies: changed copies of each example.
        mask_token: a token of the vocabulary. KerasHub's tokenizers read
            "[MASK]" as one token with `special_tokens_in_strings=True`.
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
    """Return changed copies of examples, each a text or a pair of texts.

    In pairs the first text is changed, then the second, then both, in turn.
    Copies equal to the example or to another copy are left out.

    Args:
        examples: the texts of each example.
        augmentation: the settings; the paper's numbers by default.
        seed: an example's copies depend on the seed, on its index, and on the
            words of all examples.
        tagger: the parts of speech; `english_tagger()` by default.

    Returns:
        Pairs of an example's index and the texts of a copy.

    Raises:
        UserError: a tagger is needed and not installed.
    """
    settings = augmentation or Augmentation()
    vocabulary = _TaggedWords(examples, settings, tagger)
    copies = []
    for number, texts in enumerate(examples):
        random = np.random.Generator(np.random.PCG64([seed, number]))
        distinct = {tuple(texts)}
        for copy in range(settings.copies):
            turn = copy % 3 if len(texts) == 2 else 2
            new = tuple(
                text
                if turn == 1 - side
                else _change(text, settings, vocabulary, random)
                for side, text in enumerate(texts)
            )
            if new not in distinct:
                copies.append((number, new))
            distinct.add(new)
    return copies


def english_tagger() -> Tagger:
    """Return the Hanover Tagger for the parts of speech of English words.

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
        return [tagged[2] for tagged in model.tag_sent(words, taglevel=1)]

    return tag


class _TaggedWords:
    """All words of the examples by part of speech, with repetitions."""

    def __init__(
        self,
        examples: Sequence[Sequence[str]],
        settings: Augmentation,
        tagger: Tagger | None,
    ):
        self.tags: dict[str, list[str]] = {}
        self.words: dict[str, list[str]] = collections.defaultdict(list)
        if not settings.replace_probability:
            return
        tag = tagger or english_tagger()
        for text in (text for texts in examples for text in texts):
            words = text.split()
            self.tags[text] = tag(words) if words else []
            for word, kind in zip(words, self.tags[text], strict=True):
                self.words[kind].append(word)

    def draw(self, text: str, place: int, random: np.random.Generator) -> str:
        """Draw a word of the same part of speech as the word at this place."""
        words = self.words[self.tags[text][place]]
        return words[random.integers(len(words))]


def _change(
    text: str,
    settings: Augmentation,
    vocabulary: _TaggedWords,
    random: np.random.Generator,
) -> str:
    words = text.split()
    if not words:
        return text
    new = []
    for place, (word, chance) in enumerate(
        zip(words, random.random(len(words)), strict=True)
    ):
        if chance < settings.mask_probability:
            new.append(settings.mask_token)
        elif chance < settings.mask_probability + settings.replace_probability:
            new.append(vocabulary.draw(text, place, random))
        else:
            new.append(word)
    if random.random() < settings.ngram_probability:
        size = min(int(random.integers(1, settings.max_ngram + 1)), len(new))
        start = int(random.integers(len(new) - size + 1))
        new = new[start : start + size]
    return " ".join(new)

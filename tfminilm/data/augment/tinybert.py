"""The augmentation of TinyBERT: likely words and similar ones.

Jiao et al. (arXiv 1909.10351, algorithm 1). Each word that is no stop word is
replaced with probability p by one of K candidates. For a word that is a single
piece they are the likeliest words by a masked language model, for other words
those with the nearest word vectors. As in the authors' code, the candidates are
found once, in the original text.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from tfminilm.data import packing
from tfminilm.data.augment import words
from tfminilm.data.augment.masked_words import MaskedWords
from tfminilm.data.augment.word_vectors import WordVectors
from tfminilm.errors import UserError
from tfminilm.typing import Tokenizer

# Replacements for words, by the word's index in the text.
Candidates = dict[int, list[str]]
# The index of a text, and of a word in it.
Place = tuple[int, int]
_NOTHING = np.array([], "int32")


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """The settings of the augmentation.

    Attributes:
        probability: p, the probability that a word is replaced.
        num_candidates: K, the words that its replacement is drawn from; with
            a masked language model the word itself may be among them.
        copies: changed copies of each text of an example. The authors' code
            has 30 for CoLA, MRPC, STS-B and RTE, 10 for MNLI and QQP.
    """

    probability: float = 0.4
    num_candidates: int = 15
    copies: int = 20

    def __post_init__(self) -> None:
        if not 0 < self.probability <= 1:
            raise UserError(
                f"probability is {self.probability}, expected 0 to 1, above 0"
            )
        for name in ("num_candidates", "copies"):
            if getattr(self, name) < 1:
                raise UserError(
                    f"{name} is {getattr(self, name)}, expected 1 or more"
                )


class Augmenter:
    """Makes changed copies of examples, each a text or a pair of texts.

    In pairs one text is changed and the other kept: `copies` times the first,
    and as often the second. Copies equal to the example or to another copy
    are left out.

    Args:
        pieces: the token ids of each word of all texts, from `spell`.
        vectors: find similar words.
        masked: predicts likely words; without it all candidates are similar
            words.
        how: the settings; the paper's numbers by default.
        seed: an example's copies depend on the seed and its index, but not on
            other examples.
    """

    def __init__(
        self,
        pieces: Mapping[str, np.ndarray],
        vectors: WordVectors,
        masked: MaskedWords | None,
        how: Augmentation | None = None,
        seed: int = 0,
    ):
        self.how = how or Augmentation()
        self._pieces = pieces
        self._vectors = vectors
        self._masked = masked
        self._seed = seed
        self._similar: dict[str, list[str]] = {}

    def augment(
        self, examples: Sequence[Sequence[str]], first: int = 0
    ) -> list[tuple[int, tuple[str, ...]]]:
        """Return the copies of some examples.

        Args:
            examples: the texts of each example.
            first: the index of the first one among all examples.

        Returns:
            Pairs of an example's index and the texts of a copy.
        """
        texts = list(
            dict.fromkeys(text for example in examples for text in example)
        )
        candidates = dict(zip(texts, self.candidates(texts), strict=True))
        return [
            (number, new)
            for number, example in enumerate(examples, first)
            for new in self._copies(number, tuple(example), candidates)
        ]

    def candidates(self, texts: Sequence[str]) -> list[Candidates]:
        """Return for each text the candidates of its words that may change."""
        split = [words.split(text) for text in texts]
        single: list[Place] = []
        several: list[Place] = []
        for text, text_words in enumerate(split):
            for number, word in enumerate(text_words):
                if words.may_change(word.text):
                    kind = single if self._is_single(word.text) else several
                    kind.append((text, number))
        candidates: dict[Place, list[str]] = {}
        if self._masked:
            candidates |= _likely(self._masked, self._pieces, split, single)
        candidates |= self._similar_words(split, several)
        ordered: list[Candidates] = [{} for _ in texts]
        for (text, number), replacements in sorted(candidates.items()):
            if replacements:
                ordered[text][number] = replacements
        return ordered

    def _is_single(self, word: str) -> bool:
        return self._masked is not None and self._masked.is_word(
            self._pieces[word]
        )

    def _similar_words(
        self, split: Sequence[list[words.Word]], places: Sequence[Place]
    ) -> dict[Place, list[str]]:
        """Return the nearest words at these places; look up each word once."""
        word_by_place = {
            place: split[place[0]][place[1]].text for place in places
        }
        new = sorted(set(word_by_place.values()) - self._similar.keys())
        nearest = self._vectors.nearest(new, self.how.num_candidates)
        self._similar |= dict(zip(new, nearest, strict=True))
        return {
            place: self._similar[word] for place, word in word_by_place.items()
        }

    def _copies(
        self,
        number: int,
        texts: tuple[str, ...],
        candidates: Mapping[str, Candidates],
    ) -> Iterator[tuple[str, ...]]:
        random = np.random.Generator(np.random.PCG64([self._seed, number]))
        distinct = {texts}
        for side, text in enumerate(texts):
            replacements, split = candidates[text], words.split(text)
            draws = random.random((self.how.copies, 2, len(replacements)))
            for chances, choices in draws:
                new = {
                    word: likely[int(choice * len(likely))]
                    for (word, likely), chance, choice in zip(
                        replacements.items(), chances, choices, strict=True
                    )
                    if chance < self.how.probability
                }
                changed = words.replace(text, split, new)
                copy = (*texts[:side], changed, *texts[side + 1 :])
                if copy not in distinct:
                    distinct.add(copy)
                    yield copy


def spell(texts: Iterable[str], tokenizer: Tokenizer) -> dict[str, np.ndarray]:
    """Return the token ids of each single word and mark of the texts."""
    vocabulary = sorted(
        {word.text for text in texts for word in words.split(text)}
    )
    if not vocabulary:
        return {}
    # With a space before it, as inside a sentence: byte-level BPE reads it.
    documents = packing.encode([[f" {word}"] for word in vocabulary], tokenizer)
    return {
        word: document.token_ids
        for word, document in zip(vocabulary, documents, strict=True)
    }


def _likely(
    masked: MaskedWords,
    pieces: Mapping[str, np.ndarray],
    split: Sequence[list[words.Word]],
    places: Sequence[Place],
) -> dict[Place, list[str]]:
    """Predict the likeliest words at these places; none outside the window."""
    ids = [[pieces[word.text] for word in text_words] for text_words in split]
    starts = [
        np.cumsum([0, *map(len, pieces_of_text)]) for pieces_of_text in ids
    ]
    visible = [
        (text, number)
        for text, number in places
        if masked.is_visible(starts[text][number])
    ]
    likely = masked.likeliest(
        [np.concatenate([*pieces_of_text, _NOTHING]) for pieces_of_text in ids],
        [(text, int(starts[text][number])) for text, number in visible],
    )
    return dict(zip(visible, likely, strict=True))

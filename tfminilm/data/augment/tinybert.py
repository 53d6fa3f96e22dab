"""The augmentation of TinyBERT: likely words and similar ones.

Jiao et al. (arXiv 1909.10351, algorithm 1). Each word that is no stop word is
replaced with probability p by one of K candidates: of a word that is a single
piece, the ones that a masked language model finds likeliest in its place; of
the others, those of the nearest word vectors. As in the authors' code, the
candidates of a word are those of the original text, found once.
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

# What may stand in a word's place, by its number among the text's words.
Candidates = dict[int, list[str]]
# A text's number, and that of a word in it.
Place = tuple[int, int]
_NOTHING = np.array([], "int32")


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How texts are changed.

    Attributes:
        probability: p, of a word to be replaced.
        num_candidates: K, the words that its replacement is drawn from; with
            a masked language model the word itself may be among them.
        copies: how often each text of an example is changed. The authors'
            code has 30 for CoLA, MRPC, STS-B and RTE, 10 for MNLI and QQP.
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
    """Changed copies of examples, each a text or a pair of texts.

    Of pairs one text is changed and the other kept: `copies` times the first,
    and as often the second. A copy that is the example itself, or another
    copy of it, is left out.

    Args:
        pieces: the token ids of each word of all texts, of `spell`.
        vectors: where similar words come from.
        masked: where likely words come from; without it all are similar ones.
        how: how much of what; the paper's numbers by default.
        seed: what an example becomes depends on it, on its number, and on
            nothing of the other examples.
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
        """The copies of some examples.

        Args:
            examples: their texts.
            first: the number of the first one among all.

        Returns:
            New texts, each behind the number of the example it comes from.
        """
        texts = list(dict.fromkeys(text for own in examples for text in own))
        found = dict(zip(texts, self.candidates(texts), strict=True))
        return [
            (number, new)
            for number, own in enumerate(examples, first)
            for new in self._copies(number, tuple(own), found)
        ]

    def candidates(self, texts: Sequence[str]) -> list[Candidates]:
        """For each text what may stand in the place of which of its words."""
        split = [words.split(text) for text in texts]
        single: list[Place] = []
        others: list[Place] = []
        for text, own in enumerate(split):
            for number, word in enumerate(own):
                if words.may_change(word.text):
                    kind = single if self._is_single(word.text) else others
                    kind.append((text, number))
        found: dict[Place, list[str]] = {}
        if self._masked:
            found |= _likely(self._masked, self._pieces, split, single)
        found |= self._similar_ones(split, others)
        ordered: list[Candidates] = [{} for _ in texts]
        for (text, number), own_candidates in sorted(found.items()):
            if own_candidates:
                ordered[text][number] = own_candidates
        return ordered

    def _is_single(self, word: str) -> bool:
        return self._masked is not None and self._masked.knows(
            self._pieces[word]
        )

    def _similar_ones(
        self, split: Sequence[list[words.Word]], places: Sequence[Place]
    ) -> dict[Place, list[str]]:
        """The nearest words at these places, each word looked up once."""
        wanted = {place: split[place[0]][place[1]].text for place in places}
        new = sorted(set(wanted.values()) - self._similar.keys())
        nearest = self._vectors.nearest(new, self.how.num_candidates)
        self._similar |= dict(zip(new, nearest, strict=True))
        return {place: self._similar[word] for place, word in wanted.items()}

    def _copies(
        self,
        number: int,
        texts: tuple[str, ...],
        candidates: Mapping[str, Candidates],
    ) -> Iterator[tuple[str, ...]]:
        random = np.random.Generator(np.random.PCG64([self._seed, number]))
        seen = {texts}
        for side, text in enumerate(texts):
            own, split = candidates[text], words.split(text)
            draws = random.random((self.how.copies, 2, len(own)))
            for chances, choices in draws:
                new = {
                    word: likely[int(choice * len(likely))]
                    for (word, likely), chance, choice in zip(
                        own.items(), chances, choices, strict=True
                    )
                    if chance < self.how.probability
                }
                changed = words.replace(text, split, new)
                copy = (*texts[:side], changed, *texts[side + 1 :])
                if copy not in seen:
                    seen.add(copy)
                    yield copy


def spell(texts: Iterable[str], tokenizer: Tokenizer) -> dict[str, np.ndarray]:
    """The token ids of each word and mark of the texts, by itself."""
    found = sorted({word.text for text in texts for word in words.split(text)})
    if not found:
        return {}
    # As in the middle of a sentence, which only byte-level BPE sees.
    documents = packing.encode([[f" {word}"] for word in found], tokenizer)
    return {
        word: document.token_ids
        for word, document in zip(found, documents, strict=True)
    }


def _likely(
    masked: MaskedWords,
    pieces: Mapping[str, np.ndarray],
    split: Sequence[list[words.Word]],
    places: Sequence[Place],
) -> dict[Place, list[str]]:
    """The likeliest words at these places; none beyond the model's window."""
    ids = [[pieces[word.text] for word in own] for own in split]
    starts = [np.cumsum([0, *map(len, own)]) for own in ids]
    seen = [
        (text, number)
        for text, number in places
        if masked.sees(starts[text][number])
    ]
    likely = masked.likeliest(
        [np.concatenate([*own, _NOTHING]) for own in ids],
        [(text, int(starts[text][number])) for text, number in seen],
    )
    return dict(zip(seen, likely, strict=True))

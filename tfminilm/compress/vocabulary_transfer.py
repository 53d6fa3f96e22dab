"""Give a model another vocabulary, made of the pieces that it has.

Each new piece begins as the old vector of the same piece, or as the mean of
the old vectors that spell its text; so a student may have a smaller vocabulary
than its teacher, or one of another language, and need not begin at random.
"""

import dataclasses
import unicodedata
from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
import numpy as np

from tfminilm.data import masking, packing
from tfminilm.errors import UserError
from tfminilm.tasks import heads
from tfminilm.tokenizer import Exact
from tfminilm.typing import Tokenizer

# In front of SentencePiece's pieces that begin a word.
_START = "\u2581"
# A piece's text, and whether it begins a word.
_Piece: TypeAlias = tuple[str, bool]


@dataclasses.dataclass(frozen=True)
class Transferred:
    """Count where the vectors of a new vocabulary come from.

    Attributes:
        exact: pieces that the old vocabulary has, and special tokens.
        mean: pieces that several old ones spell.
        random: pieces that no old ones spell.
    """

    exact: int
    mean: int
    random: int

    def __str__(self) -> str:
        total = self.exact + self.mean + self.random
        return (
            f"vocabulary of {total:,} pieces: {self.exact:,} taken over, "
            f"{self.mean:,} as means of the pieces that spell them, "
            f"{self.random:,} at random"
        )


def transfer_vocabulary(
    model: keras.Model,
    tokenizer: Tokenizer,
    new_tokenizer: Tokenizer,
    seed: int = 0,
) -> tuple[keras.Model, Transferred]:
    """Return a copy of a model that reads another tokenizer's pieces.

    A special token takes the vector of the one of its role; a piece that the
    model has takes its vector. Any other piece takes the mean of the vectors
    of the pieces that its text is cut into: as the model's tokenizer cuts it
    where it begins a word, and by the longest pieces first where it goes on
    with one. What cannot be spelled is drawn from the normal distribution with
    the mean and the deviation of each feature of the old vectors.

    Args:
        model: an encoder, or one with a head for a task.
        tokenizer: its tokenizer.
        new_tokenizer: the one whose pieces the copy reads.
        seed: of the chance.

    Returns:
        The copy, and where its vectors come from.

    Raises:
        UserError: the model is a masked language model, or has no single
            table of tokens.
    """
    import keras_hub

    backbone = getattr(model, "backbone", model)
    if isinstance(model, keras_hub.models.MaskedLM):
        raise UserError(
            "cannot transfer the vocabulary of a masked language model, whose "
            "head names all words: transfer its backbone's"
        )
    if not hasattr(backbone, "vocabulary_size"):
        raise UserError(
            f"cannot transfer the vocabulary of a {type(backbone).__name__}: "
            "expected a model whose table of tokens has one width, as a BERT"
        )
    old = keras.ops.convert_to_numpy(backbone.token_embedding.embeddings)
    table, counts = transferred_table(old, tokenizer, new_tokenizer, seed)
    copy = heads.rebuilt(model, vocabulary_size=len(table))
    for new_weight, weight in zip(copy.weights, model.weights, strict=True):
        value = keras.ops.convert_to_numpy(weight)
        is_table = value.shape != tuple(new_weight.shape)
        new_weight.assign(table if is_table else value)
    getattr(copy, "backbone", copy).token_embedding.embeddings.assign(table)
    return copy, counts


def transferred_table(
    table: np.ndarray,
    tokenizer: Tokenizer,
    new_tokenizer: Tokenizer,
    seed: int = 0,
) -> tuple[np.ndarray, Transferred]:
    """Return the vectors of a new vocabulary; see `transfer_vocabulary`.

    Args:
        table: the old vectors, `[vocabulary, width]` or longer.
        tokenizer: theirs.
        new_tokenizer: that of the new ones.
        seed: of the chance.

    Returns:
        `[new vocabulary, width]` float32, and where they come from.
    """
    old, new = _Pieces(tokenizer), _Pieces(new_tokenizer)
    table = np.asarray(table[: len(old.words)], np.float32)
    spelled = old.spell(new.texts)
    noise = np.random.default_rng(seed).standard_normal(
        (len(new.words), table.shape[1]), np.float32
    )
    result = table.mean(0) + table.std(0) * noise
    exact = mean = 0
    for index, piece in enumerate(new.texts):
        role = new.roles.get(index, "")
        same = old.same(piece, role)
        rows = [same] if same is not None else [] if role else spelled[index]
        exact += same is not None
        mean += same is None and bool(rows)
        if rows:
            result[index] = table[rows].mean(0, dtype=np.float64)
    counts = Transferred(exact, mean, len(new.words) - exact - mean)
    return result.astype(np.float32), counts


class _Pieces:
    """The pieces of a tokenizer: their texts, places in words, and roles.

    Attributes:
        words: the pieces by their ids, as the vocabulary writes them.
        texts: what each stands for, and whether it begins a word.
        roles: of special tokens, by their ids.
    """

    def __init__(self, tokenizer: Tokenizer):
        self._tokenizer = tokenizer
        self.words = masking.pieces_of(tokenizer)
        self.texts = _texts(tokenizer, self.words)
        self.roles = _roles(tokenizer)
        self._by_role = {role: index for index, role in self.roles.items()}
        normal = [i for i in range(len(self.words)) if i not in self.roles]
        self._by_text = {self.texts[i]: i for i in reversed(normal)}

    def same(self, piece: _Piece, role: str) -> int | None:
        """Return the piece of the same role, or of the same text and place."""
        if role:
            return self._by_role.get(role)
        text, starts = piece
        # A mark is the same wherever it stands.
        is_mark = not any(map(str.isalnum, text))
        other = (text, not starts) if is_mark else piece
        return self._by_text.get(piece, self._by_text.get(other))

    def spell(self, pieces: Sequence[_Piece]) -> list[list[int]]:
        """Return the ids that spell each piece; none if it cannot be."""
        documents = packing.encode(
            ([text] for text, _ in pieces), self._tokenizer
        )
        unknown = packing.unknown_id(self._tokenizer)
        spelled = []
        for (text, starts), document in zip(pieces, documents, strict=True):
            ids = document.token_ids.tolist()
            inner = [] if starts else self._inside(self._normal(text))
            spelled.append(inner or ([] if unknown in ids else ids))
        return spelled

    def _normal(self, text: str) -> str:
        """Return a text as the tokenizer sees it before it cuts it."""
        tokenizer: Any = self._tokenizer
        if isinstance(tokenizer, Exact):
            normal = tokenizer.engine.normalizer
            return normal.normalize_str(text).strip() if normal else text
        if getattr(tokenizer, "lowercase", False):
            text = text.lower()
        if getattr(tokenizer, "strip_accents", False):
            letters = unicodedata.normalize("NFD", text)
            text = "".join(x for x in letters if not unicodedata.combining(x))
        return text

    def _inside(self, text: str) -> list[int]:
        """Cut the rest of a word into the longest pieces, from its left."""
        ids: list[int] = []
        start = 0
        while start < len(text):
            for stop in range(len(text), start, -1):
                index = self._by_text.get((text[start:stop], False))
                if index is not None:
                    ids.append(index)
                    start = stop
                    break
            else:
                return []
        return ids


def _texts(tokenizer: Tokenizer, words: Sequence[str]) -> list[_Piece]:
    """Return what pieces stand for, and whether they begin a word."""
    import keras_hub

    if isinstance(tokenizer, keras_hub.tokenizers.WordPieceTokenizer):
        mark = tokenizer.suffix_indicator
        return [
            (word.removeprefix(mark), False)
            if word.startswith(mark) and word != mark
            else (word, True)
            for word in words
        ]
    if isinstance(tokenizer, keras_hub.tokenizers.BytePairTokenizer):
        import tokenizers

        decode = tokenizers.decoders.ByteLevel().decode
        words = [decode([word]) for word in words]
        return [(word.removeprefix(" "), word[:1] == " ") for word in words]
    return [(word.removeprefix(_START), word[:1] == _START) for word in words]


def _roles(tokenizer: Tokenizer) -> dict[int, str]:
    """Return the roles of special tokens by their ids."""
    start, end = packing.special_ids(tokenizer)
    ids = {
        "unknown": packing.unknown_id(tokenizer),
        "mask": getattr(tokenizer, "mask_token_id", None),
        "padding": getattr(tokenizer, "pad_token_id", None),
        "end": end,
        "start": start,
    }
    return {int(x): role for role, x in ids.items() if x is not None}

"""CamemBERT's tokenizer: unigrams as XLM-R's, behind other first ids."""

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import keras_hub
import numpy as np

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.private.tokenizers import declare_special_tokens
from tfminilm.tokenizer import from_rules
from tfminilm.tokenizer.pieces import layout_fault
from tfminilm.typing import Tensors

if TYPE_CHECKING:
    import tokenizers

_SPECIAL = {"cls": "<s>", "sep": "</s>", "pad": "<pad>", "mask": "<mask>"}
_SPECIAL |= {"start": "<s>", "end": "</s>", "unk": "<unk>"}
_FILE = "sentencepiece.bpe.model"
_AGAIN = "copy the model's folder again"


@keras.saving.register_keras_serializable(package="tfminilm")
class CamembertTokenizer(keras_hub.tokenizers.SentencePieceTokenizer):
    """A SentencePiece model whose pieces have CamemBERT's ids.

    An id is a piece's number and `id_offset`, but for what is unknown, which
    is 3. Start and end have ids of their own for what is no text, and are not
    used: those of the pieces `<s>` and `</s>` are.

    Args:
        proto: the model, laid out as `tokenizer.pieces.layout_fault` wants it.
        **kwargs: what else `SentencePieceTokenizer` takes.
    """

    id_offset = 4
    # The words of the first ids, up to the model's `</s>`.
    first_words = (
        "<s>NOTUSED",
        "<pad>",
        "</s>NOTUSED",
        "<unk>",
        "<unk>NOTUSED",
        "<s>",
        "</s>",
    )

    def __init__(self, proto: bytes | str | None = None, **kwargs: Any):
        declare_special_tokens(
            self, {f"{name}_token": word for name, word in _SPECIAL.items()}
        )
        super().__init__(proto=proto, **kwargs)

    def vocabulary_size(self) -> int:
        """Return the number of ids."""
        return super().vocabulary_size() + self.id_offset + 1

    def get_vocabulary(self) -> list[str]:
        """Return the words in the order of their ids."""
        pieces = super().get_vocabulary()[3:]
        return [*self.first_words, *pieces, _SPECIAL["mask"]]

    def id_to_token(self, id: int) -> str:
        """Return the word of an id."""
        words = self.get_vocabulary()
        if not 0 <= id < len(words):
            raise ValueError(f"id is {id}, expected 0 to {len(words) - 1}")
        return words[id]

    def token_to_id(self, token: str) -> int:
        """Return the id of a word; of one that is not there the unknown one."""
        if token == _SPECIAL["mask"]:
            return self.vocabulary_size() - 1
        if token in self.first_words:
            return self.first_words.index(token)
        index = super().token_to_id(token)
        unknown = super().token_to_id(_SPECIAL["unk"])
        return 3 if index == unknown else index + self.id_offset

    def tokenize(self, inputs: Tensors) -> Any:
        """Return the ids by KerasHub's rules."""
        return keras.tree.map_structure(self._moved, super().tokenize(inputs))

    def _moved(self, index: Any) -> Any:
        """Return the ids of the model's pieces, of which 0 is unknown."""
        if isinstance(index, int):
            return index + self.id_offset if index else 3
        import tensorflow as tf

        if isinstance(index, np.ndarray):
            return np.where(index == 0, 3, index + self.id_offset)
        moved = index + self.id_offset
        return tf.where(index == 0, tf.cast(3, moved.dtype), moved)

    def family_engine(self) -> "tokenizers.Tokenizer":
        """Build a tokenizer with CamemBERT's rules, as `transformers` does."""
        import tokenizers
        from sentencepiece import sentencepiece_model_pb2

        # `Any`: its classes are made at import, where mypy cannot see them.
        messages: Any = sentencepiece_model_pb2
        model = messages.ModelProto.FromString(self.proto)
        scores = [0.0, 0.0, 0.0, 0.0, -100.0]
        scores += [piece.score for piece in model.pieces[1:]] + [0.0]
        words: Sequence[str] = self.get_vocabulary()
        engine = tokenizers.Tokenizer(
            tokenizers.models.Unigram(
                list(zip(words, scores, strict=True)), unk_id=3
            )
        )
        if charsmap := model.normalizer_spec.precompiled_charsmap:
            engine.normalizer = tokenizers.normalizers.Precompiled(charsmap)
        parts = tokenizers.pre_tokenizers
        engine.pre_tokenizer = parts.Sequence(
            [parts.WhitespaceSplit(), parts.Metaspace()]
        )
        engine.decoder = tokenizers.decoders.Metaspace()
        engine.add_special_tokens([*dict.fromkeys(_SPECIAL.values())])
        return engine


def read(folder: pathlib.Path) -> CamembertTokenizer:
    """Read the pieces of a Hugging Face folder, with KerasHub's rules.

    Raises:
        UserError: neither `tokenizer.json` nor `sentencepiece.bpe.model` is
            there, or one of them is damaged or of another kind.
    """
    tokenizer = from_rules.make(CamembertTokenizer, folder)
    if tokenizer is None:
        path = folder / _FILE
        if not path.is_file():
            raise UserError(
                f"{folder} has no {from_rules.JSON} of unigrams and no "
                f"{_FILE}: expected CamemBERT's; {_AGAIN}"
            )
        proto = files.read_bytes(path)
        if fault := layout_fault(proto):
            raise UserError(f"{path} is no CamemBERT's: {fault}; {_AGAIN}")
        tokenizer = CamembertTokenizer(proto=proto)
    return tokenizer

"""Check vocabularies before native code is given them."""

import math
from collections.abc import Sequence
from typing import Any

from tfminilm.errors import UserError

_MOST_BYTES = 256  # Of a word; TensorFlow Text takes no longer one.


def words_fault(words: Sequence[str]) -> str:
    """Why a list of words is no vocabulary of WordPiece.

    Returns:
        What is wrong, in words; empty if nothing is.
    """
    known: set[str] = set()
    for index, word in enumerate(words):
        is_line = word and not {"\0", "\n"} & set(word)
        size = len(word.encode("utf-8", "surrogatepass"))
        if not is_line or size > _MOST_BYTES:
            return f"word {index} is {word[:20]!r}"
        if word in known:
            return f"{word[:20]!r} is there twice"
        known.add(word)
    return ""


def layout_fault(proto: bytes) -> str:
    """Why a SentencePiece model is none that XLM-R's ids are made of.

    An id is a piece's number and one; the first three pieces are what is
    unknown, the start and the end.

    Returns:
        What is wrong, in words; empty if nothing is.
    """
    from sentencepiece import sentencepiece_model_pb2

    known: Any = sentencepiece_model_pb2
    try:
        model = known.ModelProto.FromString(proto)
    except Exception:  # Of the kind of whichever protobuf there is.
        return "it is no SentencePiece model"
    kinds = [piece.type for piece in model.pieces]
    piece = known.ModelProto.SentencePiece
    layout = [piece.UNKNOWN, piece.CONTROL, piece.CONTROL]
    if kinds[:3] != layout or kinds.count(piece.UNKNOWN) != 1:
        return (
            "its pieces do not begin with the unknown one, start and end, as "
            "XLM-R's do"
        )
    words = [piece.piece for piece in model.pieces]
    if not all(words) or len({*words}) < len(words):
        return "a piece is empty, or there twice"
    if not all(math.isfinite(piece.score) for piece in model.pieces):
        return "the score of a piece is no number"
    return ""


def require_layout(tokenizer: Any, source: Any) -> None:
    """Refuses a tokenizer of XLM-R's on a model that is laid out otherwise.

    KerasHub would read what is unknown as the id of another piece.

    Args:
        tokenizer: KerasHub's, of any kind.
        source: where it is from, for the message.

    Raises:
        UserError: it names what is laid out otherwise.
    """
    import keras_hub

    if not isinstance(tokenizer, keras_hub.models.XLMRobertaTokenizer):
        return
    fault = layout_fault(tokenizer.proto)
    if fault:
        raise UserError(
            f"the SentencePiece model of {source} cannot be read: {fault}; "
            "expected one trained with unk_id=0, bos_id=1, eos_id=2"
        )

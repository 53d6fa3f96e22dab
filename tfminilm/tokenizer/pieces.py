"""Check vocabularies before native code is given them."""

import math
from collections.abc import Sequence
from typing import Any

from tfminilm.errors import UserError

_MOST_BYTES = 256  # Per word: the limit of TensorFlow Text.


def words_fault(words: Sequence[str]) -> str:
    """Return why a list of words is no WordPiece vocabulary.

    Returns:
        What is wrong, in words; empty if nothing is.
    """
    earlier: set[str] = set()
    for index, word in enumerate(words):
        is_line = word and not {"\0", "\n"} & set(word)
        size = len(word.encode("utf-8", "surrogatepass"))
        if not is_line or size > _MOST_BYTES:
            return f"word {index} is {word[:20]!r}"
        if word in earlier:
            return f"{word[:20]!r} is there twice"
        earlier.add(word)
    return ""


def layout_fault(proto: bytes) -> str:
    """Return why a SentencePiece model does not fit XLM-R's ids.

    An id is a piece's index plus one; the first three pieces have to be the
    unknown one, the start and the end.

    Returns:
        What is wrong, in words; empty if nothing is.
    """
    from sentencepiece import sentencepiece_model_pb2

    messages: Any = sentencepiece_model_pb2
    try:
        model = messages.ModelProto.FromString(proto)
    except Exception:  # Each version of protobuf has its own class.
        return "it is no SentencePiece model"
    kinds = [piece.type for piece in model.pieces]
    piece = messages.ModelProto.SentencePiece
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


def swapped_unknown(proto: bytes, place: int | None = None) -> bytes:
    """Swap a SentencePiece model's first piece with its unknown one.

    DeBERTa's begins with the padding, and a model laid out as XLM-R's with the
    unknown piece. No text holds either, so that texts are cut the same.

    Args:
        proto: the model.
        place: where to put the unknown piece, if it is the first one; by
            default it becomes the first.

    Raises:
        UserError: there is no unknown piece, or texts may hold the other one.
    """
    from sentencepiece import sentencepiece_model_pb2

    messages: Any = sentencepiece_model_pb2
    try:
        model = messages.ModelProto.FromString(proto)
        pieces = list(model.pieces)
        kinds = [piece.type for piece in pieces]
        unknown = kinds.index(messages.ModelProto.SentencePiece.UNKNOWN)
        other = 0 if place is None else place
        is_fit = kinds[other] == messages.ModelProto.SentencePiece.CONTROL
        is_fit = (is_fit or unknown == other) and 0 in (unknown, other)
    except Exception:  # Each version of protobuf has its own class.
        is_fit = False
    if not is_fit:
        raise UserError(
            "the SentencePiece model is not laid out as DeBERTa's: expected "
            "one trained with pad_id=0, bos_id=1, eos_id=2, unk_id=3"
        )
    pieces[unknown], pieces[other] = pieces[other], pieces[unknown]
    del model.pieces[:]
    model.pieces.extend(pieces)
    spec = model.trainer_spec
    spec.unk_id, spec.pad_id = other, unknown
    return model.SerializeToString()


def unknown_place(proto: bytes) -> int:
    """Return the place of a SentencePiece model's unknown piece."""
    from sentencepiece import sentencepiece_model_pb2

    messages: Any = sentencepiece_model_pb2
    pieces = messages.ModelProto.FromString(proto).pieces
    return next(i for i, x in enumerate(pieces) if x.type == x.UNKNOWN)


def require_layout(tokenizer: object, source: object) -> None:
    """Refuse an XLM-R tokenizer whose model is laid out differently.

    KerasHub would give unknown characters the id of another piece.

    Args:
        tokenizer: a KerasHub tokenizer of any class.
        source: where it comes from, for the message.

    Raises:
        UserError: names the difference.
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

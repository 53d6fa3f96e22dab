"""Make KerasHub's tokenizers from a `tokenizer.json` that stands alone.

`transformers` 5 writes no other file of a vocabulary. Its words, merges and
pieces are there, and the tokens that were added to them.
"""

import base64
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfminilm import files, json_files
from tfminilm.errors import UserError, in_one_line

JSON = "tokenizer.json"
_AGAIN = "copy the model's folder again"
_ADDED = {"added_tokens": [{"content": str, "id": int, "special": bool}]}
_BYTE_PAIR = {
    "model": {"vocab": {str: int}, "merges": [(str, [str])]},
    "pre_tokenizer": {"type": str},
    **_ADDED,
}
_UNIGRAM = {
    "model": {"vocab": [[(str, float)]], "unk_id": int},
    "normalizer": (dict, None),
    **_ADDED,
}
# XLM-R's first ids, and the last one; its model's pieces begin otherwise.
_FIRST, _LAST = ["<s>", "<pad>", "</s>", "<unk>"], "<mask>"


def make(cls: Any, folder: pathlib.Path) -> Any | None:
    """Make a tokenizer of KerasHub's class from a folder's `tokenizer.json`.

    Args:
        cls: the class that the folder's family has.
        folder: of `transformers`.

    Returns:
        One with KerasHub's rules; `None` if the file is not there, or is of
        another kind than the class.

    Raises:
        UserError: the file is damaged, or another one beside it has another
            vocabulary.
    """
    path = folder / JSON
    content = json_files.read(path, dict, _AGAIN) if path.is_file() else {}
    model = content.get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    makers: dict[object, tuple[type, Callable[..., Any], Any]] = _makers()
    if kind not in makers or not issubclass(cls, makers[kind][0]):
        return None
    _, maker, shape = makers[kind]
    content = json_files.read(path, shape, _AGAIN)
    try:
        return maker(cls, content, folder)
    except UserError:
        raise
    except Exception as error:  # KerasHub and protobuf have many kinds.
        raise UserError(
            f"cannot load a tokenizer from {path}: {type(error).__name__}: "
            f"{in_one_line(error)}; {_AGAIN}"
        ) from error


def _makers() -> dict[object, tuple[type, Callable[..., Any], Any]]:
    import keras_hub

    kinds = keras_hub.tokenizers
    return {
        "BPE": (kinds.BytePairTokenizer, _byte_pairs, _BYTE_PAIR),
        "Unigram": (kinds.SentencePieceTokenizer, _pieces, _UNIGRAM),
    }


def _byte_pairs(
    cls: Any, content: Mapping[str, Any], folder: pathlib.Path
) -> Any:
    model = content["model"]
    words = model["vocab"] | _added(content)
    path = folder / "vocab.json"
    if path.is_file():
        listed = json_files.read(path, {str: int}, _AGAIN)
        if any(words.get(word) != index for word, index in listed.items()):
            raise UserError(
                f"{path} and {JSON} beside it have different words: expected "
                "the files of one model"
            )
    merges = [
        pair if isinstance(pair, str) else " ".join(pair)
        for pair in model["merges"]
    ]
    prefix = bool(content["pre_tokenizer"].get("add_prefix_space", False))
    return cls(vocabulary=words, merges=merges, add_prefix_space=prefix)


def _pieces(cls: Any, content: Mapping[str, Any], folder: pathlib.Path) -> Any:
    import keras_hub
    from sentencepiece import sentencepiece_model_pb2

    messages: Any = sentencepiece_model_pb2
    is_xlm = issubclass(cls, keras_hub.models.XLMRobertaTokenizer)
    first = getattr(cls, "first_words", _FIRST if is_xlm else ())
    names = "sentencepiece.bpe.model", "spiece.model", "spm.model"
    paths = [folder / name for name in names if (folder / name).is_file()]
    if paths:
        proto = messages.ModelProto.FromString(files.read_bytes(paths[0]))
    else:
        proto = _proto(messages, content, first, folder)
    if first:
        # Its model, by whose numbers ids are told, has no tokens behind.
        return cls(proto=proto.SerializeToString())
    added = {i: word for word, i in _added(content).items()}
    for index in range(len(proto.pieces), 1 + max(added, default=0)):
        if index not in added:
            raise UserError(
                f"{folder / JSON} has nothing as {index}: expected each id once"
            )
        piece = proto.pieces.add(piece=added[index], score=0.0)
        piece.type = piece.USER_DEFINED
    return cls(proto=proto.SerializeToString())


def _proto(
    messages: Any,
    content: Mapping[str, Any],
    first: Sequence[str],
    folder: pathlib.Path,
) -> Any:
    """Build the SentencePiece model that such a vocabulary came from."""
    vocabulary = content["model"]["vocab"]
    unknown = content["model"]["unk_id"]
    words = [word for word, _ in vocabulary]
    control = {t["content"] for t in content["added_tokens"] if t["special"]}
    if first:
        size = len(first)
        if words[:size] != [*first] or words[-1] != _LAST:
            raise UserError(
                f"{folder / JSON}: the vocabulary begins with "
                f"{', '.join(words[:size])} and ends with {words[-1]!r}, "
                f"expected {', '.join(first)} and {_LAST!r}; {_AGAIN}"
            )
        ends = [(word, 0.0) for word in ("<unk>", "<s>", "</s>")]
        vocabulary = ends + vocabulary[size:-1]
        unknown, control = 0, {"<s>", "</s>"}
    proto = messages.ModelProto()
    spec, rules = proto.trainer_spec, proto.normalizer_spec
    spec.model_type, spec.vocab_size = spec.UNIGRAM, len(vocabulary)
    spec.unk_id = unknown
    for index, (word, score) in enumerate(vocabulary):
        piece = proto.pieces.add(piece=word, score=score)
        if index == unknown:
            piece.type = piece.UNKNOWN
        elif word in control:
            piece.type = piece.CONTROL
    rules.name = "from_tokenizer_json"
    rules.add_dummy_prefix = rules.remove_extra_whitespaces = True
    rules.escape_whitespaces = True
    rules.precompiled_charsmap = _charsmap(content["normalizer"])
    return proto


def _charsmap(normalizer: Mapping[str, Any] | None) -> bytes:
    """Return the table of characters in a normalizer, or in one of several."""
    steps = [normalizer or {}]
    steps += steps[0].get("normalizers", [])
    for step in steps:
        if step.get("type") == "Precompiled":
            return base64.b64decode(step["precompiled_charsmap"])
    return b""


def _added(content: Mapping[str, Any]) -> dict[str, int]:
    return {token["content"]: token["id"] for token in content["added_tokens"]}

"""Tokenizers in a bundle: a file of words or pieces, and settings beside it."""

import pathlib
from collections.abc import Mapping
from typing import Any

import keras_hub

from tfminilm import files
from tfminilm.errors import UserError
from tfminilm.tasks import encode
from tfminilm.tokenizer import BERT, KERAS_HUB, rules_of
from tfminilm.tokenizer.hugging_face import with_bert_rules

WORDS = "vocab.txt"
PIECES = "sentencepiece.model"


def write(tokenizer: Any, backbone: Any, folder: pathlib.Path) -> dict:
    """Writes a tokenizer's vocabulary; returns what the manifest says of it.

    Raises:
        UserError: the tokenizer is of another kind, or not the model's.
    """
    if isinstance(tokenizer, keras_hub.models.XLMRobertaTokenizer):
        save = _write_pieces
    elif isinstance(tokenizer, keras_hub.tokenizers.WordPieceTokenizer):
        save = _write_words
    else:
        raise UserError(
            f"cannot export a {type(tokenizer).__name__}: expected a WordPiece "
            "tokenizer, such as keras_hub.models.BertTokenizer, or XLM-R's"
        )
    if tokenizer.vocabulary_size() > backbone.vocabulary_size:
        raise UserError(
            f"the tokenizer has {tokenizer.vocabulary_size()} words and the "
            f"model {backbone.vocabulary_size} rows: expected the model's own "
            "tokenizer"
        )
    return save(tokenizer, folder)


def read(path: pathlib.Path, settings: Mapping[str, Any]) -> Any:
    """The KerasHub tokenizer that `write` wrote.

    Args:
        path: the file of words or pieces.
        settings: what the manifest says of the tokenizer.

    Raises:
        UserError: the tokenizer is of a kind that is not known here.
    """
    if settings["kind"] == "sentencepiece":
        return keras_hub.models.XLMRobertaTokenizer(proto=path.read_bytes())
    if settings["kind"] != "wordpiece":
        raise UserError(
            f"the bundle's tokenizer is a {settings['kind']!r}, expected "
            "wordpiece or sentencepiece"
        )
    # Not `splitlines`: a word may hold a line separator of Unicode's.
    words = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    tokenizer = keras_hub.models.BertTokenizer(
        vocabulary=words,
        lowercase=settings["lowercase"],
        strip_accents=settings["strip_accents"],
        suffix_indicator=settings["suffix_indicator"],
    )
    # The first bundles do not say.
    rules = settings.get("rules", KERAS_HUB)
    if rules not in (BERT, KERAS_HUB):
        raise UserError(
            f"the bundle's tokenizer has the rules {rules!r}, expected "
            f"{BERT} or {KERAS_HUB}"
        )
    return with_bert_rules(tokenizer) if rules == BERT else tokenizer


def _write_words(tokenizer: Any, folder: pathlib.Path) -> dict[str, Any]:
    rules = rules_of(tokenizer)
    if rules not in (BERT, KERAS_HUB):
        raise UserError(
            "cannot export a tokenizer with rules of its own, as the "
            "tokenizer.json of its Hugging Face folder has them: expected "
            "BERT's (BertNormalizer, BertPreTokenizer and WordPiece)"
        )
    words = tokenizer.get_vocabulary()
    files.write_text(folder / WORDS, "\n".join(words) + "\n")
    return {
        "kind": "wordpiece",
        "rules": rules,
        "vocabulary": WORDS,
        "lowercase": bool(tokenizer.lowercase),
        "strip_accents": bool(tokenizer.strip_accents),
        "suffix_indicator": tokenizer.suffix_indicator,
        "special_ids": {
            **_special_ids(tokenizer),
            "unk": int(tokenizer.token_to_id(tokenizer.oov_token)),
        },
    }


def _write_pieces(tokenizer: Any, folder: pathlib.Path) -> dict[str, Any]:
    files.write_bytes(folder / PIECES, tokenizer.proto)
    *_, between = encode.special_ids(tokenizer)
    return {
        "kind": "sentencepiece",
        "vocabulary": PIECES,
        # A piece's id is its number in the file and this.
        "id_offset": 1,
        "separators_between_texts": between,
        "special_ids": {
            **_special_ids(tokenizer),
            "unk": int(tokenizer.unk_token_id),
        },
    }


def _special_ids(tokenizer: Any) -> dict[str, int]:
    start, end, _ = encode.special_ids(tokenizer)
    return {
        "cls": int(start),
        "sep": int(end),
        "pad": int(tokenizer.pad_token_id),
        "mask": int(tokenizer.mask_token_id),
    }

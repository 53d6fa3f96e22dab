"""Tokenizers in a bundle: a file of words, and settings beside it."""

import pathlib
from collections.abc import Mapping
from typing import Any

from tfminilm import files
from tfminilm.errors import UserError

WORDS = "vocab.txt"
_SPECIAL = ("cls", "sep", "pad", "mask")


def write(tokenizer: Any, backbone: Any, folder: pathlib.Path) -> dict:
    """Writes a tokenizer's words; returns what the manifest says of it.

    Raises:
        UserError: the tokenizer is of another kind, or not the model's.
    """
    if not hasattr(tokenizer, "get_vocabulary") or not hasattr(
        tokenizer, "suffix_indicator"
    ):
        raise UserError(
            f"cannot export a {type(tokenizer).__name__}: expected a WordPiece "
            "tokenizer, such as keras_hub.models.BertTokenizer"
        )
    words = list(tokenizer.get_vocabulary())
    if len(words) > backbone.vocabulary_size:
        raise UserError(
            f"the tokenizer has {len(words)} words and the model "
            f"{backbone.vocabulary_size} rows: expected the model's own "
            "tokenizer"
        )
    files.write_text(folder / WORDS, "\n".join(words) + "\n")
    ids = {name: getattr(tokenizer, f"{name}_token_id") for name in _SPECIAL}
    ids["unk"] = tokenizer.token_to_id(tokenizer.oov_token)
    return {
        "kind": "wordpiece",
        "vocabulary": WORDS,
        "lowercase": bool(tokenizer.lowercase),
        "strip_accents": bool(tokenizer.strip_accents),
        "suffix_indicator": tokenizer.suffix_indicator,
        "special_ids": {name: int(value) for name, value in ids.items()},
    }


def read(path: pathlib.Path, settings: Mapping[str, Any]) -> Any:
    """The KerasHub tokenizer that `write` wrote.

    Args:
        path: the file of words.
        settings: what the manifest says of the tokenizer.
    """
    import keras_hub

    # Not `splitlines`: a word may hold a line separator of Unicode's.
    words = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return keras_hub.models.BertTokenizer(
        vocabulary=words,
        lowercase=settings["lowercase"],
        strip_accents=settings["strip_accents"],
        suffix_indicator=settings["suffix_indicator"],
    )

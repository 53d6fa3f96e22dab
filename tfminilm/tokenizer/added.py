"""Refuse tokens that were added to a tokenizer whose rules have none.

`transformers` cuts them out of a text before all else. A `tokenizer.json` has
them with its rules; the older files of a tokenizer without one name them
beside the vocabulary, and there they would be cut into pieces in silence.
"""

import pathlib
from collections.abc import Iterator

from tfminilm import json_files
from tfminilm.errors import UserError
from tfminilm.typing import Tokenizer

_AGAIN = "copy the model's folder again"
# Files that name such tokens, by content or by id, and what of it is read.
_ADDED = "added_tokens.json"
_SETTINGS = "tokenizer_config.json"
_RULES = {"added_tokens": [{"content": str}]}
_DECODER = {"added_tokens_decoder?": {str: {"content": str}}}


def require_none(tokenizer: Tokenizer, folder: pathlib.Path) -> None:
    """Refuse tokens outside of a vocabulary, which only its files name.

    Args:
        tokenizer: KerasHub's, of the folder's vocabulary; its rules are not
            those of a `tokenizer.json`.
        folder: the Hugging Face folder.

    Raises:
        UserError: there is such a token, or a file is damaged.
    """
    words = set(map(str, tokenizer.get_vocabulary()))
    for path, word in _named(folder):
        if word not in words:
            raise UserError(
                f"{path}: {word[:40]!r} is a token that was added to the "
                "vocabulary: expected its rules in a tokenizer.json, as "
                "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) "
                "writes it, and for an XLM-R no such token at all"
            )


def _named(folder: pathlib.Path) -> Iterator[tuple[pathlib.Path, str]]:
    path = folder / "tokenizer.json"
    if path.is_file():
        for token in json_files.read(path, _RULES, _AGAIN)["added_tokens"]:
            yield path, token["content"]
    path = folder / _ADDED
    if path.is_file():
        for word in json_files.read(path, {str: int}, _AGAIN):
            yield path, word
    path = folder / _SETTINGS
    if path.is_file():
        content = json_files.read(path, _DECODER, _AGAIN)
        for token in content.get("added_tokens_decoder", {}).values():
            yield path, token["content"]

"""ModernBERT's tokenizer: byte-level pieces between BERT's special tokens."""

import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import keras_hub

from tfminilm import json_files
from tfminilm.errors import UserError
from tfminilm.private.tokenizers import declare_special_tokens

SPECIAL = {
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "mask_token": "[MASK]",
}
_JSON = "tokenizer.json"
_AGAIN = "copy the model's folder again"
_SHAPE = {
    "model": {"type": str, "vocab": {str: int}, "merges": [object]},
    "added_tokens": [{"content": str, "id": int}],
}


@keras.saving.register_keras_serializable(package="tfminilm")
class ModernBertTokenizer(keras_hub.tokenizers.BytePairTokenizer):
    """KerasHub's byte-level tokenizer with `[CLS]`, `[SEP]` and the like.

    Args:
        vocabulary: ids by pieces, special and other added tokens among them.
        merges: pairs of pieces with a space between, in the order in which
            they are merged.
    """

    def __init__(
        self,
        vocabulary: Mapping[str, int] | str | None = None,
        merges: list[str] | str | None = None,
        **kwargs: Any,
    ):
        declare_special_tokens(self, SPECIAL)
        super().__init__(vocabulary=vocabulary, merges=merges, **kwargs)


def read(folder: pathlib.Path) -> ModernBertTokenizer:
    """Read the pieces of a Hugging Face folder, with KerasHub's rules.

    Raises:
        UserError: there is no `tokenizer.json`, it is damaged, or it is of
            another kind.
    """
    path = folder / _JSON
    if not path.is_file():
        raise UserError(
            f"{folder} has no {_JSON}: expected ModernBERT's; {_AGAIN}"
        )
    kind = json_files.read(path, {"model": {"type?": str}}, _AGAIN)
    if kind["model"].get("type") != "BPE":
        raise UserError(
            f"{path}: the model is {kind['model'].get('type')!r}, expected "
            "'BPE', byte-level pieces as ModernBERT's"
        )
    content = json_files.read(path, _SHAPE, _AGAIN)
    ids = content["model"]["vocab"] | {
        token["content"]: token["id"] for token in content["added_tokens"]
    }
    if missing := [word for word in SPECIAL.values() if word not in ids]:
        raise UserError(
            f"{path}: {', '.join(missing)} is missing, expected the special "
            f"tokens of ModernBERT, {', '.join(SPECIAL.values())}"
        )
    if sorted(ids.values()) != list(range(len(ids))):
        raise UserError(
            f"{path}: {len(ids)} words have ids up to {max(ids.values())}, "
            f"expected each id from 0 once; {_AGAIN}"
        )
    merges = [_merge(path, merge) for merge in content["model"]["merges"]]
    try:
        return ModernBertTokenizer(ids, merges)
    except ValueError as error:  # A merge of pieces that are not there.
        raise UserError(f"{path}: {error}; {_AGAIN}") from error


def _merge(path: pathlib.Path, merge: object) -> str:
    """Return two pieces with a space between, however they are written."""
    parts: list[Any] = []
    if isinstance(merge, str | list):
        parts = merge.split(" ") if isinstance(merge, str) else merge
    is_pair = [*map(type, parts)] == [str, str]
    if not is_pair or any(not part or " " in part for part in parts):
        raise UserError(
            f"{path}: a merge is {str(merge)[:40]!r}, expected two pieces; "
            f"{_AGAIN}"
        )
    return " ".join(parts)

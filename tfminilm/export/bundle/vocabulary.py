"""Write and read a bundle's tokenizer: words or pieces, and settings."""

import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, cast

import keras
import keras_hub

from tfminilm import families, files
from tfminilm.errors import UserError
from tfminilm.export.manifest import TokenizerSettings
from tfminilm.families.counts import vocabulary_size
from tfminilm.families.family import Tokens
from tfminilm.tasks import encode
from tfminilm.tokenizer import BERT, KERAS_HUB, rules_of
from tfminilm.tokenizer.hugging_face import with_bert_rules
from tfminilm.tokenizer.pieces import (
    layout_fault,
    swapped_unknown,
    unknown_place,
    words_fault,
)
from tfminilm.typing import Tokenizer

WORDS = "vocab.txt"
PIECES = "sentencepiece.model"

_MOST_BYTES = 2**26  # Of either file.
# A piece's id is its number in the file and this: of XLM-R's, and of DeBERTa's,
# whose first piece changes places with the unknown one.
_OFFSET, _DEBERTA_OFFSET = 1, 0


def write(
    tokenizer: Tokenizer,
    backbone: keras.Model,
    folder: pathlib.Path,
    pieces: str = PIECES,
) -> TokenizerSettings:
    """Write a tokenizer's vocabulary; return what the manifest says of it.

    Args:
        tokenizer: KerasHub's.
        backbone: the model that reads its tokens.
        folder: where to.
        pieces: the name of the file, if it is a SentencePiece model.

    Raises:
        UserError: the tokenizer is of another kind, or not the model's.
    """
    models = keras_hub.models
    kinds = models.XLMRobertaTokenizer | models.DebertaV3Tokenizer
    if isinstance(tokenizer, kinds):
        save: Callable[[Any, pathlib.Path], TokenizerSettings]
        save = functools.partial(_write_pieces, name=pieces)
    elif isinstance(tokenizer, keras_hub.tokenizers.WordPieceTokenizer):
        save = _write_words
    else:
        raise UserError(
            f"cannot export a {type(tokenizer).__name__}: expected a WordPiece "
            "tokenizer, such as keras_hub.models.BertTokenizer, or XLM-R's or "
            "DeBERTa-v3's"
        )
    require_rows(tokenizer, backbone)
    return save(tokenizer, folder)


def require_rows(tokenizer: Tokenizer, backbone: keras.Model) -> None:
    """Refuse a tokenizer with more words than a model has rows.

    Raises:
        UserError: it is another model's.
    """
    rows = vocabulary_size(backbone)
    if rows is not None and tokenizer.vocabulary_size() > rows:
        raise UserError(
            f"the tokenizer has {tokenizer.vocabulary_size()} words and the "
            f"model {rows} rows: expected the model's own "
            "tokenizer"
        )


def read(
    path: pathlib.Path, settings: TokenizerSettings, rows: int
) -> Tokenizer:
    """Return the KerasHub tokenizer that `write` wrote.

    Args:
        path: the file of words or pieces.
        settings: what the manifest says of the tokenizer, by its rules.
        rows: of the model's table of tokens.

    Raises:
        UserError: the file is damaged, or says otherwise than the manifest.
    """
    is_words = settings.kind == "wordpiece"
    make = _word_tokenizer if is_words else _piece_tokenizer
    tokenizer = make(path, settings, rows)
    for name, index in _special_ids(tokenizer).items():
        expected = settings.special_ids.get(name, index)
        if expected != index:
            raise _damaged(
                path, f"{name} is {index} there and {expected} in manifest"
            )
    return tokenizer


def _word_tokenizer(
    path: pathlib.Path, settings: TokenizerSettings, rows: int
) -> Tokenizer:
    try:
        text = files.read_text(path, _MOST_BYTES)
    except UnicodeDecodeError as error:
        raise _damaged(path, "it is not UTF-8") from error
    # Not `splitlines`: a word may hold a line separator of Unicode's.
    words = text.removesuffix("\n").split("\n")
    if len(words) > rows:
        raise _damaged(path, f"it has {len(words)} words for {rows} rows")
    if fault := words_fault(words):
        raise _damaged(path, fault)
    unknown = settings.special_ids["unk"]
    if unknown >= len(words):
        raise _damaged(path, f"it has no word {unknown}, for what is unknown")
    tokens = _tokens_of(words, settings.special_ids)
    for word in tokens.special.values():
        if word not in words:
            raise _damaged(path, f"it has no {word}")
    tokenizer = tokens.tokenizer_class()(
        vocabulary=words,
        lowercase=settings.lowercase,
        strip_accents=settings.strip_accents,
        suffix_indicator=settings.suffix_indicator,
        oov_token=words[unknown],
    )
    _require_between(path, settings, tokenizer)
    is_bert = settings.rules == BERT
    return with_bert_rules(tokenizer) if is_bert else tokenizer


def _tokens_of(words: list[str], special_ids: Mapping[str, int]) -> Tokens:
    """Find the family whose special words have these ids; BERT's by default."""
    for family in families.FAMILIES:
        special = family.tokens.special
        places = {special_ids.get(name): x for name, x in special.items()}
        places.pop(None, None)
        if special and places.items() <= dict(enumerate(words)).items():
            return family.tokens
    return families.DEFAULT.tokens


def _require_between(
    path: pathlib.Path, settings: TokenizerSettings, tokenizer: Tokenizer
) -> None:
    value, name = settings.separators_between_texts, "separators_between_texts"
    *_, expected = encode.special_ids(tokenizer)
    if (value or 1) != expected:
        raise _damaged(path, f"{name} is {value}, expected {expected}")


def _piece_tokenizer(
    path: pathlib.Path, settings: TokenizerSettings, rows: int
) -> Tokenizer:
    proto = files.read_bytes(path, _MOST_BYTES)
    fault = layout_fault(proto)
    if fault:
        raise _damaged(path, fault)
    offset, models = settings.id_offset, keras_hub.models
    if offset == _DEBERTA_OFFSET:
        proto = swapped_unknown(proto, settings.special_ids["unk"])
        tokenizer = models.DebertaV3Tokenizer(proto=proto)
    elif offset == _OFFSET:
        tokenizer = models.XLMRobertaTokenizer(proto=proto)
    else:
        raise _damaged(
            path,
            f"id_offset is {offset}, expected {_OFFSET} or {_DEBERTA_OFFSET}",
        )
    if tokenizer.vocabulary_size() > rows:
        size = tokenizer.vocabulary_size()
        raise _damaged(path, f"it has {size} pieces for {rows} rows")
    _require_between(path, settings, tokenizer)
    return tokenizer


def _write_words(
    tokenizer: keras_hub.tokenizers.WordPieceTokenizer, folder: pathlib.Path
) -> TokenizerSettings:
    rules = rules_of(tokenizer)
    if rules not in (BERT, KERAS_HUB):
        raise UserError(
            "cannot export a tokenizer with rules of its own, as the "
            "tokenizer.json of its Hugging Face folder has them: expected "
            "BERT's (BertNormalizer, BertPreTokenizer and WordPiece)"
        )
    _require_plain_rules(tokenizer)
    words = list(tokenizer.get_vocabulary())
    if fault := words_fault(words):
        raise UserError(
            f"cannot export a vocabulary: {fault}; expected each word once, "
            "in a line of its own"
        )
    files.write_text(folder / WORDS, "\n".join(words) + "\n")
    *_, between = encode.special_ids(tokenizer)
    return TokenizerSettings(
        kind="wordpiece",
        rules=rules,
        vocabulary=WORDS,
        lowercase=bool(tokenizer.lowercase),
        strip_accents=bool(tokenizer.strip_accents),
        suffix_indicator=tokenizer.suffix_indicator,
        # Left out of BERT's, as bundles were before there were others.
        separators_between_texts=between if between > 1 else None,
        special_ids=_special_ids(tokenizer),
    )


def _require_plain_rules(
    tokenizer: keras_hub.tokenizers.WordPieceTokenizer,
) -> None:
    """Raise `UserError` for settings that a bundle does not hold."""
    for is_set, what in (
        (tokenizer.special_tokens_in_strings, "reads special tokens in texts"),
        (not tokenizer.split, "does not split texts into words"),
        (not tokenizer.split_on_cjk, "does not split Chinese characters"),
    ):
        if is_set:
            raise UserError(
                f"cannot export a tokenizer that {what}: the app's does not; "
                "expected one with KerasHub's defaults for "
                "special_tokens_in_strings, split and split_on_cjk"
            )


def _write_pieces(
    tokenizer: Any,
    folder: pathlib.Path,
    name: str,
) -> TokenizerSettings:
    proto, offset = tokenizer.proto, _OFFSET
    if isinstance(tokenizer, keras_hub.models.DebertaV3Tokenizer):
        if rules_of(tokenizer) != KERAS_HUB:
            raise UserError(
                "cannot export a DebertaV3Tokenizer with rules of its own, as "
                "a tokenizer.json has them: expected SentencePiece's, as of a "
                "model's folder with spm.model and no tokenizer.json, or of "
                "teachers.load_tokenizer(folder, rules='keras_hub')"
            )
        proto, offset = swapped_unknown(proto), _DEBERTA_OFFSET
    fault = layout_fault(proto)
    if fault:
        raise UserError(
            f"cannot export this {type(tokenizer).__name__}: {fault}; expected "
            "a SentencePiece model trained with unk_id=0, bos_id=1, eos_id=2"
        )
    files.write_bytes(folder / name, proto)
    *_, between = encode.special_ids(tokenizer)
    return TokenizerSettings(
        kind="sentencepiece",
        vocabulary=name,
        id_offset=offset,
        separators_between_texts=between,
        special_ids=_special_ids(tokenizer),
    )


def _special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    start, end, _ = encode.special_ids(tokenizer)
    return {
        "cls": int(start),
        "sep": int(end),
        "pad": int(tokenizer.pad_token_id),
        "mask": int(tokenizer.mask_token_id),
        "unk": _unknown_id(tokenizer),
    }


def _unknown_id(tokenizer: Tokenizer) -> int:
    if hasattr(tokenizer, "oov_token"):
        return int(tokenizer.token_to_id(tokenizer.oov_token))
    if isinstance(tokenizer, keras_hub.models.DebertaV3Tokenizer):
        return unknown_place(tokenizer.proto)
    pieces = cast(keras_hub.models.XLMRobertaTokenizer, tokenizer)
    return int(pieces.unk_token_id)


def _damaged(path: pathlib.Path, fault: str) -> UserError:
    return UserError(f"{path} is damaged: {fault}; export the model again")

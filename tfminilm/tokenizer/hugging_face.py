"""The rules that a Hugging Face folder has, or those its family implies."""

import pathlib
from collections.abc import Mapping
from typing import Any

from tfminilm import files, json_files
from tfminilm.errors import UserError
from tfminilm.tokenizer import engines, exact

JSON = "tokenizer.json"
_AGAIN = "copy the model's folder again"
_SETTINGS = {
    "do_lower_case?": bool,
    "strip_accents?": (bool, None),
    "tokenize_chinese_chars?": bool,
    "keep_accents?": bool,
}
_WORD_PIECE = {
    "model": {"vocab": {str: int}},
    "added_tokens": [{"content": str, "id": int}],
}


def with_rules(tokenizer: Any, folder: pathlib.Path) -> Any:
    """A folder's tokenizer with the rules that it was trained with.

    They are those of `tokenizer.json`, with case and accents as
    `tokenizer_config.json` has them, which `transformers` lets decide; where
    there is none, the family's.

    Args:
        tokenizer: KerasHub's, of the folder's vocabulary.
        folder: the Hugging Face folder.

    Raises:
        UserError: `tokenizer.json` is damaged or has another vocabulary.
    """
    path = folder / JSON
    settings = _settings(folder)
    if not path.is_file() or not is_known(tokenizer):
        return of_family(tokenizer, settings)
    engine = exact.read(path)
    normalizer = engine.normalizer
    if type(normalizer).__name__ == "BertNormalizer":
        for ours, theirs in (
            ("lowercase", "do_lower_case"),
            ("strip_accents", "strip_accents"),
            ("handle_chinese_chars", "tokenize_chinese_chars"),
        ):
            if theirs in settings:
                setattr(normalizer, ours, settings[theirs])
        engine.normalizer = normalizer
    return exact.with_engine(tokenizer, engine)


def of_family(tokenizer: Any, settings: Mapping[str, Any]) -> Any:
    """A KerasHub tokenizer with the rules that its family was trained with.

    WordPiece gets BERT's, SentencePiece of ALBERT's ALBERT's, byte-level BPE
    RoBERTa's. Others stay as they are: KerasHub runs XLM-R's SentencePiece
    model by the library that trained it.

    Args:
        tokenizer: KerasHub's.
        settings: of `tokenizer_config.json`, or none.
    """
    import keras_hub

    if isinstance(tokenizer, keras_hub.tokenizers.WordPieceTokenizer):
        tokenizer.lowercase = settings.get("do_lower_case", tokenizer.lowercase)
        strips = settings.get("strip_accents")
        tokenizer.strip_accents = (
            tokenizer.lowercase if strips is None else strips
        )
        return with_bert_rules(
            tokenizer, settings.get("tokenize_chinese_chars", True)
        )
    special = _special(tokenizer)
    if isinstance(tokenizer, keras_hub.models.AlbertTokenizer):
        engine = engines.albert(
            tokenizer.proto,
            special,
            bool(settings.get("do_lower_case", True)),
            not settings.get("keep_accents", False),
        )
    elif isinstance(tokenizer, keras_hub.tokenizers.BytePairTokenizer):
        engine = engines.byte_pair(
            tokenizer.vocabulary,
            tokenizer.merges,
            special,
            bool(tokenizer.add_prefix_space),
        )
    else:
        return tokenizer
    return exact.with_engine(tokenizer, engine)


def with_bert_rules(tokenizer: Any, split_chinese: bool = True) -> Any:
    """A WordPiece tokenizer of KerasHub's with BERT's rules.

    Args:
        tokenizer: its `lowercase` and `strip_accents` hold here too.
        split_chinese: whether Chinese characters are words of their own.
    """
    engine = engines.bert(
        tokenizer.get_vocabulary(),
        _special(tokenizer),
        bool(tokenizer.lowercase),
        bool(tokenizer.strip_accents),
        tokenizer.oov_token,
        tokenizer.suffix_indicator,
        split_chinese,
    )
    return exact.with_engine(tokenizer, engine)


def is_known(tokenizer: Any) -> bool:
    """Tells whether `tokenizers` cuts the texts of this kind."""
    import keras_hub

    return isinstance(
        tokenizer,
        keras_hub.tokenizers.WordPieceTokenizer
        | keras_hub.tokenizers.BytePairTokenizer
        | keras_hub.models.AlbertTokenizer,
    )


def words(folder: pathlib.Path) -> list[str] | None:
    """A folder's WordPiece vocabulary, if it has one.

    Newer versions of `transformers` write it into `tokenizer.json` alone, and
    tokens that were added later always.

    Raises:
        UserError: `tokenizer.json` is damaged or misses an id, or `vocab.txt`
            has other words.
    """
    path, listed = folder / JSON, folder / "vocab.txt"
    found: list[str] = []
    if listed.is_file():
        # Not `splitlines`: a word may hold a line separator of Unicode's.
        found = _text(listed).removesuffix("\n").split("\n")
    content = json_files.read(path, dict, _AGAIN) if path.is_file() else {}
    model = content.get("model")
    # Another's, or KerasHub's file.
    if not isinstance(model, dict) or model.get("type") != "WordPiece":
        return found or None
    content = json_files.read(path, _WORD_PIECE, _AGAIN)
    model = content["model"]
    ids = model["vocab"] | {
        token["content"]: token["id"] for token in content["added_tokens"]
    }
    # Of a word that stands there twice the last place counts.
    places = {word: index for index, word in enumerate(found)}
    if any(ids.get(word) != index for word, index in places.items()):
        raise UserError(
            f"{listed} and {JSON} beside it have different words: expected "
            "the files of one model"
        )
    later = sorted((i, word) for word, i in ids.items() if i >= len(found))
    for expected, (index, word) in enumerate(later, len(found)):
        if index != expected:
            raise UserError(
                f"{path} has {word!r} as {index} and nothing as {expected}: "
                "expected each id once"
            )
    return found + [word for _, word in later]


def _special(tokenizer: Any) -> list[str]:
    """The special tokens in the order of their ids; KerasHub's is random."""
    return sorted(tokenizer.special_tokens, key=tokenizer.token_to_id)


def _settings(folder: pathlib.Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    return json_files.read(path, _SETTINGS, _AGAIN) if path.is_file() else {}


def _text(path: pathlib.Path) -> str:
    try:
        return files.read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} cannot be read as text in UTF-8: {error}; {_AGAIN}"
        ) from error

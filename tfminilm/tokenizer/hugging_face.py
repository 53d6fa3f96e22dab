"""The rules of a Hugging Face folder, or else those of its model family."""

import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfminilm import files, json_files
from tfminilm.errors import UserError
from tfminilm.tokenizer import added, engines, exact
from tfminilm.typing import Tokenizer

if TYPE_CHECKING:
    import keras_hub

JSON = "tokenizer.json"
_CONFIG = "tokenizer_config.json"
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


def with_rules(
    tokenizer: "keras_hub.tokenizers.Tokenizer", folder: pathlib.Path
) -> Any:
    """Give a folder's tokenizer the rules that it was trained with.

    They are those of `tokenizer.json`. Case and accents follow
    `tokenizer_config.json`, as in `transformers`. Without a `tokenizer.json`
    the family's rules hold.

    Args:
        tokenizer: KerasHub's, of the folder's vocabulary.
        folder: the Hugging Face folder.

    Raises:
        UserError: `tokenizer.json` is damaged or has another vocabulary.
    """
    path = folder / JSON
    settings = _settings(folder)
    if not path.is_file() or not is_known(tokenizer):
        if settings.get("auto_map"):
            raise UserError(
                f"{folder / _CONFIG}: auto_map names a tokenizer of the "
                "model's own code, which is never run: expected a "
                "tokenizer.json, which holds the rules"
            )
        added.require_none(tokenizer, folder)
        return of_family(tokenizer, settings)
    engine = exact.read(path)
    normalizer = engine.normalizer
    if type(normalizer).__name__ == "BertNormalizer":
        for attribute, setting in (
            ("lowercase", "do_lower_case"),
            ("strip_accents", "strip_accents"),
            ("handle_chinese_chars", "tokenize_chinese_chars"),
        ):
            if setting in settings:
                setattr(normalizer, attribute, settings[setting])
        engine.normalizer = normalizer
    return exact.with_engine(tokenizer, engine)


def of_family(
    tokenizer: "keras_hub.tokenizers.Tokenizer", settings: Mapping[str, Any]
) -> Any:
    """Give a KerasHub tokenizer the rules that its family was trained with.

    WordPiece gets BERT's rules, ALBERT's SentencePiece gets ALBERT's, and
    byte-level BPE gets RoBERTa's; a class of this package has its own
    `family_engine`. Others stay as they are: KerasHub runs
    XLM-R's and DeBERTa's models with SentencePiece itself, by which they were
    trained.

    Args:
        tokenizer: KerasHub's.
        settings: those of `tokenizer_config.json`, or an empty dict.
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
    elif hasattr(tokenizer, "family_engine"):
        engine = tokenizer.family_engine()
    else:
        return tokenizer
    return exact.with_engine(tokenizer, engine)


def with_bert_rules(
    tokenizer: "keras_hub.tokenizers.Tokenizer", split_chinese: bool = True
) -> Any:
    """Give a WordPiece tokenizer of KerasHub's BERT's rules.

    Args:
        tokenizer: a KerasHub tokenizer, whose `lowercase` and `strip_accents`
            are kept.
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


def require_rows(tokenizer: Tokenizer, folder: pathlib.Path) -> None:
    """Refuse a tokenizer with more tokens than its model has rows for.

    Fewer are right: tables are padded to a multiple of 8 or 64.

    Args:
        tokenizer: KerasHub's.
        folder: of the model, whose `config.json` has the number of rows.

    Raises:
        UserError: it has more, or the file is damaged.
    """
    path = folder / "config.json"
    content = json_files.read(path, dict, _AGAIN) if path.is_file() else {}
    config = content.get("config", content)  # A preset's, or Hugging Face's.
    sizes = [config.get(n) for n in ("vocab_size", "vocabulary_size")]
    rows = min((n for n in sizes if isinstance(n, int)), default=None)
    count = tokenizer.vocabulary_size()
    if rows is not None and count > rows:
        raise UserError(
            f"the tokenizer in {folder} has {count} tokens, and the model's "
            f"table {rows} rows: expected the tokenizer that the model was "
            "trained with, or a table that was resized to it"
        )


def is_known(tokenizer: object) -> bool:
    """Return whether `tokenizers` can cut texts for this class."""
    import keras_hub

    return hasattr(tokenizer, "family_engine") or isinstance(
        tokenizer,
        keras_hub.tokenizers.WordPieceTokenizer
        | keras_hub.tokenizers.BytePairTokenizer
        | keras_hub.models.AlbertTokenizer
        | keras_hub.models.DebertaV3Tokenizer,
    )


def words(folder: pathlib.Path) -> list[str] | None:
    """Return a folder's WordPiece vocabulary, or `None`.

    Newer versions of `transformers` write it into `tokenizer.json` only, and
    all versions write tokens there that were added later.

    Raises:
        UserError: `tokenizer.json` is damaged or misses an id, or `vocab.txt`
            has other words.
    """
    path, listed = folder / JSON, folder / "vocab.txt"
    vocabulary: list[str] = []
    if listed.is_file():
        # Not `splitlines`: a word may hold a line separator of Unicode's.
        vocabulary = _text(listed).removesuffix("\n").split("\n")
    content = json_files.read(path, dict, _AGAIN) if path.is_file() else {}
    model = content.get("model")
    # The file of another model family, or KerasHub's.
    if not isinstance(model, dict) or model.get("type") != "WordPiece":
        return vocabulary or None
    content = json_files.read(path, _WORD_PIECE, _AGAIN)
    model = content["model"]
    ids = model["vocab"] | {
        token["content"]: token["id"] for token in content["added_tokens"]
    }
    # If a word stands there twice, its last line counts.
    index_by_word = {word: index for index, word in enumerate(vocabulary)}
    if any(ids.get(word) != index for word, index in index_by_word.items()):
        raise UserError(
            f"{listed} and {JSON} beside it have different words: expected "
            "the files of one model"
        )
    more = sorted((i, word) for word, i in ids.items() if i >= len(vocabulary))
    for expected, (index, word) in enumerate(more, len(vocabulary)):
        if index != expected:
            raise UserError(
                f"{path} has {word!r} as {index} and nothing as {expected}: "
                "expected each id once"
            )
    return vocabulary + [word for _, word in more]


def _special(tokenizer: Tokenizer) -> list[str]:
    """Return the special tokens by their ids; KerasHub's order is random."""
    return sorted(tokenizer.special_tokens, key=tokenizer.token_to_id)


def _settings(folder: pathlib.Path) -> dict[str, Any]:
    path = folder / _CONFIG
    return json_files.read(path, _SETTINGS, _AGAIN) if path.is_file() else {}


def _text(path: pathlib.Path) -> str:
    try:
        return files.read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} cannot be read as text in UTF-8: {error}; {_AGAIN}"
        ) from error

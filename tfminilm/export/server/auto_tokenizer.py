"""Write the files that `AutoTokenizer` of `transformers` reads."""

import pathlib
from typing import TYPE_CHECKING, Any

import keras
import keras_hub

from tfminilm import families, files
from tfminilm.errors import UserError
from tfminilm.export.check.calibration import SENTENCES
from tfminilm.export.manifest import TokenizerSettings
from tfminilm.families.family import Family
from tfminilm.tasks import encode
from tfminilm.tokenizer import BERT, KERAS_HUB, Exact, engines, rules_of
from tfminilm.typing import Tokenizer

if TYPE_CHECKING:
    import tokenizers

# The vocabulary's file in folders of XLM-R.
PIECES = "sentencepiece.bpe.model"
# And in those of RoBERTa.
WORDS = "vocab.json"
# On these, too, the ids have to be the same.
_HARD = (
    "  a\t b\n",
    "",
    "½ é 日本 привет नमस्ते",
    "▁a ▁▁ b",
    "[CLS] x[SEP] <s> </s>x",
)
# Reads the rules in tokenizer.json as they stand; others have their own.
_ANY_CLASS = "PreTrainedTokenizerFast"
# Of models without segments.
_INPUTS = ["input_ids", "attention_mask"]


def require_writable(tokenizer: Tokenizer, family: Family) -> None:
    """Refuse a tokenizer that a folder of this family cannot hold.

    Raises:
        UserError: it is of another kind than the family's, or cuts texts by
            rules that `transformers` does not have.
    """
    if families.relative(family, tokenizer) and rules_of(tokenizer) not in (
        BERT,
        KERAS_HUB,
    ):
        return
    kind = tokenizer_class = family.tokens.tokenizer_class()
    words = keras_hub.tokenizers.WordPieceTokenizer
    if issubclass(tokenizer_class, words) and not family.tokens.own_class:
        kind = words  # BERT's, whatever KerasHub calls them.
    elif family.tokens.or_words and isinstance(tokenizer, words):
        kind = words
    if not isinstance(tokenizer, kind):
        raise UserError(
            f"cannot write a {type(tokenizer).__name__} as a Hugging Face "
            f"folder of a {family.backbone}: expected a {kind.__name__}"
        )
    with_rules = (
        keras_hub.tokenizers.BytePairTokenizer,
        keras_hub.models.AlbertTokenizer,
    )
    if issubclass(kind, with_rules):
        if rules_of(tokenizer) == KERAS_HUB:
            raise UserError(
                "the tokenizer cuts texts by KerasHub's rules, which "
                f"transformers does not have: expected {family.title}'s, as "
                "teachers.load_tokenizer makes it of a model's name or folder"
            )
    elif issubclass(kind, words) and rules_of(tokenizer) != BERT:
        raise UserError(
            f"the tokenizer cuts texts by the rules {rules_of(tokenizer)!r}, "
            "which transformers' BertTokenizer does not have: expected one "
            "with BERT's, as tokenizer.hugging_face.with_bert_rules makes it"
        )


def write(
    tokenizer: Tokenizer, backbone: keras.Model, folder: pathlib.Path
) -> None:
    """Write a tokenizer so that `AutoTokenizer` cuts texts as it does.

    Args:
        tokenizer: one that `require_writable` passes.
        backbone: the model that reads its tokens.
        folder: where to.

    Raises:
        UserError: it is a SentencePiece model of a kind that Hugging Face's
            `tokenizers` cannot run.
    """
    num_segments = getattr(backbone, "num_segments", 0)
    if isinstance(tokenizer, keras_hub.models.XLMRobertaTokenizer):
        engine, settings = _pieces(tokenizer, folder)
    elif isinstance(tokenizer, keras_hub.models.DebertaV3Tokenizer):
        engine, settings = _unigrams(tokenizer)
    elif isinstance(tokenizer, keras_hub.tokenizers.BytePairTokenizer):
        engine, settings = _byte_pairs(tokenizer, folder)
    elif isinstance(tokenizer, keras_hub.models.AlbertTokenizer):
        engine, settings = _alberts(tokenizer, folder)
    elif isinstance(tokenizer, keras_hub.tokenizers.SentencePieceTokenizer):
        files.write_bytes(folder / PIECES, tokenizer.proto)
        engine = _copy(tokenizer.engine)
        settings = _settings() | {"unk_token": "<unk>"}
    else:
        family = families.of_backbone(backbone) or families.DEFAULT
        tokens = family.tokens
        # BERT's own class knows two segments, whatever the file says, and
        # puts one end token between two texts.
        is_own = families.separators(tokenizer) == tokens.separators
        is_own = is_own and num_segments != 1 and not tokens.or_words
        cls = tokens.tokenizer if is_own else _ANY_CLASS
        engine, settings = _words(tokenizer, folder, cls)
        if family.tokens.or_words:
            settings["model_input_names"] = _INPUTS
    _put_ends(engine, tokenizer, int(num_segments > 1))
    files.write_text(folder / "tokenizer.json", engine.to_str())
    settings |= {
        # "[SEP]" in a text is text.
        "split_special_tokens": True,
        "model_max_length": backbone.max_sequence_length,
    }
    files.write_json(folder / "tokenizer_config.json", settings)


def _alberts(
    tokenizer: Any, folder: pathlib.Path
) -> tuple["tokenizers.Tokenizer", dict[str, Any]]:
    """Write ALBERT's SentencePiece model; return its rules and settings."""
    files.write_bytes(folder / "spiece.model", tokenizer.proto)
    settings: dict[str, Any] = {
        "tokenizer_class": _ANY_CLASS,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        "unk_token": "<unk>",
    }
    for name in ("cls", "sep", "pad", "mask"):
        settings[f"{name}_token"] = getattr(tokenizer, f"{name}_token")
    return _copy(tokenizer.engine), settings


def _words(
    tokenizer: Any, folder: pathlib.Path, class_name: str
) -> tuple["tokenizers.Tokenizer", dict[str, Any]]:
    """Write a WordPiece vocabulary; return its rules and settings."""
    words = list(tokenizer.get_vocabulary())
    files.write_text(folder / "vocab.txt", "\n".join(words) + "\n")
    settings = {
        "tokenizer_class": class_name,
        "do_lower_case": bool(tokenizer.lowercase),
        "strip_accents": bool(tokenizer.strip_accents),
        "tokenize_chinese_chars": True,
        "unk_token": tokenizer.oov_token,
    }
    for name in ("cls", "sep", "pad", "mask"):
        settings[f"{name}_token"] = getattr(tokenizer, f"{name}_token")
    return _copy(tokenizer.engine), settings


def _pieces(
    tokenizer: keras_hub.models.XLMRobertaTokenizer, folder: pathlib.Path
) -> tuple["tokenizers.Tokenizer", dict[str, Any]]:
    """Write XLM-R's SentencePiece model; return its rules and settings."""
    engine = engines.xlm_roberta(tokenizer.proto)
    _require_same_ids(engine, tokenizer)
    files.write_bytes(folder / PIECES, tokenizer.proto)
    return engine, _settings() | {"unk_token": "<unk>"}


def _unigrams(
    tokenizer: Any,
) -> tuple["tokenizers.Tokenizer", dict[str, Any]]:
    """Return the rules and settings of DeBERTa's tokenizer.

    Its own class in `transformers` 5 has no use for the model's table of
    characters, by which it was trained: the folder names another.
    """
    if isinstance(tokenizer, Exact):
        engine = _copy(tokenizer.engine)
    else:
        engine = engines.deberta(tokenizer.proto)
        _require_same_ids(engine, tokenizer)
    settings = {"tokenizer_class": _ANY_CLASS, "unk_token": "[UNK]"}
    for name in ("cls", "sep", "pad", "mask"):
        settings[f"{name}_token"] = getattr(tokenizer, f"{name}_token")
    return engine, settings


def _require_same_ids(
    engine: "tokenizers.Tokenizer", tokenizer: Tokenizer
) -> None:
    for text in (*SENTENCES, *_HARD):
        ids = engine.encode(text, add_special_tokens=False).ids
        if ids != [int(i) for i in tokenizer(text)]:
            raise UserError(
                "cannot write the SentencePiece model as a Hugging Face "
                f"folder: transformers would cut {text!r} otherwise; expected "
                "one with XLM-R's rules"
            )


def _byte_pairs(
    tokenizer: Any, folder: pathlib.Path
) -> tuple["tokenizers.Tokenizer", dict[str, Any]]:
    """Write byte-level words and merges; return their rules and settings."""
    merges = [x for x in tokenizer.merges if not x.startswith("#version")]
    # Older versions of `transformers` do not read the first line.
    text = "\n".join(["#version: 0.2", *merges]) + "\n"
    files.write_text(folder / "merges.txt", text)
    words = tokenizer.vocabulary
    files.write_json(folder / WORDS, dict(sorted(words.items(), key=_id)))
    settings = _settings()
    if hasattr(tokenizer, "cls_token"):
        settings = {k: x for k, x in settings.items() if "_token" not in k}
        for name in ("cls", "sep", "pad", "mask"):
            settings[f"{name}_token"] = getattr(tokenizer, f"{name}_token")
    settings["add_prefix_space"] = bool(tokenizer.add_prefix_space)
    for unknown in {"<unk>", "[UNK]"} & words.keys():
        settings["unk_token"] = unknown
    return _copy(tokenizer.engine), settings


def _id(item: tuple[str, int]) -> int:
    return item[1]


def foreign_settings(tokenizer: Any) -> TokenizerSettings:
    """Return what a folder's manifest says of a tokenizer of another kind.

    A bundle for phones has no byte-level tokenizer, and of SentencePiece's
    XLM-R's alone.
    """
    start, end, between = encode.special_ids(tokenizer)
    is_bytes = isinstance(tokenizer, keras_hub.tokenizers.BytePairTokenizer)
    return TokenizerSettings(
        kind="byte_pair" if is_bytes else "unigram",
        vocabulary=WORDS if is_bytes else "tokenizer.json",
        separators_between_texts=between,
        special_ids={
            "cls": int(start),
            "sep": int(end),
            "pad": int(tokenizer.pad_token_id),
            "mask": int(tokenizer.mask_token_id),
        },
    )


def _settings() -> dict[str, Any]:
    """Return the settings of tokens as RoBERTa and XLM-R have them."""
    return {
        "tokenizer_class": _ANY_CLASS,
        "model_input_names": _INPUTS,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "cls_token": "<s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "mask_token": "<mask>",
    }


def _copy(engine: "tokenizers.Tokenizer") -> "tokenizers.Tokenizer":
    import tokenizers

    return tokenizers.Tokenizer.from_str(engine.to_str())


def _put_ends(
    engine: "tokenizers.Tokenizer", tokenizer: Tokenizer, second: int
) -> None:
    """Let an engine put the start and end tokens around its texts.

    `second` is the segment of the second text of two.
    """
    import tokenizers

    *ids, between = encode.special_ids(tokenizer)
    start, end = (str(engine.id_to_token(int(index))) for index in ids)
    ends = " ".join([end] * between)
    engine.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {ends} $B:{second} {end}:{second}",
        special_tokens=[
            (token, int(index))
            for token, index in zip((start, end), ids, strict=True)
        ],
    )

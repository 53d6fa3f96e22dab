"""Hugging Face's `tokenizers` with the rules that encoders were trained with.

Each function makes a `tokenizers.Tokenizer` from a vocabulary. The callers add
special tokens around a text, pad and truncate.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfminilm.errors import UserError

if TYPE_CHECKING:
    import tokenizers


def bert(
    words: Sequence[str],
    special: Iterable[str],
    lowercase: bool,
    strip_accents: bool | None = None,
    unknown: str = "[UNK]",
    mark: str = "##",
    split_chinese: bool = True,
) -> Any:
    """Build a tokenizer with BERT's rules (Devlin et al. 2019, its code).

    Control characters go, Chinese characters and punctuation are words of
    their own, and each word is cut into the longest known pieces.

    Args:
        words: the vocabulary in the order of its ids.
        special: the special tokens, such as `[CLS]`.
        lowercase: whether the text is lower-cased.
        strip_accents: whether accents go; `None`: where it is lower-cased.
        unknown: the token for words that cannot be split into known pieces.
        mark: the prefix of pieces inside a word.
        split_chinese: whether Chinese characters are words of their own.
    """
    import tokenizers

    ids = {word: index for index, word in enumerate(words)}
    engine = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(
            ids, unk_token=unknown, continuing_subword_prefix=mark
        )
    )
    engine.normalizer = tokenizers.normalizers.BertNormalizer(
        handle_chinese_chars=split_chinese,
        lowercase=lowercase,
        strip_accents=strip_accents,
    )
    engine.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    engine.decoder = tokenizers.decoders.WordPiece(prefix=mark)
    engine.add_special_tokens([*special])
    return engine


def albert(
    proto: bytes,
    special: Iterable[str],
    lowercase: bool = True,
    strip_accents: bool = True,
) -> Any:
    """Build a tokenizer with ALBERT's rules (Lan et al. 2020, its code).

    Quotes made of two marks become one, accents and capitals go, and the
    SentencePiece model cuts what is left.

    Args:
        proto: the SentencePiece model, of unigrams.
        special: the special tokens, such as `[CLS]`.
        lowercase: whether the text is lower-cased.
        strip_accents: whether accents go.
    """
    import tokenizers

    model = _message(proto)
    engine = tokenizers.Tokenizer(
        tokenizers.models.Unigram(
            [(piece.piece, piece.score) for piece in model.pieces],
            unk_id=model.trainer_spec.unk_id,
        )
    )
    normalizers = tokenizers.normalizers
    steps: list[Any] = [
        normalizers.Replace("``", '"'),
        normalizers.Replace("''", '"'),
    ]
    if strip_accents:
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    if lowercase:
        steps.append(normalizers.Lowercase())
    if charsmap := model.normalizer_spec.precompiled_charsmap:
        steps.append(normalizers.Precompiled(charsmap))
    engine.normalizer = normalizers.Sequence(steps)
    engine.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.WhitespaceSplit(),
            tokenizers.pre_tokenizers.Metaspace(),
        ]
    )
    engine.decoder = tokenizers.decoders.Metaspace()
    engine.add_special_tokens([*special])
    return engine


def xlm_roberta(proto: bytes) -> Any:
    """Build a tokenizer that cuts texts as SentencePiece, with XLM-R's ids.

    Args:
        proto: the SentencePiece model, of unigrams or single characters, laid
            out as `pieces.layout_fault` wants it.

    Raises:
        UserError: its pieces are made or used in another way.
    """
    model = _message(proto)
    pieces = _pieces(model, model.pieces[3:])
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    vocabulary: list[tuple[str, float | None]]
    vocabulary = [(token, None) for token in special]
    vocabulary[-1:-1] = pieces
    return _sentence_pieces(model, vocabulary, special, "<unk>")


def deberta(proto: bytes) -> Any:
    """Build a tokenizer that cuts texts as SentencePiece, with DeBERTa's ids.

    Args:
        proto: the SentencePiece model, of unigrams; an id is a piece's place.

    Raises:
        UserError: its pieces are made or used in another way.
    """
    model = _message(proto)
    kinds = model.SentencePiece
    control = (kinds.CONTROL, kinds.UNKNOWN)
    special = [x.piece for x in model.pieces if x.type in control]
    normal = dict(
        _pieces(model, [x for x in model.pieces if x.type not in control])
    )
    vocabulary: list[tuple[str, float | None]]
    vocabulary = [(x.piece, normal.get(x.piece)) for x in model.pieces]
    if "[MASK]" not in special:  # As in the published ones.
        special.append("[MASK]")
        vocabulary.append(("[MASK]", None))
    unknown = next(x.piece for x in model.pieces if x.type == kinds.UNKNOWN)
    return _sentence_pieces(model, vocabulary, special, unknown)


def _message(proto: bytes) -> Any:
    from sentencepiece import sentencepiece_model_pb2

    # `Any`: its classes are made at import, where mypy cannot see them.
    messages: Any = sentencepiece_model_pb2
    return messages.ModelProto.FromString(proto)


def _pieces(model: Any, pieces: Iterable[Any]) -> list[tuple[str, float]]:
    """Return pieces with their scores.

    Raises:
        UserError: there are others than unigrams.
    """
    spec, pieces = model.trainer_spec, list(pieces)
    if (
        spec.model_type not in (spec.UNIGRAM, spec.CHAR)
        or spec.treat_whitespace_as_suffix
        or any(piece.type != piece.NORMAL for piece in pieces)
    ):
        raise UserError(
            "the SentencePiece model does not cut texts by unigrams alone, as "
            "XLM-R's does: expected one trained with model_type=unigram, "
            "without symbols of one's own and without byte_fallback"
        )
    return [(piece.piece, piece.score) for piece in pieces]


def _sentence_pieces(
    model: Any,
    vocabulary: Sequence[tuple[str, float | None]],
    special: Sequence[str],
    unknown: str,
) -> Any:
    """Build a tokenizer with a SentencePiece model's rules.

    `vocabulary` has no scores of tokens that no text holds, `special`.
    """
    import tokenizers

    scores = [score for _, score in vocabulary if score is not None]
    # Any other way to cut a text is better.
    never = min(scores) - 1000
    scored = [(x, never if score is None else score) for x, score in vocabulary]
    words = [word for word, _ in vocabulary]
    engine = tokenizers.Tokenizer(
        tokenizers.models.Unigram(scored, unk_id=words.index(unknown))
    )
    normalizers, rules = tokenizers.normalizers, model.normalizer_spec
    steps: list[Any] = []
    if rules.precompiled_charsmap:
        steps.append(normalizers.Precompiled(rules.precompiled_charsmap))
    if rules.remove_extra_whitespaces:
        steps += [
            normalizers.Replace(tokenizers.Regex("^ +| +$"), ""),
            normalizers.Replace(tokenizers.Regex(" {2,}"), " "),
        ]
    if rules.add_dummy_prefix:
        steps.append(normalizers.Prepend(" "))
    if rules.escape_whitespaces:
        steps.append(normalizers.Replace(" ", "\u2581"))
    signs = {c for word, score in vocabulary if score is not None for c in word}
    for sign in sorted({c for word in special for c in word} - signs):
        # It is unknown; as another such sign it cannot become a token's name.
        steps.append(normalizers.Replace(sign, "\U0010ffff"))
    engine.normalizer = normalizers.Sequence(steps)
    engine.decoder = tokenizers.decoders.Metaspace()
    engine.add_special_tokens([*special])
    engine.encode_special_tokens = True
    return engine


def byte_pair(
    words: Mapping[str, int],
    merges: Iterable[str],
    special: Iterable[str],
    add_prefix_space: bool = False,
) -> Any:
    """Build a byte-level BPE tokenizer, as of GPT-2 and RoBERTa.

    Args:
        words: the vocabulary and its ids.
        merges: pairs of words with a space between, in the order in which they
            are merged; a first line `#version` is ignored.
        special: the special tokens, such as `<s>`.
        add_prefix_space: whether a text's first word is cut like the
            others, as if a space stood before it.
    """
    import tokenizers

    pairs: list[Any] = [
        tuple(merge.split(" "))
        for merge in merges
        if not merge.startswith("#version")
    ]
    engine = tokenizers.Tokenizer(tokenizers.models.BPE(dict(words), pairs))
    engine.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=add_prefix_space
    )
    engine.decoder = tokenizers.decoders.ByteLevel()
    engine.add_special_tokens([*special])
    return engine


def is_bert(engine: "tokenizers.Tokenizer") -> bool:
    """Return whether it has BERT's rules, whatever its vocabulary and case."""
    content = json.loads(engine.to_str())
    normal = content["normalizer"] or {}
    return (
        normal.get("type") == "BertNormalizer"
        and normal["clean_text"]
        and normal["handle_chinese_chars"]
        and content["pre_tokenizer"] == {"type": "BertPreTokenizer"}
        and content["model"]["type"] == "WordPiece"
        and content["model"]["max_input_chars_per_word"] == 100
        and all(token["special"] for token in content["added_tokens"])
    )


def trimmed(engine: "tokenizers.Tokenizer", kept_ids: Sequence[int]) -> Any:
    """Build a tokenizer with the same rules and a part of the vocabulary.

    Args:
        engine: WordPiece or unigrams, whose pieces do not depend on each
            other as those of BPE do.
        kept_ids: the ids that stay, in their order; they become 0, 1, 2, ...
    """
    import tokenizers

    content = json.loads(engine.to_str())
    model = content["model"]
    new = {int(old): index for index, old in enumerate(kept_ids)}
    if isinstance(model["vocab"], dict):
        model["vocab"] = {
            word: new[old] for word, old in model["vocab"].items() if old in new
        }
    else:
        # Added tokens may have ids behind those of the pieces.
        size = len(model["vocab"])
        model["vocab"] = [model["vocab"][old] for old in new if old < size]
        model["unk_id"] = new[model["unk_id"]]
    content["added_tokens"] = [
        token | {"id": new[token["id"]]}
        for token in content["added_tokens"]
        if token["id"] in new
    ]
    content["post_processor"] = None
    return tokenizers.Tokenizer.from_str(json.dumps(content))

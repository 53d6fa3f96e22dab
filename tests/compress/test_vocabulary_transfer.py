"""Vocabulary transfer: each new vector against NumPy, by hand."""

import io

import keras_hub
import numpy as np
import pytest
import sentencepiece

from tfminilm import students
from tfminilm.compress.vocabulary_transfer import (
    transfer_vocabulary,
    transferred_table,
)
from tfminilm.errors import UserError
from tfminilm.teachers import build_masked_lm

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
OLD = ["play", "##ing", "##in", "##g", "##er", "a", "e", "##x", ",", "##s"]
WIDTH = 8
# A new piece, and the old ones whose mean it is.
NEW = {
    "play": ["play"],
    "##ing": ["##ing"],
    ",": [","],
    "playing": ["play", "##ing"],
    "playings": ["play", "##ing", "##s"],
    "##ings": ["##ing", "##s"],
    "##ger": ["##g", "##er"],
    # The old tokenizer lower-cases and strips accents.
    "PLAY": ["play"],
    "##ÉR": ["##er"],
}


def wordpiece(words, **options):
    return keras_hub.models.BertTokenizer(
        [*SPECIAL, *words], lowercase=True, strip_accents=True, **options
    )


def table(tokenizer):
    random = np.random.default_rng(1)
    return random.normal(size=(tokenizer.vocabulary_size(), WIDTH))


def test_each_piece_is_the_mean_of_those_that_spell_it():
    old = wordpiece(OLD)
    # Roles count, not places; one that is unknown is random.
    words = ["[MASK]", *NEW, "[SEP]", "qqq", "[UNK]", "[CLS]", "[PAD]", "##q"]
    new = keras_hub.models.BertTokenizer(words, lowercase=False)
    vectors = table(old)
    rows = {word: vectors[i] for i, word in enumerate([*SPECIAL, *OLD])}
    result, counts = transferred_table(vectors, old, new)
    assert result.shape == (len(words), WIDTH)
    for index, word in enumerate(words):
        if word in NEW or word in SPECIAL:
            expected = np.mean([rows[w] for w in NEW.get(word, [word])], 0)
            np.testing.assert_allclose(result[index], expected, rtol=1e-6)
    assert (counts.exact, counts.mean, counts.random) == (8, 6, 2)
    assert str(counts) == (
        "vocabulary of 16 pieces: 8 taken over, 6 as means of the pieces that "
        "spell them, 2 at random"
    )
    again, _ = transferred_table(vectors, old, new)
    np.testing.assert_array_equal(again, result)
    other, _ = transferred_table(vectors, old, new, seed=1)
    changed = np.any(other != result, axis=1)
    assert [words[i] for i in np.flatnonzero(changed)] == ["qqq", "##q"]


def test_random_vectors_are_spread_as_the_old_ones():
    old = wordpiece(OLD)
    words = [f"q{i:03}" for i in range(400)]
    vectors = 5 + 0.1 * table(old)
    vectors[:, 0] *= 7
    result, counts = transferred_table(vectors, old, wordpiece(words))
    assert counts.random == 400
    rows = result[len(SPECIAL) :]
    np.testing.assert_allclose(rows.mean(0), vectors.mean(0), rtol=0.05)
    np.testing.assert_allclose(rows.std(0), vectors.std(0), rtol=0.2)


@pytest.fixture(scope="module")
def xlm_roberta():
    """A SentencePiece tokenizer of a few words."""
    out = io.BytesIO()
    text = ["playing games, playing", "a game is played", "players play"] * 9
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text),
        model_writer=out,
        vocab_size=21,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        minloglevel=2,
    )
    return keras_hub.models.XLMRobertaTokenizer(out.getvalue())


def test_pieces_of_sentencepiece_and_of_bytes(xlm_roberta):
    pieces = [str(x) for x in xlm_roberta.get_vocabulary()]
    vectors = table(xlm_roberta)
    rows = dict(zip(pieces, vectors, strict=True))
    # ▁ begins a word here, ## goes on with one there; roles agree.
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", "##y", "play"]
    new = keras_hub.models.BertTokenizer(words)
    result, _ = transferred_table(vectors, xlm_roberta, new)
    ids = [int(x) for x in xlm_roberta("play")]
    expected = ["<pad>", "<unk>", "<s>", "</s>", "<mask>", ",", "y"]
    np.testing.assert_allclose(
        result[:7], [rows[piece] for piece in expected], rtol=1e-6
    )
    np.testing.assert_allclose(result[7], vectors[ids].mean(0), rtol=1e-6)
    # The other way round, and to byte-level BPE: Ġ begins a word.
    back, _ = transferred_table(result, new, xlm_roberta)
    np.testing.assert_allclose(back[:4], result[[2, 0, 3, 1]], rtol=1e-6)
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "Ġplay", "y", "Ã©"]
    merges = ["Ġ p", "Ġp l", "Ġpl a", "Ġpla y", "Ã ©"]
    letters = ["Ġ", "p", "l", "a", "Ġp", "Ġpl", "Ġpla", "Ã", "©"]
    bpe = keras_hub.models.RobertaTokenizer(
        {word: i for i, word in enumerate([*tokens, *letters])}, merges
    )
    result, _ = transferred_table(vectors, xlm_roberta, bpe)
    np.testing.assert_allclose(result[5], vectors[ids].mean(0), rtol=1e-6)
    np.testing.assert_allclose(result[6], rows["y"], rtol=1e-6)
    french, _ = transferred_table(
        table(bpe), bpe, wordpiece(["é", "play", "##y"])
    )
    np.testing.assert_allclose(french[6], table(bpe)[5], rtol=1e-6)
    np.testing.assert_allclose(french[5], table(bpe)[7], rtol=1e-6)


def test_a_model_keeps_its_layers_and_reads_the_new_pieces():
    old, new = wordpiece(OLD), wordpiece(["playing", "a", "##s"])
    model = students.bert(
        num_layers=1, hidden_dim=WIDTH, num_heads=2, intermediate_dim=8,
        vocabulary_size=20, max_sequence_length=16,
    )  # fmt: skip
    copy, _ = transfer_vocabulary(model, old, new)
    assert copy.vocabulary_size == new.vocabulary_size() == 8
    expected, _ = transferred_table(
        np.asarray(model.token_embedding.embeddings), old, new
    )
    np.testing.assert_array_equal(copy.token_embedding.embeddings, expected)
    for ours, theirs in zip(copy.weights, model.weights, strict=True):
        if "token_embedding" not in theirs.path:
            np.testing.assert_array_equal(ours, theirs)
    # Of as many pieces as before, they are other pieces all the same.
    swapped = wordpiece([*OLD[::-1], "q", "r", "t", "v", "w"])
    copy, _ = transfer_vocabulary(model, old, swapped)
    play = np.asarray(model.token_embedding.embeddings)[5]
    index = swapped.token_to_id("play")
    np.testing.assert_array_equal(copy.token_embedding.embeddings[index], play)


def test_refused():
    model = students.bert(1, WIDTH, num_heads=2, vocabulary_size=15)
    for case, said in (
        (build_masked_lm(model), "of a masked language model"),
        (students.electra(1, WIDTH, num_heads=2, vocabulary_size=15), "one w"),
    ):
        with pytest.raises(UserError, match=said) as error:
            transfer_vocabulary(case, wordpiece(OLD), wordpiece(["a"]))
        assert "\n" not in str(error.value)

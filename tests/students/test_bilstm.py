"""The BiLSTM: its size, what it reads, and that padding does not count."""

import keras
import keras_hub
import numpy as np
import pytest

from tfminilm import students
from tfminilm.students.bilstm_model import BiLSTMClassifier

SMALL = {
    "vocabulary_size": 100,
    "embedding_dim": 8,
    "lstm_units": 6,
    "hidden_dim": 10,
}


def numpy(x):
    return keras.ops.convert_to_numpy(x)


@pytest.fixture(scope="module")
def single():
    return students.bilstm(**SMALL)


@pytest.fixture(scope="module")
def paired():
    return students.bilstm(pairs=True, **SMALL)


def sequence(rows, length):
    """Rows of one or two texts, padded."""
    shape = (len(rows), length)
    batch = {
        name: np.zeros(shape, "int32")
        for name in ("token_ids", "segment_ids", "padding_mask")
    }
    for row, texts in enumerate(rows):
        ids = [token for text in texts for token in text]
        batch["token_ids"][row, : len(ids)] = ids
        batch["padding_mask"][row, : len(ids)] = 1
        if len(texts) == 2:
            batch["segment_ids"][row, len(texts[0]) : len(ids)] = 1
    return batch


def features(model, rows, length=9):
    batch = sequence(rows, length)
    return numpy(model({name: batch[name] for name in model.input}))


def test_has_the_papers_size():
    model = BiLSTMClassifier(students.bilstm(), 2)
    assert model.count_params() == pytest.approx(10.1e6, rel=0.01)


def test_padding_changes_nothing(single):
    rows = [([5, 6, 7, 8],), ([9],)]
    np.testing.assert_allclose(
        features(single, rows, 4), features(single, rows, 9), atol=1e-6
    )
    alone = features(single, rows[1:], 1)
    np.testing.assert_allclose(alone[0], features(single, rows)[1], atol=1e-6)


def test_a_pair_is_two_texts_compared(paired):
    first, second = [5, 6, 7], [8, 9]
    f1, f2 = (
        numpy(paired.encoder(paired.token_embedding(np.array([text]))))
        for text in (first, second)
    )
    joined = np.concatenate([f1, f2, f1 * f2, np.abs(f1 - f2)], axis=-1)
    expected = numpy(paired.features_dense(joined))
    for length in (5, 9):
        found = features(paired, [(first, second)], length)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_saves_like_kerashubs_own(paired, tmp_path):
    model = BiLSTMClassifier(paired, 3)
    batch = sequence([([5, 6], [7])], 5)
    model.save(tmp_path / "a.keras")
    model.save_to_preset(str(tmp_path / "preset"))
    for loaded in (
        keras.models.load_model(tmp_path / "a.keras"),
        keras_hub.models.TextClassifier.from_preset(str(tmp_path / "preset")),
    ):
        assert type(loaded) is BiLSTMClassifier
        np.testing.assert_array_equal(numpy(loaded(batch)), numpy(model(batch)))

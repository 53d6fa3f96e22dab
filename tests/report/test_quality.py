"""Divergences and correlations against oracles written from their formulas."""

import keras
import keras_hub
import numpy as np
import pytest
from scipy.special import rel_entr, softmax

from tfminilm.report import quality


def backbone(num_layers, hidden_dim, num_heads=2, seed=0):
    keras.utils.set_random_seed(seed)
    model = keras_hub.models.BertBackbone(
        vocabulary_size=40,
        num_layers=num_layers,
        num_heads=num_heads,
        hidden_dim=hidden_dim,
        intermediate_dim=20,
        max_sequence_length=12,
    )
    # The initial weights are so small that every attention is uniform.
    random = np.random.default_rng(seed)
    for weight in model.trainable_variables:
        mean = 1 if weight.name == "gamma" else 0
        weight.assign(random.normal(mean, 0.4, weight.shape))
    return model


def batch(rows=4, length=9, seed=0):
    random = np.random.default_rng(seed)
    real = random.integers(3, length + 1, rows)
    mask = (np.arange(length) < real[:, None]).astype("int32")
    return {
        "token_ids": random.integers(0, 40, (rows, length)).astype("int32"),
        "segment_ids": np.zeros((rows, length), "int32"),
        "padding_mask": mask,
    }


def oracle_kl(teacher, student, mask):
    """Mean over examples of 1/(heads |x|) sum KL, in float64."""
    total = 0.0
    for t, s, real in zip(teacher, student, mask.astype(bool), strict=True):
        pair = np.ix_(range(len(t)), real, real)
        p = softmax(t[pair].astype("float64"), axis=-1)
        q = softmax(s[pair].astype("float64"), axis=-1)
        total += rel_entr(p, q).sum() / (len(t) * real.sum())
    return total / len(mask)


def dots(a, b):
    return np.einsum("bhqd,bhkd->bhqk", a, b) / np.sqrt(a.shape[-1])


def oracle_rank(teacher, student):
    """Spearman's as Pearson's of ranks, pair by pair."""
    columns = []
    for rows in (teacher, student):
        similarities = [
            rows[i]
            @ rows[j]
            / np.linalg.norm(rows[i])
            / np.linalg.norm(rows[j])
            for i in range(len(rows))
            for j in range(i)
        ]
        columns.append(np.argsort(np.argsort(similarities)))
    return np.corrcoef(*columns)[0, 1]


def test_compare_equals_the_oracles():
    models = [backbone(3, 12, seed=1), backbone(2, 8, seed=2)]
    readers = [quality.keras_reader(model) for model in models]
    batches = [batch(4, seed=3), batch(2, seed=4)]
    seen = []
    (got,) = quality.compare(
        readers[0], readers[1:], batches, batches, lambda: seen.append(1)
    )
    attention = value = 0.0
    pooled = [[], []]
    for item in batches:
        mask = item["padding_mask"]
        teacher, student = (reader(item) for reader in readers)
        attention += len(mask) * oracle_kl(
            dots(teacher.queries, teacher.keys),
            dots(student.queries, student.keys),
            mask,
        )
        value += len(mask) * oracle_kl(
            dots(teacher.values, teacher.values),
            dots(student.values, student.values),
            mask,
        )
        for rows, model in zip(pooled, models, strict=True):
            states = np.asarray(model(item)["sequence_output"])
            for row, real in zip(states, mask.astype(bool), strict=True):
                rows.append(row[real].mean(axis=0))
    assert got.attention_kl == pytest.approx(attention / 6, rel=1e-4)
    assert got.attention_kl > 0.05
    assert got.value_kl == pytest.approx(value / 6, rel=1e-4)
    expected = oracle_rank(*map(np.array, pooled))
    assert got.rank_correlation == pytest.approx(expected, abs=1e-6)
    assert abs(expected) < 0.99
    assert len(seen) == 4


def test_embeddings_of_the_first_token():
    models = [backbone(3, 12, seed=1), backbone(2, 8, seed=2)]
    readers = [quality.keras_reader(model) for model in models]
    item = batch(5, seed=3)
    (got,) = quality.compare(
        readers[0], readers[1:], [item], [item], pooling="cls"
    )
    first = [np.asarray(m(item)["sequence_output"])[:, 0] for m in models]
    expected = oracle_rank(*first)
    assert got.rank_correlation == pytest.approx(expected, abs=1e-6)
    (mean,) = quality.compare(readers[0], readers[1:], [item], [item])
    assert abs(mean.rank_correlation - expected) > 1e-3


def test_a_model_is_its_own_best_student():
    reader = quality.keras_reader(backbone(2, 8))
    (got,) = quality.compare(reader, [reader], [batch()], [batch()])
    assert got.attention_kl == pytest.approx(0, abs=1e-6)
    assert got.value_kl == pytest.approx(0, abs=1e-6)
    assert got.rank_correlation == pytest.approx(1)


def test_padding_changes_nothing():
    readers = [quality.keras_reader(backbone(2, 8, seed=s)) for s in (0, 1)]
    clean, dirty = batch(), batch()
    dirty["token_ids"] = np.where(
        dirty["padding_mask"], dirty["token_ids"], 39 - dirty["token_ids"]
    ).astype("int32")
    assert (clean["token_ids"] != dirty["token_ids"]).any()
    (first,), (second,) = (
        quality.compare(readers[0], readers[1:], [x], [x])
        for x in (clean, dirty)
    )
    assert first.attention_kl == pytest.approx(second.attention_kl, abs=1e-6)
    assert first.value_kl == pytest.approx(second.value_kl, abs=1e-6)
    assert first.rank_correlation == pytest.approx(second.rank_correlation)


def test_other_head_counts_have_a_rank_correlation_only():
    teacher = quality.keras_reader(backbone(1, 8, num_heads=2))
    student = quality.keras_reader(backbone(1, 8, num_heads=4))
    (got,) = quality.compare(teacher, [student], [batch()], [batch()])
    assert got.attention_kl is None
    assert got.value_kl is None
    assert np.isfinite(got.rank_correlation)


def test_layers_are_counted_from_either_end():
    model = backbone(3, 8)
    first = quality.keras_reader(model, 0)(batch())
    also_first = quality.keras_reader(model, -3)(batch())
    last = quality.keras_reader(model)(batch())
    np.testing.assert_array_equal(first.queries, also_first.queries)
    np.testing.assert_array_equal(first.states, last.states)
    assert np.abs(first.queries - last.queries).max() > 0.1


def test_attention_probs_equal_keras_hubs():
    model = backbone(1, 8)
    item = batch()
    reading = quality.keras_reader(model)(item)
    embedded = model.get_layer("embeddings_dropout").output
    states = keras.Model(model.input, embedded)(item)
    _, expected = model.transformer_layers[0](
        states, padding_mask=item["padding_mask"], return_attention_scores=True
    )
    got = quality.attention_probs(reading, item["padding_mask"])
    real = item["padding_mask"].astype(bool)
    for a, b, row in zip(got, np.asarray(expected), real, strict=True):
        np.testing.assert_allclose(a[:, row], b[:, row], atol=1e-5)
    plain = quality.attention_probs(reading)
    np.testing.assert_allclose(plain.sum(-1), 1, atol=1e-5)

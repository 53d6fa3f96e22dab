"""Students of BERT's shape."""

import keras
import keras_hub
import numpy as np
import pytest

from tfminilm import students
from tfminilm.teachers.expose import encoder_calls

TOKENS = 30522


def parameters(backbone):
    """Millions of parameters of the encoder layers, and of the tokens."""
    layers = {id(c.layer): c.layer for c in encoder_calls(backbone)}.values()
    counts = (
        sum(layer.count_params() for layer in layers),
        backbone.token_embedding.count_params(),
    )
    return tuple(round(count / 1e6, 1) for count in counts)


@pytest.fixture
def no_initial_values(monkeypatch):
    """Zeros for weights: nothing here depends on them, and they are cheap."""
    zeros = keras.initializers.Zeros()
    for cls in (
        keras.initializers.TruncatedNormal,
        keras.initializers.GlorotUniform,
        keras.initializers.RandomUniform,
    ):
        monkeypatch.setattr(
            cls, "__call__", lambda _, shape, dtype=None: zeros(shape, dtype)
        )


# MiniLM's table 1: layers, width, then millions of parameters of the
# transformer and of the embedding.
@pytest.mark.parametrize(
    ("num_layers", "hidden_dim", "transformer", "embedding"),
    [
        (12, 768, 85.1, 23.4),
        (6, 768, 42.5, 23.4),
        (12, 384, 21.3, 11.7),
        (6, 384, 10.6, 11.7),
        (4, 384, 7.1, 11.7),
        (3, 384, 5.3, 11.7),
    ],
)
@pytest.mark.usefixtures("no_initial_values")
def test_sizes_are_those_of_the_paper(
    num_layers, hidden_dim, transformer, embedding
):
    student = students.bert(num_layers=num_layers, hidden_dim=hidden_dim)
    assert parameters(student) == (transformer, embedding)


@pytest.mark.usefixtures("no_initial_values")
def test_defaults_are_those_of_bert():
    student = students.bert(num_layers=1, hidden_dim=48)
    assert type(student) is keras_hub.models.BertBackbone
    config = student.get_config()
    assert config["num_heads"] == 12
    assert config["intermediate_dim"] == 4 * 48
    assert config["vocabulary_size"] == TOKENS
    assert config["max_sequence_length"] == 512
    assert config["num_segments"] == 2
    assert config["dropout"] == 0.1


def test_takes_what_the_backbone_takes():
    student = students.bert(
        num_layers=2,
        hidden_dim=8,
        num_heads=2,
        intermediate_dim=20,
        vocabulary_size=50,
        max_sequence_length=16,
        dropout=0.2,
        num_segments=1,
        dtype="mixed_bfloat16",
        name="small",
    )
    config = student.get_config()
    assert (config["num_layers"], config["hidden_dim"]) == (2, 8)
    assert (config["num_heads"], config["intermediate_dim"]) == (2, 20)
    assert (config["vocabulary_size"], config["num_segments"]) == (50, 1)
    assert (config["max_sequence_length"], config["dropout"]) == (16, 0.2)
    assert student.name == "small"
    assert student.dtype_policy.name == "mixed_bfloat16"


def test_start_follows_the_seed():
    weights = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        student = students.bert(1, 8, 2, vocabulary_size=20)
        weights.append(student.get_weights())
    assert all(map(np.array_equal, weights[0], weights[1]))
    assert not all(map(np.array_equal, weights[0], weights[2]))
    # The start BERT had: a normal distribution cut at two deviations of 0.02.
    kernel = weights[0][0]
    assert 0.01 < kernel.std() < 0.03
    assert np.abs(kernel).max() <= 0.04

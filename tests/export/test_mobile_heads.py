"""Heads and further families in the mobile graph, against Keras."""

import keras
import keras_hub
import numpy as np
import pytest

from tfminilm import students
from tfminilm.errors import UserError
from tfminilm.export.graph.mobile_graph import MobileGraph
from tfminilm.export.litert import profile
from tfminilm.export.litert.convert import convert
from tfminilm.tasks import heads
from tfminilm.tasks.head_models import FirstTokenClassifier, TokenClassifier
from tfminilm.tasks.task import get_task

SIZES = {
    "vocabulary_size": 100,
    "num_layers": 2,
    "num_heads": 4,
    "hidden_dim": 32,
    "intermediate_dim": 64,
    "max_sequence_length": 32,
}


@pytest.fixture(scope="module")
def make(randomise):
    """A random backbone, or one with the head of a task."""

    def build(family, task=None):
        # A pooler that no head stands on.
        options = {"bottleneck_dim": 16, "embedding_dim": 8, "pooler": True}
        if family != "mobilebert":
            options = {}
        backbone = getattr(students, family)(**SIZES, **options)
        if task is None:
            return randomise(backbone)
        if task == "tags":
            return randomise(TokenClassifier(backbone, 5))
        return randomise(heads.build_head(get_task(task), backbone))

    return build


@pytest.fixture
def batch_for(make_batch):
    """Rows of 12 and 7 tokens, of what the model reads."""

    def build(model):
        batch = make_batch([12, 7], 12)
        return {name: batch[name] for name in model.input}

    return build


def outputs(model, batch):
    found = model(batch, training=False)
    if not isinstance(found, dict):
        found = {"logits": found}
    return {name: np.asarray(value) for name, value in found.items()}


@pytest.mark.parametrize(
    ("family", "task"),
    [
        ("bert", "mnli"),
        ("bert", "stsb"),
        ("distilbert", "mnli"),
        ("electra", "mnli"),
        ("mobilebert", "mnli"),
        ("xlm_roberta", "stsb"),
    ],
)
def test_first_token_heads(family, task, make, batch_for, run_graph):
    model = make(family, task)
    batch = batch_for(model)
    wanted = outputs(model, batch)["logits"]
    got = run_graph(MobileGraph(model), batch)
    assert set(got) == {"logits"}
    scale = max(1.0, np.abs(wanted).max())
    np.testing.assert_allclose(got["logits"], wanted, atol=1e-5 * scale)


def test_a_head_with_gelu(make, batch_for, run_graph):
    """As ELECTRA's published classifiers have it."""
    head = FirstTokenClassifier(make("electra"), 3, activation="gelu")
    dense = head.get_layer("pooled_dense")
    dense.kernel.assign(10 * dense.kernel)
    batch = batch_for(head)
    wanted = outputs(head, batch)["logits"]
    got = run_graph(MobileGraph(head), batch)["logits"]
    np.testing.assert_allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "xlm_roberta"])
def test_spans(family, make, batch_for, run_graph):
    model = make(family, "squad")
    batch = batch_for(model)
    wanted = outputs(model, batch)
    got = run_graph(MobileGraph(model), batch)
    assert set(got) == {"start_logits", "end_logits"}
    real = batch["padding_mask"].astype(bool)
    for name, value in got.items():
        np.testing.assert_allclose(value[real], wanted[name][real], atol=1e-4)
        assert value[~real].max() < value[real].min() - 1e4


@pytest.mark.parametrize("family", ["distilbert", "electra", "mobilebert"])
def test_tokens(family, make, batch_for, run_graph):
    model = make(family, "tags")
    batch = batch_for(model)
    wanted = outputs(model, batch)["token_logits"]
    got = run_graph(MobileGraph(model), batch)
    assert set(got) == {"token_logits"}
    real = batch["padding_mask"].astype(bool)
    scale = max(1.0, np.abs(wanted).max())
    np.testing.assert_allclose(
        got["token_logits"][real], wanted[real], atol=1e-5 * scale
    )


@pytest.mark.parametrize("family", ["distilbert", "xlm_roberta"])
def test_encoders_without_segments(family, make, batch_for, run_graph):
    model = make(family)
    batch = batch_for(model)
    wanted = np.asarray(model(batch))
    got = run_graph(MobileGraph(model), batch)
    assert set(got) == {"sequence_output", "sentence_embedding"}
    real = batch["padding_mask"].astype(bool)
    np.testing.assert_allclose(
        got["sequence_output"][real], wanted[real], atol=1e-4
    )


@pytest.mark.parametrize(
    ("family", "task"),
    [
        ("distilbert", "sst2"),
        ("electra", "sst2"),
        ("bert", "squad"),
        ("bert", "tags"),
    ],
)
def test_a_file_with_a_head_is_one_partition(family, task, make, tmp_path):
    path = tmp_path / "model.tflite"
    model = make(family, task)
    path.write_bytes(convert(model, "dynamic_wi8_afp32", (16,)))
    assert profile.partitions(path) == {"encode_16": 1}
    assert profile.custom_operators(path) == []


def test_the_last_layer_computes_one_row_for_a_classifier(make):
    """Of two layers' feed-forward products one is of all 16 rows."""
    for task, rows in (("sst2", [1, 16]), ("squad", [16, 16])):
        graph = MobileGraph(make("bert", task)).signature(16).graph
        inner = [
            operation.outputs[0].shape[-2]
            for operation in graph.get_operations()
            if operation.type.startswith(("BatchMatMul", "MatMul"))
            and operation.outputs[0].shape[-1] == SIZES["intermediate_dim"]
        ]
        assert sorted(inner) == rows


def test_hidden_states_are_outputs_for_measuring(make, make_batch, run_graph):
    model = make("bert", "sst2")
    names = [f"hidden_states_{index}" for index in range(3)]
    batch = make_batch([12], 12)
    got = run_graph(MobileGraph(model, names), batch)
    wanted = model.backbone(batch)["sequence_output"]
    np.testing.assert_allclose(got["hidden_states_2"], wanted, atol=1e-4)
    assert {value.shape for value in got.values()} == {(1, 12, 32)}


def test_another_activation_is_refused(make):
    model = make("distilbert", "sst2")
    model.pooled_dense.activation = keras.activations.selu
    with pytest.raises(UserError, match="activation selu of the head's layer"):
        MobileGraph(model)


def test_another_head_is_refused(make):
    model = keras_hub.models.BertMaskedLM(make("bert"))
    with pytest.raises(UserError, match="cannot export a BertMaskedLM"):
        MobileGraph(model)

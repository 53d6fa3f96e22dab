"""A run's settings, and what is computed of several."""

import keras
import numpy as np
import pytest

import tfminilm
from tfminilm.errors import UserError
from tfminilm.tasks import heads
from tfminilm.tasks.task import get_task
from tfminilm.train import fine_tuning, finetune, score
from tfminilm.train.distributed import SINGLE_DEVICE
from tfminilm.train.models import Models
from tfminilm.train.recipe import TrainSpec
from tfminilm.train.sources.examples import num_tokens


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch_size": -1}, "--batch_size is -1, expected 0 or more"),
        ({"doc_stride": 0}, "--doc_stride is 0, expected 1 or more"),
        ({"epochs": -1}, "--epochs is -1"),
        ({"learning_rate": 0.0}, "--learning_rate is 0.0, expected above 0"),
        ({"dropout": 1.0}, "--dropout is 1.0"),
        ({"head_rate": -1.0}, "--head_rate is -1.0, expected 0 to 10,000"),
        ({"warmup": 1.5}, "--warmup is 1.5, expected 0 to 1"),
        ({"seed": -1}, "--seed is -1"),
    ],
)
def test_numbers_out_of_range(given, message):
    spec = finetune.FineTuning("m", "sst2", **given)
    with pytest.raises(UserError, match=message):
        spec.resolved(get_task("sst2"))


def test_each_task_has_its_own_numbers():
    def own(name):
        spec = finetune.FineTuning("m", name).resolved(get_task(name))
        return spec.epochs, spec.batch_size, spec.max_length

    assert own("sst2") == (3, 64, 128)
    assert own("rte") == (10, 32, 128)
    assert own("squad") == (3, 32, 384)
    given = finetune.FineTuning("m", "rte", epochs=1, batch_size=8)
    assert given.resolved(get_task("rte")).epochs == 1
    assert given.resolved(get_task("rte")).batch_size == 8


def test_summary():
    runs = {
        1: {"validation": {"f1": 0.5}, "test": {}},
        2: {"validation": {"f1": 0.7}, "test": {}},
    }
    found = score.summary(runs)
    assert found["validation"]["f1"]["mean"] == pytest.approx(0.6)
    assert found["validation"]["f1"]["spread"] == pytest.approx(0.02**0.5)
    assert found["validation"]["f1"]["seeds"] == [0.5, 0.7]
    assert found["test"] == {}


def test_tokens_of_a_step_are_its_own():
    from tfminilm.tasks.batches import Batches
    from tfminilm.tasks.encoded import Encoded

    encoded = Encoded(
        np.zeros(9, np.int32),
        np.zeros(9, np.int8),
        np.array([0, 2, 5, 9]),
        {},
        0,
    )
    batches = Batches(encoded, 2)
    assert [num_tokens(batches, batch) for batch in range(2)] == [5, 4]


def test_a_distiller_can_be_made_after_it(make_encoder):
    # Keras changes the bases of models that are made of inputs and outputs.
    inputs = keras.Input((3,))
    fine_tuning.OnTask(inputs, keras.layers.Dense(2)(inputs))
    student = make_encoder(num_layers=1)
    method = tfminilm.methods.MiniLM()
    distiller = tfminilm.Distiller(make_encoder(), student, method)
    assert distiller.student is student


@pytest.mark.parametrize(("rate", "times"), [(0.0, 1.0), (10.0, 10.0)])
def test_a_head_may_learn_faster(rate, times, make_encoder):
    task = get_task("sst2")
    head = heads.build_head(task, make_encoder(num_layers=1))
    spec = finetune.FineTuning("m", "sst2", head_rate=rate).resolved(task)
    job = fine_tuning.FineTuningJob(task, spec, None)
    model = fine_tuning.OnTask(head.input, head.output)
    train = TrainSpec(
        steps=1, warmup_steps=0, learning_rate=1e-2, weight_decay=0.0
    )
    models = Models(model, head, None)
    job.compile(models, train, "float32", SINGLE_DEVICE)
    trained = {
        "kernel": head.get_layer("logits").kernel,
        "table": head.backbone.token_embedding.embeddings,
    }
    before = {name: x.numpy() for name, x in trained.items()}
    gradients = [keras.ops.ones_like(x) for x in model.trainable_variables]
    model.optimizer.apply(gradients, model.trainable_variables)
    moved = {name: before[name] - x.numpy() for name, x in trained.items()}
    # The first step of AdamW is as long as the rate.
    np.testing.assert_allclose(moved["table"], 1e-2, rtol=1e-2)
    np.testing.assert_allclose(moved["kernel"], 1e-2 * times, rtol=1e-2)

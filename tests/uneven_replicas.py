"""Losses of a last batch smaller than the replicas, on one and on two.

Run by test_distiller_in_fit.py in a process of its own: a device can be split
only before it is used. Prints `{name: [on one, on two]}`.
"""

import json

import keras
import numpy as np
import tensorflow as tf

import tfminilm
from tfminilm import losses
from tfminilm.methods import SoftTargets
from tfminilm.tasks.head_models import TokenCrossEntropy

ROWS, LENGTH, CLASSES = 5, 4, 3
RANDOM = np.random.default_rng(0)
IDS = RANDOM.integers(1, 20, (ROWS, LENGTH)).astype("int32")
LABELS = np.array([0, 2, 1, 2, 0])
MASK = np.array([[1, 1, 1, 0]])
SCORES = RANDOM.normal(size=(2, 1, 2, LENGTH, LENGTH)).astype("float32")
STATES = RANDOM.normal(size=(2, 1, LENGTH, 6)).astype("float32")


def classifier(seed):
    tokens = keras.Input((LENGTH,), dtype="int32", name="token_ids")
    states = keras.layers.Embedding(20, 6)(tokens)
    states = keras.layers.GlobalAveragePooling1D()(states)
    model = keras.Model(tokens, keras.layers.Dense(CLASSES)(states))
    random = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(random.normal(size=weight.shape))
    return model


def compile(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss=loss)


def fitted(strategy):
    """Losses of `fit` and `evaluate`, the student's own being Keras'."""
    with strategy.scope():
        model = tfminilm.Distiller(classifier(1), classifier(2), SoftTargets())
        plain = classifier(2)
        compile(model)
        compile(plain)
    data = tf.data.Dataset.from_tensor_slices((IDS, LABELS)).batch(4)
    options = {"verbose": 0, "shuffle": False}
    row = {k: v[0] for k, v in model.fit(data, **options).history.items()}
    held_out = model.evaluate(data, verbose=0, return_dict=True)
    theirs = plain.evaluate(data, verbose=0, return_dict=True)["loss"]
    assert np.isclose(held_out["student_loss"], theirs, rtol=1e-5)
    return [*row.values(), *held_out.values()]


def tagger(seed):
    tokens = keras.Input((LENGTH,), dtype="int32", name="token_ids")
    states = keras.layers.Embedding(20, 6)(tokens)
    logits = {"token_logits": keras.layers.Dense(CLASSES)(states)}
    model = keras.Model(tokens, logits)
    random = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(random.normal(size=weight.shape))
    return model


def tagged(strategy):
    """Losses and weights of a step, where replicas count unlike tokens."""
    with strategy.scope():
        distiller = tfminilm.Distiller(tagger(1), tagger(2), SoftTargets())
        plain = tagger(2)
        distiller.compile(keras.optimizers.SGD(0.1))
        loss = {"token_logits": TokenCrossEntropy()}
        plain.compile(keras.optimizers.SGD(0.1), loss=loss)
    labels = np.arange(4 * LENGTH).reshape(4, LENGTH) % CLASSES
    counts = np.arange(LENGTH) < np.array([[4], [2], [1], [0]])
    batch = IDS[:4], {"token_logits": labels}, counts.astype("float32")
    data = tf.data.Dataset.from_tensor_slices(batch).batch(4)
    rows = []
    for model in (distiller, plain):
        rows += model.fit(data, verbose=0, shuffle=False).history["loss"]
    kernels = [model.weights[1].numpy() for model in (distiller.student, plain)]
    return [*rows, *(float(x) for x in np.ravel(kernels))]


def of_one_example(loss, tensors, mask):
    """The loss of one example, of which the second replica gets none."""

    def share(count):
        context = tf.distribute.get_replica_context()
        rows = count - context.replica_id_in_sync_group
        taught, learnt = (tf.constant(x)[:rows] for x in tensors)
        given = taught, learnt, tf.constant(mask)[:rows]
        return loss(*given) / context.num_replicas_in_sync

    def total(strategy):
        # What TensorFlow knows to be empty as it traces, it stumbles over.
        run = tf.function(lambda n: strategy.run(share, (n,)), autograph=False)
        return float(strategy.reduce("SUM", run(tf.constant(1)), axis=None))

    return total


def main():
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    one = tf.distribute.get_strategy()
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    cases = {
        "fit": fitted,
        "tokens": tagged,
        "MiniLM": of_one_example(losses.attention_transfer, SCORES, MASK),
        "MiniLM's values": of_one_example(losses.value_relation, SCORES, MASK),
        "TinyBERT": of_one_example(losses.hidden_mse, STATES, MASK),
        "TinyBERT's scores": of_one_example(
            losses.attention_scores_mse, SCORES, MASK
        ),
    }
    found = {name: [run(one), run(two)] for name, run in cases.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()

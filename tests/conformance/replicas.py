"""Some steps of every method on one device, on two, and on two workers.

    replicas.py           on one device and on two; prints both
    replicas.py workers   as the worker that TF_CONFIG names

Run by test_methods.py in a process of its own: a device can be split only
before it is used.
"""

import importlib.util
import json
import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf

from tfminilm.private import optimizers
from tfminilm.tasks.task import get_task
from tfminilm.train import fine_tuning
from tfminilm.train import strategy as strategies
from tfminilm.train.build import shares_of
from tfminilm.train.distributed import DistributedContext

path = pathlib.Path(__file__).with_name("cases.py")
spec = importlib.util.spec_from_file_location("cases", path)
cases = sys.modules["cases"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)


STEPS = 2
LARGE = 300  # Elements.
WORKERS = ("MiniLM", "TinyBERT", "MobileBERT")


def uneven(batch):
    """The batch with rows of other lengths and weights in each half."""
    x, *rest = batch
    lengths = np.array([[cases.LENGTH], [cases.LENGTH], [3], [2]])
    mask = np.arange(cases.LENGTH) < lengths
    x = x | {"padding_mask": mask.astype("int32")}
    if "mask_positions" in x:
        y, weights = rest
        x["mask_positions"] = x["mask_positions"] % lengths.astype("int32")
        weights[0, 1] = 0.0
        return x, y, weights
    labels = rest or [np.zeros(cases.ROWS, "int32")]
    return x, *labels, np.float32([1.0, 0.0, 2.0, 0.5])


def train(case, strategy):
    """The losses and the last weights of some steps on the same batch.

    They are SGD's: an update is as large as its gradient. MiniLM's are
    clipped, and AdamW's, which takes three times as long to trace, updates the
    token table in one pass, and is slower for lower layers.
    """
    with strategy.scope():
        distiller = cases.distil(case)
        optimizer = keras.optimizers.SGD(0.01)
        if case is cases.METHODS["MiniLM"]:
            optimizer = keras.optimizers.AdamW(0.01, global_clipnorm=0.1)
            shares = {"embeddings": 0.1, 0: 0.5}
            optimizers.set_rates(
                optimizer, shares_of(distiller.student, shares)
            )
            optimizers.prepare(optimizer, LARGE)
        distiller.compile(optimizer)
    data = tf.data.Dataset.from_tensors(uneven(cases.batch(case.method)))
    # The last batch has one row, and a replica none.
    data = data.unbatch()
    data = data.concatenate(data.take(1)).batch(cases.ROWS)
    history = distiller.fit(data, epochs=STEPS, verbose=0).history
    weights = [np.ravel(w.numpy()) for w in distiller.student.weights]
    return history["loss"], np.concatenate(weights)


def dropped(strategy):
    """What each replica keeps of ones, before and after its seed is its own."""
    with strategy.scope():
        layer = keras.layers.Dropout(0.5, seed=1)
        layer.build(None)

    def drop():
        return layer(tf.ones(64), training=True)

    context = DistributedContext(strategy)
    kept = []
    for _ in range(2):
        found = strategy.run(drop)
        kept.append([x.numpy().tolist() for x in found.values])
        context.split_seeds(layer.variables)
    return kept


def fine_tuned(strategy):
    """The losses of fine-tuning steps on a batch with fillers."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        x = keras.Input((4,), name="x")
        model = fine_tuning.OnTask({"x": x}, keras.layers.Dense(2)(x))
        optimizer = keras.optimizers.AdamW(0.1, global_clipnorm=0.05)
        fine_tuning.compile_for(get_task("sst2"), model, optimizer)
    draw = np.random.default_rng(0)
    inputs = {"x": draw.normal(size=(8, 4)).astype("float32")}
    # As `Batches` gives them: their mean is 1.
    weights = np.float32([1, 1, 1, 1, 1, 0, 0, 0]) * np.float32(8 / 5)
    batch = inputs, draw.integers(0, 2, 8), weights
    data = tf.data.Dataset.from_tensors(batch)
    return model.fit(data, epochs=STEPS, verbose=0).history["loss"]


def work():
    """Prints the losses of `WORKERS` on a worker, by method."""
    context = strategies.build_context("multi_worker")
    found = {
        name: train(cases.METHODS[name], context.strategy)[0]
        for name in WORKERS
    }
    print(json.dumps(found))


def compare():
    """Prints `{method: [losses on one, on two, largest difference]}`.

    Where weights grow beyond 1, the difference is a share of the largest.
    """
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    one = tf.distribute.get_strategy()
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert two.num_replicas_in_sync == 2
    found = {}
    for name, case in cases.METHODS.items():
        if name in cases.GROUPED:
            continue
        losses, weights = train(case, one)
        losses2, weights2 = train(case, two)
        largest = max(1.0, float(np.abs(weights).max()))
        difference = float(np.abs(weights - weights2).max()) / largest
        found[name] = [losses, losses2, difference]
        keras.backend.clear_session()
    print(json.dumps(dropped(two)))
    print(json.dumps([fine_tuned(x) for x in (one, two)]))
    print(json.dumps(found))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work()
    else:
        compare()

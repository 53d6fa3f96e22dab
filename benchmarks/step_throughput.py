"""Distiller.fit against Keras' own Distiller and the matrix-product rate.

    python benchmarks/step_throughput.py

Teacher: all-MiniLM-L6-v2. Student: 3 layers of the same width. Both wrappers
train the same student with the same optimizer on the same batch: ours with
MiniLM, Keras' with FeatureDistillation (mse) on the last layers. They take
turns with the step's own matrix products, so that all three see the same
machine. Rates count two operations per multiply-add of the products that
MiniLM needs.
"""

import functools
import math
import statistics

import _shared
import keras

import tfminilm
from tfminilm.teachers import load_backbone
from tfminilm.train import matmul

PRODUCTS = "matrix products"


def main() -> None:
    """Measure in turns and print the table."""
    options = _options()
    batch = _shared.random_batch(options.batch, options.length)
    ours = _shared.distiller(
        options.dtype, options.dropout, jit_compile=options.jit_compile
    )
    found = matmul.step_matmuls(ours, batch)
    contenders = {
        PRODUCTS: lambda: options.steps * matmul.seconds(found),
        "Keras Distiller": _fit(_keras(options), batch, options),
        "tfminilm Distiller": _fit(ours, batch, options),
    }
    if not found:  # On JAX and PyTorch they are not known.
        del contenders[PRODUCTS]
    seconds = _shared.in_turns(contenders, options.rounds)
    operations = (
        sum(n * product.operations for product, n in found.items()) or math.nan
    )
    _shared.show(_table(seconds, operations, options), 100)


def _keras(options):
    teacher = load_backbone(_shared.TEACHER, dtype=options.dtype)
    student = tfminilm.students.bert(
        _shared.LAYERS, 384, dropout=options.dropout, dtype=options.dtype
    )
    distiller = keras.distillation.Distiller(
        teacher,
        student,
        keras.distillation.FeatureDistillation(
            loss="mse",
            teacher_layer_name="transformer_layer_5",
            student_layer_name=f"transformer_layer_{_shared.LAYERS - 1}",
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

    run = functools.partial(_shared.fit, distiller, data)
    return functools.partial(_shared.seconds, run)


def _table(seconds, operations, options):
    titles = ("step ms", "fastest", "tokens/s", "GFLOP/s", "of the rate")
    shown = _shared.table([""], (*titles, "against Keras"))
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
    shown.caption = (
        f"batch {options.batch} x {options.length} tokens, {options.dtype}, "
        f"dropout {options.dropout}, XLA "
        f"{'on' if options.jit_compile else 'off'}; medians of "
        f"{options.rounds} rounds of {options.steps} steps in turns; "
        f"{_shared.processor()}, {_shared.versions('Keras')} on "
        f"{keras.backend.backend()}. Keras' row counts "
        "MiniLM's operations too: it does the same work of distilling a step"
    )
    return shown


def _options():
    parser = _shared.Parser(__doc__.splitlines()[0])
    parser.add_flags(batch=32, length=128, dtype="float32", dropout=0.1)
    parser.add_flags(rounds=7, steps=3)
    parser.add_argument("--jit_compile", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""MiniLM's step on a GPU: tokens a second, share of its peak, and memory.

    python benchmarks/gpu_step.py --peak_tflops=312

Teacher: BERT-base. Student: 6 layers of 384. Both start from random weights,
which take as long as trained ones. `Distiller.fit` stands beside the same
losses by the book: log_softmax of all relations in float32 and automatic
differentiation, of the same views of the same models. Each row is a process
of its own, so that its peak of memory is its own.

The share of the peak (model-FLOP utilisation) counts two operations per
multiply-add of the products that MiniLM needs, against --peak_tflops: 312 for
an A100, 989 for an H100 or H200 in bfloat16. Without a GPU it runs as well, and
is slow: --rows=tfminilm --shapes=4x128 --steps=2 --rounds=1.
"""

import argparse
import functools
import json
import statistics

import _shared

HEADS = 12


def main() -> None:
    """Measure every row in a process of its own and print the table."""
    options = _options()
    if options.row:
        print(json.dumps(measure(options)))
        return
    titles = ("batch", "step ms", "tokens/s", "of the peak", "of the rate")
    shown = _shared.table([""], (*titles, "peak GiB"))
    for shape in options.shapes:
        for row in options.rows:
            # The last of a flag's values counts.
            own = (f"--row={row}", "--shapes", shape)
            found = _shared.in_a_process(__file__, *own)
            shown.add_row(row, shape, *_cells(found, shape, options))
    shown.caption = (
        f"BERT {options.teacher} to {options.student}, {options.dtype}; "
        f"medians of {options.rounds} rounds of {options.steps} steps; the "
        "rate is that of the step's own products by themselves; "
        f"{found['device']}, {found['versions']}"
    )
    _shared.show(shown, 100)


def measure(options):
    """Return seconds of a step, of its products alone, and peak memory."""
    import keras

    import tfminilm
    from tfminilm.train import matmul
    from tfminilm.train.memory import peak_memory

    keras.config.set_dtype_policy(options.dtype)
    teacher, student = (
        tfminilm.students.bert(layers, width, HEADS)
        for layers, width in map(_numbers, (options.teacher, options.student))
    )
    ours = tfminilm.Distiller(teacher, student, tfminilm.methods.MiniLM())
    batch = _shared.random_batch(*_numbers(options.shapes[0]))
    found = matmul.step_matmuls(ours, batch)
    is_ours = options.row == "tfminilm"
    model = ours if is_ours else _by_the_book(teacher, student)
    model.compile(keras.optimizers.AdamW(5e-4))
    seconds = _seconds(model, batch, options)
    memory = peak_memory()
    return {
        "seconds": seconds,
        "alone": matmul.seconds(found),
        "operations": sum(n * one.operations for one, n in found.items()),
        "peak": memory.get("device_peak_memory_gib", memory["peak_memory_gib"]),
        "device": _gpu() or _shared.processor(),
        "versions": _shared.versions("TensorFlow", "Keras"),
    }


def _by_the_book(teacher, student):
    import keras

    from tfminilm.teachers.expose import expose

    class ByTheBook(keras.Model):
        def __init__(self):
            super().__init__()
            last = {"attention_scores": [-1], "values": [-1]}
            self.teacher, self.student = (
                expose(model, last) for model in (teacher, student)
            )
            self.teacher.trainable = False

        def call(self, inputs, training=None):
            return self.student(inputs, training=training)

        def compute_loss(self, x, y, y_pred, *args, **kwargs):
            there = _named(self.teacher(x, training=False))
            pairs = {
                name: (there[name], learnt)
                for name, learnt in _named(y_pred).items()
            }
            return _shared.minilm_by_the_book(pairs, x["padding_mask"])

    return ByTheBook()


def _named(outputs):
    """Drop the layer's number: "values/11" becomes "values"."""
    return {name.split("/")[0]: tensor for name, tensor in outputs.items()}


def _seconds(model, batch, options):
    """Return the median of the rounds, of a step."""
    import tensorflow as tf

    data = tf.data.Dataset.from_tensors(batch).repeat(options.steps)
    run = functools.partial(_shared.fit, model, data)
    times = [_shared.seconds(run) for _ in range(options.rounds + 1)]
    return statistics.median(times[1:]) / options.steps  # The first compiles.


def _gpu():
    import tensorflow as tf

    for device in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        return details.get("device_name", device.name)
    return None


def _cells(found, shape, options):
    size, length = _numbers(shape)
    rate = found["operations"] / found["seconds"] / 1e12
    peak = options.peak_tflops
    return (
        f"{1e3 * found['seconds']:,.1f}",
        f"{size * length / found['seconds']:,.0f}",
        f"{rate / peak:.0%}" if peak else "",
        f"{found['alone'] / found['seconds']:.0%}",
        f"{found['peak']:.1f}",
    )


def _numbers(text):
    first, second = text.split("x")
    return int(first), int(second)


def _options():
    parser = _shared.Parser(__doc__)
    rows = ("tfminilm", "by the book")
    parser.add_argument("--teacher", default="12x768", help="layers x width")
    parser.add_argument("--student", default="6x384", help="layers x width")
    parser.add_argument(
        "--shapes",
        nargs="+",
        default=["256x128", "64x512"],
        help="batch x length",
    )
    parser.add_flags(dtype="mixed_bfloat16")
    parser.add_argument("--peak_tflops", type=float, help="of the GPU")
    parser.add_argument("--rows", nargs="+", default=rows, choices=rows)
    parser.add_flags(rounds=5, steps=20)
    parser.add_argument("--row", choices=rows, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()

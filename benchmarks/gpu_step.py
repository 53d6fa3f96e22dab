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
import json
import statistics
import subprocess
import sys
import time
import warnings

HEADS = 12


def main() -> None:
    """Measures every row in a process of its own and prints the table."""
    options = _options()
    if options.row:
        print(json.dumps(measure(options)))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD, caption_justify="left")
    shown.add_column("")
    titles = ("batch", "step ms", "tokens/s", "of the peak", "of the rate")
    for title in (*titles, "peak GiB"):
        shown.add_column(title, justify="right")
    for shape in options.shapes:
        for row in options.rows:
            found = _in_a_process(row, shape)
            shown.add_row(row, shape, *_cells(found, shape, options))
    shown.caption = (
        f"BERT {options.teacher} to {options.student}, {options.dtype}; "
        f"medians of {options.rounds} rounds of {options.steps} steps; the "
        "rate is that of the step's own products by themselves; "
        f"{found['device']}, TensorFlow {found['tensorflow']}, Keras "
        f"{found['keras']}"
    )
    Console(width=100).print(shown)


def measure(options):
    """Seconds of a step, of its products alone, and peak memory."""
    import keras

    import tfminilm
    from tfminilm.report.machine import machine
    from tfminilm.train import matmul
    from tfminilm.train.memory import peak_memory

    keras.config.set_dtype_policy(options.dtype)
    teacher, student = (
        tfminilm.students.bert(layers, width, HEADS)
        for layers, width in map(_numbers, (options.teacher, options.student))
    )
    ours = tfminilm.Distiller(teacher, student, tfminilm.methods.MiniLM())
    batch = _batch(*_numbers(options.shapes[0]))
    found = matmul.step_matmuls(ours, batch)
    is_ours = options.row == "tfminilm"
    model = ours if is_ours else _by_the_book(teacher, student)
    model.compile(keras.optimizers.AdamW(5e-4))
    seconds = _seconds(model, batch, options)
    memory = peak_memory()
    known = machine()
    return {
        "seconds": seconds,
        "alone": matmul.seconds(found),
        "operations": sum(n * one.operations for one, n in found.items()),
        "peak": memory.get("device_peak_memory_gib", memory["peak_memory_gib"]),
        "device": _gpu() or f"{known['cpu']}, {known['cores']} cores",
        "tensorflow": known["tensorflow"],
        "keras": known["keras"],
    }


def _by_the_book(teacher, student):
    import keras
    import tensorflow as tf

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
            bias = tf.where(x["padding_mask"][:, None, None, :] > 0, 0.0, -1e9)
            loss = 0.0
            for name, learnt in _named(y_pred).items():
                pair = [
                    tf.cast(one, tf.float32) for one in (there[name], learnt)
                ]
                if name == "values":
                    pair = [_relation(one) for one in pair]
                target, learnt = (tf.nn.log_softmax(one + bias) for one in pair)
                rows = tf.reduce_sum(tf.exp(target) * (target - learnt), -1)
                loss += tf.reduce_mean(rows)
            return loss

    return ByTheBook()


def _named(outputs):
    """Without the layer's number: "values/11" is "values"."""
    return {name.split("/")[0]: tensor for name, tensor in outputs.items()}


def _relation(vectors):
    import tensorflow as tf

    scale = vectors.shape[-1] ** -0.5
    return tf.matmul(vectors * scale, vectors, transpose_b=True)


def _seconds(model, batch, options):
    """Of a step, the median of the rounds."""
    import tensorflow as tf

    data = tf.data.Dataset.from_tensors(batch).repeat(options.steps)
    times = []
    with warnings.catch_warnings():
        # Keras' own: the pooler gets no gradient.
        warnings.simplefilter("ignore", UserWarning)
        for _ in range(options.rounds + 1):
            start = time.perf_counter()
            model.fit(data, verbose=0, shuffle=False)
            times.append(time.perf_counter() - start)
    return statistics.median(times[1:]) / options.steps  # The first compiles.


def _batch(size, length):
    import numpy as np

    rng = np.random.default_rng(0)
    shape = (size, length)
    return {
        "token_ids": rng.integers(1000, 30000, shape).astype("int32"),
        "segment_ids": np.zeros(shape, "int32"),
        "padding_mask": np.ones(shape, "int32"),
    }


def _gpu():
    import tensorflow as tf

    for device in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        return details.get("device_name", device.name)
    return None


def _in_a_process(row, shape):
    # The last of a flag's values counts.
    own = [f"--row={row}", "--shapes", shape]
    done = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], *own],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    rows = ("tfminilm", "by the book")
    parser.add_argument("--teacher", default="12x768", help="layers x width")
    parser.add_argument("--student", default="6x384", help="layers x width")
    parser.add_argument(
        "--shapes",
        nargs="+",
        default=["256x128", "64x512"],
        help="batch x length",
    )
    parser.add_argument("--dtype", default="mixed_bfloat16")
    parser.add_argument("--peak_tflops", type=float, help="of the GPU")
    parser.add_argument("--rows", nargs="+", default=rows, choices=rows)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--row", choices=rows, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()

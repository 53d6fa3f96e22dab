"""Peak memory of MiniLM's losses and their gradient, in score tensors.

    python benchmarks/relation_memory.py

A score tensor is [batch, heads, length, length] in float32. The teacher's and
the student's scores and values are there before: they are the encoders' own.
What is counted comes on top of them. Each row is a process of its own, since
a process never gives its peak back.
"""

import argparse
import json

import _shared

HEAD_DIM = 32
TERMS = {
    "attention transfer": ("scores",),
    "value relation": ("values",),
    "both": ("values", "scores"),
    "both, by the book": ("values", "scores"),
}


def main() -> None:
    """Measure every row in a process of its own and print the table."""
    options = _options()
    if options.row:
        print(json.dumps(measure(options.row, options)))
        return
    titles = ("above the encoders' own", "MB", "ms")
    shown = _shared.table(["loss and gradient"], titles)
    for row in TERMS:
        found = _shared.in_a_process(__file__, f"--row={row}")
        shown.add_row(
            row,
            f"{found['tensors']:.2f} score tensors",
            f"{found['bytes'] / 1e6:,.0f}",
            f"{found['ms']:,.0f}",
        )
    shown.caption = (
        f"batch {options.batch}, {options.heads} heads, length "
        f"{options.length}, head size {HEAD_DIM}, float32, in a tf.function; "
        f"{_shared.processor()}, {_shared.versions('TensorFlow')}. By the "
        "book: log_softmax of all four and automatic differentiation"
    )
    _shared.show(shown, 100)


def measure(row, options):
    """Return peak bytes above the inputs, and milliseconds of a second run."""
    import resource
    import time

    import tensorflow as tf

    scores = (options.batch, options.heads, options.length, options.length)
    values = (*scores[:3], HEAD_DIM)
    shapes = {"scores": scores, "values": values}
    run = tf.function(_by_the_book if "book" in row else _loss_and_gradient)
    # Code and libraries are loaded, and the graph is traced, before.
    small = {
        kind: [tf.zeros((1, 1, 8, 8)) for _ in range(2)] for kind in TERMS[row]
    }
    run(small, tf.ones((1, 8), tf.int32))
    before = _resident()
    tensors = {
        kind: [tf.random.uniform(shapes[kind], seed=i) for i in range(2)]
        for kind in TERMS[row]
    }
    mask = tf.ones((options.batch, options.length), tf.int32)
    for pair in tensors.values():
        before += sum(4 * int(tf.size(tensor)) for tensor in pair)
    run(tensors, mask)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    start = time.perf_counter()
    run(tensors, mask)
    seconds = time.perf_counter() - start
    size = 4 * scores[0] * scores[1] * scores[2] * scores[3]
    return {
        "tensors": (peak - before) / size,
        "bytes": peak - before,
        "ms": 1e3 * seconds,
    }


def _loss_and_gradient(tensors, mask):
    import tensorflow as tf

    from tfminilm import losses
    from tfminilm.layers import fused

    terms = {
        "scores": losses.attention_transfer,
        "values": losses.value_relation,
    }
    students = [student for _, student in tensors.values()]
    with tf.GradientTape() as tape:
        tape.watch(students)
        loss = tf.zeros(())
        for kind, (teacher, student) in tensors.items():
            with fused.after(loss):  # As Distiller has them.
                loss += terms[kind](teacher, student, mask)
    return loss, tape.gradient(loss, students)


def _by_the_book(tensors, mask):
    import tensorflow as tf

    students = [student for _, student in tensors.values()]
    with tf.GradientTape() as tape:
        tape.watch(students)
        loss = _shared.minilm_by_the_book(tensors, mask)
    return loss, tape.gradient(loss, students)


def _resident():
    """Return bytes of memory this process holds now."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS in /proc/self/status: Linux is needed")


def _options():
    parser = _shared.Parser(__doc__.splitlines()[0])
    parser.add_flags(batch=32, heads=12, length=512)
    parser.add_argument("--row", choices=TERMS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()

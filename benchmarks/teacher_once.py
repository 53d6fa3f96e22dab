"""Three epochs of soft targets: a teacher that runs, and one that ran before.

    python benchmarks/teacher_once.py

A random BERT-base (12x768) teaches a 3x384 student two classes on made-up
texts. Epochs alternate between the two ways, so that both see the same
machine; tracing is not counted. What the outputs cost is timed too: the way
through `tfminilm teach` is one pass and then epochs without the teacher.
"""

import statistics

import _shared
import keras
import numpy as np

from tfminilm import Distiller, methods, students
from tfminilm.tasks.batches import Batches
from tfminilm.tasks.encoded import Encoded, Outputs
from tfminilm.tasks.head_models import text_classifier
from tfminilm.teachers.recorded import recorded
from tfminilm.train.outputs.teach import runner
from tfminilm.train.outputs.teacher import outputs_of
from tfminilm.train.precision import resolve_precision

VOCABULARY = 30_522


def main() -> None:
    """Measure in turns and print the table."""
    parser = _shared.Parser(__doc__)
    parser.add_flags(
        texts=128, batch=32, length=64, epochs=3, rounds=2, dtype="auto"
    )
    parser.add_clock()
    options = parser.parse_args()
    clock = _shared.CLOCKS[options.clock]
    dtype = resolve_precision(options.dtype)
    keras.utils.set_random_seed(0)
    teacher, student = (
        text_classifier(
            students.bert(
                layers,
                width,
                num_heads=12,
                vocabulary_size=VOCABULARY,
                dtype=dtype,
            ),
            2,
            0.1,
        )
        for layers, width in ((12, 768), (3, 384))
    )
    texts = _texts(options.texts, options.length)
    outputs = outputs_of(methods.SoftTargets(alpha=1.0), teacher, student)
    rows = np.arange(len(texts))
    run = runner(teacher, outputs, texts, options.batch)
    run(rows[: options.batch], lambda tokens: None)  # Traces it.
    start = clock()
    values = run(rows, lambda tokens: None)
    teaching = clock() - start
    kept = texts.with_outputs(Outputs(values, rows))
    ways = {
        "teacher runs": _trainer(teacher, student, texts, options),
        "outputs read": _trainer(
            recorded({"logits": (2,)}), student, kept, options
        ),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way, epoch in ways.items():
            seconds[way].append(epoch())
    _print(options, dtype, teaching, seconds)


def _texts(count: int, length: int) -> Encoded:
    """Return random texts, all of one length."""
    random = np.random.default_rng(0)
    ids = random.integers(1_000, VOCABULARY, count * length, dtype=np.int32)
    return Encoded(
        ids, np.zeros(len(ids), np.int8), np.arange(count + 1) * length, {}, 0
    )


def _trainer(teacher, student, texts, options):
    """Return what trains for an epoch, traced, and gives its seconds."""
    clock = _shared.CLOCKS[options.clock]
    method = methods.SoftTargets(alpha=1.0)
    distiller = Distiller(teacher, student, method)
    distiller.compile(keras.optimizers.AdamW(1e-5))
    data = Batches(texts, options.batch, seed=0)
    distiller.fit(data.dataset(0, 2), shuffle=False, verbose=0)

    def epoch() -> float:
        start = clock()
        distiller.fit(data.dataset(0, len(data)), shuffle=False, verbose=0)
        return clock() - start

    return epoch


def _print(options, dtype, teaching, seconds) -> None:
    table = _shared.table(
        ["way"],
        [
            "first pass s",
            "epoch s (least to most)",
            f"{options.epochs} epochs s",
        ],
        title=f"{_shared.processor()}, {dtype}: {options.clock} time, "
        f"{options.texts} texts of "
        f"{options.length} tokens, BERT-base to 3x384, batches of "
        f"{options.batch}",
    )
    totals = {}
    for way, values in seconds.items():
        first = teaching if way == "outputs read" else 0.0
        middle = statistics.median(values)
        totals[way] = first + options.epochs * middle
        table.add_row(
            way,
            f"{first:.1f}",
            f"{middle:.1f} ({min(values):.1f} to {max(values):.1f})",
            f"{totals[way]:.1f}",
        )
    _shared.show(table, 90)
    live, kept = totals.values()
    epochs = [statistics.median(values) for values in seconds.values()]
    print(
        f"{options.epochs} epochs: {live / kept:.2f}x; an epoch after the "
        f"first pass: {epochs[0] / epochs[1]:.2f}x"
    )


if __name__ == "__main__":
    main()

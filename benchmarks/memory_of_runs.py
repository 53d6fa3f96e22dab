"""What memory a long run, and many fits in one process, keep.

    python benchmarks/memory_of_runs.py --steps=2000 --fits=30

First one `distill` of small models, with its checkpoints and curves, whose
resident memory is read each fourth of a second. Then as many times a new
`Distiller` that is fit for 20 steps and let go, as in a notebook. Printed are
MB after each tenth. Memory that is kept for each step or fit shows as growth
in the second half; what grows in the first tenths are caches and the compiled
steps. Linux only.
"""

import argparse
import gc
import os
import pathlib
import tempfile
import threading
import time

import _shared
import keras

import tfminilm
from tfminilm import data
from tfminilm.teachers import load_backbone, load_tokenizer
from tfminilm.train import recipe
from tfminilm.train.distill import distill

_TENTHS = 10


def main() -> None:
    """Make the run and the fits, and print a row of each."""
    options = _options()
    if options.steps:
        _print(f"{options.steps:,} steps", _run(options.steps))
    if options.fits:
        _print(f"{options.fits} fits", _fits(options.fits))


def _print(name: str, read: list[float]) -> None:
    shares = [f"{number}0 %" for number in range(1, _TENTHS + 1)]
    title = "MB of resident memory after"
    table = _shared.table([""], shares, title=title)
    last = [len(read) * n // _TENTHS - 1 for n in range(1, _TENTHS + 1)]
    table.add_row(name, *(f"{read[max(0, place)]:,.0f}" for place in last))
    _shared.show(table, 110)


def _run(steps: int) -> list[float]:
    """Return readings of memory while one run goes on, from its first step."""
    read: list[float] = []
    ends = threading.Event()
    spec = recipe.Recipe(
        name="memory",
        teacher="tiny:bert",
        student=recipe.StudentSpec(
            num_layers=2, hidden_dim=48, intermediate_dim=96
        ),
        data=recipe.DataSpec(source="docs", sequence_length=64),
        train=recipe.TrainSpec(
            steps=steps,
            batch_size=8,
            warmup_steps=10,
            checkpoint_every=max(1, steps // 20),
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        rows = pathlib.Path(folder, "run", "metrics.jsonl")

        def watch() -> None:
            while not ends.wait(0.25):
                if rows.exists() and rows.stat().st_size:
                    read.append(_megabytes())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            distill(spec, pathlib.Path(folder, "run"))
        finally:
            ends.set()
            thread.join()
    return read


def _fits(count: int) -> list[float]:
    """Return memory after each fit."""
    teacher, tokenizer = load_backbone("tiny:bert"), load_tokenizer("tiny:bert")
    text = data.text_data(
        "docs", tokenizer, 64, held_out_fraction=0.1, max_tokens=200_000
    )
    read = []
    for number in range(count):
        student = tfminilm.students.bert(
            num_layers=2,
            hidden_dim=48,
            num_heads=12,
            vocabulary_size=tokenizer.vocabulary_size(),
        )
        method = tfminilm.methods.MiniLM()
        distiller = tfminilm.Distiller(teacher, student, method)
        distiller.compile(optimizer=keras.optimizers.AdamW(5e-4))
        batches = data.dataset(
            text.train, batch_size=8, seed=number, first_step=0, num_steps=20
        )
        distiller.fit(batches, verbose=0)
        del student, distiller, batches
        gc.collect()
        read.append(_megabytes())
    return read


def _megabytes() -> float:
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _options() -> argparse.Namespace:
    parser = _shared.Parser((__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=2_000, help="0: no run")
    parser.add_argument("--fits", type=int, default=30, help="0: none")
    return parser.parse_args()


if __name__ == "__main__":
    start = time.monotonic()
    main()
    print(f"{time.monotonic() - start:.0f} s")

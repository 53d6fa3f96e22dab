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

import functools
import pathlib
import statistics
import tempfile

import _shared

from tfminilm.train.checkpoint import Checkpoints

WITHOUT, BESIDE, WAITING = "none", "beside the steps", "steps wait for it"


def main() -> None:
    """Measure in turns and print the table."""
    options = _options()
    clock = _shared.CLOCKS[options.clock]
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        Checkpoints(pathlib.Path(folder)) as checkpoints,
    ):
        run = _runner(checkpoints, options)
        measures = {
            name: functools.partial(
                _shared.seconds, functools.partial(run, name), clock
            )
            for name in (WITHOUT, BESIDE, WAITING)
        }
        seconds = _shared.in_turns(measures, options.rounds)
        newest = checkpoints.newest()
        size = sum(path.stat().st_size for path in newest.iterdir())
    _shared.show(_table(seconds, size, options), 100)


def _runner(checkpoints, options):
    import tensorflow as tf

    distiller = _shared.distiller(options.dtype, dropout=0.0)
    batch = _shared.random_batch(options.batch, options.length)
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
    titles = ("ms a step", "seconds more", f"every {options.every} steps")
    shown = _shared.table(["checkpoint"], titles)
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
    shown.caption = (
        f"{size / 1e6:.0f} MB, batch {options.batch} x {options.length}, "
        f"{options.dtype}; medians of {options.rounds} rounds of "
        f"{options.steps} steps in turns, by the {options.clock} clock; "
        f"{_shared.processor()}, {_shared.versions('TensorFlow', 'Keras')}"
    )
    return shown


def _options():
    parser = _shared.Parser(__doc__.splitlines()[0])
    parser.add_flags(batch=32, length=128, dtype="mixed_bfloat16")
    parser.add_flags(rounds=7, steps=10)
    parser.add_clock()
    parser.add_flags(every=100)
    parser.add_argument("--folder", help="where to write, a temporary folder")
    return parser.parse_args()


if __name__ == "__main__":
    main()

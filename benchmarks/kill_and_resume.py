"""Runs that are killed at random moments, against one that was not.

    python benchmarks/kill_and_resume.py --count=50

A small real run, of two stages with gradient accumulation, is made once
without disturbance. Then it is made again and again in other folders, each
time killed with SIGKILL at random moments and started again until it ends.
Of the moments a fourth are counted from the start, the others from the first
step, and a third come while a checkpoint is being written. Weights, optimizer,
random state and metrics have to be the same bit for bit. Exits with 1 if any
are not.
"""

import collections
import json
import os
import pathlib
import random
import signal
import statistics
import sys
import tempfile
import time
import traceback

import _shared
import h5py
import numpy as np
import safetensors.numpy

STAGES = ("first", "second")
WRITING = "writing a checkpoint"
# What the machine and its clock decide.
CLOCKED = ("split", "seconds", "tokens_per_second", "peak_memory_gib")


def main() -> int:
    """Make the runs and print the table."""
    options = _options()
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        _write_text(folder / "text")
        run = _Runner(folder)
        start = time.monotonic()
        first_step = run.whole(folder / "whole")
        end = time.monotonic()
        wanted = _results(folder / "whole")
        times = first_step - start, end - first_step
        rows = _killed_runs(run, folder, wanted, times, options)
    _shared.show(_table(rows, end - start, options), 100)
    kills = sum(len(moments) for moments, _ in rows)
    equal = sum(differs == "" for _, differs in rows)
    writing = sum(moments.count(WRITING) for moments, _ in rows)
    print(
        f"{kills} kills, {writing} of them while writing a checkpoint, in "
        f"{len(rows)} runs: {equal} ended bit for bit as the one without"
    )
    return int(equal < len(rows))


def _killed_runs(run, folder, wanted, times, options):
    """Return where each kill came and what differed in the end, by run."""
    dice = random.Random(options.seed)
    rows, kills = [], 0
    while kills < options.count:
        workdir = folder / f"run-{len(rows)}"
        moments = []
        while True:
            number = kills + len(moments)
            loading = number % 4 == 1
            # Half of the time: what is left to do gets less.
            moment = dice.uniform(0, times[not loading] / 2)
            if number >= options.count:
                moment = None
            found = run.killed(workdir, moment, loading, number % 3 == 2)
            if found is None:
                break
            moments.append(found)
        rows.append((moments, _difference(_results(workdir), wanted)))
        kills += len(moments)
        print(
            f"run {len(rows)}: killed {', '.join(moments) or 'never'}: "
            + (rows[-1][1] or "equal"),
            file=sys.stderr,
        )
    return rows


class _Runner:
    """Starts runs in processes forked from one that has imported Keras.

    Nothing is computed before the fork: TensorFlow's threads would be missing
    in the child.
    """

    def __init__(self, folder):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from tfminilm import quiet

        quiet.import_tensorflow()
        import keras_hub  # noqa: F401

        from tfminilm.train import distill

        self._distill = distill.distill
        self._recipe = _recipe(folder / "text")

    def whole(self, workdir):
        """Make a run without a kill; when its first step was done."""
        child = self._start(workdir)
        first_step = None
        while not os.waitpid(child, os.WNOHANG)[0]:
            if first_step is None and _num_rows(workdir):
                first_step = time.monotonic()
            time.sleep(0.005)
        if not (workdir / STAGES[-1] / "student").exists():
            sys.exit(f"the run without a kill failed: {_log(workdir)}")
        return first_step

    def killed(self, workdir, moment, loading, at_write):
        """Return where the kill came; None if the run ended before.

        Args:
            workdir: the run's.
            moment: seconds after the start, or None for no kill.
            loading: whether that is the process's, or the first step's.
            at_write: whether to wait from then on for a checkpoint's folder.
        """
        least = _num_rows(workdir)
        child = self._start(workdir)
        start = time.monotonic() if loading else None
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                if status:
                    sys.exit(f"a run failed: {_log(workdir)}")
                return None
            now = time.monotonic()
            # A resumed run first drops the rows of steps it does again.
            least = min(least, rows := _num_rows(workdir))
            if start is None and rows > least:
                start = now
            is_time = None not in (moment, start) and now >= start + moment
            if is_time and (not at_write or _is_writing(workdir)):
                break
            time.sleep(0.0002 if is_time else 0.005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return _where(workdir)

    def _start(self, workdir):
        child = os.fork()
        if child:
            return child
        status = 1
        try:
            with open(f"{workdir}.log", "a") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            self._distill(self._recipe, workdir)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)


def _recipe(text):
    from tfminilm import methods, teachers
    from tfminilm.train import recipe

    student = recipe.StudentSpec(
        num_layers=1,
        hidden_dim=48,
        num_heads=12,
        intermediate_dim=96,
        max_sequence_length=32,
        dropout=0.1,
    )
    train = recipe.TrainSpec(
        steps=60,
        batch_size=8,
        gradient_accumulation=2,
        warmup_steps=3,
        learning_rate=1e-3,
        precision="float32",
        log_every=1,
        evaluate_every=25,
        checkpoint_every=3,
        held_out_sequences=8,
    )
    data = recipe.DataSpec(
        source=str(text), sequence_length=16, held_out_fraction=0.2
    )
    common = {
        "teacher": f"{teachers.TINY}bert",
        "method": methods.MiniLM(),
        "data": data,
        "train": train,
    }
    first = recipe.Stage(student=student, **common)
    student = recipe.StudentSpec(
        **vars(student) | {"init": "uniform", "init_from": STAGES[0]}
    )
    second = recipe.Stage(student=student, **common)
    stages = dict(zip(STAGES, (first, second), strict=True))
    return recipe.Recipe(name="killed", stages=stages)


def _write_text(folder):
    dice = random.Random(0)
    words = "the small student reads what its teacher wrote and learns".split()
    folder.mkdir()
    paragraphs = [
        " ".join(dice.choices(words, k=dice.randint(6, 20))).capitalize() + "."
        for _ in range(400)
    ]
    (folder / "text.txt").write_text("\n\n".join(paragraphs))


def _num_rows(workdir):
    """Return how many steps left a row, counting those that were done again."""
    rows = (workdir / stage / "metrics.jsonl" for stage in STAGES)
    return sum(x.read_text().count('"train"') for x in rows if x.exists())


def _is_writing(workdir):
    return any(any(workdir.glob(f"{s}/checkpoints/.tmp-*")) for s in STAGES)


def _where(workdir):
    """Return what a run was at when it was killed, by what it left."""
    if _is_writing(workdir):
        return WRITING
    for stage in reversed(STAGES):
        path = workdir / stage / "events.jsonl"
        if path.exists() and not (workdir / stage / "student").exists():
            last = json.loads(path.read_text().splitlines()[-1])
            return f"{stage} stage after step {last['step']}"
    return "between stages" if workdir.exists() else "loading"


def _results(workdir):
    """Return what must be the same: arrays by name, and rows of metrics."""
    found = {}
    for stage in STAGES:
        folder = workdir / stage
        newest = max((folder / "checkpoints").glob("step-*"))
        arrays = {
            **_weights(folder / "student" / "model.weights.h5"),
            **safetensors.numpy.load_file(newest / "state.safetensors"),
        }
        for line in (folder / "metrics.jsonl").read_text().splitlines():
            row = json.loads(line)
            losses = [row[key] for key in sorted(row) if key not in CLOCKED]
            arrays[f"row {row['step']} {row['split']}"] = losses
        found |= {f"{stage}: {name}": x for name, x in arrays.items()}
    return found


def _weights(path):
    found = {}

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(add)
    return found


def _difference(found, wanted):
    """Return the first thing that differs; empty if nothing does."""
    if found.keys() != wanted.keys():
        return f"{min(found.keys() ^ wanted.keys())} is in one alone"
    return next(
        (
            f"{name} differs"
            for name in sorted(wanted)
            if not np.array_equal(found[name], wanted[name])
        ),
        "",
    )


def _log(workdir):
    return pathlib.Path(f"{workdir}.log").read_text()[-2000:]


def _table(rows, seconds, options):
    shown = _shared.table(["killed"], ("times", "in runs", "of them equal"))
    times, runs, equal = (collections.Counter() for _ in range(3))
    for moments, differs in rows:
        kinds = [moment.split(" after")[0] for moment in moments]
        times.update(kinds)
        runs.update(set(kinds))
        equal.update(set(kinds) if not differs else ())
    for kind in sorted(times):
        shown.add_row(kind, *(str(c[kind]) for c in (times, runs, equal)))
    each = statistics.mean(len(moments) for moments, _ in rows)
    shown.caption = (
        f"two stages of 60 steps of two parts, a checkpoint every 3 steps; "
        f"{seconds:.1f} s without a kill, {each:.1f} kills a run, seed "
        f"{options.seed}"
    )
    return shown


def _options():
    parser = _shared.Parser(__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50, help="of kills")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

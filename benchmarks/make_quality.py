"""What `tfminilm make` makes of a file, judged on another, over several seeds.

    python benchmarks/make_quality.py --data=train.csv --test=csv:test.csv \\
        --text=question --label=fine --seeds=1,2,3 --output=runs/trec

Runs `tfminilm make` for each seed, one after another, and scores teacher,
student, the student of labels alone and the bundle on the test file. Further
flags are those of `make`. Intervals are of bootstrap samples: "examples" draws
test examples anew, the same ones for all models and seeds, and "seeds" draws
seeds as well. Started again it goes on: a seed that is scored is not run again.
`--output`/quality.json holds all of it after each seed.
"""

import json
import pathlib
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import _shared
import numpy as np

DRAWS = 2000
MODELS = {
    "teacher": "teacher",
    "student": ".",
    "labels alone": "alone",
    "bundle": "bundle",
}
PAIRS = (("student", "labels alone"), ("student", "teacher"))


def main() -> None:
    """Make, score, and write the results."""
    parser = _shared.Parser(__doc__)
    parser.add_flags(
        data="", test="", text="text", label="label", seeds="1,2,3", output=""
    )
    options, more = parser.parse_known_args()
    output = pathlib.Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    scored = {}
    for seed in _shared.numbers(options.seeds):
        path = output / f"seed-{seed}.json"
        if not path.is_file():
            run = output / f"seed-{seed}"
            seconds = _make(options, more, seed, run)
            _write(path, {"seconds": seconds} | _score(options, run))
        scored[seed] = json.loads(path.read_text())
        result = _pooled(scored) | {
            "command": shlex.join(sys.argv),
            "machine": _machine(),
        }
        _write(output / "quality.json", result)
        print(json.dumps(result["summary"], indent=1), flush=True)


def _make(options: Any, more: Sequence[str], seed: int, run: Any) -> float:
    """Run the command, and return its seconds; of a stopped one those left."""
    start = time.perf_counter()
    code = "import sys; from tfminilm.commands import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "make", *more]
    for name in ("data", "text", "label"):
        command.append(f"--{name}={getattr(options, name)}")
    command += [f"--seed={seed}", f"--output={run}"]
    subprocess.run(command, check=True)
    return time.perf_counter() - start


def _score(options: Any, run: pathlib.Path) -> dict[str, Any]:
    """Return each model's scores, of all test examples and of samples."""
    from tfminilm.inference.load import load
    from tfminilm.tasks.examples import read

    models = {name: load(run / folder) for name, folder in MODELS.items()}
    task = _task(options, models["teacher"].labels)
    examples = read(task, "all")
    # Alike for all seeds, so that these can be pooled.
    samples = np.random.default_rng(0).integers(
        0, len(examples), (DRAWS, len(examples))
    )
    everything = np.arange(len(examples))
    found: dict[str, Any] = {"metrics": list(task.metrics), "scores": {}}
    for name, model in models.items():
        score = model.answers(task, examples).score
        found["scores"][name] = {
            "whole": list(score(everything)),
            "samples": [list(score(rows)) for rows in samples],
        }
    return found | {"examples": len(examples)}


def _task(options: Any, labels: Sequence[str]) -> Any:
    from tfminilm.tasks.readers.csv_file import csv_task
    from tfminilm.tasks.readers.tagged import READERS, tagged_task

    form, _, file = options.test.partition(":")
    if form in READERS:
        columns = (options.text, options.label)
        return tagged_task(options.test, columns, labels=labels)
    return csv_task(file, options.text.split(","), options.label, labels=labels)


def _pooled(scored: dict[int, Any]) -> dict[str, Any]:
    """Return the mean over the seeds, in points, with intervals."""
    seeds = list(scored.values())
    whole, samples = (
        {
            name: 100 * np.array([one["scores"][name][part] for one in seeds])
            for name in MODELS
        }
        for part in ("whole", "samples")
    )
    summary: dict[str, Any] = {"seeds": list(scored)}
    for at, metric in enumerate(seeds[0]["metrics"]):
        rows: dict[str, Any] = {
            name: {
                "each": whole[name][:, at].round(2).tolist(),
                "mean": round(float(whole[name][:, at].mean()), 2),
            }
            for name in MODELS
        }
        for one, other in PAIRS:
            gap = whole[one][:, at].mean() - whole[other][:, at].mean()
            gaps = samples[one][:, :, at] - samples[other][:, :, at]
            rows[f"{one} less {other}"] = {
                "mean": round(float(gap), 2),
                "examples": _interval(gaps.mean(axis=0)),
                "seeds": _interval(_redrawn(gaps)),
            }
        share = whole["student"][:, at].mean() / whole["teacher"][:, at].mean()
        rows["kept"] = round(100 * float(share), 1)
        summary[metric] = rows
    summary["minutes"] = [round(one["seconds"] / 60, 1) for one in seeds]
    return {"summary": summary, "examples": seeds[0]["examples"]}


def _redrawn(gaps: np.ndarray) -> np.ndarray:
    """Return the means of seeds drawn anew; `gaps` is `[seeds, draws]`."""
    count, draws = gaps.shape
    random = np.random.default_rng(0)
    rows = random.integers(0, count, (draws, count))
    return np.take_along_axis(gaps.T, rows, axis=1).mean(axis=1)


def _interval(values: np.ndarray) -> list[float]:
    return np.percentile(values, [2.5, 97.5]).round(2).tolist()


def _machine() -> dict[str, Any]:
    from tfminilm.report.machine import machine

    return machine()


def _write(path: pathlib.Path, content: Any) -> None:
    from tfminilm import files

    files.write_json(path, content)


if __name__ == "__main__":
    main()

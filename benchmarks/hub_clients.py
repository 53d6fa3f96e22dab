"""Runs folders in the Hub's layout in the clients they are for, on many texts.

    python benchmarks/hub_clients.py --model=M --python=P --modules=N \\
        --texts=FILE [--count=500]

M is a classifier of single texts or an encoder, P the Python of an environment
that has transformers, sentence-transformers and optimum, N the `node_modules`
that has transformers.js: `make test-clients` makes `.venv-hub` and
`.node-clients/node_modules`. Prints, for each client and file, on how many
texts its label is Keras', or its embedding's cosine is above 0.9999, and the
largest difference of a probability, or of a number of an embedding; and then
the same beside what `tfminilm.load` says of that very file.
"""

import json
import os
import pathlib
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import _shared
import numpy as np

_WORKERS = pathlib.Path(__file__).parents[1] / "tests/clients"
FLOAT, INT8 = "model.onnx", "model_quantized.onnx"


class Job(NamedTuple):
    """What one client is asked to run: its kind, a folder, and a file."""

    kind: str
    folder: str
    file: str


def jobs_of(folder: str, is_classifier: bool) -> tuple[list[Job], list[Job]]:
    """Return the jobs of Python's clients, and those of transformers.js."""
    if is_classifier:
        python = [Job("auto", folder, "")]
        python += [Job("optimum", folder, x) for x in (FLOAT, INT8)]
    else:
        names = "model.safetensors", f"onnx/{FLOAT}", f"onnx/{INT8}"
        python = [Job("sentence", folder, x) for x in names]
    task = "text-classification" if is_classifier else "feature-extraction"
    return python, [Job(task, folder, x) for x in ("fp32", "q8")]


def ask(command: Sequence[Any], texts: Sequence[str], jobs: list[Job]) -> Any:
    """Return what a worker makes of texts, for each job.

    Args:
        command: an interpreter, the worker's file and its first arguments.
        texts: what it reads.
        jobs: as the worker takes them.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, content in (("texts", list(texts)), ("jobs", jobs)):
            files.append(pathlib.Path(folder, f"{name}.json"))
            files[-1].write_text(json.dumps(content))
        done = subprocess.run(
            [*command, *files],
            capture_output=True,
            text=True,
            # Of TensorFlow, which the environment sees, it needs nothing.
            env=os.environ | {"USE_TF": "0", "HF_HUB_OFFLINE": "1"},
        )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def python_command(python: str) -> list[Any]:
    """Return the command of Hugging Face's Python libraries."""
    return [python, _WORKERS / "hub_worker.py"]


def node_command(modules: str) -> list[Any]:
    """Return the command of transformers.js."""
    return ["node", _WORKERS / "transformers_js_worker.mjs", modules]


def compare(answers: Sequence[Any], wanted: Sequence[Any]) -> tuple[int, float]:
    """Compare a client's answers with ours.

    Args:
        answers: probabilities by label, or vectors.
        wanted: the same of `tfminilm.load`.

    Returns:
        How many have the same label, or a cosine above 0.9999; and the largest
        difference of a number.
    """
    if isinstance(wanted[0], dict):
        same = sum(
            max(a, key=a.get) == max(b, key=b.get)
            for a, b in zip(answers, wanted, strict=True)
        )
        rows = [[x[name] for name in wanted[0]] for x in answers]
        values = [list(x.values()) for x in wanted]
    else:
        rows, values = list(answers), list(wanted)
    got, expected = np.array(rows), np.array(values)
    if not isinstance(wanted[0], dict):
        # transformers.js scales them to length 1, whatever the folder says.
        got = got / np.linalg.norm(got, axis=1, keepdims=True)
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        same = int(((got * expected).sum(1) > 0.9999).sum())
    return same, float(np.abs(got - expected).max())


def whole_texts(model: Any, texts: Sequence[str]) -> list[str]:
    """Return the texts that a model of `tfminilm.load` reads whole."""
    rows = model.predict(list(texts))
    pairs = zip(texts, rows, strict=True)
    return [text for text, row in pairs if not row.is_truncated]


def answers_of(model: Any, texts: Sequence[str]) -> list[Any]:
    """Return a model's probabilities by label, or its vectors."""
    rows = model.predict(list(texts))
    if hasattr(rows[0], "scores"):
        return [dict(row.scores) for row in rows]
    return [row.embedding.tolist() for row in rows]


def same_files(jobs: Sequence[Job], texts: Sequence[str]) -> list[list[Any]]:
    """Return what `tfminilm.load` says of the file that each client runs."""
    import tfminilm

    answers = {}
    for job in jobs:
        if (file := file_of(job)) not in answers:
            answers[file] = answers_of(tfminilm.load(file), texts)
    return [answers[file_of(job)] for job in jobs]


def file_of(job: Job) -> str:
    """Return what `tfminilm.load` opens to run the file of a job."""
    name = {"fp32": FLOAT, "q8": INT8}.get(job.file, job.file)
    is_onnx = name.endswith(".onnx")
    where = pathlib.Path(name).name
    return f"{job.folder}/onnx/{where}" if is_onnx else job.folder


def main() -> None:
    """Export, ask each client, and print a table."""
    parser = _shared.Parser(__doc__)
    parser.add_flags(model="", python="", modules="", texts="", count=500)
    flags = parser.parse_args()
    import tfminilm
    from tfminilm import commands

    lines = pathlib.Path(flags.texts).read_text("utf-8").splitlines()
    texts = [line for line in lines if line.strip()][: flags.count]
    with tempfile.TemporaryDirectory() as top:
        folder = str(pathlib.Path(top, "st"))
        arguments = [f"--model={flags.model}", f"--output={folder}"]
        config = "--config=sentence_transformers"
        if commands.main(["export", config, *arguments]):
            raise SystemExit(1)
        model = tfminilm.load(flags.model)
        texts = whole_texts(model, texts)
        wanted = answers_of(model, texts)
        python, node = jobs_of(folder, isinstance(wanted[0], dict))
        results = ask(python_command(flags.python), texts, python)
        results += ask(node_command(flags.modules), texts, node)
        ours = same_files(python + node, texts)
    titles = "Keras", "difference", "same file", "difference"
    shown = _shared.table(["client", "file"], [*titles])
    for job, answers, own in zip(python + node, results, ours, strict=True):
        cells = []
        for others in (wanted, own):
            same, largest = compare(answers, others)
            cells += [f"{same} of {len(texts)}", f"{largest:.1e}"]
        shown.add_row(job.kind, job.file, *cells)
    _shared.show(shown, 100)


if __name__ == "__main__":
    main()

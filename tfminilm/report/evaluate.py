"""Measure the result of a run and write `evaluation.json`."""

import contextlib
import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfminilm import files
from tfminilm.config import is_stage_name
from tfminilm.errors import UserError
from tfminilm.report import describe, held_out, measures, quality
from tfminilm.report.machine import machine
from tfminilm.report.run_files import Run, is_number, read_run
from tfminilm.train.recipe import Recipe
from tfminilm.typing import Tokenizer

if TYPE_CHECKING:
    import keras

LENGTHS = (32, 128)
_INT8 = "dynamic_wi8_afp32"

Progress = Callable[[str], None]
# How often `evaluate_run` reports progress.
STEPS = 8


@dataclasses.dataclass(frozen=True)
class _Models:
    """Teacher and student of a run, and the layers that were compared."""

    teacher: Any
    student: Any
    tokenizer: Any
    teacher_tokenizer: Any
    teacher_layer: int
    student_layer: int

    @property
    def lengths(self) -> tuple[int, ...]:
        """The table's lengths, as far as both models have positions."""
        most = min(
            model.max_sequence_length for model in (self.teacher, self.student)
        )
        return tuple(n for n in LENGTHS if n <= most) or (most,)


def evaluate_run(
    workdir: str | os.PathLike, progress: Progress = lambda what: None
) -> dict[str, Any]:
    """Measure a finished run and write its `evaluation.json`.

    Teacher and student are converted to LiteRT, timed on one thread, all
    files in turn, and compared on the text that the run held out.

    Args:
        workdir: a workdir of `tfminilm distill`, with a trained student.
        progress: called with the name of the next step, `STEPS` times.

    Returns:
        The content of the file: `machine`, `rows` (teacher float32, student
        float32, student int8), `start` (the divergences before training) and
        `attention_example`.

    Raises:
        UserError: it is no workdir, its run is unfinished, or the teacher
            cannot be loaded.
    """
    run = read_run(workdir)
    recipe = Recipe.parse(run.recipe)
    sentences = held_out.read_sentences(run.workdir)
    progress("loading teacher and student")
    models = _load(run.workdir, recipe)
    with tempfile.TemporaryDirectory() as folder:
        rows = _costs(models, pathlib.Path(folder), progress)
        progress("writing the student as int8, for measuring")
        length = min(recipe.data.sequence_length, max(models.lengths))
        readers = _readers(models, pathlib.Path(folder), length)
        progress("comparing on held-out text")
        _add_quality(rows, readers, models, sentences, length)
        progress("done")
    evaluation = {
        "machine": machine(),
        "rows": rows,
        "start": _start(_first(run)),
        # Between tokens that both read.
        "attention_example": None
        if models.teacher_tokenizer
        else _example(readers, sentences, models.tokenizer),
    }
    files.write_json(run.workdir / "evaluation.json", evaluation)
    return evaluation


def is_current(workdir: str | os.PathLike) -> bool:
    """Return whether `evaluation.json` is at least as new as the student."""
    written = pathlib.Path(workdir, "evaluation.json")
    weights = pathlib.Path(workdir, "student").rglob("*")
    newest = max((path.stat().st_mtime for path in weights), default=0)
    return written.is_file() and written.stat().st_mtime >= newest


def _load(workdir: pathlib.Path, recipe: Recipe) -> _Models:
    from tfminilm.teachers import load_backbone, load_tokenizer
    from tfminilm.train.vocabularies import are_same

    source, tokenizer = _teacher(workdir, recipe), load_tokenizer(workdir)
    # A student of several stages may have trimmed the pieces of one of them.
    own = load_tokenizer(source) if recipe.student.tokenizer else None
    return _Models(
        teacher=load_backbone(source, dtype="float32"),
        student=load_backbone(workdir, dtype="float32"),
        tokenizer=tokenizer,
        teacher_tokenizer=None if own and are_same(own, tokenizer) else own,
        teacher_layer=getattr(recipe.method, "teacher_layer", -1),
        student_layer=getattr(recipe.method, "student_layer", -1),
    )


def _teacher(workdir: pathlib.Path, recipe: Recipe) -> str | pathlib.Path:
    """Return the recipe's teacher, which may be a folder beside the workdir."""
    folder = workdir.parent / recipe.teacher
    return folder if (folder / "recipe.json").is_file() else recipe.teacher


def _costs(
    models: _Models, folder: pathlib.Path, progress: Progress
) -> list[dict[str, Any]]:
    """Return the table's rows without the columns of quality."""
    lengths = models.lengths
    rows, paths = [], []
    for model, precision in (
        ("teacher", "float32"),
        ("student", "float32"),
        ("student", "int8"),
    ):
        progress(f"writing the {model} as {precision}")
        backbone = getattr(models, model)
        counts = describe.describe(backbone, lengths)
        path = folder / f"{model}_{precision}.tflite"
        size = _convert(backbone, precision, lengths, path)
        if precision == "int8" and not size:
            continue
        paths.append(path if size else None)
        rows.append(
            {
                "model": model,
                "precision": precision,
                "parameters": counts.parameters,
                "embedding_parameters": counts.embedding_parameters,
                "transformer_parameters": counts.transformer_parameters,
                "flops": counts.as_json()["flops"],
                "file_bytes": size,
            }
        )
    progress("timing all files in turn")
    for row, latency in zip(rows, _latencies(paths, lengths), strict=True):
        row["latency_ms"] = latency
    return rows


def _convert(
    backbone: "keras.Model",
    precision: str,
    lengths: Sequence[int],
    path: pathlib.Path,
) -> int | None:
    """Write a LiteRT file and return its size in bytes.

    For a family that cannot be exported, no file is written and `None` is
    returned, so that the run still gets its report.
    """
    from tfminilm.export.litert.convert import convert

    kind = _INT8 if precision == "int8" else precision
    try:
        content = convert(backbone, kind, lengths)
    except UserError:
        return None
    path.write_bytes(content)
    return len(content)


def _latencies(
    paths: Sequence[pathlib.Path | None], lengths: Sequence[int]
) -> list[dict[str, dict[str, float]] | None]:
    """Return median and 95th percentile by length, in ms, on one thread."""
    from tfminilm.export.litert import latency

    written = [path for path in paths if path]
    measured = {}
    if written:
        measured = latency.measure_latencies(written, lengths, num_threads=1)
    return [
        {
            str(length): {"median": times.median, "p95": times.p95}
            for length, times in measured[str(path)].items()
        }
        if path
        else None
        for path in paths
    ]


def _readers(
    models: _Models, folder: pathlib.Path, length: int
) -> list[quality.Reader]:
    """Return readers of teacher, student, and, if possible, int8 student."""
    from tfminilm.export.litert.convert import convert

    readers = [
        quality.keras_reader(models.teacher, models.teacher_layer),
        quality.keras_reader(models.student, models.student_layer),
    ]
    path = folder / "measuring.tflite"
    with contextlib.suppress(UserError):  # Not every family can be exported.
        content = convert(
            models.student, _INT8, (length,), quality.LITERT_OUTPUTS
        )
        path.write_bytes(content)
        readers.append(quality.litert_reader(path))
    return readers


def _add_quality(
    rows: list[dict[str, Any]],
    readers: Sequence[quality.Reader],
    models: _Models,
    sentences: Sequence[str],
    length: int,
) -> None:
    from tfminilm.teachers.embedding import embedding_of

    own, texts = models.teacher_tokenizer, []
    if own is None:
        texts = held_out.text_batches(sentences, models.tokenizer, length)
    qualities = quality.compare(
        readers[0],
        readers[1:],
        texts,
        held_out.sentence_batches(
            sentences, models.tokenizer, length, teacher_tokenizer=own
        ),
        pooling=embedding_of(models.student).pooling,
    )
    rows[0] |= {"attention_kl": None, "value_kl": None, "rank_correlation": 1.0}
    for row, values in zip(rows[1:], qualities, strict=True):
        row |= {
            name: value if is_number(value) else None
            for name, value in dataclasses.asdict(values).items()
        }
    top = models.student.num_layers - 1
    if (
        len(rows) > 2
        and models.student_layer % models.student.num_layers != top
    ):
        # The LiteRT file shows the last layer, but another one was trained.
        rows[-1] |= {"attention_kl": None, "value_kl": None}


def _first(run: Run) -> Run:
    """Return the stage in which this run's student began to learn."""
    visited = {run.workdir}
    while source := measures.lookup(run.recipe, "student", "init_from"):
        previous = run.workdir.parent / str(source)
        if not is_stage_name(str(source)) or previous in visited:
            break
        if not (previous / "recipe.json").is_file():
            break
        run = read_run(previous)
        visited.add(previous)
    return run


def _start(run: Run) -> dict[str, float | None]:
    """Return the divergences on held-out text before the first step."""
    first = run.held_out[0] if run.held_out else {}
    if first.get("step") != 0:
        first = {}
    values = {
        "attention_kl": first.get("attention_transfer"),
        "value_kl": first.get("value_relation"),
    }
    return {k: v if is_number(v) else None for k, v in values.items()}


def _example(
    readers: Sequence[quality.Reader],
    sentences: Sequence[str],
    tokenizer: Tokenizer,
) -> dict[str, Any]:
    """Return attention `[heads][query][key]` of teacher and student."""
    sentence, tokens, batch = held_out.example(sentences, tokenizer)
    teacher, student = (
        np.round(quality.attention_probs(read(batch))[0], 4).tolist()
        for read in readers[:2]
    )
    return {
        "sentence": sentence,
        "tokens": tokens,
        "teacher": teacher,
        "student": student,
    }

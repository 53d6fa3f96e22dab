"""`tfminilm evaluate`: score a fine-tuned model."""

import json
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from tfminilm import json_files, quiet
from tfminilm.commands import task_flags
from tfminilm.errors import UsageError, UserError

if TYPE_CHECKING:
    from tfminilm.report.collected import Collected
    from tfminilm.tasks.judgement import Evidence
    from tfminilm.tasks.task import Task

DESCRIPTION = "Scores a fine-tuned model on a task."


def define_flags(flags: flags.FlagValues) -> None:
    """Define the command's flags."""

    flags.DEFINE_string(
        "model",
        None,
        "What finetune wrote: its workdir, or the model in it, or RUN@STEP, "
        "one of its checkpoints; or a bundle "
        "that export made of it, which runs on the LiteRT interpreter. For a "
        "task such as stsb also a backbone: it is scored by the cosine of "
        "its embeddings.",
    )
    task_flags.define(flags)
    task_flags.define_labels(flags)
    flags.DEFINE_enum(
        "pooling",
        None,
        ["mean", "cls"],
        "Pooling of a backbone's embeddings; by default what its folder says, "
        "else mean.",
    )
    flags.DEFINE_list(
        "splits",
        None,
        "Such as validation or test; by default those that the task is scored "
        "on (ax: test). For splits without labels only predictions are "
        "written.",
    )
    flags.DEFINE_string(
        "output",
        None,
        "Folder of evaluation-TASK[-LANGUAGE].json, its page (.html) and "
        "predictions, or that .json file itself; by default "
        "the model's folder, or the current one if the model has none or is a "
        "bundle, to which nothing may be added.",
    )
    flags.DEFINE_string(
        "against",
        None,
        "A second model, such as the teacher or a bundle: its scores stand "
        "beside, with the difference, and where the two differ.",
    )


def run(flags: flags.FlagValues) -> None:
    """Score `--model`, and print and write the metrics.

    Raises:
        UsageError: a flag is missing.
        UserError: the model does not fit the task, or the data is broken.
    """
    if not flags.model:
        raise UsageError("evaluate: expected --model=, what finetune wrote")
    if not flags.task:
        raise UsageError("evaluate: expected --task=, such as sst2")
    output = pathlib.Path(flags.output or ".")
    if output.is_file() and output.suffix != ".json":
        raise UsageError(
            f"evaluate: --output={flags.output} is a file, expected a folder "
            "or a .json file"
        )
    quiet.import_tensorflow()
    from tfminilm.export.bundle import reader
    from tfminilm.teachers.load import is_hugging_face

    is_folder = pathlib.Path(flags.model).is_dir()
    is_export = reader.is_bundle(flags.model)
    # An export that holds more than was written is not replaced later.
    folder = flags.model if is_folder and not is_export else "."
    output = pathlib.Path(flags.output or folder)
    file = output if output.suffix == ".json" else None
    output = file.parent if file else output
    run = _bundle if is_export and not is_hugging_face(flags.model) else _keras
    task, runs, collected = run(output, flags)
    parts = ("evaluation", task.name.partition(":")[0], flags.language)
    file = file or output / ("-".join(filter(None, parts)) + ".json")
    _write(file, task, runs, collected.judge(), flags)


def _write(
    file: pathlib.Path,
    task: "Task",
    runs: dict[int, Any],
    evidence: dict[str, "Evidence"],
    flags: flags.FlagValues,
) -> None:
    """Write what was measured, and its page; print both, in short."""
    from rich.console import Console

    from tfminilm import files, typed_json
    from tfminilm.report.collected import write_page
    from tfminilm.report.evidence_terminal import print_evidence
    from tfminilm.report.machine import machine
    from tfminilm.train import score

    results = {
        "task": task.name,
        "language": flags.language,
        "max_examples": flags.max_examples,
        "model": flags.model,
        "seeds": [seed for seed in runs if seed >= 0],
        "metrics": score.summary(runs),
        "machine": machine(),
        "evidence": typed_json.to_json(evidence),
    }
    files.write_json(file, results)
    # Standard output is for what other programs read.
    console = Console(stderr=True)
    for one in evidence.values():
        print_evidence(one, console)
    if evidence:
        write_page(file.with_suffix(".html"), evidence)
        console.print(f"page: {file.with_suffix('.html')}", soft_wrap=True)
    summary = {key: results[key] for key in ("task", "seeds", "metrics")}
    print(json.dumps(summary, indent=2))


def _bundle(
    output: pathlib.Path, flags: flags.FlagValues
) -> tuple[Any, dict[int, Any], "Collected"]:
    """Return task, metrics and answers of a bundle; write its predictions."""
    from tfminilm.export.bundle import reader
    from tfminilm.export.bundle.evaluate import score_bundle, score_embeddings
    from tfminilm.export.litert import trial
    from tfminilm.report.collected import Collected
    from tfminilm.tasks.kinds import kind_of
    from tfminilm.train import score
    from tfminilm.train.progress import Progress

    bundle = reader.open_bundle(flags.model)
    trial.require_runs(bundle.folder / reader.MODEL)
    task = _task(flags, bundle.manifest.labels)
    splits, data = _splits(task, flags), score.Data.of(flags)
    compares_texts = kind_of(task).compares_texts
    is_embedding = compares_texts and bundle.settings is None
    if is_embedding and flags.pooling:
        raise UsageError(
            "evaluate: a bundle's sentence_embedding is pooled already, so "
            f"--pooling={flags.pooling} has no effect: leave it out, or give "
            "the model that the bundle was made of"
        )
    collected = Collected(task, flags.model, flags.against)
    with Progress() as progress:
        if is_embedding:
            scores = score_embeddings(bundle, task, splits, data, progress)
        else:
            seen = collected.of()
            scores = score_bundle(
                bundle, task, splits, data, output, progress, seen
            )
    return task, {-1: scores}, collected


def _keras(
    output: pathlib.Path, flags: flags.FlagValues
) -> tuple[Any, dict[int, Any], "Collected"]:
    """Return task, metrics by seed and answers of Keras models."""
    from tfminilm.report.collected import Collected
    from tfminilm.tasks.kinds import kind_of
    from tfminilm.tasks.settings import Settings, has_head
    from tfminilm.train import at_step

    source = at_step.folder_of(flags.model)
    models = _models(source)
    first = next(iter(models.values()))
    is_headed = has_head(first)
    names = flags.labels or ()
    labels = Settings.load(first, names).labels if is_headed else None
    task = _task(flags, labels)
    is_folder = pathlib.Path(source).is_dir()
    collected = Collected(task, flags.model, flags.against)
    if kind_of(task).compares_texts and not is_headed:
        encoder = first if is_folder else source
        return task, {-1: _similarity(task, encoder, flags)}, collected
    if is_folder:
        scores = _scores(task, models, output, flags, collected)
        return task, scores, collected
    raise UserError(
        f"no fine-tuned model at {flags.model}: expected the --workdir of "
        "tfminilm finetune, or a model folder in it"
    )


def _task(flags: flags.FlagValues, labels: Sequence[str] | None) -> Any:
    """Return the task; the classes of a user's file are the model's."""
    from tfminilm.tasks.task import OWN_FILES

    is_own = flags.task.startswith(OWN_FILES)
    return task_flags.parse(
        flags, "evaluate", labels or None if is_own else None
    )


def _scores(
    task: "Task",
    models: dict[int, pathlib.Path],
    output: pathlib.Path,
    flags: flags.FlagValues,
    collected: "Collected",
) -> dict[int, Any]:
    """Return metrics of fine-tuned models by seed; write predictions."""
    from tfminilm.train import score
    from tfminilm.train.progress import Progress

    with Progress() as progress:
        return {
            seed: score.score_splits(
                task,
                model,
                _splits(task, flags),
                score.Data.of(flags),
                None,
                output / model.parent.name if len(models) > 1 else output,
                progress,
                flags.labels or (),
                collected.of(f"seed {seed}" if len(models) > 1 else ""),
            )
            for seed, model in models.items()
        }


def _similarity(
    task: "Task", source: str | pathlib.Path, flags: flags.FlagValues
) -> dict[str, dict[str, float]]:
    """Return metrics of a backbone's embeddings."""
    from tfminilm.train import score
    from tfminilm.train.progress import Progress

    with Progress() as progress:
        return score.score_similarities(
            task,
            source,
            _splits(task, flags),
            score.Data.of(flags),
            flags.pooling,
            progress,
        )


def _splits(task: "Task", flags: flags.FlagValues) -> Sequence[str]:
    return flags.splits or task.eval_splits or task.test_splits


def _models(name: str) -> dict[int, pathlib.Path]:
    """Return the model folders in or at `name` by seed, -1 if unknown."""
    from tfminilm.teachers import load

    path = pathlib.Path(name)
    folders = [path]
    if not (path / "recipe.json").is_file():
        folders = [file.parent for file in path.glob("seed-*/recipe.json")]
    by_seed = {}
    for run in map(load.run_folder, folders):
        if not (run / "student").is_dir():
            raise UserError(
                f"{run} holds an unfinished run: start the command that made "
                "it again, with the same flags, to finish it"
            )
        recipe = json_files.read(run / "recipe.json", {"seed?": int})
        by_seed[recipe.get("seed", -1)] = run / "student"
    if by_seed:
        return dict(sorted(by_seed.items()))
    return {-1: path}

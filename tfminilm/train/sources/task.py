"""Open a task's examples: their texts alone, or with labels to learn."""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from tfminilm import teachers
from tfminilm.config import names_in
from tfminilm.errors import UserError
from tfminilm.tasks import class_weights
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.evaluate import Scorer, tuned
from tfminilm.tasks.kinds import kind_of
from tfminilm.tasks.readers import paths, tagged
from tfminilm.tasks.readers.csv_file import csv_task
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import OWN_FILES, LabelColumns, Task, get_task
from tfminilm.teachers.load import hugging_face_folder
from tfminilm.train import smoke
from tfminilm.train.models import Cut, Models
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import DataSpec, Recipe
from tfminilm.train.score import Data
from tfminilm.train.sources import augmented
from tfminilm.train.sources.encoder import Encoder
from tfminilm.train.sources.examples import Examples
from tfminilm.train.workdir import Workdir
from tfminilm.typing import Source, Tokenizer


def task_of(spec: DataSpec) -> Task:
    """Return the benchmark, or a task made of a user's own file.

    Raises:
        UserError: there is no such benchmark, or the file is not as it
            should be.
    """
    if not spec.task.startswith(OWN_FILES):
        return get_task(spec.task)
    path = spec.task.removeprefix("csv:")
    columns = names_in(spec.text_columns)
    if spec.task.partition(":")[0] in tagged.READERS:
        return tagged.tagged_task(
            spec.task,
            (",".join(columns), spec.label_column),
            eval_path=spec.eval_file or None,
        )
    labels = LabelColumns(
        spec.label_separator or ",",
        tuple(names_in(spec.label_columns)),
        spec.soft_labels == "logits",
    )
    if not columns:
        raise UserError(
            f"recipe: data.source is {spec.source}: expected the columns of "
            "its text in data.text_columns=A or A,B, and in "
            "data.label_column=C what to predict"
        )
    return csv_task(
        path,
        columns,
        spec.label_column or None,
        # Without labels a class and a score are one.
        spec.label_kind
        if spec.label_column or labels.columns
        else "regression",
        eval_path=spec.eval_file or None,
        label_columns=labels,
    )


def in_order_of(teacher: Source, task: Task) -> Task:
    """Return a task of tagged texts with its labels as its teacher has them.

    A file has no order of its own. A teacher may know tags that it lacks.

    Args:
        teacher: a model with a head; others change nothing, as whoever loads
            them refuses them.
        task: any task; others keep their order.
    """
    is_tagged = task.files[0].reader in tagged.READERS
    if not is_tagged or teachers.is_tiny(teacher):
        return task
    try:
        folder = hugging_face_folder(teachers.resolve(teacher))
        settings = Settings.load(folder)
    except UserError:
        return task
    labels = settings.labels
    is_alike = kind_of(settings) is kind_of(task)
    if not is_alike or not {*task.labels} <= {*labels}:
        return task
    metrics = kind_of(task).metrics_of(labels)
    return dataclasses.replace(task, labels=labels, metrics=metrics)


def score_of(teacher: Source) -> str:
    """Return what makes a score of a teacher's logit, if it says so."""
    if teachers.is_tiny(teacher):
        return ""
    try:
        folder = hugging_face_folder(teachers.resolve(teacher))
        return Settings.load(folder).score_activation
    except UserError:  # Who loads the teacher says it.
        return ""


def check_task(spec: DataSpec, task: Task) -> None:
    """Refuse a task that a student cannot be trained on.

    Raises:
        UserError: it has no examples to train on, or they cannot be changed.
    """
    if task.train_split is None or not task.eval_splits:
        raise UserError(
            f"recipe: data.source is {spec.source}, which has no "
            "examples of its own to train on"
        )
    kind = kind_of(task)
    if spec.augment_copies and not kind.is_augmentable:
        raise UserError(
            f"recipe: data.augment_copies is {spec.augment_copies}, "
            f"but changed words would be no answers to {task.name}: "
            "expected 0"
        )
    if spec.class_weights and not kind.picks_one:
        raise UserError(
            f"recipe: data.class_weights is {spec.class_weights!r}, but "
            f"{task.name} does not choose one of its classes: expected none"
        )
    class_weights.require(spec.class_weights, task.labels)
    if spec.oversampling and not kind.has_shaped_losses:
        raise UserError(
            f"recipe: data.oversampling is {spec.oversampling}, but "
            f"{task.name} has no classes of texts: expected 0"
        )


def check_augmentation(spec: DataSpec, teacher: Source) -> None:
    """Look for the models that augment the examples, before any training.

    Args:
        spec: names them.
        teacher: stands in where a name is missing.

    Raises:
        UserError: one is not there.
    """
    if spec.task and spec.augment_copies and spec.augmentation == "tinybert":
        augmented.LanguageModel.load(spec, teacher)


def task_examples(
    recipe: Recipe,
    task: Task,
    settings: Settings,
    teacher: Source,
    models: Models,
    folder: Workdir,
    progress: Progress,
) -> Examples:
    """Read the examples of a task.

    Args:
        recipe: the stage.
        task: what its data names.
        settings: how a model reads the task.
        teacher: where the stage's comes from.
        models: those that read them.
        folder: the run's, where token ids are kept.
        progress: told of the work.

    Raises:
        UserError: they are missing or broken, or have no labels and the
            method learns from labels.
    """
    kind, learns_labels = kind_of(task), recipe.method.reads == "labels"
    with progress.working("reading examples"):
        train, held_out = (
            _read(recipe.data, task, split)
            for split in (task.train_split or "train", task.eval_splits[0])
        )

    train = class_weights.oversampled(recipe.data.oversampling, train)

    def encoded(few: Sequence[Any], cut: Cut) -> Encoded:
        how = dataclasses.replace(settings, max_length=cut.max_length)
        return kind.encode(task, few, cut.tokenizer, how, folder.text)

    def weighted(labelled: Encoded) -> Encoded:
        written = recipe.data.class_weights if labelled.labels else ""
        return class_weights.weighted(written, task.labels, labelled)

    score = Scorer(task, models.tokenizer, held_out, settings, folder.text)
    encoder = Encoder.of(models, settings.max_length, encoded)

    def tune(student: keras.Model, tokenizer: Tokenizer) -> Settings:
        return tuned(task, student, tokenizer, held_out, settings)

    is_scored = learns_labels and kind.is_scored_in_training
    return Examples(
        task.name,
        train,
        held_out,
        encoder,
        itertools.chain(
            _unlabelled(recipe.data, task, encoder),
            _copies(recipe, train, teacher, encoder, folder, progress),
        ),
        score=score if is_scored else None,
        metric=task.metrics[0] if is_scored and task.metrics else "",
        tune=tune if learns_labels and kind.is_tuned else None,
        weighted=weighted,
        needs_labels=learns_labels and not recipe.data.has_unlabelled,
    )


def _read(spec: DataSpec, task: Task, split: str) -> list[Any]:
    if spec.folder == teachers.TINY:
        return smoke.examples(task)
    source = Data(spec.folder or None, None, spec.max_examples)
    return source.read(task, split)


def _unlabelled(
    spec: DataSpec, task: Task, encoder: Encoder
) -> Iterator[Encoded]:
    """Yield the lines of `spec.unlabeled` as examples without labels."""
    if not spec.unlabeled:
        return
    kind = kind_of(task)
    if len(task.texts) != 1 or not kind.takes_unlabelled:
        raise UserError(
            f"recipe: data.unlabeled is {spec.unlabeled}, but {task.name} does "
            "not ask about single texts: leave it out"
        )
    files = text_files(spec.unlabeled.split(","))
    lines = [line for file in files for _, line in paths.lines(file)]
    yield encoder(
        [
            kind.example_of(f"unlabeled-{number}", (line,))
            for number, line in enumerate(lines)
        ]
    )


def text_files(names: Sequence[str]) -> list[pathlib.Path]:
    """Return the files that names stand for: files, or folders of them.

    Raises:
        UserError: a folder holds no .txt file.
    """
    files: list[pathlib.Path] = []
    for name in names:
        path = pathlib.Path(name).expanduser()
        few = sorted(path.rglob("*.txt")) if path.is_dir() else [path]
        if not few:
            raise UserError(
                f"recipe: data.unlabeled names {path}, which holds no text: "
                "expected a .txt file or a folder of them"
            )
        files += few
    return files


def _copies(
    recipe: Recipe,
    examples: Sequence[Any],
    teacher: Source,
    encoder: Encoder,
    folder: Workdir,
    progress: Progress,
) -> Iterator[Encoded]:
    """Yield changed copies of the examples, some at a time."""
    spec, seed = recipe.data, recipe.seed
    if not spec.augment_copies:
        return
    if spec.augmentation == "tinybert":
        for copies in augmented.tinybert_copies(
            spec,
            examples,
            teacher,
            seed,
            folder.text,
            progress,
            folder.tokenizer_rules(),
        ):
            yield encoder(copies)
        return
    tokenizer = encoder.student.tokenizer
    copies = augmented.bilstm_copies(spec, examples, tokenizer, seed)
    if copies:
        yield encoder.masked(copies)

"""Runs a recipe: a student learns from a teacher, and survives a kill."""

import math
import os
import pathlib
from typing import Any

import keras

from tfminilm import data, files, students, teachers
from tfminilm.distiller import Distiller
from tfminilm.errors import UserError
from tfminilm.train.loop import Loop
from tfminilm.train.optimizer import build_optimizer
from tfminilm.train.precision import resolve_precision
from tfminilm.train.progress import Progress
from tfminilm.train.recipe import Recipe
from tfminilm.train.workdir import Workdir


def distill(recipe: Recipe, workdir: str | os.PathLike) -> keras.Model:
    """Distils as the recipe says, going on where an earlier start stopped.

    Writes `recipe.json`, `metrics.jsonl`, `checkpoints/`, `held_out.json`
    and, at the end, `student/` (a KerasHub preset) into `workdir`.

    Returns:
        The trained student, a KerasHub backbone in float32.

    Raises:
        UserError: the recipe cannot be run, the workdir holds another
            recipe's run, the disk is full, the loss is no longer finite, or
            the run was interrupted (its checkpoint is kept).
    """
    folder = Workdir(workdir, recipe.to_dict())
    with Progress() as progress:
        if folder.student.is_dir():
            progress.say(f"already finished: {folder.student}")
            return teachers.load_backbone(folder.student)
        keras.utils.set_random_seed(recipe.seed)
        precision = folder.decide(
            "precision", lambda: resolve_precision(recipe.train.precision)
        )
        with progress.working("loading the teacher"):
            teacher = teachers.load_backbone(recipe.teacher, dtype=precision)
            tokenizer = teachers.load_tokenizer(recipe.teacher)
            _require_same_tokens(recipe, teacher, tokenizer)
            distiller = build_distiller(recipe, teacher, precision)
        text = _read_text(recipe, folder, tokenizer, progress)
        optimizer = build_optimizer(recipe.train, precision)
        distiller.compile(optimizer)
        optimizer.build(distiller.trainable_variables)
        with folder.hold():
            sentences = {"sentences": text.held_out_sentences}
            files.write_json(folder.path / "held_out.json", sentences)
            _TextLoop(recipe, folder, distiller, text, progress).run()
            student = _plain(distiller.student)
            _save(student, tokenizer, folder.student)
        progress.say(f"student: {folder.student}")
    return student


class _TextLoop(Loop):
    """Distils on packed text, all sequences of one length."""

    doing = "distilling"

    def __init__(
        self,
        recipe: Recipe,
        folder: Workdir,
        distiller: Distiller,
        text: data.TextData,
        progress: Progress,
    ):
        spec = recipe.train
        super().__init__(spec, folder, distiller, distiller.student, progress)
        self.seed = recipe.seed
        self.text = text
        self.held_out = data.held_out_batches(
            text.held_out,
            self.batch_size,
            math.ceil(spec.held_out_sequences / self.batch_size),
        )

    def batches(self, first: int, count: int) -> Any:
        return data.dataset(
            self.text.train, self.batch_size, self.seed, first, count
        )

    def tokens(self, batch: int) -> int:
        return self.batch_size * self.text.train.sequence_length

    def losses(self, step: int, num_batches: int | None) -> dict[str, float]:
        self.model.reset_metrics()
        for batch in self.held_out[:num_batches]:
            row = self.model.test_on_batch(batch, return_dict=True)
        self.model.reset_metrics()
        row = {key: float(value) for key, value in row.items()}
        self.require_finite(row, f"on held-out text after step {step}")
        return row


def build_distiller(
    recipe: Recipe, teacher: keras.Model, precision: str
) -> Distiller:
    """The recipe's student, initialised, beside its teacher.

    Raises:
        UserError: student, teacher and method do not go together.
    """
    length = recipe.data.sequence_length
    longest = getattr(teacher, "max_sequence_length", length)
    if length > longest:
        raise UserError(
            f"recipe: data.sequence_length is {length}, but the teacher's "
            f"position table ends at {longest}"
        )
    spec = recipe.student
    student = students.bert(
        num_layers=spec.num_layers,
        hidden_dim=spec.hidden_dim,
        num_heads=spec.num_heads,
        intermediate_dim=spec.intermediate_dim,
        vocabulary_size=teacher.vocabulary_size,
        max_sequence_length=spec.max_sequence_length,
        dropout=spec.dropout,
        dtype=precision,
    )
    layers = spec.init_layers()
    if layers != "random":
        students.init_from_teacher(student, teacher, layers)
    return Distiller(teacher, student, recipe.method)


def _require_same_tokens(
    recipe: Recipe, teacher: keras.Model, tokenizer: Any
) -> None:
    """A teacher's table may be longer, as padded ones are, never shorter."""
    tokens = tokenizer.vocabulary_size()
    if tokens > teacher.vocabulary_size:
        raise UserError(
            f"teacher {recipe.teacher}: its tokenizer has {tokens} tokens, "
            f"its embedding table {teacher.vocabulary_size}; expected the "
            "tokenizer that the model was trained with"
        )


def _read_text(
    recipe: Recipe, folder: Workdir, tokenizer: Any, progress: Progress
) -> data.TextData:
    spec = recipe.data
    with progress.counting("reading text", "tokens") as count:
        return data.text_data(
            spec.source,
            tokenizer,
            spec.sequence_length,
            seed=recipe.seed,
            held_out_fraction=spec.held_out_fraction,
            cache_dir=folder.text,
            max_tokens=spec.max_tokens,
            progress=count,
        )


def _save(student: keras.Model, tokenizer: Any, path: pathlib.Path) -> None:
    # float32, and a megabyte for the vocabulary and HDF5's own tables.
    size = 4 * student.count_params() + 2**20
    with files.new_directory(path, size) as beside:
        student.save_to_preset(str(beside))
        tokenizer.save_to_preset(str(beside))


def _plain(student: keras.Model) -> keras.Model:
    """The student in float32, whatever it was trained in."""
    config = student.get_config() | {"dtype": "float32"}
    plain = type(student).from_config(config)
    plain.set_weights(student.get_weights())
    return plain

"""Check a run of several stages before the first one."""

from collections.abc import Mapping

import keras

from tfminilm import teachers
from tfminilm.data import cache
from tfminilm.errors import UserError
from tfminilm.tasks import heads
from tfminilm.train.distillation import build_distiller, select_job
from tfminilm.train.recipe import Recipe
from tfminilm.train.sources.task import check_augmentation
from tfminilm.train.vocabularies import Vocabularies, are_same
from tfminilm.typing import Tokenizer


def dry_run(
    runs: Mapping[str, Recipe], tokens: Mapping[str, Vocabularies]
) -> None:
    """Build all stages once, with students as they will be, untrained.

    What does not go together in a later stage is found before the hours of
    the earlier ones.

    Args:
        runs: the stages by name, in order.
        tokens: what `check_vocabularies` returned of them.

    Raises:
        UserError: naming the stage.
    """
    students: dict[str, keras.Model] = {}
    for name, run in runs.items():
        try:
            job = select_job(run)
            if run.teacher in students:
                teacher = job.kind.as_teacher(
                    students[run.teacher], run.teacher
                )
            else:
                teacher = job.load_teacher(run.teacher, "float32")
                check_augmentation(run.data, run.teacher)
            start = students.get(run.student.init_from)
            if run.student.init_from and start is None:
                start = teachers.load_backbone(run.student.init_from)
            start = getattr(start, "backbone", start)
            read = tokens[name]
            if not are_same(read.student, read.start):
                start = heads.rebuilt(
                    start or getattr(teacher, "backbone", teacher),
                    vocabulary_size=read.student.vocabulary_size(),
                )
            distiller = build_distiller(job, teacher, start, read, "float32")
            students[name] = distiller.student
        except UserError as error:
            text = str(error).removeprefix("recipe: ")
            raise UserError(f"stages.{name}: {text}") from error


def check_vocabularies(runs: Mapping[str, Recipe]) -> dict[str, Vocabularies]:
    """Refuse students that start from models of another vocabulary.

    Args:
        runs: the stages by name, in order.

    Returns:
        What the models of each stage read.

    Raises:
        UserError: naming the stage; also if a model is not there.
    """
    tokenizers: dict[str, Tokenizer] = {}
    read = {}
    for name, run in runs.items():
        by_key = {}
        for key, source in run.sources.items():
            if source not in tokenizers:
                tokenizers[source] = _tokenizer(name, key, source, list(runs))
            by_key[key] = tokenizers[source]
        teacher = by_key["teacher"]
        student = by_key.get("student.tokenizer", teacher)
        start = by_key.get("student.init_from", teacher)
        if "student.tokenizer" in by_key:
            read[name] = Vocabularies(student, teacher, start)
        elif _words(start) == _words(teacher):
            read[name] = Vocabularies(teacher, teacher, teacher)
        else:
            source = run.student.init_from
            raise UserError(
                f"{_name(name)}: {source} (student.init_from) and "
                f"{run.teacher} (teacher) read different vocabularies; "
                "expected one that all stages share, or "
                f"student.tokenizer={source} and a method that compares whole "
                "texts"
            )
        tokenizers[name] = student
    return read


def _tokenizer(
    stage: str, key: str, source: str, stages: list[str]
) -> Tokenizer:
    """Load the tokenizer of a model."""
    try:
        return teachers.load_tokenizer(source)
    except UserError as error:
        before = stages[: stages.index(stage)]
        raise UserError(
            f"{_name(stage)}.{key}: {error}"
            + (f"; stages before it are {', '.join(before)}" if before else "")
        ) from error


def _words(tokenizer: Tokenizer) -> object:
    """Return what tells the vocabulary of a model from others."""
    # The classes differ: DistilBERT's tokenizer is BERT's.
    return cache.tokenizer_identity(tokenizer)["vocabulary"]


def _name(stage: str) -> str:
    return f"stages.{stage}" if stage else "recipe"

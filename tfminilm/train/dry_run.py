"""Check a run of several stages before the first one."""

from collections.abc import Mapping

import keras

from tfminilm import teachers
from tfminilm.data import cache
from tfminilm.errors import UserError
from tfminilm.train.distillation import build_distiller, select_job
from tfminilm.train.recipe import Recipe
from tfminilm.train.sources.task import check_augmentation


def dry_run(runs: Mapping[str, Recipe]) -> None:
    """Build all stages once, with students as they will be, untrained.

    What does not go together in a later stage is found before the hours of
    the earlier ones.

    Args:
        runs: the stages by name, in order.

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
                teacher = job.kind.load_teacher(run.teacher, "float32")
                check_augmentation(run.data, run.teacher)
            start = students.get(run.student.init_from)
            if run.student.init_from and start is None:
                start = teachers.load_backbone(run.student.init_from)
            start = getattr(start, "backbone", start)
            # The vocabularies have been compared.
            distiller = build_distiller(job, teacher, start, 0, "float32")
            students[name] = distiller.student
        except UserError as error:
            text = str(error).removeprefix("recipe: ")
            raise UserError(f"stages.{name}: {text}") from error


def check_vocabularies(runs: Mapping[str, Recipe]) -> None:
    """Refuse students that start from models of another vocabulary.

    Args:
        runs: the stages by name, in order.

    Raises:
        UserError: naming the stage; also if a model is not there.
    """
    vocabularies: dict[str, object] = {}
    for name, run in runs.items():
        by_key = {}
        for key, source in run.sources.items():
            if source not in vocabularies:
                vocabularies[source] = _vocabulary(
                    name, key, source, list(runs)
                )
            by_key[key] = vocabularies[source]
        vocabularies[name] = by_key["teacher"]
        for key, vocabulary in by_key.items():
            if vocabulary != by_key["teacher"]:
                raise UserError(
                    f"{_name(name)}: {run.sources[key]} ({key}) and "
                    f"{run.teacher} (teacher) read different vocabularies; "
                    "expected one that all stages share"
                )


def _vocabulary(stage: str, key: str, source: str, stages: list[str]) -> object:
    """Return what tells the vocabulary of a model from others."""
    try:
        tokenizer = teachers.load_tokenizer(source)
    except UserError as error:
        before = stages[: stages.index(stage)]
        raise UserError(
            f"{_name(stage)}.{key}: {error}"
            + (f"; stages before it are {', '.join(before)}" if before else "")
        ) from error
    # The classes differ: DistilBERT's tokenizer is BERT's.
    return cache.tokenizer_identity(tokenizer)["vocabulary"]


def _name(stage: str) -> str:
    return f"stages.{stage}" if stage else "recipe"

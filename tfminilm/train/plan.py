"""What can be known of a run of several stages before the first one."""

from collections.abc import Mapping
from typing import Any

import keras

from tfminilm import teachers
from tfminilm.data import cache
from tfminilm.errors import UserError
from tfminilm.train.assemble import assemble, kind_of
from tfminilm.train.recipe import Recipe


def rehearse(runs: Mapping[str, Recipe]) -> None:
    """Puts all stages together once, with students as they will be, untrained.

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
            kind = kind_of(run)
            if run.teacher in students:
                teacher = kind.as_teacher(students[run.teacher])
            else:
                teacher = kind.load_teacher(run.teacher, "float32")
                kind.check_data(run.teacher)
            source = students.get(run.student.init_from)
            if run.student.init_from and source is None:
                source = teachers.load_backbone(run.student.init_from)
            source = getattr(source, "backbone", source)
            # The vocabularies have been compared.
            students[name] = assemble(
                kind, teacher, source, 0, "float32"
            ).student
        except UserError as error:
            text = str(error).removeprefix("recipe: ")
            raise UserError(f"stages.{name}: {text}") from error


def check_vocabularies(runs: Mapping[str, Recipe]) -> None:
    """Refuses students that start from models of another vocabulary.

    Args:
        runs: the stages by name, in order.

    Raises:
        UserError: naming the stage; also if a model is not there.
    """
    tokens: dict[str, Any] = {}
    for name, run in runs.items():
        found = {}
        for key, source in run.sources.items():
            if source not in tokens:
                tokens[source] = _tokens(name, key, source, list(runs))
            found[key] = tokens[source]
        tokens[name] = found["teacher"]
        for key, own in found.items():
            if own != found["teacher"]:
                raise UserError(
                    f"{_called(name)}: {run.sources[key]} ({key}) and "
                    f"{run.teacher} (teacher) read different vocabularies; "
                    "expected one that all stages share"
                )


def _tokens(stage: str, key: str, source: str, stages: list[str]) -> Any:
    """What tells the vocabulary of a given model from others."""
    try:
        tokenizer = teachers.load_tokenizer(source)
    except UserError as error:
        before = stages[: stages.index(stage)]
        raise UserError(
            f"{_called(stage)}.{key}: {error}"
            + (f"; stages before it are {', '.join(before)}" if before else "")
        ) from error
    # The classes differ: DistilBERT's tokenizer is BERT's.
    return cache.tokenizer_identity(tokenizer)["vocabulary"]


def _called(stage: str) -> str:
    return f"stages.{stage}" if stage else "recipe"

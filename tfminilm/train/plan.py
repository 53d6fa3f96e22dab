"""What can be known of a run of several stages before the first one."""

from collections.abc import Mapping
from typing import Any

from tfminilm import teachers
from tfminilm.data import cache
from tfminilm.errors import UserError
from tfminilm.train.recipe import Recipe


def check(runs: Mapping[str, Recipe]) -> None:
    """Refuses what would stop a later stage, after hours of earlier ones.

    The models that are given must be there, and where a student starts from
    an earlier one, both must read the same tokens.

    Args:
        runs: the stages by name, in order.

    Raises:
        UserError: naming the stage.
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

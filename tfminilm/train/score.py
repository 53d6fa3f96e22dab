"""Score saved models on the splits of a task."""

import dataclasses
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfminilm import teachers
from tfminilm.errors import UserError
from tfminilm.tasks import heads, similarity, submission
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.evaluate import evaluate
from tfminilm.tasks.examples import read
from tfminilm.tasks.kinds import Result
from tfminilm.tasks.sample import sample
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.teachers.embedding import embedding_of
from tfminilm.train.progress import Progress
from tfminilm.typing import Tokenizer

Scores = dict[str, dict[str, float]]
Count = Callable[[int], None]
# Is told the split, its examples, and what a model says of them.
Seen = Callable[[str, Sequence[Any], Result], None]

# In tokens, of a text that is embedded.
LONGEST_TEXT = 128


@dataclasses.dataclass(frozen=True)
class Data:
    """Say where examples come from, and how many of a split are drawn.

    `max_examples` (0: all) are those of `tasks.sample`, always the same ones.
    """

    folder: str | None = None
    language: str | None = None
    max_examples: int = 0
    skip_bad_answers: bool = False

    @classmethod
    def of(cls, flags: Any) -> "Data":
        """Return what the flags of `commands.task_flags` say."""
        names = ("data_dir", "language", "max_examples", "skip_bad_answers")
        return cls(*(getattr(flags, name) for name in names))

    def read(self, task: Task, split: str) -> list[Any]:
        """Return the examples of a split, all or `max_examples` of them.

        Raises:
            UserError: they are missing or broken.
        """
        examples = read(
            task, split, self.folder, self.language, self.skip_bad_answers
        )
        return sample(examples, self.max_examples)


def score_splits(
    task: Task,
    model: str | os.PathLike,
    splits: Sequence[str],
    data: Data,
    cache_dir: str | os.PathLike | None,
    output: str | os.PathLike,
    progress: Progress,
    labels: Sequence[str] = (),
    seen: Seen | None = None,
) -> Scores:
    """Score a saved model and write its predictions into `output`.

    The classes of a model whose folder does not name them are `labels`. With
    `seen` the results that it is told have `answers`.

    Returns:
        The metrics of each split; none of a split without labels.

    Raises:
        UserError: the model is none for the task, or the data is broken.
    """
    with progress.working("loading the model"):
        head = heads.load_head(model)
        settings = Settings.load(model, labels)
        heads.check_head(task, head, str(model))
        require_labels(task, settings, model)
        tokenizer = teachers.load_tokenizer(model)

    def score(examples: Sequence[Any], count: Count) -> Result:
        return evaluate(
            task,
            head,
            tokenizer,
            examples,
            settings,
            cache_dir,
            count,
            data.language,
            judges=seen is not None,
        )

    return score_each(score, task, splits, data, output, progress, seen=seen)


def score_each(
    score: Callable[[Sequence[Any], Count], Result],
    task: Task,
    splits: Sequence[str],
    data: Data,
    output: str | os.PathLike | None,
    progress: Progress,
    how: str = "",
    seen: Seen | None = None,
) -> Scores:
    """Score whatever predicts, and write its predictions into `output`.

    Args:
        score: predicts examples and scores that; is given a function that
            takes the number of sequences done.
        task: what is asked; and so on, as `score_splits` has them.
        output: None for what is no prediction to write, such as a cosine.
        how: what a message says of the predictions, behind the split's name.
        seen: is told each split's result.

    Returns:
        The metrics of each split; none of a split without labels.

    Raises:
        UserError: the data is broken, or `score` raises it.
    """
    scores = {}
    for split in splits:
        examples = data.read(task, split)
        with progress.counting("predicting", "sequences") as count:
            result = score(examples, count)
        scores[split] = result.metrics
        if seen is not None:
            seen(split, examples, result)
        path = output and submission.write(task, split, result, output)
        progress.say(
            f"{task.name} {split}{how}: {_line(result)} "
            f"({len(examples):,} examples)"
            + (f"; predictions: {path}" if path else "")
        )
    return scores


def score_similarities(
    task: Task,
    model: str | os.PathLike,
    splits: Sequence[str],
    data: Data,
    pooling: str | None,
    progress: Progress,
) -> Scores:
    """Score an encoder without a head by the cosines of its embeddings.

    Args:
        task: asks how alike two texts are; the others are `score_splits`'.
        model: a backbone's folder or name.
        splits: of the task.
        data: where examples come from.
        pooling: "mean" or "cls"; None for what the model's folder says.
        progress: what a person sees.

    Returns:
        The metrics of each split; none of a split without labels.

    Raises:
        UserError: the task does not compare two texts, or the model or the
            data cannot be used.
    """
    with progress.working("loading the model"):
        backbone = teachers.load_backbone(model, dtype="float32")
        tokenizer = teachers.load_tokenizer(model)
    embedding = embedding_of(backbone)
    pooling = pooling or embedding.pooling

    def embed(encoded: Encoded, count: Count) -> list[np.ndarray]:
        return similarity.embedder(backbone, pooling, count)(encoded)

    longest = min(
        backbone.max_sequence_length, embedding.max_length or LONGEST_TEXT
    )
    return score_embeddings(
        embed,
        tokenizer,
        longest,
        task,
        splits,
        data,
        pooling,
        progress,
        embedding.prompt,
    )


def score_embeddings(
    embed: Callable[[Encoded, Count], list[np.ndarray]],
    tokenizer: Tokenizer,
    longest: int,
    task: Task,
    splits: Sequence[str],
    data: Data,
    pooling: str,
    progress: Progress,
    prompt: str = "",
) -> Scores:
    """Score whatever embeds texts by the cosines of its embeddings.

    Args:
        embed: gives a vector for each sequence; is given a function that
            takes the number of sequences done.
        tokenizer: the model's.
        longest: tokens of the longest text that it embeds.
        task: says which texts are compared.
        splits: of the task.
        data: where examples come from.
        pooling: what a message says of the embeddings.
        progress: told of the work.
        prompt: what stands in front of every text.

    Raises:
        UserError: the task does not compare two texts, or the data is broken.
    """

    def score(examples: Sequence[Any], count: Count) -> Result:
        return similarity.score_similarity(
            task,
            lambda encoded: embed(encoded, count),
            tokenizer,
            examples,
            longest,
            prompt=prompt,
        )

    how = f", cosine of {pooling} embeddings"
    return score_each(score, task, splits, data, None, progress, how)


def summary(runs: Mapping[int, Scores]) -> dict[str, dict[str, Any]]:
    """Return mean and spread of each metric of each split over the seeds.

    The spread is the standard deviation of a sample; 0 for one seed.
    """
    first = next(iter(runs.values()))
    summaries: dict[str, dict[str, Any]] = {}
    for split, scores in first.items():
        summaries[split] = {}
        for name in scores:
            values = [float(run[split][name]) for run in runs.values()]
            summaries[split][name] = {
                "mean": statistics.fmean(values),
                "spread": statistics.stdev(values) if len(values) > 1 else 0.0,
                "seeds": values,
            }
    return summaries


def _line(result: Result) -> str:
    shown = ", ".join(f"{k} {v:.4f}" for k, v in result.metrics.items())
    return shown or "no labels"


def require_labels(
    task: Task, settings: Settings, model: str | os.PathLike
) -> None:
    """Raise `UserError` unless a model has the task's classes.

    The same number of classes is not yet the same classes.
    """
    if (task.kind, task.labels) == (settings.kind, settings.labels):
        return
    remedy = "give a model that was"
    if settings.labels[:1] == ("LABEL_0",):
        remedy = "write what they mean into id2label of its config.json"
    raise UserError(
        f"{model} was fine-tuned on {settings.task} "
        f"({', '.join(settings.labels) or settings.kind}), not for "
        f"{task.name} ({', '.join(task.labels) or task.kind}): {remedy}"
    )

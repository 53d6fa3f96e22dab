"""Score a bundle itself: its file, its vocabulary, sentence by sentence."""

import dataclasses
import os
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfminilm.errors import UserError
from tfminilm.export.bundle.contents import task_name
from tfminilm.export.bundle.reader import Bundle
from tfminilm.export.check import calibration
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.export.manifest import Evaluation
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.evaluate import evaluate_with
from tfminilm.tasks.kinds import Result
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task, get_task
from tfminilm.train import score
from tfminilm.train.progress import Progress

# How many examples are compared with Keras.
_COMPARED = 64


def score_bundle(
    bundle: Bundle,
    task: Task,
    splits: Sequence[str],
    data: score.Data,
    output: str | os.PathLike,
    progress: Progress,
    seen: score.Seen | None = None,
) -> score.Scores:
    """Score a bundle and write its predictions into `output`.

    Every sequence runs in the shortest signature that it fits, as in an app.
    With `seen` the results that it is told have `answers`.

    Returns:
        The metrics of each split; none of a split without labels.

    Raises:
        UserError: the bundle is none for the task, or the data is broken.
    """
    settings = _settings(bundle, task)

    def evaluate(examples: Sequence[Any], count: score.Count) -> Result:
        return evaluate_with(
            lambda encoded: run(bundle.encoder, encoded, count),
            task,
            bundle.tokenizer,
            examples,
            settings,
            language=data.language,
            judges=seen is not None,
        )

    return score.score_each(
        evaluate, task, splits, data, output, progress, seen=seen
    )


def score_embeddings(
    bundle: Bundle,
    task: Task,
    splits: Sequence[str],
    data: score.Data,
    progress: Progress,
) -> score.Scores:
    """Score an encoder's bundle by the cosines of its sentence embeddings.

    Returns:
        The metrics of each split; none of a split without labels.

    Raises:
        UserError: the task does not compare two texts, or the data is broken.
    """

    def embed(encoded: Encoded, count: score.Count) -> list[np.ndarray]:
        rows = run(bundle.encoder, encoded, count)
        return [row["sentence_embedding"] for row in rows]

    embedding = bundle.manifest.sentence_embedding
    longest = min(max(bundle.encoder.lengths), score.LONGEST_TEXT)
    return score.score_embeddings(
        embed,
        bundle.tokenizer,
        longest,
        task,
        splits,
        data,
        "the bundle's",
        progress,
        (embedding and embedding.prompt) or "",
    )


@dataclasses.dataclass(frozen=True)
class TaskExamples:
    """The examples of a task that a bundle is compared and scored on."""

    task: Task
    data: score.Data

    def texts(self) -> list[calibration.Texts]:
        """Return the texts of examples like those the model learned from.

        They are spread over the split: SQuAD's first ones, for example, are
        all on one article.

        Raises:
            UserError: they are missing or broken.
        """
        task, data = self.task, self.data
        if task.train_split is None:
            # The other task's data has one language only.
            task = get_task(task.train_task or task.name)
            data = dataclasses.replace(data, language=None)
        examples = data.read(task, task.train_split or "train")
        count = min(_COMPARED, len(examples))
        places = np.linspace(0, len(examples) - 1, count).astype(int)
        return calibration.of_examples(examples[place] for place in places)

    def evaluate(self, bundle: Bundle) -> Evaluation:
        """Score a bundle, for its manifest.

        Raises:
            UserError: as `score_bundle` raises it.
        """
        with tempfile.TemporaryDirectory() as folder, Progress() as progress:
            scores = score_bundle(
                bundle,
                self.task,
                self.task.eval_splits,
                self.data,
                folder,
                progress,
            )
        return Evaluation(
            task=task_name(self.task.name),
            language=self.data.language,
            max_examples=self.data.max_examples,
            metrics=scores,
        )


def run(
    encoder: LiteRTEncoder,
    encoded: Encoded,
    count: Callable[[int], None] = lambda done: None,
) -> list[Any]:
    """Return a file's outputs for each sequence, as `tasks.evaluate.predict`.

    Args:
        encoder: with a task's outputs.
        encoded: sequences that its longest signature has room for.
        count: is called with the number of sequences done.

    Raises:
        UserError: an output is not finite.
    """
    outputs: list[Any] = []
    for start, end in zip(encoded.offsets, encoded.offsets[1:], strict=False):
        batch = encoder(
            encoded.token_ids[start:end], encoded.segment_ids[start:end]
        )
        rows = {name: value[0] for name, value in batch.items()}
        if not all(np.isfinite(row).all() for row in rows.values()):
            raise UserError(
                "the bundle's output is not finite: its weights are broken"
            )
        outputs.append(rows.get("logits", rows))
        count(len(outputs))
    return outputs


def _settings(bundle: Bundle, task: Task) -> Settings:
    settings = bundle.settings
    if settings is None:
        raise UserError(
            f"{bundle.folder} holds an encoder without a head for a task: "
            "export what tfminilm finetune wrote"
        )
    score.require_labels(task, settings, bundle.folder)
    return settings

"""Share what kinds need that predict one number for each example."""

import abc
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfminilm.tasks import encode, metrics
from tfminilm.tasks.answers import Result
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.example import Example, Label
from tfminilm.tasks.kinds.kind import Kind
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.typing import Tokenizer

if TYPE_CHECKING:
    import keras

_TEXT = "The small student reads what its teacher {} and learns from it."
_VERBS = ("wrote", "said", "knows", "drew", "meant", "saw")


def made_up_text(index: int) -> tuple[str, str]:
    """Return a sentence for runs that need no files, and its varying verb."""
    verb = _VERBS[index % len(_VERBS)]
    return _TEXT.format(verb), verb


class LabelledTexts(Kind):
    """One or two texts, and a class or a score of them."""

    outputs = ("logits",)
    mobile_head = "FirstTokenHead"
    transformers_head = "ForSequenceClassification"
    submission = "glue"
    labels_are_a_column = True

    @abc.abstractmethod
    def made_up_label(self, task: Task, index: int) -> Label:
        """Return the label of the example number `index`."""

    def made_up_example(self, task: Task, index: int) -> Example:
        text, _ = made_up_text(index)
        return Example(
            str(index),
            (text,) * len(task.texts),
            self.made_up_label(task, index),
        )

    def encode(
        self,
        task: Task,
        examples: Sequence[Any],
        tokenizer: Tokenizer,
        settings: Settings,
        cache_dir: str | os.PathLike | None = None,
    ) -> Encoded:
        length = settings.max_length
        return encode.encode(task, examples, tokenizer, length, cache_dir)

    def build_head(
        self, task: Task, backbone: "keras.Model", dropout: float
    ) -> "keras.Model":
        from tfminilm.tasks.head_models import text_classifier

        return text_classifier(backbone, self.num_outputs(task), dropout)

    def head_classes(self) -> tuple[type, ...]:
        import keras_hub

        from tfminilm import families
        from tfminilm.tasks.head_models import FirstTokenClassifier

        return (
            keras_hub.models.TextClassifier,
            FirstTokenClassifier,
            *families.own_text_classifiers(),
        )

    def is_head_of(self, task: Task, model: "keras.Model") -> bool:
        return self.is_head(model) and model.num_classes == self.num_outputs(
            task
        )

    def describe_head(self, model: "keras.Model") -> str:
        count = model.num_classes
        return f"{count} output{'s' * (count != 1)}"

    def score(
        self,
        task: Task,
        examples: Sequence[Any],
        decoded: Sequence[Any],
        settings: Settings,
        language: str | None = None,
    ) -> Result:
        scores = metrics.score(task, examples, decoded)
        return Result(scores, [example.id for example in examples], [*decoded])

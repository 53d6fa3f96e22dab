"""Define what every kind of task has to offer."""

import abc
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from tfminilm.tasks.answers import Answers, Result
from tfminilm.tasks.encoded import Encoded
from tfminilm.tasks.example import Example, Label
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.typing import Tokenizer

if TYPE_CHECKING:
    import keras
    import numpy as np


class Scale(NamedTuple):
    """Mean and standard deviation of the scores that a model learns."""

    mean: float = 0.0
    deviation: float = 1.0


class Kind(abc.ABC):
    """One kind of task: from its examples to its score, and to a phone.

    The methods stand in the order of use: read labels, encode, build a head,
    train, decode, score, export. The attributes are declarations that code
    outside looks up.
    """

    name: ClassVar[str]
    """What presets, recipes and flags write."""

    manifest_name: ClassVar[str]
    """What a bundle's manifest writes."""

    outputs: ClassVar[tuple[str, ...]]
    """The names of a model's outputs in a bundle."""

    mobile_head: ClassVar[str]
    """The class in `export.graph.heads` that computes them on a phone."""

    transformers_head: ClassVar[str]
    """The end of the class' name in `transformers`, as in its exports."""

    submission: ClassVar[str]
    """The format of its leaderboards' files, in `tasks.submission`."""

    labels_are_a_column: ClassVar[bool] = False
    """Whether a column of a user's own file can hold its labels."""

    has_classes: ClassVar[bool] = False
    """Whether a bundle's manifest lists the names of its labels."""

    picks_one: ClassVar[bool] = False
    """Whether exactly one of its classes is true, by a softmax."""

    has_scale: ClassVar[bool] = False
    """Whether `standardise` changes its labels."""

    compares_texts: ClassVar[bool] = False
    """Whether the cosine of two texts' embeddings is a prediction."""

    app_call: ClassVar[str] = "SequenceClassifier(bundle, engine).classify"
    """What answers such tasks in the Android library, in Kotlin."""

    has_several_labels: ClassVar[bool] = False
    """Whether an example may have several labels, or none."""

    is_tuned: ClassVar[bool] = False
    """Whether examples that were held out choose some of the settings."""

    has_shaped_losses: ClassVar[bool] = False
    """Whether labels can be smoothed and hard examples count more."""

    is_augmentable: ClassVar[bool] = True
    """Whether a text with some words changed is still an example."""

    takes_unlabelled: ClassVar[bool] = True
    """Whether any text is an example, on which a teacher can be asked."""

    reads_all_tokens: ClassVar[bool] = False
    """Whether its head needs the states of all tokens."""

    is_scored_in_training: ClassVar[bool] = True
    """Whether scoring takes seconds, so that training can wait for it."""

    most_languages: ClassVar[int] = 1
    """In how many languages an example's texts may be."""

    def reads_pairs(self, num_texts: int) -> bool:
        """Tell whether a model reads two texts together.

        Args:
            num_texts: of an example.
        """
        return num_texts == 2

    @abc.abstractmethod
    def num_outputs(self, task: Task) -> int:
        """Return how many numbers a head gives for a text, or for a token."""

    def parse_label(self, task: Task, written: str, where: str) -> Label:
        """Read a label as files write it.

        Args:
            task: says what the labels are.
            written: the label as the file writes it.
            where: what the error calls its place, such as "dev.tsv, line 7".

        Raises:
            UserError: it is none of the task's.
            NotImplementedError: the labels are no fields of a table.
        """
        raise NotImplementedError(f"{self.name}: a label is no field of a row")

    def names_of(self, task: Task, written: str | Sequence[str]) -> list[str]:
        """Return the names of the classes in a field of a user's own file."""
        return [written.strip()] if isinstance(written, str) else [*written]

    def parse_numbers(
        self, task: Task, values: "np.ndarray", where: str
    ) -> tuple[Label, tuple[float, ...] | None]:
        """Read a row of numbers, one for each class.

        Args:
            task: says what the classes and the numbers are.
            values: float64 `[classes]`.
            where: what the error calls its place.

        Returns:
            The label, and the probabilities of classes of which one is true.

        Raises:
            UserError: they are no such numbers.
            NotImplementedError: there are no classes.
        """
        raise NotImplementedError(f"{self.name} has no classes")

    def written_label(self, task: Task, label: int | float) -> str:
        """Write a label or a prediction as the task's own files do.

        Raises:
            UserError: it is none of the task's.
            NotImplementedError: the labels are no fields of a table.
        """
        raise NotImplementedError(f"{self.name}: a label is no field of a row")

    def metrics_of(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Return the metrics of a user's own file, by `tasks.metrics`' names.

        Args:
            labels: the names of its classes, if it has some.
        """
        return ()

    @abc.abstractmethod
    def made_up_example(self, task: Task, index: int) -> Any:
        """Return the example number `index` of a run that needs no files."""

    def example_of(self, name: str, texts: tuple[str, ...]) -> Any:
        """Return a caller's texts as an example, which has no label.

        Args:
            name: its id.
            texts: one, or two that are read together.
        """
        return Example(name, texts, None)

    @abc.abstractmethod
    def encode(
        self,
        task: Task,
        examples: Sequence[Any],
        tokenizer: Tokenizer,
        settings: Settings,
        cache_dir: str | os.PathLike | None = None,
    ) -> Encoded:
        """Turn examples into sequences of token ids, with their labels.

        Args:
            task: says what the labels are.
            examples: of `task`.
            tokenizer: a KerasHub tokenizer of an encoder.
            settings: how long a sequence may be.
            cache_dir: where token ids are kept; nowhere if `None`.

        Raises:
            UserError: there is no example, or no room for one.
        """

    @abc.abstractmethod
    def build_head(
        self, task: Task, backbone: "keras.Model", dropout: float
    ) -> "keras.Model":
        """Return a Keras model with a new head for `task` on `backbone`."""

    @abc.abstractmethod
    def head_classes(self) -> tuple[type, ...]:
        """Return the classes of models with a head of this kind.

        Presets name these classes, or a subclass that KerasHub knows.
        """

    def is_head(self, model: "keras.Model") -> bool:
        """Tell whether a model has a head of this kind."""
        return isinstance(model, self.head_classes())

    @abc.abstractmethod
    def is_head_of(self, task: Task, model: "keras.Model") -> bool:
        """Tell whether a model's outputs are those that `task` asks for."""

    @abc.abstractmethod
    def describe_head(self, model: "keras.Model") -> str:
        """Say for a message what a model with a head of this kind gives."""

    @abc.abstractmethod
    def describe_outputs(self, task: Task) -> str:
        """Say for a message what a head for `task` has to give."""

    def init_head(  # noqa: B027 - most kinds have nothing to do.
        self, student: "keras.Model", teacher: "keras.Model"
    ) -> None:
        """Start a student's new head from its teacher's; by default nothing.

        Args:
            student: a Keras model of `build_head`.
            teacher: another one, which is trained.
        """

    def trained_output(self, model: "keras.Model") -> Any:
        """Return the symbolic output that `losses` are for."""
        return model.output

    @abc.abstractmethod
    def losses(self, model: "keras.Model") -> dict[str, Any]:
        """Return the loss of fine-tuning, as arguments of `compile`.

        Args:
            model: a Keras model of `build_head`.
        """

    def shaped_losses(self, smoothing: float, gamma: float) -> dict[str, Any]:
        """Return the loss of fine-tuning with smoothed labels, or focal.

        Args:
            smoothing: the share of a label that all classes get alike.
            gamma: the exponent of the focal loss (arXiv 1708.02002); 0 for
                the plain cross-entropy.

        Raises:
            NotImplementedError: the kind has no classes.
        """
        raise NotImplementedError(f"{self.name} has no classes")

    def losses_of_each(self, smoothing: float, gamma: float) -> dict[str, Any]:
        """Return the loss of each of several labels, which weights may scale.

        Args:
            smoothing: as `shaped_losses` takes it; 0 for none.
            gamma: the same.

        Raises:
            NotImplementedError: an example has one label.
        """
        raise NotImplementedError(f"{self.name} has no several labels")

    def standardise(self, encoded: Encoded) -> tuple[Encoded, Scale]:
        """Prepare the labels to learn from; by default leave them.

        Returns:
            The sequences with standardised labels, and the labels' scale.
        """
        return encoded, Scale()

    def restore_scale(  # noqa: B027 - most kinds have nothing to do.
        self, model: "keras.Model", scale: Scale
    ) -> None:
        """Undo `standardise` in the head of a trained model."""

    @abc.abstractmethod
    def decode(
        self,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
    ) -> list[Any]:
        """Turn a model's outputs into a prediction for each example.

        Args:
            examples: what `encoded` was made of.
            encoded: of `encode`.
            outputs: of each sequence an array, or a dict of arrays by the
                output's name.
        """

    def predictions(
        self,
        settings: Settings,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
    ) -> list[Any]:
        """Turn a model's outputs into what a caller reads for each example.

        Args:
            settings: as the model was fine-tuned.
            examples: of `example_of`, which `encoded` was made of.
            encoded: of `encode`.
            outputs: as `decode` takes them.

        Returns:
            Frozen dataclasses, such as those of `tasks.predictions`.

        Raises:
            NotImplementedError: the kind has none yet.
        """
        raise NotImplementedError(f"{self.name} has no predictions to read")

    def tune(
        self,
        settings: Settings,
        examples: Sequence[Any],
        decoded: Sequence[Any],
    ) -> Settings:
        """Return the settings that score best; by default as they are.

        Args:
            settings: of a trained model.
            examples: that were held out.
            decoded: of `decode`.
        """
        return settings

    @abc.abstractmethod
    def score(
        self,
        task: Task,
        examples: Sequence[Any],
        decoded: Sequence[Any],
        settings: Settings,
        language: str | None = None,
    ) -> Result:
        """Score predictions by the task's metrics.

        Args:
            task: whose metrics.
            examples: with labels, or without.
            decoded: of `decode`.
            settings: as the model was fine-tuned.
            language: of the examples' texts, if the task has several.

        Raises:
            UserError: a prediction is not one of the task's.
        """

    @abc.abstractmethod
    def answers(
        self,
        task: Task,
        examples: Sequence[Any],
        encoded: Encoded,
        outputs: Sequence[Any],
        settings: Settings,
        language: str | None = None,
    ) -> Answers:
        """Turn a model's outputs into what `tasks.judging` judges.

        Args:
            task: whose metrics, as `score` has them.
            examples: with labels.
            encoded: of `encode`.
            outputs: as `decode` takes them.
            settings: as the model was fine-tuned.
            language: of the examples' texts, if the task has several.
        """

    def manifest_part(
        self, settings: Settings, lengths: Sequence[int]
    ) -> dict[str, Any] | None:
        """Return what a manifest says under `manifest_name`, if anything.

        Args:
            settings: as the model was fine-tuned.
            lengths: in tokens, of the bundle's signatures.

        Raises:
            UserError: the lengths leave no room for an example.
        """
        return None

    def read_manifest_part(
        self, settings: Settings, part: dict[str, Any] | None
    ) -> Settings:
        """Return settings with what `manifest_part` had written."""
        return settings

"""Load, head and save the kinds of models that are trained.

A backbone gives hidden states, a masked language model names the tokens hidden
from it, and a model with a task's head answers the task's question.
"""

import dataclasses
from typing import Protocol

import keras

from tfminilm import teachers
from tfminilm.distiller import Distiller
from tfminilm.errors import UserError
from tfminilm.tasks import heads
from tfminilm.tasks.kinds import kind_of, kind_of_head
from tfminilm.tasks.settings import Settings
from tfminilm.tasks.task import Task
from tfminilm.teachers import masked_lm
from tfminilm.teachers.embedding import write_embedding
from tfminilm.teachers.load import hugging_face_folder
from tfminilm.teachers.presets import save_preset
from tfminilm.train.score import require_labels
from tfminilm.typing import Source, Tokenizer


class ModelKind(Protocol):
    """Define a kind of model, of teacher and student alike."""

    def load_teacher(self, source: Source, dtype: str) -> keras.Model:
        """Load a teacher that computes in `dtype`.

        Raises:
            UserError: there is none of this kind.
        """

    def as_teacher(self, student: keras.Model, stage: str) -> keras.Model:
        """Return the student of an earlier stage as its teacher.

        Raises:
            UserError: it is none of this kind.
        """

    def attach_head(
        self, backbone: keras.Model, teacher: keras.Model | None = None
    ) -> keras.Model:
        """Return a backbone with the head that is trained on it, if any."""

    def to_float32(self, model: keras.Model) -> keras.Model:
        """Return a copy in float32, whatever the model was trained in."""

    def load(self, folder: Source) -> keras.Model:
        """Load what `save` wrote."""

    def save(
        self, model: keras.Model, tokenizer: Tokenizer, folder: Source
    ) -> None:
        """Write a float32 model as a KerasHub preset."""


@dataclasses.dataclass(frozen=True)
class Cut:
    """Say how a model reads texts: cut by a tokenizer, up to a length."""

    tokenizer: Tokenizer
    max_length: int


@dataclasses.dataclass(frozen=True)
class Models:
    """Hold what a run trains.

    Attributes:
        trained: what `fit` trains: a `Distiller`, or the student itself.
        student: what is saved in the end.
        tokenizer: the student's.
        teacher_cut: how the teacher reads texts; `None` if as the student.
        notes: what a person is told of how they were made.
    """

    trained: keras.Model
    student: keras.Model
    tokenizer: Tokenizer
    teacher_cut: Cut | None = None
    notes: tuple[str, ...] = ()

    @property
    def variables(self) -> list[keras.Variable]:
        """List what a checkpoint has to hold, once the model is compiled."""
        variables = self.student.variables
        if isinstance(self.trained, Distiller):
            variables = self.trained.own_variables
        return [*variables, *self.trained.optimizer.variables]


class Backbone:
    """Handle encoders without a head."""

    def load_teacher(self, source: Source, dtype: str) -> keras.Model:
        """Load the backbone out of any model."""
        return teachers.load_backbone(source, dtype)

    def as_teacher(self, student: keras.Model, stage: str) -> keras.Model:
        """Return the backbone of a student."""
        return getattr(student, "backbone", student)

    def attach_head(
        self, backbone: keras.Model, teacher: keras.Model | None = None
    ) -> keras.Model:
        """Return the backbone itself, which is trained as it is."""
        return backbone

    def to_float32(self, model: keras.Model) -> keras.Model:
        """Return a copy in float32."""
        config = model.get_config() | {"dtype": "float32"}
        copy = type(model).from_config(config)
        copy.set_weights(model.get_weights())
        return copy

    def load(self, folder: Source) -> keras.Model:
        """Load what `save` wrote."""
        return teachers.load_backbone(folder)

    def save(
        self, model: keras.Model, tokenizer: Tokenizer, folder: Source
    ) -> None:
        """Write a float32 model as a KerasHub preset."""
        save_preset(model, tokenizer, folder)
        write_embedding(folder, model)


@dataclasses.dataclass(frozen=True)
class MaskedLM:
    """Handle backbones with a head that names masked tokens.

    Attributes:
        method: what messages call the method that needs the head.
        needs_teacher: whether the teacher's head is asked; without it a
            teacher gives the vocabulary alone.
        has_pairs: whether another head tells whether texts follow each other.
        copies_head: whether students start with the teacher's head.
    """

    method: str
    needs_teacher: bool = True
    has_pairs: bool = False
    copies_head: bool = True

    def load_teacher(self, source: Source, dtype: str) -> keras.Model:
        """Load a masked language model with its trained head."""
        if self.needs_teacher:
            return masked_lm.load_masked_lm(source, dtype)
        return masked_lm.build_masked_lm(teachers.load_backbone(source, dtype))

    def as_teacher(self, student: keras.Model, stage: str) -> keras.Model:
        """Return a student that has a head.

        Raises:
            UserError: it has none.
        """
        if not hasattr(student, "masked_lm_head"):
            raise UserError(
                f"{stage} has no masked-language-model head, "
                f"which {self.method} needs: distil it "
                "with a method that trains one, such as MLMKD"
            )
        return student

    def attach_head(
        self, backbone: keras.Model, teacher: keras.Model | None = None
    ) -> keras.Model:
        """Return a backbone with a new head, or with its teacher's."""
        model = self._build(backbone)
        if self.copies_head and teacher is not None:
            masked_lm.copy_head(model, teacher)
        return model

    def to_float32(self, model: keras.Model) -> keras.Model:
        """Return a copy in float32."""
        copy = self._build(Backbone().to_float32(model.backbone))
        copy.set_weights(model.get_weights())
        return copy

    def load(self, folder: Source) -> keras.Model:
        """Load what `save` wrote."""
        return masked_lm.load_masked_lm(folder)

    def save(
        self, model: keras.Model, tokenizer: Tokenizer, folder: Source
    ) -> None:
        """Write a float32 model as a KerasHub preset."""
        save_preset(model, tokenizer, folder)

    def _build(self, backbone: keras.Model) -> keras.Model:
        return masked_lm.build_masked_lm(backbone, next_sentence=self.has_pairs)


@dataclasses.dataclass(frozen=True)
class TaskHead:
    """Handle backbones with the head of a task.

    Attributes:
        task: what is asked.
        settings: how the model reads it; saved beside the model.
        dropout: before the head's last layer.
        teacher_labels: the teacher's classes, if its folder names none.
    """

    task: Task
    settings: Settings
    dropout: float
    teacher_labels: tuple[str, ...] = ()

    def load_teacher(self, source: Source, dtype: str) -> keras.Model:
        """Load a model that was fine-tuned on the task."""
        if teachers.is_tiny(source):
            backbone = teachers.load_backbone(source, dtype)
            return heads.build_head(self.task, backbone)
        folder = hugging_face_folder(teachers.resolve(source))
        head = heads.load_head(folder)
        heads.check_head(self.task, head, str(source))
        settings = Settings.load(folder, self.teacher_labels)
        require_labels(self.task, settings, source)
        return heads.plain(head, dtype)

    def as_teacher(self, student: keras.Model, stage: str) -> keras.Model:
        """Return a student that has the task's head.

        Raises:
            UserError: it has none, or another one.
        """
        if kind_of_head(student) is None:
            raise UserError(
                f"{stage} gives another head than {self.task.name} asks for: "
                "distil it on that task"
            )
        heads.check_head(self.task, student, stage)
        return student

    def attach_head(
        self, backbone: keras.Model, teacher: keras.Model | None = None
    ) -> keras.Model:
        """Return a backbone with a new head."""
        head = heads.build_head(self.task, backbone, self.dropout)
        if teacher is not None:
            kind_of(self.task).init_head(head, teacher)
        return head

    def to_float32(self, model: keras.Model) -> keras.Model:
        """Return a copy in float32."""
        return heads.plain(model)

    def load(self, folder: Source) -> keras.Model:
        """Load what `save` wrote."""
        return heads.load_head(folder)

    def save(
        self, model: keras.Model, tokenizer: Tokenizer, folder: Source
    ) -> None:
        """Write a float32 model as a KerasHub preset, and its settings."""
        save_preset(model, tokenizer, folder, self.settings.max_length)
        self.settings.save(folder)

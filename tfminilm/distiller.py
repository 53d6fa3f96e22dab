"""The model that `fit` trains: a student that learns from a teacher."""

from typing import Any

import keras
from keras import ops

from tfminilm.errors import UserError
from tfminilm.layers import fused
from tfminilm.methods.terms import Method
from tfminilm.teachers.expose import encoder_calls, expose

_STUDENT_OUTPUT = "student_output"


class Distiller(keras.Model):
    """Trains a student to reproduce what a method reads from a teacher.

    ```python
    distiller = tfminilm.Distiller(teacher, student, tfminilm.methods.MiniLM())
    distiller.compile(optimizer=keras.optimizers.AdamW(5e-4))
    distiller.fit(dataset)  # dicts of token_ids, segment_ids, padding_mask
    student.save_to_preset("minilm")
    ```

    A step runs the teacher once (frozen, in inference mode) and the student
    once, each only up to the last tensor that a loss needs. Weights above it
    get no gradient and are not trained. Calling the distiller, and `predict`,
    give the student's own output; `save` writes the student alone.

    Args:
        teacher: a KerasHub encoder. Its `trainable` is set to `False`.
        student: a KerasHub encoder with the teacher's vocabulary.
        method: which tensors meet in which loss.
        name: the model's name.

    Raises:
        UserError: the method cannot distil this teacher into this student.
    """

    def __init__(
        self,
        teacher: keras.Model,
        student: keras.Model,
        method: Method,
        *,
        name: str | None = None,
    ):
        # The student's policy: compile scales the loss of a float16 student.
        super().__init__(name=name, dtype=student.dtype_policy)
        method.check(teacher, student)
        _check_vocabularies(teacher, student)
        teacher.trainable = False
        self.teacher = teacher
        self.student = student
        self.method = method
        self.terms = method.terms()
        self._teacher_view, self._teacher_keys = _view(
            teacher, [term.teacher for term in self.terms]
        )
        self._student_view, self._student_keys = _view(
            student, [term.student for term in self.terms]
        )
        self._term_trackers = [
            keras.metrics.Mean(name=term.name) for term in self.terms
        ]
        self._trained = self._student_view.trainable_variables
        self._is_distilling = False
        self.built = True

    def compile(
        self,
        optimizer: Any = "adamw",
        metrics: Any = None,
        jit_compile: Any = "auto",
        **kwargs: Any,
    ) -> None:
        """Configures training; the losses are the method's.

        Args:
            optimizer: as in `keras.Model.compile`.
            metrics: metrics of the student's own output against `y`. They
                need the whole student to run; without them it runs only up to
                the last tensor that a loss needs.
            jit_compile: `True`, `False` or "auto".
            **kwargs: what else `keras.Model.compile` takes, such as
                `steps_per_execution`.
        """
        super().compile(
            optimizer=optimizer,
            metrics=metrics,
            jit_compile=jit_compile,
            **kwargs,
        )
        fused.fuse_updates(self.optimizer)
        if metrics is not None:
            self._student_view = _with_output(self._student_view, self.student)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        model = self._student_view if self._is_distilling else self.student
        return model(_inputs(model, inputs), training=training)

    def train_step(self, *args: Any) -> Any:
        return self._distilling(super().train_step, *args)

    def test_step(self, *args: Any) -> Any:
        return self._distilling(super().test_step, *args)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The weighted sum of the method's terms, a scalar."""
        view = self._teacher_view
        teacher = view(_inputs(view, x), training=False)
        mask = x["padding_mask"]
        total = 0.0
        for term, tracker, teacher_key, student_key in zip(
            self.terms,
            self._term_trackers,
            self._teacher_keys,
            self._student_keys,
            strict=True,
        ):
            pair = teacher[teacher_key], y_pred[student_key]
            if isinstance(term.loss, keras.distillation.DistillationLoss):
                value = term.loss.compute_loss(*pair)
            else:
                value = term.loss(*pair, mask, sample_weight=sample_weight)
            tracker.update_state(value, sample_weight=ops.shape(mask)[0])
            total = total + term.weight * value
        return total

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        # Keras also calls this before it traces a step, on the plain output.
        output = y_pred.get(_STUDENT_OUTPUT, y_pred)
        return super().compute_metrics(x, y, output, sample_weight)

    @property
    def trainable_variables(self) -> list[Any]:
        """The student's variables that a loss depends on."""
        return [v for v in self._trained if v.trainable]

    @property
    def trainable_weights(self) -> list[Any]:
        return self.trainable_variables

    @property
    def non_trainable_variables(self) -> list[Any]:
        trained = {id(v) for v in self.trainable_variables}
        return [v for v in self.variables if id(v) not in trained]

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Saves the student alone; see `keras.Model.save`."""
        self.student.save(filepath, *args, **kwargs)

    def _distilling(self, step: Any, *args: Any) -> Any:
        # Runs while Keras traces its step, so that `call` shows the losses
        # what is inside the student instead of its output.
        self._is_distilling = True
        try:
            return step(*args)
        finally:
            self._is_distilling = False


def _view(
    model: keras.Model, tensors: list[tuple[str, int]]
) -> tuple[keras.Model, list[str]]:
    """The model exposed for these tensors, and the key of each of them."""
    num_layers = len(encoder_calls(model))
    outputs: dict[str, list[int]] = {}
    keys = []
    for name, index in tensors:
        outputs.setdefault(name, []).append(index)
        count = num_layers + (name == "hidden_states")
        keys.append(f"{name}/{index % count}")
    return expose(model, outputs), keys


def _with_output(view: keras.Model, model: keras.Model) -> keras.Model:
    outputs = view.output | {_STUDENT_OUTPUT: model.output}
    return keras.Model(view.input, outputs, name=view.name)


def _inputs(model: keras.Model, batch: Any) -> dict[str, Any]:
    """What this model reads of a batch; the other may read more, or less."""
    if missing := sorted(set(model.input) - set(batch)):
        raise UserError(
            f"{model.name} reads {', '.join(model.input)}, but the batch has "
            f"no {', '.join(missing)}: add it to the data"
        )
    return {name: batch[name] for name in model.input}


def _check_vocabularies(teacher: keras.Model, student: keras.Model) -> None:
    theirs, ours = (
        # ELECTRA alone calls it otherwise.
        getattr(model, "vocabulary_size", getattr(model, "vocab_size", None))
        for model in (teacher, student)
    )
    if theirs != ours:
        raise UserError(
            f"teacher and student read different vocabularies: {theirs} and "
            f"{ours} tokens; build the student with vocabulary_size={theirs}"
        )

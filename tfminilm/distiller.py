"""The model that `fit` trains: a student that learns from a teacher."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from tfminilm import checks, inputs, views
from tfminilm.errors import UserError
from tfminilm.layers import fused
from tfminilm.methods import config as method_config
from tfminilm.methods import vocabularies
from tfminilm.methods.terms import Method, Term
from tfminilm.private import hdf5, optimizers, replicas, trainers
from tfminilm.teachers.expose import head_outputs
from tfminilm.typing import Source, Tensors

_STUDENT_OUTPUT = "student_output"
_Loss = str | Callable[..., Any] | list | dict | None


@keras.saving.register_keras_serializable(package="tfminilm")
class Distiller(
    inputs.ReadsTexts, trainers.Restored, trainers.OnWorkers, keras.Model
):
    """Trains a student to reproduce tensors of a teacher.

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

    Batches have Keras' forms: `x`, or with labels `(x, y)` or
    `(x, y, sample_weight)`. `x` is a dict of the columns that both models
    read, under KerasHub's or Hugging Face's names; or texts, if the student
    (or else the teacher) has a preprocessor. If the teacher cuts texts by a
    tokenizer of its own, which only methods that compare whole texts allow, it
    reads the columns `teacher_token_ids` and so on. Labels are class numbers
    or one-hot. Weights of examples and classes count as in Keras: the loss is
    the sum of the weighted losses divided by the number of examples.

    As in Keras, the loss includes the student's own loss on `y`, if `compile`
    gets one, and the regularisation losses of the trained layers.

    Args:
        teacher: a KerasHub encoder, or a model with a head on one; for
            methods that only read outputs, such as `SoftTargets`, any Keras
            model. Its `trainable` is set to `False`.
        student: the same, but no subclassed model. Its layers may be frozen;
            as in Keras, a change of `trainable` takes effect at the next
            `compile`.
        method: says which tensors are compared by which loss.
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
        self.terms = method.terms(teacher, student)
        vocabularies.check(teacher, student, self.terms, method)
        self._student_tensors = [term.student for term in self.terms]
        self._lower_view = views.view(student, self._student_tensors)
        self._student_view = self._lower_view
        self._whole_view: Any = None
        tensors = [term.teacher for term in self.terms if term.teacher]
        self._teacher_view = views.view(teacher, tensors) if tensors else None
        teacher.trainable = False
        self.teacher = teacher
        self.student = student
        self.method = method
        self.projections = {
            term.projection: views.projection(teacher, student, term)
            for term in self.terms
            if term.projection
        }
        self._term_trackers = [
            replicas.Mean(name=term.name) for term in self.terms
        ]
        self._own_tracker = replicas.Mean(name="student_loss")
        self._is_distilling = False
        self.built = True

    def compile(
        self,
        optimizer: keras.optimizers.Optimizer = "adamw",
        loss: _Loss = None,
        loss_weights: float | list | dict | None = None,
        metrics: list | dict | None = None,
        weighted_metrics: list | dict | None = None,
        jit_compile: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        """Configure training.

        With a loss or metrics the whole student runs; without them it runs
        only up to the last tensor that the method needs.

        Args:
            optimizer: as in `keras.Model.compile`.
            loss: the student's own loss of its output against `y`, which is
                added to the method's, and reported as `student_loss`.
            loss_weights: its factor, 1 by default; a dict by outputs if the
                loss is one. The method's weights are not changed.
            metrics: metrics of the student's own output against `y`.
            weighted_metrics: the same, with `sample_weight`.
            jit_compile: `True`, `False` or "auto".
            **kwargs: other arguments of `keras.Model.compile`, such as
                `steps_per_execution`.
        """
        trainers.forget_compiled(self)
        super().compile(
            optimizer=optimizer,
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            jit_compile=jit_compile,
            **kwargs,
        )
        optimizers.prepare(self.optimizer)
        trainers.set_loss_tracker(self, replicas.Mean(name="loss"))
        self._student_view = self._lower_view
        if not (loss is metrics is weighted_metrics is None):
            self._whole_view = self._whole_view or views.view(
                self.student, self._student_tensors, _STUDENT_OUTPUT
            )
            self._student_view = self._whole_view

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as `get_compile_config` describes."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def call(self, x: Tensors, training: bool | None = None) -> Any:
        model = self._student_view if self._is_distilling else self.student
        return model(inputs.read(model, x), training=training)

    def train_step(self, *args: Any) -> Any:
        return self._distilling(super().train_step, *args)

    def test_step(self, *args: Any) -> Any:
        return self._distilling(super().test_step, *args)

    def compute_loss(
        self,
        x: Tensors | None = None,
        y: Tensors | None = None,
        y_pred: Tensors = None,
        sample_weight: Tensors | None = None,
        training: bool = True,
    ) -> Any:
        """Return the weighted sum of the terms and Keras' losses, a scalar."""
        if not self._is_distilling:  # Keras only looks at shapes.
            return self._own_loss(x, y, y_pred, sample_weight)
        # Read before the teacher runs, which would add its losses to these.
        total = ops.zeros(())
        for loss in self.losses:
            total = total + ops.sum(ops.cast(loss, "float32"))
        view, read = self._teacher_view, inputs.teacher_columns(x)
        vocabularies.check_batch(self, read is not x)
        teacher = view and view(inputs.read(view, read), training=False)
        masks = inputs.padding_mask(read), inputs.padding_mask(x)
        for term, tracker in zip(self.terms, self._term_trackers, strict=True):
            student = self._student_tensor(term, y_pred)
            if term.teacher is None:
                target = inputs.labels(term.name, term.student[0], x, y)
            else:
                target = views.pick(self.teacher, term.teacher, teacher)
            with fused.after(total):  # One term at a time, to save memory.
                weight = self._weight(term, sample_weight)
                value = term.value(target, student, masks, weight)
            tracker.update_state(value, sample_weight=inputs.rows(x))
            total = total + term.weight * value
        if trainers.compiled_loss(self) is not None:
            output = y_pred[_STUDENT_OUTPUT]
            value = self._own_loss(x, y, output, sample_weight)
            self._own_tracker.update_state(value, sample_weight=inputs.rows(x))
            total = total + value
        # Replicas add up their gradients: each returns its share of the mean.
        return trainers.share_of_loss(self, total)

    def compute_metrics(
        self,
        x: Tensors,
        y: Tensors,
        y_pred: Tensors,
        sample_weight: Tensors | None = None,
    ) -> dict[str, Any]:
        # Keras also calls this before it traces a step, on the plain output.
        if isinstance(y_pred, dict):
            y_pred = y_pred.get(_STUDENT_OUTPUT, y_pred)
        y = inputs.own_labels(x, y, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    @property
    def metrics(self) -> list[Any]:
        """The metrics that `fit` reports: loss, terms, `compile`'s."""
        is_alone = trainers.compiled_loss(self) is None
        unused = self._own_tracker if is_alone else None
        return [metric for metric in super().metrics if metric is not unused]

    @property
    def output_names(self) -> list[str] | None:
        """The student's, by which `compile` names losses and metrics."""
        return getattr(self.student, "output_names", None)

    @property
    def trainable_variables(self) -> list[Any]:
        """The variables that a loss depends on.

        They are the projections' and the student's, except those above the last
        tensor that a loss reads.
        """
        has_own = trainers.compiled_loss(self) is not None
        read = [self._whole_view if has_own else self._lower_view]
        return [
            variable
            for layer in (*read, *self.projections.values())
            for variable in layer.trainable_variables
        ]

    @property
    def trainable_weights(self) -> list[Any]:
        return self.trainable_variables

    @property
    def non_trainable_variables(self) -> list[Any]:
        trained = {id(v) for v in self.trainable_variables}
        return [v for v in self.variables if id(v) not in trained]

    def save(self, filepath: Source, *args: Any, **kwargs: Any) -> None:
        """Save the student only; see `keras.Model.save`."""
        with hdf5.writing():
            self.student.save(filepath, *args, **kwargs)

    def save_weights(self, filepath: Source, *args: Any, **kwargs: Any) -> None:
        """Save the student, the projections and the optimizer's state."""
        with hdf5.writing():
            keras.saving.save_weights(
                self, filepath, *args, objects_to_skip=self._unsaved(), **kwargs
            )

    def load_weights(self, filepath: Source, *args: Any, **kwargs: Any) -> None:
        """Load what `save_weights` saved."""
        keras.saving.load_weights(
            self, filepath, *args, objects_to_skip=self._unsaved(), **kwargs
        )

    def get_config(self) -> dict[str, Any]:
        """Return teacher, student, method and name, without weights."""
        serialize = keras.saving.serialize_keras_object
        return {
            "teacher": serialize(self.teacher),
            "student": serialize(self.student),
            "method": method_config.to_config(self.method),
            "name": self.name,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict | None = None
    ) -> "Distiller":
        """Build a distiller of new models, as `get_config` describes them."""
        teacher, student = (
            keras.saving.deserialize_keras_object(
                config[role], custom_objects=custom_objects
            )
            for role in ("teacher", "student")
        )
        method = method_config.from_config(config["method"])
        return cls(teacher, student, method, name=config["name"])

    def preprocess(
        self,
        x: Tensors,
        y: Tensors | None = None,
        sample_weight: Tensors | None = None,
    ) -> Any:
        """Turn texts into both models' inputs; see `inputs.preprocess`."""
        apart = vocabularies.may_differ(self.terms)
        models = [self.student, self.teacher]
        return inputs.preprocess(models, x, y, sample_weight, apart)

    @property
    def passes(self) -> list[tuple[keras.Model, bool]]:
        """The models that a step runs, and whether each is trained."""
        models = [(self._student_view, True)]
        if self._teacher_view is not None:
            models.append((self._teacher_view, False))
        return models

    @property
    def own_variables(self) -> list[Any]:
        """The variables of a checkpoint: all but the teacher's and metrics'."""
        projections = self.projections.values()
        return [
            *self.student.variables,
            *(v for layer in projections for v in layer.variables),
        ]

    def _student_tensor(self, term: Term, tensors: Tensors) -> Any:
        """Return the student's tensor of a term, projected if need be."""
        tensor = views.pick(self.student, term.student, tensors)
        if not term.projection:
            return tensor
        return keras.tree.map_structure(
            self.projections[term.projection], tensor
        )

    def _weight(self, term: Term, sample_weight: Tensors) -> Any:
        """Return the weights that a term's loss gets."""
        heads = head_outputs(self.student)
        of_tokens = any(len(output.shape) == 3 for output in heads.values())
        name = term.student[0]
        return inputs.weights(sample_weight, name, name in heads, of_tokens)

    def _own_loss(
        self, x: Tensors, y: Tensors, y_pred: Tensors, sample_weight: Tensors
    ) -> Any:
        """Return the replica's share of the loss that `compile` got."""
        y = inputs.own_labels(x, y, y_pred)
        if y is None:
            raise UserError(
                "compile got a loss, but the batch has no labels for it: give "
                "(x, y), or leave the loss out"
            )
        value = trainers.compiled_loss(self)(y, y_pred, sample_weight)
        # Keras gives all replicas equal weight, however many examples each has.
        rows = ops.cast(inputs.rows(x), "float32")
        all_rows = ops.maximum(replicas.mean(rows), 1e-9)
        return value * replicas.count() * rows / all_rows

    def _unsaved(self) -> list[Any]:
        """Return what `save_weights` leaves out: the teacher and all views."""
        cut = self._lower_view, self._whole_view, self._teacher_view
        return [model for model in (self.teacher, *cut) if model is not None]

    def _run(self, method: Callable[..., Any], **kwargs: Any) -> Any:
        with checks.plain_errors(), self.restored():
            return super()._run(method, **kwargs)

    def _distilling(self, step: Callable[..., Any], *args: Any) -> Any:
        # While Keras traces its step, `call` returns the student's inner
        # tensors for the losses instead of its output.
        self._is_distilling = True
        try:
            return step(*args)
        finally:
            self._is_distilling = False

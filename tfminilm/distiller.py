"""The model that `fit` trains: a student that learns from a teacher."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from tfminilm import checks, inputs, views
from tfminilm.errors import UserError
from tfminilm.layers import fused
from tfminilm.methods import config as method_config
from tfminilm.methods.terms import Method, Term
from tfminilm.private import optimizers, replicas, trainers
from tfminilm.teachers.expose import head_outputs
from tfminilm.typing import Tensor, Tensors

_STUDENT_OUTPUT = "student_output"


@keras.saving.register_keras_serializable(package="tfminilm")
class Distiller(
    inputs.ReadsTexts, trainers.Restored, trainers.OnWorkers, keras.Model
):
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

    Batches are what Keras takes: `x` alone, or with labels for the methods
    that compare with them, `(x, y)` or `(x, y, sample_weight)`. `x` is a dict
    with what both models read, under KerasHub's names of columns or Hugging
    Face's; or texts, if the student, or else the teacher, has a preprocessor.
    Labels are the numbers of classes, or one-hot. Weights of examples and
    classes count as in Keras: the loss is the sum of the weighted losses
    divided by the number of examples.

    What Keras adds to a loss counts here as well: the student's own loss on
    `y`, if `compile` gets one, and the regularisation losses of what is
    trained.

    Args:
        teacher: a KerasHub encoder, or a model with a head on one; for
            methods that read outputs alone, such as `SoftTargets`, any Keras
            model. Its `trainable` is set to `False`.
        student: the same, with the teacher's vocabulary, and no subclassed
            model. A layer of it may be frozen; as in Keras, what changes
            afterwards holds from the next `compile` on.
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
        self.terms = method.terms(teacher, student)
        self._learning = [term.student for term in self.terms]
        self._lower_view = views.view(student, self._learning)
        self._student_view = self._lower_view
        self._whole_view: Any = None
        taught = [term.teacher for term in self.terms if term.teacher]
        self._teacher_view = views.view(teacher, taught) if taught else None
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
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        jit_compile: Any = "auto",
        **kwargs: Any,
    ) -> None:
        """Configures training.

        A loss or metrics need the whole student to run; without them it runs
        only up to the last tensor that the method needs.

        Args:
            optimizer: as in `keras.Model.compile`.
            loss: the student's own loss of its output against `y`, which is
                added to the method's, and reported as `student_loss`.
            loss_weights: its factor, 1 by default; a dict by outputs where it
                is one. The method's weights stay as they are.
            metrics: metrics of the student's own output against `y`.
            weighted_metrics: the same, with `sample_weight`.
            jit_compile: `True`, `False` or "auto".
            **kwargs: what else `keras.Model.compile` takes, such as
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
                self.student, self._learning, _STUDENT_OUTPUT
            )
            self._student_view = self._whole_view

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles as `get_compile_config` says."""
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
        """The weighted sum of the terms, and what Keras would add, a scalar."""
        if not self._is_distilling:  # Keras looks at shapes alone.
            return self._own_loss(x, y, y_pred, sample_weight)
        # Before the teacher runs, so that none of its losses are among them.
        total = ops.zeros(())
        for loss in self.losses:
            total = total + ops.sum(ops.cast(loss, "float32"))
        view = self._teacher_view
        teacher = view and view(inputs.read(view, x), training=False)
        mask = inputs.padding_mask(x)
        for term, tracker in zip(self.terms, self._term_trackers, strict=True):
            learnt = self._learnt(term, y_pred)
            if term.teacher is None:
                target = inputs.labels(term.name, term.student[0], x, y)
            else:
                target = views.pick(self.teacher, term.teacher, teacher)
            with fused.after(total):  # One term's tensors at a time.
                weight = self._weight(term, sample_weight)
                value = _value(term, target, learnt, mask, weight)
            tracker.update_state(value, sample_weight=inputs.rows(x))
            total = total + term.weight * value
        if trainers.compiled_loss(self) is not None:
            output = y_pred[_STUDENT_OUTPUT]
            own = self._own_loss(x, y, output, sample_weight)
            self._own_tracker.update_state(own, sample_weight=inputs.rows(x))
            total = total + own
        # Replicas add up their gradients: each brings its share of the mean.
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
        """Lists what `fit` reports: loss, terms, and what `compile` got."""
        is_alone = trainers.compiled_loss(self) is None
        unused = self._own_tracker if is_alone else None
        return [metric for metric in super().metrics if metric is not unused]

    @property
    def output_names(self) -> list[str] | None:
        """Gives the student's, by which `compile` names losses and metrics."""
        return getattr(self.student, "output_names", None)

    @property
    def trainable_variables(self) -> list[Any]:
        """The variables that a loss depends on.

        They are the student's, but for those above the last tensor that a
        loss reads, and those of the projections.
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

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Saves the student alone; see `keras.Model.save`."""
        self.student.save(filepath, *args, **kwargs)

    def save_weights(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Saves all that is not the teacher's; see `keras.Model.save_weights`.

        That is the student, the projections and the optimizer.
        """
        keras.saving.save_weights(
            self, filepath, *args, objects_to_skip=self._unsaved(), **kwargs
        )

    def load_weights(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Loads what `save_weights` saved."""
        keras.saving.load_weights(
            self, filepath, *args, objects_to_skip=self._unsaved(), **kwargs
        )

    def get_config(self) -> dict[str, Any]:
        """Teacher, student, method and name, without weights."""
        serialize = keras.saving.serialize_keras_object
        return {
            "teacher": serialize(self.teacher),
            "student": serialize(self.student),
            "method": method_config.to_config(self.method),
            "name": self.name,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None
    ) -> "Distiller":
        """A distiller of new models, as `get_config` describes them."""
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
        """Texts as what both models read; see `inputs.preprocess`."""
        return inputs.preprocess(
            [self.student, self.teacher], x, y, sample_weight
        )

    @property
    def passes(self) -> list[tuple[keras.Model, bool]]:
        """What a step runs, each model once; and whether it is trained."""
        found = [(self._student_view, True)]
        if self._teacher_view is not None:
            found.append((self._teacher_view, False))
        return found

    @property
    def own_variables(self) -> list[Any]:
        """What a checkpoint has to hold: all but the teacher and metrics."""
        projections = self.projections.values()
        return [
            *self.student.variables,
            *(v for layer in projections for v in layer.variables),
        ]

    def _learnt(self, term: Term, tensors: Any) -> Any:
        """What a term reads of the student."""
        learnt = views.pick(self.student, term.student, tensors)
        if not term.projection:
            return learnt
        return keras.tree.map_structure(
            self.projections[term.projection], learnt
        )

    def _weight(self, term: Term, sample_weight: Tensors) -> Any:
        """The weights that a term's loss gets."""
        heads = head_outputs(self.student)
        of_tokens = any(len(output.shape) == 3 for output in heads.values())
        name = term.student[0]
        return inputs.weights(sample_weight, name, name in heads, of_tokens)

    def _own_loss(
        self, x: Tensors, y: Tensors, y_pred: Tensors, sample_weight: Tensors
    ) -> Any:
        """The replica's share of the loss that `compile` got."""
        y = inputs.own_labels(x, y, y_pred)
        if y is None:
            raise UserError(
                "compile got a loss, but the batch has no labels for it: give "
                "(x, y), or leave the loss out"
            )
        value = trainers.compiled_loss(self)(y, y_pred, sample_weight)
        # Keras takes each replica's mean for an equal part of the whole.
        rows = ops.cast(inputs.rows(x), "float32")
        all_rows = ops.maximum(replicas.mean(rows), 1e-9)
        return value * replicas.count() * rows / all_rows

    def _unsaved(self) -> list[Any]:
        """Lists what `save_weights` leaves out: the teacher and all views."""
        cut = self._lower_view, self._whole_view, self._teacher_view
        return [model for model in (self.teacher, *cut) if model is not None]

    def _run(self, method: Callable[..., Any], **kwargs: Any) -> Any:
        with checks.plain_errors(), self.restored():
            return super()._run(method, **kwargs)

    def _distilling(self, step: Any, *args: Any) -> Any:
        # Runs while Keras traces its step, so that `call` shows the losses
        # what is inside the student instead of its output.
        self._is_distilling = True
        try:
            return step(*args)
        finally:
            self._is_distilling = False


def _value(
    term: Term, target: Any, learnt: Any, mask: Tensor, weight: Tensor
) -> Any:
    """Computes a term's loss."""
    if not isinstance(term.loss, keras.distillation.DistillationLoss):
        return term.loss(target, learnt, mask, sample_weight=weight)
    if weight is not None:
        raise UserError(
            f"{term.name} is a {type(term.loss).__name__}, which takes no "
            "sample_weight: use a loss of tfminilm.losses, or leave the "
            "weights out"
        )
    return term.loss.compute_loss(target, learnt)


def _check_vocabularies(teacher: keras.Model, student: keras.Model) -> None:
    theirs, ours = (
        # ELECTRA alone calls it otherwise.
        getattr(model, "vocabulary_size", getattr(model, "vocab_size", None))
        for model in (
            getattr(model, "backbone", model) for model in (teacher, student)
        )
    )
    # Models of Keras alone need not say how many they know.
    if None not in (theirs, ours) and theirs != ours:
        raise UserError(
            f"teacher and student read different vocabularies: {theirs} and "
            f"{ours} tokens; build the student with vocabulary_size={theirs}"
        )

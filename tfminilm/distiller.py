"""The model that `fit` trains: a student that learns from a teacher."""

import typing
from typing import Any

import keras
from keras import ops

from tfminilm.errors import UserError
from tfminilm.layers import fused, replicas
from tfminilm.methods.terms import Method, Tensor, Term
from tfminilm.teachers.expose import (
    expose,
    head_outputs,
    num_indices,
    with_output,
)

_STUDENT_OUTPUT = "student_output"


class Distiller(replicas.OnWorkers, keras.Model):
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
    with what both models read.

    Args:
        teacher: a KerasHub encoder, or a model with a head on one. Its
            `trainable` is set to `False`.
        student: the same, with the teacher's vocabulary.
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
        self._student_view = _view(student, [t.student for t in self.terms])
        taught = [term.teacher for term in self.terms if term.teacher]
        self._teacher_view = _view(teacher, taught) if taught else None
        teacher.trainable = False
        self.teacher = teacher
        self.student = student
        self.method = method
        self.projections = {
            term.projection: self._projection(term)
            for term in self.terms
            if term.projection
        }
        self._term_trackers = [
            keras.metrics.Mean(name=term.name) for term in self.terms
        ]
        self._trained = [
            *self._student_view.trainable_variables,
            *(v for p in self.projections.values() for v in p.weights),
        ]
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
        replicas.sum_gradients(self.optimizer)
        if metrics is not None:
            tensors = [term.student for term in self.terms]
            self._student_view = _view(self.student, tensors, _STUDENT_OUTPUT)

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
        teacher = view and view(_inputs(view, x), training=False)
        mask = x["padding_mask"]
        total = ops.zeros(())
        for term, tracker in zip(self.terms, self._term_trackers, strict=True):
            learnt = self._learnt(term, y_pred)
            if term.teacher is None:
                target = _labels(term, y)
            else:
                target = _pick(self.teacher, term.teacher, teacher)
            with fused.after(total):  # One term's tensors at a time.
                if isinstance(term.loss, keras.distillation.DistillationLoss):
                    value = term.loss.compute_loss(target, learnt)
                else:
                    weight = self._weight(term, sample_weight)
                    value = term.loss(
                        target, learnt, mask, sample_weight=weight
                    )
            tracker.update_state(value, sample_weight=ops.shape(mask)[0])
            total = total + term.weight * value
        # Replicas add up their gradients: each brings its share of the mean.
        return self._aggregate_additional_loss(total)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        # Keras also calls this before it traces a step, on the plain output.
        if isinstance(y_pred, dict):
            y_pred = y_pred.get(_STUDENT_OUTPUT, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    @property
    def trainable_variables(self) -> list[Any]:
        """The variables that a loss depends on.

        They are the student's, and those of the projections.
        """
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

    def _projection(self, term: Term) -> keras.layers.Layer:
        """A new linear map from the student's width to the teacher's."""
        theirs, ours = (
            _view(model, [tensor]).outputs[0].shape[-1]
            for model, tensor in (
                (self.teacher, typing.cast(Tensor, term.teacher)),
                (self.student, term.student),
            )
        )
        layer = keras.layers.Dense(
            theirs,
            use_bias=False,
            dtype=self.student.dtype_policy,
            name=term.projection,
        )
        layer.build((None, ours))
        return layer

    def _learnt(self, term: Term, tensors: Any) -> Any:
        """What a term reads of the student."""
        learnt = _pick(self.student, term.student, tensors)
        if not term.projection:
            return learnt
        return keras.tree.map_structure(
            self.projections[term.projection], learnt
        )

    def _weight(self, term: Term, sample_weight: Any) -> Any:
        """Weights of masked tokens mean nothing to a loss on all tokens."""
        if sample_weight is None or len(sample_weight.shape) == 1:
            return sample_weight
        is_head = term.student[0] in head_outputs(self.student)
        return sample_weight if is_head else None

    def _distilling(self, step: Any, *args: Any) -> Any:
        # Runs while Keras traces its step, so that `call` shows the losses
        # what is inside the student instead of its output.
        self._is_distilling = True
        try:
            return step(*args)
        finally:
            self._is_distilling = False


def _view(
    model: keras.Model, tensors: list[Tensor], output: str = ""
) -> keras.Model:
    """The model exposed for these tensors, and for its own output as well."""
    outputs: dict[str, list[int]] = {}
    for name, index in tensors:
        indices = [index] if isinstance(index, int) else index
        outputs.setdefault(name, []).extend(indices)
    if output:
        return with_output(model, outputs, output)
    return expose(model, outputs)


def _pick(model: keras.Model, tensor: Tensor, tensors: Any) -> Any:
    """A term's tensor, or list of them, among those of the model's view."""
    name, index = tensor
    count = num_indices(model, name)
    if isinstance(index, int):
        return tensors[f"{name}/{index % count}"]
    return [tensors[f"{name}/{each % count}"] for each in index]


def _labels(term: Term, y: Any) -> Any:
    """The labels that a term compares the student's tensor with."""
    name = term.student[0]
    if isinstance(y, dict):
        y = next(iter(y.values())) if len(y) == 1 else y.get(name)
    if y is None:
        raise UserError(
            f"{term.name} compares the student's {name} with labels, but the "
            f"batch has none for it: give (x, y), where y is the labels or a "
            f"dict with {name!r}"
        )
    return y


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
        for model in (
            getattr(model, "backbone", model) for model in (teacher, student)
        )
    )
    if theirs != ours:
        raise UserError(
            f"teacher and student read different vocabularies: {theirs} and "
            f"{ours} tokens; build the student with vocabulary_size={theirs}"
        )

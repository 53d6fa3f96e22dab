"""Terms between the outputs of two heads, and between outputs and labels.

The form of the loss follows from the shape of the output: scores of classes
`[..., classes]`; a distribution over the positions of a text
`[batch, length]`, without padding; or a number `[batch, 1]`. Scores of each
token's classes are compared at real tokens; a batch with weights `[batch,
length]` says which of them count. Heads that end in a softmax, or in a sigmoid
over one number, are compared by their logits.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from tfminilm import losses
from tfminilm.errors import UserError
from tfminilm.methods import labels as label_forms
from tfminilm.methods.terms import Term
from tfminilm.teachers.expose import head_outputs
from tfminilm.teachers.logits import (
    SIGMOID,
    ending_of,
    is_opaque,
    num_classes,
)
from tfminilm.typing import Tensor

# The output for next-sentence prediction, which learns from labels only.
NEXT_SENTENCE = "next_sentence_logits"
# The output of each token's classes, `[batch, length, classes]`.
TOKENS = "token_logits"
# Marks tokens without a label, as in PyTorch and Hugging Face's data sets.
IGNORED = -100
# A logit whose probability is 0, far from the largest float32.
_HIDDEN_LOGIT = -1e9


def soft_terms(
    student: keras.Model, temperature: float, weight: float
) -> list[Term]:
    """Return T² KL(teacher / T ‖ student / T) for every output of the head.

    A single number is no distribution: there it is the squared distance.
    """

    def loss(name: str, width: int | None) -> Callable[..., Any]:
        if name == TOKENS:
            return functools.partial(_soft_of_tokens, temperature=temperature)
        if width == 1:
            return _squared
        return functools.partial(
            _soft, temperature=temperature, is_over_tokens=width is None
        )

    return _terms("soft_targets", student, loss, weight)


def mse_terms(student: keras.Model, weight: float) -> list[Term]:
    """Return the squared distances of the outputs themselves."""

    def loss(name: str, width: int | None) -> Callable[..., Any]:
        if name == TOKENS:
            return _squared_of_tokens
        return _squared_over_tokens if width is None else _squared

    return _terms("logits_mse", student, loss, weight)


def hard_terms(
    student: keras.Model, weight: float, name: str = "hard_labels"
) -> list[Term]:
    """Return the cross-entropy with the labels.

    Of an output that is a single number it is the squared distance.
    """

    def loss(name: str, width: int | None) -> Callable[..., Any]:
        if name == TOKENS:
            return _hard_of_tokens
        if width == 1:
            return _squared_labels
        return functools.partial(_hard, is_over_tokens=width is None)

    return _terms(name, student, loss, weight, is_hard=True)


def next_sentence_terms(weight: float) -> list[Term]:
    """Return the cross-entropy of next-sentence prediction."""
    term = Term(
        "next_sentence",
        _next_sentence,
        teacher=None,
        student=(NEXT_SENTENCE, -1),
        weight=weight,
    )
    return [term] if weight else []


def check_heads(
    method: str, teacher: keras.Model, student: keras.Model
) -> None:
    """Raise `UserError` unless both heads answer the same question."""
    outputs_by_model = []
    for role, model in (("teacher", teacher), ("student", student)):
        if is_opaque(model):
            if role == "teacher":
                continue  # Its outputs are checked when it runs.
            raise UserError(
                f"{method}: the student {model.name!r} is a subclassed model "
                "that shows no outputs: build it of inputs and outputs, as "
                "KerasHub's models are"
            )
        outputs = _answers(model)
        if not outputs:
            raise UserError(
                f"{method} needs logits, but the {role} {model.name!r} is a "
                "backbone without a head: give it one, such as "
                "keras_hub.models.BertTextClassifier, and, if it is the "
                "teacher, fine-tune it first"
            )
        outputs_by_model.append(
            {n: _num_classes(n, x) for n, x in outputs.items()}
        )
    *teacher_outputs, student_outputs = outputs_by_model
    expected = teacher_outputs[0] if teacher_outputs else student_outputs
    if expected != student_outputs:
        raise UserError(
            f"{method} needs the same outputs of both heads: the teacher has "
            f"{_describe(expected)}, the student {_describe(student_outputs)}"
        )


def check_masked_lm(
    method: str,
    teacher: keras.Model,
    student: keras.Model,
    next_sentence: float = 0.0,
) -> None:
    """Raise `UserError` unless both are masked language models.

    Args:
        method: the name of the method, for messages.
        teacher: the teacher.
        student: the student.
        next_sentence: the weight of next-sentence prediction; above 0 the
            student has to predict it too.
    """
    import keras_hub

    for role, model in (("teacher", teacher), ("student", student)):
        if not isinstance(model, keras_hub.models.MaskedLM):
            fix = "load_masked_lm" if role == "teacher" else "build_masked_lm"
            raise UserError(
                f"{method} needs masked-language-model heads, and the {role} "
                f"{model.name!r} ({type(model).__name__}) has none: make it "
                f"with tfminilm.teachers.{fix}"
            )
    check_heads(method, teacher, student)
    if next_sentence and NEXT_SENTENCE not in head_outputs(student):
        raise UserError(
            f"{method} has a next_sentence_weight, and the student "
            f"{student.name!r} predicts no next sentences: make it with "
            "tfminilm.teachers.build_masked_lm(backbone, next_sentence=True)"
        )


def _answers(model: keras.Model) -> dict[str, Any]:
    """Return the outputs of a head that are compared between models."""
    outputs = head_outputs(model)
    outputs.pop(NEXT_SENTENCE, None)
    return outputs


def _num_classes(name: str, output: Tensor) -> int | None:
    """Return the number of classes, or `None` if they are a text's tokens."""
    if ending_of(output) == SIGMOID and output.shape[-1] != 1:
        raise UserError(
            f"{name} ends in a sigmoid for each of {output.shape[-1]} labels, "
            "expected a softmax, one sigmoid, or logits: the losses here are "
            "between classes of which one is true"
        )
    return num_classes(output)


def _terms(
    name: str,
    student: keras.Model,
    loss: Callable[[str, int | None], Callable[..., Any]],
    weight: float,
    is_hard: bool = False,
) -> list[Term]:
    """Build a term for each output; their weights sum to `weight`."""
    outputs = _answers(student)
    terms = []
    for output, tensor in outputs.items():
        label = output.removesuffix("_logits")
        terms.append(
            Term(
                name if len(outputs) == 1 else f"{name}_{label}",
                loss(output, _num_classes(output, tensor)),
                teacher=None if is_hard else (output, -1),
                student=(output, -1),
                weight=weight / len(outputs),
                per_text=_is_per_text(output, tensor),
            )
        )
    return terms if weight else []


def _is_per_text(name: str, output: Tensor) -> bool:
    """Tell whether an output scores whole texts, not tokens or positions."""
    return len(output.shape) == 2 and _num_classes(name, output) is not None


def _soft(
    teacher: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
    *,
    temperature: float,
    is_over_tokens: bool,
) -> Any:
    _check_shapes(teacher, student)
    if is_over_tokens:
        teacher = _without_padding(teacher, padding_mask)
        student = _without_padding(student, padding_mask)
    return losses.soft_targets(teacher, student, temperature, sample_weight)


def _hard(
    labels: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
    *,
    is_over_tokens: bool,
) -> Any:
    labels = label_forms.classes(labels, student, sample_weight)
    if is_over_tokens:
        student = _without_padding(student, padding_mask)
    return losses.hard_labels(labels, student, sample_weight)


def _soft_of_tokens(
    teacher: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
    *,
    temperature: float,
) -> Any:
    _check_shapes(teacher, student)
    weight, mask = _weight_and_mask(sample_weight, padding_mask)
    return losses.soft_targets(teacher, student, temperature, weight, mask)


def _squared_of_tokens(
    teacher: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    _check_shapes(teacher, student)
    weight, mask = _weight_and_mask(sample_weight, padding_mask)
    return losses.logits_mse(teacher, student, weight, mask)


def _hard_of_tokens(
    labels: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    labels = ops.convert_to_tensor(labels)
    weight, mask = _weight_and_mask(sample_weight, padding_mask)
    if len(labels.shape) == 2:
        is_labelled = labels != IGNORED
        labels = ops.where(is_labelled, labels, 0)
        if mask is None:
            weight = ops.cast(weight, "float32")
            weight = ops.where(is_labelled, weight, 0.0)
        else:
            mask = ops.where(is_labelled, ops.cast(mask, "int32"), 0)
    labels = label_forms.classes(
        labels, student, weight if mask is None else mask
    )
    return losses.hard_labels(labels, student, weight, mask)


def _weight_and_mask(
    sample_weight: Tensor | None, padding_mask: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """Return weights of examples and the real tokens, or weights of tokens."""
    if sample_weight is None or len(sample_weight.shape) == 1:
        return sample_weight, padding_mask
    return sample_weight, None


def _next_sentence(
    labels: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    # Weights `[batch, masked]` belong to masked tokens, not to pairs.
    is_of_pairs = sample_weight is not None and len(sample_weight.shape) == 1
    weights = sample_weight if is_of_pairs else None
    labels = label_forms.classes(labels, student, weights)
    return losses.next_sentence(student, labels, weights)


def _squared(
    teacher: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    _check_shapes(teacher, student)
    return losses.logits_mse(teacher, student, sample_weight)


def _squared_over_tokens(
    teacher: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    mask = ops.cast(padding_mask, "bool")
    teacher, student = (
        ops.where(mask, ops.cast(x, "float32"), 0.0) for x in (teacher, student)
    )
    # Scaled so that the mean over all positions becomes one over real ones.
    real = ops.mean(ops.cast(mask, "float32"), axis=-1, keepdims=True)
    scale = ops.rsqrt(ops.maximum(real, 1e-9))
    return losses.logits_mse(teacher * scale, student * scale, sample_weight)


def _squared_labels(
    labels: Tensor,
    student: Tensor,
    padding_mask: Tensor,
    sample_weight: Tensor | None = None,
) -> Any:
    labels = label_forms.numbers(labels, student)
    return _squared(labels, student, padding_mask, sample_weight)


def _without_padding(logits: Tensor, padding_mask: Tensor) -> Any:
    mask = ops.cast(padding_mask, "bool")
    return ops.where(mask, ops.cast(logits, "float32"), _HIDDEN_LOGIT)


def _check_shapes(teacher: Tensor, student: Tensor) -> None:
    """Raise `UserError` if the known parts of the shapes differ."""
    teacher_shape, student_shape = (tuple(x.shape) for x in (teacher, student))
    if (
        len(teacher_shape) != len(student_shape)
        or teacher_shape[-1] != student_shape[-1]
    ):
        raise UserError(
            f"the teacher's logits have the shape {teacher_shape}, the "
            f"student's {student_shape}: expected the same classes"
        )


def _describe(outputs: dict[str, int | None]) -> str:
    return ", ".join(
        name + (f" of {width} classes" if width else " over tokens")
        for name, width in outputs.items()
    )

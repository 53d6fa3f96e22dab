"""Terms between the outputs of two heads, and between outputs and labels.

The form of the loss follows from the shape of the output: scores of classes
`[..., classes]`; a distribution over the positions of a text
`[batch, length]`, without padding; or a number `[batch, 1]`. Scores of each
token's classes are compared at real tokens; a batch with weights `[batch,
length]` says which of them count. Heads that end in a softmax, or in a sigmoid
over one number, are compared by their logits; so are those that end in a
sigmoid for each of several labels, each a question of its own.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras

from tfminilm.errors import UserError
from tfminilm.methods import head_losses
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


def soft_terms(
    student: keras.Model, temperature: float, weight: float
) -> list[Term]:
    """Return T² KL(teacher / T ‖ student / T) for every output of the head.

    A single number is no distribution: there it is the squared distance.
    """

    def loss(name: str, width: int | None) -> Callable[..., Any]:
        if name == TOKENS:
            return functools.partial(
                head_losses.soft_of_tokens, temperature=temperature
            )
        if width == 1:
            return head_losses.squared
        return functools.partial(
            head_losses.soft,
            temperature=temperature,
            is_over_tokens=width is None,
        )

    of_labels = functools.partial(
        head_losses.soft_of_labels, temperature=temperature
    )
    return _terms("soft_targets", student, loss, weight, of_labels=of_labels)


def mse_terms(student: keras.Model, weight: float) -> list[Term]:
    """Return the squared distances of the outputs themselves."""

    def loss(name: str, width: int | None) -> Callable[..., Any]:
        if name == TOKENS:
            return head_losses.squared_of_tokens
        return (
            head_losses.squared_over_tokens
            if width is None
            else head_losses.squared
        )

    return _terms("logits_mse", student, loss, weight)


def hard_terms(
    student: keras.Model, weight: float, name: str = "hard_labels"
) -> list[Term]:
    """Return the cross-entropy with the labels.

    Of an output that is a single number it is the squared distance.
    """

    def loss(name: str, width: int | None) -> Callable[..., Any]:
        if name == TOKENS:
            return head_losses.hard_of_tokens
        if width == 1:
            return head_losses.squared_labels
        return functools.partial(head_losses.hard, is_over_tokens=width is None)

    return _terms(name, student, loss, weight, True, head_losses.hard_of_labels)


def next_sentence_terms(weight: float) -> list[Term]:
    """Return the cross-entropy of next-sentence prediction."""
    term = Term(
        "next_sentence",
        head_losses.next_sentence,
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
            {name: _in_words(x) for name, x in outputs.items()}
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


def _are_labels(output: Tensor) -> bool:
    """Tell whether an output ends in a sigmoid for each of several labels.

    Raises:
        UserError: it does so for each token, or for each place in a text.
    """
    if ending_of(output) != SIGMOID or output.shape[-1] == 1:
        return False
    if len(output.shape) != 2 or output.shape[-1] is None:
        raise UserError(
            f"an output of the shape {tuple(output.shape)} ends in a sigmoid "
            "for each number, expected a softmax, or logits: several labels "
            "are those of a whole text here"
        )
    return True


def _in_words(output: Tensor) -> str:
    each = "labels, each for itself" if _are_labels(output) else "classes"
    width = num_classes(output)
    return "over tokens" if width is None else f"of {width} {each}"


def _terms(
    name: str,
    student: keras.Model,
    loss: Callable[[str, int | None], Callable[..., Any]],
    weight: float,
    is_hard: bool = False,
    of_labels: Callable[..., Any] | None = None,
) -> list[Term]:
    """Build a term for each output; their weights sum to `weight`.

    `of_labels` is the loss of several labels, if it is another.
    """
    outputs = _answers(student)
    terms = []
    for output, tensor in outputs.items():
        label = output.removesuffix("_logits")
        terms.append(
            Term(
                name if len(outputs) == 1 else f"{name}_{label}",
                of_labels
                if of_labels is not None and _are_labels(tensor)
                else loss(output, num_classes(tensor)),
                teacher=None if is_hard else (output, -1),
                student=(output, -1),
                weight=weight / len(outputs),
                per_text=_is_per_text(output, tensor),
            )
        )
    return terms if weight else []


def _is_per_text(name: str, output: Tensor) -> bool:
    """Tell whether an output scores whole texts, not tokens or positions."""
    return len(output.shape) == 2 and num_classes(output) is not None


def _describe(outputs: dict[str, str]) -> str:
    return ", ".join(f"{name} {words}" for name, words in outputs.items())

"""Read a batch for a model: columns by name, texts, labels, weights."""

import inspect
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tfminilm.errors import UserError
from tfminilm.teachers.logits import graph_of
from tfminilm.typing import Tensors

# From Hugging Face's names of columns to KerasHub's.
NAMES = {
    "input_ids": "token_ids",
    "attention_mask": "padding_mask",
    "token_type_ids": "segment_ids",
}
_OTHER_NAMES = NAMES | {value: key for key, value in NAMES.items()}
LABELS = ("labels", "label")
# In front of the columns that the teacher alone reads.
TEACHER = "teacher_"
_PARTS = ("x", "y", "sample_weight")


def read(model: keras.Model, x: Tensors) -> Any:
    """Pick the columns of `x` that a model reads; others are left out.

    Args:
        model: any Keras model.
        x: a batch's inputs. Columns of a dict are found under KerasHub's or
            Hugging Face's names.

    Returns:
        `x` in the structure of the model's inputs; unchanged if the model
        does not show its inputs, or if `x` has no names.

    Raises:
        UserError: the model reads a column that is missing.
    """
    graph = graph_of(model)
    if graph is None or not isinstance(x, dict):
        return x
    if isinstance(graph.input, dict):
        names = list(graph.input)
    else:
        names = [tensor.name for tensor in graph.inputs]
        if len(names) == 1 and column(x, names[0]) is None:
            names = ["token_ids"]
    columns = {name: column(x, name) for name in names}
    if missing := sorted(name for name in names if columns[name] is None):
        raise UserError(
            f"{model.name} reads {', '.join(names)}, but the batch has "
            f"no {', '.join(missing)}: add it to the data"
        )
    if isinstance(graph.input, dict):
        return columns
    return keras.tree.pack_sequence_as(graph.input, list(columns.values()))


def column(x: Tensors, name: str) -> Any:
    """Return the column of this name, or of its other name, or `None`."""
    if not isinstance(x, dict):
        return None
    return x.get(name, x.get(_OTHER_NAMES.get(name)))


def teacher_columns(x: Tensors) -> Any:
    """Return the inputs of the teacher: its own columns, if a batch has some.

    Args:
        x: a batch's inputs. The teacher's own ones are named as its inputs
            are, with "teacher_" in front: `teacher_token_ids`.
    """
    columns = {}
    if isinstance(x, dict):
        columns = {
            name.removeprefix(TEACHER): value
            for name, value in x.items()
            if name.startswith(TEACHER)
        }
    return columns or x


def padding_mask(x: Tensors) -> Any:
    """Return `[batch, length]`, nonzero at real tokens; all ones by default."""
    mask = column(x, "padding_mask")
    if mask is not None:
        return mask
    tokens = column(x, "token_ids")
    if tokens is None:
        tokens = keras.tree.flatten(x)[0]
    return ops.ones(ops.shape(tokens)[:2], "int32")


def rows(x: Tensors) -> Any:
    """Return the number of examples of a batch."""
    return ops.shape(next(v for v in keras.tree.flatten(x) if v is not None))[0]


def labels(name: str, output: str, x: Tensors, y: Tensors) -> Any:
    """Return the labels that a term compares an output of the student with.

    Args:
        name: the name of the term.
        output: the name of the student's output.
        x: the batch's inputs, which may contain the labels.
        y: the batch's labels: a tensor, a dict by outputs, or a dict of one.

    Raises:
        UserError: there are none.
    """
    y = _given_labels(x, y)
    if isinstance(y, dict):
        y = next(iter(y.values())) if len(y) == 1 else y.get(output)
    if y is None:
        raise UserError(
            f"{name} compares the student's {output} with labels, but the "
            f"batch has none for it: give (x, y), where y is the labels or a "
            f"dict with {output!r}"
        )
    return y


def own_labels(x: Tensors, y: Tensors, y_pred: Tensors) -> Any:
    """Return the labels for losses and metrics of the student's own output.

    Args:
        x: the batch's inputs, which may contain the labels.
        y: the batch's labels.
        y_pred: the output; if it is no dict, a dict of one label is unpacked.
    """
    y = _given_labels(x, y)
    if isinstance(y, dict) and len(y) == 1 and not isinstance(y_pred, dict):
        return next(iter(y.values()))
    return y


def _given_labels(x: Tensors, y: Tensors) -> Any:
    """Return `y`, or the column of labels, as in Hugging Face's data sets."""
    if y is not None and 0 not in getattr(y, "shape", ())[1:]:
        return y
    return next(
        (x[key] for key in LABELS if isinstance(x, dict) and key in x), None
    )


def weights(
    sample_weight: Tensors, output: str, is_head: bool, of_tokens: bool
) -> Any:
    """Return the weights of a batch that a term's loss gets.

    Args:
        sample_weight: the batch's: a tensor, a dict by outputs, or `None`.
        output: the student's tensor that the term reads.
        is_head: whether that is an output of the student's head.
        of_tokens: whether the head predicts each masked token.

    Returns:
        `[batch]`; of a head on masked tokens `[batch, masked]`; or `None`.

    Raises:
        UserError: their shape is neither.
    """
    if isinstance(sample_weight, dict):
        if not is_head or output not in sample_weight:
            raise UserError(
                f"sample_weight is a dict with {', '.join(sample_weight)}, "
                f"but a loss reads {output}: give one weight for each example"
            )
        sample_weight = sample_weight[output]
    if sample_weight is None or len(sample_weight.shape) == 1:
        return sample_weight
    shape = tuple(sample_weight.shape)
    if of_tokens and len(shape) == 2:
        # Weights of masked tokens do not fit a loss on all tokens.
        return sample_weight if is_head else None
    if len(shape) == 2 and shape[1] == 1:
        return ops.squeeze(sample_weight, 1)
    raise UserError(
        f"sample_weight has the shape {shape}, expected one weight for each "
        "example: (batch,) or (batch, 1)"
    )


class ReadsTexts:
    """Lets a `keras.Model` that inherits from it, first, read texts.

    Its `preprocess`, `(x, y, sample_weight) -> batch`, is called for texts
    only. Mappings are turned into dicts, also those of a generator.
    """

    preprocess: Callable[..., Any]

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        return self._on_readable(super().fit, *args, **kwargs)  # type: ignore

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        return self._on_readable(super().evaluate, *args, **kwargs)  # type: ignore

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        return self._on_readable(super().predict, *args, **kwargs)  # type: ignore

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        method = super().train_on_batch  # type: ignore
        return self._on_readable(method, *args, **kwargs)

    def test_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        method = super().test_on_batch  # type: ignore
        return self._on_readable(method, *args, **kwargs)

    def predict_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        method = super().predict_on_batch  # type: ignore
        return self._on_readable(method, *args, **kwargs)

    def _on_readable(
        self, method: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Call Keras' method with inputs that Keras can read."""
        signature = inspect.signature(method)
        arguments = signature.bind(*args, **kwargs).arguments
        extra = arguments.pop("kwargs", {})
        parts = self._readable(*map(arguments.get, _PARTS))
        for key, part in zip(_PARTS, parts, strict=True):
            if part is not None and key in signature.parameters:
                arguments[key] = part
        held_out = arguments.get("validation_data")
        if isinstance(held_out, tuple | list):
            arguments["validation_data"] = self._readable(*held_out)
        elif held_out is not None:
            (arguments["validation_data"],) = self._readable(held_out)
        return self._run(method, **arguments, **extra)

    def _run(self, method: Callable[..., Any], **kwargs: Any) -> Any:
        return method(**kwargs)

    def _readable(self, *batch: Tensors) -> tuple:
        """Return the parts of a batch, or of all data, as Keras reads them."""
        x, *targets = batch
        if isinstance(x, types.GeneratorType):
            return self._each(x), *targets
        if _is_dataset_of_texts(x):
            return x.map(lambda *parts: self.preprocess(*parts)), *targets
        x = _arrays(x)
        if not _is_text(x):
            return x, *_with_labels(targets)
        outputs = self.preprocess(x, *map(_arrays, targets))
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        # Tensors of another library would confuse Keras.
        arrays = keras.tree.map_structure(np.asarray, outputs)
        return *arrays, *(None,) * (len(batch) - len(arrays))

    def _each(self, batches: Iterator[Any]) -> Iterator[tuple]:
        for batch in batches:
            parts = batch if isinstance(batch, tuple) else (batch,)
            yield self._readable(*parts)


def preprocess(
    models: Sequence[keras.Model],
    x: Tensors,
    y: Tensors,
    sample_weight: Tensors,
    apart: bool = False,
) -> Any:
    """Turn texts into the inputs of the first model with a preprocessor.

    Args:
        models: the student, and its teacher.
        x: texts; and so on, as in `fit`.
        y: labels.
        sample_weight: weights.
        apart: whether the teacher may read tokens of its own, if its
            preprocessor has another vocabulary.

    Raises:
        UserError: no model has one, or their vocabularies differ.
    """
    able: list[Any] = [
        model
        for model in models
        if getattr(model, "preprocessor", None) is not None
    ]
    if not able:
        raise UserError(
            "the batch holds texts, but neither student nor teacher has a "
            "preprocessor: give the student one, such as "
            "keras_hub.models.BertTextClassifierPreprocessor, or give "
            "token ids"
        )
    batch = able[0].preprocess_samples(x, y, sample_weight)
    if not _is_other_vocabulary(able):
        return batch
    if not apart:
        raise UserError(
            "the preprocessors of student and teacher have different "
            "vocabularies: give both models the teacher's tokenizer, or use "
            "a method that compares whole texts"
        )
    read = able[1].preprocess_samples(x)
    columns = {TEACHER + name: value for name, value in read.items()}
    if not isinstance(batch, tuple):
        return batch | columns
    return batch[0] | columns, *batch[1:]


def _is_other_vocabulary(models: list[Any]) -> bool:
    """Tell whether the preprocessors of two models give other ids."""
    tokenizers: list[Any] = [
        getattr(model.preprocessor, "tokenizer", None) for model in models
    ]
    if not all(hasattr(each, "get_vocabulary") for each in tokenizers):
        return False
    first, *others = (each.get_vocabulary() for each in tokenizers)
    return any(first != other for other in others)


def _arrays(x: Tensors) -> Any:
    """Turn mappings into dicts, and lists into arrays."""
    if isinstance(x, Mapping):
        return {
            name: np.asarray(value) if isinstance(value, list) else value
            for name, value in x.items()
        }
    if isinstance(x, list) and x and isinstance(x[0], str | int | float):
        return np.asarray(x)
    return x


def _with_labels(targets: list[Any]) -> list[Any]:
    """Add empty labels to weights, which Keras would ignore without labels."""
    if len(targets) < 2 or targets[0] is not None or targets[1] is None:
        return targets
    no_labels = np.zeros((len(targets[1]), 0), "int32")
    return [no_labels, *targets[1:]]


def _is_text(x: Tensors) -> bool:
    """Return whether there is text among the leaves."""
    return any(map(_is_text_leaf, keras.tree.flatten(x)))


def _is_text_leaf(x: Tensors) -> bool:
    if isinstance(x, str | bytes):
        return True
    if isinstance(x, np.ndarray):
        first = x.flat[0] if x.dtype.kind == "O" and x.size else None
        return x.dtype.kind in "US" or isinstance(first, str | bytes)
    return "string" in str(getattr(x, "dtype", ""))


def _is_dataset_of_texts(x: Tensors) -> bool:
    spec = getattr(x, "element_spec", None)
    return spec is not None and hasattr(x, "map") and _is_text(spec)

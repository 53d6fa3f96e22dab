"""Structured pruning: remove layers, feed-forward neurons and heads.

Importance is measured on data: for layers as in "What Matters in Transformers?"
(arXiv 2406.15786), for a neuron or an attention head by the size of what it
adds to the hidden state. The student is a plain model with fewer and narrower
layers, so it is really smaller and faster; distillation then restores quality.

KerasHub computes the size of a head as `hidden_dim / num_heads`, so the number
of heads cannot change. A removed head stays in the Keras model, but its values
and its rows of the output kernel are zero. The gradient of each is a multiple
of the other, so training leaves both at zero; the mobile graph drops the head,
but for MPNet's, whose scores have a bias for each of all heads.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import keras
import keras_hub
import numpy as np
from keras import ops

from tfminilm.errors import UserError
from tfminilm.private.encoders import encoder_parts
from tfminilm.tasks import heads
from tfminilm.teachers import expose
from tfminilm.teachers.expose import encoder_calls


class Importance(NamedTuple):
    """The importance of the parts of an encoder for its hidden states.

    Attributes:
        layers: `[layers]`, 1 minus the cosine of a token's state before and
            after the layer, the mean over real tokens.
        neurons: `[layers, intermediate_dim]`, the root mean square over real
            tokens of what a neuron adds to the state: its activation times
            the length of its row in the second kernel.
        heads: `[layers, heads]`, the root mean square over real tokens of the
            length of what an attention head adds.
    """

    layers: np.ndarray
    neurons: np.ndarray
    heads: np.ndarray


def prune(
    model: keras.Model,
    batches: Iterable[Mapping[str, Any]],
    num_layers: int | None = None,
    intermediate_dim: int | None = None,
    kept_heads: int | None = None,
) -> keras.Model:
    """Return a smaller copy of a model, made of its most important parts.

    Args:
        model: KerasHub's BERT, DistilBERT, RoBERTa or XLM-R, or an MPNet, or
            a model with a head for a task on one.
        batches: inputs of the model, on which importance is measured; some
            hundred sequences are enough.
        num_layers: layers to keep; all of them if not given.
        intermediate_dim: neurons of each layer's feed-forward block to keep.
        kept_heads: attention heads of each layer to keep; the others
            are set to zero.

    Raises:
        UserError: the model is of another family, or has fewer parts.
    """
    sizes = {"num_layers": num_layers, "intermediate_dim": intermediate_dim}
    changes = {name: size for name, size in sizes.items() if size is not None}
    smaller = heads.rebuilt(model, **changes)
    prune_into(smaller, model, batches, kept_heads)
    return smaller


def prune_into(
    student: keras.Model,
    source: keras.Model,
    batches: Iterable[Mapping[str, Any]],
    kept_heads: int | None = None,
) -> None:
    """Copy the most important parts of `source` into a smaller student.

    Args:
        student: a model of the source's family and width, with at most as
            many layers, and at most as many neurons in them.
        source: the original model; see `prune`.
        batches: inputs of the source.
        kept_heads: as in `prune`.

    Raises:
        UserError: they do not fit, or their family cannot be pruned.
    """
    require_fit(student, source)
    backbone = getattr(student, "backbone", student)
    kept_heads = backbone.num_heads if kept_heads is None else kept_heads
    _require_of(kept_heads, "num_heads", backbone)
    scores = importance(source, batches)
    layers = _most(scores.layers, backbone.num_layers)
    source_layers = [call.layer for call in encoder_calls(source)]
    student_layers = [call.layer for call in encoder_calls(student)]
    for layer, index in zip(student_layers, layers, strict=True):
        neurons = _most(scores.neurons[index], backbone.intermediate_dim)
        _copy_layer(layer, source_layers[index], neurons)
        silent = _most(-scores.heads[index], backbone.num_heads - kept_heads)
        _silence(encoder_parts(layer).attention, silent)
    outer_layers = _outer_layers(source)
    for name, layer in _outer_layers(student).items():
        layer.set_weights(outer_layers[name].get_weights())


def importance(
    model: keras.Model, batches: Iterable[Mapping[str, Any]]
) -> Importance:
    """Measure the importance of a model's parts on its own inputs.

    Raises:
        UserError: there is no batch, or the layers are of another kind.
    """
    encoders = [call.layer for call in encoder_calls(model)]
    for layer in encoders:
        if not isinstance(layer, keras_hub.layers.TransformerEncoder):
            raise UserError(
                f"cannot prune layers of {type(layer).__name__}: expected "
                "those of KerasHub's BERT, DistilBERT, RoBERTa or XLM-R"
            )
    indices = list(range(len(encoders)))
    exposed = expose(
        model,
        {"hidden_states": [*indices, len(encoders)], "attention_probs": indices,
         "values": indices},
    )  # fmt: skip
    count, sums = 0, [np.zeros(1)] * 3
    for batch in batches:
        real = np.asarray(batch["padding_mask"]).astype(bool)
        inputs = {name: np.asarray(batch[name]) for name in exposed.input}
        outputs = exposed(inputs, training=False)
        count += int(real.sum())
        rows = [
            _sums(layer, outputs, i, real) for i, layer in enumerate(encoders)
        ]
        stacked = map(np.stack, zip(*rows, strict=True))
        sums = [
            total + batch_sum
            for total, batch_sum in zip(sums, stacked, strict=True)
        ]
    if not count:
        raise UserError("no batches to measure importance on, expected some")
    angles, neurons, heads = (total / count for total in sums)
    return Importance(angles, np.sqrt(neurons), np.sqrt(heads))


def _sums(
    layer: keras.layers.Layer,
    outputs: Mapping[str, Any],
    index: int,
    real: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return sums over real tokens: of 1 - cosine, and of squared additions."""
    before, after = (outputs[f"hidden_states/{i}"] for i in (index, index + 1))
    probs = outputs[f"attention_probs/{index}"]
    values = outputs[f"values/{index}"]
    context = ops.matmul(ops.cast(probs, values.dtype), values)
    context = ops.transpose(context, (0, 2, 1, 3))
    parts = encoder_parts(layer)
    project = parts.attention.output_dense
    x = parts.attention_norm(before + project(context))
    active = parts.intermediate(x)
    before, after, context, active = (
        _array(x)[real].astype(np.float64)
        for x in (before, after, context, active)
    )
    down = _array(parts.output.kernel)
    neurons = np.square(active).sum(0) * np.square(down).sum(1)
    kernels = _array(project.kernel)  # [heads, head_dim, hidden_dim]
    products = kernels @ kernels.swapaxes(1, 2)
    heads = np.einsum(
        "thi,hij,thj->h", context, products, context, optimize=True
    )
    return (1 - _cosines(before, after)).sum(), neurons, heads


def _copy_layer(
    student_layer: keras.layers.Layer,
    source_layer: keras.layers.Layer,
    neurons: np.ndarray,
) -> None:
    """Copy a layer's weights, but only some neurons of its feed-forward."""
    parts = encoder_parts(student_layer)
    narrow = {
        id(parts.intermediate.kernel): 1,
        id(parts.intermediate.bias): 0,
        id(parts.output.kernel): 0,
    }
    for weight, source in zip(
        student_layer.weights, source_layer.weights, strict=True
    ):
        value = _array(source)
        if id(weight) in narrow:
            value = value.take(neurons, narrow[id(weight)])
        weight.assign(value)


def _silence(
    attention: keras.layers.MultiHeadAttention, heads: np.ndarray
) -> None:
    """Set heads to zero such that training leaves them at zero."""
    values, project = attention.value_dense, attention.output_dense
    for weight, axis in (
        (values.kernel, 1), (values.bias, 0), (project.kernel, 0)
    ):  # fmt: skip
        value = _array(weight).copy()
        value[(slice(None),) * axis + (heads,)] = 0
        weight.assign(value)


def _outer_layers(model: keras.Model) -> dict[str, Any]:
    """Return the layers with weights outside the encoder layers, by name."""
    groups = keras_hub.models.Backbone, keras_hub.layers.TransformerEncoder
    return {
        layer.name: layer
        for part in (getattr(model, "backbone", model), model)
        for layer in part.layers
        if layer.weights and not isinstance(layer, groups)
    }


def require_fit(student: keras.Model, source: keras.Model) -> None:
    """Raise `UserError` unless `prune_into` can prune one into the other."""
    student_backbone, source_backbone = (
        getattr(model, "backbone", model) for model in (student, source)
    )
    fits = type(student_backbone) is type(source_backbone)
    fits = fits and type(student) is type(source)
    for name in ("num_layers", "intermediate_dim"):
        if fits:
            _require_of(getattr(student_backbone, name), name, source_backbone)
    same = (
        *("hidden_dim", "num_heads", "vocabulary_size", "max_sequence_length"),
        *("vocab_size", "embedding_dim"),  # Of ELECTRA.
    )
    for name in same:
        size = getattr(source_backbone, name, None)
        fits = fits and getattr(student_backbone, name, None) == size
    if not fits:
        raise UserError(
            f"cannot prune a {type(source_backbone).__name__} into a "
            f"{type(student_backbone).__name__} of another kind, width or "
            "vocabulary: expected one that differs in layers and "
            "intermediate_dim alone"
        )


def _require_of(count: int, name: str, backbone: keras.Model) -> None:
    available = getattr(backbone, name)
    if not 1 <= count <= available:
        raise UserError(
            f"cannot keep {count} of {name} {available}: expected 1 to that"
        )


def _most(importances: np.ndarray, count: int) -> np.ndarray:
    """Return the indices of the `count` largest values, in their order."""
    return np.sort(np.argsort(-importances, kind="stable")[:count])


def _cosines(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(before, axis=-1) * np.linalg.norm(after, axis=-1)
    return (before * after).sum(-1) / norms


def _array(variable: keras.Variable) -> np.ndarray:
    return ops.convert_to_numpy(variable)

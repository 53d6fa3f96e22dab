"""Structured pruning: whole layers and feed-forward neurons are left out.

What matters is measured on data, as in "What Matters in Transformers?"
(arXiv 2406.15786) for layers and by the size of what each neuron adds to the
hidden state for neurons. The student is a plain model of fewer and narrower
layers, really smaller and faster; distillation then mends it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import keras
import keras_hub
import numpy as np
from keras import ops

from tfminilm.errors import UserError
from tfminilm.tasks import heads
from tfminilm.teachers import expose
from tfminilm.teachers.expose import encoder_calls


class Importance(NamedTuple):
    """What the parts of an encoder do to its hidden states.

    Attributes:
        layers: `[layers]`, 1 less the cosine of a token's state before and
            after the layer, the mean over real tokens.
        neurons: `[layers, intermediate_dim]`, the root mean square over real
            tokens of what a neuron adds to the state: its activation times
            the length of its row in the second kernel.
    """

    layers: np.ndarray
    neurons: np.ndarray


def prune(
    model: keras.Model,
    batches: Iterable[Mapping[str, Any]],
    num_layers: int | None = None,
    intermediate_dim: int | None = None,
) -> keras.Model:
    """A smaller copy of a model, of its most important parts.

    Args:
        model: KerasHub's BERT, DistilBERT, RoBERTa or XLM-R, or a model with
            a head for a task on one.
        batches: inputs of the model, on which importance is measured; some
            hundred sequences will do.
        num_layers: layers to keep; all of them if not given.
        intermediate_dim: neurons of each layer's feed-forward block to keep.

    Raises:
        UserError: the model is of another family, or has not as many.
    """
    sizes = {"num_layers": num_layers, "intermediate_dim": intermediate_dim}
    changes = {name: size for name, size in sizes.items() if size is not None}
    smaller = heads.rebuilt(model, **changes)
    prune_into(smaller, model, batches)
    return smaller


def prune_into(
    student: keras.Model,
    source: keras.Model,
    batches: Iterable[Mapping[str, Any]],
) -> None:
    """Gives a student the parts of `source` that matter, as many as it has.

    Args:
        student: of the source's family and width, with as many layers or
            fewer, and as many neurons or fewer in them.
        source: as `prune` takes it.
        batches: inputs of the source.

    Raises:
        UserError: they do not fit, or their family cannot be pruned.
    """
    require_fit(student, source)
    found = importance(source, batches)
    backbone = getattr(student, "backbone", student)
    layers = _most(found.layers, backbone.num_layers)
    theirs = [call.layer for call in encoder_calls(source)]
    ours = [call.layer for call in encoder_calls(student)]
    for layer, index in zip(ours, layers, strict=True):
        neurons = _most(found.neurons[index], backbone.intermediate_dim)
        _copy_layer(layer, theirs[index], neurons)
    others = _others(source)
    for name, layer in _others(student).items():
        layer.set_weights(others[name].get_weights())


def importance(
    model: keras.Model, batches: Iterable[Mapping[str, Any]]
) -> Importance:
    """Measures what matters in a model, on inputs of its own.

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
    inside = expose(
        model,
        {"hidden_states": [*indices, len(encoders)], "attention_probs": indices,
         "values": indices},
    )  # fmt: skip
    angles, count = np.zeros(len(encoders)), 0
    squares: Any = 0.0
    for batch in batches:
        real = np.asarray(batch["padding_mask"]).astype(bool)
        given = {name: np.asarray(batch[name]) for name in inside.input}
        found = inside(given, training=False)
        count += int(real.sum())
        rows = []
        for index, layer in enumerate(encoders):
            before, after = (
                ops.convert_to_numpy(found[f"hidden_states/{i}"])[real]
                for i in (index, index + 1)
            )
            angles[index] += (1 - _cosines(before, after)).sum()
            active = ops.convert_to_numpy(_activations(layer, found, index))
            rows.append(np.square(active[real].astype(np.float64)).sum(0))
        squares = squares + np.stack(rows)
    if not count:
        raise UserError("no batches to measure importance on, expected some")
    lengths = [
        np.linalg.norm(_array(layer._feedforward_output_dense.kernel), axis=1)
        for layer in encoders
    ]
    return Importance(angles / count, np.sqrt(squares / count) * lengths)


def _activations(layer: Any, found: Mapping[str, Any], index: int) -> Any:
    """The feed-forward block's inner states `[batch, length, neurons]`."""
    probs, values = found[f"attention_probs/{index}"], found[f"values/{index}"]
    context = ops.matmul(ops.cast(probs, values.dtype), values)
    context = ops.transpose(context, (0, 2, 1, 3))
    attended = layer._self_attention_layer._output_dense(context)
    x = found[f"hidden_states/{index}"] + attended
    x = layer._self_attention_layer_norm(x)
    return layer._feedforward_intermediate_dense(x)


def _copy_layer(ours: Any, theirs: Any, neurons: np.ndarray) -> None:
    """All weights of a layer, and of its feed-forward block some columns."""
    narrow = {
        id(ours._feedforward_intermediate_dense.kernel): 1,
        id(ours._feedforward_intermediate_dense.bias): 0,
        id(ours._feedforward_output_dense.kernel): 0,
    }
    for weight, source in zip(ours.weights, theirs.weights, strict=True):
        value = _array(source)
        if id(weight) in narrow:
            value = value.take(neurons, narrow[id(weight)])
        weight.assign(value)


def _others(model: keras.Model) -> dict[str, Any]:
    """The layers around the encoder's, with weights, by name."""
    groups = keras_hub.models.Backbone, keras_hub.layers.TransformerEncoder
    return {
        layer.name: layer
        for part in (getattr(model, "backbone", model), model)
        for layer in part.layers
        if layer.weights and not isinstance(layer, groups)
    }


def require_fit(student: keras.Model, source: keras.Model) -> None:
    """Raises `UserError` unless `prune_into` can prune one into the other."""
    ours, theirs = (getattr(m, "backbone", m) for m in (student, source))
    fits = type(ours) is type(theirs) and type(student) is type(source)
    for name in ("num_layers", "intermediate_dim"):
        if fits and not 1 <= getattr(ours, name) <= getattr(theirs, name):
            raise UserError(
                f"cannot keep {getattr(ours, name)} of {name} "
                f"{getattr(theirs, name)}: expected 1 to that"
            )
    same = ("hidden_dim", "num_heads", "vocabulary_size", "max_sequence_length")
    for name in same:
        fits = fits and getattr(ours, name) == getattr(theirs, name)
    if not fits:
        raise UserError(
            f"cannot prune a {type(theirs).__name__} into a "
            f"{type(ours).__name__} of another kind, width or vocabulary: "
            "expected one that differs in layers and intermediate_dim alone"
        )


def _most(importances: np.ndarray, count: int) -> np.ndarray:
    """The indices of the `count` largest, in their order."""
    return np.sort(np.argsort(-importances, kind="stable")[:count])


def _cosines(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    before, after = before.astype(np.float64), after.astype(np.float64)
    norms = np.linalg.norm(before, axis=-1) * np.linalg.norm(after, axis=-1)
    return (before * after).sum(-1) / norms


def _array(variable: Any) -> np.ndarray:
    return ops.convert_to_numpy(variable)

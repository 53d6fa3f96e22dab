"""Any KerasHub encoder with its inner tensors as outputs."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras

from tfminilm.errors import UserError
from tfminilm.layers.attention import (
    ATTENTION_PARTS,
    AttentionParts,
    ExposedEncoder,
)

STATES = "hidden_states"
TENSOR_NAMES = (*ATTENTION_PARTS, STATES)


def expose(
    model: keras.Model, outputs: Mapping[str, Sequence[int]]
) -> keras.Model:
    """A model with the same inputs and weights that returns inner tensors.

    Args:
        model: a KerasHub encoder backbone: BERT, RoBERTa, XLM-R, DistilBERT,
            ALBERT or ELECTRA, or a student of this package.
        outputs: tensor names mapped to layer indices, for example
            `{"queries": [-1], "hidden_states": [0, 4]}`. Names are
            "queries", "keys", "values" `[batch, heads, length, head_dim]`,
            "attention_scores" (scaled, before mask and softmax) and
            "attention_probs" (after both) `[batch, heads, length, length]`
            float32, and "hidden_states" `[batch, length, hidden_dim]`, where
            index 0 is the embedding output and index i the output of the i-th
            layer. Layers count from 0; negative indices count from the top.
            A layer that is shared (ALBERT) is counted once per call.

    Returns:
        A `keras.Model` with the inputs of `model` and a flat dict of outputs,
        keyed "queries/11": name and index from the bottom. It holds the
        variables of `model` itself, and only those that an output needs;
        nothing else is computed.

    Raises:
        UserError: `model` is no KerasHub encoder, or a name or an index does
            not exist.
    """
    calls = encoder_calls(model)
    wanted = _wanted(outputs, len(calls))
    return keras.Model(
        model.input, _outputs(calls, wanted), name=f"{model.name}_exposed"
    )


class EncoderCall(NamedTuple):
    """One call of an encoder layer in a backbone's graph."""

    layer: keras.layers.Layer
    inputs: Any
    padding_mask: Any


def encoder_calls(model: keras.Model) -> list[EncoderCall]:
    """The calls of a backbone's encoder layers, from the bottom to the top.

    Raises:
        UserError: `model` is no KerasHub encoder.
    """
    # KerasHub takes a second to import, and `import tfminilm` should not.
    import keras_hub

    layers = [
        layer
        for layer in getattr(model, "layers", ())
        if isinstance(layer, keras_hub.layers.TransformerEncoder)
    ]
    if not layers or not isinstance(model, keras.Model):
        raise UserError(
            f"cannot expose {getattr(model, 'name', model)!r} "
            f"({type(model).__name__}): expected a KerasHub encoder backbone "
            "such as keras_hub.models.BertBackbone"
        )
    by_input: dict[int, Any] = {}
    for layer in layers:
        for node in layer._inbound_nodes:
            by_input.setdefault(id(node.arguments.args[0]), node)
    # The backbone's own first call; calls made by `expose` come after it and
    # start from tensors of their own, so the walk never meets them.
    node = layers[0]._inbound_nodes[0]
    calls = []
    while node is not None:
        inputs, output = node.arguments.args[0], node.outputs[0]
        mask = node.arguments.kwargs["padding_mask"]
        calls.append(EncoderCall(node.operation, inputs, mask))
        node = by_input.get(id(output))
    return calls


def _wanted(
    outputs: Mapping[str, Sequence[int]], num_layers: int
) -> list[tuple[str, int]]:
    """Names with indices from the bottom; what does not exist is refused."""
    wanted = []
    for name, indices in outputs.items():
        if name not in TENSOR_NAMES:
            near = difflib.get_close_matches(name, TENSOR_NAMES, 1, 0.0)[0]
            raise UserError(
                f"cannot expose {name!r}: tensors are "
                f"{', '.join(TENSOR_NAMES)}; did you mean {near!r}?"
            )
        count = num_layers + (name == "hidden_states")
        for index in indices:
            if not -count <= index < count:
                raise UserError(
                    f"cannot expose {name} of layer {index}: the model has "
                    f"{num_layers} layers, so indices are {-count} to "
                    f"{count - 1}"
                )
            wanted.append((name, index % count))
    if not wanted:
        raise UserError(
            "nothing to expose: name at least one tensor, for example "
            '{"queries": [-1]}'
        )
    return list(dict.fromkeys(wanted))


def _outputs(
    calls: Sequence[EncoderCall], wanted: Sequence[tuple[str, int]]
) -> dict[str, Any]:
    """Symbolic outputs, keyed "queries/11", of the shortest graph."""
    top = max(index for _, index in wanted)
    state = calls[0].inputs
    found = {(STATES, 0): state}
    for index, call in enumerate(calls[: top + 1]):
        parts = [name for name, at in wanted if at == index and name != STATES]
        if index < top:
            layer = ExposedEncoder(
                call.layer, parts, name=f"{call.layer.name}_exposed_{index}"
            )
            tensors = layer(state, call.padding_mask)
            state = tensors[STATES]
            found[STATES, index + 1] = state
        elif parts:
            layer = AttentionParts(
                call.layer, parts, name=f"{call.layer.name}_parts_{index}"
            )
            tensors = layer(state, call.padding_mask)
        found |= {(part, index): tensors[part] for part in parts}
    return {f"{name}/{index}": found[name, index] for name, index in wanted}

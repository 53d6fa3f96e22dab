"""Any KerasHub encoder with its inner tensors as outputs."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras

from tfminilm import families
from tfminilm.errors import UserError
from tfminilm.families.family import Exposure
from tfminilm.layers.attention import ATTENTION_PARTS, needed_inputs
from tfminilm.private import gradients, graphs
from tfminilm.teachers.first_token import reads_first_token_only
from tfminilm.teachers.logits import (
    ends_inside,
    graph_of,
    is_opaque,
    logits_of,
)

STATES = "hidden_states"
TENSOR_NAMES = (*ATTENTION_PARTS, STATES)


def expose(
    model: keras.Model, outputs: Mapping[str, Sequence[int]]
) -> keras.Model:
    """Return a model with the same inputs and weights that gives inner tensors.

    Args:
        model: a KerasHub encoder backbone: BERT, RoBERTa, XLM-R, DistilBERT,
            ALBERT, ELECTRA, MPNet, ModernBERT or DeBERTa-v3; one with a head,
            such as a KerasHub text classifier; or a student of this package.
        outputs: tensor names mapped to layer indices, for example
            `{"queries": [-1], "hidden_states": [0, 4]}`. Names are
            "queries", "keys", "values" `[batch, heads, length, head_dim]`
            (ModernBERT's first two turned by their positions, DeBERTa's those
            of the tokens), "attention_scores" (scaled, before mask and
            softmax; MPNet's with its bias of relative positions, DeBERTa's
            with both terms of distances) and "attention_probs" (after both)
            `[batch, heads, length, length]` float32, and "hidden_states"
            `[batch, length, hidden_dim]`, where index 0 is the embedding
            output and index i the output of the i-th layer, the last one's
            behind the final norm, if any. Layers count from 0; negative
            indices count from the top. A layer that is shared (ALBERT) is
            counted once per call. A model with a head also has its output,
            "logits", or its outputs by their own names, such as
            "start_logits"; their only index is -1, or 0.

    Returns:
        A `keras.Model` with the inputs of `model` (of its backbone, where no
        output of the head is asked for) and a flat dict of outputs, keyed
        "queries/11": name and index from the bottom. It holds the variables
        of `model` itself, and only those that an output needs; nothing else
        is computed, and nothing twice.

    Raises:
        UserError: `model` is no KerasHub encoder, or a name or an index does
            not exist.
    """
    if not any(outputs.values()):
        raise UserError(
            "nothing to expose: name at least one tensor, for example "
            '{"queries": [-1]}'
        )
    return with_output(model, outputs)


@gradients.forgotten()
def with_output(
    model: keras.Model, outputs: Mapping[str, Sequence[int]], name: str = ""
) -> keras.Model:
    """Expose a model, and its own output under `name`."""
    heads = head_outputs(model)
    is_inside = not outputs.keys().isdisjoint(TENSOR_NAMES)
    calls = _calls(model, {} if is_inside else heads)
    wanted = _wanted(outputs, len(calls), heads)
    inner = [pair for pair in wanted if pair[0] not in heads]
    asked = {key: heads[key] for key, _ in wanted if key in heads}
    is_whole = bool(asked or name)
    exposed = _outputs(calls, inner, model if is_whole else None)
    replaced = {
        id(call.output): exposed[STATES, index + 1]
        for index, call in enumerate(calls)
        if (STATES, index + 1) in exposed
    }

    is_new = bool(calls) or any(map(ends_inside, asked.values()))

    def replay(tensor: keras.KerasTensor) -> Any:
        return _replay(tensor, replaced) if is_new else tensor

    exposed |= {(key, 0): logits_of(x, replay) for key, x in asked.items()}
    tensors = {f"{key}/{index}": exposed[key, index] for key, index in wanted}
    if name:
        tensors[name] = keras.tree.map_structure(replay, graph_of(model).output)
    inputs = (graph_of(model) if is_whole else _backbone(model)).input
    return keras.Model(inputs, tensors, name=f"{model.name}_exposed")


def num_indices(model: keras.Model, name: str) -> int:
    """Count the indices that a tensor of this name has in `model`."""
    if is_opaque(model) or name in head_outputs(model):
        return 1
    return len(encoder_calls(model)) + (name == STATES)


def head_outputs(model: keras.Model) -> dict[str, Any]:
    """Return the outputs of a model with a head by name; none of a backbone."""
    # KerasHub takes a second to import, and `import tfminilm` should not.
    import keras_hub

    graph = graph_of(model)
    if graph is None or isinstance(model, keras_hub.models.Backbone):
        return {}
    output = graph.output
    return dict(output) if isinstance(output, dict) else {"logits": output}


class EncoderCall(NamedTuple):
    """One call of an encoder layer in a backbone's graph."""

    layer: keras.layers.Layer
    inputs: Any
    padding_mask: Any
    output: Any
    # What else it reads, by the names of its arguments.
    more: Mapping[str, Any]
    # What the last layer's output goes through, if any.
    norm: keras.layers.Layer | None = None


def encoder_calls(model: keras.Model) -> list[EncoderCall]:
    """Return the calls of a backbone's encoder layers, from bottom to top.

    Args:
        model: a KerasHub encoder, or a model with a head on one.

    Raises:
        UserError: `model` is no KerasHub encoder.
    """
    kinds = tuple(exposure.layer for exposure in families.exposures())
    layers = [
        layer
        for layer in getattr(_backbone(model), "layers", ())
        if isinstance(layer, kinds)
    ]
    if not layers or not isinstance(model, keras.Model):
        raise UserError(
            f"cannot expose {getattr(model, 'name', model)!r} "
            f"({type(model).__name__}): expected a KerasHub encoder backbone "
            "such as keras_hub.models.BertBackbone"
        )
    by_input: dict[int, Any] = {}
    for layer in layers:
        for node in graphs.calls(layer):
            by_input.setdefault(id(node.arguments.args[0]), node)
    # The backbone's own first call; calls made by `expose` come after it and
    # start from tensors of their own, so the walk never meets them.
    node = graphs.calls(layers[0])[0]
    calls = []
    while node is not None:
        inputs, output = node.arguments.args[0], node.outputs[0]
        more = {
            name: value
            for name, value in node.arguments.kwargs.items()
            if isinstance(value, keras.KerasTensor)
        }
        mask = more.pop("padding_mask")
        calls.append(EncoderCall(node.operation, inputs, mask, output, more))
        node = by_input.get(id(output))
    final_norm = getattr(_backbone(model), "final_norm", None)
    if final_norm is not None:
        output = graphs.calls(final_norm)[0].outputs[0]
        calls[-1] = calls[-1]._replace(output=output, norm=final_norm)
    return calls


def _backbone(model: keras.Model) -> keras.Model:
    return getattr(model, "backbone", model)


def _calls(model: keras.Model, heads: Mapping[str, Any]) -> list[EncoderCall]:
    """Return the calls; none of a model with outputs that is no encoder."""
    try:
        return encoder_calls(model)
    except UserError:
        if heads and isinstance(model, keras.Model):
            return []
        raise


def _wanted(
    outputs: Mapping[str, Sequence[int]],
    num_layers: int,
    heads: Mapping[str, Any],
) -> list[tuple[str, int]]:
    """Return names with indices from the bottom; refuse what does not exist."""
    names = [*(TENSOR_NAMES if num_layers else ()), *heads]
    wanted = []
    for name, indices in outputs.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, 1, 0.0)[0]
            raise UserError(
                f"cannot expose {name!r}: tensors are {', '.join(names)}; "
                f"did you mean {near!r}?"
            )
        count = 1 if name in heads else num_layers + (name == STATES)
        for index in indices:
            if not -count <= index < count:
                raise UserError(
                    f"cannot expose {name} of layer {index}: the model has "
                    f"{num_layers} layers, so indices are {-count} to "
                    f"{count - 1}"
                )
            wanted.append((name, index % count))
    return list(dict.fromkeys(wanted))


def _outputs(
    calls: Sequence[EncoderCall],
    wanted: Sequence[tuple[str, int]],
    whole: keras.Model | None = None,
) -> dict[tuple[str, int], Any]:
    """Return symbolic tensors by name and index, of the shortest graph.

    Args:
        calls: of the encoder's layers.
        wanted: names and indices of inner tensors.
        whole: the model whose output is wanted as well.
    """
    if not calls:
        return {}
    top = max((index for _, index in wanted), default=0)
    if whole is not None:
        top = len(calls)
    last_is_wanted = any(
        index >= len(calls) - (name != STATES) for name, index in wanted
    )
    last_is_short = (
        whole is not None
        and not last_is_wanted
        and reads_first_token_only(whole, calls[-1].output)
    )
    state = calls[0].inputs
    exposed = {(STATES, 0): state}
    for index, call in enumerate(calls[: top + 1]):
        parts = [name for name, at in wanted if at == index and name != STATES]
        exposure = _exposure(call.layer)
        if index < top:
            layer = exposure.whole(
                call.layer,
                parts,
                first_token_only=last_is_short and call is calls[-1],
                name=f"{call.layer.name}_exposed_{index}",
            )
            tensors = layer(state, call.padding_mask, **call.more)
            state = tensors[STATES]
            if call.norm is not None:
                state = call.norm(state)
            exposed[STATES, index + 1] = state
        elif parts:
            layer = exposure.parts(
                call.layer, parts, name=f"{call.layer.name}_parts_{index}"
            )
            tensors = layer(
                state, call.padding_mask, **needed_inputs(parts, call.more)
            )
        exposed |= {(part, index): tensors[part] for part in parts}
    return exposed


def _exposure(layer: keras.layers.Layer) -> Exposure:
    """Find the classes that show the inside of such an encoder layer."""
    return next(
        exposure
        for exposure in families.exposures()
        if isinstance(layer, exposure.layer)
    )


def _replay(tensor: keras.KerasTensor, replaced: dict[int, Any]) -> Any:
    """Compute a tensor anew from replacements of some that it depends on.

    Models inside the graph are entered, so that what they compute beside it
    is left out.

    Args:
        tensor: a symbolic tensor of a functional graph.
        replaced: replacements by the id of the tensor each stands for. What is
            found on the way is added.
    """
    if id(tensor) in replaced:
        return replaced[id(tensor)]
    operation, node_index, place = graphs.history(tensor)
    node = graphs.calls(operation)[node_index]
    if node.is_input:
        return tensor
    graph = graph_of(operation)
    if graph is not None:
        fed = keras.tree.flatten(node.arguments.args[0])
        inner = keras.tree.flatten(graph.input)
        for old, other in zip(inner, fed, strict=True):
            replaced[id(old)] = _replay(other, replaced)
        outputs = keras.tree.flatten(graph.output)
        replaced[id(tensor)] = _replay(outputs[place], replaced)
        return replaced[id(tensor)]
    args, kwargs = node.arguments.convert(
        lambda x: (
            _replay(x, replaced) if isinstance(x, keras.KerasTensor) else x
        )
    )
    new = keras.tree.flatten(operation(*args, **kwargs))
    replaced |= {id(old): x for old, x in zip(node.outputs, new, strict=True)}
    return replaced[id(tensor)]

"""The logits of a model: its output, or what stands before its activation."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

from tfminilm.errors import UserError
from tfminilm.private import graphs
from tfminilm.typing import Tensor, Tensors

SOFTMAX, SIGMOID = "softmax", "sigmoid"
# These give on what they get, apart from its dtype and name.
_PASSING = (keras.layers.Identity, keras.layers.Dropout)


def ending_of(tensor: Tensor) -> str:
    """Name the activation an output ends in: "softmax", "sigmoid" or "".

    Args:
        tensor: a symbolic output of a functional model.
    """
    operation, _ = _last(tensor)
    return _kind(operation)


def ends_inside(tensor: Tensor) -> bool:
    """Tell whether the activation is in a model with this output."""
    is_inside = graph_of(graphs.history(tensor)[0]) is not None
    return is_inside and bool(ending_of(tensor))


def num_classes(tensor: Tensor) -> int | None:
    """Count the classes of an output's logits; `None` over tokens.

    A sigmoid over one number is a softmax over two classes.
    """
    width = tensor.shape[-1]
    return 2 if width == 1 and ending_of(tensor) == SIGMOID else width


def logits_of(tensor: Tensor, replay: Callable[[Any], Any]) -> Any:
    """Return an output's symbolic logits: before its softmax or sigmoid.

    Args:
        tensor: a symbolic output of a functional model.
        replay: gives what stands for a tensor of the model's graph.

    Returns:
        `tensor` replayed, if no such activation ends it. Of a sigmoid over
        one number `[0, z]`, the logits of the two classes.
    """
    operation, node = _last(tensor)
    kind = _kind(operation)
    if is_opaque(operation):
        for layer in _endings(operation, tensor.shape[-1]):
            raise UserError(_no_logits(operation, layer))
    if not kind:
        return replay(tensor)
    _check_axis(operation, tensor)
    if ends_inside(tensor):
        replay(tensor)  # What stands for that model's inputs is known then.
    if _is_activation(operation):
        logits = replay(node.arguments.args[0])
    else:
        args, kwargs = node.arguments.convert(
            lambda x: replay(x) if isinstance(x, keras.KerasTensor) else x
        )
        logits = _Linear(operation)(*args, **kwargs)
    return _as_classes(logits, kind)


def _as_classes(logits: Tensor, kind: str) -> Any:
    if kind == SIGMOID and logits.shape[-1] == 1:
        return ops.concatenate([ops.zeros_like(logits), logits], axis=-1)
    return logits


def _last(tensor: Tensor) -> tuple[Any, Any]:
    """Return the operation that decides what an output is, and its call."""
    operation, node_index, place = graphs.history(tensor)
    node = graphs.calls(operation)[node_index]
    if node.is_input:
        return None, node
    graph = graph_of(operation)
    if graph is not None:
        return _last(keras.tree.flatten(graph.output)[place])
    is_linear = _name(operation) == "linear" and _is_activation(operation)
    if isinstance(operation, _PASSING) or is_linear:
        return _last(node.arguments.args[0])
    return operation, node


def _kind(operation: keras.Operation) -> str:
    name = _name(operation)
    return next((kind for kind in (SOFTMAX, SIGMOID) if kind in name), "")


def _check_axis(operation: keras.Operation, tensor: Tensor) -> None:
    """Raise `UserError` where a softmax is over anything but classes."""
    axis = getattr(operation, "axis", -1)
    axes = axis if isinstance(axis, tuple | list) else [axis]
    rank = len(tensor.shape)
    if {each % rank for each in axes if each is not None} - {rank - 1}:
        raise UserError(
            f"{operation.name} is a softmax over axis {axis}, expected the "
            "last one, that of the classes"
        )


def _name(operation: keras.Operation) -> str:
    """Name an operation's activation, such as "log_softmax"."""
    function = getattr(operation, "activation", None)
    if function is None:  # A `Lambda` layer's, or none.
        function = getattr(operation, "function", None)
    name = getattr(function, "__name__", "")
    if not name and _is_activation(operation):
        name = type(operation).__name__
    return str(name).lower()


def _is_activation(operation: keras.Operation) -> bool:
    """Tell whether it is no more than an activation of its input."""
    alone = (
        keras.layers.Softmax,
        keras.layers.Activation,
        keras.layers.Lambda,
    )
    # Operations of `keras.ops` are no layers.
    return isinstance(operation, alone) or (
        operation is not None and not isinstance(operation, keras.layers.Layer)
    )


class _Linear(keras.layers.Layer):
    """Another layer, with its very weights, but without its activation."""

    def __init__(self, layer: keras.layers.Layer):
        super().__init__(dtype=layer.dtype_policy, name=f"{layer.name}_linear")
        self.layer = layer
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        activation = self.layer.activation
        self.layer.activation = keras.activations.linear
        try:
            return self.layer(*args, **kwargs)
        finally:
            self.layer.activation = activation


def graph_of(model: object) -> Any:
    """Return the functional model that a model is or, if sequential, holds."""
    if not isinstance(model, keras.Model):
        return None
    graph = getattr(model, "_functional", None) or model
    return None if getattr(graph, "outputs", None) is None else graph


def is_opaque(model: object) -> bool:
    """Tell whether a model shows no graph: a subclass of `keras.Model`."""
    return isinstance(model, keras.Model) and graph_of(model) is None


class Opaque(keras.Model):
    """A model without a graph, whose outputs have the names that terms use.

    Args:
        model: gives a tensor, the logits, or a dict of them.
        names: of the outputs that are asked for.

    Raises:
        UserError: the model is not built yet, so that it knows nothing.
    """

    def __init__(self, model: keras.Model, names: tuple[str, ...]):
        super().__init__(name=f"{model.name}_exposed")
        if not model.built:
            raise UserError(
                f"{model.name} ({type(model).__name__}) has no weights yet: "
                "load them, or call it on a batch, before it teaches"
            )
        self.model = model
        self.asked = names
        self.built = True

    def call(self, inputs: Tensors, training: bool | None = None) -> Any:
        outputs = self.model(inputs, training=training)
        if not isinstance(outputs, dict):
            outputs = {"logits": outputs}
        if missing := [name for name in self.asked if name not in outputs]:
            raise UserError(
                f"{self.model.name} has no output {missing[0]!r}, only "
                f"{', '.join(outputs)}: the student's output has to be named "
                "alike"
            )
        return {f"{name}/0": self._logits(outputs[name]) for name in self.asked}

    def _logits(self, output: Tensor) -> Any:
        """Return the model's output, before its softmax or sigmoid."""
        layers = list(_endings(self.model, output.shape[-1]))
        if not layers:
            return output
        logits = getattr(output, "_keras_logits", None)
        if logits is None:
            raise UserError(_no_logits(self.model, layers[-1]))
        return _as_classes(logits, _kind(layers[-1]))


def _endings(model: keras.Model, width: int) -> Iterator[Any]:
    """Yield the layers by whose activation a model without a graph may end."""
    for layer in model.layers:
        graph = graph_of(layer)
        if graph is not None:
            operations = [
                _last(x)[0] for x in graph.outputs if x.shape[-1] == width
            ]
            yield from (
                operation for operation in operations if _kind(operation)
            )
        elif isinstance(layer, keras.Model):
            yield from _endings(layer, width)
        elif _is_activation(layer) and _kind(layer):
            yield layer
        else:
            yield from (
                part
                for part in graphs.inner_layers(layer)
                if _kind(part) and getattr(part, "units", None) == width
            )


def _no_logits(model: keras.Model, layer: keras.layers.Layer) -> str:
    return (
        f"{model.name} ({type(model).__name__}) ends in {_kind(layer)} and "
        f"shows no logits: leave the activation of {layer.name} out, or build "
        "the model of inputs and outputs"
    )

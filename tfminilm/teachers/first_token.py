"""Tell whether a model reads the first token of a layer's states alone."""

from typing import Any

import keras

from tfminilm.private import graphs


def reads_first_token_only(
    model: keras.Model, states: keras.KerasTensor
) -> bool:
    """Return whether the output needs `states` at `[CLS]` alone.

    Classifiers do, so that their last encoder layer has one query, and one
    row for its feed-forward block, for each sequence.

    Args:
        model: a functional model; models inside it are entered.
        states: a symbolic tensor in its graph, `[batch, length, hidden_dim]`.
    """
    waiting = keras.tree.flatten(model.output)
    if any(_inner(tensor) is states for tensor in waiting):
        return False
    seen: set[int] = set()
    readers = []
    while waiting:
        tensor = waiting.pop()
        operation, node_index, _ = graphs.history(tensor)
        node = graphs.calls(operation)[node_index]
        inner = _inner(tensor)
        if inner is not tensor:
            waiting.append(inner)
        if id(node) in seen:
            continue
        seen.add(id(node))
        waiting += node.input_tensors
        if any(_inner(source) is states for source in node.input_tensors):
            readers.append(node)
    return bool(readers) and all(map(_takes_first_token, readers))


def _inner(tensor: keras.KerasTensor) -> Any:
    """Return the tensor inside a model whose output is `tensor`."""
    operation, _, place = graphs.history(tensor)
    while isinstance(operation, keras.Model):
        tensor = keras.tree.flatten(operation.output)[place]
        operation, _, place = graphs.history(tensor)
    return tensor


def _takes_first_token(node: Any) -> bool:
    if type(node.operation).__name__ != "GetItem":
        return False
    _, key = node.arguments.args
    return isinstance(key, tuple) and key[:2] == (slice(None), 0)

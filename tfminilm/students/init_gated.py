"""First weights of gated encoder layers, such as ModernBERT's."""

from collections.abc import Iterator, Sequence

import keras

from tfminilm.errors import UserError
from tfminilm.layers.gated import GatedEncoder

_PARTS = (
    "attention_norm",
    "qkv",
    "attention_output",
    "feedforward_norm",
    "intermediate",
    "feedforward",
)
# Settings without which the same weights compute something else.
_SETTINGS = ("num_heads", "rope_theta", "window", "activation")


def source_of(
    layer: keras.layers.Layer,
    index: int,
    teacher_layers: Sequence[keras.layers.Layer],
    is_free: bool,
) -> keras.layers.Layer:
    """Return the teacher's layer that a student's layer starts from.

    Args:
        layer: the student's.
        index: of the teacher's layer that is asked for.
        teacher_layers: all of them.
        is_free: whether the nearest layer that attends as the student's does
            may stand in for it, the upper one of two.

    Raises:
        UserError: one of the two is a gated layer and the other is none; or
            they attend to other tokens, or with other positions.
    """
    source = teacher_layers[index]
    kinds = [isinstance(one, GatedEncoder) for one in (layer, source)]
    if not any(kinds):
        return source
    if not all(kinds):
        raise UserError(
            f"cannot initialise {layer.name} from the teacher's {source.name}: "
            f"one is a {type(layer).__name__} and the other a "
            f"{type(source).__name__}; expected a teacher of the student's "
            "kind, or random weights"
        )
    fitting = [
        i
        for i, other in enumerate(teacher_layers)
        if _settings(other) == _settings(layer)
    ]
    if is_free and fitting:
        nearest = min(fitting, key=lambda i: (abs(i - index), -i))
        return teacher_layers[nearest]
    if index in fitting:
        return source
    expected = "the embeddings alone, with layers='embeddings'"
    if fitting:
        expected = f"one of {', '.join(map(str, fitting))}"
    raise UserError(
        f"cannot initialise {layer.name} ({_words(layer)}) from the teacher's "
        f"layer {index} ({_words(source)}): expected {expected}"
    )


def parts_of(
    layer: keras.layers.Layer, source: keras.layers.Layer
) -> Iterator[tuple[keras.layers.Layer, keras.layers.Layer]]:
    """Yield the sub-layers of a student's layer and of the teacher's.

    A first layer has no norm before its attention: another's stays as it is.
    """
    for name in _PARTS:
        pair = getattr(layer, name), getattr(source, name)
        if None not in pair:
            yield pair


def _settings(layer: keras.layers.Layer) -> list[object]:
    return [getattr(layer, name, None) for name in _SETTINGS]


def _words(layer: keras.layers.Layer) -> str:
    pairs = zip(_SETTINGS, _settings(layer), strict=True)
    return ", ".join(f"{name} {value}" for name, value in pairs)

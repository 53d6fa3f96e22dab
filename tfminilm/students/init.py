"""A student's first weights, taken from its teacher."""

from collections.abc import Sequence
from typing import Any

import keras

from tfminilm.errors import UserError
from tfminilm.layers.bottleneck import BottleneckEncoder
from tfminilm.layers.gated import GatedEncoder
from tfminilm.layers.no_norm import NoNorm
from tfminilm.private.encoders import encoder_parts
from tfminilm.students.init_bottleneck import pairs_from_bert
from tfminilm.students.init_gated import parts_of, source_of
from tfminilm.students.layer_map import layer_map
from tfminilm.teachers.expose import encoder_calls

# They say themselves what their activation is.
_OTHER_LAYERS = BottleneckEncoder, GatedEncoder
# How far apart two activations may be at any place, to be taken for one.
_ALIKE = 1e-3


def init_from_teacher(
    student: keras.Model,
    teacher: keras.Model,
    layers: str | Sequence[int] = "uniform",
) -> list[str]:
    """Copy the teacher's embeddings and some of its layers.

    The student keeps its architecture and becomes no part of the teacher:
    values are copied, not shared. Everything else, such as a pooler, is
    copied where name and shapes agree. A shorter position table takes the
    teacher's first rows. A DistilBERT may start from a BERT: having no
    segments, its positions take the first segment's embedding in. A
    MobileBERT takes an IB-BERT's embeddings, as its paper does, and its
    NoNorm starts anew where the teacher has layer normalisation. An IB-BERT
    takes from a BERT whatever is as large in both, see `pairs_from_bert`. A
    ModernBERT's layers start from those that attend as they do, to all tokens
    or to near ones: with "uniform", from the nearest such layer.

    Args:
        student: a KerasHub encoder of the teacher's kind and width.
        teacher: a KerasHub encoder.
        layers: "uniform" for every k-th layer, the last one included (of 6
            layers, 3 take the 2nd, 4th and 6th); "bottom" for the lowest;
            "embeddings" for no encoder layer; or the teacher's layers,
            counted from 0 (negative from the top), one for each of the
            student's, lowest first.

    Returns:
        The paths of the student's weights that were set.

    Raises:
        UserError: widths differ, the layers do not fit, or they have another
            activation than the teacher's.
    """
    teacher_layers = [call.layer for call in encoder_calls(teacher)]
    student_layers = [call.layer for call in encoder_calls(student)]
    indices = _indices(layers, len(teacher_layers), len(student_layers))
    is_free = isinstance(layers, str)
    pairs = [
        (layer, source_of(layer, index, teacher_layers, is_free))
        for layer, index in zip(student_layers, indices, strict=False)
    ]
    has_bottlenecks = map(_has_bottlenecks, (student_layers, teacher_layers))
    if tuple(has_bottlenecks) == (True, False):
        copies = pairs_from_bert(student, teacher, pairs)
    else:
        copies = _pairs(student, teacher, pairs)
    for weight, value in copies:
        weight.assign(value)
    return [weight.path for weight, _ in copies]


def _require_same_activation(
    layer: keras.layers.Layer, source: keras.layers.Layer
) -> None:
    """Refuse weights that were learned for another function.

    The two GELUs count as one: they differ by less than 1e-3.
    """
    probe = keras.ops.linspace(-4.0, 4.0, 33)
    student_values, teacher_values = (
        keras.ops.convert_to_numpy(
            encoder_parts(one).intermediate.activation(probe)
        )
        for one in (layer, source)
    )
    if abs(student_values - teacher_values).max() > _ALIKE:
        raise UserError(
            f"cannot initialise {layer.name} from the teacher's {source.name}: "
            "their activations differ; take its embeddings alone, with layers="
            "'embeddings'"
        )


def _has_bottlenecks(layers: list[Any]) -> bool:
    return isinstance(layers[0], BottleneckEncoder)


def _pairs(
    student: keras.Model, teacher: keras.Model, layers: list[tuple]
) -> list[tuple]:
    """Pair the weights of all layers with the values that they take."""
    for pair in layers:
        if not any(isinstance(layer, _OTHER_LAYERS) for layer in pair):
            _require_same_activation(*pair)
    encoders = {id(call.layer) for call in encoder_calls(student)}
    pairs, copies = list(layers), []
    for layer in student.layers:
        if id(layer) in encoders or not layer.weights:
            continue
        if _lacks_segments(layer, teacher):
            copies += _embeddings_without_segments(layer, teacher)
        elif not _is_other_norm(layer, source := _same_layer(layer, teacher)):
            pairs.append((layer, source))
    for layer, source in pairs:
        is_gated = isinstance(layer, GatedEncoder)
        parts = parts_of(layer, source) if is_gated else [(layer, source)]
        for part in parts:
            copies += _weight_pairs(*part)
    return copies


def _indices(
    layers: str | Sequence[int], num_teacher: int, num_student: int
) -> list[int]:
    if layers == "embeddings":
        return []
    no_map = {
        "uniform": f"cannot take every k-th of {num_teacher} layers for "
        f"{num_student}: name the layers, such as layers=(0, 2, 5)",
        "bottom": f"cannot take the {num_student} lowest of {num_teacher} "
        "layers",
    }
    if isinstance(layers, str) and layers in no_map:
        try:
            return list(layer_map(layers, num_teacher, num_student))
        except UserError:
            raise UserError(no_map[layers]) from None
    if isinstance(layers, str) or len(layers) != num_student:
        raise UserError(
            f"layers is {layers!r}, expected 'uniform', 'bottom', "
            f"'embeddings' or {num_student} teacher layers, one for each of "
            "the student's"
        )
    for index in layers:
        if not -num_teacher <= index < num_teacher:
            raise UserError(
                f"the teacher has no layer {index}: its {num_teacher} layers "
                f"are 0 to {num_teacher - 1}; name others in student.init"
            )
    return [index % num_teacher for index in layers]


def _same_layer(
    layer: keras.layers.Layer, teacher: keras.Model
) -> keras.layers.Layer:
    try:
        return teacher.get_layer(layer.name)
    except ValueError:
        raise UserError(
            f"the teacher has no layer {layer.name!r} to initialise the "
            f"student's from: expected a teacher of the student's kind, got "
            f"{type(teacher).__name__}"
        ) from None


def _lacks_segments(layer: keras.layers.Layer, teacher: keras.Model) -> bool:
    """Return whether it is DistilBERT's embedding, and the teacher a BERT."""
    names = {each.name for each in teacher.layers}
    return (
        layer.name == "token_and_position_embedding"
        and layer.name not in names
        and "segment_embedding" in names
    )


def _is_other_norm(
    layer: keras.layers.Layer, source: keras.layers.Layer
) -> bool:
    """Return whether one is a NoNorm, whose weights of the same name differ."""
    return isinstance(layer, NoNorm) != isinstance(source, NoNorm)


def _embeddings_without_segments(
    layer: keras.layers.Layer, teacher: keras.Model
) -> list[tuple]:
    tokens, positions, segments = (
        teacher.get_layer(f"{name}_embedding")
        for name in ("token", "position", "segment")
    )
    pairs = _weight_pairs(layer.token_embedding, tokens)
    pairs += _weight_pairs(layer.position_embedding, positions)
    weight, value = pairs.pop()
    first = keras.ops.convert_to_numpy(segments.embeddings)[0]
    return [*pairs, (weight, value + first)]


def _weight_pairs(
    layer: keras.layers.Layer, source: keras.layers.Layer
) -> list[tuple]:
    """Pair each of the layer's weights with the value that it takes."""
    pairs = []
    if len(layer.weights) != len(source.weights):
        raise UserError(
            f"cannot initialise {layer.name} from the teacher's {source.name}: "
            "it is built otherwise; take its embeddings alone, with layers="
            "'embeddings'"
        )
    for weight, teacher_weight in zip(
        layer.weights, source.weights, strict=True
    ):
        value = keras.ops.convert_to_numpy(teacher_weight)
        # Some have a layer of both tables, of tokens and of positions.
        is_inner = "/position_embedding/" in weight.path
        if is_inner or layer.name == "position_embedding":
            value = value[: weight.shape[0]]
        if tuple(weight.shape) != value.shape:
            raise UserError(
                f"cannot initialise {weight.path} {tuple(weight.shape)} from "
                f"the teacher's {teacher_weight.path} {value.shape}: shapes "
                "differ; start from random weights, or build a student as "
                "wide (and with as many positions) as its teacher"
            )
        pairs.append((weight, value))
    return pairs

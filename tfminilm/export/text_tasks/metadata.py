"""Write the metadata of a file: what its tensors mean, which files it holds.

The format is a flatbuffer of the TFLite Metadata schema, version 1.1.0, which
MediaPipe and the TFLite Task Library share. A table is written here as the
values of its fields by their places in the schema.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, Union

if TYPE_CHECKING:
    import flatbuffers

ENTRY = "TFLITE_METADATA"
VOCABULARY = "vocab.txt"
LABELS = "labels.txt"

# What the schema's fields hold: texts, tables, lists of these, and enums.
Value: TypeAlias = Union[str, "Table", Sequence["Value"]]
Table: TypeAlias = Mapping[int, Value | int]

_IDENTIFIER = b"M001"
# The first version of the schema that has options for BERT's tokenizer.
_OLDEST_PARSER = "1.1.0"
# Members of the schema's enums and unions.
_LABELS_OF_AXIS, _WORDS = 2, 5
_FEATURE = 1
_BERT_TOKENIZER = 4


def model_metadata(
    description: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    has_labels: bool,
) -> bytes:
    """Return the metadata of a file whose only graph reads BERT's inputs.

    Args:
        description: a sentence on the model.
        inputs: the clients' names of the graph's inputs, in its order.
        outputs: and of its outputs.
        has_labels: whether `labels.txt` names the numbers of the output.
    """
    labels = [_file(LABELS, _LABELS_OF_AXIS)] if has_labels else []
    vocabulary: Table = {0: [_file(VOCABULARY, _WORDS)]}
    unit: Table = {0: _BERT_TOKENIZER, 1: vocabulary}
    graph: Table = {
        2: [_tensor(name) for name in inputs],
        3: [_tensor(name, labels) for name in outputs],
        5: [unit],
    }
    model: Table = {
        0: "text model",
        1: description,
        3: [graph],
        7: _OLDEST_PARSER,
    }
    return _written(model)


def _file(name: str, kind: int) -> Table:
    """Return the entry of a file that lies behind the model."""
    return {0: name, 2: kind}


def _tensor(name: str, files: Sequence[Value] = ()) -> Table:
    """Return what is said of a tensor of numbers that mean nothing else."""
    feature: Table = {}
    content: Table = {0: _FEATURE, 1: feature}
    about: dict[int, Value | int] = {0: name, 3: {0: content}}
    return about | ({6: files} if files else {})


def _written(model: Table) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(_place(builder, model), _IDENTIFIER)
    return bytes(builder.Output())


def _place(builder: "flatbuffers.Builder", value: Value) -> int:
    """Write a value and all that it refers to; returns its place."""
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, Mapping):
        return _place_table(builder, value)
    places = [_place(builder, item) for item in value]
    builder.StartVector(4, len(places), 4)
    for place in reversed(places):
        builder.PrependUOffsetTRelative(place)
    return builder.EndVector()


def _place_table(builder: "flatbuffers.Builder", table: Table) -> int:
    places = {
        field: value if isinstance(value, int) else _place(builder, value)
        for field, value in table.items()
    }
    builder.StartObject(max(table, default=-1) + 1)
    for field, place in places.items():
        if isinstance(table[field], int):
            builder.PrependUint8Slot(field, place, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(field, place, 0)
    return builder.EndObject()

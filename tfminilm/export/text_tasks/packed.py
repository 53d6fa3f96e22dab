"""Pack a LiteRT file with its metadata, words and labels into one file.

The associated files are a zip archive behind the flatbuffer, uncompressed, so
that the file is both: LiteRT reads it from its start, `unzip` from its end.
"""

import io
import zipfile
from collections.abc import Mapping

import numpy as np

from tfminilm.export.litert import flatbuffer
from tfminilm.export.text_tasks import metadata

# Clients' names of inputs and outputs, in their order, by those of a bundle.
INPUTS = {
    "token_ids": "ids",
    "padding_mask": "mask",
    "segment_ids": "segment_ids",
}
OUTPUTS = {
    "logits": "probability",
    "end_logits": "end_logits",
    "start_logits": "start_logits",
    "sentence_embedding": "sentence_embedding",
}


def pack(model: bytes, description: str, files: Mapping[str, bytes]) -> bytes:
    """Make a bundle's file one that reads texts in a client.

    Args:
        model: the content of a file with one signature; its logits are
            probabilities.
        description: a sentence on it.
        files: contents by name: `vocab.txt`, and `labels.txt` for classes.

    Returns:
        The content of the file. Its one graph has the inputs `ids`, `mask`
        and `segment_ids`, int32 `[1, length]`; a model that reads no segments
        leaves those aside. Its signature keeps the names of the inputs.
    """
    read = flatbuffer.read(model)
    (graph,), (signature,) = read.subgraphs, read.signatureDefs
    if len(signature.inputs) < len(INPUTS):
        _add_segments(graph, signature)
    signature.inputs = _sorted(signature.inputs, INPUTS)
    signature.outputs = _sorted(signature.outputs, OUTPUTS)
    graph.inputs = [entry.tensorIndex for entry in signature.inputs]
    graph.outputs = [entry.tensorIndex for entry in signature.outputs]
    outputs = [OUTPUTS[entry.name.decode()] for entry in signature.outputs]
    for entry, name in zip(signature.outputs, outputs, strict=True):
        entry.name = name.encode()
    content = metadata.model_metadata(
        description, list(INPUTS.values()), outputs, metadata.LABELS in files
    )
    _add_metadata(read, content)
    return _with_files(flatbuffer.write(read), files)


def _sorted(entries, names):
    """Order a signature's tensors as the clients' names are."""
    order = list(names)
    return sorted(entries, key=lambda entry: order.index(entry.name.decode()))


def _add_segments(graph, signature) -> None:
    """Add the input `segment_ids`, which nothing reads."""
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    like = graph.tensors[signature.inputs[0].tensorIndex]
    tensor.name, tensor.type, tensor.buffer = b"segment_ids", like.type, 0
    tensor.shape = list(like.shape)
    graph.tensors.append(tensor)
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = b"segment_ids", len(graph.tensors) - 1
    signature.inputs.append(entry)


def _add_metadata(read: flatbuffer.Model, content: bytes) -> None:
    from ai_edge_litert import schema_py_generated as schema

    entry = schema.MetadataT()
    entry.name = metadata.ENTRY.encode()
    values = np.frombuffer(content, np.uint8)
    entry.buffer = flatbuffer.add_buffer(read, values)
    read.metadata = [*(read.metadata or []), entry]


def _with_files(model: bytes, files: Mapping[str, bytes]) -> bytes:
    """Append an archive of files whose places count from the model's start."""
    content = io.BytesIO(model)
    content.seek(0, io.SEEK_END)
    with zipfile.ZipFile(content, "a", zipfile.ZIP_STORED) as archive:
        for name, file in files.items():
            # Without a date, so that equal models are equal files.
            archive.writestr(zipfile.ZipInfo(name), file)
    return content.getvalue()

"""Write `onnx/model.onnx` as optimum and transformers.js look for it."""

import dataclasses
import pathlib

import keras
import numpy as np

from tfminilm import files
from tfminilm.export import ids
from tfminilm.export.onnx_graph import model as onnx_model
from tfminilm.export.onnx_graph import traced
from tfminilm.export.onnx_graph.quantize import quantize
from tfminilm.export.server.onnx import open_session, run_session
from tfminilm.tasks.head_models import TokenClassifier, gives_several_labels
from tfminilm.tasks.similarity import pool, unit
from tfminilm.teachers.embedding import TextEmbedding, embedding_of

FLOAT, INT8 = "onnx/model.onnx", "onnx/model_quantized.onnx"


def write(
    model: keras.Model,
    folder: pathlib.Path,
    names: tuple[str, ...],
    all_states: bool = False,
) -> None:
    """Write the files of `names`, `FLOAT` and `INT8`, of the same model.

    Args:
        model: a backbone, or a model of `tasks.heads.build_head` on one.
        folder: where to.
        names: which files.
        all_states: see `onnx_graph.model.build`.
    """
    proto = onnx_model.build(model, all_states)
    for name in names:
        content = quantize(proto) if name == INT8 else proto
        (folder / name).parent.mkdir(exist_ok=True)
        files.write_bytes(folder / name, content.SerializeToString())


@dataclasses.dataclass(frozen=True)
class Reading:
    """Say what to make of a file's outputs, as clients read in `config.json`.

    Attributes:
        embedding: how an encoder's states become embeddings; None for the mean.
        logits: what Keras calls a head's logits.
        has_several_labels: whether each logit is that of a label's probability.
    """

    embedding: TextEmbedding | None = None
    logits: str = traced.LOGITS
    has_several_labels: bool = False

    @classmethod
    def of(cls, model: keras.Model) -> "Reading":
        """Return how what `write` makes of a model is read."""
        if not hasattr(model, "backbone"):
            return cls(embedding_of(model))
        if isinstance(model, TokenClassifier):
            return cls(logits="token_logits")
        is_classifier = hasattr(model, "num_classes")
        return cls(
            has_several_labels=is_classifier and gives_several_labels(model)
        )


class Runner:
    """Runs a file in onnxruntime, and gives what Keras gives.

    Raises:
        UserError: onnxruntime cannot read it.
    """

    def __init__(self, path: pathlib.Path, reading: Reading):
        self._session = open_session(path)
        self._reading = reading
        self._names = {onnx: name for name, onnx in traced.INPUTS.items()}

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return outputs for int32 `[batch, length]` inputs, by Keras' names.

        An encoder's embedding is made of its states as its clients do.

        Raises:
            UserError: an id has no row in the model's tables.
        """
        ids.require(batch)
        inputs = {
            value.name: batch[self._names[value.name]].astype(np.int64)
            for value in self._session.get_inputs()
        }
        outputs = run_session(self._session, inputs)
        if traced.STATES in outputs:
            states = outputs[traced.STATES]
            embedding = self._reading.embedding or TextEmbedding()
            vectors = pool(states, batch["padding_mask"], embedding.pooling)
            if embedding.normalize:
                vectors = unit(vectors)
            return {"sequence_output": states, "sentence_embedding": vectors}
        if traced.LOGITS in outputs:
            logits = outputs.pop(traced.LOGITS)
            if self._reading.has_several_labels:
                logits = 1 / (1 + np.exp(-logits))
            outputs[self._reading.logits] = logits
        return outputs

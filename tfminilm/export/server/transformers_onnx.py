"""Write `onnx/model.onnx` as optimum and transformers.js look for it."""

import pathlib
from typing import TYPE_CHECKING

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
from tfminilm.teachers.embedding import embedding_of

if TYPE_CHECKING:
    pass

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


class Runner:
    """Runs a file in onnxruntime, and gives what Keras gives.

    Raises:
        UserError: onnxruntime cannot read it.
    """

    def __init__(self, path: pathlib.Path, model: keras.Model):
        self._session = open_session(path)
        self._model = model
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
            embedding = embedding_of(self._model)
            vectors = pool(states, batch["padding_mask"], embedding.pooling)
            if embedding.normalize:
                vectors = unit(vectors)
            return {"sequence_output": states, "sentence_embedding": vectors}
        if isinstance(self._model, TokenClassifier):
            return {"token_logits": outputs["logits"]}
        if "logits" in outputs and gives_several_labels(self._model):
            return {"logits": 1 / (1 + np.exp(-outputs["logits"]))}
        return outputs

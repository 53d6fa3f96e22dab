"""What embeds texts in its own way is exported so, or not at all."""

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.export.bundle import writer
from tfminilm.export.check import parity
from tfminilm.export.graph.mobile_graph import MobileGraph
from tfminilm.export.litert import profile
from tfminilm.export.litert.convert import convert
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.export.server.serving import ServingGraph
from tfminilm.export.target import Target
from tfminilm.teachers.embedding import TextEmbedding, set_embedding

EMBEDDINGS = [
    TextEmbedding(pooling, normalize)
    for pooling in ("mean", "cls")
    for normalize in (False, True)
]


def oracle(states, mask, embedding):
    """In float64, row by row."""
    rows = []
    for values, real in zip(states.astype("float64"), mask, strict=True):
        row = values[0] if embedding.pooling == "cls" else None
        row = values[real != 0].mean(axis=0) if row is None else row
        rows.append(row / np.sqrt(row @ row) if embedding.normalize else row)
    return np.stack(rows)


@pytest.mark.parametrize("embedding", EMBEDDINGS, ids=str)
def test_every_graph_embeds_alike(
    embedding, make_backbone, make_batch, run, run_graph
):
    backbone = make_backbone(num_layers=1)
    set_embedding(backbone, embedding)
    batch = make_batch([12, 7, 1], 12)
    states = run(backbone, batch)["sequence_output"]
    wanted = oracle(states, batch["padding_mask"], embedding)
    inputs = [batch[name] for name in sorted(batch)]
    for got in (
        parity.keras_outputs(backbone, batch),
        ServingGraph(backbone).by_position()(*inputs),
        run_graph(MobileGraph(backbone), batch),
    ):
        found = np.array(got["sentence_embedding"])
        np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "dynamic_wi8_afp32"])
def test_a_file_of_one_partition_embeds_alike(
    precision, make_backbone, make_batch, tmp_path
):
    backbone = make_backbone(num_layers=1)
    set_embedding(backbone, TextEmbedding("cls", normalize=True))
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(backbone, precision, [8]))
    assert profile.partitions(path) == {"encode_8": 1}
    row = {name: x[0] for name, x in make_batch([7], 8).items()}
    got = LiteRTEncoder(path)(**row, length=8)
    found, states = got["sentence_embedding"][0], got["sequence_output"][0]
    wanted = states[0] / np.linalg.norm(states[0])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_longer_texts_than_its_folder_says(make_backbone, tokenizer, tmp_path):
    backbone = make_backbone(num_layers=1)
    set_embedding(backbone, TextEmbedding(max_length=8))
    target = Target(name="small", lengths=(8, 16))
    with pytest.raises(UserError, match=r"\(8, 16\), expected up to 8, where"):
        writer.export_bundle(backbone, tokenizer, target, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()

"""A difference is traced to the layer that it comes in at."""

import numpy as np
import pytest

from tfminilm.errors import UserError
from tfminilm.export.check.worst_layer import hidden_states, worst_layer
from tfminilm.export.litert.convert import convert
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.export.server import folder, hugging_face, onnx, saved_model
from tfminilm.export.target import Target
from tfminilm.private.encoders import encoder_parts


@pytest.fixture(scope="module")
def run(backbone, tmp_path_factory):
    """What a file has of the states of a model that nobody changed."""
    path = tmp_path_factory.mktemp("measuring") / "model.tflite"
    names = list(hidden_states(backbone).output)
    path.write_bytes(convert(backbone, "float32", (8,), names))
    encoder = LiteRTEncoder(path)
    return lambda batch: encoder(**{k: x[0] for k, x in batch.items()})


@pytest.fixture
def where(run, make_backbone, make_batch):
    """Changes a model after its export, and asks which layer is to blame."""

    def ask(change):
        model = make_backbone()
        change(model)
        return worst_layer(hidden_states(model), make_batch([6], 8), run)

    return ask


def test_a_layer(where):
    def change(model):
        bias = encoder_parts(model.transformer_layers[1]).output.bias
        bias.assign(bias * 1.3)

    assert where(change).startswith("the worst layer is layer 2 of 2: its")


def test_a_layer_is_not_blamed_for_what_it_was_given(where):
    def change(model):
        for layer, factor in zip(
            model.transformer_layers, (1.3, 1.6), strict=True
        ):
            kernel = encoder_parts(layer).output.kernel
            kernel.assign(kernel * factor)

    assert where(change).startswith("the worst layer is layer 1 of 2: its")


def test_the_embeddings(where):
    def change(model):
        table = model.token_embedding.embeddings
        table.assign(np.roll(table, 1, axis=0))

    assert where(change).startswith("the worst layer is the embeddings: its")


def test_padding_has_no_say(where):
    def change(model):
        table = model.position_embedding.position_embeddings
        rows = np.array(table)
        rows[6:] *= -1
        table.assign(rows)

    assert where(change) == "its layers agree, what stands on them does not"


def test_what_stands_on_the_layers(where):
    def change(model):
        model.pooled_dense.bias.assign(model.pooled_dense.bias + 1)

    assert where(change) == "its layers agree, what stands on them does not"


@pytest.mark.parametrize(
    "writer",
    [onnx, pytest.param(saved_model, marks=pytest.mark.slow), hugging_face],
)
def test_a_folder_names_it_as_well(
    writer, make_backbone, tokenizer, sentences, tmp_path, monkeypatch
):
    """The writer's second layer is not the model's."""
    model, write = make_backbone(), writer.write

    def write_wrongly(written, *args):
        bias = encoder_parts(model.transformer_layers[1]).output.bias
        right = np.array(bias)
        bias.assign(right * 1.3)
        write(written, *args)
        bias.assign(right)

    monkeypatch.setattr(writer, "write", write_wrongly)
    target = Target(format=writer.__name__.split(".")[-1], lengths=(8,))
    with pytest.raises(UserError, match="the worst layer is layer 2 of 2: its"):
        folder.export_folder(
            model, tokenizer, target, tmp_path / "out", sentences
        )
    assert not list(tmp_path.iterdir())

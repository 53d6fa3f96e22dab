"""A difference is traced to the layer that it comes in at."""

import numpy as np
import pytest

from tfminilm.export import litert
from tfminilm.export.worst_layer import worst_layer


@pytest.fixture(scope="module")
def measuring(backbone):
    names = [f"hidden_states_{index}" for index in range(3)]
    return litert.convert(backbone, "float32", (8,), names)


@pytest.fixture
def where(measuring, make_backbone, make_batch):
    """Changes a model after its export, and asks which layer is to blame."""

    def ask(change):
        model = make_backbone()
        change(model)
        return worst_layer(model, make_batch([6], 8), lambda _: measuring)

    return ask


def test_a_layer(where):
    def change(model):
        bias = model.transformer_layers[1]._feedforward_output_dense.bias
        bias.assign(bias * 1.3)

    assert where(change).startswith("the worst layer is layer 2 of 2: its")


def test_a_layer_is_not_blamed_for_what_it_was_given(where):
    def change(model):
        for layer, factor in zip(
            model.transformer_layers, (1.3, 1.6), strict=True
        ):
            kernel = layer._feedforward_output_dense.kernel
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

"""Tables of tokens: the numbers they hold, and how a file reads them."""

import numpy as np
import pytest

from tfminilm.export.litert import flatbuffer, profile
from tfminilm.export.litert.convert import convert
from tfminilm.export.litert.runner import LiteRTEncoder

WORDS = np.arange(100)


@pytest.fixture(scope="module")
def backbone(make_backbone):
    """One whose rows are of very different sizes, and one row empty."""
    backbone = make_backbone(num_layers=1)
    table = backbone.token_embedding.embeddings
    sizes = np.geomspace(0.01, 10, 100)[:, None]
    sizes[7] = 0
    table.assign(np.array(table) * sizes)
    return backbone


@pytest.fixture(scope="module")
def read_table(backbone, tmp_path_factory):
    """What a file makes of each word, without what is added to it."""
    folder = tmp_path_factory.mktemp("tables")

    def rows(precision):
        path = folder / f"{precision}.tflite"
        states = ("hidden_states_0",)
        own = {} if precision == "float16" else {"tokens": precision}
        rest = "float16" if precision == "float16" else "float32"
        read = flatbuffer.read(convert(backbone, rest, (1,), states, own))
        (graph,), (signature,) = read.subgraphs, read.signatureDefs
        (graph.outputs[0],) = _products(read, graph)
        signature.outputs[0].tensorIndex = graph.outputs[0]
        path.write_bytes(flatbuffer.write(read))
        encoder = LiteRTEncoder(path)
        found = [encoder(WORDS[i : i + 1]) for i in WORDS]
        return np.array([row["hidden_states_0"].ravel() for row in found]), path

    return rows


def _products(read, graph):
    """The places of `[1, 32]` products of rows and factors."""
    for operator in graph.operators:
        if flatbuffer.operator_name(read, operator) == "MUL":
            shapes = [tuple(graph.tensors[i].shape) for i in operator.inputs]
            if shapes == [(1, 32), (1, 1)]:
                yield operator.outputs[0]


@pytest.mark.parametrize(
    ("precision", "steps"),
    [
        ("dynamic_wi8_afp32", 127),
        ("weight_only_wi8_afp32", 127),
        ("float16", 1023),
    ],
)
def test_every_row_has_its_own_scale(backbone, read_table, precision, steps):
    wanted = np.array(backbone.token_embedding.embeddings)
    got, path = read_table(precision)
    largest = np.abs(wanted).max(1, keepdims=True)
    assert (np.abs(got - wanted) <= 0.51 * largest / steps).all()
    assert profile.partitions(path) == {"encode_1": 1}


def test_four_bits(backbone, read_table):
    """At most 16 values a row, in even steps; the quantiser may clip."""
    wanted = np.array(backbone.token_embedding.embeddings)
    got, path = read_table("dynamic_wi4_afp32")
    for row, values in zip(got, wanted, strict=True):
        step = np.diff(np.unique(row)).min() if row.any() else 1
        numbers = row / step
        np.testing.assert_allclose(numbers, np.round(numbers), atol=1e-3)
        assert -8.01 < numbers.min() <= numbers.max() < 7.01
        inside = np.abs(values) < 6.5 * step
        assert (np.abs(row - values)[inside] <= 0.51 * step).all()
    assert profile.partitions(path) == {"encode_1": 1}


def test_an_odd_width_is_no_pair(make_backbone, tmp_path):
    backbone = make_backbone(num_layers=1, num_heads=1, hidden_dim=33)
    path = tmp_path / "model.tflite"
    found = []
    for precision in ("float32", "dynamic_wi4_afp32"):
        given = "float32", (4,), ("hidden_states_0",), {"tokens": precision}
        path.write_bytes(convert(backbone, *given))
        found.append(LiteRTEncoder(path)([5, 6, 7])["hidden_states_0"])
    assert 0.01 < np.abs(found[0] - found[1]).mean() < 0.3


def test_signatures_share_a_table(make_backbone):
    """A second one adds neither rows nor factors."""
    backbone = make_backbone(vocabulary_size=3000, num_layers=1)
    for precision in ("dynamic_wi4_afp32", "float16"):
        sizes = [
            len(convert(backbone, precision, lengths))
            for lengths in ((4,), (4, 5))
        ]
        assert sizes[1] - sizes[0] < 3000 * 16

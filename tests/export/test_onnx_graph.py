"""ONNX of our own: right at any batch and length, fused, and int8."""

import collections

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from tfminilm import families, students
from tfminilm.export.graph.mobile_graph import HIDDEN_STATES
from tfminilm.export.onnx_graph import model as onnx_model
from tfminilm.export.onnx_graph import quantize
from tfminilm.tasks import Task, heads

NAMES = {
    "input_ids": "token_ids",
    "attention_mask": "padding_mask",
    "token_type_ids": "segment_ids",
}
POST_NORM = ("bert", "distil_bert", "electra", "roberta", "xlm_roberta")
LAYERS = 3


def task_of(kind, labels=("a", "b", "c")):
    return Task("t", kind, (), (), labels, texts=("text",))


def batch_of(make_batch, model, lengths, total):
    batch = make_batch(lengths, total)
    return {name: batch[name] for name in model.input}


def session_of(proto, path=""):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(proto.SerializeToString(), options)


def run(proto, batch):
    """Run a model as a client does: int64, with transformers' names."""
    session = session_of(proto)
    inputs = {
        x.name: batch[NAMES[x.name]].astype(np.int64)
        for x in session.get_inputs()
    }
    outputs = [x.name for x in session.get_outputs()]
    return dict(zip(outputs, session.run(outputs, inputs), strict=True))


def fused(proto, tmp_path):
    """Count the operators of what onnxruntime makes of a model."""
    path = tmp_path / "optimized.onnx"
    session_of(proto, path)
    nodes = onnx.load(path).graph.node
    return collections.Counter(node.op_type for node in nodes)


def arrays(outputs):
    if not isinstance(outputs, dict):
        outputs = {"sequence_output": outputs}
    return {k: keras.ops.convert_to_numpy(x) for k, x in outputs.items()}


def assert_same(proto, backbone, make_batch):
    for lengths, total in (((9, 4, 1), 9), ((5,), 7)):
        batch = batch_of(make_batch, backbone, lengths, total)
        got = run(proto, batch)
        assert set(got) == {"last_hidden_state"}
        wanted = arrays(backbone(batch))["sequence_output"]
        real = batch["padding_mask"].astype(bool)
        np.testing.assert_allclose(
            got["last_hidden_state"][real], wanted[real], 5e-5, 3e-5
        )


@pytest.mark.parametrize("kind", POST_NORM)
def test_encoder(kind, make_encoder, make_batch):
    backbone = make_encoder(kind)
    assert families.of_backbone(backbone).mobile_graph == "post_norm"
    proto = onnx_model.build(backbone)
    onnx.checker.check_model(proto, full_check=True)
    names = {x.name for x in proto.graph.input}
    assert names == {k for k, x in NAMES.items() if x in backbone.input}
    assert_same(proto, backbone, make_batch)


def test_positions_are_added_to_scores(make_batch, randomise):
    sizes = {"num_heads": 2, "vocabulary_size": 100, "max_sequence_length": 24}
    backbone = randomise(students.mpnet(2, 8, **sizes))
    assert_same(onnx_model.build(backbone), backbone, make_batch)


@pytest.mark.slow  # tf2onnx takes seconds for each.
@pytest.mark.parametrize("kind", ["albert", "mobilebert", "modernbert"])
def test_other_families(kind, make_encoder, make_batch, randomise):
    sizes = {"num_heads": 2, "vocabulary_size": 100, "max_sequence_length": 24}
    if kind == "mobilebert":
        sizes |= {"bottleneck_dim": 4, "embedding_dim": 4}
    if kind == "albert":
        backbone = make_encoder(kind)
    else:
        backbone = randomise(getattr(students, kind)(2, 8, **sizes))
    proto = onnx_model.build(backbone)
    assert_same(proto, backbone, make_batch)
    states = onnx_model.build(backbone, all_states=True)
    assert len(states.graph.output) == backbone.num_layers + 1
    small = quantize.quantize(proto)
    operators = collections.Counter(x.op_type for x in small.graph.node)
    assert operators["Gemm"] == 0
    batch = batch_of(make_batch, backbone, (9, 4), 9)
    real = batch["padding_mask"].astype(bool)
    got, wanted = (run(x, batch)["last_hidden_state"] for x in (small, proto))
    gap = np.abs(got - wanted)[real].mean() / np.abs(wanted)[real].mean()
    assert 0 < gap < 0.1


def test_all_states(make_encoder, make_batch):
    backbone = make_encoder("bert")
    batch = batch_of(make_batch, backbone, (9, 4), 9)
    got = run(onnx_model.build(backbone, all_states=True), batch)
    names = [f"{HIDDEN_STATES}_{index}" for index in range(LAYERS + 1)]
    assert list(got) == names
    last = arrays(backbone(batch))["sequence_output"]
    np.testing.assert_allclose(got[names[-1]][0], last[0], atol=3e-5)


@pytest.mark.parametrize("family", ["bert", "distil_bert"])
@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("classification", {"logits": "logits"}),
        ("regression", {"logits": "logits"}),
        ("qa", {x: x for x in ("start_logits", "end_logits")}),
        ("token_classification", {"token_logits": "logits"}),
    ],
)
def test_heads(kind, names, family, make_encoder, make_batch, randomise):
    head = heads.build_head(task_of(kind), make_encoder(family))
    head = randomise(head)
    batch = batch_of(make_batch, head, (9, 4), 9)
    got = run(onnx_model.build(head), batch)
    wanted = head(batch)
    if not isinstance(wanted, dict):
        wanted = {"logits": wanted}
    for name, output in names.items():
        values = arrays(wanted)[name]
        if name != "logits":
            got_row, wanted_row = got[output][1, :4], values[1, :4]
        else:
            got_row, wanted_row = got[output], values
        np.testing.assert_allclose(got_row, wanted_row, atol=3e-5)


def test_several_labels_are_logits(make_encoder, make_batch, randomise):
    """Clients put the sigmoid on them themselves."""
    task = task_of("multi_label")
    head = randomise(heads.build_head(task, make_encoder("bert")))
    batch = batch_of(make_batch, head, (9, 4), 9)
    logits = run(onnx_model.build(head), batch)["logits"]
    assert logits.min() < 0
    np.testing.assert_allclose(
        1 / (1 + np.exp(-logits)),
        arrays(head(batch))["sequence_output"],
        atol=1e-5,
    )


def test_onnxruntime_fuses(make_encoder, tmp_path):
    proto = onnx_model.build(make_encoder("bert"))
    counts = fused(proto, tmp_path)
    assert counts["SkipLayerNormalization"] == 2 * LAYERS
    assert counts["LayerNormalization"] == 1
    assert counts["FastGelu"] + counts["BiasGelu"] == LAYERS
    assert counts["Erf"] == counts["Tanh"] == counts["Gemm"] == 0
    counts = fused(quantize.quantize(proto), tmp_path)
    assert counts["SkipLayerNormalization"] == 2 * LAYERS
    assert counts["MatMulIntegerToFloat"] == 6 * LAYERS
    # Scores and mixed values of attention stay float32.
    assert counts["MatMul"] + counts["FusedMatMul"] == 2 * LAYERS


@pytest.fixture(scope="module")
def wide():
    """An encoder with a table that is large enough to be rounded."""
    backbone = students.bert(2, 64, num_heads=2, vocabulary_size=400)
    return onnx_model.build(backbone)


def test_int8_holds_no_large_floats(wide):
    small = quantize.quantize(wide)
    onnx.checker.check_model(small)
    sizes = [
        np.prod(x.dims)
        for x in small.graph.initializer
        if x.data_type == onnx.TensorProto.FLOAT
    ]
    assert max(sizes) <= 512  # A scale for each row of the positions.
    share = small.ByteSize() / wide.ByteSize()
    assert share < 0.4


def test_int8_is_near_and_no_row_depends_on_another(wide, make_batch):
    small = quantize.quantize(wide)
    batch = make_batch((30, 12, 5), 30)
    both = run(small, batch)["last_hidden_state"]
    wanted = run(wide, batch)["last_hidden_state"]
    real = batch["padding_mask"].astype(bool)
    got, wanted = both[real], wanted[real]
    norms = np.linalg.norm(got, axis=1) * np.linalg.norm(wanted, axis=1)
    cosines = (got * wanted).sum(1) / norms
    assert cosines.min() > 0.999
    alone = {name: value[1:2, :12] for name, value in batch.items()}
    alone = run(small, alone)["last_hidden_state"][0]
    np.testing.assert_allclose(alone, both[1, :12], atol=1e-5)


def test_no_sum_of_two_products_overflows_16_bits():
    random = np.random.default_rng(0)
    matrix = random.normal(size=(64, 8)).astype(np.float32)
    matrix[10:12, 0] = 5  # Two large neighbours.
    values, scales = quantize.pack_matrix(matrix)
    assert values.dtype == np.int8
    signed = values.astype(int)
    for inputs in (np.full(64, 255), random.integers(0, 256, 64)):
        products = inputs[:, None] * signed
        for start in (0, 1):
            pairs = products[start:-1:2] + products[start + 1 :: 2]
            assert np.abs(pairs).max() <= np.iinfo(np.int16).max
    gap = np.abs(values * scales - matrix)
    assert (gap <= 0.5001 * scales).all()


def test_the_pass_reads_gemm():
    """As tf2onnx writes products of dense layers."""
    random = np.random.default_rng(0)
    weights = random.normal(size=(16, 4)).astype(np.float32)
    bias = random.normal(size=4).astype(np.float32)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Gemm", ["x", "w", "b"], ["y"], "g")],
        "gemm",
        [onnx.helper.make_tensor_value_info("x", 1, [None, 16])],
        [onnx.helper.make_tensor_value_info("y", 1, [None, 4])],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(bias, "b"),
        ],
    )
    proto = onnx.helper.make_model(
        graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 17)]
    )
    session = session_of(quantize.quantize(proto))
    x = random.normal(size=(3, 16)).astype(np.float32) + 2
    x[1], x[1, 3] = 0.01 * x[1], 40.0  # One value is far from all others.
    x[2] = 7  # No range at all.
    (got,) = session.run(None, {"x": x})
    values, scales = quantize.pack_matrix(weights)
    wanted = x @ (values * scales) + bias
    # A step of the inputs, 127 to half a row's range, and nothing else.
    steps = (x.max(1) - x.min(1)) / 254
    most = 0.51 * steps[:, None] * np.abs(values * scales).sum(0) + 1e-4
    assert (np.abs(got - wanted) <= most).all()

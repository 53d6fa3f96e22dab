"""MobileBERT and IB-BERT as students, with heads, and how they start."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import tfminilm
from tfminilm import students
from tfminilm.private.encoders import encoder_parts
from tfminilm.tasks.heads import FirstTokenClassifier, SpanFinder, plain
from tfminilm.teachers import build_masked_lm, expose
from tfminilm.teachers.expose import encoder_calls
from tfminilm.teachers.faster import faster
from tfminilm.teachers.masked_lm import copy_head

PARTS = ("queries", "keys", "values", "attention_scores", "attention_probs")
SIZES = {
    "vocabulary_size": 100,
    "num_layers": 3,
    "hidden_dim": 12,
    "bottleneck_dim": 8,
    "intermediate_dim": 6,
    "embedding_dim": 4,
    "num_feedforwards": 1,
    "max_sequence_length": 24,
}


@pytest.fixture(scope="module")
def make(randomise):
    def build(kind="mobilebert", **options):
        return randomise(getattr(students, kind)(**SIZES | options))

    return build


@pytest.fixture(scope="module")
def model(make):
    """A MobileBERT. Shared: tests leave it as it is."""
    return make()


def start(layer):
    return [keras.ops.convert_to_numpy(w) for w in layer.weights]


def test_variants_are_the_papers():
    sizes = SIZES | {"num_layers": 1}
    del sizes["num_feedforwards"]
    for kind, expected in {
        "mobilebert": ("shared", 4, "no_norm", "relu"),
        "mobilebert_tiny": ("bottleneck", 2, "no_norm", "relu"),
        "mobilebert_without_opt": ("shared", 4, "layer_norm", "gelu"),
        "ib_bert": ("block", 1, "layer_norm", "gelu"),
    }.items():
        build = getattr(students, kind)
        found = build(**sizes)
        assert expected == (
            found.attention_input,
            found.num_feedforwards,
            found.normalization,
            found.activation,
        )
        assert not found.pooler
        assert build(**sizes, num_feedforwards=3).num_feedforwards == 3


def test_starts_as_published():
    sizes = SIZES | {"num_layers": 1, "bottleneck_dim": 512}
    model = students.mobilebert(**sizes)
    block = model.transformer_layers[0]
    for weight in block.weights:
        value = keras.ops.convert_to_numpy(weight)
        if weight.name == "gamma":
            assert (value == 1).all()
        elif weight.name in ("beta", "bias"):
            assert (value == 0).all()
    kernel = keras.ops.convert_to_numpy(block.attention_output.dense.kernel)
    # Truncated at two deviations, what is left has 0.88 of the spread.
    assert kernel.std() == pytest.approx(0.0176, rel=0.01)
    # Keras' draws on PyTorch are outside of them once in 200,000.
    assert (np.abs(kernel) > 0.04).mean() < 1e-4


def test_exposes_every_layer(model, make_batch, run):
    wanted = {name: [0, 1, 2] for name in PARTS}
    batch = make_batch(model)
    found = run(expose(model, wanted | {"hidden_states": range(4)}), batch)
    assert len(found) == 19
    for index, call in enumerate(encoder_calls(model)):
        inputs = found[f"hidden_states/{index}"], batch["padding_mask"]
        whole = call.layer.run(*inputs)
        for name in PARTS:
            np.testing.assert_allclose(
                found[f"{name}/{index}"],
                keras.ops.convert_to_numpy(whole[name]),
                rtol=1e-5,
                atol=1e-5,
            )
    real = batch["padding_mask"] > 0
    top = run(model, batch)["sequence_output"]
    np.testing.assert_allclose(
        found["hidden_states/3"][real], top[real], rtol=1e-5
    )


def test_exposes_no_more_than_needed(model):
    view = expose(model, {"values": [1]})
    paths = {weight.path.split("/")[0] for weight in view.weights}
    assert "transformer_layer_2" not in paths
    top = [w for w in view.weights if "transformer_layer_1" in w.path]
    assert {w.path.split("/")[1] for w in top} == {"value"}


@pytest.mark.parametrize("head", [FirstTokenClassifier, SpanFinder])
def test_stands_under_the_heads_of_tasks(make, make_batch, run, head, tmp_path):
    options = {"num_classes": 3} if head is FirstTokenClassifier else {}
    model = head(make(num_layers=2), **options)
    batch = make_batch(model)
    expected = run(model, batch)
    model.save_to_preset(str(tmp_path))
    for other in (head.from_preset(str(tmp_path)), plain(model), faster(model)):
        found = run(other, batch)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5)


_LOADING = """
import sys
from tfminilm.{module} import {load}
print(type({load}(sys.argv[1])).__name__)
"""


@pytest.mark.slow
def test_loads_in_a_process_that_has_not_built_one(make, tmp_path):
    models = {
        ("tasks.heads", "load_head"): SpanFinder(make(num_layers=1)),
        ("teachers", "load_masked_lm"): build_masked_lm(make(num_layers=1)),
    }
    for (module, load), model in models.items():
        folder = str(tmp_path / load)
        model.save_to_preset(folder)
        code = _LOADING.format(module=module, load=load)
        done = subprocess.run(
            [sys.executable, "-c", code, folder], capture_output=True, text=True
        )
        assert done.stdout.strip() == type(model).__name__, done.stderr


def test_a_classifier_computes_the_last_layer_for_one_token(make):
    model = faster(FirstTokenClassifier(make(), num_classes=2))
    layers = [x for x in model.layers if "exposed" in x.name]
    assert [x.first_token_only for x in layers] == [False, False, True]


def test_takes_its_teachers_embeddings_and_head(make):
    teacher, student = make("ib_bert"), make(max_sequence_length=16)
    before = start(student.transformer_layers[0])
    norm = start(student.embeddings_norm)
    students.init_from_teacher(student, teacher, "embeddings")
    for name in ("token_embedding", "segment_embedding"):
        ours, theirs = (start(m.get_layer(name)) for m in (student, teacher))
        np.testing.assert_array_equal(ours, theirs)
    ours, theirs = (start(m.embeddings_projection) for m in (student, teacher))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)
    rows = start(teacher.position_embedding)[0][:16]
    np.testing.assert_array_equal(start(student.position_embedding)[0], rows)
    # NoNorm does something else with its gamma than layer normalisation.
    np.testing.assert_array_equal(start(student.embeddings_norm), norm)
    for one, other in zip(
        start(student.transformer_layers[0]), before, strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_copies_the_head_of_its_teacher(make):
    teacher, student = (
        build_masked_lm(make(k)) for k in ("ib_bert", "mobilebert")
    )
    assert copy_head(student, teacher)
    heads = (student.masked_lm_head, teacher.masked_lm_head)
    for name in ("kernel", "bias"):
        ours, theirs = (
            keras.ops.convert_to_numpy(getattr(head, name)) for head in heads
        )
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(*(start(head.dense)[0] for head in heads))


def test_starts_from_another_mobilebert(make):
    teacher = make(num_layers=6)
    student = make()
    students.init_from_teacher(student, teacher)
    pairs = zip(
        student.transformer_layers,
        teacher.transformer_layers[1::2],
        strict=True,
    )
    for ours, theirs in pairs:
        for one, other in zip(start(ours), start(theirs), strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_ib_bert_takes_of_a_bert_what_fits(make, make_encoder):
    bert = make_encoder(
        num_layers=3, num_heads=2, hidden_dim=16, intermediate_dim=20
    )
    sizes = {"bottleneck_dim": 16, "intermediate_dim": 20, "num_heads": 4}
    model = make("ib_bert", **sizes)
    before = [start(layer) for layer in model.transformer_layers]
    paths = students.init_from_teacher(model, bert, "bottom")
    # Kernel and bias of three dense layers, scale and shift of two norms.
    assert len(paths) == 3 * (3 * 2 + 2 * 2)
    for ours, theirs in zip(
        model.transformer_layers, bert.transformer_layers, strict=True
    ):
        output = encoder_parts(theirs).attention.output_dense
        kernel = start(output)[0].reshape(16, 16)
        np.testing.assert_array_equal(
            start(ours.attention_output.dense)[0], kernel
        )
        for mine, its in (
            (ours.attention_output.norm, encoder_parts(theirs).attention_norm),
            (
                ours.feedforwards[0].intermediate,
                encoder_parts(theirs).intermediate,
            ),
            (
                ours.feedforwards[0].output_dense.dense,
                encoder_parts(theirs).output,
            ),
            (
                ours.feedforwards[0].output_dense.norm,
                encoder_parts(theirs).feedforward_norm,
            ),
        ):
            for weight, value in zip(start(mine), start(its), strict=True):
                np.testing.assert_array_equal(weight, value)
    kept = [
        np.array_equal(old, new)
        for layer, olds in zip(model.transformer_layers, before, strict=True)
        for old, new in zip(olds, start(layer), strict=True)
    ]
    assert kept.count(False) == len(paths)
    wide = make("ib_bert", hidden_dim=16, **sizes)
    wider = students.init_from_teacher(wide, bert, "bottom")
    assert [x for x in wider if x.startswith("transformer_layer_0/query")]
    assert "position_embedding/embeddings" in wider
    # A MobileBERT's NoNorms stay as they are.
    paths = students.init_from_teacher(make(**sizes), bert, "bottom")
    assert not any("norm" in path for path in paths)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("ib_bert", "is built otherwise; take its embeddings alone"),
        # Its position table alone is as wide.
        ("bert", "nothing of the layers of .* fits .*: expected a bottleneck"),
    ],
)
def test_refuses_layers_of_another_build(make, make_encoder, kind, reason):
    if kind == "bert":
        teacher = make_encoder(hidden_dim=SIZES["hidden_dim"])
    else:
        teacher = make(kind)
    with pytest.raises(tfminilm.UserError, match=reason):
        students.init_from_teacher(make(), teacher)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"attention_input": "all"}, "'all', expected shared or block or bott"),
        ({"normalization": "batch"}, "'batch', expected no_norm or layer_norm"),
        ({"num_heads": 3}, "8 is no multiple of 3: choose a bottleneck_dim"),
        ({"embedding_dim": 13}, "embedding_dim 13 is above hidden_dim 12"),
    ],
)
def test_refuses_sizes_that_do_not_fit(options, reason):
    with pytest.raises(tfminilm.UserError, match=reason):
        students.mobilebert(**SIZES | options)

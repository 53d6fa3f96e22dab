"""MobileBERT's mobile graph: what it computes, and of which operators."""

import numpy as np
import pytest

from tfminilm import students
from tfminilm.commands import export
from tfminilm.errors import UserError
from tfminilm.export.bundle import writer
from tfminilm.export.bundle.reader import open_bundle
from tfminilm.export.check import calibration, parity
from tfminilm.export.graph.mobile_graph import ATTENTION_OUTPUTS, MobileGraph
from tfminilm.export.litert import profile
from tfminilm.export.litert.convert import convert
from tfminilm.export.litert.runner import LiteRTEncoder
from tfminilm.export.target import Target
from tfminilm.teachers import expose

SIZES = {
    "vocabulary_size": 100,
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 16,
    "bottleneck_dim": 8,
    "intermediate_dim": 12,
    "embedding_dim": 4,
    "max_sequence_length": 32,
}


@pytest.fixture(scope="module")
def make(randomise):
    def build(kind="mobilebert", **options):
        model = randomise(getattr(students, kind)(**SIZES | options))
        # Without norms random weights would make scores beyond float16.
        for weight in model.weights:
            if weight.name == "kernel":
                weight.assign(0.5 * weight)
        return model

    return build


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("mobilebert", {"num_layers": 2}),
        ("mobilebert", {"attention_input": "block", "activation": "gelu"}),
        ("mobilebert_tiny", {"pooler": True}),
        (
            "mobilebert_without_opt",
            {
                "activation": "gelu_approximate",
                "epsilon": 0.5,
                "outer_epsilon": 0.1,
            },
        ),
        ("ib_bert", {"bottleneck_dim": 24}),
    ],
)
def test_equals_keras(
    make, kind, options, make_batch, run, run_graph, assert_same
):
    model = make(kind, **options)
    batch = make_batch([12, 7], 12)
    got = run_graph(MobileGraph(model), batch)
    wanted = run(model, batch)
    largest = np.abs(wanted["sequence_output"]).max()
    mask = batch["padding_mask"]
    assert_same(got, wanted, mask, 2e-6 * max(largest, 10))


def test_attention_parts_are_those_of_expose(make, make_batch, run, run_graph):
    model, batch = make(), make_batch([12, 7], 12)
    got = run_graph(MobileGraph(model, ATTENTION_OUTPUTS), batch)
    view = expose(model, {name: [-1] for name in ATTENTION_OUTPUTS})
    real = batch["padding_mask"].astype(bool)
    for name, value in run(view, batch).items():
        ours = got[name.split("/")[0]].swapaxes(1, 2)[real]
        theirs = value.swapaxes(1, 2)[real]
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)


def test_padding_is_no_neighbour(make, make_batch, run_graph):
    graph, batch = MobileGraph(make()), make_batch([7], 12)
    other = batch | {"token_ids": batch["token_ids"].copy()}
    other["token_ids"][:, 7:] = 99 - other["token_ids"][:, 7:]
    one, two = run_graph(graph, batch), run_graph(graph, other)
    np.testing.assert_array_equal(
        one["sequence_output"][:, :7], two["sequence_output"][:, :7]
    )


@pytest.fixture(scope="module")
def large(make):
    """A MobileBERT of one layer, whose states float16 cannot hold."""
    model = make()
    gamma = model.transformer_layers[0].output_bottleneck.norm.gamma
    gamma.assign(1e5 * gamma)
    return model


@pytest.fixture(scope="module")
def large_file(large, tmp_path_factory):
    path = tmp_path_factory.mktemp("mobilebert") / "model.tflite"
    path.write_bytes(convert(large, "float32", (8,)))
    return path


def test_of_no_norm_the_factor_of_residuals_is_left(large_file):
    (used,) = profile.operators(large_file).values()
    assert set(profile.partitions(large_file).values()) == {1}
    assert not set(used) & {"RSQRT", "GELU", "SELECT_V2", "GATHER"}
    # A layer: two bottlenecks, three projections, the attention's output,
    # four feed-forward blocks of two each, and the bottleneck at its exit.
    assert used["FULLY_CONNECTED"] == 1 + 2 + 3 + 1 + 4 * 2 + 1


def test_parity_of_large_states_is_relative(
    large, large_file, tokenizer, sentences
):
    texts = calibration.of_sentences(sentences)
    found = parity.differences(
        LiteRTEncoder(large_file), large, tokenizer, texts
    )
    parity.require(found, Target())


def test_float16_names_the_layer_that_it_cannot_hold(
    large, tokenizer, sentences, tmp_path
):
    target = Target(precision="float16", lengths=(8,))
    with pytest.raises(
        UserError, match="float16, which ends at 65,504: hidden_states/1 reach"
    ):
        writer.export_bundle(
            large, tokenizer, target, tmp_path / "bundle", sentences
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "tolerance"),
    [("float32", 1e-4), ("float16", 0.02), ("dynamic_wi8_afp32", 0.5)],
)
def test_a_preset_is_exported(
    make, tokenizer, flags_of, tmp_path, precision, tolerance
):
    for part in (make(), tokenizer):
        part.save_to_preset(str(tmp_path / "preset"))
    target = Target(
        precision=precision,
        lengths=(8,),
        max_difference=tolerance,
        min_cosine=0.9,
    )
    export.run(
        flags_of(
            export,
            model=str(tmp_path / "preset"),
            config=target.config(),
            output=str(tmp_path / "bundle"),
        )
    )
    assert open_bundle(tmp_path / "bundle").manifest.precision == precision
    (used,) = profile.operators(tmp_path / "bundle/model.tflite").values()
    assert ("DEQUANTIZE" in used) == (precision == "float16")


def test_float16_names_a_length_that_is_too_long(
    large, tokenizer, sentences, tmp_path
):
    target = Target(precision="float16", lengths=(33,))
    with pytest.raises(UserError, match="length 33 does not fit the model"):
        writer.export_bundle(
            large, tokenizer, target, tmp_path / "bundle", sentences
        )


def test_other_activations_are_refused(make):
    with pytest.raises(UserError, match="'silu': expected relu or gelu or "):
        MobileGraph(make(activation="silu"))


@pytest.mark.slow
def test_layer_norm_stays(make):
    model = make("mobilebert_without_opt")
    used = profile.operators(convert(model, lengths=(8,)))["encode_8"]
    # Of the embeddings, two bottlenecks, the attention's output, four
    # feed-forward blocks, and the bottleneck at the exit.
    assert used["RSQRT"] == 1 + 2 + 1 + 4 + 1
    assert used["GELU"] == 4

"""Masked language models: where their heads come from."""

import pathlib
import shutil

import keras
import keras_hub
import numpy as np
import pytest
import safetensors.numpy

from tfminilm.errors import UserError
from tfminilm.teachers import load_backbone
from tfminilm.teachers.masked_lm import (
    build_masked_lm,
    copy_head,
    load_masked_lm,
)

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
NAMES = {
    "bert": (
        "cls.predictions.transform.dense.weight",
        "cls.predictions.transform.dense.bias",
        "cls.predictions.transform.LayerNorm.gamma",
        "cls.predictions.transform.LayerNorm.beta",
        "cls.predictions.bias",
    ),
    "xlm_roberta": (
        "lm_head.dense.weight",
        "lm_head.dense.bias",
        "lm_head.layer_norm.weight",
        "lm_head.layer_norm.bias",
        "lm_head.bias",
    ),
}


def batch(model):
    ids = np.arange(12).reshape(2, 6) % 10
    given = {
        "token_ids": ids,
        "segment_ids": ids * 0,
        "padding_mask": ids * 0 + 1,
        "mask_positions": np.array([[0, 3], [5, 1]]),
    }
    return {name: given[name].astype("int32") for name in model.input}


def numbers(model):
    return keras.ops.convert_to_numpy(model(batch(model), training=False))


@pytest.fixture
def with_head(tmp_path):
    """`with_head(kind)`: a Hugging Face folder with a head, and the head."""

    def write(kind):
        folder = tmp_path / kind
        shutil.copytree(GOLDEN / kind, folder)
        path = folder / "model.safetensors"
        path.chmod(0o644)
        backbone = load_backbone(GOLDEN / kind)
        width, size = backbone.hidden_dim, backbone.vocabulary_size
        random = np.random.default_rng(0)
        shapes = [(width, width), (width,), (width,), (width,), (size,)]
        head = [random.normal(size=shape).astype("float32") for shape in shapes]
        tensors = safetensors.numpy.load_file(path)
        tensors |= dict(zip(NAMES[kind], head, strict=True))
        safetensors.numpy.save_file(tensors, path)
        return folder, backbone, head

    return write


@pytest.mark.parametrize("kind", NAMES)
def test_reads_the_head_of_hugging_face(kind, with_head):
    folder, backbone, head = with_head(kind)
    model = load_masked_lm(folder)
    weight, bias, gamma, beta, output_bias = head
    given = batch(model)
    states = backbone(
        {name: given[name] for name in backbone.input}, training=False
    )
    if isinstance(states, dict):
        states = states["sequence_output"]
    states = keras.ops.convert_to_numpy(states)
    x = np.take_along_axis(
        states, given["mask_positions"][:, :, None], axis=1
    ).astype("float64")
    x = x @ weight.T + bias
    x = keras.ops.convert_to_numpy(keras.ops.gelu(x, approximate=False))
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1) + 1e-12)[..., None]
    x = x * gamma + beta
    table = keras.ops.convert_to_numpy(backbone.token_embedding.embeddings)
    expected = x @ table.T + output_bias
    np.testing.assert_allclose(numbers(model), expected, atol=1e-4)


def test_saved_and_loaded_again(tmp_path):
    model = load_masked_lm("tiny:bert")
    model.save_to_preset(str(tmp_path / "saved"))
    np.testing.assert_array_equal(
        numbers(load_masked_lm(tmp_path / "saved")), numbers(model)
    )
    # Without a head it is an encoder like any other.
    assert load_backbone(tmp_path / "saved").num_layers == 4


def test_a_backbone_alone_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no masked-language-model head"):
        load_masked_lm(GOLDEN / "bert")
    load_backbone("tiny:bert").save_to_preset(str(tmp_path / "saved"))
    with pytest.raises(UserError, match="saved has no masked-language-model"):
        load_masked_lm(tmp_path / "saved")


def test_a_kind_that_has_none_is_refused():
    model = keras_hub.models.GPT2Backbone(50, 1, 2, 8, 16)
    with pytest.raises(UserError, match="on a GPT2Backbone; expected one"):
        build_masked_lm(model)


def test_a_head_is_copied_where_it_fits(make_encoder):
    teacher = build_masked_lm(make_encoder(seed=1))
    for weight in teacher.masked_lm_head.weights:
        weight.assign(weight + 1.0)
    for width in (32, 16):
        student = build_masked_lm(make_encoder(hidden_dim=width))
        table = keras.ops.convert_to_numpy(
            student.backbone.token_embedding.embeddings
        )
        before = numbers(student)
        copy_head(student, teacher)
        assert (width == 16) == np.array_equal(numbers(student), before)
        np.testing.assert_array_equal(
            student.backbone.token_embedding.embeddings, table
        )

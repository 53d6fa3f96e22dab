"""MobileBERT's published formats: another maker's numbers, and damage."""

import json
import pathlib
import re
import shutil

import keras
import keras_hub
import numpy as np
import pytest
import safetensors.numpy

import tfminilm
from tfminilm import students, teachers
from tfminilm.students.mobilebert_model import (
    MobileBertBackbone,
    MobileBertMaskedLM,
)
from tfminilm.teachers import expose

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
VARIANTS = {
    "mobilebert": ("shared", 4, "no_norm", "relu"),
    "mobilebert_tiny": ("bottleneck", 2, "no_norm", "relu"),
    "mobilebert_without_opt": ("shared", 4, "layer_norm", "gelu"),
}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cafe", "##s"]
BOTTLENECK = "mobilebert.encoder.layer.1.bottleneck.input.dense"


@pytest.fixture
def folder(tmp_path):
    """A Hugging Face folder that a test may damage."""
    shutil.copytree(GOLDEN / "mobilebert", tmp_path / "hf")
    return tmp_path / "hf"


def inputs(golden):
    names = {
        "token_ids": "input_ids",
        "segment_ids": "token_type_ids",
        "padding_mask": "attention_mask",
    }
    return {ours: golden[name] for ours, name in names.items()}


def read(folder):
    return safetensors.numpy.load_file(folder / "model.safetensors")


def write(folder, arrays):
    safetensors.numpy.save_file(arrays, folder / "model.safetensors")


def configure(folder, **changes):
    path = folder / "config.json"
    config = json.loads(path.read_text()) | changes
    config = {key: value for key, value in config.items() if value is not None}
    path.write_text(json.dumps(config))


def same_weights(one, other):
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def refusal(source, load=teachers.load_backbone):
    with pytest.raises(tfminilm.UserError) as error:
        load(source)
    text = str(error.value)
    assert "\n" not in text
    return text


def with_head(arrays, seed=0):
    """What a checkpoint of a masked language model has besides."""
    random = np.random.default_rng(seed)

    def draw(*shape):
        return random.normal(size=shape).astype("float32")

    table = arrays["mobilebert.embeddings.word_embeddings.weight"]
    size, narrow = table.shape
    width = arrays["mobilebert.embeddings.LayerNorm.weight"].shape[0]
    bias = draw(size)
    return arrays | {
        "cls.predictions.transform.dense.weight": draw(width, width),
        "cls.predictions.transform.dense.bias": draw(width),
        "cls.predictions.transform.LayerNorm.weight": draw(width),
        "cls.predictions.transform.LayerNorm.bias": draw(width),
        "cls.predictions.dense.weight": draw(width - narrow, size),
        "cls.predictions.decoder.weight": table,
        "cls.predictions.bias": bias,
        "cls.predictions.decoder.bias": bias,
        "cls.seq_relationship.weight": draw(2, width),
        "cls.seq_relationship.bias": draw(2),
    }


@pytest.mark.parametrize("name", VARIANTS)
def test_another_implementation_agrees(name, run):
    model = teachers.load_backbone(GOLDEN / name)
    assert type(model) is MobileBertBackbone
    assert VARIANTS[name] == (
        model.attention_input,
        model.num_feedforwards,
        model.normalization,
        model.activation,
    )
    golden = np.load(GOLDEN / name / "golden.npz")
    parts = ("queries", "keys", "values", "attention_probs")
    wanted = {part: [1] for part in parts} | {"hidden_states": range(3)}
    found = run(expose(model, wanted), inputs(golden))
    mask = golden["attention_mask"] > 0
    for key, ours in found.items():
        theirs = golden[
            key.replace("attention_probs", "attentions").replace("/", "_")
        ]
        if key[:4] in ("quer", "keys", "valu"):
            ours = ours.swapaxes(1, 2).reshape(theirs.shape)
        if ours.ndim == 4:
            ours, theirs = (x.swapaxes(1, 2) for x in (ours, theirs))
        difference = np.abs(ours[mask] - theirs[mask]).max()
        assert difference < 1e-5 * np.abs(theirs[mask]).max(), key


def test_padding_changes_nothing(run):
    """Not even with a padding token that means something to the trigrams."""
    model = teachers.load_backbone(GOLDEN / "mobilebert")
    table = model.token_embedding.embeddings
    table.assign(keras.ops.convert_to_numpy(table) + 1)
    batch = inputs(np.load(GOLDEN / "mobilebert" / "golden.npz"))
    alone = {name: value[1:2, :11] for name, value in batch.items()}
    assert batch["padding_mask"][1].sum() == 11
    padded = run(model, batch)["sequence_output"][1, :11]
    plain = run(model, alone)["sequence_output"][0]
    np.testing.assert_allclose(padded, plain, rtol=1e-4, atol=1e-4)


def tf1_name(name, norm):
    """The names in the authors' checkpoints."""
    if name == "cls.predictions.dense.weight":
        return "cls/predictions/extra_output_weights"
    if name in ("cls.predictions.bias", "cls.seq_relationship.bias"):
        return name.replace(".bias", "/output_bias").replace(".", "/")
    if name == "cls.seq_relationship.weight":
        return "cls/seq_relationship/output_weights"
    path, kind = name.rsplit(".", 1)
    if path.endswith("LayerNorm"):
        kind = {"weight": "gamma", "bias": "beta"}[kind]
    elif kind == "weight":
        kind = "" if path.endswith("_embeddings") else "kernel"
    path = re.sub(r"ffn\.(\d)", r"ffn_layer_\1", path)
    path = re.sub(r"layer\.(\d)", r"layer_\1", path).replace(".", "/")
    path = path.replace("mobilebert/", "bert/")
    if path.startswith("bert"):
        path = path.replace("LayerNorm", norm)
    return f"{path}/{kind}".rstrip("/")


def save_tf1(folder, arrays, config, stem="mobilebert.ckpt"):
    import tensorflow as tf

    is_plain = config.get("normalization_type") == "no_norm"
    norm = "FakeLayerNorm" if is_plain else "LayerNorm"
    tensors = {}
    for name, value in arrays.items():
        if ".decoder." in name:
            continue
        new = tf1_name(name, norm)
        turned = new.endswith(("kernel", "extra_output_weights"))
        tensors[new] = value.T if turned else value
    tensors["global_step"] = np.int64(7)
    kernel = "bert/encoder/layer_0/intermediate/dense/kernel"
    tensors[f"{kernel}/adam_m"] = tensors[kernel]
    folder.mkdir(exist_ok=True)
    tf.raw_ops.SaveV2(
        prefix=str(folder / stem),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=[tf.constant(value) for value in tensors.values()],
    )
    (folder / "bert_config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return folder


@pytest.mark.parametrize("name", ["mobilebert", "mobilebert_tiny"])
def test_both_formats_hold_the_same_model(name, tmp_path):
    """As the published checkpoint has it: a head, and no pooler."""
    source = shutil.copytree(GOLDEN / name, tmp_path / "hf")
    arrays = with_head(read(source))
    arrays = {k: v for k, v in arrays.items() if "pooler" not in k}
    write(source, arrays)
    configure(source, classifier_activation=False)
    config = json.loads((source / "config.json").read_text())
    del config["model_type"]
    old = save_tf1(tmp_path / "tf1", arrays, config)
    for load in (teachers.load_backbone, teachers.load_masked_lm):
        one, other = load(source), load(old)
        assert same_weights(one, other)
        assert getattr(one, "backbone", one).pooled_dense is None
    tokenizer = teachers.load_tokenizer(old)
    assert np.asarray(tokenizer.tokenize("Cafés")).tolist() == [5, 6]


def test_the_head_is_the_one_in_the_file(folder, run):
    arrays = with_head(read(folder))
    write(folder, arrays)
    model = teachers.load_masked_lm(folder)
    assert type(model) is MobileBertMaskedLM
    batch = inputs(np.load(GOLDEN / "mobilebert" / "golden.npz"))
    states = run(model.backbone, batch)["sequence_output"].astype("float64")
    places = np.array([[1, 3], [0, 2], [2, 3]])
    found = run(model, batch | {"mask_positions": places})["sequence_output"]
    x = np.take_along_axis(states, places[:, :, None], 1)
    head = {
        name.removeprefix("cls.predictions."): value.astype("float64")
        for name, value in arrays.items()
    }
    x = x @ head["transform.dense.weight"].T + head["transform.dense.bias"]
    x = np.maximum(x, 0)
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-12)
    x = x * head["transform.LayerNorm.weight"]
    x = x + head["transform.LayerNorm.bias"]
    table = np.concatenate([head["decoder.weight"].T, head["dense.weight"]])
    expected = x @ table + head["bias"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_a_file_may_be_a_bare_backbone_or_carry_a_classifier(folder):
    expected = teachers.load_backbone(folder)
    arrays = read(folder)
    bare = {k.removeprefix("mobilebert."): v for k, v in arrays.items()}
    write(folder, bare)
    assert same_weights(teachers.load_backbone(folder), expected)
    write(folder, arrays | {"classifier.weight": np.ones((2, 64), "float32")})
    assert same_weights(teachers.load_backbone(folder), expected)


def test_computes_in_the_given_dtype(folder):
    write(folder, with_head(read(folder)))
    for load in (teachers.load_backbone, teachers.load_masked_lm):
        model = load(folder, "mixed_bfloat16")
        backbone = getattr(model, "backbone", model)
        assert backbone.transformer_layers[0].compute_dtype == "bfloat16"


def test_all_that_does_not_fit_is_named(folder):
    arrays = read(folder)
    for name in ("weight", "bias"):
        del arrays[f"{BOTTLENECK}.{name}"]
    norm = "mobilebert.embeddings.LayerNorm.bias"
    arrays[norm] = np.ones(63, "float32")
    extra = "mobilebert.encoder.layer.2.ffn.0.output.dense.bias"
    arrays |= {extra: np.ones(1, "float32"), "more": np.ones(1, "float32")}
    write(folder, arrays)
    text = refusal(folder)
    assert f"missing {BOTTLENECK}.bias, {BOTTLENECK}.weight" in text
    assert f"unknown {extra}, more" in text
    assert f"of another shape {norm} (63,) for (64,)" in text


def test_a_head_has_to_be_whole(folder):
    arrays = with_head(read(folder))
    del arrays["cls.predictions.dense.weight"]
    arrays["cls.predictions.more"] = np.ones(1, "float32")
    write(folder, arrays)
    text = refusal(folder, teachers.load_masked_lm)
    assert "missing cls.predictions.dense.weight" in text
    assert "unknown cls.predictions.more" in text
    write(folder, read(GOLDEN / "mobilebert"))
    text = refusal(folder, teachers.load_masked_lm)
    assert "no masked-language-model head" in text


@pytest.mark.parametrize("part", ["kernel", "missing pooler", "pooler"])
def test_a_pooler_is_missed_only_where_it_belongs(folder, part):
    arrays = read(folder)
    pooler = "mobilebert.pooler.dense.weight"
    arrays.pop(pooler)
    if part == "kernel":
        write(folder, with_head(arrays))
        assert f"missing {pooler}" in refusal(folder)
        return
    arrays.pop(pooler.replace("weight", "bias"))
    if part == "missing pooler":
        write(folder, arrays)
        assert f"missing {pooler[:-6]}bias, {pooler}" in refusal(folder)
        return
    configure(folder, classifier_activation=False)
    assert f"unknown {pooler[:-6]}bias, {pooler}" in refusal(folder)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"use_bottleneck": False}, "describes no MobileBERT"),
        ({"trigram_input": False}, "describes no MobileBERT"),
        ({"hidden_act": "prelu"}, "hidden_act is 'prelu', expected one of"),
        ({"normalization_type": "rms"}, "expected no_norm or layer_norm"),
        ({"vocab_size": None, "hidden_size": None}, "lacks vocab_size, hid"),
        ({"num_attention_heads": 3}, "16 is no multiple of 3"),
        ({"embedding_size": 65}, "embedding_dim 65 is above hidden_dim 64"),
    ],
)
def test_refuses_other_settings(folder, changes, reason):
    configure(folder, **changes)
    assert reason in refusal(folder)


def test_refuses_damaged_files(folder):
    assert "no vocab.txt" in refusal(folder, teachers.load_tokenizer)
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:1000])
    assert "cannot read the weights" in refusal(folder)


def test_refuses_unclear_checkpoints_of_tf1(tmp_path):
    arrays = {"mobilebert.embeddings.LayerNorm.bias": np.ones(4, "float32")}
    arrays["mobilebert.encoder.layer.0.intermediate.dense.weight"] = np.ones(
        (2, 2), "float32"
    )
    folder = save_tf1(tmp_path / "tf1", arrays, {"hidden_size": 4})
    assert "no use_bottleneck" in refusal(folder)
    save_tf1(folder, arrays, {"hidden_size": 4}, "later.ckpt")
    assert "2 checkpoints, expected one: later.ckpt, mobile" in refusal(folder)
    (folder / "bert_config.json").unlink()
    assert "0 .json files: expected the model's" in refusal(folder)


def test_each_maker_has_its_own_gelu_and_epsilon(tmp_path):
    source = GOLDEN / "mobilebert_without_opt"
    config = json.loads((source / "config.json").read_text())
    old = save_tf1(tmp_path / "tf1", read(source), config)
    one, other = (teachers.load_backbone(f) for f in (source, old))
    assert same_weights(one, other)
    assert (one.activation, one.outer_epsilon) == ("gelu", 1e-5)
    assert other.activation == "gelu_approximate"
    assert one.epsilon == other.epsilon == other.outer_epsilon == 1e-12


def test_saves_as_a_preset_and_loads(tmp_path):
    model = students.mobilebert(
        num_layers=1,
        hidden_dim=16,
        bottleneck_dim=8,
        intermediate_dim=8,
        embedding_dim=4,
        vocabulary_size=len(WORDS),
    )
    model.save_to_preset(tmp_path)
    keras_hub.models.BertTokenizer(WORDS, lowercase=True).save_to_preset(
        tmp_path
    )
    again = teachers.load_backbone(tmp_path)
    assert same_weights(model, again)
    tokenizer = teachers.load_tokenizer(tmp_path)
    assert np.asarray(tokenizer.tokenize("Cafes")).tolist() == [5, 6]
    masked = teachers.build_masked_lm(again)
    masked.save_to_preset(str(tmp_path / "masked"))
    assert same_weights(teachers.load_masked_lm(tmp_path / "masked"), masked)

"""Hugging Face folders: right to 1e-4, or refused by name."""

import importlib.util
import json
import pathlib

import keras
import keras_hub
import make_imports as made
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from tfminilm import UserError, families, teachers
from tfminilm.private.encoders import disentangled_encoder
from tfminilm.tasks import heads
from tfminilm.tasks.task import get_task
from tfminilm.teachers import backbones
from tfminilm.teachers.faster import faster

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"


def load_script(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tables = load_script(pathlib.Path(__file__).with_name("import_cases.py"))
reference = load_script(pathlib.Path(__file__).with_name("numpy_encoders.py"))
MASKED = [
    name
    for name in made.CASES
    if name.endswith(("_lm", "_pretraining")) and "electra" not in name
]
TOLERANCE = 1e-4
# What KerasHub's own classes compute; the others are ours.
PLAIN = {
    "bert_as_keras_hub": keras_hub.models.BertBackbone,
    "roberta": keras_hub.models.RobertaBackbone,
    "xlm_roberta": keras_hub.models.XLMRobertaBackbone,
    "distilbert": keras_hub.models.DistilBertBackbone,
    "distilbert_gelu_masked_lm": keras_hub.models.DistilBertBackbone,
    "distilbert_span": keras_hub.models.DistilBertBackbone,
    "albert": keras_hub.models.AlbertBackbone,
    "electra_as_keras_hub": keras_hub.models.ElectraBackbone,
    "camembert": keras_hub.models.XLMRobertaBackbone,
}


@pytest.fixture(scope="module")
def golden():
    return np.load(made.GOLDEN)


@pytest.fixture
def case(golden, tmp_path):
    """`case(name)`: a folder that a test may damage, and what is in it."""

    def write(name):
        folder = tmp_path / name
        return folder, *made.write(golden, name, folder)

    return write


def rewrite(folder, changes, tensors):
    """Other tensors and settings; a setting that is None is taken out."""
    path = folder / "config.json"
    known = json.loads(path.read_text()) | changes
    gone = {key for key, value in changes.items() if value is None}
    path.write_text(json.dumps({k: known[k] for k in known.keys() - gone}))
    path = folder / "model.safetensors"
    safetensors.numpy.save_file(tensors, path, {"format": "pt"})


def compute(model, settings):
    """States and pooled output, or the logits of all places."""
    batch = made.batch(settings)
    shape = batch["input_ids"].shape
    places = np.broadcast_to(np.arange(shape[1]), shape)
    given = {
        "token_ids": batch["input_ids"],
        "segment_ids": batch["token_type_ids"],
        "padding_mask": batch["attention_mask"],
        "mask_positions": places,
    }
    inputs = {name: given[name].astype("int32") for name in model.input}
    found = model(inputs, training=False)
    if not isinstance(found, dict):
        found = {"sequence_output": found}
    return {k: keras.ops.convert_to_numpy(v) for k, v in found.items()}


def difference(ours, theirs, settings):
    """Of real tokens, relative to the largest number."""
    if ours.ndim == 3:
        real = made.batch(settings)["attention_mask"] > 0
        ours, theirs = ours[real], theirs[real]
    return np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs))


@pytest.mark.parametrize("name", made.CASES)
def test_transformers_and_numpy_agree(name, golden, case):
    """Both references first: of the same folder they say the same."""
    _, settings, tensors = case(name)
    folder = reference.Folder(settings, tensors)
    states = reference.states(folder, made.batch(settings))
    assert difference(states, golden[f"{name}/states"], settings) < TOLERANCE
    if name in MASKED:
        logits = reference.masked_lm(folder, states)
        assert (
            difference(logits, golden[f"{name}/logits"], settings) < TOLERANCE
        )
    if f"{name}/pooled" in golden:
        pooled = reference.pooled(folder, states)
        assert (
            difference(pooled, golden[f"{name}/pooled"], settings) < TOLERANCE
        )


@pytest.mark.parametrize("name", made.CASES)
def test_backbones_are_right(name, golden, case, tmp_path):
    folder, settings, tensors = case(name)
    model = teachers.load_backbone(folder)
    found = compute(model, settings)
    states = golden[f"{name}/states"]
    assert difference(found["sequence_output"], states, settings) < TOLERANCE
    if "pooled_output" in found and not name.startswith("mobile"):
        raw = reference.Folder(settings, tensors)
        pooled = reference.pooled(raw, states.astype("float64"))
        assert difference(found["pooled_output"], pooled, settings) < TOLERANCE
    if not name.startswith("mobile"):
        ours = backbones.BACKBONES[type(model).__name__]
        assert type(model) is PLAIN.get(name, ours)
    if name not in PLAIN:  # What is saved is what was loaded.
        model.save_to_preset(tmp_path / "preset")
        again = teachers.load_backbone(tmp_path / "preset")
        assert type(again) is type(model)
        for key, value in compute(again, settings).items():
            np.testing.assert_array_equal(value, found[key])


@pytest.mark.parametrize("name", MASKED)
def test_masked_language_models_are_right(name, golden, case, tmp_path):
    folder, settings, _ = case(name)
    model = teachers.load_masked_lm(folder)
    logits = golden[f"{name}/logits"]
    (found,) = compute(model, settings).values()
    assert difference(found, logits, settings) < TOLERANCE
    model.save_to_preset(tmp_path / "preset")
    again = teachers.load_masked_lm(tmp_path / "preset")
    assert type(again) is type(model)
    np.testing.assert_array_equal(*compute(again, settings).values(), found)


@pytest.mark.parametrize("row", tables.SAME)
def test_what_makes_no_difference(row, golden, case):
    name, changes, edit = tables.SAME[row]
    folder, settings, tensors = case(name)
    rewrite(folder, changes, edit(tensors) if edit else tensors)
    found = compute(teachers.load_backbone(folder), settings)
    states = golden[f"{name}/states"]
    assert difference(found["sequence_output"], states, settings) < TOLERANCE


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16])
def test_shorter_numbers_are_taken_as_they_are(dtype, case):
    folder, settings, tensors = case("bert_relu")
    short = {key: x.astype(dtype) for key, x in tensors.items()}
    rewrite(folder, {}, short)
    found = compute(teachers.load_backbone(folder), settings)
    raw = reference.Folder(settings, short)
    states = reference.states(raw, made.batch(settings))
    assert difference(found["sequence_output"], states, settings) < TOLERANCE


def test_a_model_in_parts(golden, case):
    folder, settings, tensors = case("roberta_tanh")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    where = {}
    for part, own in enumerate((names[::2], names[1::2])):
        file = f"model-0000{part + 1}-of-00002.safetensors"
        where |= dict.fromkeys(own, file)
        safetensors.numpy.save_file({k: tensors[k] for k in own}, folder / file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": where}))
    found = compute(teachers.load_backbone(folder), settings)
    states = golden["roberta_tanh/states"]
    assert difference(found["sequence_output"], states, settings) < TOLERANCE


def test_a_whole_file_comes_before_parts(golden, case):
    """As in `transformers`."""
    folder, settings, _ = case("bert")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "missing.safetensors"}}))
    found = compute(teachers.load_backbone(folder), settings)
    states = golden["bert/states"]
    assert difference(found["sequence_output"], states, settings) < TOLERANCE


def test_a_tied_decoder(golden, case):
    folder, settings, tensors = case("bert_masked_lm")
    rewrite(folder, {}, tables.with_decoder(tensors))
    (found,) = compute(teachers.load_masked_lm(folder), settings).values()
    logits = golden["bert_masked_lm/logits"]
    assert difference(found, logits, settings) < TOLERANCE


def refusal(load, source):
    with pytest.raises(UserError) as error:
        load(source)
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 1500
    return text


@pytest.mark.parametrize(
    ("name", "changes", "edit", "sentence"), tables.REFUSED
)
def test_refused_by_name(name, changes, edit, sentence, case):
    folder, _, tensors = case(name)
    rewrite(folder, changes, edit(tensors) if edit else tensors)
    text = refusal(teachers.load_backbone, folder)
    assert sentence in text
    assert str(folder) in text
    if name in ("bert", "roberta_masked_lm"):  # With a head and without.
        assert refusal(teachers.load_masked_lm, folder) == text


@pytest.mark.parametrize(
    ("name", "changes", "edit", "sentence"), tables.REFUSED_HEADS
)
def test_heads_refused_by_name(name, changes, edit, sentence, case):
    folder, _, tensors = case(name)
    rewrite(folder, changes, edit(tensors) if edit else tensors)
    assert sentence in refusal(teachers.load_masked_lm, folder)
    teachers.load_backbone(folder)  # Which has no need of the head.


def test_adapters_are_refused(case):
    for name in ("bert", "mobilebert"):
        folder, _, _ = case(name)
        (folder / "adapter_config.json").write_text("{}")
        text = refusal(teachers.load_backbone, folder)
        assert "holds an adapter_config.json: merge the adapter" in text


def test_keras_hubs_settings_are_what_we_say():
    for family in families.FAMILIES:
        if family.computes_with is None:
            continue
        name, (activation, epsilon) = family.backbone, family.computes_with
        narrow = name in ("AlbertBackbone", "ElectraBackbone")
        more = {"embedding_dim": 4} if narrow else {}
        sizes = dict.fromkeys(["num_layers", "num_heads"], 1) | more
        # ELECTRA alone calls it otherwise.
        size = "vocab_size" if "Electra" in name else "vocabulary_size"
        model = getattr(keras_hub.models, name)(
            **{size: 9}, hidden_dim=8, intermediate_dim=8,
            max_sequence_length=8, **sizes,
        )  # fmt: skip
        layers = list(model._flatten_layers())
        (layer,) = (
            layer
            for layer in layers
            if isinstance(
                layer,
                keras_hub.layers.TransformerEncoder | disentangled_encoder(),
            )
        )
        probe = np.linspace(-4, 4, 33)
        theirs = layer.activation(keras.ops.convert_to_tensor(probe))
        name = "gelu" if activation == "gelu" else "gelu_new"
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(theirs),
            reference.ACTIVATIONS[name](probe),
            atol=1e-6,
        )
        norms = [
            x for x in layers if isinstance(x, keras.layers.LayerNormalization)
        ]
        assert {norm.epsilon for norm in norms} == {epsilon}


def test_what_stands_on_an_imported_backbone(case, tmp_path):
    """Heads and inner tensors are of the model's own activation."""
    folder, settings, tensors = case("bert_relu")
    backbone = teachers.load_backbone(folder)
    inside = teachers.expose(backbone, {"hidden_states": [-1]})
    found = compute(inside, settings)["hidden_states/2"]
    raw = reference.Folder(settings, tensors)
    states = reference.states(raw, made.batch(settings))
    assert difference(found, states, settings) < TOLERANCE
    head = heads.build_head(get_task("sst2"), backbone)
    assert isinstance(head, keras_hub.models.BertTextClassifier)
    (wanted,) = compute(head, settings).values()
    head.save_to_preset(tmp_path / "head")
    again = heads.load_head(tmp_path / "head")
    (found,) = compute(again, settings).values()
    np.testing.assert_array_equal(found, wanted)
    for copy in (heads.plain(again), faster(again)):
        (found,) = compute(copy, settings).values()
        np.testing.assert_allclose(found, wanted, atol=1e-5)
    for pairs in ("mrpc", "squad"):
        with pytest.raises(UserError, match="knows one segment"):
            heads.build_head(get_task(pairs), backbone)
    masked = teachers.build_masked_lm(backbone)
    dense = masked.masked_lm_head._intermediate_dense
    assert dense.activation is keras.activations.relu

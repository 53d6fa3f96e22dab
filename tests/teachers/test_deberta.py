"""DeBERTa-v3 from Hugging Face folders: right to 1e-5, or refused by name."""

import json

import keras
import keras_hub
import make_deberta as made
import numpy as np
import pytest

from tfminilm import UserError, families, students, teachers
from tfminilm.families import backbones
from tfminilm.layers import disentangled
from tfminilm.private.encoders import Buckets, kerashub_buckets
from tfminilm.tasks import heads
from tfminilm.teachers.faster import faster

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def golden():
    return np.load(made.GOLDEN)


@pytest.fixture
def case(golden, tmp_path):
    """`case(name)`: a folder that a test may damage, and what is in it."""

    def write(name):
        folder = tmp_path / name
        return folder, *made.imports.write(golden, name, folder)

    return write


def change(folder, **changes):
    path = folder / "config.json"
    known = json.loads(path.read_text()) | changes
    gone = {key for key, value in changes.items() if value is None}
    path.write_text(json.dumps({k: known[k] for k in known.keys() - gone}))


def inputs_of(name, settings):
    batch = made.batch(name, settings)
    shape = batch["input_ids"].shape
    inputs = {
        "token_ids": batch["input_ids"],
        "padding_mask": batch["attention_mask"],
        "mask_positions": np.broadcast_to(np.arange(shape[1]), shape),
    }
    return {key: value.astype("int32") for key, value in inputs.items()}


def compute(model, inputs):
    outputs = model({name: inputs[name] for name in model.input})
    outputs = outputs if isinstance(outputs, dict) else {"": outputs}
    return {k: keras.ops.convert_to_numpy(v) for k, v in outputs.items()}


def assert_close(ours, wanted, real=slice(None)):
    ours, wanted = ours[real], wanted[real]
    assert ours.shape == wanted.shape
    assert np.abs(ours - wanted).max() < TOLERANCE * np.abs(wanted).max()


@pytest.mark.parametrize(
    "name", ["bare", "relu", "far", "masked_lm", "classes"]
)
def test_backbones_are_right(name, golden, case, tmp_path):
    folder, settings, _ = case(name)
    model = teachers.load_backbone(folder)
    inputs = inputs_of(name, settings)
    real = inputs["padding_mask"] > 0
    states = golden[f"{name}/states"]
    assert_close(compute(model, inputs)[""], states, real)
    assert_close(compute(faster(model), inputs)[""], states, real)
    ours = backbones.variants(families.of_backbone(model)).backbone
    is_plain = name not in ("relu", "far")
    plain = keras_hub.models.DebertaV3Backbone
    assert type(model) is (plain if is_plain else ours)
    if name not in ("bare", "far"):
        return
    # What is saved is what was loaded.
    model.save_to_preset(tmp_path / "preset")
    again = teachers.load_backbone(tmp_path / "preset")
    assert type(again) is type(model)
    np.testing.assert_allclose(
        compute(again, inputs)[""], compute(model, inputs)[""], atol=1e-6
    )


def test_keras_hub_alone_is_wrong_far_away(golden, case):
    folder, settings, _ = case("far")
    model = teachers.load_backbone(folder)
    sizes = model.get_config()
    del sizes["activation"], sizes["layer_norm_epsilon"], sizes["dtype"]
    plain = keras_hub.models.DebertaV3Backbone(**sizes)
    plain.set_weights(model.get_weights())
    states = golden["far/states"]
    found = compute(plain, inputs_of("far", settings))[""]
    assert np.abs(found - states).max() > 1e-4


@pytest.mark.parametrize("name", ["masked_lm", "new_masked_lm"])
def test_masked_language_models(name, golden, case):
    folder, settings, _ = case(name)
    model = teachers.load_masked_lm(folder)
    inputs = inputs_of(name, settings)
    real = inputs["padding_mask"] > 0
    assert_close(compute(model, inputs)[""], golden[f"{name}/logits"], real)
    # `transformers` would not read this head, but make a new one.
    change(folder, legacy=name != "masked_lm")
    with pytest.raises(UserError, match="no masked-language-model head"):
        teachers.load_masked_lm(folder)


@pytest.mark.parametrize("name", ["classes", "score", "span", "tokens"])
def test_heads(name, golden, case, tmp_path):
    folder, settings, _ = case(name)
    model = heads.load_head(folder)
    inputs = inputs_of(name, settings)
    is_of_tokens = name in ("span", "tokens")
    real = inputs["padding_mask"] > 0 if is_of_tokens else slice(None)
    usual = {"": "logits", "token_logits": "logits"}
    for key, value in compute(model, inputs).items():
        assert_close(value, golden[f"{name}/{usual.get(key, key)}"], real)
    if name != "classes":
        return
    for key, value in compute(faster(model), inputs).items():
        assert_close(value, golden[f"{name}/{usual.get(key, key)}"], real)
    model.save_to_preset(tmp_path / "preset")
    again = heads.load_head(tmp_path / "preset")
    assert type(again) is type(model)
    for key, value in compute(again, inputs).items():
        wanted = compute(model, inputs)[key]
        np.testing.assert_allclose(value, wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("relative_attention", None, "True"),
        ("share_att_key", False, "True"),
        ("position_biased_input", None, "False"),
        ("norm_rel_ebd", None, "layer_norm"),
        ("pos_att_type", "p2c", r"c2p\|p2c"),
        ("pos_att_type", ["c2p", "p2p"], r"c2p\|p2c"),
        ("max_relative_positions", 8, "-1 or 0 or 16"),
        ("type_vocab_size", 2, "0"),
        ("conv_kernel_size", 3, "0"),
        ("embedding_size", 6, "12"),
        ("attention_head_size", 8, "6"),
        ("position_buckets", None, ""),
        ("position_buckets", -1, "a whole number from 1"),
        ("position_buckets", 1, "2 to 29"),
        ("position_buckets", 30, "2 to 29"),
        ("hidden_act", "gelu_10", "one of gelu"),
    ],
)
def test_other_models_are_refused(setting, value, expected, case):
    folder, _, _ = case("bare")
    change(folder, **{setting: value})
    with pytest.raises(UserError, match=f"{setting}.*{expected}") as error:
        teachers.load_backbone(folder)
    assert "\n" not in str(error.value)


def test_other_poolers_are_refused(case):
    folder, _, _ = case("classes")
    change(folder, pooler_hidden_act="tanh")
    with pytest.raises(UserError, match="pooler_hidden_act is 'tanh'"):
        heads.load_head(folder)


def test_settings_that_change_nothing(golden, case):
    folder, settings, _ = case("bare")
    change(
        folder,
        pos_att_type="C2P | P2C",
        norm_rel_ebd=" Layer_Norm",
        max_relative_positions=16,
        embedding_size=12,
        pooler_hidden_act="tanh",
    )
    model = teachers.load_backbone(folder)
    inputs = inputs_of("bare", settings)
    real = inputs["padding_mask"] > 0
    assert_close(compute(model, inputs)[""], golden["bare/states"], real)


class Numpy:
    """Attention of each layer, in float64 and one pair of tokens at a time."""

    def __init__(self, settings, tensors):
        self.settings = settings
        self.tensors = {k: x.astype("float64") for k, x in tensors.items()}
        self.heads = settings["num_attention_heads"]

    def dense(self, name, x):
        bias = self.tensors[f"{name}.bias"]
        return x @ self.tensors[f"{name}.weight"].T + bias

    def norm(self, name, x):
        x = x - x.mean(-1, keepdims=True)
        variance = (x * x).mean(-1, keepdims=True)
        x = x / np.sqrt(variance + self.settings["layer_norm_eps"])
        scale = self.tensors[f"{name}.weight"]
        return x * scale + self.tensors[f"{name}.bias"]

    def row(self, distance):
        """The row of a distance in the table, by the published formula."""
        count = self.settings["position_buckets"]
        middle = count // 2
        size = abs(distance)
        if size > middle:
            farthest = self.settings["max_position_embeddings"] - 1
            share = np.log(size / middle) / np.log(farthest / middle)
            size = middle + int(np.ceil(share * (middle - 1)))
        bucket = size if distance > 0 else -size
        return min(max(bucket + count, 0), 2 * count - 1)

    def parts(self, layer, states):
        """Of states `[batch, length, width]`: everything that is shown."""
        name = f"encoder.layer.{layer}.attention.self."
        table = self.tensors["encoder.rel_embeddings.weight"]
        table = self.norm("encoder.LayerNorm", table)

        def split(part, x):
            x = self.dense(f"{name}{part}_proj", x)
            return x.reshape(*x.shape[:-1], self.heads, -1)

        queries, keys = split("query", states), split("key", states)
        far_queries, far_keys = split("query", table), split("key", table)
        batch, length, count, width = queries.shape
        scores = np.zeros((batch, count, length, length))
        for i in range(length):
            for j in range(length):
                row = self.row(i - j)
                scores[..., i, j] = (
                    (queries[:, i] * keys[:, j]).sum(-1)
                    + (queries[:, i] * far_keys[row]).sum(-1)
                    + (far_queries[row] * keys[:, j]).sum(-1)
                ) / np.sqrt(3 * width)
        values = split("value", states)
        parts = {"queries": queries, "keys": keys, "values": values}
        swapped = {k: x.transpose(0, 2, 1, 3) for k, x in parts.items()}
        return swapped | {"attention_scores": scores}


@pytest.mark.parametrize("name", ["bare", "relu"])
def test_the_inside_is_that_of_the_equations(name, case):
    folder, settings, tensors = case(name)
    model = teachers.load_backbone(folder)
    parts = ("queries", "keys", "values", "attention_scores")
    asked = {part: [0, 1] for part in (*parts, "attention_probs")}
    inputs = inputs_of(name, settings)
    view = teachers.expose(model, asked | {"hidden_states": [0, 1]})
    found = compute(view, inputs)
    real = inputs["padding_mask"] > 0
    for layer in (0, 1):
        states = found[f"hidden_states/{layer}"].astype("float64")
        wanted = Numpy(settings, tensors).parts(layer, states)
        for part in parts:
            value = found[f"{part}/{layer}"]
            np.testing.assert_allclose(value, wanted[part], atol=2e-5)
        scores = np.where(
            real[:, None, None], wanted["attention_scores"], -np.inf
        )
        probs = np.exp(scores - scores.max(-1, keepdims=True))
        probs /= probs.sum(-1, keepdims=True)
        np.testing.assert_allclose(
            found[f"attention_probs/{layer}"], probs, atol=1e-5
        )


def test_attention_is_that_of_transformers(golden, case):
    folder, settings, _ = case("bare")
    view = teachers.expose(
        teachers.load_backbone(folder), {"attention_probs": [0, 1]}
    )
    inputs = inputs_of("bare", settings)
    real = inputs["padding_mask"] > 0
    for layer, wanted in enumerate(golden["bare/attention_probs"]):
        found = compute(view, inputs)[f"attention_probs/{layer}"]
        found, wanted = found.swapaxes(1, 2)[real], wanted.swapaxes(1, 2)[real]
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_buckets():
    # Half of 256 are of one distance each, and 511 is the last one's end.
    distances = np.array([0, 1, -1, 127, 128, 129, 130, -140, 511, 512, 9999])
    wanted = [0, 1, -1, 127, 128, 129, 130, -137, 255, 256, 528]
    found = disentangled.log_buckets(distances, 256, 512)
    np.testing.assert_array_equal(found[:-1], wanted[:-1])
    assert found[-1] > 256


@pytest.mark.parametrize("sizes", [(256, 512), (4, 16), (128, 256), (7, 33)])
def test_rows_are_those_of_the_published_formula(sizes):
    count, farthest = sizes
    names = "position_buckets", "max_position_embeddings"
    settings = dict(zip(names, sizes, strict=True))
    reference = Numpy(settings | {"num_attention_heads": 1}, {})
    buckets = Buckets(
        count,
        farthest,
        lambda x: disentangled.log_buckets(np.asarray(x), count, farthest),
    )
    found = disentangled.rows_of_distances(buckets)
    reach = range(-farthest, farthest + 1)
    assert [*map(reference.row, reach)] == found.tolist()
    # Beyond, there are no others.
    assert reference.row(-farthest - 7) == found[0]
    assert reference.row(farthest + 7) == found[-1]
    plain = kerashub_buckets(np.arange(-farthest, farthest + 1), *sizes)
    plain = keras.ops.convert_to_numpy(plain)
    plain = np.clip(plain + count, 0, 2 * count - 1)
    is_exact = disentangled.is_exact(*sizes)
    assert is_exact == np.array_equal(plain, found)
    assert is_exact == (sizes != (128, 256))


def test_students(tmp_path, case):
    """Of any size, they are right in the folder that `transformers` reads."""
    far = students.deberta_v3(
        1, 4, 2, vocabulary_size=9, max_sequence_length=256
    )
    ours = backbones.variants(families.of_backbone(far)).backbone
    assert type(far) is ours
    assert far.bucket_size == 128
    near = students.deberta_v3(1, 4, 2, vocabulary_size=9)
    assert type(near) is keras_hub.models.DebertaV3Backbone
    assert (near.bucket_size, near.max_sequence_length) == (256, 512)
    contents = families.of_backbone(far).hugging_face.contents
    names = families.of_backbone(far).hugging_face.names
    for model in (far, near):
        settings, _ = contents(names, model)
        assert settings["position_buckets"] == model.bucket_size
    sizes = near.get_config() | {"bucket_size": 128, "max_sequence_length": 256}
    plain = keras_hub.models.DebertaV3Backbone.from_config(sizes)
    with pytest.raises(UserError, match="sorts its farthest distances other"):
        contents(names, plain)


def test_it_is_as_large_as_published():
    """183.8 million, counted by transformers of deberta-v3-base's settings."""
    width, inner, layers, rows = 768, 3072, 12, 128_100
    layer = 4 * (width * width + width) + 2 * width * inner + inner + width
    layer += 2 * 2 * width
    wanted = rows * width + 2 * width + 512 * width + 2 * width
    wanted += layers * layer
    assert wanted == 183_831_552
    model = students.deberta_v3(1, width, vocabulary_size=1)
    fewer = (rows - 1) * width + (layers - 1) * layer
    assert model.count_params() == wanted - fewer

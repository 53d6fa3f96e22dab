"""ModernBERT's folders and layers: what `transformers` and NumPy compute."""

import json
import pathlib

import keras
import make_modernbert as made
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import scipy.special
from keras import ops

from tfminilm import UserError, students, teachers
from tfminilm.teachers.embedding import embedding_of

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
SHAPE = {"num_heads": 2, "vocabulary_size": 40, "max_sequence_length": 64}
NAMES = ("queries", "keys", "values", "attention_scores", "attention_probs")


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


def rewrite(folder, settings, tensors):
    """Other settings and tensors; a setting that is None is taken out."""
    kept = {key: x for key, x in settings.items() if x is not None}
    (folder / "config.json").write_text(json.dumps(kept))
    path = folder / "model.safetensors"
    safetensors.numpy.save_file(tensors, path, {"format": "pt"})


def inputs():
    batch = made.batch()
    shape = batch["input_ids"].shape
    return {
        "token_ids": batch["input_ids"].astype("int32"),
        "padding_mask": batch["attention_mask"].astype("int32"),
        "mask_positions": np.broadcast_to(np.arange(20), shape).astype("int32"),
    }


def run(model, changes=None):
    given = inputs() | (changes or {})
    found = model({key: given[key] for key in model.input}, training=False)
    return keras.tree.map_structure(ops.convert_to_numpy, found)


def assert_same_states(found, wanted, atol=1e-4):
    real = made.batch()["attention_mask"] > 0
    np.testing.assert_allclose(found[real], wanted[real], atol=atol)


class Reference:
    """What a folder computes, in float64, a token at a time."""

    def __init__(self, settings, tensors):
        self.tensors = {
            key.removeprefix("model."): x.astype("float64")
            for key, x in tensors.items()
        }
        self.settings = settings
        self.heads = settings["num_attention_heads"]
        self.parts = []  # Of each layer, by their names.

    def norm(self, name, x):
        x = x - x.mean(-1, keepdims=True)
        variance = (x**2).mean(-1, keepdims=True)
        scale = self.tensors[f"{name}.weight"]
        return x / np.sqrt(variance + self.settings["norm_eps"]) * scale

    def states(self, ids, count):
        """The last states of one text of `count` tokens."""
        x = self.tensors["embeddings.tok_embeddings.weight"][ids[:count]]
        x = self.norm("embeddings.norm", x)
        for index, kind in enumerate(self.settings["layer_types"]):
            name = f"layers.{index}"
            read = self.norm(f"{name}.attn_norm", x) if index else x
            x = x + self.attention(name, kind, read)
            read = self.norm(f"{name}.mlp_norm", x)
            wide = read @ self.tensors[f"{name}.mlp.Wi.weight"].T
            gate, up = np.split(wide, 2, -1)
            if self.settings["hidden_activation"] == "gelu":
                gate = gate * (1 + scipy.special.erf(gate / np.sqrt(2))) / 2
            else:
                gate = gate * scipy.special.expit(gate)
            x = x + (gate * up) @ self.tensors[f"{name}.mlp.Wo.weight"].T
        return self.norm("final_norm", x)

    def attention(self, name, kind, x):
        count, width = x.shape
        size = width // self.heads
        kernel = self.tensors[f"{name}.attn.Wqkv.weight"]
        shape = 3, self.heads, size
        q, k, v = np.moveaxis((x @ kernel.T).reshape(count, *shape), 0, 2)
        q, k = self.turned(q, kind), self.turned(k, kind)
        scores = np.einsum("hqd,hkd->hqk", q, k) / np.sqrt(size)
        is_local = kind == "sliding_attention"
        side = self.settings["local_attention"] // 2 if is_local else count
        probs = np.zeros_like(scores)
        for query in range(count):
            near = slice(max(query - side, 0), query + side + 1)
            exp = np.exp(scores[:, query, near])
            probs[:, query, near] = exp / exp.sum(-1, keepdims=True)
        parts = zip(NAMES, (q, k, v, scores, probs), strict=True)
        self.parts.append(dict(parts))
        mixed = np.einsum("hqk,hkd->qhd", probs, v).reshape(count, width)
        return mixed @ self.tensors[f"{name}.attn.Wo.weight"].T

    def turned(self, x, kind):
        """Each pair of numbers as a complex one, turned by the position."""
        base = self.settings["rope_parameters"][kind]["rope_theta"]
        half = x.shape[-1] // 2
        speed = base ** (-np.arange(half) / half)
        turn = np.exp(1j * np.arange(x.shape[1])[:, None] * speed)
        pairs = (x[..., :half] + 1j * x[..., half:]) * turn
        return np.concatenate([pairs.real, pairs.imag], -1)


@pytest.mark.parametrize("name", ["bare", "others"])
def test_numpy_and_transformers_agree(name, golden, case):
    _, settings, tensors = case(name)
    wanted = golden[f"{name}/last_hidden_state"]
    for row, count in enumerate((20, 13, 1)):
        reference = Reference(settings, tensors)
        found = reference.states(made.batch()["input_ids"][row], count)
        np.testing.assert_allclose(found, wanted[row, :count], atol=1e-4)


@pytest.mark.parametrize("name", ["bare", "others"])
def test_backbones_are_right(name, golden, case, tmp_path):
    folder, *_ = case(name)
    model = teachers.load_backbone(folder)
    wanted = golden[f"{name}/last_hidden_state"]
    assert_same_states(run(model), wanted)
    model.save_to_preset(tmp_path / "preset")
    again = teachers.load_backbone(tmp_path / "preset")
    np.testing.assert_array_equal(run(again), run(model))


def test_layers_show_what_they_compute(case):
    folder, settings, tensors = case("others")
    model = teachers.load_backbone(folder)
    layers = range(settings["num_hidden_layers"])
    asked = {name: layers for name in NAMES} | {"hidden_states": [-1]}
    found = run(teachers.expose(model, asked))
    np.testing.assert_allclose(found["hidden_states/5"], run(model), atol=1e-6)
    reference = Reference(settings, tensors)
    reference.states(made.batch()["input_ids"][1], 13)
    for index, parts in enumerate(reference.parts):
        for name, wanted in parts.items():
            value = found[f"{name}/{index}"][1][:, :13]
            value = value[..., :13] if "attention" in name else value
            np.testing.assert_allclose(value, wanted, atol=1e-4)
    # The parts alone are those of the whole layer.
    for name in NAMES:
        alone = run(teachers.expose(model, {name: [1]}))
        np.testing.assert_allclose(
            alone[f"{name}/1"], found[f"{name}/1"], atol=1e-6
        )


def test_padding_never_counts(case):
    model = teachers.load_backbone(case("bare")[0])
    ids = inputs()["token_ids"]
    other = np.where(inputs()["padding_mask"] > 0, ids, 39 - ids)
    assert_same_states(run(model, {"token_ids": other}), run(model), 0)


@pytest.mark.parametrize("name", ["bare", "others"])
def test_settings_of_transformers_4(name, golden, case):
    folder, settings, tensors = case(name)
    rope = settings.pop("rope_parameters")
    settings["global_rope_theta"] = rope["full_attention"]["rope_theta"]
    settings["local_rope_theta"] = rope["sliding_attention"]["rope_theta"]
    every = settings.pop("layer_types").index("full_attention", 1)
    settings["global_attn_every_n_layers"] = every
    # Nothing reads these.
    settings |= {"layer_norm_eps": 3e-5, "position_embedding_type": "sans_pos"}
    rewrite(folder, settings, tensors)
    found = run(teachers.load_backbone(folder))
    assert_same_states(found, golden[f"{name}/last_hidden_state"])


@pytest.mark.parametrize("every", [1, 2, 4, 5])
def test_every_pattern_of_global_layers(every, case):
    folder, settings, tensors = case("bare")
    kinds = ["full_attention", *["sliding_attention"] * (every - 1)]
    kinds = (kinds * 5)[:5]
    rewrite(folder, settings | {"layer_types": kinds}, tensors)
    model = teachers.load_backbone(folder)
    assert model.global_every == every
    found = [layer.window is None for layer in model.transformer_layers]
    assert found == [kind == "full_attention" for kind in kinds]


def test_settings_that_say_nothing_are_the_published_ones(case):
    folder, settings, tensors = case("bare")
    gone = ("rope_parameters", "layer_types", "local_attention", "norm_eps")
    rewrite(folder, settings | dict.fromkeys(gone), tensors)
    model = teachers.load_backbone(folder)
    found = [(layer.rope_theta, layer.window) for layer in
             model.transformer_layers]  # fmt: skip
    local, whole = (10_000.0, 64), (160_000.0, None)
    assert found == [whole, local, local, whole, local]
    assert model.final_norm.epsilon == 1e-5


def test_short_numbers_and_parts(golden, case):
    folder, settings, tensors = case("bare")
    short = {k: x.astype(ml_dtypes.bfloat16) for k, x in tensors.items()}
    (folder / "model.safetensors").unlink()
    halves = [*short][::2], [*short][1::2]
    where = {}
    for part, names in enumerate(halves):
        file = f"model-0000{part + 1}-of-00002.safetensors"
        where |= dict.fromkeys(names, file)
        own = {key: short[key] for key in names}
        safetensors.numpy.save_file(own, folder / file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": where}))
    found = run(teachers.load_backbone(folder))
    reference = Reference(settings, short)
    wanted = reference.states(made.batch()["input_ids"][0], 20)
    np.testing.assert_allclose(found[0], wanted, atol=1e-4)


def test_masked_language_models_are_right(golden, case, tmp_path):
    folder, *_ = case("masked_lm")
    model = teachers.load_masked_lm(folder)
    wanted = golden["masked_lm/logits"]
    assert_same_states(run(model), wanted)
    model.save_to_preset(tmp_path / "preset")
    again = teachers.load_masked_lm(tmp_path / "preset")
    np.testing.assert_array_equal(run(again), run(model))
    # Of the encoder alone, the head's tensors are passed over.
    backbone = teachers.load_backbone(folder)
    np.testing.assert_array_equal(run(backbone), run(model.backbone))
    with pytest.raises(UserError, match="has no masked-language-model head"):
        teachers.load_masked_lm(case("bare")[0])


SCALED = {"rope_type": "yarn", "rope_theta": 5.0, "factor": 2.0}
REFUSED = [
    ({"attention_bias": True}, "attention_bias is true, expected false"),
    ({"norm_bias": True}, "norm_bias is true, expected false"),
    ({"mlp_bias": True}, "mlp_bias is true, expected false"),
    ({"num_attention_heads": 16}, "expected heads of an even number"),
    ({"local_attention": 1}, "local_attention is 1, expected 2 or more"),
    ({"hidden_activation": "mish"}, "hidden_activation is 'mish', expected"),
    ({"norm_eps": 0}, "norm_eps is 0, expected a number from"),
    (
        {"layer_types": ["sliding_attention"] * 5},
        "expected 'full_attention' for each n-th of 5 layers",
    ),
    ({"layer_types": ["full_attention"] * 4}, "of 5 layers"),
    ({"layer_types": {"0": "full_attention"}}, "of 5 layers"),
    ({"num_hidden_layers": 10**9}, "of 1000000000 layers"),
    ({"num_hidden_layers": 10**9, "layer_types": None}, "expected up to 1,000"),
    (
        {"rope_parameters": {"full_attention": SCALED}},
        "for full_attention, expected rope_type 'default'",
    ),
    ({"rope_parameters": 7}, "expected rope_type 'default'"),
    ({"rope_scaling": SCALED}, "rope_scaling is set, expected none"),
    (
        {"rope_parameters": None, "local_rope_theta": 0},
        "local_rope_theta is 0, expected a number above 1",
    ),
    ({"num_hidden_layers": 4, "layer_types": None}, "unknown layers.4.attn"),
    ({"num_hidden_layers": 6, "layer_types": None}, "missing layers.5.attn"),
    ({"intermediate_size": 18}, "of another shape layers.0.mlp.Wi.weight"),
    ({"auto_map": {"AutoModel": "x.Y"}}, "auto_map"),
]


@pytest.mark.parametrize(("changes", "sentence"), REFUSED)
def test_refused_by_name(changes, sentence, case):
    folder, settings, tensors = case("bare")
    rewrite(folder, settings | changes, tensors)
    with pytest.raises(UserError) as error:
        teachers.load_backbone(folder)
    assert sentence in str(error.value)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"classifier_bias": True}, "classifier_bias is True, expected False"),
        ({"decoder_bias": False}, "decoder_bias is False, expected True"),
        ({"classifier_activation": "relu"}, "expected 'gelu'"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings is false"),
    ],
)
def test_heads_refused_by_name(changes, sentence, case):
    folder, settings, tensors = case("masked_lm")
    rewrite(folder, settings | changes, tensors)
    with pytest.raises(UserError, match=sentence):
        teachers.load_masked_lm(folder)
    teachers.load_backbone(folder)  # Which has no need of the head.


def test_a_folder_of_sentence_transformers(golden, case):
    """As gte-modernbert is laid out."""
    folder, *_ = case("bare")
    kinds = {"": "Transformer", "1_Pooling": "Pooling"}
    modules = [
        {"path": path, "type": f"sentence_transformers.models.{kind}"}
        for path, kind in kinds.items()
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    pooling = {
        "pooling_mode_cls_token": True,
        "pooling_mode_mean_tokens": False,
    }
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    limit = {"max_seq_length": 50, "do_lower_case": False}
    (folder / "sentence_bert_config.json").write_text(json.dumps(limit))
    model = teachers.load_backbone(folder)
    assert_same_states(run(model), golden["bare/last_hidden_state"])
    found = embedding_of(model)
    assert (found.pooling, found.normalize) == ("cls", False)
    assert found.max_length == 50


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_logits_are_float32_in_any_precision(policy):
    backbone = students.modernbert(1, 16, **SHAPE, dtype=policy)
    model = teachers.build_masked_lm(backbone)
    given = {key: inputs()[key] for key in model.input}
    assert keras.backend.standardize_dtype(model(given).dtype) == "float32"

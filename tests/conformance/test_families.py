"""Every registered family: built, exposed, started, saved, written."""

import gzip
import importlib.util
import pathlib
import sys

import keras
import keras_hub
import numpy as np
import pytest
from keras import ops

from tfminilm import families, teachers
from tfminilm.errors import UserError
from tfminilm.report import describe
from tfminilm.students import init_from_teacher
from tfminilm.train.build import build_student
from tfminilm.train.stage import StudentSpec

HERE = pathlib.Path(__file__).parent
spec = importlib.util.spec_from_file_location("cases", HERE / "cases.py")
cases = sys.modules["cases"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)

FAMILIES = {family.name: family for family in families.FAMILIES}
every_family = pytest.mark.parametrize("name", FAMILIES)
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow exports"
)


def make(name, num_layers=2, seed=0):
    """A small model of a family, whose every weight matters."""
    model = cases.FAMILIES[name](num_layers)
    random = np.random.default_rng(seed)
    for variable in model.weights:
        if variable.dtype == "float32":
            value = random.normal(size=variable.shape) * 0.3
            variable.assign(value + (variable.name == "gamma"))
    return model


def batch(model, rows=2, length=6, padded=2):
    random = np.random.default_rng(0)
    shape = rows, length
    mask = np.ones(shape)
    mask[-1, length - padded :] = 0
    everything = {
        "token_ids": random.integers(1, cases.VOCABULARY, shape) * mask,
        "segment_ids": (np.arange(length) > 2) * mask,
        "padding_mask": mask,
    }
    return {name: everything[name].astype("int32") for name in model.input}


def run(model, inputs):
    outputs = model(inputs, training=False)
    outputs = outputs if isinstance(outputs, dict) else {"": outputs}
    return {name: ops.convert_to_numpy(x) for name, x in outputs.items()}


def states(model, inputs):
    """The last state of each token."""
    outputs = run(model, inputs)
    return outputs.get("sequence_output", outputs.get(""))


def assert_same(one, other, atol=1e-6):
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], atol=atol)


def test_the_table_is_complete():
    assert cases.FAMILIES.keys() == FAMILIES.keys()
    assert len(FAMILIES) == len(families.FAMILIES)


@every_family
def test_a_model_finds_its_family(name):
    model = make(name)
    assert families.of_backbone(model) is FAMILIES[name]
    assert type(model).__name__ == FAMILIES[name].backbone


@every_family
def test_its_tokens_are_those_of_a_keras_hub_tokenizer(name):
    tokens = FAMILIES[name].tokens
    cls = tokens.tokenizer_class()
    assert cls.__name__ == tokens.tokenizer
    found = families.of_tokenizer(object.__new__(cls))
    assert found.tokens.tokenizer == tokens.tokenizer
    assert found.tokens.separators == tokens.separators


def test_end_tokens_between_two_texts():
    two = {name for name, f in FAMILIES.items() if f.tokens.separators == 2}
    # As KerasHub's preprocessors put them, and `transformers`'.
    assert two == {"mpnet", "roberta", "xlm_roberta"}
    assert {f.tokens.separators for f in families.FAMILIES} == {1, 2}


@pytest.mark.parametrize("kind", families.STUDENT_KINDS)
def test_a_recipe_builds_its_students(kind):
    shape = StudentSpec(
        kind=kind,
        num_layers=1,
        hidden_dim=12,
        num_heads=2,
        intermediate_dim=6,
        embedding_dim=4,
        bottleneck_dim=8,
        lstm_units=3,
        max_sequence_length=cases.LENGTH,
    )
    model = build_student(shape, cases.VOCABULARY)
    assert families.of_backbone(model) is families.of_student(kind)
    assert model.hidden_dim == 12
    assert model.token_embedding.input_dim == cases.VOCABULARY


@every_family
def test_shows_its_inside(name):
    model = make(name)
    asked = {"queries": [-1], "values": [0], "hidden_states": [0, -1]}
    if not FAMILIES[name].is_encoder:
        with pytest.raises(UserError, match="cannot expose"):
            teachers.expose(model, asked)
        return
    inputs = batch(model)
    found = run(teachers.expose(model, asked), inputs)
    assert found["queries/1"].shape[:3] == (2, 2, 6)
    assert found["values/0"].shape[:3] == (2, 2, 6)
    assert found["hidden_states/0"].shape == (2, 6, model.hidden_dim)
    np.testing.assert_allclose(
        found["hidden_states/2"], states(model, inputs), atol=1e-5
    )


@every_family
def test_starts_from_a_teacher(name):
    teacher, student = make(name), make(name, num_layers=1, seed=1)
    if not FAMILIES[name].is_encoder:
        with pytest.raises(UserError, match="cannot expose"):
            init_from_teacher(student, teacher)
        return
    layers = "uniform"
    assert init_from_teacher(student, teacher, layers)
    asked = {"hidden_states": [0]}
    one, other = (
        run(teachers.expose(model, asked), batch(model))
        for model in (student, teacher)
    )
    assert_same(one, other)


@every_family
def test_saves_and_loads(name, tmp_path):
    model = make(name)
    model.save_to_preset(str(tmp_path))
    loaded = teachers.load_backbone(tmp_path)
    assert type(loaded) is type(model)
    assert_same(run(loaded, batch(model)), run(model, batch(model)))


@every_family
def test_its_counts_add_up(name):
    model = make(name)
    found = describe.describe(model, [8])
    assert found.parameters == model.count_params()
    assert found.num_layers == (2 if FAMILIES[name].is_encoder else 1)
    # A dense layer costs two FLOPs for each weight and token, so more than
    # as many as its layers have weights.
    assert found.flops[8] > found.transformer_parameters


@every_family
@on_tensorflow
def test_a_phone_computes_the_same(name):
    import tensorflow as tf

    from tfminilm.export.graph.mobile_graph import MobileGraph

    model = make(name)
    if not FAMILIES[name].mobile_graph:
        with pytest.raises(UserError, match=f"a {FAMILIES[name].backbone}: ex"):
            MobileGraph(model)
        return
    inputs = batch(model, rows=1)
    call = MobileGraph(model, ["sequence_output"]).signature(6)
    found = call(**{key: tf.constant(x) for key, x in inputs.items()})
    real = inputs["padding_mask"][0] > 0
    np.testing.assert_allclose(
        found["sequence_output"].numpy()[0, real],
        states(model, inputs)[0, real],
        atol=2e-5,
    )


def roberta_tokenizer():
    from tfminilm.tokenizer.hugging_face import of_family

    ids = {"<s>": 0, "<pad>": 1, "</s>": 2, "<mask>": 3, "a": 4, "b": 5}
    return of_family(
        keras_hub.models.RobertaTokenizer(ids | {"ab": 6}, ["a b"]), {}
    )


@every_family
@on_tensorflow
def test_transformers_folder(name, tmp_path):
    from tfminilm.export.server import hugging_face
    from tfminilm.tokenizer.hugging_face import of_family, with_bert_rules

    model, kept = make(name), FAMILIES[name].hugging_face
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [chr(ord("a") + i) * 3 for i in range(cases.VOCABULARY - 5)][:21]
    tokenizer = with_bert_rules(keras_hub.models.BertTokenizer(special + words))
    if kept is None or kept.contents is None:
        with pytest.raises(UserError, match=f"a {FAMILIES[name].backbone} as"):
            hugging_face.write(model, tokenizer, tmp_path)
        return
    own = FAMILIES[name].tokens.tokenizer
    if own == "MPNetTokenizer":
        with pytest.raises(UserError, match=f"expected a {own}"):
            hugging_face.write(model, tokenizer, tmp_path)
        words = ["<s>", "<pad>", "</s>", "<mask>", "[UNK]", *words]
        own_class = FAMILIES[name].tokens.tokenizer_class()
        tokenizer = with_bert_rules(own_class(words))
    if own == "DebertaV3Tokenizer":
        with pytest.raises(UserError, match=f"expected a {own}"):
            hugging_face.write(model, tokenizer, tmp_path)
        path = HERE.parent / "golden" / "token_ids" / "deberta_v3" / "spm.model"
        own_class = FAMILIES[name].tokens.tokenizer_class()
        tokenizer = own_class(path.read_bytes())
    if own == "AlbertTokenizer":
        with pytest.raises(UserError, match=f"expected a {own}"):
            hugging_face.write(model, tokenizer, tmp_path)
        path = HERE.parent / "golden" / "token_ids" / "albert"
        packed = (path / "spiece.model.gz").read_bytes()
        albert = keras_hub.models.AlbertTokenizer(gzip.decompress(packed))
        tokenizer = of_family(albert, {})
    if "Roberta" in own:
        with pytest.raises(UserError, match=f"expected a {own}"):
            hugging_face.write(model, tokenizer, tmp_path)
        tokenizer = roberta_tokenizer()
        if own == "XLMRobertaTokenizer":
            tokenizer = teachers.load_tokenizer("tiny:xlm_roberta")
    hugging_face.write(model, tokenizer, tmp_path)
    loaded = teachers.load_backbone(tmp_path)
    inputs = batch(model, rows=1, padded=0)
    found, wanted = run(loaded, inputs), run(model, inputs)
    if own == "ElectraTokenizer":  # Its folders have no pooler.
        del found["pooled_output"], wanted["pooled_output"]
    assert_same(found, wanted, 1e-5)
